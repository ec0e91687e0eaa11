"""The statements about the fleet's dashboard: the token that reads the summaries, and what was made in a Grafana."""

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow

from belvedere.dashboards.fleet.model import Record, State
from belvedere.kernel.db import Connection, one

_LOCK: Final = 0x666C6565
_MOST_DIGESTS: Final = 20


def guard(connection: psycopg.Connection[Any]) -> None:
    """Let a transaction read alone, with no name looked up by accident, for some seconds a statement."""
    connection.execute(
        "SELECT set_config('transaction_read_only', 'on', true), set_config('search_path', 'pg_catalog', true), "
        "set_config('TimeZone', 'UTC', true), set_config('statement_timeout', '15s', true)"
    )


def hold(session: Connection) -> bool:
    """Take the lock of the dashboard for this session; False when another session has it."""
    row = one(session, "SELECT pg_try_advisory_lock(%s, 0) AS held", [_LOCK])
    return bool(row and row["held"])


def let_go(session: Connection) -> None:
    """Give the lock back. With the connection it goes too, but only once the server has seen its end."""
    if not session.broken:
        session.execute("SELECT pg_advisory_unlock(%s, 0)", [_LOCK])


def token(connection: Connection) -> DictRow | None:
    """Return the token that was made: its bucket, number, sealed value and version."""
    return one(connection, "SELECT bucket, number, sealed, version FROM fleet_token")


def keep_token(connection: Connection, *, bucket: str, number: str, sealed: bytes, version: int) -> None:
    """Write down a token."""
    connection.execute(
        "INSERT INTO fleet_token (bucket, number, sealed, version) VALUES (%s, %s, %s, %s) ON CONFLICT (single) DO "
        "UPDATE SET bucket = excluded.bucket, number = excluded.number, sealed = excluded.sealed, "
        "version = excluded.version, made_at = now()",
        [bucket, number, sealed, version],
    )


def forget_token(connection: Connection) -> None:
    """Forget the token."""
    connection.execute("DELETE FROM fleet_token")


def record(connection: Connection, url: str) -> Record:
    """Return what was made in a Grafana."""
    row = one(connection, "SELECT * FROM fleet_board WHERE url = %s", [url])
    if row is None:
        return Record(url)
    return Record(
        url, row["organisation_name"], row["organisation"] or 0, row["asked_at"] is not None,
        row["source_version"] or 0, row["board_version"] or 0, tuple(row["digests"]),
    )


def ask_for(connection: Connection, url: str, name: str) -> None:
    """Write down that the organisation is about to be made. What was known of another one is dropped."""
    connection.execute("DELETE FROM fleet_board WHERE url = %s", [url])
    connection.execute(
        "INSERT INTO fleet_board (url, organisation_name, asked_at) VALUES (%s, %s, now())", [url, name]
    )


def unask(connection: Connection, url: str) -> None:
    """Take that back: one of that name turned out to be somebody else's."""
    connection.execute("DELETE FROM fleet_board WHERE url = %s AND organisation IS NULL", [url])


def found(connection: Connection, url: str, name: str, organisation: int) -> None:
    """Write down which organisation it is; in another one than before nothing is known to stand."""
    connection.execute(
        "DELETE FROM fleet_board WHERE url = %s AND organisation IS DISTINCT FROM %s", [url, organisation]
    )
    connection.execute(
        "INSERT INTO fleet_board (url, organisation_name, organisation) VALUES (%s, %s, %s) ON CONFLICT (url) DO "
        "UPDATE SET organisation_name = excluded.organisation_name", [url, name, organisation],
    )


def source_age_s(connection: Connection, url: str) -> float:
    """Return how many seconds ago the data source was written; a day when it is not known."""
    row = one(
        connection,
        "SELECT extract(epoch FROM clock_timestamp() - source_at)::float8 AS age FROM fleet_board "
        "WHERE url = %s AND source_at IS NOT NULL", [url],
    )
    return float(row["age"]) if row else 86_400.0


def put_source(connection: Connection, url: str, version: int) -> None:
    """Write down the data source that stands there now; 0 while it is being written."""
    connection.execute(
        "UPDATE fleet_board SET source_version = %s, source_at = clock_timestamp() WHERE url = %s",
        [version or None, url],
    )


def put_board(connection: Connection, url: str, digest: str, version: int) -> None:
    """Write down the dashboard that stands there now; version 0 while it is being written."""
    connection.execute(
        "UPDATE fleet_board SET board_version = %s, "
        "digests = (ARRAY[%s] || array_remove(digests, %s))[1:%s] WHERE url = %s",
        [version or None, digest, digest, _MOST_DIGESTS, url],
    )


def forget(connection: Connection, url: str) -> None:
    """Forget what was made there."""
    connection.execute("DELETE FROM fleet_board WHERE url = %s", [url])


def looked(connection: Connection, url: str, warnings: Sequence[str]) -> None:
    """Write down a look that ended well."""
    connection.execute(
        "INSERT INTO fleet_board (url, looked_at, warnings) VALUES (%s, now(), %s) ON CONFLICT (url) DO "
        "UPDATE SET looked_at = now(), warnings = excluded.warnings, problem = '', "
        "problem_code = '', problem_hint = '', problem_since = NULL",
        [url, list(warnings)],
    )


def failed(connection: Connection, url: str, *, problem: str, code: str, hint: str) -> None:
    """Write down what stands in the way."""
    connection.execute(
        "INSERT INTO fleet_board AS b (url, problem, problem_code, problem_hint, problem_since) "
        "VALUES (%s, %s, %s, %s, now()) ON CONFLICT (url) DO UPDATE SET problem = excluded.problem, "
        "problem_code = excluded.problem_code, problem_hint = excluded.problem_hint, "
        "problem_since = coalesce(b.problem_since, now())",
        [url, problem, code, hint],
    )


def state(connection: Connection, url: str) -> State:
    """Return how it was at the last look."""
    row = one(connection, "SELECT * FROM fleet_board WHERE url = %s", [url])
    if row is None:
        return State(url)
    return State(
        url, row["organisation"] or 0, "", row["looked_at"], tuple(row["warnings"]),
        row["problem"], row["problem_code"], row["problem_hint"], row["problem_since"],
    )
