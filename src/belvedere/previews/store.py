"""The SQL of this room: rounds, tries, folders' names, capture tokens.

What is not here: what follows from a row (`plan.py`), files (`pictures.py`).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id, opaque
from belvedere.previews.model import Attempt, Film, Preview, Subject


def _preview(row: Any) -> Preview:  # noqa: ANN401
    return msgspec.convert(row, Preview)


def latest(connection: Connection, dashboard_id: UUID) -> Preview | None:
    """Return the newest round of a dashboard."""
    row = one(
        connection, "SELECT * FROM preview WHERE dashboard_id = %s ORDER BY id DESC LIMIT 1", [dashboard_id]
    )
    return _preview(row) if row else None


def latest_captured(connection: Connection, dashboard_id: UUID) -> Preview | None:
    """Return the newest round of a dashboard that led to a picture."""
    row = one(
        connection,
        "SELECT * FROM preview WHERE dashboard_id = %s AND state = 'captured' ORDER BY id DESC LIMIT 1",
        [dashboard_id],
    )
    return _preview(row) if row else None


def latest_of(connection: Connection, dashboard_ids: list[UUID]) -> list[Preview]:
    """Return the newest round of each of these dashboards that has one."""
    return [
        _preview(row)
        for row in rows(
            connection,
            "SELECT DISTINCT ON (dashboard_id) * FROM preview WHERE dashboard_id = ANY(%s) "
            "ORDER BY dashboard_id, id DESC",
            [dashboard_ids],
        )
    ]


def of_dashboard(connection: Connection, dashboard_id: UUID, limit: int) -> list[Preview]:
    """Return the rounds of a dashboard, newest first."""
    return [
        _preview(row)
        for row in rows(
            connection,
            "SELECT * FROM preview WHERE dashboard_id = %s ORDER BY id DESC LIMIT %s",
            [dashboard_id, limit],
        )
    ]


def get(connection: Connection, preview_id: UUID) -> Preview | None:
    """Return one round."""
    row = one(connection, "SELECT * FROM preview WHERE id = %s", [preview_id])
    return _preview(row) if row else None


def attempts(connection: Connection, preview_id: UUID) -> list[Attempt]:
    """Return the tries of a round, in order."""
    return [
        msgspec.convert(row, Attempt)
        for row in rows(
            connection,
            "SELECT number, started_at, ended_at, outcome, error FROM preview_attempt WHERE preview_id = %s "
            "ORDER BY number",
            [preview_id],
        )
    ]


def open_round(connection: Connection, subject: Subject, requested_by: str, now: datetime, *, hurry: bool) -> None:
    """Open a round for a dashboard, unless one is open. `hurry` also starts an open one anew, without a pause."""
    connection.execute(
        "INSERT INTO preview (id, tenant_id, dashboard_id, state, version, requested_by, requested_at, next_try_at) "
        "VALUES (%(id)s, %(tenant)s, %(dashboard)s, 'waiting', %(version)s, %(by)s, %(now)s, %(due)s) "
        "ON CONFLICT (dashboard_id) WHERE state IN ('waiting', 'working') DO UPDATE "
        "SET next_try_at = %(now)s, requested_by = %(by)s WHERE %(hurry)s AND preview.state = 'waiting'",
        {
            "id": new_id(), "tenant": subject.tenant, "dashboard": subject.dashboard_id, "version": subject.changed_at,
            "by": requested_by, "now": now, "due": now if hurry else None, "hurry": hurry,
        },
    )


def start(connection: Connection, preview: Preview, version: datetime, now: datetime) -> int:
    """Count a try, and close one that its runner never ended. Returns the number of this one."""
    connection.execute(
        "UPDATE preview_attempt SET outcome = 'lost', ended_at = %s WHERE preview_id = %s AND outcome = 'working'",
        [now, preview.id],
    )
    row = one(
        connection,
        "UPDATE preview SET state = 'working', started_at = %s, version = %s, next_try_at = NULL, attempts = "
        "(SELECT coalesce(max(number), 0) + 1 FROM preview_attempt WHERE preview_id = preview.id) "
        "WHERE id = %s RETURNING attempts",
        [now, version, preview.id],
    )
    number = int(row["attempts"]) if row else 0
    connection.execute(
        "INSERT INTO preview_attempt (preview_id, tenant_id, number, started_at, outcome) "
        "VALUES (%s, %s, %s, %s, 'working')",
        [preview.id, preview.tenant_id, number, now],
    )
    return number


def end_captured(
    connection: Connection, preview_id: UUID, number: int, *, film: Film, paths: tuple[str, str], now: datetime
) -> bool:
    """Record a picture, if this try still is the current one; say whether."""
    row = one(
        connection,
        "UPDATE preview SET state = 'captured', captured_at = %s, error = nullif(%s, ''), code = NULL, gif_path = %s, "
        "png_path = %s, width = %s, height = %s, frames = %s, gif_bytes = %s, duration_ms = %s "
        "WHERE id = %s AND state = 'working' AND attempts = %s RETURNING id",
        [
            now, film.flaw, *paths, film.width, film.height, film.frames, film.gif_bytes, film.duration_ms, preview_id,
            number,
        ],
    )
    if row:
        _end_attempt(connection, preview_id, number, outcome="captured", error=film.flaw or None, now=now)
    return row is not None


def end_failed(
    connection: Connection, preview_id: UUID, number: int, *, error: str, code: str, png_path: str | None,
    next_try_at: datetime | None, now: datetime,
) -> bool:
    """Record that a try failed, for now or for good, if it still is the current one; say whether."""
    row = one(
        connection,
        "UPDATE preview SET state = %s, error = %s, code = %s, next_try_at = %s, png_path = coalesce(%s, png_path), "
        "duration_ms = 1000 * extract(epoch FROM %s - started_at) "
        "WHERE id = %s AND state = 'working' AND attempts = %s RETURNING id",
        [
            "waiting" if next_try_at else "failed", error, code, next_try_at, png_path, now, preview_id, number,
        ],
    )
    if row:
        _end_attempt(connection, preview_id, number, outcome="failed", error=error, now=now)
    return row is not None


def _end_attempt(
    connection: Connection, preview_id: UUID, number: int, *, outcome: str, error: str | None, now: datetime
) -> None:
    connection.execute(
        "UPDATE preview_attempt SET outcome = %s, error = %s, ended_at = %s WHERE preview_id = %s AND number = %s",
        [outcome, error, now, preview_id, number],
    )


def due(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return the dashboards whose round waits and may be worked on: of the tenant served longest ago, oldest first."""
    return [
        row["dashboard_id"]
        for row in rows(
            connection,
            "WITH due AS (SELECT dashboard_id, tenant_id, requested_at FROM preview "
            "WHERE state = 'waiting' AND coalesce(next_try_at, %s) <= %s), served AS ("
            "SELECT tenant_id, max(started_at) AS at FROM preview "
            "WHERE tenant_id IN (SELECT tenant_id FROM due) GROUP BY tenant_id) "
            "SELECT dashboard_id FROM due JOIN served USING (tenant_id) "
            "ORDER BY served.at NULLS FIRST, requested_at LIMIT %s",
            [now, now, limit],
        )
    ]


def unfinished(connection: Connection, before: datetime) -> list[UUID]:
    """Return the dashboards whose round stands open since before that moment."""
    return [
        row["dashboard_id"]
        for row in rows(
            connection,
            "SELECT dashboard_id FROM preview WHERE state IN ('waiting', 'working') "
            "AND greatest(requested_at, started_at, next_try_at) < %s ORDER BY requested_at LIMIT 1000",
            [before],
        )
    ]


def lacking_browser(connection: Connection) -> list[UUID]:
    """Return the dashboards whose latest round failed because there was no browser."""
    return [
        row["dashboard_id"]
        for row in rows(
            connection,
            "SELECT dashboard_id FROM (SELECT DISTINCT ON (dashboard_id) dashboard_id, state, code FROM preview "
            "ORDER BY dashboard_id, id DESC) AS newest WHERE state = 'failed' AND code = 'no-browser' LIMIT 1000",
        )
    ]


def forget_old(connection: Connection, dashboard_id: UUID, keep: int) -> list[Preview]:
    """Remove a dashboard's ended rounds but the newest `keep`; return them, so that their files can go too."""
    return [
        _preview(row)
        for row in rows(
            connection,
            "DELETE FROM preview WHERE id IN (SELECT id FROM preview WHERE dashboard_id = %s AND state IN "
            "('captured', 'failed') ORDER BY id DESC OFFSET %s) RETURNING *",
            [dashboard_id, keep],
        )
    ]


def forget_dashboard(connection: Connection, dashboard_id: UUID) -> list[Preview]:
    """Remove all rounds of a dashboard; return them, so that their files can go too."""
    connection.execute("DELETE FROM capture_token WHERE dashboard_id = %s", [dashboard_id])
    return [
        _preview(row)
        for row in rows(connection, "DELETE FROM preview WHERE dashboard_id = %s RETURNING *", [dashboard_id])
    ]


def forget_tenant(connection: Connection, tenant: int) -> None:
    """Remove every row of a tenant but its folder's name; that goes last."""
    connection.execute("DELETE FROM capture_token WHERE tenant_id = %s", [tenant])
    connection.execute("DELETE FROM preview WHERE tenant_id = %s", [tenant])


def folder(connection: Connection, tenant: int) -> str:
    """Return the name of a tenant's folder, made at the first call."""
    connection.execute(
        "INSERT INTO preview_folder (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", [tenant, opaque(20)]
    )
    row = one(connection, "SELECT name FROM preview_folder WHERE tenant_id = %s", [tenant])
    return str(row["name"]) if row else ""


def forget_folder(connection: Connection, tenant: int) -> None:
    """Remove the name of a tenant's folder."""
    connection.execute("DELETE FROM preview_folder WHERE tenant_id = %s", [tenant])


# --- capture tokens ----------------------------------------------------------------------------------------


def add_token(connection: Connection, digest: bytes, tenant: int, dashboard_id: UUID, expires_at: datetime) -> None:
    """Keep a token's hash."""
    connection.execute(
        "INSERT INTO capture_token (hash, tenant_id, dashboard_id, expires_at) VALUES (%s, %s, %s, %s)",
        [digest, tenant, dashboard_id, expires_at],
    )


def redeem_token(
    connection: Connection, digest: bytes, session: bytes, *, now: datetime, until: datetime
) -> dict[str, Any] | None:
    """Turn a token into a session, once; None if it is unknown, used or too old."""
    return one(
        connection,
        "UPDATE capture_token SET session_hash = %s, expires_at = %s "
        "WHERE hash = %s AND session_hash IS NULL AND expires_at > %s RETURNING tenant_id, dashboard_id, expires_at",
        [session, until, digest, now],
    )


def session(connection: Connection, digest: bytes, now: datetime) -> dict[str, Any] | None:
    """Return what a session opens, or None."""
    return one(
        connection,
        "SELECT tenant_id, dashboard_id, expires_at FROM capture_token WHERE session_hash = %s AND expires_at > %s",
        [digest, now],
    )


def drop_token(connection: Connection, digest: bytes) -> None:
    """End a token and the session that it became."""
    connection.execute("DELETE FROM capture_token WHERE hash = %s", [digest])


def drop_old_tokens(connection: Connection, now: datetime) -> None:
    """Remove what is no longer good."""
    connection.execute("DELETE FROM capture_token WHERE expires_at < %s", [now])
