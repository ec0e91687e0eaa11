"""Runs composed statements on a tenant's database, as its reader, and nothing else.

The connection comes from `Readers.reader`: read-only, `search_path = pg_catalog`, with time-outs. What is not
here: composing (`workspaces/postgres.py`).
"""

from collections.abc import Generator
from contextlib import closing
from typing import Any, Final, cast

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from belvedere.kernel.errors import Rejected

_MOST_ROWS: Final = 25_000
_MOST_CHARACTERS: Final = 16_000_000
_BATCH: Final = 500


class TooLarge(Rejected):
    """The answer is larger than what a panel can show."""

    code = "answer-too-large"


def run(connection: psycopg.Connection[Any], statement: sql.Composed) -> list[dict[str, Any]]:
    """Run a statement and return its rows, which come in batches, so that what is too much is never held.

    Raises:
        TooLarge: more than 25,000 rows, or more text than any picture can show.
        psycopg.Error: the database refused or broke off.
    """
    rows: list[dict[str, Any]] = []
    held = 0
    # Without values nothing is taken for a placeholder, so a percent sign in a name stays one.
    with (
        connection.cursor(row_factory=dict_row) as cursor,
        closing(cast("Generator[dict[str, Any], None, None]", cursor.stream(statement, size=_BATCH))) as stream,
    ):
        for row in stream:
            rows.append(row)
            held += sum(len(value) for value in row.values() if isinstance(value, str))
            if len(rows) > _MOST_ROWS or held > _MOST_CHARACTERS:
                message = "The answer is too large to draw. Choose a shorter range or fewer values."
                raise TooLarge(message)
    return rows


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether the session is gone, instead of a statement being refused."""
    state = error.sqlstate or ""
    return not state or state.startswith(("08", "57P"))


def words(error: psycopg.Error) -> str:
    """Return the database's own sentence about an error, without detail, hint, statement or address."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "The query took too long and was stopped. Choose a shorter range."
    message = error.diag.message_primary
    if not message:
        return "The store broke the connection."
    return message[:300]
