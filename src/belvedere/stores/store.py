"""The statements about stores, logins and relations in the control database."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id
from belvedere.stores.model import Column, LoginKind, Relation, RelationKind, RelationState, StoreKind

_LOCK: Final = 0x73746F72
_WATCH_LOCK: Final = 0x77617463
_PATIENCE: Final = "5s"
"""How long another job is waited for: making a tenant's databases takes a second or two."""


def hold_watch(session: Connection) -> bool:
    """Take the watching lock of the installation for this session; False when another process watches."""
    row = one(session, "SELECT pg_try_advisory_lock(%s) AS held", [_WATCH_LOCK])
    return bool(row and row["held"])


def is_held(session: Connection) -> None:
    """Make sure that the session that holds a lock lives. Raises OperationalError when it does not."""
    session.execute("SELECT 1")


def add_login(connection: Connection, tenant: int, kind: LoginKind, role: str) -> bool:
    """Remember a login before it is made; False when the tenant has one of that kind."""
    return bool(
        connection.execute(
            "INSERT INTO store_login (tenant_id, kind, role_name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [tenant, kind, role],
        ).rowcount
    )


def logins(connection: Connection, tenant: int) -> dict[LoginKind, str]:
    """Return the role names of a tenant by kind."""
    found = rows(connection, "SELECT kind, role_name FROM store_login WHERE tenant_id = %s", [tenant])
    return {LoginKind(row["kind"]): str(row["role_name"]) for row in found}


def add_store(connection: Connection, tenant: int, kind: StoreKind, *, server: str, database: str) -> None:
    """Remember a database before it is made. Raises UniqueViolation when another tenant's store bears the name."""
    connection.execute(
        "INSERT INTO store (id, tenant_id, kind, server, database, state) VALUES (%s, %s, %s, %s, %s, 'planned') "
        "ON CONFLICT (tenant_id, kind) DO NOTHING",
        [new_id(), tenant, kind, server, database],
    )


def of_tenant(connection: Connection, tenant: int) -> list[DictRow]:
    """Return a tenant's stores in the order in which they were made."""
    return rows(connection, "SELECT * FROM store WHERE tenant_id = %s ORDER BY id", [tenant])


def by_id(connection: Connection, ident: UUID) -> DictRow | None:
    """Find a store."""
    return one(connection, "SELECT * FROM store WHERE id = %s", [ident])


def ready(connection: Connection) -> list[DictRow]:
    """Return every store whose database is there, for the watcher."""
    return rows(
        connection,
        "SELECT id, tenant_id, server, database, database_oid, (SELECT role_name FROM store_login l "
        "WHERE l.tenant_id = store.tenant_id AND l.kind = 'reader') AS reader "
        "FROM store WHERE state = 'ready' AND database_oid IS NOT NULL ORDER BY id",
    )


def set_ready(connection: Connection, ident: UUID, database_oid: int) -> bool:
    """Mark a store as ready; tell whether it was not, or had another database."""
    return bool(
        connection.execute(
            "UPDATE store SET state = 'ready', database_oid = %s, ready_at = coalesce(ready_at, now()) "
            "WHERE id = %s AND (state <> 'ready' OR database_oid IS DISTINCT FROM %s)",
            [database_oid, ident, database_oid],
        ).rowcount
    )


def remove(connection: Connection, tenant: int) -> None:
    """Forget a tenant's stores, logins and relations."""
    connection.execute("DELETE FROM store WHERE tenant_id = %s", [tenant])
    connection.execute("DELETE FROM store_login WHERE tenant_id = %s", [tenant])


def hold(session: Connection, tenant: int) -> bool:
    """Take the lock of a tenant's databases for this session; False when another session has it, and keeps it long."""
    session.execute("SELECT set_config('lock_timeout', %s, false)", [_PATIENCE])
    try:
        session.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, tenant % 2**31])
    except LockNotAvailable:
        return False
    finally:
        session.execute("RESET lock_timeout")
    return True


def relations(connection: Connection, ident: UUID, states: Iterable[RelationState]) -> list[Relation]:
    """Return a store's relations in these states, by name."""
    found = rows(
        connection,
        "SELECT * FROM relation WHERE store_id = %s AND state = ANY(%s) ORDER BY schema, name, oid",
        [ident, list(states)],
    )
    return [relation_of(row) for row in found]


def here(connection: Connection, idents: list[UUID]) -> list[DictRow]:
    """Return all relations of these stores that are not gone, as the watcher keeps them in memory."""
    return rows(connection, "SELECT * FROM relation WHERE state <> 'gone' AND store_id = ANY(%s)", [idents])


def put_relations(connection: Connection, tenant: int, found: list[Relation], *, found_by: str) -> None:
    """Add relations or bring them up to date; a thousand at once cost little more than one."""
    connection.cursor().executemany(
        "INSERT INTO relation (id, tenant_id, store_id, oid, schema, name, kind, columns, rows_estimate, size_bytes, "
        "readable, state, found_by, first_seen_at, stable_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (store_id, oid) WHERE state <> 'gone' DO UPDATE SET schema = excluded.schema, "
        "name = excluded.name, kind = excluded.kind, columns = excluded.columns, "
        "rows_estimate = excluded.rows_estimate, size_bytes = excluded.size_bytes, readable = excluded.readable, "
        "state = excluded.state, stable_at = excluded.stable_at",
        [
            [new_id(), tenant, one.store_id, one.oid, one.schema, one.name, one.kind,
             Jsonb([[column.name, column.type, column.nullable] for column in one.columns]), one.rows_estimate,
             one.size_bytes, one.readable, one.state, found_by, one.first_seen_at, one.stable_at]
            for one in found
        ],
    )


def mark_gone(connection: Connection, ident: UUID, oids: list[int], at: datetime) -> None:
    """Mark relations as dropped; the rows stay a while, so that pages can say what went."""
    connection.execute(
        "UPDATE relation SET state = 'gone', gone_at = %s WHERE store_id = %s AND oid = ANY(%s) AND state <> 'gone'",
        [at, ident, oids],
    )


def forget_gone(connection: Connection, before: datetime) -> None:
    """Drop the rows of relations that went before a moment."""
    connection.execute("DELETE FROM relation WHERE state = 'gone' AND gone_at < %s", [before])


def note_watch(
    connection: Connection, server: str, *, at: datetime | None, full: bool = False, missed: int = 0,
    error: str | None = None, retry_at: datetime | None = None,
) -> None:
    """Write how the watcher fares on a server."""
    connection.execute(
        "INSERT INTO watch_state (server, looked_at, last_full_at, error, retry_at, missed) "
        "VALUES (%(server)s, %(at)s, CASE WHEN %(full)s THEN %(at)s END, %(error)s, %(retry_at)s, %(missed)s) "
        "ON CONFLICT (server) DO UPDATE SET looked_at = coalesce(excluded.looked_at, watch_state.looked_at), "
        "last_full_at = coalesce(excluded.last_full_at, watch_state.last_full_at), error = excluded.error, "
        "retry_at = excluded.retry_at, missed = watch_state.missed + excluded.missed",
        {"server": server, "at": at, "full": full, "missed": missed, "error": error, "retry_at": retry_at},
    )


def watch_states(connection: Connection) -> list[DictRow]:
    """Return how the watcher fares, by server."""
    return rows(connection, "SELECT * FROM watch_state ORDER BY server")


def counts(connection: Connection) -> DictRow | None:
    """Count the databases that are there and the relations in them."""
    return one(
        connection,
        "SELECT (SELECT count(*) FROM store WHERE state = 'ready') AS databases, "
        "(SELECT count(*) FROM relation WHERE state <> 'gone') AS tables",
    )


def relation_of(row: DictRow) -> Relation:
    """Make a relation of its row."""
    return Relation(
        store_id=row["store_id"], oid=row["oid"], schema=row["schema"], name=row["name"],
        kind=RelationKind(row["kind"]), columns=tuple(Column(*column) for column in row["columns"]),
        rows_estimate=row["rows_estimate"], size_bytes=row["size_bytes"], state=RelationState(row["state"]),
        first_seen_at=row["first_seen_at"], stable_at=row["stable_at"], readable=row["readable"],
    )
