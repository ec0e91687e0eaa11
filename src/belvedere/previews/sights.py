"""Where the camera looks for a dashboard: at the portal's own page, or at the real page in the tenant's Grafana.

Every way is open for one capture only and closed behind it: a capture token of the portal, a short-lived Viewer token
of the tenant's own organisation, or a page that is public meanwhile. What is not here: the camera (`capture.py`), how
such ways are made.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from belvedere.kernel.errors import BelvedereError
from belvedere.previews.model import CaptureFailed, Entry, Subject
from belvedere.previews.tokens import CaptureTokens
from belvedere.workspaces.grafana.passes import CapturePass, Mode

_LONGER_S: Final = 30


@dataclass(frozen=True, slots=True)
class Sight:
    """An address to open, and how to get in where it is a Grafana's."""

    url: str
    entry: Entry | None = None


class Passes(Protocol):
    """Who gives passes to tenants' Grafana: the workspaces room."""

    def capture_pass(self, serial: int, *, for_s: int, dashboard_id: UUID | None = None) -> CapturePass | None:
        """Return a pass, or None for a tenant whose dashboards are in the portal."""
        ...

    def end_pass(self, made: CapturePass) -> None:
        """End a pass before its time."""
        ...


class Sights:
    """Opens the way to a dashboard's page for as long as a capture lasts."""

    def __init__(
        self, *, tokens: CaptureTokens, portal_url: str, passes: Passes | None = None, theme: str = "light",
        capture_s: float = 60.0,
    ) -> None:
        """`portal_url` is the address under which the browser on this host reaches the portal.

        Without `passes` all dashboards are in the portal. `capture_s` is the longest a capture takes, in seconds.
        """
        self._tokens = tokens
        self._portal_url = portal_url.rstrip("/")
        self._passes = passes
        self._theme = theme
        self._for_s = int(capture_s) + _LONGER_S

    @contextmanager
    def open(self, subject: Subject) -> Iterator[Sight]:
        """Open the way to a dashboard's page.

        Raises:
            CaptureFailed: it is closed now.
        """
        made = self._pass_of(subject)
        if made is None:
            with self._tokens.issued(subject.tenant, subject.dashboard_id) as token:
                yield Sight(f"{self._portal_url}/capture/{token.reveal()}")
            return
        rendered = made.mode is Mode.RENDERER
        try:
            yield Sight(self._address(subject, made), Entry(made.origin, made.token, rendered=rendered))
        finally:
            # One that cannot be ended now ends by itself in a minute or two.
            with suppress(BelvedereError):
                if self._passes is not None:
                    self._passes.end_pass(made)

    def _pass_of(self, subject: Subject) -> CapturePass | None:
        if self._passes is None:
            return None
        try:
            return self._passes.capture_pass(subject.tenant, for_s=self._for_s, dashboard_id=subject.dashboard_id)
        except BelvedereError as error:
            raise CaptureFailed(error.detail, code=error.problem) from error

    def _address(self, subject: Subject, made: CapturePass) -> str:
        """Return the page without menus, in the colours of previews, and never another organisation's."""
        parts = urlsplit(subject.url)
        organisation = parse_qs(parts.query).get("orgId", [""])[0]
        if not subject.url.startswith(f"{made.origin}/d/") or organisation != str(made.organisation):
            message = "The dashboard is not in the tenant's Grafana yet."
            raise CaptureFailed(message, code="page-away")
        if made.mode is Mode.PUBLIC:
            return f"{made.origin}/public-dashboards/{made.page}?theme={self._theme}"
        if made.mode is Mode.RENDERER:
            return f"{made.origin}/render{subject.url.removeprefix(made.origin)}&kiosk&theme={self._theme}"
        return f"{subject.url}&kiosk&theme={self._theme}"
