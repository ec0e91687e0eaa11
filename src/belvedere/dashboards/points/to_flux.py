"""A campaign's typed model as a Grafana dashboard whose panels ask an InfluxDB in Flux. Pure.

It is the document of `to_grafana.py` with other questions: the same panels, ids, units and variables. What is not here:
the questions (`flux.py`), and sending it.
"""

from typing import Final
from uuid import UUID

from belvedere.dashboards.points.channels import TAGS, Place, panels_of
from belvedere.dashboards.points.flux import options, question
from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.workspaces.model import Model, Panel, Query, Variable

_CHANNEL: Final = r"/(?<text>.*) \| (?<value>.*)/"
"""How Grafana divides what a channel is called from what it is chosen by."""


def to_flux(model: Model, dashboard_id: UUID, *, datasource: str, place: Place, plugin: str = "influxdb") -> Document:
    """Write a dashboard. `datasource` is the uid of the tenant's data source, or a placeholder for it."""
    source = {"type": plugin, "uid": datasource}
    made = to_grafana(model, dashboard_id, datasource=datasource)
    drawn = iter(panels_of(model))
    panels = [one if one["type"] == "row" else _panel(model, next(drawn), one, source, place) for one in made["panels"]]
    variables = [_variable(model, one, source, place) for one in model.variables if one.role in TAGS]
    return {**made, "panels": panels, "templating": {"list": variables}}


def _panel(model: Model, panel: Panel, made: Document, source: Document, place: Place) -> Document:
    if panel.query is None:
        return made
    text = question(model, panel.query, place)
    return {
        **shaped(panel, made), "datasource": source, **_in_order(model, panel.query),
        "targets": [{"refId": "A", "datasource": source, "query": text}],
    }


def _in_order(model: Model, query: Query) -> Document:
    """Put the columns of a table in the order of the template; Flux has one of its own."""
    if query.kind != "aggregate":
        return {}
    names = [model.fields[role].label or role for role in query.by] + [one.label for one in query.measures]
    places = {name: place for place, name in enumerate(names)}
    return {"transformations": [{"id": "organize", "options": {"indexByName": places}}]}


def shaped(panel: Panel, made: Document) -> Document:
    """Say how an answer of InfluxDB is shown: series by their own name."""
    config = made["fieldConfig"]
    defaults = dict(config["defaults"])
    if panel.type == "timeseries":
        defaults["displayName"] = "${__field.labels.series}"
    return {**made, "fieldConfig": {**config, "defaults": defaults}}


def _variable(model: Model, variable: Variable, source: Document, place: Place) -> Document:
    written = options(model, variable, place)
    made: Document = {
        "name": variable.name, "label": variable.label, "type": "query", "datasource": source, "query": written,
        "definition": "", "refresh": 2, "sort": 1, "hide": 0, "options": [], "current": {},
        "regex": _CHANNEL if variable.role == "channel" else "", "multi": variable.optional,
        "includeAll": variable.optional,
    }
    if variable.optional:
        made["allValue"] = ".*"
        made["current"] = {"text": ["All"], "value": ["$__all"]}
    return made
