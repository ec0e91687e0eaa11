"""The statements about persons, memberships and invitations."""

from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.identity.members.model import Invitation, Invited, Member, Person, Place, Source
from belvedere.kernel.actor import Role
from belvedere.kernel.db import Connection, one, rows

_PERSON: Final[LiteralString] = (
    "SELECT id, login, name, email, must_change_password, password_set_at, last_sign_in_at, created_at, created_by, "
    "password_hash FROM person "
)
_MEMBER: Final[LiteralString] = (
    "SELECT person.id, person.name, person.email, person.login, member.role, member.suspended_at, member.source, "
    "member.seen_at, member.joined_at, member.joined_by FROM member JOIN person ON person.id = member.person_id "
)
_INVITATION: Final[LiteralString] = (
    "SELECT invitation.id, invitation.tenant_id, invitation.email, invitation.role, invitation.created_at, "
    "invitation.created_by, invitation.expires_at"
)
_OPEN: Final[LiteralString] = (
    "invitation.used_at IS NULL AND invitation.withdrawn_at IS NULL AND invitation.expires_at > %(now)s "
)
_WITHDRAW: Final[LiteralString] = "UPDATE invitation SET withdrawn_at = %(now)s WHERE tenant_id = %(tenant)s AND "


def _askable(text: str) -> str:
    # No name holds what PostgreSQL cannot: such a text is asked for as the empty one, which nobody is called.
    return text if text.isprintable() else ""


# --- persons ---


def places(connection: Connection, person_id: UUID) -> tuple[Place, ...]:
    """Return the tenants that a person may enter now, by name."""
    found = rows(
        connection,
        "SELECT serial, slug, tenant.name, member.role FROM member JOIN tenant ON serial = member.tenant_id "
        "WHERE person_id = %s AND suspended_at IS NULL AND is_active ORDER BY lower(tenant.name), serial",
        [person_id],
    )
    return tuple(Place(row["serial"], row["slug"], row["name"], Role(row["role"])) for row in found)


def _person(connection: Connection, row: DictRow) -> Person:
    return Person(
        id=row["id"], login=row["login"], name=row["name"], email=row["email"],
        must_change_password=row["must_change_password"], password_set_at=row["password_set_at"],
        last_sign_in_at=row["last_sign_in_at"], created_at=row["created_at"], created_by=row["created_by"],
        places=places(connection, row["id"]),
    )  # fmt: skip


def person(connection: Connection, person_id: UUID) -> Person | None:
    """Return an account by its id."""
    row = one(connection, _PERSON + "WHERE id = %s", [person_id])
    return _person(connection, row) if row else None


def person_for_sign_in(connection: Connection, login_or_email: str) -> tuple[Person, str] | None:
    """Return who that is, and the kept password."""
    row = one(
        connection,
        _PERSON + "WHERE lower(email) = lower(%s) OR lower(login) = lower(%s)",
        [_askable(login_or_email)] * 2,
    )
    return (_person(connection, row), row["password_hash"]) if row else None


def password_of(connection: Connection, person_id: UUID) -> str:
    """Return the kept password of an account; an empty text, which matches none, when there is no such account."""
    row = one(connection, "SELECT password_hash FROM person WHERE id = %s", [person_id])
    return str(row["password_hash"]) if row else ""


def add_person(connection: Connection, made: Person, password_hash: str) -> None:
    """Insert an account."""
    connection.execute(
        "INSERT INTO person (id, login, name, email, password_hash, password_set_at, must_change_password, "
        "created_at, created_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            made.id, made.login, made.name, made.email, password_hash, made.password_set_at,
            made.must_change_password, made.created_at, made.created_by,
        ],
    )  # fmt: skip


def set_password(connection: Connection, person_id: UUID, password_hash: str, now: datetime) -> None:
    """Replace a password that its person chose."""
    connection.execute(
        "UPDATE person SET password_hash = %s, password_set_at = %s, must_change_password = false WHERE id = %s",
        [password_hash, now, person_id],
    )


def rehash_password(connection: Connection, person_id: UUID, old: str, new: str) -> None:
    """Keep the same password under better parameters, unless it was changed meanwhile."""
    connection.execute(
        "UPDATE person SET password_hash = %s WHERE id = %s AND password_hash = %s", [new, person_id, old]
    )


def touch_sign_in(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Note that a person came in."""
    connection.execute("UPDATE person SET last_sign_in_at = %s WHERE id = %s", [now, person_id])


# --- memberships ---


def lock(connection: Connection, tenant: int) -> None:
    """Let one transaction at a time change a tenant's members: the last owner is counted under this lock."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('belvedere.members', %s))", [tenant])


def members(connection: Connection, tenant: int) -> list[Member]:
    """Return a tenant's members by name."""
    found = rows(
        connection, _MEMBER + "WHERE member.tenant_id = %s ORDER BY lower(person.name), person.login", [tenant]
    )
    return [_member(row) for row in found]


def find_member(connection: Connection, tenant: int, key: str) -> Member | None:
    """Return a tenant's member by the person's id, login or address."""
    row = one(
        connection,
        _MEMBER + "WHERE member.tenant_id = %(tenant)s AND (person.id::text = %(key)s "
        "OR lower(person.login) = lower(%(key)s) OR lower(person.email) = lower(%(key)s))",
        {"tenant": tenant, "key": _askable(key)},
    )
    return _member(row) if row else None


def _member(row: DictRow) -> Member:
    return Member(
        id=row["id"], name=row["name"], email=row["email"], login=row["login"], role=Role(row["role"]),
        active=row["suspended_at"] is None, source=Source(row["source"]), seen_at=row["seen_at"],
        joined_at=row["joined_at"], joined_by=row["joined_by"],
    )  # fmt: skip


def has_owner(connection: Connection, tenant: int) -> bool:
    """Tell whether a tenant has an owner who may enter it."""
    return one(
        connection,
        "SELECT FROM member WHERE tenant_id = %s AND role = 'owner' AND suspended_at IS NULL LIMIT 1",
        [tenant],
    ) is not None


def add_member(connection: Connection, values: dict[str, object]) -> bool:
    """Insert a membership; tell whether there was none."""
    return connection.execute(
        "INSERT INTO member (tenant_id, person_id, role, source, joined_at, joined_by) VALUES "
        "(%(tenant)s, %(person)s, %(role)s, %(source)s, %(now)s, %(by)s) ON CONFLICT DO NOTHING",
        values,
    ).rowcount > 0


def set_role(connection: Connection, tenant: int, person_id: UUID, role: Role) -> None:
    """Change what a member may do."""
    connection.execute(
        "UPDATE member SET role = %s WHERE tenant_id = %s AND person_id = %s", [role, tenant, person_id]
    )


def set_suspended(connection: Connection, tenant: int, person_id: UUID, at: datetime | None) -> None:
    """Keep a member out, or let it in again with None."""
    connection.execute(
        "UPDATE member SET suspended_at = %s WHERE tenant_id = %s AND person_id = %s", [at, tenant, person_id]
    )


def remove_member(connection: Connection, tenant: int, person_id: UUID) -> None:
    """Remove a membership; tokens made by it go with it, and an account without another membership too."""
    connection.execute("DELETE FROM member WHERE tenant_id = %s AND person_id = %s", [tenant, person_id])


def touch_member(connection: Connection, tenant: int, person_id: UUID, now: datetime) -> None:
    """Note that a member was here."""
    connection.execute(
        "UPDATE member SET seen_at = %s WHERE tenant_id = %s AND person_id = %s", [now, tenant, person_id]
    )


# --- invitations ---


def add_invitation(connection: Connection, made: Invitation, token_hash: bytes) -> None:
    """Insert an invitation, and clear away those that ended long ago."""
    connection.execute(
        "INSERT INTO invitation (id, tenant_id, token_hash, email, role, created_at, created_by, expires_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [made.id, made.tenant, token_hash, made.email, made.role, made.created_at, made.created_by, made.expires_at],
    )
    connection.execute(
        "DELETE FROM invitation WHERE tenant_id = %s AND expires_at < %s::timestamptz - interval '30 days'",
        [made.tenant, made.created_at],
    )


def invitations(connection: Connection, tenant: int, now: datetime) -> list[Invitation]:
    """Return a tenant's open invitations, the newest first."""
    found = rows(
        connection,
        _INVITATION + " FROM invitation WHERE tenant_id = %(tenant)s AND " + _OPEN + "ORDER BY created_at DESC, id",
        {"tenant": tenant, "now": now},
    )
    return [_invitation(row) for row in found]


def open_invitation(connection: Connection, token_hash: bytes, now: datetime, *, hold: bool = False) -> Invited | None:
    """Return the open invitation of a link, with its tenant; `hold` keeps it from others until the end."""
    query: LiteralString = (
        _INVITATION + ", tenant.name, tenant.slug FROM invitation JOIN tenant ON serial = invitation.tenant_id "
        "WHERE token_hash = %(hash)s AND is_active AND deleting_since IS NULL AND " + _OPEN
    )
    if hold:
        query += "FOR UPDATE OF invitation"
    row = one(connection, query, {"hash": token_hash, "now": now})
    return Invited(_invitation(row), row["name"], row["slug"]) if row else None


def _invitation(row: DictRow) -> Invitation:
    return Invitation(
        id=row["id"], tenant=row["tenant_id"], email=row["email"], role=Role(row["role"]),
        created_at=row["created_at"], created_by=row["created_by"], expires_at=row["expires_at"],
    )  # fmt: skip


def use_invitation(connection: Connection, invitation_id: UUID, now: datetime, by: str) -> None:
    """Close an invitation that somebody accepted."""
    connection.execute(
        "UPDATE invitation SET used_at = %s, used_by = %s WHERE id = %s", [now, by, invitation_id]
    )


def withdraw_invitation(connection: Connection, tenant: int, invitation_id: UUID, now: datetime) -> Invitation | None:
    """Close an open invitation and return it; None when there is none."""
    row = one(
        connection,
        _WITHDRAW + _OPEN + "AND id = %(id)s RETURNING id, tenant_id, email, role, created_at, created_by, expires_at",
        {"tenant": tenant, "id": invitation_id, "now": now},
    )
    return _invitation(row) if row else None


def withdraw_all_by(connection: Connection, tenant: int, login: str, now: datetime) -> int:
    """Close what a member invited who may not invite any more; return how many links that were."""
    return connection.execute(
        _WITHDRAW + _OPEN + "AND created_by = %(by)s", {"tenant": tenant, "by": login, "now": now}
    ).rowcount
