"""Rows of templates that people brought from Grafana, and of the dashboards that are drawn by them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Json

from belvedere.kernel.db import Connection, one, rows

_SELECT: Final[LiteralString] = (
    "SELECT g.id, g.name, g.title, coalesce(g.stands_for, '') AS stands_for, g.made_by, g.made_at, (SELECT count(*) "
    "FROM dashboard_grafana_template u WHERE u.template_id = g.id) AS chosen FROM grafana_template g "
)


@dataclass(frozen=True, slots=True)
class OwnTemplate:
    """A dashboard of Grafana that was brought in. `chosen` counts the dashboards that a person gave to it.

    `stands_for` is the template of the catalogue in whose place it is drawn in Grafana, or empty.
    """

    id: UUID
    name: str
    title: str
    stands_for: str
    made_by: str
    made_at: datetime
    chosen: int


def listed(connection: Connection) -> list[OwnTemplate]:
    """Return all, by name."""
    return [OwnTemplate(**row) for row in rows(connection, _SELECT + "ORDER BY g.name")]


def get(connection: Connection, name: str) -> OwnTemplate | None:
    """Find one by its name."""
    row = one(connection, _SELECT + "WHERE g.name = %s", [name])
    return OwnTemplate(**row) if row else None


def document(connection: Connection, template_id: UUID) -> dict[str, Any]:
    """Return the dashboard as it was exported."""
    row = one(connection, "SELECT document FROM grafana_template WHERE id = %s", [template_id])
    return dict(row["document"]) if row else {}


def put(
    connection: Connection, new_id: UUID, *, name: str, title: str, document: dict[str, Any], stands_for: str, by: str
) -> UUID:
    """Write one, or another version of the one of that name; return its id."""
    connection.execute(
        "UPDATE grafana_template SET stands_for = NULL WHERE stands_for = %s AND name <> %s", [stands_for, name])
    row = one(
        connection,
        "INSERT INTO grafana_template (id, name, title, document, stands_for, made_by) "
        "VALUES (%s, %s, %s, %s, nullif(%s, ''), %s) ON CONFLICT (name) DO UPDATE SET title = excluded.title, "
        "document = excluded.document, stands_for = excluded.stands_for, made_by = excluded.made_by, made_at = now() "
        "RETURNING id", [new_id, name, title, Json(document), stands_for, by])
    return UUID(str(row["id"])) if row else new_id


def remove(connection: Connection, template_id: UUID) -> None:
    """Delete one; its dashboards are drawn by the catalogue again."""
    connection.execute("DELETE FROM grafana_template WHERE id = %s", [template_id])


def choose(connection: Connection, tenant: int, dashboard_id: UUID, template_id: UUID | None) -> None:
    """Draw one dashboard by a template, or by the catalogue again."""
    if template_id is None:
        connection.execute("DELETE FROM dashboard_grafana_template WHERE dashboard_id = %s", [dashboard_id])
        return
    connection.execute(
        "INSERT INTO dashboard_grafana_template (dashboard_id, tenant_id, template_id) VALUES (%s, %s, %s) "
        "ON CONFLICT (dashboard_id) DO UPDATE SET template_id = excluded.template_id",
        [dashboard_id, tenant, template_id])


def drawn_by(connection: Connection, tenant: int) -> dict[str, dict[str, Any]]:
    """Return the documents that a tenant's dashboards are drawn by: by a dashboard's id, or a catalogue's name."""
    found = rows(
        connection,
        "SELECT u.dashboard_id::text AS key, g.document FROM dashboard_grafana_template u "
        "JOIN grafana_template g ON g.id = u.template_id WHERE u.tenant_id = %s "
        "UNION ALL SELECT stands_for, document FROM grafana_template WHERE stands_for IS NOT NULL", [tenant])
    return {row["key"]: row["document"] for row in found}


def users(connection: Connection, template_id: UUID, stands_for: str) -> list[int]:
    """Return the tenants whose dashboards are drawn by a template."""
    found = rows(
        connection,
        "SELECT tenant_id FROM dashboard_grafana_template WHERE template_id = %s UNION SELECT tenant_id "
        "FROM dashboard WHERE template = %s AND state IN ('ready', 'working') ORDER BY 1", [template_id, stands_for])
    return [row["tenant_id"] for row in found]
