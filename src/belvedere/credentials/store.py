"""The statements about credentials. Values come and go sealed."""

from uuid import UUID

from psycopg.rows import DictRow

from belvedere.credentials.model import Credential, CredentialVersion
from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id


def head(connection: Connection, tenant: int, folded: str, *, lock: bool = False) -> DictRow | None:
    """Return the row of a key name, deleted or not."""
    if lock:
        return one(
            connection, "SELECT * FROM credential WHERE tenant_id = %s AND key_fold = %s FOR UPDATE", [tenant, folded]
        )
    return one(connection, "SELECT * FROM credential WHERE tenant_id = %s AND key_fold = %s", [tenant, folded])


def claim(
    connection: Connection, tenant: int, folded: str, *, key_name: str, source: str, internal: bool
) -> DictRow:
    """Return the locked row of a key name, made at version 0 when there is none."""
    connection.execute(
        "INSERT INTO credential (id, tenant_id, key_name, key_fold, version, source, internal, deleted_at) "
        "VALUES (%s, %s, %s, %s, 0, %s, %s, now()) ON CONFLICT (tenant_id, key_fold) DO NOTHING",
        [new_id(), tenant, key_name, folded, source, internal],
    )
    row = head(connection, tenant, folded, lock=True)
    assert row is not None  # noqa: S101  (inserted or found just above, in this transaction)
    return row


def add_version(
    connection: Connection, ident: UUID, tenant: int, *, version: int, sealed: bytes, source: str, by: str
) -> None:
    """Add a value and make it the current one."""
    connection.execute(
        "INSERT INTO credential_version (credential_id, tenant_id, version, sealed, source, created_by) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        [ident, tenant, version, sealed, source, by],
    )
    connection.execute(
        "UPDATE credential SET version = %s, source = %s, updated_at = now(), deleted_at = NULL, "
        "created_at = CASE WHEN deleted_at IS NULL THEN created_at ELSE now() END WHERE id = %s",
        [version, source, ident],
    )


def current(connection: Connection, tenant: int, folded: str) -> DictRow | None:
    """Return `version`, `source` and `sealed` of the current value, unless the credential is deleted."""
    return one(
        connection,
        "SELECT c.version, c.source, v.sealed, c.internal FROM credential c "
        "JOIN credential_version v ON v.credential_id = c.id AND v.version = c.version "
        "WHERE c.tenant_id = %s AND c.key_fold = %s AND c.deleted_at IS NULL",
        [tenant, folded],
    )


def sealed_version(connection: Connection, tenant: int, folded: str, version: int) -> bytes | None:
    """Return one version's sealed value, unless the credential is deleted or internal."""
    row = one(
        connection,
        "SELECT v.sealed FROM credential c JOIN credential_version v ON v.credential_id = c.id "
        "WHERE c.tenant_id = %s AND c.key_fold = %s AND v.version = %s AND c.deleted_at IS NULL AND NOT c.internal",
        [tenant, folded, version],
    )
    return bytes(row["sealed"]) if row else None


def listed(connection: Connection, tenant: int) -> list[Credential]:
    """Return the credentials of a tenant by name, without values."""
    found = rows(
        connection,
        "SELECT id, tenant_id, key_name, version, source, created_at, updated_at FROM credential "
        "WHERE tenant_id = %s AND deleted_at IS NULL AND NOT internal ORDER BY key_fold",
        [tenant],
    )
    return [Credential(**row) for row in found]


def found(connection: Connection, tenant: int, folded: str) -> Credential | None:
    """Return one credential without its value."""
    row = one(
        connection,
        "SELECT id, tenant_id, key_name, version, source, created_at, updated_at FROM credential "
        "WHERE tenant_id = %s AND key_fold = %s AND deleted_at IS NULL AND NOT internal",
        [tenant, folded],
    )
    return Credential(**row) if row else None


def versions(connection: Connection, ident: UUID) -> list[CredentialVersion]:
    """Return a credential's versions, newest first."""
    kept = rows(
        connection,
        "SELECT version, source, created_at, created_by FROM credential_version WHERE credential_id = %s "
        "ORDER BY version DESC",
        [ident],
    )
    return [CredentialVersion(**row) for row in kept]


def mark_deleted(connection: Connection, ident: UUID) -> None:
    """Hide a credential; its versions stay until the tenant goes."""
    connection.execute("UPDATE credential SET deleted_at = now(), updated_at = now() WHERE id = %s", [ident])


def tenant_is_there(connection: Connection, tenant: int) -> bool:
    """Tell whether the tenant exists and stays."""
    return one(connection, "SELECT FROM tenant WHERE serial = %s AND deleting_since IS NULL", [tenant]) is not None


def sealed_after(connection: Connection, after: tuple[UUID, int], limit: int) -> list[DictRow]:
    """Return sealed values of all tenants in order, locked, for re-wrapping."""
    return rows(
        connection,
        "SELECT v.credential_id, v.version, v.tenant_id, v.sealed, c.key_fold FROM credential_version v "
        "JOIN credential c ON c.id = v.credential_id WHERE (v.credential_id, v.version) > (%s, %s) "
        "ORDER BY v.credential_id, v.version LIMIT %s FOR UPDATE OF v",
        [after[0], after[1], limit],
    )


def rewrap(connection: Connection, ident: UUID, version: int, sealed: bytes) -> None:
    """Put a value sealed by another key in the old one's place."""
    connection.execute(
        "UPDATE credential_version SET sealed = %s WHERE credential_id = %s AND version = %s", [sealed, ident, version]
    )
