"""The SQL of files that come over HTTP. No rule stands here."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from belvedere.intake.resumable.model import Sending
from belvedere.kernel.db import Connection, one, rows

_EACH: Final[LiteralString] = (
    "SELECT id, tenant_id, folder, name, size_bytes, received_bytes, begun_by, begun_at, touched_at, done_at "
    "FROM http_upload "
)


def begin(connection: Connection, values: dict[str, Any]) -> None:
    """Add one."""
    connection.execute(
        "INSERT INTO http_upload (id, tenant_id, folder, name, size_bytes, resume_key, begun_by, begun_at, touched_at) "
        "VALUES (%(id)s, %(tenant)s, %(folder)s, %(name)s, %(size)s, %(key)s, %(by)s, %(now)s, %(now)s)", values,
    )


def unfinished(connection: Connection, values: dict[str, Any]) -> Sending | None:
    """Return the newest that the same person began with the same content for the same place."""
    query: LiteralString = (
        _EACH + "WHERE tenant_id = %(tenant)s AND folder = %(folder)s "
        "AND name = %(name)s AND size_bytes = %(size)s AND resume_key = %(key)s AND begun_by = %(by)s "
        "AND done_at IS NULL ORDER BY id DESC LIMIT 1"
    )
    found = one(connection, query, values)
    return Sending(**found) if found else None


def open_ones(connection: Connection, serial: int) -> tuple[int, int]:
    """Return how many of a tenant are on their way, and how many bytes of them are still to come."""
    found = one(
        connection,
        "SELECT count(*) AS number, coalesce(sum(size_bytes - received_bytes), 0)::bigint AS bytes FROM http_upload "
        "WHERE tenant_id = %s AND done_at IS NULL", [serial],
    )
    return (found["number"], found["bytes"]) if found else (0, 0)


def get(connection: Connection, ident: UUID) -> Sending | None:
    """Return one."""
    query: LiteralString = _EACH + "WHERE id = %s"
    found = one(connection, query, [ident])
    return Sending(**found) if found else None


def lock(connection: Connection, ident: UUID) -> Sending | None:
    """Return one for oneself until the end of the transaction; None when somebody else has it, or it is gone."""
    query: LiteralString = _EACH + "WHERE id = %s FOR UPDATE SKIP LOCKED"
    found = one(connection, query, [ident])
    return Sending(**found) if found else None


def received(connection: Connection, ident: UUID, received_bytes: int, now: datetime) -> None:
    """Keep how far it is."""
    connection.execute(
        "UPDATE http_upload SET received_bytes = %s, touched_at = %s WHERE id = %s", [received_bytes, now, ident]
    )


def done(connection: Connection, ident: UUID, now: datetime) -> None:
    """Keep that it is in its place."""
    connection.execute("UPDATE http_upload SET done_at = %s, touched_at = %s WHERE id = %s", [now, now, ident])


def remove(connection: Connection, ident: UUID) -> None:
    """Forget one."""
    connection.execute("DELETE FROM http_upload WHERE id = %s", [ident])


def idle(connection: Connection, before: datetime, limit: int) -> list[Sending]:
    """Return those that nobody touched since: on their way, or done long ago."""
    query: LiteralString = _EACH + "WHERE touched_at < %s ORDER BY touched_at LIMIT %s"
    return [Sending(**row) for row in rows(connection, query, [before, limit])]


def complete(connection: Connection, before: datetime, limit: int) -> list[Sending]:
    """Return those of which every byte came and that are not in their place since then."""
    query: LiteralString = (
        _EACH + "WHERE done_at IS NULL AND received_bytes = size_bytes "
        "AND touched_at < %s ORDER BY touched_at LIMIT %s"
    )
    return [Sending(**row) for row in rows(connection, query, [before, limit])]


def upload_at(connection: Connection, serial: int, folder: str, name: str, since: datetime) -> UUID | None:
    """Return the upload that was noted at a place since."""
    found = one(
        connection,
        "SELECT id FROM upload WHERE tenant_id = %s AND folder = %s AND name = %s AND received_at >= %s "
        "ORDER BY id LIMIT 1", [serial, folder, name, since],
    )
    return found["id"] if found else None


def quotas(connection: Connection, serial: int) -> list[dict[str, Any]]:
    """Return the limits of a tenant's SFTP users whose home is all of its folder."""
    return rows(
        connection,
        "SELECT quota_bytes, quota_files FROM sftp_user WHERE tenant_id = %s AND folder = '' AND disabled_at IS NULL",
        [serial],
    )
