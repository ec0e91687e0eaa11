"""Takes away what one tenant has in a Grafana, each thing so that doing it again does no harm.

What is not here: people and accounts (`accounts.py`, `people/`), and what is to go (`plan.py`).
"""

from typing import Final

from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import failpoint
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.answers import Organisation
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.deeds import Deed
from belvedere.workspaces.grafana.model import RELEASED, Kind, Seat

_OK: Final = frozenset({200, 201})


class Removal:
    """The deeds that take something away in one Grafana for one tenant."""

    def __init__(self, *, grafana: Grafana, database: Database, seat: Seat, mark: str) -> None:
        """Take what it needs; `mark` stands in an organisation of ours."""
        self._grafana = grafana
        self._database = database
        self._seat = seat
        self._mark = mark

    def board(self, deed: Deed, number: int) -> None:
        """Take a dashboard away."""
        self._grafana.ask(requests.delete_board(deed.uid), 404, organisation=number)
        failpoint("workspaces.grafana.board-dropped")
        with self._database.transaction() as connection:
            store.drop(connection, self._seat, Kind.BOARD, deed.key)

    def folder(self, deed: Deed, number: int) -> None:
        """Take the folder away."""
        self._grafana.ask(requests.delete_folder(deed.uid), 404, organisation=number)
        failpoint("workspaces.grafana.folder-dropped")

    def source(self, deed: Deed, number: int) -> None:
        """Take a data source away."""
        self._grafana.ask(requests.delete_source(deed.uid), 404, organisation=number)
        failpoint("workspaces.grafana.source-dropped")
        with self._database.transaction() as connection:
            store.drop(connection, self._seat, Kind.SOURCE, deed.key)

    def organisation(self, deed: Deed, _number: int) -> None:
        """Delete it, after one more look at the mark: a number alone may be another's by now."""
        seen = self._grafana.ask(requests.organisation(deed.number), 404)
        if seen.status in _OK and seen.read(Organisation).address.address1 in {self._mark, ""}:
            self._grafana.ask(requests.delete_organisation(deed.number), 404)
        failpoint("workspaces.grafana.organisation-dropped")

    def release(self, deed: Deed, _number: int) -> None:
        """Leave the organisation to those whose things stand in it: it is marked so, and nobody's here."""
        self._grafana.ask(requests.mark_organisation(deed.number, RELEASED))
        failpoint("workspaces.grafana.organisation-released")

    def forget(self, _deed: Deed, _number: int) -> None:
        """Forget what was made there."""
        with self._database.transaction() as connection:
            store.forget(connection, self._seat)
            failpoint("workspaces.grafana.forget.before-commit")
