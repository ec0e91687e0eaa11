"""The rules for one row, in plain Python: what a cell means, and what is wrong with it. Pure.

This is the reference. `columns.py` reads the rows about which both agree, faster; whatever is odd comes here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from belvedere.intake.meters.formats import Format
from belvedere.intake.meters.model import Reason

NO_VALUES: Final = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})
"""What people and programs write where they have no value."""

LINE_MOST: Final = 1 << 20
"""A longer line is no row, in bytes."""

TIME_MOST: Final = (1 << 63) // 1_000_000_000
"""Seconds from 1970 that stores which count nanoseconds can hold: to the year 2262, back to 1677."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row of one file looks like: its format, how many cells a full row has, how many of them are values."""

    form: Format
    cells: int
    values: int

    @property
    def separator(self) -> bytes:
        """What stands between two cells."""
        return self.form.separator.encode(self.form.encoding)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read, with a reason for each value that is not stored and the count of cells too many."""

    time: int
    values: Sequence[float | None]
    faults: Sequence[Reason]
    extra: int


def reader_of_times(form: Format) -> Callable[[str], int | None]:
    """Return a function from a time as the file writes it to seconds since 1970 UTC, None for what is no time.

    In a zone with summer time the hour that comes twice is taken as the first of the two, one that never was is none.
    """
    pattern, zone = form.time.form, ZoneInfo(form.time.zone)

    def read(text: str) -> int | None:
        try:
            found = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 (the zone is the format's)
        except ValueError:
            return None
        try:
            if found.tzinfo is None and zone.key == "UTC":
                found = found.replace(tzinfo=UTC)
            elif found.tzinfo is None:
                found = found.replace(tzinfo=zone)
                there = found.astimezone(UTC)
                if there.astimezone(zone).replace(tzinfo=None) != found.replace(tzinfo=None):
                    return None
            seconds = (found.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)
        except (OverflowError, ValueError):
            return None
        return seconds if abs(seconds) < TIME_MOST else None

    return read


def reader_of_rows(shape: Shape) -> Callable[[bytes], Row | Reason]:
    """Return a function from one line, without its end, to a row or to the reason why it is none."""
    separator, quote, encoding = shape.separator, shape.form.quote, shape.form.encoding
    read_time = reader_of_times(shape.form)
    cells, values = shape.cells, shape.values

    def text_of(cell: bytes) -> str:
        text = cell.decode(encoding, "replace")
        if quote and len(text) > 1 and text[0] == quote and text[-1] == quote:
            return text[1:-1].replace(quote + quote, quote)
        return text

    def read(line: bytes) -> Row | Reason:
        if len(line) > LINE_MOST:
            return Reason.TOO_LONG
        parts = line.split(separator)
        time = read_time(text_of(parts[0]))
        if time is None:
            return Reason.BAD_TIME
        found: list[float | None] = []
        faults: list[Reason] = []
        for part in parts[1:values + 1]:
            value = number_of(text_of(part))
            if isinstance(value, Reason):
                faults.append(value)
                found.append(None)
            else:
                found.append(value)
        short = values - len(found)
        faults.extend([Reason.MISSING] * short)
        found.extend([None] * short)
        extra = sum(1 for part in parts[cells:] if part.strip())
        return Row(time, found, faults, extra)

    return read


def number_of(text: str) -> float | Reason:
    """Read a cell as Python reads a number: `3e3`, ` 5 ` and `1_000` are some; a decimal comma or `0x10` is none."""
    if text in NO_VALUES or not text.strip():
        return Reason.EMPTY
    try:
        value = float(text)
    except ValueError:
        return Reason.NOT_A_NUMBER
    if math.isfinite(value):
        return value
    return Reason.EMPTY if math.isnan(value) else Reason.NOT_FINITE
