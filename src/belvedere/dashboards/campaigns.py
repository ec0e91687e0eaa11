"""What the files of a campaign brought, as the dashboards room needs to know it.

What is not here: the files (`intake/`), and the campaign's rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from belvedere.stores.model import StoreKind
from belvedere.stores.series.plan import view_name

KINDS: Final = (StoreKind.SERIES, StoreKind.INFLUXDB)
"""The stores whose relations are campaigns."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One campaign: under which name its values stand in which kind of store, and what its files brought.

    `first` and `last` are the times of the values, without those of a clock that was lost; none when no file tells.
    `points` is how many there are, `newest_at` when the last file that brought some was done.
    """

    tenant_id: int
    name: str
    store_kind: str
    points: int = 0
    first: datetime | None = None
    last: datetime | None = None
    newest_at: datetime | None = None

    @property
    def table(self) -> str:
        """The relation in its store."""
        return view_name(self.name) if self.store_kind == StoreKind.SERIES else self.name


class Campaigns(Protocol):
    """Who knows campaigns."""

    def one(self, campaign: UUID) -> Measured | None:
        """Return a campaign that is active, or None."""
        ...

    def of_tenant(self, serial: int) -> Sequence[Measured]:
        """Return the active campaigns of a tenant."""
        ...


class NoCampaigns:
    """There are none: for who keeps none, such as tests of tables."""

    def one(self, _campaign: UUID) -> Measured | None:
        """Know none."""
        return None

    def of_tenant(self, _serial: int) -> Sequence[Measured]:
        """Know none."""
        return ()
