"""The statements about who of Grafana may see which tenant's rows, in the control database."""

from uuid import UUID

from psycopg.rows import DictRow

from belvedere.kernel.db import Connection, one, rows


def of_subject(connection: Connection, subject: str) -> list[DictRow]:
    """Return what a subject may see, one row a store that is ready.

    Tenants count that are active and not on their way out, and memberships that are not suspended.
    """
    return rows(
        connection,
        "SELECT g.tenant_id, g.member, g.login, s.id AS store, s.kind, s.database FROM gateway_identities g "
        "JOIN tenant t ON t.serial = g.tenant_id JOIN store s ON s.tenant_id = g.tenant_id AND s.state = 'ready' "
        "LEFT JOIN member m ON m.tenant_id = g.tenant_id AND m.person_id = g.person_id "
        "WHERE g.subject = %s AND t.is_active AND t.deleting_since IS NULL AND m.suspended_at IS NULL "
        "ORDER BY g.tenant_id, s.id",
        [subject],
    )


def of_tenant(connection: Connection, tenant: int) -> list[DictRow]:
    """Return everybody who may see a tenant's rows."""
    return rows(
        connection,
        "SELECT subject, tenant_id, member, login FROM gateway_identities WHERE tenant_id = %s ORDER BY subject",
        [tenant],
    )


def put(
    connection: Connection, subject: str, tenant: int, *, member: str, login: str, person: UUID | None
) -> bool:
    """Let a subject see a tenant's rows; tell whether anything changed."""
    return bool(
        connection.execute(
            "INSERT INTO gateway_identities (subject, tenant_id, member, login, person_id) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (subject, tenant_id) DO UPDATE SET member = excluded.member, login = excluded.login, "
            "person_id = excluded.person_id, linked_at = now() "
            "WHERE (gateway_identities.member, gateway_identities.login, gateway_identities.person_id) "
            "IS DISTINCT FROM (excluded.member, excluded.login, excluded.person_id)",
            [subject, tenant, member, login, person],
        ).rowcount
    )


def remove(connection: Connection, subject: str, *, tenant: int | None) -> int:
    """Take a subject's sight of one tenant, or of all; tell of how many."""
    return connection.execute(
        "DELETE FROM gateway_identities WHERE subject = %s AND (%s::bigint IS NULL OR tenant_id = %s)",
        [subject, tenant, tenant],
    ).rowcount


def is_member(connection: Connection, tenant: int, person: UUID) -> bool:
    """Tell whether an account is a member of a tenant."""
    found = one(connection, "SELECT 1 FROM member WHERE tenant_id = %s AND person_id = %s", [tenant, person])
    return found is not None
