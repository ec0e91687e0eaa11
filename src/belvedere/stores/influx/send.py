"""Sends points to a bucket in pieces: while some are on their way, the next are written and compressed.

Two requests are under way at a time. Pieces that may hold the same place (a series and a second) go one after the
other, so that the later value wins as it does in a file. What is not here: HTTP (`api.py`), and what lines look like.
"""

import gzip
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, cast

from belvedere.kernel.errors import Stuck
from belvedere.stores.influx.api import OK, Outcome
from belvedere.stores.points import CAMPAIGN, PointBatch, Written

Post = Callable[[bytes, bool], Outcome]
"""Writes one piece; the second argument says whether it is compressed."""

UNIT: Final = "channel_unit"
"""The tag that names the unit of a channel's values."""

_LANES: Final = 2
_MOST_ON_THEIR_WAY: Final = 4
_LEVEL: Final = 1
_WORTH_BYTES: Final = 2_048
_TOO_LARGE: Final = 413
_BAD_LINE: Final = 400
_PARTIAL: Final = 422
_DROPPED: Final = re.compile(r"dropped=(\d+)")
_TAGGED: Final = re.compile(rb"(?m)^((?:[^\\ \n]|\\.)*?),campaign=(?:[^\\, \n]|\\.)*")
_NAMED: Final = re.compile(rb"(?m)^((?:[^\\, \n]|\\.)+)")


@dataclass(slots=True)
class _OnItsWay:
    """A piece that was handed over: what it may hold, and what came of it."""

    low: int
    high: int
    fields: frozenset[str]
    answer: Future[Written]

    def meets(self, low: int, high: int, fields: frozenset[str]) -> bool:
        return low <= self.high and self.low <= high and not self.fields.isdisjoint(fields)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was sent: the seconds of the first and the last row, the units, and about how many bytes."""

    low: int = 2**62
    high: int = -(2**62)
    units: frozenset[str] = frozenset()
    bytes: int = 0

    def with_batch(self, batch: PointBatch, low: int, high: int) -> "Seen":
        """Return it with one batch more."""
        units = self.units | {channel.tags.get(UNIT, "") for channel in batch.channels}
        size = self.bytes + 8 * len(batch.frame) * len(batch.channels)
        return Seen(min(self.low, low), max(self.high, high), units, size)


class Sender:
    """Sends the batches of one call. Use it in a `with`; `written` is whole at its end."""

    def __init__(self, post: Post, *, lines: int, packed: bool) -> None:
        """Take what writes a piece, how many lines one has, and whether compressing is worth it."""
        self._post = post
        self._lines = lines
        self._packed = packed
        self._lanes = ThreadPoolExecutor(_LANES, thread_name_prefix="influx")
        self._on_their_way: deque[_OnItsWay] = deque()
        self.written = Written(0)
        self.seen = Seen()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is on its way; an error of it is raised unless there is one already."""
        try:
            if error is None:
                self._drain(0)
        finally:
            self._lanes.shutdown(wait=True, cancel_futures=True)

    def send(self, batch: PointBatch, tag: str) -> None:
        """Send a batch under the value of the campaign's tag."""
        times = batch.frame.get_column("time")
        if not len(times):
            return
        low, high = cast("int", times.min()), cast("int", times.max())
        fields = frozenset(channel.field for channel in batch.channels)
        self.seen = self.seen.with_batch(batch, low, high)
        if any(one.meets(low, high, fields) for one in self._on_their_way):
            self._drain(0)
        # Lines of one batch hold each place once.
        for piece in _pieces(batch, tag, self._lines):
            self._drain(_MOST_ON_THEIR_WAY - 1)
            self._on_their_way.append(_OnItsWay(low, high, fields, self._lanes.submit(self._deliver, piece)))

    def _drain(self, most: int) -> None:
        while len(self._on_their_way) > most:
            self.written += self._on_their_way.popleft().answer.result()

    def _deliver(self, piece: bytes) -> Written:
        """Write one piece and say what stands there then."""
        packed = self._packed and len(piece) > _WORTH_BYTES
        outcome = self._post(gzip.compress(piece, _LEVEL, mtime=0) if packed else piece, packed)
        lines = piece.count(b"\n")
        if outcome.status in OK:
            return Written(lines)
        if outcome.status == _TOO_LARGE and lines > 1:
            first, second = _halves(piece)
            return self._deliver(first) + self._deliver(second)
        if outcome.status == _PARTIAL:
            found = _DROPPED.search(outcome.message)
            refused = min(int(found[1]), lines) if found else lines
            return Written(lines - refused, refused, outcome.message)
        if outcome.status in {_BAD_LINE, _TOO_LARGE}:
            return Written(0, lines, outcome.message or "InfluxDB refused the lines.")
        message = f"InfluxDB refused points ({outcome.status}): {outcome.message}"
        raise Stuck(message, code="influxdb-refused")


def _pieces(batch: PointBatch, tag: str, lines: int) -> Iterator[bytes]:
    """Write a batch's lines; where the campaign goes by another value of its tag, that one stands in them."""
    named = {channel.tags.get(CAMPAIGN) for channel in batch.channels}
    for piece in batch.lines(lines):
        yield piece if named == {tag} else _retagged(piece, tag)


def _retagged(piece: bytes, tag: str) -> bytes:
    wanted = b",campaign=" + _escaped(tag)
    made, count = _TAGGED.subn(lambda found: found[1] + wanted, piece)
    return made if count else _NAMED.sub(lambda found: found[1] + wanted, piece)


def _escaped(tag: str) -> bytes:
    return re.sub(r"([,= ])", r"\\\1", tag).encode()


def _halves(piece: bytes) -> tuple[bytes, bytes]:
    """Cut a piece at the end of the line in its middle."""
    middle = piece.find(b"\n", len(piece) // 2) + 1
    if middle in {0, len(piece)}:
        middle = piece.rfind(b"\n", 0, len(piece) - 1) + 1
    return piece[:middle], piece[middle:]
