"""What stands in the navigation of an operator and of a member, with counts beside it. Only pages that exist."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from flask import current_app, request, url_for

from belvedere.app import Services
from belvedere.intake.model import Totals, UploadState
from belvedere.jobs.model import Overview
from belvedere.kernel.actor import Actor
from belvedere.kernel.errors import BelvedereError


@dataclass(frozen=True, slots=True)
class Place:
    """One link: `go` is the second key after `g`; `of_tenant` says that it is a page of the member's tenant."""

    endpoint: str
    label: str
    icon: str
    go: str = ""
    count: str = ""
    of_tenant: bool = False

    def href(self, slug: str) -> str:
        """Return the address, in the member's tenant if it is a page of one."""
        return url_for(self.endpoint, slug=slug) if self.of_tenant else url_for(self.endpoint)


Sections = tuple[tuple[str, tuple[Place, ...]], ...]

SECTIONS: Final[Sections] = (
    ("Overview", (
        Place("home.home", "Home", "home", "h", "attention"),
        Place("tenants.all_tenants", "Tenants", "people", "t", "tenants"),
        Place("dashboards.all_dashboards", "Dashboards", "chart", "d", "dashboards"),
    )),
    ("Run", (
        Place("uploads.all_uploads", "Uploads", "up", "u", "uploads"),
        Place("sftp.sessions", "SFTP", "up", "x"),
        Place("operations.jobs", "Jobs", "list", "j", "jobs"),
        Place("operations.deliveries", "Deliveries", "message", "m"),
    )),
    ("Know", (
        Place("history.history", "History", "history", "a"),
        Place("workspaces.drift", "Drift", "refresh", "f", "drift"),
        Place("catalogue.templates", "Templates", "squares", "p"),
        Place("settings.settings", "Settings", "sliders", "s"),
    )),
)  # fmt: skip
"""The operator's navigation, as the design's section 2 has it."""

MEMBER_SECTIONS: Final[Sections] = (
    ("Look", (
        Place("home.home", "Home", "home", "h"),
        Place("tenant_data.dashboards", "Dashboards", "chart", "d", of_tenant=True),
    )),
    ("Data", (
        Place("tenant.overview", "Overview", "squares", "t", of_tenant=True),
        Place("tenant_data.stores", "Stores", "store", "s", of_tenant=True),
        Place("campaigns.campaigns", "Campaigns", "squares", "i", of_tenant=True),
        Place("uploads.of_tenant", "Uploads", "up", "u", of_tenant=True),
        Place("sftp.users", "SFTP", "up", "f", of_tenant=True),
        Place("workspaces.workspace", "Workspace", "page", "w", of_tenant=True),
    )),
    ("Tenant", (
        Place("tenant_data.deliveries", "Deliveries", "message", "m", of_tenant=True),
        Place("credentials.credentials", "Credentials", "key", "c", of_tenant=True),
        Place("keys.keys", "API keys", "key", "k", of_tenant=True),
        Place("members.members", "Members", "people", "p", of_tenant=True),
        Place("history.of_tenant", "History", "history", "a", of_tenant=True),
        Place("tenant.settings", "Settings", "sliders", "e", of_tenant=True),
    )),
)  # fmt: skip
"""A member's navigation, as the same section has it."""


def sections(actor: Actor) -> Sections:
    """Return what somebody finds in the navigation."""
    chosen = SECTIONS if actor.tenant is None else MEMBER_SECTIONS
    known = current_app.view_functions
    return tuple((name, tuple(one for one in places if one.endpoint in known)) for name, places in chosen)


_KEPT_S: Final = 2.0


class Counts:
    """Figures beside the links, asked for at most every two seconds: they are a hint, not a report."""

    def __init__(self, services: Services, attention: Callable[[Services, Actor], int]) -> None:
        """Take where the figures come from."""
        self._services = services
        self._attention = attention
        self._lock = Lock()
        self._at = 0.0
        self._found: dict[str, int] = {}

    def read(self, actor: Actor) -> dict[str, int]:
        """Return the figures for an operator; none for somebody confined to a tenant."""
        if actor.tenant is not None:
            return {}
        with self._lock:
            if time.monotonic() - self._at > _KEPT_S:
                self._found = self._ask(actor)
                self._at = time.monotonic()
            return self._found

    def _ask(self, actor: Actor) -> dict[str, int]:
        found = {}
        asked: dict[str, Callable[[], int]] = {
            "attention": lambda: self._attention(self._services, actor),
            "tenants": lambda: self._services.tenants.list(actor, limit=1).total or 0,
            "dashboards": lambda: self._services.dashboards.list(actor, limit=1).total or 0,
            "drift": lambda: self._services.drift.count(actor),
            "jobs": lambda: _open(self._services.queue.overview(actor)),
            "uploads": lambda: _unread(self._services.uploads.totals(actor)),
        }
        for name, ask in asked.items():
            try:
                found[name] = ask()
            except BelvedereError:
                continue  # A figure that cannot be had is left out; the page itself says what is wrong.
        return found


def _open(overview: Overview) -> int:
    return overview.waiting + overview.working + overview.failed


def _unread(totals: Totals) -> int:
    """Count files that are to be read, or wait."""
    return sum(totals.by_state.get(one, 0) for one in (
        UploadState.RECEIVED, UploadState.READING, UploadState.STORED, UploadState.WAITING))


def is_current(place: Place) -> bool:
    """Tell whether this page belongs to a place of the navigation."""
    here = (request.endpoint or "").split(".")[0]
    if place.of_tenant:
        near = {"tenant_data.store": "tenant_data.stores", "tenant.plan": "tenant.overview",
                "uploads": "uploads.of_tenant", "sftp": "sftp.users", "campaigns": "campaigns.campaigns",
                "dashboards": "tenant_data.dashboards", "credentials": "credentials.credentials",
                "members": "members.members", "keys": "keys.keys", "history": "history.of_tenant",
                "workspaces": "workspaces.workspace"}
        return near.get(request.endpoint or "", near.get(here, request.endpoint)) == place.endpoint
    if here == "uploads":
        return place.endpoint == ("uploads.all_uploads" if request.endpoint == "uploads.all_uploads" else
                                  "tenants.all_tenants")
    if here == "sftp":
        return place.endpoint == ("sftp.sessions" if request.endpoint == "sftp.sessions" else "tenants.all_tenants")
    aliases = {"tenant": "tenants", "campaigns": "tenants", "tenant_data": "tenants", "credentials": "tenants",
               "adoption": "settings", "fleet": "uploads"}
    if here == "workspaces":
        at_drift = request.endpoint in {"workspaces.drift", "workspaces.apply_all"}
        return place.endpoint == ("workspaces.drift" if at_drift else "tenants.all_tenants")
    if request.endpoint in {"operations.jobs", "operations.deliveries"} or here == "operations":
        return request.endpoint == place.endpoint
    return aliases.get(here, here) == place.endpoint.split(".")[0]
