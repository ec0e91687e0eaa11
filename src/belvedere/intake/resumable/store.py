"""The SQL of files that come over HTTP. No rule stands here."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from belvedere.intake.resumable.model import Account, Sending
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


def listed(connection: Connection, serial: int | None, after: UUID | None, limit: int) -> list[Sending]:
    """Return those on their way of one tenant, or of all, the newest first."""
    query: LiteralString = (
        _EACH + "WHERE done_at IS NULL AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) "
        "AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(limit)s"
    )
    return [Sending(**row) for row in rows(connection, query, {"tenant": serial, "after": after, "limit": limit})]


def received(connection: Connection, ident: UUID, received_bytes: int, now: datetime) -> bool:
    """Keep how far it is; False when it was forgotten meanwhile."""
    return connection.execute(
        "UPDATE http_upload SET received_bytes = %s, touched_at = %s WHERE id = %s AND done_at IS NULL",
        [received_bytes, now, ident],
    ).rowcount == 1


def done(connection: Connection, ident: UUID, now: datetime) -> None:
    """Keep that it is in its place, and since which round of counting."""
    connection.execute(
        "UPDATE http_upload u SET done_at = %(now)s, touched_at = %(now)s, done_round = coalesce("
        "(SELECT round FROM http_room r WHERE r.tenant_id = u.tenant_id), 0) WHERE id = %(id)s",
        {"now": now, "id": ident},
    )


def remove(connection: Connection, ident: UUID) -> None:
    """Forget one."""
    connection.execute("DELETE FROM http_upload WHERE id = %s", [ident])


def drop(connection: Connection, ident: UUID) -> bool:
    """Forget one that is not in its place; False when it is, or was forgotten before."""
    return connection.execute("DELETE FROM http_upload WHERE id = %s AND done_at IS NULL", [ident]).rowcount == 1


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


def room(connection: Connection, serial: int) -> Account:
    """Return a tenant's account for oneself: nobody else has it until the end of the transaction."""
    connection.execute("INSERT INTO http_room (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [serial])
    connection.execute("SELECT 1 FROM http_room WHERE tenant_id = %s FOR UPDATE", [serial])
    found = one(
        connection,
        "SELECT number, coming_bytes, r.held_bytes + open_bytes + since.bytes AS bytes, "
        "r.held_files + number + since.files AS files, counted_at, good_until, counting_until FROM http_room r, "
        "LATERAL (SELECT count(*) AS number, coalesce(sum(size_bytes - received_bytes), 0)::bigint AS coming_bytes, "
        "coalesce(sum(size_bytes), 0)::bigint AS open_bytes FROM http_upload u "
        "WHERE u.tenant_id = r.tenant_id AND done_at IS NULL) AS coming, "
        "LATERAL (SELECT count(*) AS files, coalesce(sum(size_bytes), 0)::bigint AS bytes FROM http_upload u "
        "WHERE u.tenant_id = r.tenant_id AND done_at IS NOT NULL AND done_round >= r.counted_round) AS since "
        "WHERE r.tenant_id = %s", [serial],
    )
    return Account(**found) if found else Account(0, 0, 0, 0, None, None, None)


def begin_count(connection: Connection, serial: int, until: datetime) -> int:
    """Begin a round of counting and return its number; nobody else need begin one before `until`."""
    found = one(
        connection,
        "UPDATE http_room SET round = round + 1, counting_until = %s WHERE tenant_id = %s RETURNING round",
        [until, serial],
    )
    return int(found["round"]) if found else 0


def counted(connection: Connection, values: dict[str, Any]) -> None:
    """Keep what a round found, unless a later one ended before it."""
    connection.execute(
        "UPDATE http_room SET counted_round = %(round)s, held_bytes = %(bytes)s, held_files = %(files)s, "
        "counted_at = %(now)s, good_until = %(good_until)s, counting_until = NULL "
        "WHERE tenant_id = %(tenant)s AND counted_round < %(round)s", values,
    )
