"""Statements that make a table for rows of files, and put the rows of one file in place of those it had before.

All run as the tenant's writer: a trigger or default that the tenant has put on such a table does to the tenant alone
what it does. A table of this name that was not made here is left alone; another name is taken.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from belvedere.kernel.db import Connection
from belvedere.kernel.errors import Rejected

OPTIONS: Final = (
    "-c search_path=pg_catalog -c lock_timeout=10s -c statement_timeout=600s -c DateStyle=ISO -c TimeZone=UTC "
    "-c client_min_messages=error"
)
MARK: Final = "Belvedere: rows of files"
"""The comment on tables that were made here."""

SOURCE: Final = "source_file"
RUN: Final = "run_at"
_MOST_TRIES: Final = 20

Columns = Sequence[tuple[str, str]]


def table_for(connection: Connection, name: str, columns: Columns) -> tuple[str, dict[str, str]]:
    """Make the table of this name, or fit the one that was made earlier; return its name and what its columns are.

    A column that is new is added; one that came as another type before is widened to text or to a number where that
    loses nothing.

    Raises:
        Rejected: so many tables of this name are the tenant's own that no name is left.
    """
    for count in range(_MOST_TRIES):
        tried = name if not count else f"{name[:55]}_files{count if count > 1 else ''}"
        there = _columns(connection, tried)
        if there is None:
            _make(connection, tried, columns)
            return tried, dict(columns) | _own(columns)
        if _is_ours(connection, tried):
            return tried, _fitted(connection, tried, there, columns)
    message = f"There are tables named {name} and alike that are your own. Rename the file."
    raise Rejected(message)


def clear(connection: Connection, name: str, source: str) -> None:
    """Remove the rows that came from a file."""
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE {} = %s").format(_named(name), sql.Identifier(SOURCE)), [source]
    )


def fill(connection: Connection, name: str, columns: Columns, own: Sequence[Any], values: Sequence[list[Any]]) -> None:
    """Add rows, given column by column; `own` are the values that all of them have before their own columns."""
    named = [one for one, _ in columns]
    copying = sql.SQL("COPY {} ({}) FROM STDIN").format(_named(name), sql.SQL(", ").join(map(sql.Identifier, named)))
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        for row in zip(*values, strict=True):
            copy.write_row((*own, *row))


def own_columns(columns: Columns, source: str, at: datetime) -> tuple[list[tuple[str, str]], list[Any]]:
    """Return the columns that are added to a file's own, with the value that they have for it."""
    added = _own(columns)
    values: dict[str, Any] = {RUN: at, SOURCE: source}
    return list(added.items()), [values[one] for one in added]


def _own(columns: Columns) -> dict[str, str]:
    """Return what is added: when the run was, unless the file itself tells, and which file it was."""
    has_run = any(name.lower() == RUN for name, _ in columns)
    return {SOURCE: "text"} if has_run else {RUN: "timestamptz", SOURCE: "text"}


def _make(connection: Connection, name: str, columns: Columns) -> None:
    listed = [(one, kind) for one, kind in _own(columns).items() if one == RUN]
    listed += [*columns, (SOURCE, "text")]
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(
        _named(name),
        sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(one), _type(kind)) for one, kind in listed),
    ))
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(_named(name), sql.Literal(MARK)))


def _fitted(connection: Connection, name: str, there: dict[str, str], columns: Columns) -> dict[str, str]:
    for one, kind in (*columns, *_own(columns).items()):
        known = there.get(one)
        if known is None:
            connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                _named(name), sql.Identifier(one), _type(kind)))
            there[one] = kind
        elif known not in (kind, "text") and not (known == "double precision" and kind == "bigint"):
            wider = "double precision" if (known, kind) == ("bigint", "double precision") else "text"
            connection.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(
                _named(name), sql.Identifier(one), _type(wider)))
            there[one] = wider
    return there


def _columns(connection: Connection, name: str) -> dict[str, str] | None:
    """Return a relation's columns with their types, or None when there is none of this name."""
    found = connection.execute(
        "SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
        "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relname = %s ORDER BY a.attnum",
        [name],
    ).fetchall()
    if not found:
        return None
    spoken = {"timestamp with time zone": "timestamptz"}
    return {
        str(row["name"]): str(spoken.get(row["type"], row["type"])) for row in found if row["name"] is not None
    }


def _is_ours(connection: Connection, name: str) -> bool:
    found = connection.execute(
        "SELECT obj_description(c.oid, 'pg_class') AS mark FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relname = %s AND c.relkind = 'r'",
        [name],
    ).fetchone()
    return found is not None and found["mark"] == MARK


def _named(name: str) -> sql.Identifier:
    return sql.Identifier("public", name)


def _type(kind: str) -> sql.SQL:
    """Write a type; only the known ones stand in a statement."""
    return sql.SQL(_TYPES[kind])


_TYPES: Final[dict[str, LiteralString]] = {
    "text": "text", "double precision": "double precision", "bigint": "bigint", "timestamptz": "timestamptz",
    "boolean": "boolean",
}


def is_theirs(error: psycopg.Error) -> bool:
    """Tell whether an error comes of the tenant's own doing: a constraint, a trigger, a full disk quota."""
    return isinstance(
        error,
        psycopg.errors.IntegrityError | psycopg.errors.RaiseException | psycopg.errors.InsufficientPrivilege
        | psycopg.errors.DataError | psycopg.errors.ProgrammingError,
    )
