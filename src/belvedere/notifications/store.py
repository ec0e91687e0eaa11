"""The SQL of this room: deliveries, and the ledger of their steps.

What is not here: what a channel does between two steps (`slack.py`), when a delivery is tried (`service.py`).
"""

from datetime import datetime
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id
from belvedere.notifications.model import Announcement, Delivery, Entry


def add(
    connection: Connection, announced: Announcement, *, kind: str, channel: str, occasion: str, now: datetime
) -> UUID | None:
    """Add a delivery, once for each dashboard, channel and occasion.

    One that waits and has not begun gets the newer picture.

    Returns:
        Its id if there is something to send, else None.
    """
    row = one(
        connection,
        "INSERT INTO delivery (id, tenant_id, dashboard_id, occasion, channel_kind, channel, title, url, creator, "
        "gif_path, png_path, reason, state, created_at) "
        "VALUES (%(id)s, %(tenant)s, %(dashboard)s, %(occasion)s, %(kind)s, "
        "%(channel)s, %(title)s, %(url)s, %(creator)s, %(gif)s, %(png)s, %(reason)s, 'waiting', %(now)s) "
        "ON CONFLICT (dashboard_id, channel_kind, occasion) DO UPDATE SET gif_path = excluded.gif_path, "
        "png_path = excluded.png_path, reason = excluded.reason, title = excluded.title "
        "WHERE delivery.state = 'waiting' "
        "AND NOT EXISTS (SELECT FROM delivery_step WHERE delivery_id = delivery.id) RETURNING id",
        {
            "id": new_id(), "tenant": announced.tenant, "dashboard": announced.dashboard_id, "occasion": occasion,
            "kind": kind, "channel": channel, "title": announced.title, "url": announced.url,
            "creator": announced.creator, "gif": announced.gif_path, "png": announced.png_path,
            "reason": announced.reason, "now": now,
        },
    )
    return row["id"] if row else None


def get(connection: Connection, delivery_id: UUID) -> Delivery | None:
    """Return one delivery."""
    row = one(connection, "SELECT * FROM delivery WHERE id = %s", [delivery_id])
    return msgspec.convert(row, Delivery) if row else None


def listed(
    connection: Connection, *, tenant: int | None, state: str | None, dashboard_id: UUID | None, after: UUID | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries, newest first."""
    found = rows(
        connection,
        "SELECT * FROM delivery WHERE (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) "
        "AND (%(state)s::text IS NULL OR state = %(state)s) "
        "AND (%(dashboard)s::uuid IS NULL OR dashboard_id = %(dashboard)s) "
        "AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(limit)s",
        {"tenant": tenant, "state": state, "dashboard": dashboard_id, "after": after, "limit": limit},
    )
    return [msgspec.convert(row, Delivery) for row in found]


def counted(connection: Connection, *, tenant: int | None) -> dict[str, int]:
    """Return how many deliveries there are in each state."""
    found = rows(
        connection,
        "SELECT state, count(*) AS many FROM delivery WHERE (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s) "
        "GROUP BY state",
        {"tenant": tenant},
    )
    return {row["state"]: row["many"] for row in found}


def sent_at(connection: Connection, dashboard_ids: list[UUID]) -> dict[UUID, datetime]:
    """Return when each of these dashboards was first sent to a channel."""
    found = rows(
        connection,
        "SELECT dashboard_id, min(sent_at) AS at FROM delivery "
        "WHERE dashboard_id = ANY(%s) AND state = 'sent' GROUP BY dashboard_id",
        [dashboard_ids],
    )
    return {row["dashboard_id"]: row["at"] for row in found}


def start(connection: Connection, delivery_id: UUID) -> tuple[int, int] | None:
    """Count a try.

    Returns:
        Its number, and which of those that count it is; None when the delivery does not wait any more.
    """
    row = one(
        connection,
        "UPDATE delivery SET attempts = attempts + 1, next_try_at = NULL WHERE id = %s AND state = 'waiting' "
        "RETURNING attempts, attempts - held AS counting",
        [delivery_id],
    )
    return (int(row["attempts"]), int(row["counting"])) if row else None


def end_sent(
    connection: Connection, delivery_id: UUID, number: int, *, fallback: str | None, doubt: str | None, now: datetime
) -> bool:
    """Record that a message went out, if this try still is the current one; say whether."""
    row = one(
        connection,
        "UPDATE delivery SET state = 'sent', sent_at = %s, fallback = %s, doubt = %s, error = NULL, hint = NULL, "
        "code = NULL WHERE id = %s AND attempts = %s AND state = 'waiting' RETURNING id",
        [now, fallback, doubt, delivery_id, number],
    )
    # The address of an upload opens it to whoever has it; nobody needs it any more.
    connection.execute("UPDATE delivery_step SET result = result - 'url' WHERE delivery_id = %s", [delivery_id])
    return row is not None


def end_unsent(
    connection: Connection, delivery_id: UUID, number: int, *, error: str, hint: str | None, code: str,
    next_try_at: datetime | None, free: bool,
) -> bool:
    """Record that a try sent nothing, for now or for good, if it still is the current one; say whether.

    `free` tries do not count: the other side only asked to wait.
    """
    row = one(
        connection,
        "UPDATE delivery SET state = %s, error = %s, hint = %s, code = %s, next_try_at = %s, held = held + %s, "
        "doubt = CASE WHEN %s = 'delivery-doubt' THEN %s ELSE doubt END "
        "WHERE id = %s AND attempts = %s AND state = 'waiting' RETURNING id",
        [
            "waiting" if next_try_at else "failed", error, hint, code, next_try_at, int(free), code, error, delivery_id,
            number,
        ],
    )
    return row is not None


def wait_too(connection: Connection, channel: str, tenant: int, until: datetime) -> None:
    """Hold back a tenant's other messages to a channel that asked to wait."""
    connection.execute(
        "UPDATE delivery SET next_try_at = greatest(next_try_at, %s) "
        "WHERE channel = %s AND tenant_id = %s AND state = 'waiting'",
        [until, channel, tenant],
    )


def reopen(
    connection: Connection, tenant: int, *, kind: str, codes: list[str], channel: str, since: datetime
) -> list[UUID]:
    """Have failed deliveries of a tenant tried again, on its channel of now; returns them."""
    found = rows(
        connection,
        "UPDATE delivery SET state = 'waiting', held = attempts, next_try_at = NULL, channel = %s WHERE tenant_id = %s "
        "AND channel_kind = %s AND state = 'failed' AND code = ANY(%s) AND created_at > %s RETURNING id",
        [channel, tenant, kind, codes, since],
    )
    return [row["id"] for row in found]


def waiting(connection: Connection, before: datetime, tenant: int | None = None) -> list[UUID]:
    """Return the deliveries that wait and may be tried, oldest first."""
    found = rows(
        connection,
        "SELECT id FROM delivery WHERE state = 'waiting' AND coalesce(next_try_at, created_at) <= %s "
        "AND (%s::bigint IS NULL OR tenant_id = %s) ORDER BY id LIMIT 1000",
        [before, tenant, tenant],
    )
    return [row["id"] for row in found]


def hurry(connection: Connection, tenant: int | None) -> list[UUID]:
    """End the pauses of deliveries that wait; returns them."""
    found = rows(
        connection,
        "UPDATE delivery SET next_try_at = NULL WHERE state = 'waiting' AND (%s::bigint IS NULL OR tenant_id = %s) "
        "RETURNING id",
        [tenant, tenant],
    )
    return [row["id"] for row in found]


def forget_dashboard(connection: Connection, dashboard_id: UUID) -> None:
    """Stop what waits to tell of a dashboard that is gone; what was sent stays on record, without its picture."""
    connection.execute(
        "UPDATE delivery SET state = CASE state WHEN 'waiting' THEN 'failed' ELSE state END, gif_path = NULL, "
        "png_path = NULL, "
        "error = CASE state WHEN 'waiting' THEN 'The dashboard is gone; nothing was sent.' ELSE error END "
        "WHERE dashboard_id = %s",
        [dashboard_id],
    )


def forget_tenant(connection: Connection, tenant: int) -> None:
    """Remove all deliveries of a tenant."""
    connection.execute("DELETE FROM delivery WHERE tenant_id = %s", [tenant])


# --- the ledger --------------------------------------------------------------------------------------------


def entry(connection: Connection, delivery_id: UUID, step: str) -> Entry | None:
    """Return what is known of a step that was begun."""
    row = one(
        connection,
        "SELECT tries, begun_at, result FROM delivery_step "
        "WHERE delivery_id = %s AND step = %s AND begun_at IS NOT NULL",
        [delivery_id, step],
    )
    return Entry(row["tries"], row["begun_at"], row["result"]) if row else None


def tries(connection: Connection, delivery_id: UUID, step: str) -> int:
    """Return how often a step was begun."""
    row = one(
        connection, "SELECT tries FROM delivery_step WHERE delivery_id = %s AND step = %s", [delivery_id, step]
    )
    return int(row["tries"]) if row else 0


def begin(connection: Connection, delivery: Delivery, step: str, now: datetime) -> None:
    """Write that a step is about to be done."""
    connection.execute(
        "INSERT INTO delivery_step (delivery_id, tenant_id, step, tries, begun_at) VALUES (%s, %s, %s, 1, %s) "
        "ON CONFLICT (delivery_id, step) DO UPDATE SET tries = delivery_step.tries + 1, begun_at = excluded.begun_at",
        [delivery.id, delivery.tenant_id, step, now],
    )


def finish(connection: Connection, delivery_id: UUID, step: str, result: dict[str, object], now: datetime) -> None:
    """Write what a step led to."""
    connection.execute(
        "UPDATE delivery_step SET result = %s, done_at = %s WHERE delivery_id = %s AND step = %s",
        [Jsonb(result), now, delivery_id, step],
    )


def undo(connection: Connection, delivery_id: UUID, step: str) -> None:
    """Write that a step did nothing."""
    connection.execute(
        "UPDATE delivery_step SET begun_at = NULL, done_at = NULL, result = NULL WHERE delivery_id = %s AND step = %s",
        [delivery_id, step],
    )
