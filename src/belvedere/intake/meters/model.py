"""What a meter file is once it is read: header, batches of columns, and the summary of the whole file.

Times are seconds since 1970 UTC. Everything can be pickled; a batch also travels as bytes (`packing.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # Columns are heavy to import, and who only asks what a header is needs none.
    import polars as pl

TIME: Final = "time"
"""The name of the first column of every frame."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: `<company>/<campaign>/<device>/`; company and campaign name the bucket and the tag.

    Each is text that UTF-8 can write: who has folders whose names are not makes them so before (`intake/names.py`).
    """

    company: str
    campaign: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a file: a quantity that one device measures.

    `column` is its place in the row, the time being 0. `device_type` is `master` or `slave`, `device_subtype` `tri`,
    `mono` or empty, `device` the make. The serial numbers are those in the file, not the name of its folder.
    """

    id: str
    column: int
    device_master_sn: str
    device_sn: str
    device_type: str
    device_subtype: str
    label: str
    name: str
    unit: str
    device: str
    campaign: str

    @property
    def field(self) -> str:
        """The name of its values in a store: `<channel_id>_<unit>`."""
        return f"{self.id}_{self.unit}"

    @property
    def tags(self) -> dict[str, str]:
        """What names its series besides the field, in the order of the alphabet; empty ones are left out."""
        every = {
            "campaign": self.campaign,
            "channel_id": self.id,
            "channel_label": self.label,
            "channel_name": self.name,
            "channel_unit": self.unit,
            "device": self.device,
            "device_master_sn": self.device_master_sn,
            "device_sn": self.device_sn,
            "device_subtype": self.device_subtype,
            "device_type": self.device_type,
        }
        return {name: value for name, value in every.items() if value}


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the rows. `meta` is the preamble's JSON object, empty where there is none.

    `notes` are sentences for people about what was odd but no reason to refuse the file.
    """

    format: str
    measurement: str
    place: Place
    channels: tuple[Channel, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a file, in its order: `time` (Int64), then a Float64 column for each channel, named by its id.

    Null is no value; there is never a NaN nor an infinity, and no row without any value. One time may stand in
    several rows: the later one wins, value by value.
    """

    header: Header
    frame: "pl.DataFrame"

    @property
    def measurement(self) -> str:
        """The measurement that the points belong to."""
        return self.header.measurement

    @property
    def channels(self) -> Sequence[Channel]:
        """The channels in the order of the columns."""
        return self.header.channels

    def lines(self, at_most: int = 10_000) -> Iterator[bytes]:
        """Write the points as line protocol, so many lines in each piece at most. See `lines.py`."""
        from belvedere.intake.meters.lines import lines_of  # noqa: PLC0415 (it brings the columns with it)

        return lines_of(self.measurement, self.channels, self.frame, at_most)


class Reason(StrEnum):
    """Why something in a file is not stored. The first four skip a row, the others one value of it."""

    BAD_TIME = "bad time"
    CUT_OFF = "cut off"
    TOO_LONG = "line too long"
    NO_VALUE = "no value in the row"
    NOT_A_NUMBER = "not a number"
    NOT_FINITE = "not finite"
    EMPTY = "empty"
    MISSING = "row too short"
    EXTRA = "row too long"


@dataclass(frozen=True, slots=True)
class Skipped:
    """How often something was skipped for one reason, and the first lines of the file where; lines count from 1."""

    reason: Reason
    total: int
    first_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole between two rows: a step of time much larger than the usual one. Both ends are rows that are there."""

    start: int
    end: int

    @property
    def length_s(self) -> int:
        """How long nothing was measured."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Bucket:
    """One stroke of a small picture: the least and the greatest value from `start` on, for the picture's width."""

    start: int
    least: float
    greatest: float


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """One channel over the whole file. Without a value there is no minimum, maximum or mean.

    `gaps` are the largest holes in this channel (in time order), `gaps_total` how many there are.
    """

    channel: Channel
    count: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    gaps_total: int = 0
    gaps: tuple[Gap, ...] = ()
    picture: tuple[Bucket, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file held and what became of it. `rows_read` = `rows_stored` + the total of `rows_skipped`, always.

    Values skipped are those of rows with a good time. `extra` cells beyond the header are told apart: they belong to
    no channel. `finished` tells whether the file said that it ends (`END_DATA`), None where its format has no such
    mark. `lost_clock_rows` are stored, but carry the date of a device that lost its clock; they are left out of
    `measured_start` and `measured_end`, not of `time_start` and `time_end`.
    """

    rows_read: int
    rows_stored: int
    points: int
    rows_skipped: tuple[Skipped, ...]
    values_skipped: tuple[Skipped, ...]
    extra_cells: Skipped | None
    blank_lines: int
    time_start: int | None
    time_end: int | None
    measured_start: int | None
    measured_end: int | None
    usual_step_s: int | None
    gaps_total: int
    gaps: tuple[Gap, ...]
    lost_clock_rows: int
    finished: bool | None
    picture_width_s: int
    channels: tuple[ChannelSummary, ...]

    def skipped(self, *reasons: Reason) -> int:
        """How many rows or values were skipped for these reasons."""
        every = (*self.rows_skipped, *self.values_skipped, *((self.extra_cells,) if self.extra_cells else ()))
        return sum(one.total for one in every if one.reason in reasons)
