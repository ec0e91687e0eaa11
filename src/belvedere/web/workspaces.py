"""Where tenants look: a tenant's workspace, its plan, choices, the first password, what a tenant has; drift of all.

Pages show what the last look wrote down, so a Grafana that is away is a state of a page and never an error.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
from flask import Blueprint, Response, request

from belvedere.api.workspaces import choose, view_inventory
from belvedere.inventory.model import Inventory, Kind, csv_lines
from belvedere.kernel.actor import Role
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import BelvedereError, Conflict, NotFound, Rejected
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.problem_texts import PROBLEMS
from belvedere.web.tenant import find, page, progress
from belvedere.workspaces.drift.model import TenantDrift
from belvedere.workspaces.tiers import Tier

blueprint = Blueprint("workspaces", __name__)

_OF_TENANT: Final = "/tenants/<slug>"
_MOST_SETTLED: Final = 12
_CHOICES: Final = ("theirs", "ours", "template")

APART: Final = {
    Tier.VIEWER: ("Built-in viewer", "Data and dashboards are kept apart from other tenants'."),
    Tier.ORG: ("An organisation of its own in Grafana", "Data and dashboards are kept apart from other tenants'."),
    Tier.TEAM: (
        "A team and folder in a shared organisation of Grafana",
        "Dashboards are kept apart. Data are by the query gateway alone: without it, any Viewer can query all of it.",
    ),
    Tier.INSTANCE: ("A Grafana of its own", "Everything is kept apart."),
}
"""What a tier is, and what it keeps apart."""


@blueprint.get(f"{_OF_TENANT}/workspace")
def workspace(slug: str) -> Response:
    """Answer: where does this tenant look, how is that, and what differs?"""
    return _workspace(find(slug))


def _workspace(tenant: Tenant, error: BelvedereError | None = None, made: tuple[str, str] | None = None) -> Response:
    services, actor = context.services(), context.actor()
    found = services.drift.of(actor, tenant.serial)
    steps = [one for one in services.tenants.steps(actor, tenant.serial) if one.room == "workspaces"]
    return page(
        "tenant_workspace.html", tenant, error.status if error else 200, state=found.state,
        warning=services.workspaces.warning(tenant.serial), problems=PROBLEMS,
        unseen=services.moves.unseen(actor, tenant.serial),
        apart=APART[found.state.tier], differs=[one for one in found.differences if one.dashboard is None],
        by_hand=[one for one in found.differences if one.dashboard is not None], steps=progress(steps),
        settled=services.drift.settled(actor, tenant=tenant.serial, limit=_MOST_SETTLED), made=made,
        first=services.people.first_passwords(actor, tenant.serial),
        error=error, moves=services.moves.under_way(actor, tenant.serial),
        allowed=actor.may(Role.OPERATOR, tenant.serial),
    )  # fmt: skip


@blueprint.get(f"{_OF_TENANT}/workspace/plan")
def plan(slug: str) -> Response:
    """Compare the workspace with what it should be, now; what stands in the way is shown in the plan's place."""
    tenant, actor = find(slug), context.actor()
    found, error = None, None
    try:
        found = context.services().workspaces.plan(actor, tenant.serial)
    except NotFound:
        raise
    except BelvedereError as caught:
        error = caught
    return page(
        "tenant_workspace_plan.html", tenant, plan=found, error=error, problems=PROBLEMS,
        allowed=actor.may(Role.OPERATOR, tenant.serial),
    )  # fmt: skip


@blueprint.post(f"{_OF_TENANT}/workspace/apply")
def apply(slug: str) -> Response:
    """Repair what differs; the page that comes shows how far it is."""
    tenant = find(slug)
    context.services().workspaces.apply(context.actor(), tenant.serial)
    return context.done("Started. The steps renew themselves here.", "workspaces.workspace", slug=slug)


@blueprint.post(f"{_OF_TENANT}/workspace/password")
def password(slug: str) -> Response:
    """Hand over the default user's first password; it is on the answer's page, this once."""
    tenant = find(slug)
    try:
        login, secret = context.services().workspaces.take_password(context.actor(), tenant.serial)
    except (NotFound, Conflict) as error:
        return _workspace(tenant, error)
    return context.secret_page(_workspace(tenant, made=(login, secret.reveal())))


@blueprint.post(f"{_OF_TENANT}/workspace/dashboards/<uuid:dashboard_id>")
def resolve(slug: str, dashboard_id: UUID) -> Response:
    """Choose for a dashboard that was changed by hand: theirs, ours, or theirs as the template of its shape."""
    tenant, actor, services = find(slug), context.actor(), context.services()
    dashboard = services.dashboards.get(actor, dashboard_id)
    if dashboard.tenant_id != tenant.serial:
        raise NotFound
    actor.must(Role.OPERATOR, tenant.serial)
    choice = request.form.get("choice", "")
    if choice not in _CHOICES:
        message = "Choose theirs, ours or template."
        raise Rejected(message, field="choice")
    return context.done(choose(services, actor, dashboard, choice), "workspaces.workspace", slug=slug)


@blueprint.get("/drift")
def drift() -> Response:
    """Answer: what differs from what we want, at any tenant?"""
    services, actor = context.services(), context.actor()
    after = request.args.get("after", "")
    found = services.drift.list(actor, after=after or None)
    settled = services.drift.settled(actor, limit=_MOST_SETTLED)
    return context.page(
        "drift.html", found=found, after=after, settled=settled, names=_names(settled), problems=PROBLEMS,
        mendable=any(one.state.differs or one.state.problem for one in found.items),
        looked_at=services.drift.looked_at(actor), looks=services.workspaces.grafana is not None,
    )  # fmt: skip


def _names(settled: Iterable[Any]) -> dict[int, Tenant]:
    services, actor = context.services(), context.actor()
    return {serial: services.tenants.get(actor, serial) for serial in {one.tenant for one in settled}}


@blueprint.post("/drift/apply")
def apply_all() -> Response:
    """Repair what differs at every tenant on the list; what waits for a choice goes on waiting."""
    services, actor = context.services(), context.actor()
    actor.must(Role.OPERATOR)
    number = 0
    for one in _drifting():
        services.workspaces.apply(actor, one.state.tenant)
        number += 1
    said = f"{number} workspaces are being repaired." if number else "Nothing differs."
    return context.done(said, "workspaces.drift")


def _drifting() -> Iterator[TenantDrift]:
    services, actor = context.services(), context.actor()
    after: str | None = None
    while True:
        found = services.drift.list(actor, after=after, limit=500)
        yield from found.items
        if found.next is None:
            return
        after = found.next


@blueprint.get(f"{_OF_TENANT}/inventory")
def inventory(slug: str) -> Response:
    """Answer: what does this tenant have in all?"""
    tenant = find(slug)
    found = context.services().inventories.of(context.actor(), tenant.serial)
    return page("tenant_inventory.html", tenant, inventory=found, kinds=list(Kind))


@blueprint.get(f"{_OF_TENANT}/inventory.csv")
def inventory_csv(slug: str) -> Response:
    """Hand out what a tenant has as CSV."""
    tenant = find(slug)
    return _file(_kept([context.services().inventories.of(context.actor(), tenant.serial)], tenant), "csv", tenant.slug)


@blueprint.get(f"{_OF_TENANT}/inventory.json")
def inventory_json(slug: str) -> Response:
    """Hand out what a tenant has as JSON."""
    tenant = find(slug)
    return _file(
        _kept([context.services().inventories.of(context.actor(), tenant.serial)], tenant), "json", tenant.slug
    )


@blueprint.get("/inventory.csv")
def inventories_csv() -> Response:
    """Hand out what every tenant has as CSV."""
    return _file(_kept(context.services().inventories.all(context.actor())), "csv", "all")


@blueprint.get("/inventory.json")
def inventories_json() -> Response:
    """Hand out what every tenant has as JSON."""
    return _file(_kept(context.services().inventories.all(context.actor())), "json", "all")


def _kept(found: Iterable[Inventory], tenant: Tenant | None = None) -> list[Inventory]:
    """Put together what is handed out, and write down that it was."""
    kept = list(found)
    context.services().history.summary(
        context.actor(), "inventory.export", tenant.name if tenant else "all tenants", count=len(kept),
        tenant=tenant.serial if tenant else None,
    )
    return kept


def _file(found: list[Inventory], form: str, name: str) -> Response:
    if form == "csv":
        body, kind = "".join(csv_lines(found)), "text/csv; charset=utf-8"
    else:
        views = [msgspec.to_builtins(view_inventory(one)) for one in found]
        body, kind = json.dumps(views if name == "all" else views[0], indent=1, ensure_ascii=False), "application/json"
    response = Response(body, content_type=kind)
    file = f"inventory-{name}-{utc_now():%Y%m%d-%H%M}.{form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
