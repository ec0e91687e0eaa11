"""When a campaign measured: spans of time in which its uploads have data, without their holes. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

Span = tuple[datetime, datetime]
"""From the first to the last row of a time without a hole."""


def spans_of(first: datetime, last: datetime, gaps: Iterable[Span]) -> list[Span]:
    """Return the spans of one upload: from its first row to its last, without its holes."""
    found, start = [], first
    for gap_start, gap_end in sorted(gaps):
        if gap_end <= start or gap_start >= last:
            continue
        found.append((start, max(start, gap_start)))
        start = gap_end
    return [*found, (start, max(start, last))]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join spans that touch, in the order of time."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def days_of(spans: Sequence[Span]) -> int:
    """Count the days, in UTC, of which there is data."""
    days: set[int] = set()
    for start, end in spans:
        first, last = (int(one.astimezone(UTC).timestamp() // 86_400) for one in (start, end))
        days.update(range(first, last + 1))
    return len(days)
