"""What is written down about members in a Grafana: numbers, roles and moments, no password."""

from typing import Final, LiteralString

from psycopg.rows import DictRow

from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.grafana.model import Seat
from belvedere.workspaces.grafana.people.model import JoinedMember, KnownUser

_ELSEWHERE: Final[LiteralString] = (
    "SELECT FROM member JOIN person ON person.id = person_id JOIN tenant ON serial = member.tenant_id "
    "JOIN workspace_tier tier ON tier.tenant_id = serial WHERE lower(person.login) = %(login)s "
    "AND serial <> %(tenant)s AND suspended_at IS NULL AND deleting_since IS NULL "
    "AND tier.tier IN ('org', 'team') LIMIT 1"
)
_THERE: Final[LiteralString] = (
    "SELECT FROM grafana_member WHERE login = %(login)s AND left_at IS NULL "
    "AND (tenant_id, tier) <> (%(tenant)s, %(tier)s) LIMIT 1"
)


def user(connection: Connection, url: str, login: str, *, hold: bool = False) -> KnownUser | None:
    """Return who stands for a person in a Grafana; `hold` keeps the row from other tenants' jobs until the end."""
    query: LiteralString = "SELECT login, number, made, maker, handed_at FROM grafana_user "
    query += "WHERE url = %s AND login = %s"
    row = one(connection, query + " FOR UPDATE" if hold else query, [url, login])
    return _user(row) if row else None


def users(connection: Connection, url: str, tenant: int) -> dict[str, KnownUser]:
    """Return, by login, who stands for a tenant's members in a Grafana."""
    found = rows(
        connection,
        "SELECT u.login, number, made, maker, handed_at FROM grafana_user u WHERE url = %(url)s AND login IN ("
        "SELECT lower(person.login) FROM person JOIN member ON person_id = person.id WHERE tenant_id = %(tenant)s)",
        {"url": url, "tenant": tenant},
    )
    return {row["login"]: _user(row) for row in found}


def owner_of(connection: Connection, url: str, number: int) -> str | None:
    """Return whose a user of a Grafana is by our records: a member's login, or the default user of a tenant."""
    row = one(
        connection,
        "SELECT login FROM grafana_user WHERE url = %(url)s AND number = %(number)s UNION ALL "
        "SELECT key FROM grafana_object o JOIN grafana_workspace w USING (tenant_id, tier) "
        "WHERE kind = 'account' AND o.number = %(number)s AND w.url = %(url)s LIMIT 1",
        {"url": url, "number": number},
    )
    return str(row["login"]) if row else None


def homes(connection: Connection, url: str) -> set[int]:
    """Return the organisations of all tenants in a Grafana."""
    found = rows(
        connection, "SELECT organisation FROM grafana_workspace WHERE url = %s AND organisation IS NOT NULL", [url]
    )
    return {int(row["organisation"]) for row in found}


def half_made(connection: Connection, url: str, tenant: int) -> list[str]:
    """Return the logins of users that a tenant is having made: of these it is not known whether they are there."""
    found = rows(
        connection, "SELECT login FROM grafana_user WHERE url = %s AND maker = %s AND number IS NULL ORDER BY login",
        [url, tenant],
    )
    return [row["login"] for row in found]


def begin(connection: Connection, url: str, login: str, tenant: int) -> None:
    """Write down that a user is about to be made, and in which tenant."""
    connection.execute(
        "INSERT INTO grafana_user (url, login, maker) VALUES (%s, %s, %s) ON CONFLICT (url, login) DO UPDATE "
        "SET maker = excluded.maker WHERE grafana_user.number IS NULL",
        [url, login, tenant],
    )


def keep(connection: Connection, url: str, login: str, number: int, *, made: bool) -> None:
    """Write down who stands for a person. That Belvedere made this very user is never taken back.

    A number that was another's is not any more: a Grafana that was emptied gives its numbers out again.
    """
    connection.execute(
        "UPDATE grafana_user SET number = NULL, made = false, maker = NULL WHERE url = %s AND number = %s "
        "AND login <> %s",
        [url, number, login],
    )
    connection.execute(
        "INSERT INTO grafana_user AS u (url, login, number, made) VALUES (%s, %s, %s, %s) ON CONFLICT (url, login) "
        "DO UPDATE SET number = excluded.number, made = excluded.made OR (u.made AND u.number = excluded.number), "
        "handed_at = CASE WHEN u.number = excluded.number THEN u.handed_at END",
        [url, login, number, made],
    )


def forget(connection: Connection, url: str, login: str) -> None:
    """Forget who stood for a person."""
    connection.execute("DELETE FROM grafana_user WHERE url = %s AND login = %s", [url, login])


def hand_over(connection: Connection, url: str, login: str) -> None:
    """Write down that a first password was given away."""
    connection.execute(
        "UPDATE grafana_user SET handed_at = now() WHERE url = %s AND login = %s", [url, login]
    )


def joined(connection: Connection, seat: Seat) -> tuple[JoinedMember, ...]:
    """Return who was put into a tenant's organisation, those who leave included."""
    found = rows(
        connection,
        "SELECT login, number, role, left_at FROM grafana_member WHERE tenant_id = %s AND tier = %s ORDER BY login",
        [*seat],
    )
    return tuple(JoinedMember(row["login"], int(row["number"]), row["role"], row["left_at"]) for row in found)


def join(connection: Connection, seat: Seat, login: str, number: int, role: str) -> None:
    """Write down that somebody is in a tenant's organisation."""
    connection.execute(
        "INSERT INTO grafana_member (tenant_id, tier, login, number, role) "
        "SELECT tenant_id, tier, %(login)s, %(number)s, %(role)s FROM grafana_workspace "
        "WHERE tenant_id = %(tenant)s AND tier = %(tier)s ON CONFLICT (tenant_id, tier, login) "
        "DO UPDATE SET number = excluded.number, role = excluded.role, left_at = NULL",
        {"tenant": seat.tenant, "tier": seat.tier, "login": login, "number": number, "role": role},
    )


def leave(connection: Connection, seat: Seat, login: str) -> None:
    """Write down that somebody was taken out just now."""
    connection.execute(
        "UPDATE grafana_member SET left_at = clock_timestamp() WHERE tenant_id = %s AND tier = %s AND login = %s",
        [*seat, login],
    )


def left(connection: Connection, seat: Seat, login: str) -> None:
    """Forget somebody who was seen to be out, unless they came back meanwhile."""
    connection.execute(
        "DELETE FROM grafana_member WHERE tenant_id = %s AND tier = %s AND login = %s AND left_at IS NOT NULL",
        [*seat, login],
    )


def leaving(connection: Connection, seat: Seat) -> list[tuple[JoinedMember, float]]:
    """Return who was taken out and not yet looked after, with how many seconds ago that was."""
    found = rows(
        connection,
        "SELECT login, number, role, left_at, extract(epoch FROM clock_timestamp() - left_at)::float8 AS age "
        "FROM grafana_member WHERE tenant_id = %s AND tier = %s AND left_at IS NOT NULL ORDER BY login",
        [*seat],
    )
    return [
        (JoinedMember(row["login"], int(row["number"]), row["role"], row["left_at"]), float(row["age"]))
        for row in found
    ]


def anybody_leaves(connection: Connection, tenant: int) -> bool:
    """Tell whether somebody was taken out of a tenant's place and not yet looked after."""
    query = "SELECT FROM grafana_member WHERE tenant_id = %s AND left_at IS NOT NULL LIMIT 1"
    return one(connection, query, [tenant]) is not None


def is_needed_in(connection: Connection, seat: Seat, number: int, organisation: int) -> bool:
    """Tell whether another tenant of the same organisation has this user as its member."""
    return one(
        connection,
        "SELECT FROM grafana_member m JOIN grafana_workspace w USING (tenant_id, tier) WHERE number = %(number)s "
        "AND left_at IS NULL AND (tenant_id, tier) <> (%(tenant)s, %(tier)s) "
        "AND w.organisation = %(organisation)s LIMIT 1",
        {"number": number, "tenant": seat.tenant, "tier": seat.tier, "organisation": organisation},
    ) is not None


def is_needed_elsewhere(connection: Connection, seat: Seat, login: str) -> bool:
    """Tell whether another place in Grafana has, or is about to have, this person as a member."""
    values = {"login": login, "tenant": seat.tenant, "tier": seat.tier}
    return one(connection, _ELSEWHERE, values) is not None or one(connection, _THERE, values) is not None


def is_joined(connection: Connection, url: str, login: str) -> bool:
    """Tell whether any tenant still has this person in its organisation, or takes it out just now."""
    return one(
        connection,
        "SELECT FROM grafana_member JOIN grafana_workspace USING (tenant_id, tier) "
        "WHERE login = %s AND url = %s LIMIT 1",
        [login, url],
    ) is not None


def _user(row: DictRow) -> KnownUser:
    return KnownUser(row["login"], int(row["number"] or 0), bool(row["made"]), int(row["maker"] or 0), row["handed_at"])
