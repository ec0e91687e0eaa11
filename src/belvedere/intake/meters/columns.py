"""Many rows at once, by columns: the fast way for rows about which nothing is odd. Pure.

It answers None as soon as anything is odd, and never reads a row differently from `rows.py`; a test holds the two
against each other. What is not here: what happens to odd rows (`parse.py`).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from belvedere.intake.meters.model import TIME
from belvedere.intake.meters.rows import NO_VALUES, Row, Shape
from belvedere.intake.meters.source import count

_DIGITS: Final = {
    "d": "[0-9][0-9]", "m": "[0-9][0-9]", "Y": "(?:19|20)[0-9][0-9]", "H": "[0-9][0-9]", "M": "[0-9][0-9]",
    # Both readers take 69 for different centuries, and 60 for a second that only one of them has.
    "y": "[0-5][0-9]", "S": "[0-5][0-9]",
}
_NUMBERS: Final = b"0123456789.-+eE\n"
_NO_VALUES: Final = sorted(NO_VALUES - {""})
_TEXTS: Final = "".join(sorted(set("".join(_NO_VALUES)))).encode()


@dataclass(frozen=True, slots=True)
class Read:
    """Rows that were read. `empty` are the places of rows in which a value is empty, one entry for each value."""

    frame: pl.DataFrame
    rows: int
    empty: pl.Series
    extra: pl.Series


class Columns:
    """Reads the rows of one file, whose header is known."""

    def __init__(self, shape: Shape, names: Sequence[str]) -> None:
        """Prepare for rows of this shape; `names` are the columns' names, in order."""
        self._names = list(names)
        self._shape = shape
        self._form = shape.form.time.form
        self._zone = shape.form.time.zone
        self._pattern = pattern_of(self._form)
        literals = re.sub(r"%.", "", self._form).encode() + shape.separator
        self._plain = _NUMBERS + literals
        self._wordy = self._plain + _TEXTS
        number = r"(?:-?[0-9]+(?:\.[0-9]*)?)?"
        cells = [self._pattern.strip("^$"), *[number] * len(self._names)]
        others = shape.cells - len(cells)
        rest = re.escape(shape.form.separator) + f"[^{re.escape(shape.form.separator)}]*"
        row = re.escape(shape.form.separator).join(cells) + rest * others
        self._row = re.compile(row.encode()) if self._pattern else None
        self._schema = {TIME: pl.Int64(), **{name: pl.Float64() for name in self._names}}

    def plain(self, line: bytes) -> bool:
        """Tell whether a line is likely to be read by columns: it is neither short, nor long, nor holds odd signs."""
        return bool(self._row and self._row.fullmatch(line))

    def read(self, chunk: bytes, rows: int) -> Read | None:
        """Read so many whole lines, each with its end; None where anything about them is odd."""
        separator = self._shape.separator
        if len(separator) > 1 or not self._pattern:
            return None
        words = bool(chunk.translate(None, self._plain))
        if words and chunk.translate(None, self._wordy):
            return None
        marks = count(chunk, separator)
        cells = marks // rows + 1 if rows else 0
        if cells < self._shape.cells or marks != rows * (cells - 1):
            return None
        if words and cells > self._shape.cells:
            return None
        return self._parse(chunk, rows, cells, words=words)

    def _parse(self, chunk: bytes, rows: int, cells: int, *, words: bool) -> Read | None:
        numbers = {name: pl.Float64() for name in self._names}
        others = {f" {number}": pl.String() for number in range(cells - 1 - len(numbers))}
        try:
            # One cell too many in a row is an error here; as the marks are as many as they must be, none is short, and
            # none is blank.
            found = pl.read_csv(
                chunk, has_header=False, separator=self._shape.form.separator, quote_char=None,
                schema={TIME: pl.String(), **numbers, **others}, null_values=_NO_VALUES if words else None,
            )
            frame = self._timed(found)
        except PolarsError:
            return None
        if frame is None or found.height != rows:
            return None
        beyond = list(others)[self._shape.cells - 1 - len(numbers):]
        extra = _places([found[name].str.strip_chars().str.len_bytes() > 0 for name in beyond])
        empty = _places([frame[name].is_null() for name in self._names if frame[name].null_count()])
        return Read(frame, rows, empty, extra)

    def _timed(self, found: pl.DataFrame) -> pl.DataFrame | None:
        """Read the times; None where one of them or any number is not as everybody reads it."""
        texts = found[TIME]
        if texts.null_count() or not texts.str.contains(self._pattern).all():
            return None
        times = texts.str.to_datetime(self._form, time_unit="us", strict=False, cache=False)
        if self._zone != "UTC":
            times = times.dt.replace_time_zone(self._zone, ambiguous="earliest", non_existent="null")
        if times.null_count():
            return None
        frame = found.select(times.dt.epoch("s").alias(TIME), *self._names)
        finite = frame.select(pl.col(self._names).is_finite().all()).row(0)
        return frame if all(finite) else None

    def frame_of(self, rows: Collection[Row]) -> pl.DataFrame:
        """Return rows that were read one by one as the same kind of frame."""
        columns = zip(*(row.values for row in rows), strict=True)
        return pl.DataFrame([[row.time for row in rows], *map(list, columns)], schema=self._schema, orient="col")


def _places(masks: Sequence[pl.Series]) -> pl.Series:
    """Return the places at which masks are true, sorted; a place once for each mask."""
    if not masks:
        return pl.Series(dtype=pl.UInt32)
    return pl.concat([mask.arg_true() for mask in masks]).sort()


def pattern_of(form: str) -> str:
    """Return the regular expression of times that every reader reads alike, empty where the form has none."""
    parts = re.split(r"%(.)", form)
    if any(name not in _DIGITS for name in parts[1::2]):
        return ""
    return "^" + "".join(_DIGITS[part] if place % 2 else re.escape(part) for place, part in enumerate(parts)) + "$"


def latest(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame in which each time stands once, with the last value that was given for each channel."""
    times = frame[TIME]
    if times.is_sorted() and not (times.diff() == 0).any():
        return frame
    if times.n_unique() == frame.height:
        return frame
    return frame.group_by(TIME, maintain_order=True).agg(pl.exclude(TIME).drop_nulls().last())
