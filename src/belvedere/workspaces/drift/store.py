"""The rows of drift in the control database: the last look at each workspace, and what differed in it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from belvedere.kernel.db import Connection, one, rows, signal
from belvedere.kernel.plan import Change, Plan
from belvedere.workspaces.drift.model import Difference, Made, WorkspaceState, word_of
from belvedere.workspaces.tiers import Tier

TOPIC: Final = "drift"
"""What open pages hear when something differs, or does not any more."""

_STATES: LiteralString = (
    "WITH seen AS (SELECT t.serial, t.name, t.slug, t.deleting_since IS NOT NULL AS deleting, "
    "coalesce(c.tier, %(tier)s) AS tier, w.kind, g.url, g.organisation, g.organisation_name, l.ended_at, l.good_at, "
    "coalesce(l.problem, '') AS problem, coalesce(l.problem_code, '') AS problem_code, "
    "coalesce(l.problem_hint, '') AS problem_hint, l.problem_since, "
    "(SELECT count(*) FROM workspace_difference d WHERE d.tenant_id = t.serial AND d.settled_at IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM grafana_object o WHERE o.tenant_id = t.serial AND o.kind = 'board' "
    "AND 'board:' || o.key = d.key AND o.state = 'changed by hand')) AS differs, "
    "(SELECT count(*) FROM grafana_object o WHERE o.tenant_id = t.serial AND o.state = 'changed by hand') AS by_hand "
    "FROM tenant t LEFT JOIN workspace_tier c ON c.tenant_id = t.serial "
    "LEFT JOIN workspace w ON w.tenant_id = t.serial LEFT JOIN workspace_look l ON l.tenant_id = t.serial "
    "LEFT JOIN LATERAL (SELECT * FROM grafana_workspace p WHERE p.tenant_id = t.serial "
    "ORDER BY p.tier IS NOT DISTINCT FROM c.tier DESC, p.organisation DESC NULLS LAST LIMIT 1) g ON true) "
    "SELECT * FROM seen WHERE (%(serials)s::bigint[] IS NULL OR serial = ANY(%(serials)s)) AND serial > %(after)s "
    "AND (%(serials)s::bigint[] IS NOT NULL OR (NOT deleting AND (problem_code <> '' OR differs > 0 OR by_hand > 0))) "
    "ORDER BY serial LIMIT %(limit)s"
)
"""How workspaces are: of some tenants, or (no `serials`) of those that are not as they should be."""


def ended(
    connection: Connection, tenant: int, problem: str = "", code: str = "", hint: str = "", *, whole: bool = True
) -> None:
    """Write down how a look at a tenant's workspace ended; open pages hear of what is new.

    One at a part leaves the moment of the last good look as it is.
    """
    row = one(
        connection,
        "WITH old AS (SELECT problem FROM workspace_look WHERE tenant_id = %(tenant)s) "
        "INSERT INTO workspace_look AS l (tenant_id, good_at, problem, problem_code, problem_hint, problem_since) "
        "SELECT serial, CASE WHEN %(code)s = '' AND %(whole)s THEN clock_timestamp() END, %(problem)s, %(code)s, "
        "%(hint)s, "
        "CASE WHEN %(code)s <> '' THEN clock_timestamp() END FROM tenant WHERE serial = %(tenant)s "
        "ON CONFLICT (tenant_id) DO UPDATE SET ended_at = clock_timestamp(), problem = excluded.problem, "
        "problem_code = excluded.problem_code, problem_hint = excluded.problem_hint, "
        "good_at = coalesce(excluded.good_at, l.good_at), problem_since = CASE "
        "WHEN excluded.problem_code = l.problem_code THEN l.problem_since ELSE excluded.problem_since END "
        "RETURNING (SELECT problem FROM old) IS DISTINCT FROM problem AS news",
        {"tenant": tenant, "problem": problem, "code": code, "hint": hint, "whole": whole},
    )
    if row and row["news"]:
        signal(connection, f"tenant.{tenant}", "tenants", TOPIC)


def found(connection: Connection, tenant: int, plan: Plan[Any]) -> None:
    """Write down what a plan says; what it does not name any more is settled, save what waits for a choice."""
    for step in plan.steps:
        put(connection, tenant, step.key, sign=step.sign, title=step.title, target=step.target, changes=step.changes)
    settle(connection, tenant, [step.key for step in plan.steps])
    if plan:
        signal(connection, f"tenant.{tenant}", TOPIC, "attention")


def put(
    connection: Connection, tenant: int, key: str, *, sign: str, title: str, target: str, changes: Sequence[Change]
) -> None:
    """Write down one difference; one that was settled is open again from now on."""
    fields = [{"field": one.field, "old": one.old, "new": one.new} for one in changes]
    connection.execute(
        "INSERT INTO workspace_difference AS d (tenant_id, key, sign, title, target, changes) "
        "SELECT serial, %(key)s, %(sign)s, %(title)s, %(target)s, %(changes)s FROM tenant WHERE serial = %(tenant)s "
        "ON CONFLICT (tenant_id, key) DO UPDATE SET sign = excluded.sign, title = excluded.title, "
        "target = excluded.target, changes = excluded.changes, "
        "found_at = CASE WHEN d.settled_at IS NULL THEN d.found_at ELSE now() END, settled_at = NULL",
        {"tenant": tenant, "key": key, "sign": sign, "title": title, "target": target, "changes": Jsonb(fields)},
    )


def settle(connection: Connection, tenant: int, but: Sequence[str] = ()) -> None:
    """Settle what is open, save some keys and what waits for a person; forget what was settled a week ago."""
    done = connection.execute(
        "UPDATE workspace_difference d SET settled_at = now() WHERE tenant_id = %s AND settled_at IS NULL "
        "AND NOT key = ANY(%s) AND NOT EXISTS (SELECT 1 FROM grafana_object o WHERE o.tenant_id = d.tenant_id "
        "AND o.kind = 'board' AND 'board:' || o.key = d.key AND o.state = 'changed by hand')", [tenant, list(but)],
    ).rowcount
    connection.execute(
        "DELETE FROM workspace_difference WHERE tenant_id = %s AND settled_at < now() - interval '7 days'", [tenant]
    )
    if done:
        signal(connection, f"tenant.{tenant}", TOPIC, "attention")


def is_unexplained(connection: Connection, tenant: int) -> bool:
    """Tell whether a dashboard waits for a choice and nothing is written down of what was changed in it."""
    return one(
        connection,
        "SELECT 1 FROM grafana_object o WHERE tenant_id = %s AND kind = 'board' AND state = 'changed by hand' "
        "AND NOT EXISTS (SELECT 1 FROM workspace_difference d WHERE d.tenant_id = o.tenant_id "
        "AND d.key = 'board:' || o.key AND d.settled_at IS NULL) LIMIT 1", [tenant],
    ) is not None


def states(connection: Connection, serials: Sequence[int], tier: Tier) -> dict[int, WorkspaceState]:
    """Return how the workspaces of these tenants are; `tier` is that of tenants for whom none was chosen."""
    asked = {"serials": list(serials), "tier": tier, "after": -1, "limit": None}
    listed = rows(connection, _STATES, asked)
    return {row["serial"]: _state(row) for row in listed}


def drifted(
    connection: Connection, tier: Tier, *, after: int, limit: int
) -> list[WorkspaceState]:
    """Return the workspaces that are not as they should be, by the tenant's number."""
    listed = rows(connection, _STATES, {"serials": None, "tier": tier, "after": after, "limit": limit})
    return [_state(row) for row in listed]


def count_drifted(connection: Connection) -> int:
    """Count the tenants whose workspace is not as it should be."""
    row = one(
        connection,
        "SELECT count(*) AS n FROM tenant t WHERE deleting_since IS NULL AND ("
        "EXISTS (SELECT 1 FROM workspace_look l WHERE l.tenant_id = serial AND problem_code <> '') OR "
        "EXISTS (SELECT 1 FROM workspace_difference d WHERE d.tenant_id = serial AND settled_at IS NULL) OR "
        "EXISTS (SELECT 1 FROM grafana_object o WHERE o.tenant_id = serial AND o.state = 'changed by hand'))",
    )
    return int(row["n"]) if row else 0


def differences(connection: Connection, serials: Sequence[int]) -> list[Difference]:
    """Return what is open at these tenants, what waits for a choice last."""
    listed = rows(
        connection,
        "SELECT d.*, EXISTS (SELECT 1 FROM grafana_object o WHERE o.tenant_id = d.tenant_id AND o.kind = 'board' "
        "AND 'board:' || o.key = d.key AND o.state = 'changed by hand') AS by_hand FROM workspace_difference d "
        "WHERE tenant_id = ANY(%s) AND settled_at IS NULL ORDER BY tenant_id, by_hand, found_at, key", [list(serials)],
    )
    return [_difference(row) for row in listed]


def settled(connection: Connection, *, tenant: int | None, limit: int) -> list[Difference]:
    """Return what was repaired lately, the newest first: of one tenant, or of all."""
    listed = rows(
        connection,
        "SELECT d.*, false AS by_hand FROM workspace_difference d WHERE settled_at IS NOT NULL "
        "AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) ORDER BY settled_at DESC, key LIMIT %(limit)s",
        {"tenant": tenant, "limit": limit},
    )
    return [_difference(row) for row in listed]


def made(connection: Connection, tenant: int, tier: Tier) -> list[Made]:
    """Return what stands in a tenant's place of one tier, by our records."""
    listed = rows(
        connection,
        "SELECT kind, key, uid, coalesce(number, 0) AS number, state FROM grafana_object "
        "WHERE tenant_id = %s AND tier = %s ORDER BY kind, key", [tenant, tier],
    )
    return [Made(**row) for row in listed]


def looked_at(connection: Connection) -> datetime | None:
    """Return when a look at any workspace ended last."""
    row = one(connection, "SELECT max(ended_at) AS at FROM workspace_look")
    found_at: datetime | None = row["at"] if row else None
    return found_at


def tenants_of(connection: Connection, url: str) -> dict[int, int]:
    """Return whose the organisations of a Grafana are, by number; one that several share is nobody's."""
    listed = rows(
        connection,
        "SELECT organisation, min(tenant_id) AS tenant FROM grafana_workspace WHERE url = %s "
        "AND organisation IS NOT NULL GROUP BY organisation HAVING count(DISTINCT tenant_id) = 1", [url],
    )
    return {row["organisation"]: row["tenant"] for row in listed}


def tenant_of(connection: Connection, organisation: int) -> int | None:
    """Return whose organisation it is by our records; None for one that is nobody's, or that several share."""
    row = one(
        connection,
        "SELECT min(tenant_id) AS tenant FROM grafana_workspace WHERE organisation = %s "
        "HAVING count(DISTINCT tenant_id) = 1", [organisation],
    )
    return int(row["tenant"]) if row else None


def _state(row: DictRow) -> WorkspaceState:
    organisation = int(row["organisation"] or 0)
    opened = bool(row["kind"]) and (row["tier"] == Tier.VIEWER or bool(organisation))
    differs, by_hand = int(row["differs"]), int(row["by_hand"])
    return WorkspaceState(
        tenant=row["serial"], name=row["name"], slug=row["slug"], tier=Tier(row["tier"]),
        word=word_of(
            deleting=row["deleting"], opened=opened, problem_type=row["problem_code"], differs=differs + by_hand
        ),
        url=f"{row['url']}/?orgId={organisation}" if organisation else "", organisation=organisation,
        organisation_name=row["organisation_name"] or "", problem=row["problem"],
        problem_type=row["problem_code"], hint=row["problem_hint"],
        since=row["problem_since"], looked_at=row["good_at"], ended_at=row["ended_at"],
        differs=differs, by_hand=by_hand,
    )


def _difference(row: DictRow) -> Difference:
    return Difference(
        tenant=row["tenant_id"], key=row["key"], sign=row["sign"], title=row["title"], target=row["target"],
        changes=tuple(Change(one["field"], one["old"], one["new"]) for one in row["changes"]),
        found_at=row["found_at"], settled_at=row["settled_at"],
        dashboard=UUID(row["key"].partition(":")[2]) if row["by_hand"] else None,
    )
