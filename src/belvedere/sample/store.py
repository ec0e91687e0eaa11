"""The sample's statements, run as the tenant's writer in the tenant's own databases."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from belvedere.sample.tables import Table


def stands(connection: psycopg.Connection[Any], name: str) -> bool:
    """Tell whether there is a table or view of this name."""
    return connection.execute("SELECT to_regclass(%s)", [f"public.{name}"]).fetchone() != (None,)


def write(connection: psycopg.Connection[Any], table: Table, now: datetime) -> int:
    """Make a table and fill it by COPY, or make a view; return the number of rows."""
    kind = sql.SQL("VIEW") if table.view else sql.SQL("TABLE")
    connection.execute(
        sql.SQL("CREATE {} {} {}").format(kind, sql.Identifier("public", table.name), sql.SQL(table.definition)))
    if table.rows is None:
        return 0
    count = 0
    with connection.cursor() as cursor:
        copying = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier("public", table.name))
        with cursor.copy(copying) as copy:
            for row in table.rows(now):
                copy.write_row(row)
                count += 1
    return count
