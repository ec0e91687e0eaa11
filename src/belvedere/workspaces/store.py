"""The workspaces' rows in the control database."""

from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.tiers import Tier


def kind_of(connection: Connection, tenant: int) -> str | None:
    """Tell which kind of workspace a tenant has, or None."""
    row = one(connection, "SELECT kind FROM workspace WHERE tenant_id = %s", [tenant])
    return row["kind"] if row else None


def open_workspace(connection: Connection, tenant: int, kind: str) -> None:
    """Write down that the tenant looks there. Nothing is written for a tenant that is gone."""
    connection.execute(
        "INSERT INTO workspace (tenant_id, kind) SELECT serial, %s FROM tenant WHERE serial = %s "
        "ON CONFLICT (tenant_id) DO UPDATE SET kind = excluded.kind",
        [kind, tenant],
    )


def close_workspace(connection: Connection, tenant: int) -> None:
    """Forget the tenant's workspace."""
    connection.execute("DELETE FROM workspace WHERE tenant_id = %s", [tenant])


def tier_of(connection: Connection, tenant: int) -> Tier | None:
    """Return the tier that was chosen for a tenant, or None."""
    row = one(connection, "SELECT tier FROM workspace_tier WHERE tenant_id = %s", [tenant])
    return Tier(row["tier"]) if row else None


def choose_tier(connection: Connection, tenant: int, tier: Tier, *, again: bool = False) -> None:
    """Choose a tenant's tier; a choice that was made before stays, unless `again`."""
    connection.execute(
        "INSERT INTO workspace_tier AS w (tenant_id, tier) SELECT serial, %(tier)s FROM tenant "
        "WHERE serial = %(tenant)s ON CONFLICT (tenant_id) DO UPDATE SET tier = excluded.tier, chosen_at = now() "
        "WHERE %(again)s AND w.tier <> excluded.tier",
        {"tenant": tenant, "tier": tier, "again": again},
    )


def begin_move(connection: Connection, tenant: int, came_from: Tier, by: str) -> None:
    """Write down that a tenant leaves a tier: what stands there stays until the new place is complete."""
    connection.execute(
        "INSERT INTO workspace_move (tenant_id, from_tier, moved_by) SELECT serial, %(tier)s, %(by)s FROM tenant "
        "WHERE serial = %(tenant)s ON CONFLICT (tenant_id) DO UPDATE SET from_tier = excluded.from_tier, "
        "moved_by = excluded.moved_by, began_at = now()",
        {"tenant": tenant, "tier": came_from, "by": by},
    )


def leaves(connection: Connection, tenant: int) -> Tier | None:
    """Return the tier that a tenant is about to leave, or None."""
    row = one(connection, "SELECT from_tier FROM workspace_move WHERE tenant_id = %s", [tenant])
    return Tier(row["from_tier"]) if row else None


def end_move(connection: Connection, tenant: int) -> None:
    """Write down that a tenant has left."""
    connection.execute("DELETE FROM workspace_move WHERE tenant_id = %s", [tenant])


def of_tiers(connection: Connection, tiers: list[Tier]) -> list[int]:
    """Return the tenants of these tiers, and those that move, unless they are being deleted."""
    found = rows(
        connection,
        "SELECT serial FROM tenant JOIN workspace_tier w ON w.tenant_id = serial "
        "LEFT JOIN workspace_move m ON m.tenant_id = serial "
        "WHERE (tier = ANY(%s) OR m.tenant_id IS NOT NULL) "
        "AND deleting_since IS NULL ORDER BY serial", [[tier.value for tier in tiers]],
    )
    return [int(row["serial"]) for row in found]
