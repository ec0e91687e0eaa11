"""Anything tabular: CSV and TSV by their header, JSON lists of flat objects, Parquet. Pure but for reading the file.

The types of columns are found on the first rows and hold for the rest of the file: a later row that does not fit is
left out, with its line and why. A column is a number, a time or a yes-or-no only if every cell of the sample is; one
with leading zeros is text, as serial numbers are.

What is not here: METRICS2.1 (`metrics.py`), which table it becomes (`naming.py`), and which file is what
(`recognise.py`).
"""

import csv
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from belvedere.intake.reports.model import MOST_COLUMNS, Collector, Part, Read, Table, Type, Unreadable, cell
from belvedere.intake.reports.naming import column_names

SAMPLE_ROWS: Final = 2_000
LONGEST_CELL: Final = 1_048_576
"""Characters of one cell; a file with a longer one is no table."""

_DELIMITERS: Final = ",;\t|"
_NOTHING: Final = frozenset({"", "na", "n/a", "null", "none", "nan", "-"})
_WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
_NUMBER: Final = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_YES: Final = {"true": True, "yes": True, "false": False, "no": False}
_FORMS: Final = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S")
_SLICE: Final = 50_000

Header = tuple[list[str], list[Type]]
Place = Callable[[Sequence[tuple[str, Type]]], str]
"""Chooses the kind of database for columns."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the rows go: the table's name, and what chooses the database by the columns."""

    name: str
    place: Place


def delimiter_of(head: str) -> str:
    """Return what divides the cells of the first line, or nothing when it has one cell only."""
    line = next((one for one in head.splitlines() if one.strip() and not one.startswith("#")), "")
    counts = {sign: line.count(sign) for sign in _DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else ""


def parse_text(lines: Iterable[str], delimiter: str, target: Target, read: Read) -> Iterator[Part]:
    """Yield the rows of a text with a header, divided by `delimiter`; the account is filled in.

    Raises:
        Unreadable: the first line names no columns, or a cell is longer than anything in a table.
    """
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        rows = ((reader.line_num, row) for row in reader if row and not (len(row) == 1 and not row[0].strip()))
        header = next(((number, row) for number, row in rows if not row[0].startswith("#")), None)
        names = _names(header[1] if header else [])
        sample = list(itertools.islice(rows, SAMPLE_ROWS))
        if not sample:
            message = "The file has a header and no rows."
            raise Unreadable(message)
        types = [_type(column) for column in _columns((row for _, row in sample), len(names))]
        yield from _checked(itertools.chain(sample, rows), names, types, target, read)
    except csv.Error as error:
        message = f"Line {reader.line_num} cannot be read as a row: {error}."
        raise Unreadable(message) from error


def parse_objects(objects: Sequence[Mapping[str, Any]], target: Target, read: Read) -> Iterator[Part]:
    """Yield the rows of a list of flat JSON objects; what is nested in one is left out of it.

    Raises:
        Unreadable: they have no names, or too many.
    """
    found = (key for one in objects for key, value in one.items() if not isinstance(value, dict | list))
    given = list(dict.fromkeys(found))
    names = _names(given)
    rows = (
        (number, ["" if one.get(key) is None else _written(one[key]) for key in given])
        for number, one in enumerate(objects, 1)
    )
    sample = list(itertools.islice(rows, SAMPLE_ROWS))
    types = [_type(column) for column in _columns((row for _, row in sample), len(names))]
    yield from _checked(itertools.chain(sample, rows), names, types, target, read)


def parse_parquet(file: BinaryIO, target: Target, read: Read) -> Iterator[Part]:
    """Yield the rows of a Parquet file, some at a time; its own types are kept, what is nested becomes text.

    Raises:
        Unreadable: it is no whole Parquet file.
    """
    import polars as pl  # noqa: PLC0415  (takes a third of a second, which only such files are worth)

    try:
        frame = pl.scan_parquet(file)
        schema = frame.collect_schema()
        names = _names(list(schema))
        types = [_type_of(str(kind)) for kind in schema.values()]
        whole = [_expression(pl, name, kind) for name, kind in zip(schema, types, strict=True)]
        columns = tuple(zip(names, types, strict=True))
        table = Table(target.place(columns), target.name, columns)
        for start in itertools.count(0, _SLICE):
            found = frame.slice(start, _SLICE).select(whole).collect()
            if not found.height:
                return
            values = [_kept(found.get_column(name).to_list(), kind) for name, kind in zip(schema, types, strict=True)]
            key = (table.database, table.name)
            read.tables[key] = read.tables.get(key, 0) + found.height
            yield Part(table, values)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        message = "The file is no whole Parquet file. Write it again, and send it when it is closed."
        raise Unreadable(message) from error


def _names(given: Sequence[str]) -> list[str]:
    """Name the columns; a first row of figures is no header."""
    filled = [one for one in given if one.strip()]
    if not filled or sum(bool(_NUMBER.fullmatch(one.strip())) for one in filled) * 2 > len(filled):
        message = "The first line does not name the columns. Add a header, one name for each column."
        raise Unreadable(message)
    if len(given) > MOST_COLUMNS:
        message = f"The file has {len(given):,} columns; {MOST_COLUMNS:,} are taken. Divide it."
        raise Unreadable(message)
    return column_names(given)


def _columns(rows: Iterable[Sequence[str]], width: int) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in rows:
        if len(row) == width:
            for column, value in zip(columns, row, strict=True):
                column.append(value.strip())
    return columns


def _type(cells: Sequence[str]) -> Type:
    """Find the narrowest type that every filled cell has."""
    filled = [one for one in cells if one.lower() not in _NOTHING]
    if not filled:
        return "text"
    readers: tuple[tuple[Type, Callable[[str], object]], ...] = (
        ("bigint", _whole), ("double precision", _number), ("boolean", _yes), ("timestamptz", _time),
    )
    return next((kind for kind, reader in readers if all(reader(one) is not None for one in filled)), "text")


def _checked(
    rows: Iterable[tuple[int, Sequence[str]]], names: list[str], types: list[Type], target: Target, read: Read
) -> Iterator[Part]:
    """Read each row by the types; leave out what does not fit."""
    readers = {"bigint": _whole, "double precision": _number, "boolean": _yes, "timestamptz": _time}
    columns = tuple(zip(names, types, strict=True))
    made = Collector(Table(target.place(columns), target.name, columns), read)
    for number, row in rows:
        if len(row) != len(names):
            read.aside.put(number, "a row with more or fewer cells than the header", " ".join(row))
            continue
        values: list[Any] = []
        for name, kind, text in zip(names, types, row, strict=True):
            plain = text.strip()
            if kind == "text":
                values.append(cell(text))
            elif plain.lower() in _NOTHING:
                values.append(None)
            else:
                value = readers[kind](plain)
                if value is None:
                    read.aside.put(number, f"{name}: no {_SPOKEN[kind]}", plain)
                    break
                values.append(value)
        else:
            part = made.add(values)
            if part is not None:
                yield part
    last = made.end()
    if last is not None:
        yield last


_SPOKEN: Final = {
    "bigint": "whole number", "double precision": "number", "boolean": "yes or no", "timestamptz": "time",
}


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _yes(text: str) -> bool | None:
    return _YES.get(text.lower())


def _time(text: str) -> str | None:
    """Return a time in ISO 8601, in UTC where it has no zone; a bare number is none."""
    if len(text) < len("2000-01-01") or not text[:2].isdecimal() or text.isdecimal():
        return None
    found: datetime | None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = next((one for form in _FORMS if (one := _by(form, text)) is not None), None)
    if found is None:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _by(form: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type_of(kind: str) -> Type:
    """Choose a column's type by the name of polars' own."""
    if re.match(r"U?Int(8|16|32)$|Int64$", kind):
        return "bigint"
    if re.match(r"Float|Decimal|UInt64|U?Int128", kind):
        return "double precision"
    if kind == "Boolean":
        return "boolean"
    return "timestamptz" if re.match(r"Date(time|\b|$)", kind) else "text"


def _expression(pl: Any, name: str, kind: Type) -> Any:  # noqa: ANN401  (polars is imported late)
    """Return what reads a column as its type; lists, structures and bytes are shown as text."""
    column = pl.col(name)
    if kind == "double precision":
        return column.cast(pl.Float64, strict=False)
    if kind == "timestamptz":
        return column.cast(pl.Datetime("us"), strict=False)
    return column


def _kept(values: list[Any], kind: Type) -> list[Any]:
    """Bring values into the form in which parts carry them."""
    if kind == "double precision":
        return [one if one is not None and math.isfinite(one) else None for one in values]
    if kind == "timestamptz":
        return [None if one is None else one.replace(tzinfo=one.tzinfo or UTC).isoformat() for one in values]
    if kind == "text":
        return [None if one is None else cell(one if isinstance(one, str) else repr(one)) for one in values]
    return values
