"""What stands in the navigation of an operator, with the counts beside it. Only pages that exist."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from flask import request

from belvedere.app import Services
from belvedere.jobs.model import Overview
from belvedere.kernel.actor import Actor
from belvedere.kernel.errors import BelvedereError


@dataclass(frozen=True, slots=True)
class Place:
    """One link: `go` is the second key after `g`."""

    endpoint: str
    label: str
    icon: str
    go: str = ""
    count: str = ""


SECTIONS: Final[tuple[tuple[str, tuple[Place, ...]], ...]] = (
    ("Overview", (
        Place("home.home", "Home", "home", "h", "attention"),
        Place("tenants.all_tenants", "Tenants", "people", "t", "tenants"),
        Place("dashboards.all_dashboards", "Dashboards", "chart", "d", "dashboards"),
    )),
    ("Run", (
        Place("operations.jobs", "Jobs", "list", "j", "jobs"),
        Place("operations.deliveries", "Deliveries", "message", "m"),
    )),
    ("Know", (
        Place("history.history", "History", "history", "a"),
        Place("catalogue.templates", "Templates", "squares", "p"),
        Place("settings.settings", "Settings", "sliders", "s"),
    )),
)  # fmt: skip
"""The operator's navigation, as the design's section 2 has it."""

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
            "jobs": lambda: _open(self._services.queue.overview(actor)),
        }
        for name, ask in asked.items():
            try:
                found[name] = ask()
            except BelvedereError:
                continue  # A figure that cannot be had is left out; the page itself says what is wrong.
        return found


def _open(overview: Overview) -> int:
    return overview.waiting + overview.working + overview.failed


def is_current(place: Place) -> bool:
    """Tell whether this page belongs to a place of the navigation."""
    here = (request.endpoint or "").split(".")[0]
    aliases = {"tenant": "tenants", "tenant_data": "tenants", "credentials": "tenants"}
    if request.endpoint in {"operations.jobs", "operations.deliveries"} or here == "operations":
        return request.endpoint == place.endpoint
    return aliases.get(here, here) == place.endpoint.split(".")[0]
