"""The SQL of uploads as people see them. No rule stands here."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from belvedere.intake.model import Totals, Upload, UploadState, Via
from belvedere.kernel.db import Connection, one, rows

_LISTED: Final[LiteralString] = (
    "SELECT upload.id, upload.tenant_id, campaign_id, coalesce(campaign.name, split_part(upload.folder, '/', 1)) "
    "AS campaign, device, upload.folder, upload.name, kind, size_bytes, sha256, version, upload.state, via, "
    "received_at, started_at, ended_at, points, rows, skipped, first_at, last_at, upload.error, code, same_as, "
    "moved_to, failures, again_at, coalesce(upload.report -> 'skipped_rows', '[]'::jsonb) AS skipped_why, "
    "coalesce((upload.report ->> 'nb_lost_clock_rows')::int, 0) AS lost_clock"
)
_FROM: Final[LiteralString] = " FROM upload LEFT JOIN campaign ON campaign.id = campaign_id "
_WHERE: Final[LiteralString] = (
    "WHERE (%(serial)s::bigint IS NULL OR upload.tenant_id = %(serial)s) "
    "AND (%(campaign)s::uuid IS NULL OR campaign_id = %(campaign)s) "
)


def listed(
    connection: Connection, *, serial: int | None, campaign: UUID | None, state: str, text: str, after: UUID | None,
    limit: int,
) -> list[Upload]:
    """Return uploads without their reports, the newest first."""
    query: LiteralString = (
        _LISTED + _FROM + _WHERE + "AND (%(state)s = '' OR upload.state = %(state)s) "
        "AND (%(text)s = '' OR position(lower(%(text)s) in lower(upload.folder || '/' || upload.name)) > 0) "
        "AND (%(after)s::uuid IS NULL OR upload.id < %(after)s) ORDER BY upload.id DESC LIMIT %(limit)s"
    )
    given = {"serial": serial, "campaign": campaign, "state": state, "text": text, "after": after, "limit": limit}
    return [_upload(row) for row in rows(connection, query, given)]


def get(connection: Connection, ident: UUID) -> Upload | None:
    """Return one upload with its report."""
    query: LiteralString = _LISTED + ", report" + _FROM + "WHERE upload.id = %s"
    found = one(connection, query, [ident])
    return _upload(found) if found else None


def totals(connection: Connection, *, serial: int | None, campaign: UUID | None, now: datetime) -> Totals:
    """Count uploads and what they brought."""
    query: LiteralString = (
        "SELECT state, count(*) AS files, sum(size_bytes)::bigint AS bytes, "
        "coalesce(sum(points) FILTER (WHERE same_as IS NULL), 0)::bigint AS points, "
        "coalesce(sum(rows) FILTER (WHERE same_as IS NULL), 0)::bigint AS rows, "
        "coalesce(sum(skipped) FILTER (WHERE same_as IS NULL), 0)::bigint AS skipped, "
        "count(same_as) AS again, count(*) FILTER (WHERE ended_at > %(now)s - interval '1 minute') AS lately "
        "FROM upload " + _WHERE + "GROUP BY state"
    )
    found = rows(connection, query, {"serial": serial, "campaign": campaign, "now": now})
    parsed = [row for row in found if row["state"] == "parsed"]
    return Totals(
        by_state={UploadState(row["state"]): row["files"] for row in found},
        files=sum(row["files"] for row in found), points=sum(row["points"] for row in parsed),
        rows=sum(row["rows"] for row in parsed), skipped=sum(row["skipped"] for row in parsed),
        size_bytes=sum(row["bytes"] for row in found), again=sum(row["again"] for row in found),
        per_minute=sum(row["lately"] for row in found if row["state"] in {"parsed", "refused"}),
    )


def measured(connection: Connection, campaign: UUID, limit: int) -> list[dict[str, Any]]:
    """Return the first and last time of each upload of a campaign with its holes, without those of a lost clock."""
    return rows(
        connection,
        "SELECT first_at, last_at, coalesce(report -> 'gaps', '[]'::jsonb) AS gaps FROM upload "
        "WHERE campaign_id = %s AND state = 'parsed' AND same_as IS NULL AND first_at IS NOT NULL "
        "ORDER BY id DESC LIMIT %s", [campaign, limit],
    )


def reopen(connection: Connection, ident: UUID, now: datetime) -> bool:
    """Let an upload be read again that had not gone well; return whether it was one."""
    done = connection.execute(
        "UPDATE upload SET state = 'received', closed = true, failures = 0, again_at = NULL, error = NULL, "
        "code = NULL, ended_at = NULL, run = NULL, still_since = %s "
        "WHERE id = %s AND state IN ('refused', 'waiting', 'left')",
        [now, ident],
    )
    return bool(done.rowcount)


def _upload(row: dict[str, Any]) -> Upload:
    return Upload(**{
        **row, "sha256": (row["sha256"] or b"").hex(), "state": UploadState(row["state"]), "via": Via(row["via"]),
        "skipped_why": tuple(
            (one["reason"], one["total"]) for one in row["skipped_why"] if isinstance(one, dict) and "total" in one
        ),
    })
