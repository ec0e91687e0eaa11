"""The way in for a picture of one dashboard: by a token, by a page that is public meanwhile, or by the image renderer.

What is not here: tokens (`passes.py`), public pages (`public.py`), the picture.
"""

from typing import Final
from uuid import UUID

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.model import Kind, Known, Records, Seat
from belvedere.workspaces.grafana.passes import CapturePass, Mode, make_pass
from belvedere.workspaces.grafana.public import PublicPages

_GONE: Final = 404


class Captures:
    """Opens and closes the way in for one tenant."""

    def __init__(self, *, grafana: Grafana, database: Database, seat: Seat, mode: Mode) -> None:
        """Take what it needs; `mode` is the installation's choice."""
        self._grafana = grafana
        self._seat = seat
        self._mode = mode
        self._pages = PublicPages(grafana=grafana, database=database, seat=seat)

    def open(self, known: Known | None, records: Records, dashboard_id: UUID | None, *, for_s: int) -> CapturePass:
        """Open the way for `for_s` seconds at most. Without a dashboard it is a token, whatever the mode.

        Raises:
            Later: the organisation, its service account or the dashboard is not there yet, or Grafana is away.
            Stuck: the mode cannot be had.
        """
        record = records.get((Kind.CAPTURE, "main"))
        if known is None or not known.organisation or record is None:
            message = "The tenant's organisation is not ready for previews yet."
            raise Later(message)
        self._pages.close_left(known.organisation, records)
        mode = self._mode if dashboard_id is not None else Mode.TOKEN
        if mode is not Mode.PUBLIC:
            return make_pass(
                self._grafana, known.organisation, record.number, for_s=for_s, tenant=self._seat.tenant, mode=mode
            )
        board = records.get((Kind.BOARD, str(dashboard_id)))
        if board is None:
            message = "The dashboard is not in the tenant's Grafana yet."
            raise Later(message, code="page-away")
        return self._pages.make_pass(known.organisation, board.uid, for_s=for_s)

    def close(self, made: CapturePass) -> None:
        """Close the way before its time. One that is closed is no error."""
        if made.mode is Mode.PUBLIC:
            self._pages.close(made.organisation, made.public)
        else:
            request = requests.delete_token(made.account, made.number)
            self._grafana.ask(request, _GONE, organisation=made.organisation)
