"""What the files of a campaign brought, as the dashboards room needs to know it.

What is not here: the files (`intake/`), and the campaign's rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log2
from typing import Final, Protocol
from uuid import UUID

from belvedere.stores.model import StoreKind
from belvedere.stores.series.plan import view_name

KINDS: Final = (StoreKind.SERIES, StoreKind.INFLUXDB)
"""The stores whose relations are campaigns."""

_HOUR_S: Final = 3600
_STEPS: Final = 5.0
_SEEN: Final = 50.0
"""The part of a chart's width that can be told from none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One campaign: under which name its values stand in which kind of store, and what its files brought.

    `first` and `last` are the times of the values, without those of a clock that was lost; none when no file tells.
    `points` is how many there are, in `rows` of so many `meters`, `newest_at` when the last file that brought some was
    done.
    """

    tenant_id: int
    name: str
    store_kind: str
    points: int = 0
    rows: int = 0
    meters: int = 0
    first: datetime | None = None
    last: datetime | None = None
    newest_at: datetime | None = None

    @property
    def table(self) -> str:
        """The relation in its store."""
        return view_name(self.name) if self.store_kind == StoreKind.SERIES else self.name

    @property
    def gap_s(self) -> int:
        """How long there must be no value for a line to be broken, in seconds; 0 where nothing tells.

        Well beyond the time between two rows, and wide enough to be seen. It doubles, so that it seldom changes.
        """
        if self.first is None or self.last is None or not self.rows:
            return 0
        span_s = (self.last - self.first).total_seconds()
        usual_s = span_s * self.meters / self.rows
        return _HOUR_S << max(0, ceil(log2(max(_STEPS * usual_s, span_s / _SEEN, 1.0) / _HOUR_S)))


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
