"""What the files of campaigns brought, told to the dashboards room.

What is not here: when a campaign measured, hole by hole (`uploads/measured.py`).
"""

from collections.abc import Sequence
from uuid import UUID

from belvedere.dashboards.campaigns import Measured
from belvedere.intake.campaigns import store
from belvedere.kernel.db import Database


class Measurements:
    """What the dashboards room asks about campaigns."""

    def __init__(self, *, database: Database, store_kind: str) -> None:
        """Take the control database, and the kind of store that points go to."""
        self._database = database
        self._store_kind = store_kind

    def one(self, campaign: UUID) -> Measured | None:
        """Return a campaign that is active, or None."""
        found = self._found(campaign, None)
        return found[0] if found else None

    def of_tenant(self, serial: int) -> Sequence[Measured]:
        """Return the active campaigns of a tenant."""
        return self._found(None, serial)

    def _found(self, campaign: UUID | None, serial: int | None) -> list[Measured]:
        with self._database.transaction() as connection:
            found = store.measured(connection, ident=campaign, serial=serial)
        return [Measured(store_kind=self._store_kind, **row) for row in found]
