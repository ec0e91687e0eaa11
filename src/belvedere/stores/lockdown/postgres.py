"""Preparing a server, once, as its superuser: a closed template database, and rights that only a superuser gives.

Every tenant's database is a copy of the template, so its catalogue is closed from its first moment. Running it again
closes what a newer version of this file closes besides, in the template and in every database of ours.
What is not here: making tenants' logins and databases (`stores/postgres.py`), which needs no superuser.
"""

from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from belvedere.kernel.failpoints import failpoint
from belvedere.stores.timescale import plan as timescale_plan
from belvedere.stores.timescale import postgres as timescale

VERSION: Final = "2"
"""Goes up when the statements below change; the template's comment carries the one it was closed by."""

MARK: Final = "belvedere template "

_WITH: Final = " timescaledb "
"""Between the two versions in the comment of the template that has TimescaleDB."""

SUPERUSER_PARAMETERS: Final = ("temp_file_limit", "log_min_messages")
"""Settings of a role that only a superuser may give, unless this right was passed on (PostgreSQL 15 and newer)."""

SHARED_RELATIONS: Final[LiteralString] = """
DO $close$
DECLARE
    target regclass;
BEGIN
    -- The shared catalogues name every role and database of the server; a future version's new one is closed too.
    -- pg_tablespace stays: it names nobody, and pg_dump needs it.
    FOR target IN
        SELECT oid FROM pg_catalog.pg_class
        WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND relisshared AND relname <> 'pg_tablespace'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', target);
    END LOOP;
    -- Views over other sessions, other databases and other logins.
    FOR target IN
        SELECT oid FROM pg_catalog.pg_class
        WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'v' AND (
            relname = ANY ('{pg_user,pg_group,pg_locks,pg_prepared_xacts,pg_stat_activity,pg_stat_database,
                pg_stat_database_conflicts,pg_stat_ssl,pg_stat_gssapi,pg_stat_replication,pg_stat_replication_slots,
                pg_stat_subscription,pg_stat_subscription_stats,pg_stat_wal_receiver,pg_stat_recovery_prefetch,
                pg_replication_slots,pg_replication_origin_status,pg_stat_io,pg_stat_wal,pg_stat_archiver,
                pg_stat_bgwriter,pg_stat_checkpointer,pg_stat_slru,pg_seclabels,pg_user_mappings,pg_aios}')
            OR relname LIKE 'pg\\_stat\\_progress\\_%')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', target);
    END LOOP;
END $close$
"""

FUNCTIONS: Final[LiteralString] = """
DO $close$
DECLARE
    target regprocedure;
BEGIN
    FOR target IN
        SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
            proname = ANY ('{
                pg_describe_object,pg_identify_object,pg_identify_object_as_address,pg_get_object_address,
                shobj_description,pg_tablespace_databases,pg_database_size,pg_tablespace_size,
                pg_stat_get_activity,pg_stat_get_backend_idset,pg_stat_get_progress_info,pg_lock_status,
                pg_prepared_xact,pg_get_replication_slots,pg_stat_get_replication_slot,pg_stat_get_wal_senders,
                pg_stat_get_wal_receiver,pg_stat_get_subscription,pg_stat_get_io,pg_stat_get_wal,
                pg_stat_have_stats,pg_blocking_pids,pg_safe_snapshot_blocking_pids,
                pg_notify,pg_logical_emit_message,pg_get_aios,pg_notification_queue_usage,
                lo_creat,lo_create,lo_from_bytea,lo_put,lo_open,lo_import,lo_export,lowrite,lo_truncate,lo_truncate64,
                be_lo_unlink,lo_unlink}')
            OR proname LIKE 'pg\\_stat\\_get\\_db\\_%' OR proname LIKE 'pg\\_stat\\_get\\_backend\\_%'
            OR proname LIKE 'pg\\_advisory%' OR proname LIKE 'pg\\_try\\_advisory%')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', target);
    END LOOP;
END $close$
"""

OWN_ROLES: Final[LiteralString] = """
DO $close$
DECLARE
    meaning text := pg_catalog.pg_get_viewdef('pg_catalog.pg_roles'::regclass);
BEGIN
    -- psql's \\d and pg_dump read pg_roles, so it cannot be taken away; it shows those who may enter this very database
    -- and the server's predefined roles.
    IF meaning NOT LIKE '%has_database_privilege%' THEN
        SET LOCAL allow_system_table_mods = on;
        EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_roles AS SELECT * FROM (' || pg_catalog.rtrim(meaning, ';')
            || ') AS every WHERE every.oid < 16384 OR pg_catalog.has_database_privilege('
            || 'every.oid, pg_catalog.current_database(), ''CONNECT'')';
    END IF;
END $close$
"""

OWN_ENCODING: Final[LiteralString] = """
DO $close$
DECLARE
    meaning text := pg_catalog.pg_get_functiondef('information_schema._pg_char_octet_length'::regproc);
BEGIN
    -- PostgreSQL 15 reads the encoding from pg_database, with the reader's own rights; without this
    -- information_schema.columns would be closed with it.
    IF meaning ~ 'pg_database' THEN
        SET LOCAL allow_system_table_mods = on;
        EXECUTE pg_catalog.regexp_replace(meaning, '\\(SELECT pg_database\\.encoding.*?current_database\\(\\)\\)\\)',
            'pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding())');
    END IF;
END $close$
"""

SCHEMA: Final[LiteralString] = "REVOKE ALL ON SCHEMA public FROM PUBLIC"

CLOSED: Final = (SHARED_RELATIONS, FUNCTIONS, OWN_ROLES, OWN_ENCODING, SCHEMA)
"""What closes one database, in order. Every statement does nothing the second time."""


def template_name(provisioning_role: str, *, series: bool = False) -> str:
    """Return the name of a provisioning role's template: the common one, or that of measured values on TimescaleDB."""
    return f"{provisioning_role[:47]}_template_series" if series else f"{provisioning_role}_template"[:63]


def prepared_timescale(connection: psycopg.Connection[Any], provisioning_role: str) -> str | None:
    """Return the version of TimescaleDB that the template of measured values was made with, or None without one."""
    said = _template_version(connection, template_name(provisioning_role, series=True)) or ""
    return said.partition(_WITH)[2] or None


def lock_down(connection: psycopg.Connection[Any]) -> None:
    """Close the database that this superuser's connection is in."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        for statement in CLOSED:
            connection.execute(statement)


def prepare_server(
    superuser_connection: psycopg.Connection[Any], *, provisioning_role: str, exclusive: bool = True,
    timescale_wanted: str = "auto",
) -> list[str]:
    """Make or renew the closed template, and give the provisioning role what it needs and only a superuser can give.

    Args:
        superuser_connection: any database of the server, in autocommit.
        provisioning_role: the login that makes tenants; it exists, and is no superuser.
        exclusive: the server serves Belvedere alone, so that `postgres` and `template1` are closed to tenants too.
            On a server with other applications they stay as they are, and `doctor` says so.
        timescale_wanted: `off`: measured values get no template of their own, whatever the server has.

    Returns:
        What was done, as sentences; empty when the server was ready.
    """
    done = _grant_rights(superuser_connection, provisioning_role)
    done += _close_databases(superuser_connection, provisioning_role, exclusive=exclusive)
    name = template_name(provisioning_role)
    if _template_version(superuser_connection, name) != VERSION:
        _make_template(superuser_connection, name, provisioning_role, VERSION)
        done.append(f"Made the closed template database {name}.")
        for database in _tenants_databases(superuser_connection, provisioning_role):
            with _connected(superuser_connection, database) as inside:
                lock_down(inside)
            done.append(f"Closed the catalogue of {database}.")
    return done + _prepare_timescale(superuser_connection, provisioning_role, timescale_wanted)


def _prepare_timescale(connection: psycopg.Connection[Any], role: str, wanted: str) -> list[str]:
    """Make or renew the template of measured values, where the server has TimescaleDB; close it in tenants' databases.

    An update of the extension brings functions that are open again: it is done here, with the closing.
    """
    offer = timescale.offer(connection)
    if timescale_plan.refusal(offer, wanted):
        return []
    done = []
    name, version = template_name(role, series=True), f"{VERSION}{_WITH}{offer.version}"
    if _template_version(connection, name) != version:
        _make_template(connection, name, role, version, timescaled=True)
        done.append(f"Made the closed template database {name} with TimescaleDB {offer.version}.")
    for database in _tenants_databases(connection, role, like="%-series"):
        with _connected(connection, database) as inside:
            there, closed = timescale.installed(inside)
        if there is None or (there == offer.version and closed):
            continue
        with _connected(connection, database) as inside:
            timescale.install(inside, role)
        done.append(f"Closed TimescaleDB {offer.version} in {database}.")
    return done


def _grant_rights(connection: psycopg.Connection[Any], role: str) -> list[str]:
    done = []
    who = sql.Identifier(role)
    for parameter in SUPERUSER_PARAMETERS:
        if not _true(connection, "SELECT has_parameter_privilege(%s, %s, 'SET')", [role, parameter]):
            connection.execute(
                sql.SQL("GRANT SET ON PARAMETER {} TO {}").format(sql.Identifier(parameter), who)
            )
            done.append(f"Allowed {role} to set {parameter} for tenants' logins.")
    if _true(connection, "SELECT has_database_privilege('public', 'postgres', 'CONNECT')", []):
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO {}").format(who))
    if not _true(connection, "SELECT pg_has_role(%s, 'pg_signal_backend', 'USAGE')", [role]):
        # To end the sessions of a tenant that is deleted, and statements that outlive their time limit.
        connection.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(who))
        done.append(f"Allowed {role} to end sessions.")
    return done


def _close_databases(connection: psycopg.Connection[Any], role: str, *, exclusive: bool) -> list[str]:
    """Take CONNECT and TEMP from PUBLIC on the databases of ours; the owner and those named keep theirs."""
    done = []
    open_ones = connection.execute(
        "SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba "
        "WHERE (r.rolname = %s OR (%s AND datname IN ('postgres', 'template1'))) AND "
        "(has_database_privilege('public', d.oid, 'CONNECT') OR has_database_privilege('public', d.oid, 'TEMP'))",
        [role, exclusive],
    ).fetchall()
    for row in open_ones:
        name = _first(row)
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        done.append(f"Closed the database {name} to everybody not named.")
    return done


def _template_version(connection: psycopg.Connection[Any], name: str) -> str | None:
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s AND datistemplate "
        "AND NOT datallowconn",
        [name],
    ).fetchone()
    comment = _first(row) if row else None
    return str(comment).removeprefix(MARK) if comment and str(comment).startswith(MARK) else None


def _make_template(
    connection: psycopg.Connection[Any], name: str, role: str, version: str, *, timescaled: bool = False
) -> None:
    called = sql.Identifier(name)
    if not _true(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name]):
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false").format(called)
        )
    failpoint("stores.prepare.template-made")
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(called))
    connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(called))
    if timescaled:
        with _connected(connection, name) as inside:
            timescale.install(inside, role)
    with _connected(connection, name) as inside:
        lock_down(inside)
        # The copies' owner reads what it must see to plan; only the copies' own catalogue, never their tables. It may
        # pass that on for a moment: a backup's login, which is otherwise no more than the tenant's writer, needs it.
        for view in ("pg_database", "pg_roles", "pg_shdescription", "pg_db_role_setting"):
            inside.execute(
                sql.SQL("GRANT SELECT ON pg_catalog.{} TO {} WITH GRANT OPTION").format(
                    sql.Identifier(view), sql.Identifier(role)
                )
            )
        inside.execute(
            sql.SQL("GRANT EXECUTE ON FUNCTION pg_catalog.shobj_description(oid, name) TO {} WITH GRANT OPTION").format(
                sql.Identifier(role)
            )
        )
        if timescaled:
            timescale.stop_workers(inside)
    failpoint("stores.prepare.template-closed")
    with connection.transaction():
        connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true").format(called))
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(called, sql.Literal(MARK + version)))


def _tenants_databases(connection: psycopg.Connection[Any], role: str, like: str = "%") -> list[str]:
    found = connection.execute(
        "SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = %s AND datallowconn "
        "AND shobj_description(d.oid, 'pg_database') LIKE 'belvedere store %%' AND datname LIKE %s ORDER BY datname",
        [role, like],
    ).fetchall()
    return [str(_first(row)) for row in found]


def _connected(connection: psycopg.Connection[Any], database: str) -> psycopg.Connection[Any]:
    """Open the same superuser's connection to another database of the server."""
    where = make_conninfo(connection.info.dsn, dbname=database, password=connection.info.password or None)
    return psycopg.connect(where, autocommit=True)


def _true(connection: psycopg.Connection[Any], query: LiteralString, values: list[Any]) -> bool:
    row = connection.execute(query, values).fetchone()
    return bool(row and _first(row))


def _first(row: Any) -> Any:  # noqa: ANN401  (the caller's connection decides how rows look)
    return next(iter(row.values())) if isinstance(row, dict) else row[0]
