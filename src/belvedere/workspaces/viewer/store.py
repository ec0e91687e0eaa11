"""Runs composed statements on a tenant's database, as its reader, and nothing else.

The connection comes from `Readers.reader`: read-only, `search_path = pg_catalog`, with time-outs. What is not
here: composing (`workspaces/postgres.py`).
"""

from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

_MOST_ROWS: Final = 25_000


def run(connection: psycopg.Connection[Any], statement: sql.Composed) -> list[dict[str, Any]]:
    """Run a statement and return its rows, at most 25,000."""
    with connection.cursor(row_factory=dict_row) as cursor:
        # Without values nothing is taken for a placeholder, so a percent sign in a name stays one.
        cursor.execute(statement)
        return cursor.fetchmany(_MOST_ROWS)


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
