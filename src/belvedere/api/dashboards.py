"""Dashboards, why they look as they do, and their previews."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, File, NoQuery, Paging, Route, paged, reference
from belvedere.api.parts import Message, uuid_of
from belvedere.dashboards.model import Dashboard
from belvedere.kernel.errors import NotFound
from belvedere.previews.model import Preview


class DashboardView(msgspec.Struct, frozen=True):
    """A dashboard. `preview_url` is empty until there is a picture, `sent_at` until a message went out."""

    id: UUID
    user: str
    database: str
    table: str
    subject: str
    family: str
    template: str
    title: str
    guess: bool
    url: str
    preview_url: str
    state: str
    message: str
    created_at: datetime
    changed_at: datetime
    sent_at: datetime | None


class DashboardsQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the list: one tenant by number, slug or name."""

    user: str = ""


class NewDashboard(msgspec.Struct, frozen=True, rename="camel"):
    """What the table watcher of today sent. `userId` or `username` names the tenant."""

    user_id: int | str | None = None
    username: str = ""
    table_name: str = ""
    db_name: str = ""


class MadeDashboard(msgspec.Struct, frozen=True):
    """The answer of today."""

    success: bool
    message: str
    data: DashboardView


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another template for a dashboard, and why. An empty template takes the override back."""

    template: str
    reason: str


class PreviewView(msgspec.Struct, frozen=True):
    """A picture, or the wish for one."""

    id: UUID
    dashboard: UUID
    state: str
    attempts: int
    error: str | None
    requested_at: datetime
    next_try_at: datetime | None
    captured_at: datetime | None
    duration_ms: int | None
    width: int | None
    height: int | None
    frames: int | None
    gif_bytes: int | None
    gif_url: str
    png_url: str


def view_preview(preview: Preview) -> PreviewView:
    """Render a preview."""
    place = f"/api/v1/previews/{preview.id}"
    return PreviewView(
        preview.id, preview.dashboard_id, preview.state, preview.attempts, preview.error, preview.requested_at,
        preview.next_try_at, preview.captured_at, preview.duration_ms, preview.width, preview.height, preview.frames,
        preview.gif_bytes, f"{place}/gif" if preview.gif_path else "", f"{place}/png" if preview.png_path else "",
    )


def view(one: Dashboard) -> DashboardView:
    """Render a dashboard."""
    return DashboardView(
        id=one.id, user=one.tenant, database=one.database, table=one.table, subject=one.subject, family=one.family,
        template=one.template, title=one.title, guess=one.guess, url=one.url,
        preview_url=f"/api/v1/previews/{one.preview_id}/gif" if one.preview_id else "", state=one.state,
        message=one.message, created_at=one.created_at, changed_at=one.changed_at, sent_at=one.sent_at,
    )


def listed(call: Call[DashboardsQuery, None]) -> Answer:
    """List dashboards, of one tenant with `user=`."""
    tenant = None
    if call.query.user:
        tenant = call.services.tenants.get(call.actor, reference(call.query.user)).serial
    elif call.actor.tenant is not None:
        tenant = call.actor.tenant
    page = call.services.dashboards.list(call.actor, tenant=tenant, after=call.query.after, limit=call.query.limit)
    return paged(page, view)


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one dashboard."""
    found = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    return Answer(view(found))


def why(call: Call[NoQuery, None]) -> Answer:
    """Return how the template was chosen: matched columns, scores, the runner-up, what is missing."""
    found = call.services.dashboards.why(call.actor, uuid_of(call.path["dashboard"]))
    return Answer(msgspec.to_builtins(found))


def override(call: Call[NoQuery, Override]) -> Answer:
    """Use another template for a dashboard."""
    dashboard = uuid_of(call.path["dashboard"])
    call.services.dashboards.override(call.actor, dashboard, call.body.template, call.body.reason)
    return Answer(view(call.services.dashboards.get(call.actor, dashboard)))


def create(call: Call[NoQuery, NewDashboard]) -> Answer:
    """Make the dashboard of a table now, or return the one it has: the call of today's watcher."""
    body = call.body
    tenant = call.services.tenants.get(call.actor, reference(str(body.user_id or body.username)))
    made = call.services.dashboards.create(call.actor, tenant.serial, body.db_name, body.table_name)
    return Answer(MadeDashboard(success=True, message=f"{made.title} shows {made.table}.", data=view(made)))


def previews(call: Call[NoQuery, None]) -> Answer:
    """List the pictures of a dashboard, the newest first."""
    dashboard = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    return Answer([view_preview(found) for found in call.services.previews.list(call.actor, dashboard.id)])


def capture(call: Call[NoQuery, None]) -> Answer:
    """Have a picture taken now."""
    dashboard = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    return Answer(view_preview(call.services.previews.request(call.actor, dashboard.id)), 202)


def send(call: Call[NoQuery, None]) -> Answer:
    """Send the dashboard's message again with its newest picture."""
    dashboard = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    call.services.previews.send(call.actor, dashboard.id)
    return Answer(Message(f"{dashboard.title} is on its way. `GET /api/v1/deliveries` tells how far."), 202)


def newest(call: Call[NoQuery, None]) -> Answer:
    """Return the newest picture of a dashboard as a file: `gif` or `png`."""
    dashboard = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    found = call.services.previews.picture(call.actor, dashboard.id)
    found = found or call.services.previews.latest(call.actor, dashboard.id)
    if found is None:
        message = "There is no picture of this dashboard yet."
        raise NotFound(message)
    return _picture(call, found.id, call.path["form"])


def picture(call: Call[NoQuery, None]) -> Answer:
    """Return a picture as a file: `gif` or `png`."""
    return _picture(call, uuid_of(call.path["preview"]), call.path["form"])


def _picture(call: Call[Any, Any], preview: UUID, form: str) -> Answer:
    path = call.services.previews.file(call.actor, preview, form)
    return Answer(File(path, f"image/{form}", path.stem))


_ONE: Final = "/dashboards/{dashboard}"

ROUTES: Final = (
    Route("GET", "/dashboards", "dashboards.list", "List dashboards", listed, list[DashboardView],
          query=DashboardsQuery, refusals=(404,)),
    Route("POST", "/dashboards/create", "dashboards.create", "Make the dashboard of a table now", create,
          MadeDashboard, body=NewDashboard, refusals=(400, 403, 404)),
    Route("GET", _ONE, "dashboards.get", "One dashboard", one, DashboardView, refusals=(404,)),
    Route("GET", _ONE + "/why", "dashboards.why", "Why it looks as it does", why, dict[str, Any], refusals=(404,)),
    Route("POST", _ONE + "/override", "dashboards.override", "Use another template", override, DashboardView,
          body=Override, refusals=(400, 403, 404)),
    Route("GET", _ONE + "/previews", "dashboards.previews", "Pictures over time", previews, list[PreviewView],
          refusals=(404,)),
    Route("POST", _ONE + "/previews", "dashboards.capture", "Take a picture now", capture, PreviewView, status=202,
          refusals=(403, 404)),
    Route("POST", _ONE + "/send", "dashboards.send", "Send its message again", send, Message, status=202,
          refusals=(403, 404)),
    Route("GET", _ONE + "/preview/{form}", "dashboards.preview", "The newest picture, as a file", newest, bytes,
          refusals=(404,)),
    Route("GET", "/previews/{preview}/{form}", "previews.file", "A picture, as a file", picture, bytes,
          refusals=(404,)),
)
