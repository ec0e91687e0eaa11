"""The statements about tenants and their steps. No rule stands here."""

from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.kernel.db import Connection, one, rows
from belvedere.tenants.model import Kind, StepRecord, StepState, Tenant, TenantState

_OVERVIEW: Final[LiteralString] = """
SELECT * FROM (
    SELECT t.*, s.done, s.total, s.problem,
        CASE WHEN t.deleting_since IS NOT NULL AND s.failed > 0 THEN 'needs you'
             WHEN t.deleting_since IS NOT NULL THEN 'deleting'
             WHEN s.failed > 0 THEN 'needs you'
             WHEN s.working > 0 THEN 'working'
             WHEN s.waiting > 0 THEN 'partial'
             WHEN s.planned > 0 OR s.total = 0 THEN 'working'
             ELSE 'ready' END AS state
    FROM tenant t, LATERAL (
        SELECT count(*) AS total,
            count(*) FILTER (WHERE state IN ('done', 'skipped')) AS done,
            count(*) FILTER (WHERE state = 'failed') AS failed,
            count(*) FILTER (WHERE state = 'waiting') AS waiting,
            count(*) FILTER (WHERE state = 'working') AS working,
            count(*) FILTER (WHERE state = 'planned') AS planned,
            (array_agg(error ORDER BY position) FILTER (WHERE state IN ('failed', 'waiting')))[1] AS problem
        FROM tenant_step WHERE tenant_id = t.serial
    ) s
) o
"""

_COUNT: Final[LiteralString] = "SELECT count(*) AS n FROM ("


def reserve(connection: Connection, serial: int) -> None:
    """Let nobody make a tenant until the end of this transaction, and give out no number up to this one again."""
    connection.execute("LOCK TABLE tenant IN SHARE ROW EXCLUSIVE MODE")
    connection.execute(
        "SELECT setval(s.name, greatest(%(serial)s, (SELECT coalesce(max(serial), 1) FROM tenant), "
        "nextval(s.name) - 1)) FROM (SELECT pg_get_serial_sequence('tenant', 'serial')::regclass AS name) s",
        {"serial": serial},
    )


def insert(
    connection: Connection, *, ident: UUID, name: str, key: str, slug: str, kind: str, api_key_hash: bytes, by: str,
    serial: int | None = None,
) -> int:
    """Add a tenant and return its serial number, the one that was reserved or the next.

    Raises UniqueViolation when the name or slug is taken.
    """
    values = [ident, name, key, slug, kind, api_key_hash, by]
    if serial is None:
        row = one(
            connection,
            "INSERT INTO tenant (id, name, name_key, slug, kind, api_key_hash, created_by) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING serial", values,
        )
    else:
        row = one(
            connection,
            "INSERT INTO tenant (serial, id, name, name_key, slug, kind, api_key_hash, created_by) "
            "OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING serial", [serial, *values],
        )
    assert row is not None  # noqa: S101  (RETURNING of one inserted row)
    return int(row["serial"])


def by_serial(connection: Connection, serial: int) -> Tenant | None:
    """Find a tenant by its number."""
    return _maybe(one(connection, _OVERVIEW + "WHERE serial = %s", [serial]))


def by_word(connection: Connection, slug: str, key: str) -> Tenant | None:
    """Find a tenant by its slug, else by its name in the form of `names.name_key`."""
    query: LiteralString = _OVERVIEW + "WHERE slug = %s OR name_key = %s ORDER BY slug = %s DESC LIMIT 1"
    return _maybe(one(connection, query, [slug, key, slug]))


def by_api_key(connection: Connection, digest: bytes) -> DictRow | None:
    """Find name and serial of the active tenant with this key hash: one indexed lookup."""
    return one(
        connection,
        "SELECT serial, name FROM tenant WHERE api_key_hash = %s AND is_active AND deleting_since IS NULL",
        [digest],
    )


def page(connection: Connection, *, text: str, state: str, after: int, limit: int) -> tuple[list[Tenant], int]:
    """Return tenants after a serial number, filtered, and how many match in all."""
    where: LiteralString = (
        "WHERE (%(text)s = '' OR position(%(text)s in name_key) > 0) AND (%(state)s = '' OR state = %(state)s)"
    )
    values = {"text": text, "state": state, "after": after, "limit": limit}
    found = rows(connection, _OVERVIEW + where + " AND serial > %(after)s ORDER BY serial LIMIT %(limit)s", values)
    counted = one(connection, _COUNT + _OVERVIEW + where + ") c", values)
    return [_tenant(row) for row in found], int(counted["n"]) if counted else 0


def serials(connection: Connection) -> list[int]:
    """Return the numbers of all tenants that are not being deleted."""
    found = rows(connection, "SELECT serial FROM tenant WHERE deleting_since IS NULL ORDER BY serial")
    return [int(row["serial"]) for row in found]


def mark_deleting(connection: Connection, serial: int, *, keep_data: bool) -> None:
    """Send a tenant on its way out. A second order may still decide to keep the data, never to drop what is kept."""
    connection.execute(
        "UPDATE tenant SET deleting_since = coalesce(deleting_since, now()), keep_data = keep_data OR %s, "
        "is_active = false WHERE serial = %s",
        [keep_data, serial],
    )


def set_api_key(connection: Connection, serial: int, digest: bytes) -> None:
    """Replace the key: the old one ends with this transaction."""
    connection.execute("UPDATE tenant SET api_key_hash = %s WHERE serial = %s", [digest, serial])


def purge(connection: Connection, serial: int) -> bool:
    """Remove the row and all that refers to it, if the tenant is being deleted; tell whether it did."""
    return bool(
        connection.execute("DELETE FROM tenant WHERE serial = %s AND deleting_since IS NOT NULL", [serial]).rowcount
    )


def steps(connection: Connection, serial: int) -> list[StepRecord]:
    """Return a tenant's steps in the order in which they are taken."""
    found = rows(
        connection,
        "SELECT key, room, sign, title, target, state, error, next_try_at, started_at, ended_at, position "
        "FROM tenant_step WHERE tenant_id = %s ORDER BY position, room, key",
        [serial],
    )
    return [StepRecord(**{**row, "state": StepState(row["state"])}) for row in found]


def plan_step(
    connection: Connection, serial: int, *, room: str, key: str, position: int, sign: str, title: str, target: str
) -> None:
    """Add a step, or set it back to planned."""
    connection.execute(
        "INSERT INTO tenant_step (tenant_id, room, key, position, sign, title, target, state) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, 'planned') ON CONFLICT (tenant_id, room, key) DO UPDATE SET "
        "position = excluded.position, sign = excluded.sign, title = excluded.title, target = excluded.target, "
        "state = 'planned', error = NULL, next_try_at = NULL, started_at = NULL, ended_at = NULL",
        [serial, room, key, position, sign, title, target],
    )


def settle_others(connection: Connection, serial: int, room: str, keys: list[str]) -> None:
    """Mark the room's open steps that no plan names any more as done: what they were for is there."""
    connection.execute(
        "UPDATE tenant_step SET state = 'done', error = NULL, next_try_at = NULL, ended_at = coalesce(ended_at, now()) "
        "WHERE tenant_id = %s AND room = %s AND NOT key = ANY(%s) AND state NOT IN ('done', 'skipped')",
        [serial, room, keys],
    )


def drop_step(connection: Connection, serial: int, room: str, key: str) -> None:
    """Drop one step: others say in detail what it stood for."""
    connection.execute("DELETE FROM tenant_step WHERE tenant_id = %s AND room = %s AND key = %s", [serial, room, key])


def forget_steps(connection: Connection, serial: int) -> None:
    """Drop every step: the tenant's removal begins a list of its own."""
    connection.execute("DELETE FROM tenant_step WHERE tenant_id = %s", [serial])


def start_step(connection: Connection, serial: int, room: str, key: str) -> None:
    """Mark a step as being worked on."""
    connection.execute(
        "UPDATE tenant_step SET state = 'working', error = NULL, next_try_at = NULL, started_at = now(), "
        "ended_at = NULL WHERE tenant_id = %s AND room = %s AND key = %s",
        [serial, room, key],
    )


def end_step(
    connection: Connection, serial: int, room: str, key: str, *, state: StepState, error: str | None = None,
    next_try_at: datetime | None = None,
) -> None:
    """Write how a step ended."""
    connection.execute(
        "UPDATE tenant_step SET state = %s, error = %s, next_try_at = %s, ended_at = now() "
        "WHERE tenant_id = %s AND room = %s AND key = %s",
        [state, error, next_try_at, serial, room, key],
    )


def first_open_step(connection: Connection, serial: int, room: str) -> str | None:
    """Return the key of the room's first step that is not done."""
    row = one(
        connection,
        "SELECT key FROM tenant_step WHERE tenant_id = %s AND room = %s AND state NOT IN ('done', 'skipped') "
        "ORDER BY position LIMIT 1",
        [serial, room],
    )
    return str(row["key"]) if row else None


def name_of(connection: Connection, serial: int) -> str | None:
    """Return a tenant's name."""
    row = one(connection, "SELECT name FROM tenant WHERE serial = %s", [serial])
    return str(row["name"]) if row else None


def _maybe(row: DictRow | None) -> Tenant | None:
    return _tenant(row) if row else None


def _tenant(row: DictRow) -> Tenant:
    return Tenant(
        serial=row["serial"], id=row["id"], name=row["name"], slug=row["slug"], kind=Kind(row["kind"]),
        state=TenantState(row["state"]),
        created_at=row["created_at"], created_by=row["created_by"], is_active=row["is_active"],
        keep_data=row["keep_data"], steps_done=row["done"], steps_total=row["total"], problem=row["problem"] or "",
        deleting=row["deleting_since"] is not None,
    )
