"""What a report becomes: a table in one of the tenant's databases, its columns, and parts of its rows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from belvedere.kernel.errors import Rejected

Type = Literal["text", "double precision", "bigint", "timestamptz", "boolean"]
"""The types that columns have, as PostgreSQL calls them."""

MOST_COLUMNS: Final = 1_000
"""A table of PostgreSQL takes 1,600; two are added here, and nobody looks at more."""

LONGEST_TEXT: Final = 10_000
"""Characters of one cell that are kept."""

MOST_ASIDE: Final = 200
"""Rows that are kept aside with their text; all are counted."""


class Table(Struct, frozen=True):
    """Where rows belong: the kind of the tenant's database, the table's name, its columns with their types."""

    database: str
    name: str
    columns: tuple[tuple[str, Type], ...]


class Part(Struct, frozen=True):
    """Some rows of one table, column by column; what passes from the reading process to the storing one.

    A moment stands as text in ISO 8601.
    """

    table: Table
    values: list[list[Any]]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.values[0]) if self.values else 0


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Part)


def pack(part: Part) -> bytes:
    """Write a part for the way between two processes."""
    return _ENCODER.encode(part)


def unpack(data: bytes) -> Part:
    """Read a part again."""
    return _DECODER.decode(data)


@dataclass(slots=True)
class Aside:
    """The rows that were left out: how many for which reason, and the first ones with their line and text."""

    by_reason: dict[str, int] = field(default_factory=dict)
    first: list[dict[str, Any]] = field(default_factory=list)

    def put(self, line: int, reason: str, text: str) -> None:
        """Leave a row out. Its text loses NUL, which no database takes."""
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        if len(self.first) < MOST_ASIDE:
            self.first.append({"line": line, "reason": reason, "text": text[:300].replace("\0", "")})

    @property
    def rows(self) -> int:
        """How many rows were left out."""
        return sum(self.by_reason.values())


@dataclass(slots=True)
class Read:
    """What was found in a file: rows by table, rows left out, the times between which the data lie, and remarks."""

    kind: str
    tables: dict[tuple[str, str], int] = field(default_factory=dict)
    aside: Aside = field(default_factory=Aside)
    first_at: datetime | None = None
    last_at: datetime | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows are stored."""
        return sum(self.tables.values())


class Unreadable(Rejected):
    """Nothing in this file is a report that is known here. Send it as the tool wrote it."""


class Collector:
    """Gathers the rows of one table and gives them on in parts of bounded size."""

    def __init__(self, table: Table, read: Read, at_most: int = 20_000) -> None:
        """Take the table, the account to keep, and how many rows one part has."""
        self.table = table
        self._read = read
        self._at_most = at_most
        self._values: list[list[Any]] = [[] for _ in table.columns]

    def add(self, row: Sequence[Any]) -> Part | None:
        """Add a row; return a part when one is full."""
        for column, value in zip(self._values, row, strict=True):
            column.append(value)
        return self.end() if len(self._values[0]) >= self._at_most else None

    def end(self) -> Part | None:
        """Return what is left, if anything is."""
        if not self._values or not self._values[0]:
            return None
        part = Part(self.table, self._values)
        key = (self.table.database, self.table.name)
        self._read.tables[key] = self._read.tables.get(key, 0) + part.rows
        self._values = [[] for _ in self.table.columns]
        return part


def cell(text: str) -> str | None:
    """Return a text as PostgreSQL takes it, or None for nothing."""
    return text.replace("\0", "")[:LONGEST_TEXT] or None
