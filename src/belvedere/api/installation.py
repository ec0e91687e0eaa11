"""The installation: is it well, with which settings; and what this API is."""

from datetime import datetime
from typing import Any, Final

import msgspec

from belvedere import __version__
from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.kernel.actor import Role
from belvedere.kernel.settings import described


class Health(msgspec.Struct, frozen=True):
    """A sign of life for load balancers: this process answers, and so does the control database."""

    status: str


class Status(msgspec.Struct, frozen=True):
    """Version, address and the queue."""

    version: str
    url: str
    runners: int
    waiting: int
    working: int
    failed: int
    last_job_ended_at: datetime | None


class SettingView(msgspec.Struct, frozen=True):
    """A setting in force, and where its value came from. Secrets are masked."""

    name: str
    value: str
    default: str
    source: str
    source_name: str
    aliases: list[str]
    section: str
    help: str


class RouteView(msgspec.Struct, frozen=True):
    """One route of this API."""

    method: str
    path: str
    summary: str


class Index(msgspec.Struct, frozen=True):
    """What this API is, and where its description stands."""

    name: str
    version: str
    description: str
    authentication: str
    routes: list[RouteView]


def health(call: Call[NoQuery, None]) -> Answer:
    """Tell whether this process and the control database answer."""
    with call.services.database.transaction() as connection:
        connection.execute("SELECT")
    return Answer(Health("healthy"))


def status(call: Call[NoQuery, None]) -> Answer:
    """Tell how the installation is."""
    found = call.services.queue.overview(call.actor)
    return Answer(
        Status(__version__, call.services.settings.url, found.runners, found.waiting, found.working, found.failed,
               found.last_ended_at)
    )


def settings(call: Call[NoQuery, None]) -> Answer:
    """List the settings in force."""
    call.actor.must(Role.VIEWER)
    chosen = call.services.settings
    rows = []
    for row in described():
        origin = chosen.origin(row.attribute)
        rows.append(SettingView(row.name, chosen.shown(row.attribute), row.default, origin.source, origin.name,
                                list(row.aliases), row.section, row.help))
    return Answer(rows)


def index(_call: Call[NoQuery, None]) -> Answer:
    """Tell what there is."""
    from belvedere.api import routes  # noqa: PLC0415  (the table holds this function)

    return Answer(
        Index(
            "Belvedere", __version__, "/api/v1/openapi.json",
            "Authorization: Bearer TOKEN, or X-Api-Key with a tenant's key. Make a token: belvedere token create.",
            [RouteView(route.method, f"/api/v1{route.path}", route.summary) for route in routes.ROUTES],
        )
    )


def description(_call: Call[NoQuery, None]) -> Answer:
    """Return the OpenAPI description."""
    from belvedere.api.openapi import document  # noqa: PLC0415  (made from the table, which holds this function)

    return Answer(document())


ROUTES: Final = (
    Route("GET", "/", "index.get", "What this API is", index, Index, open="the same for everybody"),
    Route("GET", "/openapi.json", "index.openapi", "This description", description, dict[str, Any],
          open="the same for everybody"),
    Route("GET", "/health", "index.health", "Is it alive", health, Health, refusals=(503,),
          open="load balancers have no key; it tells nothing but that"),
    Route("GET", "/status", "status.get", "How the installation is", status, Status, refusals=(404,)),
    Route("GET", "/settings", "settings.list", "Settings with their source", settings, list[SettingView],
          refusals=(404,)),
)
