"""Dashboards' rows in the control database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from belvedere.dashboards.classify import Classification
from belvedere.dashboards.model import Dashboard, DashboardState
from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.model import Model

_SELECT: Final[LiteralString] = (
    "SELECT d.id, d.tenant_id, t.name AS tenant, t.slug, d.store_id, d.store_kind, d.database_name, d.table_name, "
    "d.subject, "
    "d.family, d.title, d.state, d.message, d.url, d.link, d.created_at, d.changed_at, d.guess, d.template, "
    "d.override_template IS NOT NULL AS overridden, d.renewed_at, o.preview_id, o.captured_at, o.sent_at "
    "FROM dashboard d JOIN tenant t ON t.serial = d.tenant_id LEFT JOIN dashboard_outcome o ON o.dashboard_id = d.id "
    "WHERE d.state <> 'gone'"
)


@dataclass(frozen=True, slots=True)
class Desired:
    """What a dashboard of one relation should be. `seen` is the fingerprint of what was looked at.

    `size_bytes` is how big it was then; None where its range of time depends on no row. `oid` is the relation's number.
    """

    tenant_id: int
    store_id: UUID
    store_kind: str
    schema: str
    seen: str
    subject: str
    model: Model
    why: Classification
    state: DashboardState
    message: str
    size_bytes: int | None = None
    oid: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the reconciler needs to know of a stored dashboard. `again_at` is None unless its last look failed."""

    id: UUID
    schema: str
    table: str
    seen: str
    state: str
    looked_at: datetime
    override: str | None
    failures: int
    again_at: datetime | None
    size_bytes: int | None
    oid: int | None


@dataclass(frozen=True, slots=True)
class OfCampaign:
    """The dashboard of a campaign, as far as renewing it goes: the values that it shows, and since when."""

    id: UUID
    store_id: UUID
    title: str
    values_at: datetime | None
    renewed_at: datetime | None


def page(
    connection: Connection, *, tenant: int | None, after: UUID | None, limit: int, text: str = "", table: str = ""
) -> list[Dashboard]:
    """Return dashboards, newest first, with their newest good preview and the first message about each."""
    found = rows(
        connection,
        _SELECT + " AND (%(tenant)s::bigint IS NULL OR d.tenant_id = %(tenant)s) "
        "AND (%(after)s::uuid IS NULL OR d.id < %(after)s) AND (%(table)s = '' OR d.table_name = %(table)s) "
        "AND (%(text)s = '' OR position(lower(%(text)s) IN lower(d.title || ' ' || d.database_name)) > 0) "
        "ORDER BY d.id DESC LIMIT %(limit)s",
        {"tenant": tenant, "after": after, "limit": limit, "text": text, "table": table},
    )
    return [_dashboard(row) for row in found]


def count(connection: Connection, tenant: int | None) -> int:
    """Count the dashboards of a tenant, or all."""
    row = one(
        connection,
        "SELECT count(*) AS n FROM dashboard WHERE state <> 'gone' AND (%(t)s::bigint IS NULL OR tenant_id = %(t)s)",
        {"t": tenant},
    )
    return int(row["n"]) if row else 0


def get(connection: Connection, dashboard_id: UUID) -> Dashboard | None:
    """Find one dashboard."""
    row = one(connection, _SELECT + " AND d.id = %s", [dashboard_id])
    return _dashboard(row) if row else None


def linked(connection: Connection, link: str) -> Dashboard | None:
    """Find the dashboard that a message's link is about."""
    row = one(connection, _SELECT + " AND d.link = %s", [link])
    return _dashboard(row) if row else None


def drawn(connection: Connection, dashboard_id: UUID) -> tuple[int, UUID, Model, int] | None:
    """Return tenant, store, typed model and version of a dashboard."""
    row = one(
        connection, "SELECT tenant_id, store_id, model, version FROM dashboard WHERE id = %s AND state <> 'gone'",
        [dashboard_id])
    if row is None:
        return None
    return row["tenant_id"], row["store_id"], msgspec.convert(row["model"], Model), row["version"]


def explained(connection: Connection, dashboard_id: UUID) -> dict[str, Any] | None:
    """Return the reasons of a dashboard: the classification and the override."""
    row = one(
        connection,
        "SELECT tenant_id, why, looked_at, override_template, override_reason, override_by, store_id FROM dashboard "
        "WHERE id = %s AND state <> 'gone'", [dashboard_id])
    if row is None:
        return None
    return row | {"why": msgspec.convert(row["why"], Classification)}


def of_store(connection: Connection, store_id: UUID) -> list[Stored]:
    """Return the dashboards of a store, gone ones too."""
    found = rows(
        connection,
        "SELECT id, schema_name, table_name, seen, state, looked_at, override_template, failures, again_at, "
        "size_bytes, oid FROM dashboard WHERE store_id = %s", [store_id])
    return [
        Stored(row["id"], row["schema_name"], row["table_name"], row["seen"], row["state"], row["looked_at"],
               row["override_template"], row["failures"], row["again_at"], row["size_bytes"], row["oid"])
        for row in found
    ]


def stores(connection: Connection) -> list[UUID]:
    """Return the stores that have a dashboard."""
    return [row["store_id"] for row in rows(connection, "SELECT DISTINCT store_id FROM dashboard")]


def put(
    connection: Connection, new_id: UUID, desired: Desired, *, working: bool, failures: int = 0,
    again_at: datetime | None = None,
) -> tuple[UUID, bool] | None:
    """Write what a dashboard should be, and tell its id and whether it moved; None when its tenant is gone.

    A dashboard that moved and can be shown stands as working until it is published.
    """
    model = msgspec.to_builtins(desired.model)
    why = msgspec.to_builtins(desired.why)
    state = DashboardState.WORKING if working else desired.state
    values = {
        "id": new_id, "tenant": desired.tenant_id, "store": desired.store_id, "kind": desired.store_kind,
        "database": desired.model.database, "schema": desired.schema, "table": desired.model.table,
        "template": desired.model.template, "family": desired.model.family, "title": desired.model.title,
        "subject": desired.subject, "guess": desired.model.guess, "state": state, "message": desired.message,
        "seen": desired.seen, "model": Jsonb(model), "why": Jsonb(why), "failures": failures, "again_at": again_at,
        "size": desired.size_bytes, "oid": desired.oid,
    }
    row = one(
        connection,
        """
        WITH old AS (
            SELECT id, model, state, version FROM dashboard
            WHERE store_id = %(store)s AND schema_name = %(schema)s AND table_name = %(table)s FOR UPDATE
        ), written AS (
            INSERT INTO dashboard AS d (id, tenant_id, store_id, store_kind, database_name, schema_name, table_name,
                template, family, title, subject, guess, state, message, seen, model, why, failures,
                again_at, size_bytes, oid)
            SELECT %(id)s, serial, %(store)s, %(kind)s, %(database)s, %(schema)s, %(table)s, %(template)s, %(family)s,
                %(title)s, %(subject)s, %(guess)s, %(state)s, %(message)s, %(seen)s, %(model)s, %(why)s, %(failures)s,
                %(again_at)s, %(size)s, %(oid)s
            FROM tenant WHERE serial = %(tenant)s AND deleting_since IS NULL
            ON CONFLICT (store_id, schema_name, table_name) DO UPDATE SET
                template = excluded.template, family = excluded.family, title = excluded.title,
                subject = excluded.subject, guess = excluded.guess, message = excluded.message, seen = excluded.seen,
                why = excluded.why, looked_at = now(), gone_at = NULL, model = excluded.model,
                failures = excluded.failures, again_at = excluded.again_at, size_bytes = excluded.size_bytes,
                oid = excluded.oid,
                state = CASE WHEN d.model = excluded.model AND d.state = 'ready' AND excluded.state = 'working'
                    THEN 'ready' ELSE excluded.state END,
                version = d.version + (d.model <> excluded.model)::int,
                changed_at = CASE WHEN d.model <> excluded.model OR d.state = 'gone' THEN now() ELSE d.changed_at END
            RETURNING d.id, d.model, d.state
        )
        SELECT written.id, old.id IS NULL OR old.model <> written.model OR old.state <> written.state AS moved
        FROM written LEFT JOIN old ON old.id = written.id
        """,
        values,
    )
    return (row["id"], row["moved"]) if row else None


def publish(connection: Connection, dashboard_id: UUID, url: str) -> bool:
    """Mark a working dashboard as ready under its address; False when it is not working any more."""
    row = one(
        connection,
        "UPDATE dashboard SET state = 'ready', message = '', url = %s WHERE id = %s AND state = 'working' "
        "RETURNING id", [url, dashboard_id])
    return row is not None


def hold(
    connection: Connection, dashboard_id: UUID, state: DashboardState, message: str, *, nowhere: bool = False
) -> None:
    """Write why a dashboard is not shown; `nowhere` says that it has no address any more either."""
    connection.execute(
        "UPDATE dashboard SET state = %s, message = %s, url = CASE WHEN %s THEN '' ELSE url END "
        "WHERE id = %s AND state <> 'gone'", [state, message, nowhere, dashboard_id])


def part(connection: Connection, dashboard_ids: Sequence[UUID]) -> None:
    """Mark dashboards as gone. Their rows stay, so that a table that comes back finds its address and override."""
    connection.execute(
        "UPDATE dashboard SET state = 'gone', gone_at = now(), seen = '' WHERE id = ANY(%s)", [list(dashboard_ids)])


def forget_gone(connection: Connection, days: int) -> int:
    """Drop what went more than so many days ago, and count it."""
    return connection.execute(
        "DELETE FROM dashboard WHERE state = 'gone' AND gone_at < now() - make_interval(days => %s)", [days]
    ).rowcount


def override(
    connection: Connection, dashboard_id: UUID, template: str | None, reason: str, by: str
) -> None:
    """Write a person's choice of template, or take it back; the reconciler looks again."""
    connection.execute(
        "UPDATE dashboard SET override_template = %s, override_reason = %s, override_by = %s, "
        "override_at = CASE WHEN %s::text IS NULL THEN NULL ELSE now() END, seen = '' WHERE id = %s",
        [template, reason, by, template, dashboard_id])


def working(connection: Connection, store_id: UUID) -> list[tuple[UUID, Model]]:
    """Return the dashboards of a store that wait to be published."""
    found = rows(
        connection, "SELECT id, model FROM dashboard WHERE store_id = %s AND state = 'working' ORDER BY id", [store_id])
    return [(row["id"], msgspec.convert(row["model"], Model)) for row in found]


def standing(connection: Connection, tenant: int) -> list[tuple[UUID, UUID, Model]]:
    """Return the dashboards of a tenant that are shown or about to be, with their stores."""
    found = rows(
        connection,
        "SELECT id, store_id, model FROM dashboard WHERE tenant_id = %s AND state IN ('ready', 'working') ORDER BY id",
        [tenant])
    return [(row["id"], row["store_id"], msgspec.convert(row["model"], Model)) for row in found]


def of_campaign(connection: Connection, tenant: int, kind: str, table: str) -> OfCampaign | None:
    """Find the dashboard of a campaign that is shown or about to be."""
    row = one(
        connection,
        "SELECT id, store_id, title, values_at, renewed_at FROM dashboard WHERE tenant_id = %s AND store_kind = %s "
        "AND table_name = %s AND state IN ('ready', 'working')", [tenant, kind, table])
    return OfCampaign(**row) if row else None


def renewed(connection: Connection, dashboard_id: UUID, *, values_at: datetime, now: datetime) -> bool:
    """Write down up to when a dashboard's values are shown, if it is; tell whether it is.

    However the clocks of two hosts go, that is later than its last change, of which there may be a picture.
    """
    return bool(connection.execute(
        "UPDATE dashboard SET values_at = greatest(values_at, %s), "
        "renewed_at = greatest(%s, changed_at + interval '1 us') WHERE id = %s AND state = 'ready'",
        [values_at, now, dashboard_id]).rowcount)


def rename(connection: Connection, dashboard_id: UUID, schema: str, table: str) -> None:
    """Let a dashboard be that of a relation that was renamed. It is looked at again, and drawn with its new name."""
    connection.execute(
        "UPDATE dashboard SET schema_name = %s, table_name = %s, seen = '' WHERE id = %s",
        [schema, table, dashboard_id])


def forget(connection: Connection, dashboard_id: UUID) -> None:
    """Drop one that is gone."""
    connection.execute("DELETE FROM dashboard WHERE id = %s AND state = 'gone'", [dashboard_id])


def readdress(connection: Connection, dashboard_id: UUID, url: str) -> bool:
    """Write a dashboard's new address; tell whether it is one."""
    return bool(connection.execute(
        "UPDATE dashboard SET url = %s WHERE id = %s AND state = 'ready' AND url <> %s", [url, dashboard_id, url]
    ).rowcount)


def _dashboard(row: dict[str, Any]) -> Dashboard:
    return Dashboard(
        id=row["id"], tenant_id=row["tenant_id"], tenant=row["tenant"], slug=row["slug"], store_id=row["store_id"],
        store_kind=row["store_kind"], database=row["database_name"], table=row["table_name"], subject=row["subject"],
        family=row["family"], title=row["title"], state=DashboardState(row["state"]), message=row["message"],
        url=row["url"], link=row["link"], created_at=row["created_at"], changed_at=row["changed_at"],
        guess=row["guess"], template=row["template"], overridden=row["overridden"], renewed_at=row["renewed_at"],
        preview_id=row["preview_id"],
        captured_at=row["captured_at"], sent_at=row["sent_at"])
