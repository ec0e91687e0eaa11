"""The statements about TimescaleDB: what a server offers, and what a superuser closes in one database.

Its functions may be called by every login of a database, and some change what they do not check: before 2.29.1
`drop_chunk` dropped anybody's rows, and `add_job` makes work that no limit on connections bounds. So only what
dashboards ask for stays open. What is not here: whether it is used (`plan.py`), templates (`lockdown/`), tables
(`series/`).
"""

from typing import Any, Final

import psycopg
from psycopg import sql

from belvedere.stores.timescale.plan import Offer

_LOADED: Final = sql.SQL(
    "EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'timescaledb.max_background_workers')")
"""Only a library that was loaded has its settings listed: a line for it in postgresql.conf does not count."""

_MEMBERS: Final = sql.SQL(
    "SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
    "WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'timescaledb' "
    "AND d.classid = {}")

_ROUTINES: Final = sql.SQL(
    "SELECT oid::regprocedure::text AS name, "
    "(pronamespace::regnamespace::text = 'public' AND proname = ANY ('{{time_bucket,time_bucket_gapfill,first,"
    "last,histogram,locf,interpolate}}')) OR (pronamespace::regnamespace::text = "
    "'_timescaledb_functions' AND proname ~ '^(first|last|hist|bookend)_') AS open "
    "FROM pg_catalog.pg_proc WHERE oid IN ({})").format(_MEMBERS.format(sql.SQL("'pg_catalog.pg_proc'::regclass")))
"""Functions for looking at rows stay open; all others are for who makes the tables."""

_RELATIONS: Final = sql.SQL(
    "SELECT oid::regclass::text AS name FROM pg_catalog.pg_class WHERE relkind IN ('r', 'v', 'S') AND oid IN ({})"
).format(_MEMBERS.format(sql.SQL("'pg_catalog.pg_class'::regclass")))

_SCHEMAS: Final = sql.SQL(
    "SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname = ANY ('{_timescaledb_cache,_timescaledb_debug,"
    "timescaledb_information,timescaledb_experimental}')")
"""Nobody but us enters these. Without the other schemas of the extension no statement of a login works."""


def offer(connection: psycopg.Connection[Any]) -> Offer:
    """Ask any database of a server what it has."""
    row = connection.execute(sql.SQL(
        "SELECT (SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = 'timescaledb') "
        "AS version, {} AS loaded").format(_LOADED)).fetchone()
    version, loaded = _values(row)
    return Offer(version, bool(loaded))


def installed(connection: psycopg.Connection[Any]) -> tuple[str | None, bool]:
    """Tell the version that a database has, and whether it is closed to tenants there."""
    row = connection.execute(sql.SQL(
        "SELECT (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') AS version, "
        "NOT EXISTS (SELECT FROM ({}) AS r WHERE NOT open AND pg_catalog.has_function_privilege('public', "
        "r.name::regprocedure, 'EXECUTE')) AS closed").format(_ROUTINES)).fetchone()
    version, closed = _values(row)
    return version, bool(version and closed)


def lost(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a database has hypertables on a server that no longer loads the extension.

    Rows are read there, and new ones would go where nobody sees them once it is loaded again.
    """
    row = connection.execute(sql.SQL(
        "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') "
        "THEN NOT {} ELSE false END AS lost").format(_LOADED)).fetchone()
    return bool(_values(row)[0])


def install(connection: psycopg.Connection[Any], role: str) -> None:
    """Make the extension, or bring it up to date, and close it to all but `role`; as superuser, in a fresh session.

    The update must be a session's first statement.
    """
    try:
        connection.execute("ALTER EXTENSION timescaledb UPDATE")
    except psycopg.errors.UndefinedObject:
        connection.execute("CREATE EXTENSION timescaledb WITH SCHEMA public")
    close(connection, role)


def close(connection: psycopg.Connection[Any], role: str) -> None:
    """Take what is not for looking at rows from PUBLIC. Twice changes nothing."""
    who = sql.Identifier(role)
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        for name, is_open in _all(connection.execute(_ROUTINES)):
            routine = sql.SQL("ROUTINE {}").format(sql.SQL(name))
            verb = sql.SQL("GRANT EXECUTE ON {} TO PUBLIC" if is_open else "REVOKE ALL ON {} FROM PUBLIC")
            connection.execute(verb.format(routine))
            connection.execute(sql.SQL("GRANT EXECUTE ON {} TO {}").format(routine, who))
        for (name,) in _all(connection.execute(_RELATIONS)):
            connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(sql.SQL(name)))
            connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.SQL(name), who))
        for (schema,) in _all(connection.execute(_SCHEMAS)):
            connection.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(sql.Identifier(schema)))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), who))
        # Dumps are read back there; the extension makes its chunks without this right.
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA _timescaledb_internal TO {}").format(who))


def stop_workers(connection: psycopg.Connection[Any]) -> None:
    """End the extension's own session in this database, so that it can be copied."""
    connection.execute("SELECT _timescaledb_functions.stop_background_workers()")


def _all(cursor: psycopg.Cursor[Any]) -> list[tuple[Any, ...]]:
    return [_values(row) for row in cursor.fetchall()]


def _values(row: Any) -> tuple[Any, ...]:  # noqa: ANN401  (the caller's connection decides how rows look)
    return tuple(row.values()) if isinstance(row, dict) else tuple(row)
