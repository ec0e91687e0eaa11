"""The statements about buckets, tokens and campaigns in an InfluxDB, in the control database."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id
from belvedere.stores.influx.model import Campaign, Purpose
from belvedere.stores.model import Column, StoreKind

_LOCK: Final = 0x696E666C
_PATIENCE: Final = "5s"
"""How long another job is waited for: making a bucket with its tokens takes less than a second."""


def hold(session: Connection, tenant: int) -> bool:
    """Take the lock of a tenant's bucket for this session; False when another session has it, and keeps it long."""
    session.execute("SELECT set_config('lock_timeout', %s, false)", [_PATIENCE])
    try:
        session.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, tenant % 2**31])
    except LockNotAvailable:
        return False
    return True


def installation(connection: Connection) -> UUID:
    """Return the installation's own number."""
    row = one(connection, "SELECT id FROM installation")
    return UUID(str(row["id"])) if row else UUID(int=0)


def home(connection: Connection, tenant: int, *, lock: bool = False) -> DictRow | None:
    """Return the tenant's store in InfluxDB; `lock` makes others that change its campaigns wait."""
    if lock:
        return one(
            connection, "SELECT * FROM store WHERE tenant_id = %s AND kind = %s FOR UPDATE",
            [tenant, StoreKind.INFLUXDB],
        )
    return one(connection, "SELECT * FROM store WHERE tenant_id = %s AND kind = %s", [tenant, StoreKind.INFLUXDB])


def homes(connection: Connection) -> list[int]:
    """Return the tenants that have one."""
    found = rows(connection, "SELECT tenant_id FROM store WHERE kind = %s ORDER BY tenant_id", [StoreKind.INFLUXDB])
    return [int(row["tenant_id"]) for row in found]


def set_ready(connection: Connection, ident: UUID) -> bool:
    """Mark a store as ready; tell whether it was not."""
    return bool(
        connection.execute(
            "UPDATE store SET state = 'ready', ready_at = now() WHERE id = %s AND state <> 'ready'", [ident]
        ).rowcount
    )


def close(connection: Connection, tenant: int, *, keep_data: bool) -> None:
    """Write down that a tenant's bucket is closed, or gone with its campaigns."""
    connection.execute(
        "UPDATE store SET state = 'planned' WHERE tenant_id = %s AND kind = %s", [tenant, StoreKind.INFLUXDB]
    )
    if not keep_data:
        connection.execute("DELETE FROM influx_campaign WHERE tenant_id = %s", [tenant])


def tokens(connection: Connection, tenant: int) -> dict[Purpose, str]:
    """Return the numbers of a tenant's tokens."""
    found = rows(connection, "SELECT purpose, number FROM influx_token WHERE tenant_id = %s", [tenant])
    return {Purpose(row["purpose"]): str(row["number"]) for row in found}


def put_token(connection: Connection, tenant: int, purpose: Purpose, number: str) -> None:
    """Remember a token that was made."""
    connection.execute(
        "INSERT INTO influx_token (tenant_id, purpose, number) VALUES (%s, %s, %s) ON CONFLICT (tenant_id, purpose) "
        "DO UPDATE SET number = excluded.number, made_at = now()",
        [tenant, purpose, number],
    )


def forget_token(connection: Connection, tenant: int, purpose: Purpose) -> None:
    """Forget a token that was deleted."""
    connection.execute("DELETE FROM influx_token WHERE tenant_id = %s AND purpose = %s", [tenant, purpose])


def campaign(connection: Connection, tenant: int, name: str) -> DictRow | None:
    """Find a campaign: its tags, and whether it is out of sight."""
    return one(
        connection,
        "SELECT tags, hidden_at, quantities, first_s, last_s FROM influx_campaign WHERE tenant_id = %s AND name = %s",
        [tenant, name],
    )


def campaigns(connection: Connection, tenant: int) -> dict[str, list[str]]:
    """Return the tags of a tenant's campaigns by name, those out of sight too."""
    found = rows(connection, "SELECT name, tags FROM influx_campaign WHERE tenant_id = %s", [tenant])
    return {str(row["name"]): list(row["tags"]) for row in found}


def shown(connection: Connection, tenant: int) -> dict[str, Campaign]:
    """Return a tenant's campaigns in sight, by name."""
    found = rows(
        connection,
        "SELECT name, tags, first_s, last_s FROM influx_campaign WHERE tenant_id = %s AND hidden_at IS NULL", [tenant],
    )
    return {str(row["name"]): Campaign(tuple(row["tags"]), row["first_s"], row["last_s"]) for row in found}


def note(
    connection: Connection, tenant: int, name: str, quantities: Sequence[str], *, first_s: int | None,
    last_s: int | None,
) -> None:
    """Write down what came to a campaign."""
    connection.execute(
        "UPDATE influx_campaign SET first_s = least(first_s, %s), last_s = greatest(last_s, %s), quantities = "
        "(SELECT coalesce(array_agg(DISTINCT one ORDER BY one), '{}') FROM unnest(quantities || %s::text[]) AS one) "
        "WHERE tenant_id = %s AND name = %s",
        [first_s, last_s, list(quantities), tenant, name],
    )


def put_campaign(connection: Connection, tenant: int, name: str, tags: Sequence[str]) -> None:
    """Add a campaign, or bring one back into sight."""
    connection.execute(
        "INSERT INTO influx_campaign (tenant_id, name, tags) VALUES (%s, %s, %s) ON CONFLICT (tenant_id, name) "
        "DO UPDATE SET tags = excluded.tags, hidden_at = NULL",
        [tenant, name, list(tags)],
    )


def rename_campaign(connection: Connection, tenant: int, name: str, *, to: str, tags: Sequence[str]) -> None:
    """Call a campaign by another name, that of one out of sight perhaps."""
    forget_campaign(connection, tenant, to)
    connection.execute(
        "UPDATE influx_campaign SET name = %s, tags = %s, hidden_at = NULL WHERE tenant_id = %s AND name = %s",
        [to, list(tags), tenant, name],
    )


def hide_campaign(connection: Connection, tenant: int, name: str) -> None:
    """Take a campaign out of sight."""
    connection.execute(
        "UPDATE influx_campaign SET hidden_at = now() WHERE tenant_id = %s AND name = %s", [tenant, name]
    )


def forget_campaign(connection: Connection, tenant: int, name: str) -> None:
    """Forget a campaign whose points are gone, or that got another name."""
    connection.execute("DELETE FROM influx_campaign WHERE tenant_id = %s AND name = %s", [tenant, name])


def show(
    connection: Connection, tenant: int, store_id: UUID, name: str, columns: Sequence[Column], *, more_bytes: int = 0
) -> bool:
    """Let a campaign have a dashboard: it stands among the store's relations. Tell whether it did not, or changed."""
    listed = Jsonb([[column.name, column.type, column.nullable] for column in columns])
    there = one(
        connection,
        "UPDATE relation SET columns = %(columns)s, size_bytes = relation.size_bytes + %(more)s FROM relation old "
        "WHERE relation.id = old.id "
        "AND relation.store_id = %(store)s AND relation.name = %(name)s AND relation.state <> 'gone' "
        "RETURNING old.columns <> %(columns)s AS moved",
        {"columns": listed, "store": store_id, "name": name, "more": more_bytes},
    )
    if there is not None:
        return bool(there["moved"])
    connection.execute(
        "INSERT INTO relation (id, tenant_id, store_id, oid, schema, name, kind, columns, size_bytes, readable, state, "
        "found_by, first_seen_at, stable_at) SELECT %s, %s, %s, coalesce(max(oid), 0) + 1, 'public', %s, 'table', %s, "
        "0, true, 'stable', 'influxdb', now(), now() FROM relation WHERE store_id = %s",
        [new_id(), tenant, store_id, name, listed, store_id],
    )
    return True


def reshow(connection: Connection, store_id: UUID, name: str, *, to: str) -> bool:
    """Let a campaign stand under another name, still as the one it was; tell whether it stood."""
    return bool(
        connection.execute(
            "UPDATE relation SET name = %s WHERE store_id = %s AND name = %s AND state <> 'gone'", [to, store_id, name]
        ).rowcount
    )


def unshow(connection: Connection, store_id: UUID, name: str) -> bool:
    """Take a campaign from the store's relations; tell whether it stood there."""
    return bool(
        connection.execute(
            "UPDATE relation SET state = 'gone', gone_at = now() WHERE store_id = %s AND name = %s AND state <> 'gone'",
            [store_id, name],
        ).rowcount
    )
