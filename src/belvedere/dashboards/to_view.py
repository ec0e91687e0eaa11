"""The typed model as the built-in viewer's layout. Pure."""

from uuid import UUID

from belvedere.workspaces.model import ALL, Model, Panel
from belvedere.workspaces.viewer.model import ViewLayout, ViewPanel, ViewRow, ViewTime, ViewVariable


def to_view(model: Model, dashboard_id: UUID) -> ViewLayout:
    """Lay a dashboard out. Options of variables that come from the data are filled in by the viewer."""
    field = model.fields.get(model.time or "")
    return ViewLayout(
        id=str(dashboard_id),
        title=model.title,
        subtitle=model.subtitle,
        family=model.family,
        guess=model.guess,
        database=model.database,
        table=model.table,
        time=ViewTime(
            field.column if field else None, model.since or None, model.until or None, model.default_range),
        refresh_s=model.refresh_s,
        variables=[
            ViewVariable(v.name, v.label, list(v.options), v.default or (ALL if v.optional else ""))
            for v in model.variables
        ],
        rows=[ViewRow(row.title, [_panel(model, panel) for panel in row.panels]) for row in model.rows],
    )


def _panel(model: Model, panel: Panel) -> ViewPanel:
    unit = model.time_unit if panel.unit == "time" else panel.unit
    return ViewPanel(panel.id, panel.type, panel.title, unit, panel.width, panel.height, panel.description)
