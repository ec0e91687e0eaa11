"""What a file held, counted while it goes by: rows, values, steps of time, and a small picture. Pure.

Bounded however long the file is: counts, the first few lines of each reason, the largest few holes, at most 200
strokes for each channel.
"""

import datetime as dt
import math
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

import polars as pl

from belvedere.intake.meters.model import (
    TIME,
    Bucket,
    ChannelSummary,
    Gap,
    Header,
    Reason,
    Skipped,
    Summary,
)

FIRST_LINES: Final = 20
"""How many lines are named for each reason."""

GAPS_KEPT: Final = 20
"""How many holes are named, the largest."""

GAP_FACTOR: Final = 3
"""A step of time is a hole when it is more than so many times the usual one."""

STROKES: Final = 200
"""How many buckets the picture of a channel has at most."""

_ROW_REASONS: Final = (Reason.BAD_TIME, Reason.CUT_OFF, Reason.TOO_LONG, Reason.NO_VALUE)
_VALUE_REASONS: Final = (Reason.NOT_A_NUMBER, Reason.NOT_FINITE, Reason.EMPTY, Reason.MISSING)
_STEPS_APART: Final = 4096
_DAY_S: Final = 86_400
_LOST_DAYS: Final = 31
_SAMPLE: Final = 2000


@dataclass(slots=True)
class _Count:
    total: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, lines: Sequence[int], total: int) -> None:
        """Count, and keep the first lines: each call has its own in order, and odd rows come before the others."""
        self.total += total
        for line in lines:
            if len(self.first) >= FIRST_LINES and line > self.first[-1]:
                break
            if line not in self.first:
                insort(self.first, line)
                del self.first[FIRST_LINES:]


@dataclass(slots=True)
class _Steps:
    """Steps of time between neighbouring rows. Steps above some thousand seconds are told apart to a thousandth."""

    last: int | None = None
    counts: Counter[int] = field(default_factory=Counter)
    largest: list[Gap] = field(default_factory=list)

    def add(self, times: pl.Series) -> None:
        """Go on with these times, in the file's order. A step back, as of a clock that was set, is none."""
        if not times.len():
            return
        before = times.shift(1, fill_value=self.last)
        steps = (times - before).alias("step")
        frame = pl.DataFrame([steps, before.alias("from")]).filter(pl.col("step") > 0)
        for step, count in frame["step"].value_counts().iter_rows():
            self.counts[coarse(step)] += count
        top = frame.top_k(GAPS_KEPT, by="step")
        both = [*self.largest, *(Gap(start, start + step) for step, start in top.iter_rows())]
        self.largest = nlargest(GAPS_KEPT, both, key=lambda gap: (gap.length_s, -gap.start))
        self.last = times[-1]

    def usual(self) -> int | None:
        """Return the median step."""
        half, seen = (self.counts.total() + 1) // 2, 0
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= half:
                return step
        return None

    def gaps(self) -> tuple[int, tuple[Gap, ...]]:
        """Return how many holes there are, and the largest in the order of time."""
        usual = self.usual()
        if usual is None:
            return 0, ()
        most = usual * GAP_FACTOR
        named = [gap for gap in self.largest if coarse(gap.length_s) > most]
        return sum(count for step, count in self.counts.items() if step > most), tuple(sorted(named, key=_by_start))


def _by_start(gap: Gap) -> int:
    return gap.start


def coarse(step: int) -> int:
    """Return a step rounded down so far that there are few different ones."""
    if step < _STEPS_APART:
        return step
    shift = step.bit_length() - _STEPS_APART.bit_length() + 3
    return step >> shift << shift if shift > 0 else step


@dataclass(slots=True)
class _Values:
    """One channel's values; its steps once it lacks values that other channels have."""

    count: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    mean: float = 0.0
    steps: _Steps | None = None

    def add(self, values: pl.Series) -> None:
        """Count values. The mean is carried on in parts, so that not even the largest numbers overflow it."""
        count = values.len() - values.null_count()
        if not count:
            return
        mean = float(values.mean())  # type: ignore[arg-type]
        if not math.isfinite(mean):
            mean = float((values / count).sum())
        self.count += count
        weight = count / self.count
        self.mean = self.mean * (1 - weight) + mean * weight
        self.minimum = min(self.minimum, float(values.min()))  # type: ignore[arg-type]
        self.maximum = max(self.maximum, float(values.max()))  # type: ignore[arg-type]


class _Picture:
    """The least and the greatest value of each channel in equal parts of time; a part without rows takes no place."""

    def __init__(self) -> None:
        self.width = 1
        self.strokes: dict[int, Sequence[float | None]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Draw more rows, and make the parts of time longer until they are few enough."""
        times = frame[TIME]
        some = times.gather_every(max(1, times.len() // _SAMPLE))
        width = self.width
        while (some // width).n_unique() > STROKES:
            width *= 2
        while True:
            drawn = frame.group_by(pl.col(TIME) // width).agg(
                pl.exclude(TIME).min().name.prefix("-"), pl.exclude(TIME).max().name.prefix("+")
            )
            if drawn.height <= STROKES:
                break
            width *= 2
        self._widen(width)
        for part, *both in drawn.iter_rows():
            self._put(part, both)
        while len(self.strokes) > STROKES:
            self._widen(self.width * 2)

    def _widen(self, width: int) -> None:
        if width == self.width:
            return
        ratio, before = width // self.width, self.strokes
        self.width, self.strokes = width, {}
        for part, both in before.items():
            self._put(part // ratio, both)

    def _put(self, part: int, both: Sequence[float | None]) -> None:
        """Join a stroke (the least of every channel, then the greatest of every channel) with what is there."""
        there = self.strokes.get(part)
        if there is not None:
            half = len(both) // 2
            both = [
                one if other is None else other if one is None else min(one, other) if place < half else max(one, other)
                for place, (one, other) in enumerate(zip(there, both, strict=True))
            ]
        self.strokes[part] = both

    def of(self, channel: int) -> tuple[Bucket, ...]:
        """Return the strokes of one channel in the order of time."""
        found = []
        for part in sorted(self.strokes):
            both = self.strokes[part]
            least, greatest = both[channel], both[channel + len(both) // 2]
            if least is not None and greatest is not None:
                found.append(Bucket(part * self.width, least, greatest))
        return tuple(found)


class Tally:
    """The counts of one file."""

    def __init__(self, header: Header, clock_lost: dt.date | None = None) -> None:
        """Begin with nothing. `clock_lost` is the day at which a device begins that has lost its clock.

        It goes on from there until it is told the time; so long as a device may well be alone, its days are lost too.
        """
        self._channels = [(channel, _Values()) for channel in header.channels]
        self._skipped = {reason: _Count() for reason in Reason}
        self._steps = _Steps()
        self._picture = _Picture()
        self._stored = self._lost_clock = 0
        self._start: int | None = None
        self._end: int | None = None
        self._measured: tuple[int, int] | None = None
        self._lost: tuple[int, int] | None = None
        self.blank_lines = 0
        if clock_lost:
            start = (clock_lost - dt.date(1970, 1, 1)).days * _DAY_S
            self._lost = (start, start + _LOST_DAYS * _DAY_S - 1)

    def skip(self, reason: Reason, lines: Sequence[int], total: int = 1) -> None:
        """Count rows or values that are not stored, with the first of their lines in the file."""
        self._skipped[reason].add(lines, total)

    def add(self, frame: pl.DataFrame) -> None:
        """Count rows that can be stored."""
        times = frame[TIME]
        start, end = int(times.min()), int(times.max())  # type: ignore[arg-type]
        self._stored += frame.height
        self._start = start if self._start is None else min(start, self._start)
        self._end = end if self._end is None else max(end, self._end)
        for (_, values), column in zip(self._channels, frame.get_columns()[1:], strict=True):
            values.add(column)
        if self._lost and start <= self._lost[1] and end >= self._lost[0]:
            # Their times tell nothing about when they were measured: neither a hole nor a place in the picture.
            kept = frame.filter(~pl.col(TIME).is_between(*self._lost))
            self._lost_clock += frame.height - kept.height
            frame = kept
        if frame.height:
            times = frame[TIME]
            start, end = int(times.min()), int(times.max())  # type: ignore[arg-type]
            was = self._measured or (start, end)
            self._measured = min(start, was[0]), max(end, was[1])
            self._step(frame)
            self._picture.add(frame)

    def _step(self, frame: pl.DataFrame) -> None:
        """Go on with the steps of time: once for all channels that have a value in every row, apart for others."""
        times = frame[TIME]
        for (_, values), column in zip(self._channels, frame.get_columns()[1:], strict=True):
            if values.steps is None and column.null_count():
                values.steps = deepcopy(self._steps)
            if values.steps is not None:
                values.steps.add(times.filter(column.is_not_null()))
        self._steps.add(times)

    def summary(self, *, finished: bool | None) -> Summary:
        """Return the counts. `finished`: whether the file said that it ends, None where its format cannot."""
        skipped = {
            reason: Skipped(reason, count.total, tuple(count.first))
            for reason, count in self._skipped.items() if count.total
        }
        rows_skipped = tuple(skipped[reason] for reason in _ROW_REASONS if reason in skipped)
        gaps_total, gaps = self._steps.gaps()
        return Summary(
            rows_read=self._stored + sum(one.total for one in rows_skipped),
            rows_stored=self._stored,
            points=sum(values.count for _, values in self._channels),
            rows_skipped=rows_skipped,
            values_skipped=tuple(skipped[reason] for reason in _VALUE_REASONS if reason in skipped),
            extra_cells=skipped.get(Reason.EXTRA),
            blank_lines=self.blank_lines,
            time_start=self._start,
            time_end=self._end,
            measured_start=self._measured[0] if self._measured else None,
            measured_end=self._measured[1] if self._measured else None,
            usual_step_s=self._steps.usual(),
            gaps_total=gaps_total,
            gaps=gaps,
            lost_clock_rows=self._lost_clock,
            finished=finished,
            picture_width_s=self._picture.width,
            channels=tuple(self._channel(number) for number in range(len(self._channels))),
        )

    def _channel(self, number: int) -> ChannelSummary:
        channel, values = self._channels[number]
        if not values.count:
            return ChannelSummary(channel, 0, None, None, None)
        gaps_total, gaps = (values.steps or self._steps).gaps()
        # Rounding must not carry the mean beyond what it is the mean of.
        mean = min(max(values.mean, values.minimum), values.maximum)
        return ChannelSummary(
            channel, values.count, values.minimum, values.maximum, mean, gaps_total, gaps, self._picture.of(number)
        )
