"""Runs a person's own statement as the tenant's reader, and lets PostgreSQL write each row as JSON.

The statement stands in the brackets of `SELECT ... FROM (...)`, declared as a cursor over the extended protocol.
So PostgreSQL itself refuses what is no query: several statements, INSERT, DELETE, data-changing WITH, COPY, SET. The
connection is the tenant's reader in a read-only transaction that is rolled back (`stores/reader`), which is
what keeps tenants apart; whatever closes the bracket early runs with the same rights.

Rows are fetched few at a time by their size, and a text is cut, so that no answer is ever held in memory.
What is not here: the time macros (`macros.py`), and the frame around the rows (`shape.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from belvedere.gateway.model import Column, Shape
from belvedere.gateway.shape import TIMES

_CHUNK_BYTES: Final = 262_144
_MOST_FETCHED: Final = 5_000
_FIRST_FETCHED: Final = 250
_LONGEST_TEXT: Final = 65_536
_LONGEST_ROW: Final = 262_144
_BOOLEAN: Final = 16
_FETCH: Final = sql.SQL("FETCH FORWARD {} FROM gateway")
_WHOLE: Final = frozenset({20, 21, 23})
_FLOATS: Final = {700: "float4", 701: "float8", 1700: "numeric"}

Session = psycopg.Connection[Any]
Row = tuple[str, str | None]
"""A row as JSON, and the series it belongs to."""


class Description:
    """Finds out the columns of a statement's answer without asking for a row."""

    def __init__(self, text: str) -> None:
        """Take the statement."""
        self._text = text
        self._asked: psycopg.Cursor[Any] | None = None

    def ask(self, session: Session) -> None:
        """Send the question into an open pipeline.

        That goes by the extended protocol, where one text holds one statement and no more.
        Names are looked up in `public` after `pg_catalog`, as a data source of Grafana would.
        """
        session.execute("SELECT pg_catalog.set_config('search_path', 'public', true)")
        self._asked = session.execute(sql.SQL("SELECT * FROM ({}\n) AS answer LIMIT 0").format(_own(self._text)))

    @property
    def columns(self) -> list[Column]:
        """The columns, once the pipeline has ended without an error."""
        described = self._asked.description if self._asked is not None else None
        return [Column(one.name, one.type_code) for one in described or ()]


def rows(session: Session, text: str, columns: Sequence[Column], shape: Shape) -> Iterator[list[Row]]:
    """Run a statement and yield its rows, some hundred kilobytes at a time.

    Raises:
        psycopg.Error: PostgreSQL refuses it, or it takes too long; at any time, also after rows.
    """
    amount = _FIRST_FETCHED
    with session.cursor(row_factory=tuple_row) as cursor:
        with session.pipeline():
            session.execute(sql.SQL("DECLARE gateway NO SCROLL CURSOR FOR {}").format(_statement(text, columns, shape)))
            cursor.execute(_FETCH.format(sql.Literal(amount)))
        while found := cast("list[Row]", cursor.fetchall()):
            yield found
            if len(found) < amount:
                return
            usual = max(sum(len(row) for row, _ in found) // len(found), 1)
            amount = max(1, min(_MOST_FETCHED, _CHUNK_BYTES // usual, amount * 10))
            cursor.execute(_FETCH.format(sql.Literal(amount)))


def _statement(text: str, columns: Sequence[Column], shape: Shape) -> sql.Composed:
    names = [sql.Identifier(f"c{place}") for place in range(len(columns))]
    longest = sql.Literal(max(1, min(_LONGEST_TEXT, _LONGEST_ROW // max(len(names), 1))))
    values = [
        sql.SQL(_MOMENT).format(names[place]) if place == shape.time
        else _value(columns[place].type, names[place], longest)
        for place in shape.order
    ]
    tag = sql.SQL("NULL::text") if shape.tag is None else sql.SQL("pg_catalog.left({}::text, {})").format(
        names[shape.tag], longest)
    if not names:
        return sql.SQL("SELECT '[]'::text, NULL::text FROM ({}\n) AS answer").format(_own(text))
    where = sql.SQL("" if shape.time is None else " WHERE pg_catalog.isfinite({})").format(
        *[] if shape.time is None else [names[shape.time]])
    order = sql.SQL("" if shape.tag is None else " ORDER BY {}, {}").format(
        *[] if shape.tag is None else [names[shape.tag], names[shape.time or 0]])
    return sql.SQL(
        "SELECT pg_catalog.array_to_json(ARRAY[{values}]::json[])::text, {tag} FROM ({own}\n) AS answer({names})"
        "{where}{order}"
    ).format(
        values=sql.SQL(", ").join(values), tag=tag, own=_own(text), names=sql.SQL(", ").join(names), where=where,
        order=order,
    )


_MOMENT: Final = "pg_catalog.to_json(pg_catalog.floor(pg_catalog.date_part('epoch', {0}) * 1000)::bigint)"


def _value(type_number: int, name: sql.Identifier, longest: sql.Literal) -> sql.Composed:
    """Write a column as JSON: numbers as they are, what is no number of JSON's as null, anything else as text."""
    if type_number in _WHOLE or type_number == _BOOLEAN:
        return sql.SQL("pg_catalog.to_json({0})").format(name)
    if type_number in _FLOATS:
        # NaN counts as greater than infinity.
        return sql.SQL(
            "CASE WHEN {0} > '-Infinity'::{1} AND {0} < 'Infinity'::{1} THEN pg_catalog.to_json({0}) END"
        ).format(name, sql.Identifier(_FLOATS[type_number]))
    if type_number in TIMES:
        return sql.SQL("pg_catalog.to_json({0})").format(name)
    return sql.SQL("pg_catalog.to_json(pg_catalog.left({}::text, {}))").format(name, longest)


def _own(text: str) -> sql.SQL:
    """Take the person's own words as they are: running them is what the gateway is for."""
    return sql.SQL(text)


def words(error: psycopg.Error) -> str:
    """Return the database's own sentence about an error, without detail, hint, statement or address."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "The query took too long and was stopped. Choose a shorter range."
    return (error.diag.message_primary or "The store broke the connection.")[:500]


def is_refused(error: psycopg.Error) -> bool:
    """Tell whether the database refused a deed: no right to it, or a change in a transaction that only reads."""
    return isinstance(
        error, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction
    ) or ("data-modifying" in (error.diag.message_primary or ""))
