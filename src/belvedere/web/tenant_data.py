"""What a tenant has: dashboards as cards, stores with their tables, deliveries."""

from uuid import UUID

from flask import Blueprint, Response, request

from belvedere.kernel.errors import NotFound
from belvedere.stores.model import Store
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.operations import again
from belvedere.web.tenant import connection, find, page

blueprint = Blueprint("tenant_data", __name__, url_prefix="/tenants/<slug>")


@blueprint.get("/dashboards")
def dashboards(slug: str) -> Response:
    """Answer: what can I look at?"""
    services, actor = context.services(), context.actor()
    tenant, after = find(slug), request.args.get("after", "")
    found = services.dashboards.list(actor, tenant=tenant.serial, after=after or None)
    return page(
        "tenant_dashboards.html", tenant, found=found, after=after,
        previews=services.previews.latest_of(actor, [one.id for one in found.items]),
        connection=None if found.items else connection(services, actor, services.stores.list(actor, tenant.serial)),
    )  # fmt: skip


@blueprint.get("/stores")
def stores(slug: str) -> Response:
    """Answer: where is my data?"""
    services, actor = context.services(), context.actor()
    tenant = find(slug)
    found = services.stores.list(actor, tenant.serial)
    return page(
        "tenant_stores.html", tenant, stores=found,
        relations={one.id: services.stores.relations(actor, one.id) for one in found},
        connection=connection(services, actor, found),
    )  # fmt: skip


@blueprint.get("/stores/<kind>")
def store(slug: str, kind: str) -> Response:
    """Answer: how do I connect, and which tables stand here?"""
    services, actor = context.services(), context.actor()
    tenant = find(slug)
    found = _store(tenant, kind)
    on = {
        (one.store_id, one.table): one for one in services.dashboards.list(actor, tenant=tenant.serial, limit=500).items
    }
    return page(
        "tenant_store.html", tenant, store=found, relations=services.stores.relations(actor, found.id), dashboards=on,
        connection=services.stores.connection_info(actor, found.id) if found.state == "ready" else None,
        form=services.series.form(actor, found.id),
    )  # fmt: skip


def _store(tenant: Tenant, kind: str) -> Store:
    for one in context.services().stores.list(context.actor(), tenant.serial):
        if kind.lower() in {str(one.kind).lower(), one.database.lower(), str(one.id)}:
            return one
    raise NotFound


@blueprint.get("/deliveries")
def deliveries(slug: str) -> Response:
    """Answer: what was said, and where?"""
    services, actor = context.services(), context.actor()
    tenant, state, after = find(slug), request.args.get("state", ""), request.args.get("after", "")
    return page(
        "tenant_deliveries.html", tenant, found=services.notifications.list(
            actor, tenant=tenant.serial, state=state or None, after=after or None),
        counts=services.notifications.counts(actor, tenant=tenant.serial), state=state, after=after,
        connected="SLACK_BOT_TOKEN" in {one.key_name for one in services.credentials.list(actor, tenant.serial)},
    )  # fmt: skip


@blueprint.post("/deliveries/<uuid:delivery_id>/again")
def send_again(slug: str, delivery_id: UUID) -> Response:
    """Send a message once more."""
    again(delivery_id)
    return context.done("On its way again.", "tenant_data.deliveries", slug=slug)
