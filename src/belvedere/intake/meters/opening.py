"""The beginning of a meter file: by its first lines its format is found, and its header lines are read. Pure.

What is not here: what header lines say of channels (`header.py`), and the rows (`parse.py`).
"""

from dataclasses import dataclass
from typing import Any, Final

from belvedere.intake.meters.formats import Format, Formats, Preamble
from belvedere.intake.meters.header import build, read_meta, refusal
from belvedere.intake.meters.model import Header, Place
from belvedere.intake.meters.rows import Shape
from belvedere.intake.meters.source import Source
from belvedere.kernel.errors import Rejected

PREAMBLE_MOST: Final = 1 << 20
"""A longer preamble is none, in bytes."""

HEADER_LINES: Final = 2
"""How many header lines the built-in formats have; for messages about files of no format."""

_BEGINNINGS: Final = {
    b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"%PDF": "PDF",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of which the header has been read: its format, its header, and what its rows look like."""

    form: Format
    header: Header
    shape: Shape


class Opening:
    """The reading of one header: find the format, then its lines."""

    def __init__(self, source: Source, formats: Formats) -> None:
        """Read from the first line on."""
        self._source = source
        self._formats = formats
        self._lines: list[bytes] = []
        self._notes: list[str] = []

    def open(self, place: Place) -> Opened:
        """Read up to the first row.

        Raises:
            Rejected: the file is empty, of no known format, or its header or its encoding is wrong.
        """
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
        return Opened(form, header, Shape(form, cells, len(header.channels)))

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
