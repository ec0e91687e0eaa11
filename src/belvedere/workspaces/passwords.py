"""First passwords of users that Belvedere made in Grafana: whose can still be handed over, and why one cannot be.

Asks no Grafana. What is not here: making and handing them over (`people.py`, `grafana/`).
"""

from dataclasses import dataclass
from uuid import UUID

from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.workspaces.grafana import store
from belvedere.workspaces.grafana.model import Kind, Seat
from belvedere.workspaces.grafana.problems import handed_over


@dataclass(frozen=True, slots=True)
class FirstPasswords:
    """Which can still be taken: that of the tenant's default user, `login`, and those of members, by their ids.

    `made` says that Belvedere made the default user; one that somebody else made has no first password here.
    """

    login: str = ""
    made: bool = False
    waits: bool = False
    members: frozenset[UUID] = frozenset()


def default_user(connection: Connection, seat: Seat) -> tuple[str, bool]:
    """Return the login of the default user on record, and whether Belvedere made it."""
    found = [one for (kind, _), one in store.records(connection, seat).items() if kind is Kind.ACCOUNT]
    return (found[0].key, bool(found[0].number)) if found else ("", False)


def none_left(database: Database, seat: Seat | None) -> Rejected:
    """Say why there is no first password of a tenant's default user; without a seat it has no Grafana."""
    if seat is not None:
        with database.transaction() as connection:
            _, made = default_user(connection, seat)
        if made:
            return handed_over()
    message = "There is no password to hand over: there is no default user in Grafana, or somebody else made it."
    return NotFound(message)
