"""Dashboards that are public for the length of one capture, where Grafana takes no service-account tokens.

Each is written down before Grafana is asked and forgotten after it is private again, so that what a crash leaves is
found by the next capture and by the next plan. A page that a person made public is used and left alone.
Seen on 11.0.0: the uid may be given; with the dashboard its public page goes too. What is not here: the picture.
"""

from typing import Final

from belvedere.kernel.clock import monotonic_s, utc_now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import opaque
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.answers import PublicPage
from belvedere.workspaces.grafana.api import Answer, Grafana
from belvedere.workspaces.grafana.deeds import Deed
from belvedere.workspaces.grafana.model import Kind, Records, Seat
from belvedere.workspaces.grafana.observe import left, read_board
from belvedere.workspaces.grafana.passes import CapturePass, Mode

_OK: Final = frozenset({200, 201})
_MARK: Final = "belvedere-"
_FIRST: Final = (10,)
_OTHERWISE: Final = "Set BELVEDERE_GRAFANA_CAPTURE to token or renderer."
_HINT: Final = (
    "Switch public dashboards on in Grafana ([public_dashboards] enabled = true; before version 11 the feature toggle "
    "publicDashboards), or set BELVEDERE_GRAFANA_CAPTURE=token."
)


class PublicPages:
    """The public pages of one tenant's dashboards."""

    def __init__(self, *, grafana: Grafana, database: Database, seat: Seat) -> None:
        """Take what it needs."""
        self._grafana = grafana
        self._database = database
        self._seat = seat

    def make_pass(self, organisation: int, uid: str, *, for_s: int) -> CapturePass:
        """Make the public page of a dashboard, for `for_s` seconds at most as far as it lies with Belvedere.

        Raises:
            Later: the dashboard is not there, or Grafana is away.
            Stuck: Grafana has no public dashboards, a person has paused this one, or it has variables.
        """
        if () < self._grafana.version() < _FIRST:
            # Those of 9.3.2, behind a toggle, take another uid for the same page, and give it out twice.
            message = "Grafana before 10 has no public dashboards of which a picture could be taken."
            raise Stuck(message, code="grafana-public", hint=_OTHERWISE)
        self._must_be_plain(organisation, uid)
        public = f"{_MARK}{opaque()}"
        key, ends_at = f"{uid}/{public}", int(utc_now().timestamp()) + for_s
        with self._database.transaction() as connection:
            store.put(connection, self._seat, Kind.PUBLIC, key, number=ends_at)
        failpoint("workspaces.grafana.public-asked")
        answer = self._grafana.ask(requests.publish_board(uid, public), 400, 404, organisation=organisation)
        failpoint("workspaces.grafana.public-made")
        if answer.status not in _OK:
            self._forget(key)
            key, page = "", self._theirs(answer, organisation, uid)
        else:
            page = answer.read(PublicPage)
        return CapturePass(
            self._grafana.url, Secret(""), organisation, 0, 0, monotonic_s() + for_s, self._seat.tenant, Mode.PUBLIC,
            page.access_token, key,
        )

    def _must_be_plain(self, organisation: int, uid: str) -> None:
        """Refuse a dashboard whose panels would all be in error: public pages do not fill variables in."""
        seen = read_board(self._grafana, organisation, uid)
        listed = seen.document.get("templating", {}).get("list") if seen is not None else None
        names = [str(one.get("name")) for one in listed or () if isinstance(one, dict)]
        if names:
            message = f"Grafana's public pages fill no variables in, and this dashboard has {', '.join(names)[:100]}."
            raise Stuck(message, code="grafana-public", hint=_OTHERWISE)

    def _theirs(self, answer: Answer, organisation: int, uid: str) -> PublicPage:
        """Return the page of a dashboard that is public already."""
        if answer.status == 404 and not answer.code:  # noqa: PLR2004
            message = "Public dashboards are switched off in Grafana, so that no picture can be taken this way."
            raise Stuck(message, code="grafana-public", hint=_HINT)
        if answer.code.endswith("dashboardNotFound"):
            message = "The dashboard is not in Grafana."
            raise Later(message, code="page-away")
        seen = self._grafana.ask(requests.public_page(uid), 404, organisation=organisation)
        if seen.status not in _OK:
            message = f"Grafana did not make the dashboard public: {answer.message}"
            raise Later(message, code="grafana-public")
        page = seen.read(PublicPage)
        if not page.is_enabled:
            message = "Somebody made this dashboard public in Grafana and paused it, so that no picture can be taken."
            hint = "Resume or remove its public page in Grafana; or set BELVEDERE_GRAFANA_CAPTURE=token."
            raise Stuck(message, code="grafana-public", hint=hint)
        return page

    def close(self, organisation: int, key: str) -> None:
        """Make a dashboard private again. One that is private, or gone, is no error."""
        if not key:
            return
        uid, _, public = key.partition("/")
        self._grafana.ask(requests.unpublish_board(uid, public), 404, organisation=organisation)
        failpoint("workspaces.grafana.public-dropped")
        self._forget(key)

    def drop(self, deed: Deed, number: int) -> None:
        """Do the step of a plan."""
        self.close(number, deed.key)

    def close_left(self, organisation: int, records: Records) -> None:
        """Make private again what a capture that was killed left public."""
        for record in left(records):
            self.close(organisation, record.key)

    def _forget(self, key: str) -> None:
        with self._database.transaction() as connection:
            store.drop(connection, self._seat, Kind.PUBLIC, key)
