"""From an open file to parts of tables: finds out the kind, unpacks, reads, and accounts for what was left out.

Runs in a child process (`intake/work.py`); touches nothing but the file it is given.
What is not here: storing (`taker.py`).
"""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, cast

import msgspec

from belvedere.dashboards.classify import Profile, Shape, classify
from belvedere.intake.reports import drc, metrics, tabular, timing
from belvedere.intake.reports.model import Part, Read, Type, Unreadable
from belvedere.intake.reports.naming import moment_in, table_name
from belvedere.intake.reports.recognise import HEAD_BYTES, Kind, kind_of

MOST_JSON_BYTES: Final = 134_217_728
MOST_UNPACKED_BYTES: Final = 8_589_934_592
MOST_RATIO: Final = 400
"""How many times its own size a packed file may become: text packs 20 times, what is made to do harm a thousand."""

_LONGEST_LINE: Final = 2_097_152
_DATABASES: Final = {"timing-paths": "timing_report", "drc": "drc"}
"""The database of a table by the template that it fits; all others are of QOR."""


def read(folder: str, name: str, file: BinaryIO, account: Read) -> Iterator[Part]:
    """Yield what a file holds, part by part; the account is whole at the end.

    Raises:
        Unreadable: nothing in it is a report, or it is broken; a sentence says what to change.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = kind_of(name, head)
    if kind is Kind.PACKED:
        packed = _Unpacked(file)
        unpacked = io.BufferedReader(packed)
        inner = name[: -len(".gz")]
        kind = kind_of(inner, unpacked.peek(HEAD_BYTES)[:HEAD_BYTES])
        name, file = inner, cast("BinaryIO", unpacked)
    if kind is None:
        raise Unreadable
    yield from _of_kind(kind, folder, name, file, account)
    if not account.rows and not account.aside.rows:
        raise Unreadable


def _of_kind(kind: Kind, folder: str, name: str, file: BinaryIO, account: Read) -> Iterator[Part]:
    account.kind = str(kind)
    table = table_name(folder, name)
    target = tabular.Target(table, _database)
    account.first_at = account.last_at = moment_in(name)
    if kind is Kind.PARQUET:
        return tabular.parse_parquet(file, target, account)
    if kind is Kind.JSON:
        return _json(file, target, account)
    if kind is Kind.TABLE:
        lines = _lines(file)
        head = "".join(first := list(itertools.islice(lines, 20)))
        return tabular.parse_text(itertools.chain(first, lines), tabular.delimiter_of(head) or ",", target, account)
    if kind is Kind.DRC:
        return drc.parse(_lines(file), table, account)
    return timing.parse(_lines(file), table, account) if kind is Kind.TIMING else _text(file, table, account)


def _text(file: BinaryIO, table: str, account: Read) -> Iterator[Part]:
    """Read a report of which the beginning does not tell the kind: by the first line that does."""
    lines = _lines(file)
    for line in lines:
        kind = kind_of("", line.encode())
        if kind in {Kind.DRC, Kind.TIMING}:
            parser = drc.parse if kind is Kind.DRC else timing.parse
            account.kind = str(kind)
            yield from parser(itertools.chain([line], lines), table, account)
            return


def _json(file: BinaryIO, target: tabular.Target, account: Read) -> Iterator[Part]:
    data = file.read(MOST_JSON_BYTES + 1)
    if len(data) > MOST_JSON_BYTES:
        message = f"The JSON has more than {MOST_JSON_BYTES // 1_048_576} MiB. Send it as CSV or Parquet."
        raise Unreadable(message)
    try:
        document: Any = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The file is no whole JSON: {error}."
        raise Unreadable(message) from error
    if metrics.is_metrics(document):
        return metrics.parse(document, target.name, account, at=account.first_at)
    if isinstance(document, list) and document and all(isinstance(one, dict) for one in document):
        return tabular.parse_objects(document, target, account)
    message = "The JSON is neither METRICS2.1 nor a list of objects, each a row."
    raise Unreadable(message)


def _database(columns: Sequence[tuple[str, Type]]) -> str:
    """Choose the database whose dashboards a table fits."""
    shape = Shape(database="", schema="public", name="", columns=tuple(columns))
    return _DATABASES.get(classify(shape, Profile()).chosen.template, "QOR")


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield lines of text with their ends; UTF-8, and what is not, sign by sign as Latin-1 has it.

    Raises:
        Unreadable: a line is longer than any of a report, or the packed data are broken.
    """
    first = True
    try:
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                message = f"A line has more than {_LONGEST_LINE // 1_048_576} MiB: this is no report."
                raise Unreadable(message)
            try:
                text = line.decode("utf-8-sig" if first else "utf-8")
            except UnicodeDecodeError:
                text = line.decode("latin-1")
            first = False
            yield text.replace("\0", "")
    except (EOFError, OSError, zlib.error) as error:
        message = "The packed file is broken or cut off. Send it again."
        raise Unreadable(message) from error


class _Unpacked(io.RawIOBase):
    """A gzip file, unpacked as it is read, and only so far as a report may grow."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packed = gzip.GzipFile(fileobj=file)
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        try:
            data = self._packed.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            message = "The packed file is broken or cut off. Send it again."
            raise Unreadable(message) from error
        self._size += len(data)
        read_so_far = max(self._file.tell(), HEAD_BYTES)
        if self._size > MOST_UNPACKED_BYTES or self._size > read_so_far * MOST_RATIO:
            message = f"The packed file grows to more than {MOST_RATIO} times its size: this is no report."
            raise Unreadable(message)
        buffer[: len(data)] = data
        return len(data)
