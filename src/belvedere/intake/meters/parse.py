"""A meter file read from its beginning to its end: header first, then batches of columns, then the summary. Pure.

    reading = open_file(stream, Place("acme", "roof", "02001171"), Formats.load())
    for batch in reading.batches():
        ...
    summary = reading.summary()

Whatever the bytes are, a file is refused for its header only; a row that cannot be read is counted with its line and
its reason. Memory stays bounded, time grows with the size. Rows about which nothing is odd are read by columns; the
others are sifted out and read one by one.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from belvedere.intake.meters.columns import Columns, Read
from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.header import refusal
from belvedere.intake.meters.model import TIME, Batch, Place, Reason, Summary
from belvedere.intake.meters.opening import Opened, Opening
from belvedere.intake.meters.rows import Row, reader_of_rows
from belvedere.intake.meters.source import BLOCK, Source, Stream, count
from belvedere.intake.meters.tally import FIRST_LINES, Tally

FEW: Final = 64
"""So many rows are read one by one at once: to start reading by columns costs as much."""

_PARTS: Final = 8
_LINE: Final = " line"
_BLANK: Final = b" \n"


def open_file(stream: Stream, place: Place, formats: Formats, *, block: int = BLOCK) -> "Reading":
    """Read a file's header.

    Args:
        stream: the file's bytes, from the beginning.
        place: where the file lies.
        formats: the formats to recognise it by.
        block: how many bytes to read at once.

    Raises:
        Rejected: the file is empty, of no known format, or its header or encoding is wrong; the detail says how.
    """
    source = Source(stream, block=block)
    opened = Opening(source, formats).open(place)
    if source.at_end:
        wrong = refusal("The file holds a header and no rows.", hint="Nothing is lost: there was nothing to store.")
        raise wrong
    return Reading(source, opened)


class Reading:
    """One file whose header has been read. Go through `batches` once, then ask for the `summary`."""

    def __init__(self, source: Source, opened: Opened) -> None:
        """Go on behind the header."""
        self.header = opened.header
        self._source = source
        self._columns = Columns(opened.shape, [channel.id for channel in opened.header.channels])
        self._row = reader_of_rows(opened.shape)
        self._tally = Tally(opened.header, opened.form.time.clock_lost)
        self._finish = opened.form.preamble.finish.encode() if opened.form.preamble else b""
        self._finished = False

    def batches(self) -> Iterator[Batch]:
        """Yield the rows that can be stored, some megabytes of the file in each batch, in the file's order."""
        for lines in self._source.blocks():
            data, many = lines.data, lines.many
            if self._finish and (end := find_line(data, self._finish)) >= 0:
                self._finished, data = True, data[:end]
                many = count(data, b"\n")
            elif lines.cut and data.strip():
                # Nobody can tell 12 from the beginning of 12.5.
                self._tally.skip(Reason.CUT_OFF, [lines.first])
                data, many = b"", 0
            if lines.too_long:
                self._tally.skip(Reason.TOO_LONG, [lines.first])
            frame = self._frame(data, range(lines.first, lines.first + many))
            if frame is not None:
                self._tally.add(frame)
                yield Batch(self.header, frame)
            if self._finished:
                break

    def summary(self) -> Summary:
        """Return what the file held. After `batches` has come to its end."""
        return self._tally.summary(finished=self._finished if self._finish else None)

    def _frame(self, data: bytes, numbers: range) -> pl.DataFrame | None:
        """Read lines that have these numbers, in their order; None where no row can be stored."""
        pieces = list(self._pieces(data, numbers))
        if len(pieces) == 1:
            return pieces[0][0]
        numbered = [frame.with_columns(pl.Series(_LINE, numbers, pl.Int64)) for frame, numbers in pieces]
        return pl.concat(numbered).sort(_LINE).drop(_LINE) if numbered else None

    def _pieces(
        self, data: bytes, numbers: Sequence[int], *, sifted: bool = False
    ) -> Iterator[tuple[pl.DataFrame, Sequence[int]]]:
        """Yield rows with the numbers of their lines, those about which nothing is odd by columns."""
        if len(numbers) <= FEW:
            yield from self._singly(data.split(b"\n")[:-1], numbers)
        elif read := self._columns.read(data, len(numbers)):
            yield from self._counted(read, numbers)
        elif not data.strip(_BLANK):
            self._tally.blank_lines += len(numbers)
        elif sifted:
            # Each line looks like a row, and one of them is none: 31/02, perhaps.
            start = 0
            for part in eighths(data):
                end = start + count(part, b"\n")
                yield from self._pieces(part, numbers[start:end], sifted=True)
                start = end
        else:
            lines = data.split(b"\n")[:-1]
            plain = [place for place, line in enumerate(lines) if self._columns.plain(line)]
            others = sorted(set(range(len(lines))).difference(plain))
            yield from self._singly([lines[place] for place in others], [numbers[place] for place in others])
            rows = b"".join(lines[place] + b"\n" for place in plain)
            yield from self._pieces(rows, [numbers[place] for place in plain], sifted=True)

    def _singly(
        self, lines: Sequence[bytes], numbers: Sequence[int]
    ) -> Iterator[tuple[pl.DataFrame, Sequence[int]]]:
        """Read lines one by one."""
        rows: dict[int, Row] = {}
        for line, number in zip(lines, numbers, strict=True):
            if row := self._judge(line, number):
                rows[number] = row
        if rows:
            yield self._columns.frame_of(rows.values()), list(rows)

    def _judge(self, line: bytes, number: int) -> Row | None:
        """Read one line and count what is wrong with it."""
        if not line.strip(_BLANK):
            self._tally.blank_lines += 1
            return None
        row = self._row(line)
        if isinstance(row, Reason):
            self._tally.skip(row, [number])
            return None
        for fault in row.faults:
            self._tally.skip(fault, [number])
        if row.extra:
            self._tally.skip(Reason.EXTRA, [number], row.extra)
        if all(value is None for value in row.values):
            self._tally.skip(Reason.NO_VALUE, [number])
            return None
        return row

    def _counted(self, read: Read, numbers: Sequence[int]) -> Iterator[tuple[pl.DataFrame, Sequence[int]]]:
        """Count what is empty in columns, and leave out rows without any value."""
        for reason, places in ((Reason.EMPTY, read.empty), (Reason.EXTRA, read.extra)):
            self._skip(reason, places, numbers)
        if not read.empty.len():
            yield read.frame, numbers
            return
        some = read.frame.select(pl.any_horizontal(pl.exclude(TIME).is_not_null()).alias(TIME))[TIME]
        if some.all():
            yield read.frame, numbers
            return
        self._skip(Reason.NO_VALUE, some.not_().arg_true(), numbers)
        kept = some.arg_true().to_list()
        if kept:
            yield read.frame.filter(some), [numbers[place] for place in kept]

    def _skip(self, reason: Reason, places: pl.Series, numbers: Sequence[int]) -> None:
        if places.len():
            first = dict.fromkeys(places.head(FIRST_LINES * len(self.header.channels)))
            self._tally.skip(reason, [numbers[place] for place in first], places.len())


def eighths(data: bytes) -> Iterator[bytes]:
    """Cut whole lines into about eight parts of whole lines."""
    start, size = 0, len(data) // _PARTS + 1
    while start < len(data):
        end = data.find(b"\n", min(start + size, len(data) - 1)) + 1
        yield data[start:end]
        start = end


def find_line(data: bytes, text: bytes) -> int:
    """Return where a line begins that holds this and nothing else but blanks, -1 if there is none."""
    at = data.find(text)
    while at >= 0:
        start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        if data[start:end].strip() == text:
            return start
        at = data.find(text, end)
    return -1
