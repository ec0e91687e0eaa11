"""A bounded look at a tenant's relation, as its reader: values of the shape of a number or a time, and since when.

Nothing of a tenant's is evaluated but by its own reader in a read-only transaction with `search_path =
pg_catalog`. What is not here: what the counts mean (`classify.py`), panels' queries (`workspaces/postgres.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import sql

from belvedere.dashboards.classify import ColumnProfile, Profile, Shape
from belvedere.workspaces.dialect import write
from belvedere.workspaces.model import Model
from belvedere.workspaces.reading import NUMBER, PLAIN_TIME, ZONED_TIME, as_text, expression, stored_as
from belvedere.workspaces.viewer.store import is_lost, run

SAMPLED_ROWS: Final = 5000
_MOST_COLUMNS: Final = 200
_RANGES: Final = (
    (6, "now-7d"), (27, "now-30d"), (85, "now-90d"), (175, "now-6M"), (355, "now-1y"), (715, "now-2y"),
    (1800, "now-5y"),
)
"""The most days that each leaves room for: what fits today is to fit for a while."""

_SHORT_RANGES: Final = ((0.2, "now-6h"), (0.9, "now-24h"), (1.9, "now-2d"))
"""Ranges of a table that is looked at again whenever values come, and so need not fit for long."""

_LIVE: Final = timedelta(days=3)
"""How old the last row may be for more to be expected: files come once a night, and not on each weekend."""

_EMPTY: Final = 0.25
"""The most of a range that may be empty at its end for the sake of rows to come."""

_MARGIN: Final = 0.005

_BEGINNING: Final = datetime.min.replace(year=1900, tzinfo=UTC)


def profile(
    connection: psycopg.Connection[Any], shape: Shape, asked: Sequence[tuple[str, str]], *, rows_estimate: int | None,
    timeout_ms: int = 5000,
) -> Profile:
    """Look at the first rows of a relation.

    Args:
        connection: the reader's, in its transaction.
        shape: names and types of the relation.
        asked: pairs of column and pattern whose matches are counted as well.
        rows_estimate: what the server believes the relation holds.
        timeout_ms: how long this look may take.

    Raises:
        psycopg.Error: the relation cannot be read: it is gone, forbidden, slow, or a view that fails.
    """
    columns = shape.columns[:_MOST_COLUMNS]
    with connection.transaction():
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(timeout_ms)])
        row = run(connection, _statement(shape, columns, asked))[0]
    seen = {
        name: ColumnProfile(
            filled=row[f"filled{index}"], distinct=row[f"distinct{index}"], numbers=row.get(f"numbers{index}") or 0,
            times=row.get(f"times{index}") or 0,
            matches={
                pattern: row[f"match{place}"] or 0
                for place, (column, pattern) in enumerate(asked) if column == name and f"match{place}" in row
            })
        for index, (name, _) in enumerate(columns)
    }
    return Profile(row["looked"], seen, rows_estimate, whole=row["looked"] < SAMPLED_ROWS)


def reach(connection: psycopg.Connection[Any], model: Model, *, timeout_ms: int = 1000) -> str:
    """Return the shortest usual time range that holds every row; empty when there is no time, or no answer in time.

    Raises:
        psycopg.OperationalError: the session is lost.
    """
    field = model.fields.get(model.time or "")
    if field is None:
        return ""
    statement = write(
        "SELECT (extract(epoch FROM now() - min({})) / 86400)::float8 AS days FROM {}.{}",
        expression(field, sql.Identifier(field.column)), sql.Identifier(model.schema), sql.Identifier(model.table))
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(timeout_ms)])
            days = run(connection, statement)[0]["days"]
    except psycopg.Error as error:
        if is_lost(error):
            raise
        return ""
    return next((name for most, name in _RANGES if days is not None and days <= most), "")


def window(
    connection: psycopg.Connection[Any], model: Model, most: int, *, first: datetime | None = None,
    timeout_ms: int = 3000,
) -> tuple[str, str, bool]:
    """Return the range to show first, and whether rows after it are left out on purpose.

    It is where the last `most` rows stand, but for a few that stand far apart. Where `first` is known, rows before it
    do not count, and none after it stands too far apart.
    Only where an index leads to the last rows it is quick enough; empty where it is not, and for no rows at all.
    While rows still come, the range goes with the clock.

    Raises:
        psycopg.OperationalError: the session is lost.
    """
    field = model.fields.get(model.time or "")
    if field is None or field.stored != "timestamptz":
        return "", "", False
    statement = write(
        "SELECT count(*) AS n, min(t) AS low, percentile_disc(0.01) WITHIN GROUP (ORDER BY t) AS early, "
        "percentile_disc(0.99) WITHIN GROUP (ORDER BY t) AS late, max(t) AS high, now() AS now FROM "
        "(SELECT {0} AS t FROM {1}.{2} WHERE {0} >= {4} ORDER BY {0} DESC LIMIT {3}) AS last",
        sql.Identifier(field.column), sql.Identifier(model.schema), sql.Identifier(model.table), sql.Literal(most),
        sql.Literal(first or _BEGINNING))
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(timeout_ms)])
            row = run(connection, statement)[0]
    except psycopg.Error as error:
        if is_lost(error):
            raise
        return "", "", False
    if not row["n"]:
        return "", "", False
    return first_range(row | {"early": row["low"]} if first else row, whole=row["n"] < most)


def first_range(row: Mapping[str, Any], *, whole: bool) -> tuple[str, str, bool]:
    """Choose the range of some rows: `low`, `early`, `late`, `high` of their times, and what time it is now."""
    # A meter whose clock was reset writes a few rows years away: they would leave a dot at each end of a chart.
    since = row["early"] if row["early"] - row["low"] > row["late"] - row["early"] else row["low"]
    until = row["late"] if row["high"] - row["late"] > row["late"] - since else row["high"]
    if -_LIVE < row["now"] - until < min(_LIVE, (row["now"] - since) * _EMPTY):
        days = (row["now"] - since) / timedelta(days=1)
        ranges = (*_SHORT_RANGES, *_RANGES)
        fitting = [name for most, name in ranges if days <= most]
        shorter = [name for most, name in ranges if most <= days]
        name = (fitting[0] if fitting else "") if whole else (shorter[-1] if shorter else "now-24h")
        if name:
            return name, "now", False
    # Flux ends before the end of a range.
    last = until + timedelta(minutes=1)
    # The first interval of a chart begins before its first value, and must not lie outside.
    since -= (until - since) * _MARGIN
    return f"{since:%Y-%m-%dT%H:%M}Z", f"{last:%Y-%m-%dT%H:%M}Z", until != row["high"]


def stands(connection: psycopg.Connection[Any], oid: int) -> bool:
    """Tell whether a relation is still there: a view's own function may claim that it is not."""
    return connection.execute("SELECT FROM pg_catalog.pg_class WHERE oid = %s", [oid]).fetchone() is not None


def _statement(shape: Shape, columns: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]) -> sql.Composed:
    read: list[sql.Composable] = [
        write("{} AS {}", as_text(stored_as(kind), sql.Identifier(name)), sql.Identifier(f"c{index}"))
        for index, (name, kind) in enumerate(columns)
    ]
    counts: list[sql.Composable] = [sql.SQL("count(*) AS looked")]
    for index, (_, kind) in enumerate(columns):
        value = sql.Identifier(f"c{index}")
        counts.append(write(
            "count(nullif(btrim({0}), '')) AS {1}, count(DISTINCT left({0}, 200)) AS {2}", value,
            sql.Identifier(f"filled{index}"), sql.Identifier(f"distinct{index}")))
        if stored_as(kind) in ("text", "other"):
            counts.append(write(
                "count(*) FILTER (WHERE {0} ~ {1}) AS {2}, count(*) FILTER (WHERE {0} ~ {3} OR {0} ~ {4}) AS {5}",
                value, sql.Literal(NUMBER), sql.Identifier(f"numbers{index}"), sql.Literal(ZONED_TIME),
                sql.Literal(PLAIN_TIME), sql.Identifier(f"times{index}")))
    places = {name: index for index, (name, _) in enumerate(columns)}
    for place, (column, pattern) in enumerate(asked):
        if column in places:
            counts.append(write(
                "count(*) FILTER (WHERE {} ~ {}) AS {}", sql.Identifier(f"c{places[column]}"), sql.Literal(pattern),
                sql.Identifier(f"match{place}")))
    return write(
        "SELECT {} FROM (SELECT {} FROM {}.{} LIMIT {}) AS sample", sql.SQL(", ").join(counts),
        sql.SQL(", ").join(read or [sql.SQL("1 AS one")]), sql.Identifier(shape.schema), sql.Identifier(shape.name),
        sql.Literal(SAMPLED_ROWS))
