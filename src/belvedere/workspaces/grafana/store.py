"""What is written down about tenants' organisations in a Grafana: numbers, uids, versions and digests, no secret."""

from typing import Final
from uuid import UUID

import psycopg

from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.grafana.model import MOST_DIGESTS, Kind, Known, Record, Records, RecordState, Seat
from belvedere.workspaces.grafana.narrow import store as narrow

_LOCK: Final = 0x67726166


def installation(connection: Connection) -> UUID:
    """Return the number of this installation, which stands in every mark."""
    row = one(connection, "SELECT id FROM installation")
    if row is None:  # pragma: no cover  (a migration writes the row)
        raise LookupError
    return UUID(str(row["id"]))


def hold(session: Connection, tenant: int, wait_ms: int) -> bool:
    """Take the lock of a tenant's organisation for this session; False when another has it for so long."""
    session.execute("SELECT set_config('lock_timeout', %s, false)", [f"{wait_ms}ms"])
    try:
        session.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, tenant % 2**31])
    except psycopg.errors.LockNotAvailable:
        return False
    finally:
        session.execute("RESET lock_timeout")
    return True


def let_go(session: Connection, tenant: int) -> None:
    """Give the lock back. With the connection it is gone anyway."""
    if not session.broken:
        session.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, tenant % 2**31])


def hold_shared(session: Connection, url: str, wait_ms: int) -> bool:
    """Take the lock of the organisation that tenants share in a Grafana; False when another has it for so long."""
    session.execute("SELECT set_config('lock_timeout', %s, false)", [f"{wait_ms}ms"])
    try:
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, %s))", [url, _LOCK])
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def shared(connection: Connection, url: str) -> Known | None:
    """Return what is known of the organisation that tenants share in a Grafana."""
    row = one(
        connection, "SELECT organisation_name, organisation, asked_at FROM grafana_shared WHERE url = %s", [url]
    )
    if row is None:
        return None
    return Known(url, row["organisation_name"], row["organisation"] or 0, row["asked_at"] is not None)


def ask_for_shared(connection: Connection, url: str, name: str) -> None:
    """Write down that the shared organisation is about to be made."""
    connection.execute(
        "INSERT INTO grafana_shared (url, organisation_name, asked_at) VALUES (%s, %s, now()) ON CONFLICT (url) DO "
        "UPDATE SET organisation_name = excluded.organisation_name, organisation = NULL, asked_at = now()",
        [url, name],
    )


def unask_shared(connection: Connection, url: str) -> None:
    """Take that back: an organisation of that name turned out to be somebody else's."""
    connection.execute("UPDATE grafana_shared SET asked_at = NULL WHERE url = %s", [url])


def found_shared(connection: Connection, url: str, name: str, organisation: int) -> None:
    """Write down which organisation tenants share."""
    connection.execute(
        "INSERT INTO grafana_shared (url, organisation_name, organisation) VALUES (%s, %s, %s) ON CONFLICT (url) DO "
        "UPDATE SET organisation_name = excluded.organisation_name, organisation = excluded.organisation",
        [url, name, organisation],
    )


def organisations(connection: Connection, tenant: int, url: str) -> frozenset[int]:
    """Return the organisations of a Grafana in which a tenant stands; while it moves these may be two."""
    found = rows(
        connection, "SELECT organisation FROM grafana_workspace WHERE tenant_id = %s AND url = %s", [tenant, url]
    )
    return frozenset(row["organisation"] for row in found if row["organisation"])


def stands_in(connection: Connection, url: str, organisation: int, seat: Seat) -> bool:
    """Tell whether another place than this one stands in an organisation of a Grafana, of whatever tenant."""
    row = one(
        connection,
        "SELECT 1 FROM grafana_workspace WHERE url = %s AND organisation = %s AND (tenant_id, tier) <> (%s, %s) "
        "LIMIT 1", [url, organisation, *seat],
    )
    return row is not None


def account_number(connection: Connection, tenant: int, url: str, login: str) -> int:
    """Return the number of the tenant's default user in a Grafana, by whichever place of it; 0 when none is known."""
    row = one(
        connection,
        "SELECT max(o.number) AS number FROM grafana_object o JOIN grafana_workspace w USING (tenant_id, tier) "
        "WHERE o.tenant_id = %s AND w.url = %s AND o.kind = 'account' AND o.key = %s", [tenant, url, login],
    )
    return int(row["number"] or 0) if row else 0


def place(connection: Connection, seat: Seat) -> Known | None:
    """Return what is known of the tenant's organisation."""
    row = one(
        connection,
        "SELECT url, organisation_name, organisation, asked_at FROM grafana_workspace "
        "WHERE tenant_id = %s AND tier = %s", [*seat],
    )
    if row is None:
        return None
    return Known(row["url"], row["organisation_name"], row["organisation"] or 0, row["asked_at"] is not None)


def ask_for(connection: Connection, seat: Seat, url: str, name: str) -> None:
    """Write down that an organisation of this name is about to be made. What was known of another one is dropped.

    But for dashboards, and for the default user where the Grafana is the same: users outlive organisations.
    """
    narrow.forget(connection, seat)
    connection.execute(
        "DELETE FROM grafana_object o WHERE tenant_id = %s AND tier = %s AND kind <> 'board' AND (kind <> 'account' "
        "OR NOT EXISTS (SELECT FROM grafana_workspace w WHERE w.tenant_id = o.tenant_id AND w.tier = o.tier "
        "AND w.url = %s))",
        [*seat, url],
    )
    connection.execute(
        "INSERT INTO grafana_workspace (tenant_id, tier, url, organisation_name, asked_at) "
        "SELECT serial, %(tier)s, %(url)s, %(name)s, now() FROM tenant WHERE serial = %(tenant)s "
        "ON CONFLICT (tenant_id, tier) DO UPDATE SET url = excluded.url, "
        "organisation_name = excluded.organisation_name, organisation = NULL, "
        "asked_at = now()",
        {"tenant": seat.tenant, "tier": seat.tier, "url": url, "name": name},
    )


def found(connection: Connection, seat: Seat, url: str, name: str, organisation: int) -> None:
    """Write down which organisation is the tenant's.

    In another one than before, what people had made theirs is not there, and counts as ours again; in another Grafana
    nothing is there but what is made now.
    """
    narrow.forget_elsewhere(connection, seat, url, organisation)
    connection.execute(
        "DELETE FROM grafana_object o USING grafana_workspace w WHERE (o.tenant_id, o.tier) = (w.tenant_id, w.tier) "
        "AND w.tenant_id = %s AND w.tier = %s AND w.url <> %s AND o.kind <> 'board'", [*seat, url],
    )
    connection.execute(
        "UPDATE grafana_object o SET state = 'ours' FROM grafana_workspace w WHERE w.tenant_id = %s AND w.tier = %s "
        "AND (o.tenant_id, o.tier) = (w.tenant_id, w.tier) AND o.state = 'detached' "
        "AND (w.url, w.organisation) IS DISTINCT FROM (%s, %s)", [*seat, url, organisation],
    )
    connection.execute(
        "INSERT INTO grafana_workspace (tenant_id, tier, url, organisation_name, organisation) "
        "SELECT serial, %(tier)s, %(url)s, %(name)s, %(number)s FROM tenant WHERE serial = %(tenant)s "
        "ON CONFLICT (tenant_id, tier) DO UPDATE SET url = excluded.url, "
        "organisation_name = excluded.organisation_name, organisation = excluded.organisation",
        {"tenant": seat.tenant, "tier": seat.tier, "url": url, "name": name, "number": organisation},
    )


def forget(connection: Connection, seat: Seat) -> None:
    """Drop all that is known of the tenant's organisation."""
    connection.execute("DELETE FROM grafana_workspace WHERE tenant_id = %s AND tier = %s", [*seat])


def unask(connection: Connection, seat: Seat) -> None:
    """Take back that an organisation was asked for: one of that name turned out to be somebody else's."""
    connection.execute("UPDATE grafana_workspace SET asked_at = NULL WHERE tenant_id = %s AND tier = %s", [*seat])


def looked(connection: Connection, seat: Seat, problem: str = "", code: str = "") -> bool:
    """Write how the last look went; tell whether that is news."""
    row = one(
        connection,
        "UPDATE grafana_workspace w SET looked_at = CASE WHEN %(code)s = '' THEN now() ELSE w.looked_at END, "
        "problem = %(problem)s, problem_code = %(code)s, problem_since = CASE WHEN %(code)s = '' THEN NULL "
        "WHEN w.problem_code = %(code)s THEN w.problem_since ELSE now() END "
        "FROM grafana_workspace old WHERE w.tenant_id = %(tenant)s AND w.tier = %(tier)s "
        "AND old.tenant_id = w.tenant_id AND old.tier = w.tier "
        "RETURNING old.problem <> w.problem AS news",
        {"tenant": seat.tenant, "tier": seat.tier, "problem": problem, "code": code},
    )
    return bool(row and row["news"])


def state(connection: Connection, seat: Seat) -> dict[str, object] | None:
    """Return the row of the tenant's organisation as pages show it."""
    return one(
        connection,
        "SELECT url, organisation_name, organisation, problem, problem_code, problem_since, looked_at "
        "FROM grafana_workspace WHERE tenant_id = %s AND tier = %s", [*seat],
    )


def records(connection: Connection, seat: Seat) -> Records:
    """Return what was made for a tenant."""
    listed = rows(
        connection,
        "SELECT kind, key, uid, number, version, digests, state FROM grafana_object "
        "WHERE tenant_id = %s AND tier = %s ORDER BY kind, key", [*seat],
    )
    return {(Kind(row["kind"]), str(row["key"])): _record(row) for row in listed}


def record(connection: Connection, seat: Seat, kind: Kind, key: str) -> Record | None:
    """Return one record."""
    row = one(
        connection,
        "SELECT kind, key, uid, number, version, digests, state FROM grafana_object "
        "WHERE tenant_id = %s AND tier = %s AND kind = %s AND key = %s", [*seat, kind, key],
    )
    return _record(row) if row else None


def begin(connection: Connection, seat: Seat, kind: Kind, key: str, *, uid: str, digest: str) -> None:
    """Write down what is about to be written, so that what a crash left behind is known as ours."""
    narrow.forget(connection, seat, f"{kind}:{key}")
    connection.execute(
        "INSERT INTO grafana_object AS o (tenant_id, tier, kind, key, uid, digests) "
        "SELECT tenant_id, tier, %(kind)s, %(key)s, %(uid)s, ARRAY[%(digest)s] FROM grafana_workspace "
        "WHERE tenant_id = %(tenant)s AND tier = %(tier)s ON CONFLICT (tenant_id, tier, kind, key) DO UPDATE "
        "SET uid = excluded.uid, "
        "digests = (excluded.digests || array_remove(o.digests, %(digest)s))[1:%(most)s], version = NULL, "
        "changed_at = now()",
        {
            "tenant": seat.tenant, "tier": seat.tier, "kind": kind, "key": key, "uid": uid, "digest": digest,
            "most": MOST_DIGESTS,
        },
    )


def put(
    connection: Connection, seat: Seat, kind: Kind, key: str, *, uid: str = "", number: int = 0, version: int = 0,
    digest: str = "", state: RecordState = RecordState.OURS,
) -> None:
    """Write down what stands in Grafana now."""
    connection.execute(
        "INSERT INTO grafana_object AS o (tenant_id, tier, kind, key, uid, number, version, digests, state) "
        "SELECT tenant_id, tier, %(kind)s, %(key)s, %(uid)s, %(number)s, %(version)s, "
        "CASE WHEN %(digest)s = '' THEN '{}'::text[] ELSE ARRAY[%(digest)s] END, %(state)s FROM grafana_workspace "
        "WHERE tenant_id = %(tenant)s AND tier = %(tier)s ON CONFLICT (tenant_id, tier, kind, key) DO UPDATE "
        "SET uid = excluded.uid, "
        "number = excluded.number, version = excluded.version, state = excluded.state, changed_at = now(), "
        "digests = (excluded.digests || array_remove(o.digests, %(digest)s))[1:%(most)s]",
        {
            "tenant": seat.tenant, "tier": seat.tier, "kind": kind, "key": key, "uid": uid, "number": number or None,
            "version": version or None, "digest": digest, "state": state, "most": MOST_DIGESTS,
        },
    )


def leave_to_people(connection: Connection, seat: Seat, key: str, uid: str, state: RecordState) -> None:
    """Write down that a dashboard is people's: of what stands there nothing is ours, not even its version."""
    narrow.forget(connection, seat, f"{Kind.BOARD}:{key}")
    connection.execute(
        "INSERT INTO grafana_object (tenant_id, tier, kind, key, uid, state) SELECT tenant_id, tier, 'board', %(key)s, "
        "%(uid)s, %(state)s FROM grafana_workspace WHERE tenant_id = %(tenant)s AND tier = %(tier)s "
        "ON CONFLICT (tenant_id, tier, kind, key) DO UPDATE SET uid = excluded.uid, state = excluded.state, "
        "version = NULL, digests = '{}', changed_at = now()",
        {"tenant": seat.tenant, "tier": seat.tier, "key": key, "uid": uid, "state": state},
    )


def set_state(connection: Connection, seat: Seat, kind: Kind, key: str, state: RecordState) -> bool:
    """Say whose an object is, which has it looked at again; False when nothing is known of it."""
    narrow.forget(connection, seat, f"{kind}:{key}")
    return bool(
        connection.execute(
            "UPDATE grafana_object SET state = %s WHERE tenant_id = %s AND tier = %s AND kind = %s AND key = %s",
            [state, *seat, kind, key],
        ).rowcount
    )


def drop(connection: Connection, seat: Seat, kind: Kind, key: str) -> None:
    """Forget one object."""
    narrow.forget(connection, seat, f"{kind}:{key}")
    connection.execute(
        "DELETE FROM grafana_object WHERE tenant_id = %s AND tier = %s AND kind = %s AND key = %s",
        [*seat, kind, key],
    )


def age_s(connection: Connection, seat: Seat, kind: Kind, key: str) -> float:
    """Return how many seconds ago an object was written; a day when nothing is known."""
    row = one(
        connection,
        "SELECT extract(epoch FROM clock_timestamp() - changed_at)::float8 AS age FROM grafana_object "
        "WHERE tenant_id = %s AND tier = %s AND kind = %s AND key = %s", [*seat, kind, key],
    )
    return float(row["age"]) if row else 86_400.0


def _record(row: dict[str, object]) -> Record:
    digests = row["digests"]
    return Record(
        kind=Kind(str(row["kind"])), key=str(row["key"]), uid=str(row["uid"]), number=int(str(row["number"] or 0)),
        version=int(str(row["version"] or 0)), digests=tuple(map(str, digests if isinstance(digests, list) else ())),
        state=RecordState(str(row["state"])),
    )
