"""The statements about operators, sessions, the brake on guessing, API tokens and flash messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.identity.model import Flash, Level, Operator, Token
from belvedere.kernel.actor import Role
from belvedere.kernel.db import Connection, one, rows

_OPERATOR: Final[LiteralString] = (
    "SELECT id, name, email, role, must_change_password, password_set_at, disabled_at, last_sign_in_at, created_at, "
    "created_by, password_hash FROM operator "
)


@dataclass(frozen=True, slots=True)
class Counter:
    """Failed sign-ins of one name, one origin, or the two together."""

    key: str
    failures: int
    last_at: datetime
    blocked_until: datetime


def _operator(row: DictRow) -> Operator:
    return Operator(
        id=row["id"], name=row["name"], email=row["email"], role=Role(row["role"]),
        must_change_password=row["must_change_password"], password_set_at=row["password_set_at"],
        disabled_at=row["disabled_at"], last_sign_in_at=row["last_sign_in_at"], created_at=row["created_at"],
        created_by=row["created_by"],
    )  # fmt: skip


def _askable(text: str) -> str:
    # No name holds what PostgreSQL cannot: such a text is asked for as the empty one, which nobody is called.
    return text if text.isprintable() else ""


def lock_operators(connection: Connection) -> None:
    """Let one transaction at a time change who may come in: the last admin is counted under this lock."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('belvedere.operators'))")


def operators(connection: Connection) -> list[Operator]:
    """Return all operators by name."""
    return [_operator(row) for row in rows(connection, _OPERATOR + "ORDER BY lower(name)")]


def operator(connection: Connection, name: str) -> Operator | None:
    """Return the operator of that name, in any case."""
    row = one(connection, _OPERATOR + "WHERE lower(name) = lower(%s)", [_askable(name)])
    return _operator(row) if row else None


def operator_for_sign_in(connection: Connection, name_or_email: str) -> tuple[Operator, str] | None:
    """Return who that is, and the kept password. Disabled operators are found too; the caller refuses them."""
    row = one(
        connection,
        _OPERATOR + "WHERE lower(name) = lower(%s) OR lower(email) = lower(%s)",
        [_askable(name_or_email)] * 2,
    )
    return (_operator(row), row["password_hash"]) if row else None


def add_operator(connection: Connection, made: Operator, password_hash: str) -> None:
    """Insert an operator."""
    connection.execute(
        "INSERT INTO operator (id, name, email, role, password_hash, password_set_at, must_change_password, "
        "created_at, created_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            made.id, made.name, made.email, made.role, password_hash, made.password_set_at,
            made.must_change_password, made.created_at, made.created_by,
        ],
    )  # fmt: skip


def set_password(connection: Connection, operator_id: UUID, password_hash: str, now: datetime, *, must: bool) -> None:
    """Replace a password; `must` says that the person has to choose another at the next sign-in."""
    connection.execute(
        "UPDATE operator SET password_hash = %s, password_set_at = %s, must_change_password = %s WHERE id = %s",
        [password_hash, now, must, operator_id],
    )


def rehash_password(connection: Connection, operator_id: UUID, old: str, new: str) -> None:
    """Keep the same password under better parameters, unless it was changed meanwhile."""
    connection.execute(
        "UPDATE operator SET password_hash = %s WHERE id = %s AND password_hash = %s", [new, operator_id, old]
    )


def set_role(connection: Connection, operator_id: UUID, role: Role) -> None:
    """Change what an operator may do."""
    connection.execute("UPDATE operator SET role = %s WHERE id = %s", [role, operator_id])


def set_disabled(connection: Connection, operator_id: UUID, disabled_at: datetime | None) -> None:
    """Close an account, or open it again with None."""
    connection.execute("UPDATE operator SET disabled_at = %s WHERE id = %s", [disabled_at, operator_id])


def touch_sign_in(connection: Connection, operator_id: UUID, now: datetime) -> None:
    """Note that an operator came in."""
    connection.execute("UPDATE operator SET last_sign_in_at = %s WHERE id = %s", [now, operator_id])


def add_session(connection: Connection, values: dict[str, object]) -> None:
    """Insert a session, and clear away those that ended long ago."""
    connection.execute(
        "INSERT INTO session (id, cookie_hash, operator_id, person_id, tenant_id, origin, agent, created_at, seen_at, "
        "expires_at) VALUES (%(id)s, %(cookie_hash)s, %(operator_id)s, %(person_id)s, %(tenant_id)s, %(origin)s, "
        "%(agent)s, %(now)s, %(now)s, %(expires_at)s)",
        values,
    )
    connection.execute("DELETE FROM session WHERE expires_at < %(now)s::timestamptz - interval '7 days'", values)


_SESSION: Final[LiteralString] = (
    "SELECT session.id, origin, agent, session.created_at, seen_at, expires_at, session.tenant_id, person_id, "
    "coalesce(operator.name, person.login) AS name, operator.role, "
    "coalesce(operator.must_change_password, person.must_change_password) AS must_change_password "
    "FROM session LEFT JOIN operator ON operator.id = operator_id LEFT JOIN person ON person.id = person_id "
)


def session(connection: Connection, cookie_hash: bytes, now: datetime, idle_since: datetime) -> DictRow | None:
    """Return a session that has not ended, with its person; one lookup by the cookie's hash."""
    return one(
        connection,
        _SESSION + "WHERE cookie_hash = %s AND expires_at > %s AND seen_at > %s AND operator.disabled_at IS NULL",
        [cookie_hash, now, idle_since],
    )


def sessions_of(connection: Connection, name: str, now: datetime, idle_since: datetime) -> list[DictRow]:
    """Return the sessions of an operator or a person that have not ended, the last used first."""
    return rows(
        connection,
        _SESSION + "WHERE lower(coalesce(operator.name, person.login)) = lower(%s) "
        "AND expires_at > %s AND seen_at > %s ORDER BY seen_at DESC",
        [name, now, idle_since],
    )


def touch_session(connection: Connection, session_id: UUID, now: datetime, origin: str) -> None:
    """Note that a session was used, and from where."""
    connection.execute("UPDATE session SET seen_at = %s, origin = %s WHERE id = %s", [now, origin, session_id])


def move_session(connection: Connection, session_id: UUID, tenant: int) -> None:
    """Let a member's session stand in another of its tenants."""
    connection.execute("UPDATE session SET tenant_id = %s WHERE id = %s", [tenant, session_id])


def end_session(connection: Connection, cookie_hash: bytes) -> bool:
    """Remove the session of a cookie; tell whether there was one."""
    return connection.execute("DELETE FROM session WHERE cookie_hash = %s", [cookie_hash]).rowcount > 0


def end_own_session(connection: Connection, name: str, session_id: UUID) -> bool:
    """Remove one session if it is that account's; tell whether it was."""
    return connection.execute(
        "DELETE FROM session WHERE id = %s AND (operator_id IN (SELECT id FROM operator WHERE lower(name) = lower(%s)) "
        "OR person_id IN (SELECT id FROM person WHERE lower(login) = lower(%s)))",
        [session_id, name, name],
    ).rowcount > 0


def end_sessions(connection: Connection, account_id: UUID, *, keep: bytes | None = None) -> int:
    """Remove all sessions of an operator or a person but the one with that cookie's hash."""
    return connection.execute(
        "DELETE FROM session WHERE (operator_id = %s OR person_id = %s) AND cookie_hash IS DISTINCT FROM %s",
        [account_id, account_id, keep],
    ).rowcount


def lock_counters(connection: Connection, keys: list[str], now: datetime) -> list[Counter]:
    """Return the counters of these keys, made when missing, held until the transaction ends; forget old ones."""
    connection.execute("DELETE FROM sign_in_throttle WHERE last_at < %s::timestamptz - interval '1 day'", [now])
    connection.execute(
        "INSERT INTO sign_in_throttle (key, failures, last_at, blocked_until) "
        "SELECT key, 0, %s, %s FROM unnest(%s::text[]) AS key ORDER BY key ON CONFLICT DO NOTHING",
        [now, now, keys],
    )
    found = rows(
        connection,
        "SELECT key, failures, last_at, blocked_until FROM sign_in_throttle WHERE key = ANY(%s) "
        "ORDER BY key FOR UPDATE",
        [keys],
    )
    return [Counter(row["key"], row["failures"], row["last_at"], row["blocked_until"]) for row in found]


def set_counter(connection: Connection, key: str, failures: int, now: datetime, blocked_until: datetime) -> None:
    """Write a counter back."""
    connection.execute(
        "UPDATE sign_in_throttle SET failures = %s, last_at = %s, blocked_until = %s WHERE key = %s",
        [failures, now, blocked_until, key],
    )


def forget_counters(connection: Connection, keys: list[str]) -> None:
    """Forget failures."""
    connection.execute("DELETE FROM sign_in_throttle WHERE key = ANY(%s)", [keys])


def take_back(connection: Connection, keys: list[str]) -> None:
    """Take back the one failure that was counted before the password was looked at."""
    connection.execute("UPDATE sign_in_throttle SET failures = greatest(failures - 1, 0) WHERE key = ANY(%s)", [keys])


_API: Final[LiteralString] = (
    "SELECT api_token.id, prefix, api_token.name, api_token.role, tenant_id, api_token.created_at, "
    "api_token.created_by, expires_at, last_used_at, last_origin, revoked_at FROM api_token "
)


def _token(row: DictRow) -> Token:
    """Read a row."""
    return Token(
        id=row["id"], prefix=row["prefix"], name=row["name"], role=Role(row["role"]), tenant=row["tenant_id"],
        created_at=row["created_at"], created_by=row["created_by"], expires_at=row["expires_at"],
        last_used_at=row["last_used_at"], last_origin=row["last_origin"], revoked_at=row["revoked_at"],
    )  # fmt: skip


def add_token(connection: Connection, made: Token, secret_hash: bytes, *, owner: str | None) -> None:
    """Insert a token; `owner` is the name of the operator that it acts for, or None."""
    connection.execute(
        "INSERT INTO api_token (id, prefix, secret_hash, name, role, tenant_id, created_at, created_by, expires_at, "
        "operator_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, "
        "(SELECT id FROM operator WHERE lower(name) = lower(%s)))",
        [
            made.id, made.prefix, secret_hash, made.name, made.role, made.tenant, made.created_at, made.created_by,
            made.expires_at, owner,
        ],
    )  # fmt: skip


def add_fenced_token(connection: Connection, made: Token, secret_hash: bytes, *, person: UUID | None) -> None:
    """Insert a tenant's token inside its fence, where operators cannot be seen; `person` is the member it acts for."""
    connection.execute(
        "INSERT INTO api_token (id, prefix, secret_hash, name, role, tenant_id, created_at, created_by, expires_at, "
        "person_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            made.id, made.prefix, secret_hash, made.name, made.role, made.tenant, made.created_at, made.created_by,
            made.expires_at, person,
        ],
    )  # fmt: skip


def token_by_prefix(connection: Connection, prefix: str) -> DictRow | None:
    """Return what is needed to let a token in: one lookup by its unique prefix."""
    return one(
        connection,
        "SELECT api_token.id, api_token.name, api_token.role, api_token.tenant_id, secret_hash, expires_at, "
        "revoked_at, last_used_at, coalesce(operator.role, member.role) AS owner_role, "
        "coalesce(operator.disabled_at, member.suspended_at) AS owner_disabled_at FROM api_token "
        "LEFT JOIN operator ON operator.id = operator_id LEFT JOIN member "
        "ON member.person_id = api_token.person_id AND member.tenant_id = api_token.tenant_id WHERE prefix = %s",
        [prefix],
    )


def touch_token(connection: Connection, token_id: UUID, now: datetime, origin: str) -> None:
    """Note that a token was used, and from where."""
    connection.execute(
        "UPDATE api_token SET last_used_at = %s, last_origin = %s WHERE id = %s", [now, origin, token_id]
    )


def tokens(connection: Connection, *, tenant: int | None) -> list[Token]:
    """Return the tokens of one tenant, or all, the newest first."""
    found = rows(
        connection,
        _API + "WHERE %s::bigint IS NULL OR tenant_id = %s ORDER BY created_at DESC, id DESC",
        [tenant, tenant],
    )
    return [_token(row) for row in found]


def tokens_of(connection: Connection, name: str) -> list[Token]:
    """Return the tokens that act for an operator, the newest first."""
    found = rows(
        connection,
        _API + "JOIN operator ON operator.id = operator_id WHERE lower(operator.name) = lower(%s) "
        "ORDER BY api_token.created_at DESC, api_token.id DESC",
        [name],
    )
    return [_token(row) for row in found]


def find_token(connection: Connection, key: str) -> Token | None:
    """Return the token of that id or prefix."""
    row = one(connection, _API + "WHERE prefix = %s OR api_token.id::text = %s", [_askable(key)] * 2)
    return _token(row) if row else None


def is_token_owned(connection: Connection, token_id: UUID, name: str) -> bool:
    """Tell whether a token acts for that operator."""
    return one(
        connection,
        "SELECT 1 AS found FROM api_token JOIN operator ON operator.id = operator_id "
        "WHERE api_token.id = %s AND lower(operator.name) = lower(%s)",
        [token_id, name],
    ) is not None


def revoke_token(connection: Connection, token_id: UUID, now: datetime) -> None:
    """Switch a token off for good."""
    connection.execute(
        "UPDATE api_token SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s", [now, token_id]
    )


def _flash(row: DictRow) -> Flash:
    return Flash(
        id=row["id"], level=Level(row["level"]), text=row["body"], link=row["link"], audience=row["audience"],
        created_at=row["created_at"], created_by=row["created_by"], expires_at=row["expires_at"],
    )  # fmt: skip


def add_flash(connection: Connection, made: Flash, tenant: int | None) -> None:
    """Insert a message, and clear away those that expired long ago."""
    connection.execute(
        "INSERT INTO flash (id, level, body, link, audience, tenant_id, created_at, created_by, expires_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            made.id, made.level, made.text, made.link, made.audience, tenant, made.created_at, made.created_by,
            made.expires_at,
        ],
    )  # fmt: skip
    connection.execute("DELETE FROM flash WHERE expires_at < %s::timestamptz - interval '30 days'", [made.created_at])


def visible_flashes(connection: Connection, audiences: list[str], person: str, now: datetime) -> list[Flash]:
    """Return the messages for these audiences that this person has not dismissed, the newest first."""
    found = rows(
        connection,
        "SELECT id, level, body, link, audience, created_at, created_by, expires_at FROM flash "
        "WHERE audience = ANY(%s) AND (expires_at IS NULL OR expires_at > %s) AND NOT EXISTS "
        "(SELECT FROM flash_dismissal WHERE flash_id = flash.id AND person = %s) ORDER BY created_at DESC, id DESC",
        [audiences, now, person],
    )
    return [_flash(row) for row in found]


def is_flash_for(connection: Connection, flash_id: UUID, audiences: list[str]) -> bool:
    """Tell whether there is such a message for these audiences."""
    return one(
        connection, "SELECT 1 AS found FROM flash WHERE id = %s AND audience = ANY(%s)", [flash_id, audiences]
    ) is not None


def dismiss_flash(connection: Connection, flash_id: UUID, person: str, now: datetime) -> None:
    """Note that a person has seen enough of a message."""
    connection.execute(
        "INSERT INTO flash_dismissal (flash_id, person, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [flash_id, person, now],
    )
