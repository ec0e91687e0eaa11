"""The workspaces' rows in the control database."""

from belvedere.kernel.db import Connection, one


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
