"""A meter file read from its beginning to its end: header first, then batches of columns, then the summary. Pure.

    reading = open_file(stream, Place("acme", "roof", "02001171"), Formats.load())
    for batch in reading.batches():
        ...
    summary = reading.summary()

Whatever the bytes are, a file is refused for its header only; a row that cannot be read is counted with its line and
its reason. Memory stays bounded, time grows with the size. Rows about which nothing is odd are read by columns; where
something is, the block is cut into eighths until the odd rows stand alone, and these are read one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from belvedere.intake.meters.columns import Columns, Read
from belvedere.intake.meters.formats import Format, Formats, Preamble
from belvedere.intake.meters.header import build, read_meta, refusal
from belvedere.intake.meters.model import TIME, Batch, Header, Place, Reason, Summary
from belvedere.intake.meters.rows import Row, Shape, reader_of_rows
from belvedere.intake.meters.source import BLOCK, Source, Stream
from belvedere.intake.meters.tally import FIRST_LINES, Tally
from belvedere.kernel.errors import Rejected

FEW: Final = 64
"""So many rows are read one by one at once: to start reading by columns costs as much."""

PREAMBLE_MOST: Final = 1 << 20
"""A longer preamble is none, in bytes."""

HEADER_LINES: Final = 2
"""How many header lines the built-in formats have; for messages about files of no format."""

_PARTS: Final = 8
_BEGINNINGS: Final = {
    b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"%PDF": "PDF",
}


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
    opened = _Opening(source, formats).open(place)
    if source.at_end:
        wrong = refusal("The file holds a header and no rows.", hint="Nothing is lost: there was nothing to store.")
        raise wrong
    return Reading(source, opened)


@dataclass(frozen=True, slots=True)
class _Opened:
    form: Format
    header: Header
    shape: Shape


class _Opening:
    """The reading of one header: find the format, then its lines."""

    def __init__(self, source: Source, formats: Formats) -> None:
        self._source = source
        self._formats = formats
        self._lines: list[bytes] = []
        self._notes: list[str] = []

    def open(self, place: Place) -> _Opened:
        first = self._next()
        marked = [one for one in self._formats if one.preamble and first.strip() == one.preamble.begins.encode()]
        meta: dict[str, Any] = {}
        if marked and marked[0].preamble:
            meta = self._preamble(marked[0].preamble)
        else:
            self._lines.append(first)
        form = self._recognise(marked or [one for one in self._formats if not one.preamble])
        while len(self._lines) < form.header_lines:
            self._lines.append(self._next())
        texts = [self._text(form, number) for number in range(form.header_lines)]
        header, cells = build(form, texts, place, meta, self._notes)
        return _Opened(form, header, Shape(form, cells, len(header.channels)))

    def _next(self) -> bytes:
        """Return the next line of the header."""
        line = self._source.line()
        if line is not None:
            return line
        if not self._source.at_end:
            wrong = refusal("The header has a line without an end; this is no meter file.")
            raise wrong
        raise self._broken_off()

    def _broken_off(self) -> Rejected:
        if not any(line.strip() for line in self._lines):
            return refusal("The file is empty.", hint="It was never written, or broken off at once. Send it again.")
        return refusal("The file ends within its header.", hint="It was broken off on its way. Send it again.")

    def _preamble(self, marks: Preamble) -> dict[str, Any]:
        """Read from the line that begins the preamble to the one before the header."""
        inside: list[bytes] = []
        size, ended = 0, False
        self._lines.append(marks.begins.encode())
        while (line := self._next()).strip() != marks.data.encode():
            ended = ended or line.strip() == marks.ends.encode()
            size += len(line)
            if size > PREAMBLE_MOST:
                wrong = refusal(f"No {marks.data} follows {marks.begins}.")
                raise wrong
            if not ended:
                inside.append(line)
        self._lines.clear()
        if not ended:
            self._notes.append(f"The preamble is not ended by {marks.ends}.")
        meta, note = read_meta(b"\n".join(inside).decode("utf-8", "replace"))
        self._notes.extend([note] if note else [])
        return meta

    def _recognise(self, among: list[Format]) -> Format:
        """Return the format whose cell stands where it must, reading as many lines as that takes."""
        for form in sorted(among, key=lambda one: one.recognised_by.line):
            rule = form.recognised_by
            while len(self._lines) < rule.line and (line := self._source.line()) is not None:
                self._lines.append(line)
            if len(self._lines) < rule.line:
                break
            cells = self._lines[rule.line - 1].decode(form.encoding, "replace").split(form.separator)
            if len(cells) >= rule.cell and cells[rule.cell - 1].strip() == rule.text:
                return form
        raise self._unknown()

    def _unknown(self) -> Rejected:
        """Return the error of a file of no known format, as helpful as its first lines allow."""
        for beginning, what in _BEGINNINGS.items():
            if self._lines and self._lines[0].startswith(beginning):
                return refusal(f"The file is {what}, not text in UTF-8.", hint="Save it as plain text in UTF-8.")
        named = {line.split(b"\t")[0].strip()[:40].decode("utf-8", "replace") for line in self._lines[:2]}
        for form in self._formats:
            if form.preamble and form.format in named and not self._notes:
                return refusal(f"The file calls itself {form.format} and does not begin with {form.preamble.begins}.")
        if len([line for line in self._lines if line.strip()]) < HEADER_LINES and self._source.at_end:
            return self._broken_off()
        said = self._lines[min(len(self._lines), HEADER_LINES) - 1].split(b"\t")[0].strip()[:40]
        return refusal(
            f"The format {said.decode('utf-8', 'replace')!r} is not known. Known are {self._formats.names()}.",
            hint="Describe it in a format file: docs/how-to/add-a-meter-format.md.",
        )

    def _text(self, form: Format, number: int) -> str:
        try:
            return self._lines[number].decode(form.encoding)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            wrong = refusal(
                f"Line {number + 1} of the header is not {form.encoding}: byte 0x{byte:02X} at {error.start + 1}.",
                hint="Save it as UTF-8, or name its encoding in a format file: docs/how-to/add-a-meter-format.md.",
            )
            raise wrong from error


class Reading:
    """One file whose header has been read. Go through `batches` once, then ask for the `summary`."""

    def __init__(self, source: Source, opened: _Opened) -> None:
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
            data = lines.data
            if self._finish and (end := find_line(data, self._finish)) >= 0:
                self._finished, data = True, data[:end]
            elif lines.cut and data.strip():
                # Nobody can tell 12 from the beginning of 12.5.
                self._tally.skip(Reason.CUT_OFF, [lines.first])
                data = b""
            if lines.too_long:
                self._tally.skip(Reason.TOO_LONG, [lines.first])
            frames = [frame for frame in self._frames(data, lines.first) if frame.height]
            if frames:
                frame = pl.concat(frames) if len(frames) > 1 else frames[0]
                self._tally.add(frame)
                yield Batch(self.header, frame)
            if self._finished:
                break

    def summary(self) -> Summary:
        """Return what the file held. After `batches` has come to its end."""
        return self._tally.summary(finished=self._finished if self._finish else None)

    def _frames(self, data: bytes, first: int) -> Iterator[pl.DataFrame]:
        """Read lines, by columns where nothing is odd."""
        odd: list[Row] = []
        for found in self._parts(data, first):
            if isinstance(found, Row):
                odd.append(found)
                continue
            if odd:
                yield self._columns.frame_of(odd)
                odd = []
            yield found
        if odd:
            yield self._columns.frame_of(odd)

    def _parts(self, data: bytes, first: int) -> Iterator[pl.DataFrame | Row]:
        """Yield columns and single rows in the order of the lines."""
        if data.count(b"\n") <= FEW:
            for number, line in enumerate(data.split(b"\n")[:-1], first):
                row = self._judge(line, number)
                if row:
                    yield row
            return
        read = self._columns.read(data)
        if read:
            yield self._counted(read, first)
            return
        for part in eighths(data):
            yield from self._parts(part, first)
            first += part.count(b"\n")

    def _judge(self, line: bytes, number: int) -> Row | None:
        """Read one line and count what is wrong with it."""
        if not line.strip(b" "):
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

    def _counted(self, read: Read, first: int) -> pl.DataFrame:
        """Count what is empty in columns, and leave out rows without any value."""
        for reason, places in ((Reason.EMPTY, read.empty), (Reason.EXTRA, read.extra)):
            if places.len():
                self._tally.skip(reason, (places + first).head(FIRST_LINES).to_list(), places.len())
        if not read.empty.len():
            return read.frame
        some = pl.any_horizontal(pl.exclude(TIME).is_not_null())
        bare = read.frame.select(some.not_().alias(TIME))[TIME].arg_true()
        if not bare.len():
            return read.frame
        self._tally.skip(Reason.NO_VALUE, (bare + first).head(FIRST_LINES).to_list(), bare.len())
        return read.frame.filter(some)


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
