"""The SQL of campaigns. No rule stands here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from belvedere.intake.model import Campaign, CampaignState
from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id

LOOK_CLASS: Final = 1651271790
"""First half of the lock under which one process at a time compares a tenant's folders with its campaigns."""

_LISTED: Final[LiteralString] = (
    "SELECT campaign.*, count(upload.id) AS uploads, count(*) FILTER (WHERE upload.state = 'parsed') AS parsed, "
    "count(*) FILTER (WHERE upload.state = 'refused') AS refused, "
    "count(*) FILTER (WHERE upload.state IN ('received', 'reading', 'stored', 'waiting')) AS open, "
    "coalesce(sum(upload.points) FILTER (WHERE upload.state = 'parsed' AND upload.same_as IS NULL), 0)::bigint "
    "AS points, max(coalesce(upload.ended_at, upload.received_at)) AS last_at "
    "FROM campaign LEFT JOIN upload ON upload.campaign_id = campaign.id "
)


def alone(connection: Connection, serial: int) -> None:
    """Let nobody else compare this tenant's folders until the end of the transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [LOOK_CLASS, serial])


def known(connection: Connection, serial: int) -> list[dict[str, Any]]:
    """Return all campaigns of a tenant as rows, the newest last."""
    return rows(connection, "SELECT * FROM campaign WHERE tenant_id = %s ORDER BY id", [serial])


def make(connection: Connection, serial: int, name: str, folder: str, *, by: str, now: datetime) -> UUID:
    """Add a campaign."""
    ident = new_id()
    connection.execute(
        "INSERT INTO campaign (id, tenant_id, name, state, folder, made_at, made_by) "
        "VALUES (%s, %s, %s, 'active', %s, %s, %s)",
        [ident, serial, name, folder, now, by],
    )
    return ident


def revive(connection: Connection, ident: UUID, folder: str) -> None:
    """Let a deleted campaign be active again, whose folder came back."""
    connection.execute(
        "UPDATE campaign SET state = 'active', folder = %s, deleted_at = NULL, prepared_at = NULL, error = NULL "
        "WHERE id = %s", [folder, ident],
    )


def found_as(connection: Connection, ident: UUID, folder: str) -> None:
    """Keep by what a campaign's folder is known now."""
    connection.execute("UPDATE campaign SET folder = %s WHERE id = %s", [folder, ident])


def rename(connection: Connection, ident: UUID, before: str, name: str) -> None:
    """Call a campaign otherwise, with the places of its uploads; its points are still under the name before."""
    connection.execute(
        "UPDATE campaign SET name = %s, points_under = coalesce(points_under, %s) WHERE id = %s", [name, before, ident]
    )
    connection.execute(
        "UPDATE upload SET folder = %(name)s || substr(folder, length(%(before)s) + 1), "
        "moved_to = %(name)s || substr(moved_to, length(%(before)s) + 1) "
        "WHERE campaign_id = %(id)s AND (folder = %(before)s OR starts_with(folder, %(before)s || '/'))",
        {"id": ident, "name": name, "before": before},
    )


def delete(connection: Connection, ident: UUID, now: datetime) -> None:
    """Let a campaign be deleted."""
    connection.execute(
        "UPDATE campaign SET state = 'deleted', deleted_at = %s, prepared_at = NULL WHERE id = %s AND state = 'active'",
        [now, ident],
    )


def row(connection: Connection, ident: UUID) -> dict[str, Any] | None:
    """Return one campaign as a row."""
    return one(connection, "SELECT * FROM campaign WHERE id = %s", [ident])


def prepared(connection: Connection, ident: UUID, *, name: str, now: datetime) -> None:
    """Write that the store is ready for a campaign's points under its name, unless it was renamed meanwhile."""
    connection.execute(
        "UPDATE campaign SET prepared_at = coalesce(prepared_at, %s), points_under = NULL, error = NULL "
        "WHERE id = %s AND name = %s AND state = 'active'", [now, ident, name],
    )


def unprepare(connection: Connection, ident: UUID) -> None:
    """Have a campaign made ready again before the next points."""
    connection.execute("UPDATE campaign SET prepared_at = NULL WHERE id = %s", [ident])


def troubled(connection: Connection, ident: UUID, error: str) -> None:
    """Write why the store is not ready."""
    connection.execute("UPDATE campaign SET error = %s WHERE id = %s", [error, ident])


def unsettled(connection: Connection, idents: Sequence[UUID]) -> list[UUID]:
    """Return which of these are not ready for points."""
    found = rows(
        connection,
        "SELECT id FROM campaign WHERE id = ANY(%s) AND state = 'active' "
        "AND (prepared_at IS NULL OR points_under IS NOT NULL)", [list(idents)],
    )
    return [each["id"] for each in found]


def names(connection: Connection, idents: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of campaigns."""
    found = rows(connection, "SELECT id, name FROM campaign WHERE id = ANY(%s)", [list(idents)])
    return {each["id"]: each["name"] for each in found}


def latest_done(connection: Connection, ident: UUID, limit: int) -> list[str]:
    """Return where the newest files of a campaign lie that are done, below the tenant's folder."""
    found = rows(
        connection,
        "SELECT moved_to FROM upload WHERE campaign_id = %s AND moved_to IS NOT NULL ORDER BY id DESC LIMIT %s",
        [ident, limit],
    )
    return [each["moved_to"] for each in found]


def listed(
    connection: Connection, *, serial: int | None, text: str, state: str, after: UUID | None, limit: int
) -> list[Campaign]:
    """Return campaigns with their counts, the newest first."""
    query: LiteralString = (
        _LISTED + "WHERE (%(serial)s::bigint IS NULL OR campaign.tenant_id = %(serial)s) "
        "AND (%(text)s = '' OR position(lower(%(text)s) in lower(campaign.name)) > 0) "
        "AND (%(state)s = '' OR campaign.state = %(state)s) "
        "AND (%(after)s::uuid IS NULL OR campaign.id < %(after)s) GROUP BY campaign.id ORDER BY campaign.id DESC "
        "LIMIT %(limit)s"
    )
    found = rows(connection, query, {"serial": serial, "text": text, "state": state, "after": after, "limit": limit})
    return [_campaign(each) for each in found]


def get(connection: Connection, ident: UUID) -> Campaign | None:
    """Return one campaign with its counts."""
    query: LiteralString = _LISTED + "WHERE campaign.id = %s GROUP BY campaign.id"
    found = one(connection, query, [ident])
    return _campaign(found) if found else None


def measured(connection: Connection, *, ident: UUID | None, serial: int | None) -> list[dict[str, Any]]:
    """Return what meters' files brought to active campaigns: to one, or to all of a tenant.

    `name` is the one under which its points are.
    """
    return rows(
        connection,
        "SELECT campaign.tenant_id, coalesce(points_under, campaign.name) AS name, "
        "coalesce(sum(points), 0)::bigint AS points, coalesce(sum(rows), 0)::bigint AS rows, "
        "count(DISTINCT device)::int AS meters, min(first_at) AS first, max(last_at) AS last, "
        "max(upload.ended_at) AS newest_at FROM campaign LEFT JOIN upload ON campaign_id = campaign.id "
        "AND kind = 'meter' AND upload.state = 'parsed' AND same_as IS NULL AND points > 0 "
        "WHERE (campaign.id = %(ident)s OR campaign.tenant_id = %(serial)s) AND campaign.state = 'active' "
        "GROUP BY campaign.id", {"ident": ident, "serial": serial},
    )


def by_name(connection: Connection, serial: int, name: str) -> UUID | None:
    """Return the active campaign of a name."""
    found = one(
        connection, "SELECT id FROM campaign WHERE tenant_id = %s AND name = %s AND state = 'active'", [serial, name]
    )
    return found["id"] if found else None


def _campaign(found: dict[str, Any]) -> Campaign:
    return Campaign(
        id=found["id"], tenant_id=found["tenant_id"], name=found["name"], state=CampaignState(found["state"]),
        made_at=found["made_at"], made_by=found["made_by"], prepared_at=found["prepared_at"],
        deleted_at=found["deleted_at"], error=found["error"], uploads=found["uploads"], parsed=found["parsed"],
        refused=found["refused"], open=found["open"], points=found["points"], last_at=found["last_at"],
    )
