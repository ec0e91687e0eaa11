"""The port for measured values over time: what a campaign's points are written to, whatever server holds them.

A point is one value of one channel at one second. Its place is its tenant, its series (measurement, field and tags) and
its time; written again there, the later value wins, so that the same file sent twice gives the same points.
Two things stand behind it: PostgreSQL (`series/`) and InfluxDB (`influx/`); both pass `tests/contract/test_points.py`.
What is not here: reading files (`intake/`), and which store is chosen (`app.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import polars as pl

CAMPAIGN: Final = "campaign"
"""The tag that names the campaign. The campaign that a call names wins over it."""


class PointChannel(Protocol):
    """One column of a batch: a series of its own."""

    @property
    def field(self) -> str:
        """The field's name, `<channel_id>_<unit>`."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """What else names the series: campaign, channel_id, channel_unit, device_sn and so on. No empty values."""
        ...


class PointBatch(Protocol):
    """Rows of one measurement: a time, and one value or none for each channel."""

    @property
    def measurement(self) -> str:
        """The measurement's name, such as `electrical`."""
        ...

    @property
    def channels(self) -> Sequence[PointChannel]:
        """The columns in order."""
        ...

    @property
    def frame(self) -> "pl.DataFrame":
        """`time` (Int64, seconds since 1970 UTC), then one Float64 column for each channel; null is no value."""
        ...

    def lines(self, at_most: int) -> Iterator[bytes]:
        """Write the points as InfluxDB's line protocol with times in seconds, so many lines in each piece at most."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did. `points` are values that stand there now; `refused` ones do not, and `why` says so."""

    points: int
    refused: int = 0
    why: str = ""

    def __add__(self, other: "Written") -> "Written":
        """Count two writes as one."""
        return Written(self.points + other.points, self.refused + other.refused, self.why or other.why)


class PointStore(Protocol):
    """Where points go. `serial` is the tenant's, `campaign` the campaign's name as people see it."""

    @property
    def kind(self) -> str:
        """Tell what it is: `series` for PostgreSQL, `influxdb`."""
        ...

    def prepare(self, serial: int, campaign: str) -> None:
        """Make what must stand before points come: database, schema, bucket. Twice does no harm.

        Raises:
            Later: the server is away, or another process makes it just now.
            Stuck: the server refuses what must be made.
        """
        ...

    def write(self, serial: int, campaign: str, batches: Iterable[PointBatch]) -> Written:
        """Write points, those of all batches or none where the server can; the later value of a place wins.

        Call `prepare` first, once. Many small batches in one call cost little more than one.

        Raises:
            Later: the server is away, or another process writes for this tenant.
            NotFound: `prepare` was not called, or the tenant is gone.
        """
        ...

    def meta(self, lines: bytes) -> None:
        """Write points about the reading of files, for the installation, as lines with times in nanoseconds.

        A store that keeps none does nothing: the history and the uploads tell the same.
        """
        ...

    def rename_campaign(self, serial: int, campaign: str, to: str) -> None:
        """Call a campaign by another name; its points stay. What was never there is nothing to rename."""
        ...

    def forget_campaign(self, serial: int, campaign: str, *, keep_data: bool = True) -> None:
        """Take a campaign out of sight; its points stay unless `keep_data` is false."""
        ...

    def remove_tenant(self, serial: int, *, keep_data: bool) -> None:
        """Take a tenant's points away, or close them to everybody where the data are kept. Twice does no harm."""
        ...
