"""Dashboards: the list, the built-in viewer, a panel's data, why one looks as it does, its previews."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import msgspec
from flask import Blueprint, Response, redirect, request, send_file, url_for

from belvedere.dashboards.model import Dashboard
from belvedere.dashboards.template import catalogue
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.tenant import find as find_tenant
from belvedere.workspaces.viewer.model import PanelData

blueprint = Blueprint("dashboards", __name__)

_CAPTURE_S: Final = 300
_BEGINNING: Final = "1900-01-01"

RANGES: Final = (
    ("1 h", "now-1h"),
    ("24 h", "now-24h"),
    ("7 d", "now-7d"),
    ("30 d", "now-30d"),
    ("3 mo", "now-90d"),
    ("1 y", "now-1y"),
)
"""Quick ranges of the picker: label and `from`; `to` is now."""


@blueprint.get("/dashboards")
def all_dashboards() -> Response:
    """Answer: what can be looked at, over all tenants?"""
    services, actor, after = context.services(), context.actor(), request.args.get("after", "")
    found = services.dashboards.list(actor, after=after or None)
    return context.page(
        "dashboards.html",
        found=found,
        after=after,
        previews=services.previews.latest_of(actor, [one.id for one in found.items]),
    )


def _one(slug: str, dashboard_id: UUID) -> tuple[Tenant, Dashboard]:
    services, actor = context.services(), context.actor()
    tenant = find_tenant(slug)
    found = services.dashboards.get(actor, dashboard_id)
    if found.tenant_id != tenant.serial:
        raise NotFound
    return tenant, found


def chosen() -> dict[str, str]:
    """Return the variables that the address chooses, by name."""
    return {name.removeprefix("var-"): value for name, value in request.args.items() if name.startswith("var-")}


@blueprint.get("/tenants/<slug>/dashboards/<uuid:dashboard_id>")
def view(slug: str, dashboard_id: UUID) -> Response:
    """Show the data."""
    services, actor = context.services(), context.actor()
    tenant, found = _one(slug, dashboard_id)
    layout = services.viewer.layout(actor, dashboard_id, variables=chosen())
    preview = None if _is_capture() else services.previews.latest(actor, dashboard_id)
    return context.page(
        "dashboard.html",
        tenant=tenant,
        dashboard=found,
        layout=layout,
        ranges=ranges(layout),
        panel_address=panel_addresses(url_for("dashboards.view", slug=slug, dashboard_id=dashboard_id)),
        preview=preview,
        chosen_from=request.args.get("from", ""),
        chosen_to=request.args.get("to", ""),
    )


def _is_capture() -> bool:
    visitor = context.visitor()
    return visitor is not None and visitor.dashboard is not None


def ranges(layout: Any) -> list[tuple[str, str, bool]]:  # noqa: ANN401  (the viewer's layout)
    """Return the quick ranges as label, address and whether it is the present one; none without a time column."""
    if not layout.time.column:
        return []
    start, end = request.args.get("from"), request.args.get("to")
    made = [(label, context.here(**{"from": since, "to": None}), start == since and not end) for label, since in RANGES]
    first = ("All data", context.here(**{"from": None, "to": None}), not start and not end)
    if not layout.time.start:
        return [*made, first]
    # What is shown first is not all there may be.
    everything = context.here(**{"from": _BEGINNING, "to": None})
    return [*made, ("Latest data", *first[1:]), ("All data", everything, start == _BEGINNING and not end)]


@blueprint.get("/tenants/<slug>/dashboards/<uuid:dashboard_id>/panels/<panel_id>")
def panel(slug: str, dashboard_id: UUID, panel_id: str) -> Response:
    """Return one panel's data: JSON for the viewer, a plain table for browsers without scripts."""
    tenant, found = _one(slug, dashboard_id)
    data = context.services().viewer.panel(
        context.actor(),
        dashboard_id,
        panel_id,
        start=request.args.get("from") or None,
        end=request.args.get("to") or None,
        variables=chosen(),
    )
    if not context.wants_json():
        back = as_chosen(url_for("dashboards.view", slug=slug, dashboard_id=dashboard_id))
        return context.page("panel.html", above=[*context.crumbs(tenant), (found.title, back)], data=data)
    return sent(data)


def as_chosen(address: str) -> str:
    """Return an address with the range and the variables of the present one."""
    asked = request.query_string.decode("ascii", "replace")
    return f"{address}?{asked}" if asked else address


def panel_addresses(above: str) -> Callable[..., str]:
    """Return what gives the address of a panel of the dashboard at `above`; `kept` as it is chosen now."""
    def address(panel_id: str, *, kept: bool = False) -> str:
        plain = f"{above}/panels/{panel_id}"
        return as_chosen(plain) if kept else plain

    return address


def sent(data: PanelData) -> Response:
    """Send a panel's data as JSON, or say that they are as they were."""
    response = context.private(Response(msgspec.json.encode(data), content_type="application/json"))
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/tenants/<slug>/dashboards/<uuid:dashboard_id>/why")
def why(slug: str, dashboard_id: UUID) -> Response:
    """Answer: why does it look like this?"""
    return _why(slug, dashboard_id)


def _why(slug: str, dashboard_id: UUID, problem: str = "", wrong: str = "", status: int = 200) -> Response:
    tenant, found = _one(slug, dashboard_id)
    known = context.services().dashboards.why(context.actor(), dashboard_id)
    return context.page(
        "why.html",
        status,
        tenant=tenant,
        dashboard=found,
        why=known,
        templates=catalogue(),
        problem=problem,
        wrong=wrong,
        chosen=request.form.get("template", ""),
        typed=request.form.get("reason", ""),
        allowed=context.actor().may(Role.EDITOR, tenant.serial),
    )


@blueprint.post("/tenants/<slug>/dashboards/<uuid:dashboard_id>/why")
def override(slug: str, dashboard_id: UUID) -> Response:
    """Use another template, or the one that the columns speak for again."""
    _one(slug, dashboard_id)
    template, reason = request.form.get("template", ""), request.form.get("reason", "")
    try:
        context.services().dashboards.override(context.actor(), dashboard_id, template, reason)
    except Rejected as error:
        if error.field is None:
            raise
        return _why(slug, dashboard_id, error.detail, error.field, error.status)
    return context.done("The dashboard is drawn anew.", "dashboards.why", slug=slug, dashboard_id=dashboard_id)


@blueprint.get("/tenants/<slug>/dashboards/<uuid:dashboard_id>/previews")
def previews(slug: str, dashboard_id: UUID) -> Response:
    """Answer: what was captured and sent?"""
    services, actor = context.services(), context.actor()
    tenant, found = _one(slug, dashboard_id)
    rounds = services.previews.list(actor, dashboard_id)
    return context.page(
        "previews.html",
        tenant=tenant,
        dashboard=found,
        rounds=rounds,
        camera=services.previews.camera(),
        attempts={one.id: services.previews.attempts(actor, one.id) for one in rounds[:20]},
        deliveries=services.notifications.list(actor, tenant=tenant.serial, dashboard_id=dashboard_id, limit=20).items,
    )


@blueprint.post("/tenants/<slug>/dashboards/<uuid:dashboard_id>/capture")
def capture_now(slug: str, dashboard_id: UUID) -> Response:
    """Take a picture now."""
    _one(slug, dashboard_id)
    context.services().previews.request(context.actor(), dashboard_id)
    return context.done("The picture is being taken.", "dashboards.previews", slug=slug, dashboard_id=dashboard_id)


@blueprint.post("/tenants/<slug>/dashboards/<uuid:dashboard_id>/send")
def send(slug: str, dashboard_id: UUID) -> Response:
    """Send the message about this dashboard, with its newest picture."""
    _one(slug, dashboard_id)
    context.services().previews.send(context.actor(), dashboard_id)
    return context.done(
        "On its way. Deliveries show how it ends.", "dashboards.view", slug=slug, dashboard_id=dashboard_id
    )


@blueprint.get("/go/<token>")
def go(token: str) -> Response:
    """Lead from a message to the dashboard, wherever it is by now; the page there asks who looks."""
    response = redirect(context.services().dashboards.addresses.behind(token), 302)
    # A browser that kept the answer would go on going to where it was.
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]  # werkzeug's own response class


@blueprint.get("/previews/<uuid:preview_id>.<kind>")
def picture(preview_id: UUID, kind: str) -> Response:
    """Send a preview's file. It never changes, so the browser may keep it; nobody in between may."""
    if kind not in {"gif", "png"}:
        raise NotFound
    response = send_file(
        context.services().previews.file(context.actor(), preview_id, kind), mimetype=f"image/{kind}", max_age=86_400
    )
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@blueprint.get("/capture/<token>")
def capture(token: str) -> Response:
    """Redeem a capture token: our own browser gets a session for one dashboard, and goes there."""
    services = context.services()
    cookie, grant = services.previews.tokens.redeem(token)
    found = services.dashboards.get(grant.actor(request.remote_addr or ""), grant.dashboard_id)
    response = redirect(url_for("dashboards.view", slug=found.slug, dashboard_id=found.id, kiosk="1"), 303)
    response.set_cookie(
        context.CAPTURE_COOKIE,
        cookie.reveal(),
        max_age=_CAPTURE_S,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]  # werkzeug's own response class
