"""The service account that a tenant's previews are taken by: made, found again, made a Viewer again, deleted.

What is not here: its tokens (`passes.py`).
"""

from typing import Final

from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import failpoint
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.answers import Made, ServiceAccounts
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.deeds import VIEWER, Deed
from belvedere.workspaces.grafana.model import Kind, Seat
from belvedere.workspaces.grafana.problems import taken

_OK: Final = frozenset({200, 201})


class Previewer:
    """The account of one tenant in one Grafana."""

    def __init__(self, *, grafana: Grafana, database: Database, seat: Seat, name: str) -> None:
        """Take what it needs, and the name that the account should have."""
        self._grafana = grafana
        self._database = database
        self._seat = seat
        self._name = name

    def keep(self, deed: Deed, number: int) -> None:
        """Make it, or give the one that is there its name and role back, and write its number down."""
        account, fresh = (deed.number, False) if deed.number else self._made(number)
        if not fresh:
            self._grafana.ask(requests.change_service_account(account, self._name, VIEWER), organisation=number)
        with self._database.transaction(flushed=False) as connection:
            store.put(connection, self._seat, Kind.CAPTURE, "main", number=account)

    def drop(self, _deed: Deed, number: int) -> None:
        """Delete it. Look first: Grafana answers 500 when there is none."""
        account = self._found(number, self._name)
        if account:
            self._grafana.ask(requests.delete_service_account(account), organisation=number)
        failpoint("workspaces.grafana.capture-dropped")

    def _made(self, number: int) -> tuple[int, bool]:
        """Make it; tell whether it is new under its own name.

        Grafana 9.3.2 knows a name in all organisations at once, also that of an account whose organisation is gone.
        The organisation's number makes a free one; afterwards the account can be called as it should be.

        Raises:
            Stuck: somebody else has both names.
        """
        for name in (self._name, f"{self._name}-{number}"):
            request = requests.create_service_account(name, VIEWER)
            answer = self._grafana.ask(request, 400, 409, organisation=number)
            failpoint("workspaces.grafana.capture-made")
            if answer.status in _OK:
                return answer.read(Made).id, name == self._name
            account = self._found(number, name)
            if account:
                return account, False
        raise taken(self._name, "service account")

    def _found(self, number: int, name: str) -> int:
        listed = self._grafana.ask(requests.service_accounts(name), organisation=number).read(ServiceAccounts)
        return next((one.id for one in listed.service_accounts if one.name == name), 0)
