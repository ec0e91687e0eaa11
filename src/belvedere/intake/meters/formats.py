"""A meter format: how a file is recognised, what its header lines say, how its times are written. Formats are data.

The built-in ones stand in `catalogue/*.toml`; a folder of the installation may add others, or replace one of the same
name. Pure but for reading these files. What is not here: reading a meter file by a format (`header.py`, `parse.py`).
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from belvedere.kernel.errors import Rejected

BOM: Final = b"\xef\xbb\xbf"
_HINT: Final = "docs/how-to/add-a-meter-format.md names every key."
_HEADER_LINES_MOST: Final = 20

Line = Annotated[int, Meta(ge=1, le=_HEADER_LINES_MOST)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Recognised(Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a file one of this format: the text of one cell of one header line. Lines and cells count from 1."""

    line: Line
    text: Text
    cell: Annotated[int, Meta(ge=1, le=1000)] = 1


class Preamble(Struct, frozen=True, forbid_unknown_fields=True):
    """Lines around the header and the rows. Between `begins` and `ends` stands one JSON object."""

    begins: Text
    ends: Text
    data: Text
    finish: str = ""


class Serials(Struct, frozen=True, forbid_unknown_fields=True):
    """Which header line has a serial number for each column, the master's first; 0: the folder's name is the serial."""

    line: Annotated[int, Meta(ge=0, le=_HEADER_LINES_MOST)] = 0


class ByOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Names for a device's columns by their order; in the last one `#` counts on from 1. Empty: the label itself."""

    master_tri: tuple[str, ...] = ()
    master_mono: tuple[str, ...] = ()
    slave: tuple[str, ...] = ()


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """Which header line names the columns, where their units stand, and what tells three phases from one.

    `tri_when`: regular expressions that must each match the beginning of some label; empty: there is no subtype.
    `subtype_key`: a member of the preamble's object that says `Tri` or `Mono` and wins.
    """

    line: Line
    unit: Literal["after the last blank", "in brackets", "none"] = "none"
    tri_when: tuple[str, ...] = ()
    subtype_key: str = ""
    by_order: ByOrder = ByOrder()


class Times(Struct, frozen=True, forbid_unknown_fields=True):
    """How times are written: a `strptime` pattern, and the zone they are in unless the pattern has `%z`."""

    form: Text
    zone: str = "UTC"
    clock_lost: dt.date | None = None


class Format(Struct, frozen=True, forbid_unknown_fields=True):
    """One format file."""

    format: Text
    title: str
    recognised_by: Recognised
    labels: Labels
    time: Times
    measurement: Text = "electrical"
    device: str = ""
    separator: Annotated[str, Meta(min_length=1, max_length=1)] = "\t"
    quote: Annotated[str, Meta(max_length=1)] = ""
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    header_lines: Line = 1
    serials: Serials = Serials()
    preamble: Preamble | None = None


class Source(Protocol):
    """A file with a name to complain about."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def read_bytes(self) -> bytes:
        """Its content."""
        ...


class Formats:
    """The formats that this installation knows, by name."""

    def __init__(self, every: Iterable[Format]) -> None:
        """Keep the formats; of two with one name the later counts."""
        self._by_name = {one.format: one for one in every}

    @classmethod
    def load(cls, extra_folder: Path | None = None) -> Self:
        """Read the built-in formats, then those of a folder of the installation in the order of their names.

        Raises:
            Rejected: a format file is wrong; the detail names the file and the key, the hint what to change.
        """
        built_in = [one for one in files("belvedere.intake.meters.catalogue").iterdir() if one.name.endswith(".toml")]
        extra = sorted(extra_folder.glob("*.toml")) if extra_folder else []
        return cls(_read(one) for one in (*sorted(built_in, key=lambda one: one.name), *extra))

    def __iter__(self) -> Iterator[Format]:
        """Go through the formats by name."""
        return iter(sorted(self._by_name.values(), key=lambda one: one.format))

    def names(self) -> str:
        """Name all of them, for a message."""
        return ", ".join(one.format for one in self)

    def looks_like(self, head: bytes) -> bool:
        """Tell by its first bytes whether a file is meant for this reader, even if it will be refused.

        So it is for every format that is known, and for a cell such as `MV_T202_V002`: a meter whose format is not.
        """
        lines = head.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:_HEADER_LINES_MOST]
        if any(one.preamble and lines[0].strip() == one.preamble.begins.encode() for one in self):
            return True
        if any(_MAKE.match(line) for line in lines[:3]):
            return True
        return any(_has(one, lines) for one in self if one.preamble is None)


_MAKE: Final = re.compile(rb"MV_T\d{3}_V\d{3}(\t|\s*$)")


def _has(one: Format, lines: list[bytes]) -> bool:
    rule = one.recognised_by
    if len(lines) < rule.line:
        return False
    cells = lines[rule.line - 1].decode(one.encoding, "replace").split(one.separator)
    return len(cells) >= rule.cell and cells[rule.cell - 1].strip() == rule.text


def _read(source: Source) -> Format:
    """Read one format file and judge what its types cannot say."""
    try:
        read = msgspec.convert(tomllib.loads(source.read_bytes().decode()), Format)
    except UnicodeDecodeError as error:
        raise _wrong(source, "is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise _wrong(source, f"is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise _wrong(source, f"says something that no format can: {error}") from error
    except OSError as error:
        raise _wrong(source, f"cannot be read: {error.strerror}") from error
    for complaint in _complaints(read):
        raise _wrong(source, complaint)
    return read


def _complaints(one: Format) -> Iterator[str]:
    """Yield what is wrong with a format, the most telling first."""
    for what, line in (
        ("recognised_by", one.recognised_by.line), ("serials", one.serials.line), ("labels", one.labels.line),
    ):
        if line > one.header_lines:
            yield f"says {what}.line = {line}, but header_lines = {one.header_lines}"
    if one.separator in "\r\n0123456789" or one.separator == one.quote or not one.separator.isascii():
        yield "has a separator that cannot separate; a tab, a comma or a semicolon can"
    yield from _complaints_of_time(one.time)
    for pattern in one.labels.tri_when:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"says {pattern!r} in labels.tri_when, which is no regular expression: {error}"
    for names in (one.labels.by_order.master_tri, one.labels.by_order.master_mono, one.labels.by_order.slave):
        if names and ("#" not in names[-1] or any("#" in name for name in names[:-1])):
            yield f"says {list(names)} in labels.by_order; the last name, and only it, needs a # that counts on"


def _complaints_of_time(time: Times) -> Iterator[str]:
    if not {"%Y", "%y", "%G", "%c", "%x"} & set(re.findall(r"%.", time.form)):
        yield f"says time.form = {time.form!r}, which has no year; %d/%m/%y %H:%M:%S is one that has"
    example = dt.datetime(2025, 10, 12, 13, 14, 15, tzinfo=dt.UTC)
    try:
        read = dt.datetime.strptime(example.strftime(time.form), time.form)  # noqa: DTZ007 (only the pattern is judged)
        if read.date() != example.date():
            yield f"says time.form = {time.form!r}, which does not tell the day"
    except (ValueError, re.error) as error:
        yield f"says time.form = {time.form!r}, which is no pattern of strptime: {error}"
    try:
        ZoneInfo(time.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f"says time.zone = {time.zone!r}, which is no zone; Europe/Paris is one"


def _wrong(source: Source, complaint: str) -> Rejected:
    """Return the error of a bad format file."""
    return Rejected(f"The format file {source.name} {complaint}.", hint=_HINT, code="bad-meter-format")
