"""Small pictures that the server draws: a strip of measured time, and the sketch of a channel. Pure.

Only numbers go into the drawing, as attributes; colours are the style sheet's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from belvedere.intake.uploads.measured import Span

_LEAST_WIDTH: Final = 2.0
_MOST_TICKS: Final = {980: 7, 326: 3}
_DAY: Final = 86_400
_STEPS: Final = (
    3600, 3 * 3600, 6 * 3600, 12 * 3600, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY,
)  # fmt: skip
_JOIN_SHARE: Final = 0.0015
_EDGE: Final = 26


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark below a strip."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip of time, `width` wide: bars from `x` on with their widths, and marks."""

    width: int
    bars: list[tuple[float, float]]
    ticks: list[Tick]


def strips(spans: Sequence[Span]) -> list[Strip]:
    """Draw when there are data, once for wide and once for narrow pages."""
    return [_strip(spans, width) for width in _MOST_TICKS] if spans else []


def _strip(spans: Sequence[Span], width: int) -> Strip:
    start, end = spans[0][0].timestamp(), max(one[1] for one in spans).timestamp()
    length = max(end - start, 3600.0)
    bars: list[tuple[float, float]] = []
    for first, last in spans:
        x = (first.timestamp() - start) / length * width
        wide = max((last.timestamp() - first.timestamp()) / length * width, _LEAST_WIDTH)
        if bars and x - sum(bars[-1]) < _JOIN_SHARE * width:
            before = bars[-1][0]
            bars[-1] = (before, max(sum(bars[-1]), x + wide) - before)
        else:
            bars.append((x, wide))
    kept = [(round(min(x, width - _LEAST_WIDTH), 1), round(wide, 1)) for x, wide in bars]
    return Strip(width, kept, _ticks(start, length, width))


def _ticks(start: float, length: float, width: int) -> list[Tick]:
    most = _MOST_TICKS[width]
    step = next((one for one in _STEPS if length / one <= most), 0)
    moments = _even(start, length, step) if step else _months(start, length, most)
    found = []
    for moment in moments:
        x = (moment.timestamp() - start) / length * width
        anchor = "start" if x < _EDGE else "end" if x > width - _EDGE else "middle"
        label = moment.strftime("%H:%M" if step and step < _DAY else "%Y-%m-%d" if step else "%Y-%m")
        if step and step < _DAY and moment.hour == 0:
            label = moment.strftime("%m-%d")
        found.append(Tick(round(x, 1), label, anchor))
    return found


def _even(start: float, length: float, step: int) -> list[datetime]:
    first = int(-(-start // step) * step)
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(start + length) + 1, step)]


def _months(start: float, length: float, most: int) -> list[datetime]:
    at = datetime.fromtimestamp(start, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    every, end = max(1, round(length / _DAY / 30.4 / most + 0.49)), start + length
    found: list[datetime] = []
    number = at.year * 12 + at.month - 1
    while True:
        number += 1
        moment = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if moment.timestamp() > end:
            return found
        if number % every == 0:
            found.append(moment)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A channel in small: paths of its least and greatest values, one for each time without a hole."""

    width: int
    height: int
    paths: list[str]


def sketch(buckets: Sequence[Sequence[float]], width_s: int, *, width: int = 160, height: int = 28) -> Sketch | None:
    """Draw `[start, least, greatest]` of equal parts of time; None where there is nothing to draw."""
    if not buckets:
        return None
    start, end = buckets[0][0], buckets[-1][0] + width_s
    low, high = min(one[1] for one in buckets), max(one[2] for one in buckets)
    scale = (height - 3) / (high - low) if high > low else 0.0

    def at(moment: float, value: float) -> str:
        y = height - 1.5 - (value - low) * scale if scale else height / 2
        return f"{(moment - start) / max(end - start, 1) * width:.1f} {y:.1f}"

    paths, run = [], [buckets[0]]
    for one in [*buckets[1:], None]:
        if one is not None and one[0] - run[-1][0] <= 2 * width_s:
            run.append(one)
            continue
        over = [at(bucket[0] + width_s / 2, bucket[2]) for bucket in run]
        under = [at(bucket[0] + width_s / 2, bucket[1]) for bucket in reversed(run)]
        if len(run) == 1:
            over, under = [at(run[0][0], run[0][2]), at(run[0][0] + width_s, run[0][2])], [
                at(run[0][0] + width_s, run[0][1]), at(run[0][0], run[0][1])]
        paths.append(f"M{'L'.join([*over, *under])}Z")
        run = [one] if one is not None else []
    return Sketch(width, height, paths)


def length_of(spans: Sequence[Span]) -> timedelta:
    """Return how long was measured in all."""
    return sum((end - start for start, end in spans), timedelta())


def numbers(report: Any) -> list[list[float]]:  # noqa: ANN401  (from a report)
    """Return the buckets of a channel's picture that are whole."""
    return [one for one in report or [] if len(one) == 3 and None not in one]  # noqa: PLR2004  (start, least, greatest)
