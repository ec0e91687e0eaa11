"""The statements about SFTP users, their keys and their sessions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.intake.sftp.model import Key, Known, Permission, Session, State, Traffic, User
from belvedere.kernel.db import Connection, one, rows

_USER: Final[LiteralString] = (
    "SELECT u.id, u.tenant_id, t.name AS tenant_name, u.name, u.folder, u.permissions, u.quota_bytes, u.quota_files, "
    "u.source, u.password_hash, u.password_there, u.disabled_at, u.created_at, u.created_by, u.changed_at, u.seen_at, "
    "(SELECT coalesce(json_agg(json_build_object('line', k.line, 'bits', k.bits, 'fingerprint', k.fingerprint, "
    "'comment', k.comment) ORDER BY k.created_at, k.fingerprint), '[]') FROM sftp_key k WHERE k.user_id = u.id) "
    "AS keys FROM sftp_user u JOIN tenant t ON t.serial = u.tenant_id "
)
_SESSION: Final[LiteralString] = (
    "SELECT s.id, s.tenant_id, t.name AS tenant_name, t.slug AS tenant_slug, s.user_name, s.origin, s.client, "
    "s.method, s.state, s.began_at, s.seen_at, s.ended_at, s.end_asked_by, s.files_up, s.files_down, s.bytes_up, "
    "s.bytes_down, s.error FROM sftp_session s JOIN tenant t ON t.serial = s.tenant_id "
)


def _user(row: DictRow) -> User:
    return User(
        id=row["id"], tenant=row["tenant_id"], tenant_name=row["tenant_name"], name=row["name"], folder=row["folder"],
        permissions=tuple(Permission(value) for value in row["permissions"]), quota_bytes=row["quota_bytes"],
        quota_files=row["quota_files"], source=row["source"],
        has_password=row["password_hash"] is not None or row["password_there"],
        keys=tuple(Key(**key) for key in row["keys"]), disabled_at=row["disabled_at"], created_at=row["created_at"],
        created_by=row["created_by"], changed_at=row["changed_at"], seen_at=row["seen_at"],
        password_there=row["password_there"],
    )


def _session(row: DictRow) -> Session:
    return Session(
        id=row["id"], tenant=row["tenant_id"], tenant_name=row["tenant_name"], tenant_slug=row["tenant_slug"],
        user=row["user_name"], origin=row["origin"], client=row["client"], method=row["method"],
        state=State(row["state"]), began_at=row["began_at"], seen_at=row["seen_at"], ended_at=row["ended_at"],
        end_asked_by=row["end_asked_by"],
        traffic=Traffic(row["files_up"], row["files_down"], row["bytes_up"], row["bytes_down"], row["error"]),
    )


# --- users ---


def users(connection: Connection, tenant: int) -> list[User]:
    """Return a tenant's users by name, the default one first."""
    found = rows(connection, _USER + "WHERE u.tenant_id = %s ORDER BY u.name <> t.name, u.name_key", [tenant])
    return [_user(row) for row in found]


def all_users(connection: Connection) -> list[Known]:
    """Return the users of all tenants that stay, by name, with what is kept of their passwords."""
    found = rows(connection, _USER + "WHERE t.deleting_since IS NULL ORDER BY u.name_key")
    return [Known(_user(row), row["password_hash"]) for row in found]


def user(connection: Connection, tenant: int, key: str, name_key: str, *, lock: bool = False) -> User | None:
    """Return one user of a tenant by id or name, and hold its row if asked to."""
    values = {"tenant": tenant, "key": key if key.isprintable() else "", "name": name_key}
    if lock:
        connection.execute(
            "SELECT FROM sftp_user WHERE tenant_id = %(tenant)s AND (id::text = %(key)s OR name_key = %(name)s) "
            "FOR UPDATE", values,
        )
    row = one(
        connection, _USER + "WHERE u.tenant_id = %(tenant)s AND (u.id::text = %(key)s OR u.name_key = %(name)s)", values
    )
    return _user(row) if row else None


def for_sign_in(connection: Connection, name_key: str) -> Known | None:
    """Return who signs in by a name: of a tenant that stays, and not switched off."""
    row = one(
        connection,
        _USER + "WHERE u.name_key = %s AND u.disabled_at IS NULL AND t.is_active AND t.deleting_since IS NULL",
        [name_key],
    )
    return Known(_user(row), row["password_hash"]) if row else None


def add_user(connection: Connection, values: Mapping[str, object]) -> bool:
    """Insert a user; return False where the name is somebody's."""
    return connection.execute(
        "INSERT INTO sftp_user (id, tenant_id, name, name_key, password_hash, folder, permissions, quota_bytes, "
        "quota_files, source, password_there, created_at, created_by, changed_at) VALUES (%(id)s, %(tenant)s, "
        "%(name)s, %(name_key)s, %(password_hash)s, %(folder)s, %(permissions)s, %(quota_bytes)s, %(quota_files)s, "
        "%(source)s, %(password_there)s, %(now)s, %(by)s, %(now)s) ON CONFLICT (name_key) DO NOTHING",
        values,
    ).rowcount > 0


def is_tenants_name(connection: Connection, name_key: str, tenant: int) -> bool:
    """Tell whether another tenant bears a name."""
    query: LiteralString = "SELECT FROM tenant WHERE name_key = %s AND serial <> %s"
    return one(connection, query, [name_key, tenant]) is not None


def change_user(connection: Connection, user_id: UUID, values: Mapping[str, object]) -> None:
    """Change home, permissions and quotas."""
    connection.execute(
        "UPDATE sftp_user SET folder = %(folder)s, permissions = %(permissions)s, quota_bytes = %(quota_bytes)s, "
        "quota_files = %(quota_files)s, changed_at = %(now)s WHERE id = %(id)s",
        {**values, "id": user_id},
    )


def set_password(connection: Connection, user_id: UUID, password_hash: str | None, now: datetime) -> None:
    """Keep another password, or none; one that an SFTPGo has ends."""
    connection.execute(
        "UPDATE sftp_user SET password_hash = %s, password_there = false, changed_at = %s WHERE id = %s",
        [password_hash, now, user_id],
    )


def set_disabled(connection: Connection, user_id: UUID, since: datetime | None, now: datetime) -> None:
    """Switch a user off or on."""
    connection.execute(
        "UPDATE sftp_user SET disabled_at = %s, changed_at = %s WHERE id = %s", [since, now, user_id]
    )


def touch_user(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Note that a user signed in."""
    connection.execute("UPDATE sftp_user SET seen_at = %s WHERE id = %s", [now, user_id])


def remove_user(connection: Connection, user_id: UUID) -> None:
    """Forget a user and its keys; its sessions stay for reading."""
    connection.execute("DELETE FROM sftp_user WHERE id = %s", [user_id])


def add_key(connection: Connection, tenant: int, user_id: UUID, key: Key, values: Mapping[str, object]) -> bool:
    """Add a key to a user; return False where it is there already."""
    return connection.execute(
        "INSERT INTO sftp_key (id, tenant_id, user_id, line, bits, fingerprint, comment, created_at, created_by) "
        "VALUES (%(id)s, %(tenant)s, %(user)s, %(line)s, %(bits)s, %(fingerprint)s, %(comment)s, %(now)s, %(by)s) "
        "ON CONFLICT (user_id, fingerprint) DO NOTHING",
        {
            **values, "tenant": tenant, "user": user_id, "line": key.line, "bits": key.bits,
            "fingerprint": key.fingerprint, "comment": key.comment,
        },
    ).rowcount > 0


def remove_key(connection: Connection, user_id: UUID, fingerprint: str) -> bool:
    """Take a key from a user; return False where there is none."""
    return connection.execute(
        "DELETE FROM sftp_key WHERE user_id = %s AND fingerprint = %s", [user_id, fingerprint]
    ).rowcount > 0


def touch_keys(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Note that a user's keys are others now."""
    connection.execute("UPDATE sftp_user SET changed_at = %s WHERE id = %s", [now, user_id])


# --- sessions ---


def begin_session(connection: Connection, values: Mapping[str, object]) -> None:
    """Insert an open session."""
    connection.execute(
        "INSERT INTO sftp_session (id, tenant_id, user_id, user_name, origin, client, method, server, state, began_at, "
        "seen_at) VALUES (%(id)s, %(tenant)s, %(user)s, %(name)s, %(origin)s, %(client)s, %(method)s, %(server)s, "
        "'open', %(now)s, %(now)s)",
        values,
    )


def save_sessions(connection: Connection, kept: Sequence[tuple[object, ...]], now: datetime) -> set[int]:
    """Keep how sessions are, many at once, and return the tenants whose sessions these are.

    Each row is id, state, files up, files down, bytes up, bytes down, last error. One that has ended stays as it is.
    """
    columns = list(zip(*kept, strict=True))
    found = rows(
        connection,
        "UPDATE sftp_session s SET state = n.state, files_up = n.files_up, files_down = n.files_down, "
        "bytes_up = n.bytes_up, bytes_down = n.bytes_down, error = n.error, seen_at = %s, "
        "ended_at = CASE WHEN n.state = 'open' THEN NULL ELSE %s END "
        "FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) "
        "AS n (id, state, files_up, files_down, bytes_up, bytes_down, error) "
        "WHERE s.id = n.id AND s.state IN ('open', 'lost') RETURNING s.tenant_id",
        [now, now, *(list(column) for column in columns)],
    )
    return {row["tenant_id"] for row in found}


def lose_sessions(connection: Connection, silent_since: datetime, now: datetime) -> set[int]:
    """End the sessions whose server has been silent, and return whose they were."""
    found = rows(
        connection,
        "UPDATE sftp_session SET state = 'lost', ended_at = %s WHERE state = 'open' AND seen_at < %s "
        "RETURNING tenant_id",
        [now, silent_since],
    )
    return {row["tenant_id"] for row in found}


def to_end(connection: Connection, server: str) -> dict[UUID, str]:
    """Return the open sessions of a server that must end, and why."""
    found = rows(
        connection,
        "SELECT s.id, CASE WHEN s.end_asked_by IS NOT NULL THEN 'ended by ' || s.end_asked_by "
        "WHEN u.id IS NULL THEN 'the user was removed' WHEN u.disabled_at IS NOT NULL THEN 'the user was switched off' "
        "ELSE 'the tenant is being deleted' END AS why FROM sftp_session s JOIN tenant t ON t.serial = s.tenant_id "
        "LEFT JOIN sftp_user u ON u.id = s.user_id WHERE s.server = %s AND s.state = 'open' AND (s.end_asked_by IS NOT "
        "NULL OR u.id IS NULL OR u.disabled_at IS NOT NULL OR t.deleting_since IS NOT NULL)",
        [server],
    )
    return {row["id"]: row["why"] for row in found}


def ask_end(connection: Connection, session_id: UUID, by: str) -> None:
    """Note that somebody wants a session's end."""
    connection.execute(
        "UPDATE sftp_session SET end_asked_by = %s WHERE id = %s AND state = 'open'", [by, session_id]
    )


def session(connection: Connection, key: UUID) -> Session | None:
    """Return one session."""
    row = one(connection, _SESSION + "WHERE s.id = %s", [key])
    return _session(row) if row else None


def sessions(
    connection: Connection, *, tenant: int | None, is_open: bool, before: UUID | None, limit: int
) -> list[Session]:
    """Return sessions, the newest first; ids sort by time."""
    found = rows(
        connection,
        _SESSION + "WHERE (%(tenant)s::bigint IS NULL OR s.tenant_id = %(tenant)s) "
        "AND (NOT %(open)s OR s.state = 'open') AND (%(before)s::uuid IS NULL OR s.id < %(before)s) "
        "ORDER BY s.id DESC LIMIT %(limit)s",
        {"tenant": tenant, "open": is_open, "before": before, "limit": limit},
    )
    return [_session(row) for row in found]


def count_open(connection: Connection) -> int:
    """Count the open sessions."""
    row = one(connection, "SELECT count(*) AS count FROM sftp_session WHERE state = 'open'")
    return int(row["count"]) if row else 0


def forget_sessions(connection: Connection, older_than: datetime) -> int:
    """Forget sessions that ended long ago; the history keeps them. Return how many."""
    return connection.execute("DELETE FROM sftp_session WHERE ended_at < %s", [older_than]).rowcount
