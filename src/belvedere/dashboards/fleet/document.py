"""The fleet of uploads as a Grafana dashboard over an InfluxDB, in Flux or in InfluxQL. Pure.

It is the document of `to_grafana.py` with other questions: the same panels, ids and titles. What is not here: the
questions, and sending it.
"""

import re
from typing import Any, Final

from belvedere.dashboards.fleet import flux, influxql
from belvedere.dashboards.fleet.model import DASHBOARD_ID, TITLE, Reading, fleet
from belvedere.dashboards.fleet.points import COUNTED, SUMMED, TAGS, heading
from belvedere.dashboards.points.channels import panels_of
from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.workspaces.grafana.document import TAG
from belvedere.workspaces.model import Panel, Query

_INTERVALS: Final = 120
"""So many bars stand side by side at most."""

_BYTES: Final = "decbytes"


def document_of(reading: Reading, *, source: str, uid: str) -> Document:
    """Write the dashboard; `source` is the uid of its data source."""
    model, named = fleet(), {"type": reading.options.plugin, "uid": source}
    made = to_grafana(model, DASHBOARD_ID, datasource=source)
    drawn = iter(panels_of(model))
    return {
        **made, "uid": uid, "title": TITLE, "tags": [TAG, "uploads"], "refresh": "5m",
        "description": "What came of the files of all tenants.",
        # Each file is a series of its own: a week of nights takes InfluxDB some time.
        "time": {"from": "now-24h", "to": "now"},
        "panels": [one if one["type"] == "row" else _panel(next(drawn), one, named, reading) for one in made["panels"]],
        "templating": {"list": [_variable(named, reading)]},
    }


def _panel(panel: Panel, made: Document, source: Document, reading: Reading) -> Document:
    query = panel.query or Query("rows")
    made = {**made, "datasource": source, "fieldConfig": _config(panel, query, made["fieldConfig"], reading)}
    if panel.type == "timeseries":
        made["maxDataPoints"] = _INTERVALS
    if reading.options.flux:
        made["targets"] = [{"refId": "A", "datasource": source, "query": flux.question(query, reading.bucket)}]
        if panel.type == "table":
            made["transformations"] = [_organised({}, _headings(query), {})]
        return made
    form = "time_series" if query.kind in {"tile", "series"} else "table"
    made["targets"] = [
        {"refId": ref, "datasource": source, "query": text, "rawQuery": True, "resultFormat": form,
         "alias": f"$tag_{TAGS[query.by[0]]}" if query.kind == "series" else ""}
        for ref, text in zip("AB", influxql.questions(query), strict=False)
    ]
    return {**made, "transformations": _joined(query)} if form == "table" else made


def _config(panel: Panel, query: Query, config: Document, reading: Reading) -> Document:
    """Say how figures are shown: bars on their times, sizes in bytes, moments as moments, none as zero."""
    defaults, overrides = dict(config["defaults"]), [_sized(one) for one in config["overrides"]]
    if defaults["unit"] == "suffix: MB":
        defaults |= {"unit": _BYTES}
    summed = all(one.function in SUMMED for one in query.measures)
    if panel.type == "stat":
        defaults["noValue"] = "0" if summed else "\u2013"
    if panel.type == "timeseries":
        defaults |= {"custom": _bars() if summed else _dots(), "min": 0}
        if reading.options.flux:
            defaults["displayName"] = "${__field.labels.series}"
    if query.by == ("outcome",):
        overrides += [_coloured("success", "green"), _coloured("error", "red")]
    for one in query.measures:
        if one.of == "ended":
            shown = [{"id": "unit", "value": "dateTimeAsIso"}]
            overrides.append({"matcher": {"id": "byName", "options": one.label}, "properties": shown})
        if one.where:
            none = [{"id": "noValue", "value": "0"}]
            overrides.append({"matcher": {"id": "byName", "options": one.label}, "properties": none})
    return {**config, "defaults": defaults, "overrides": overrides}


def _sized(override: Document) -> Document:
    """Let Grafana choose between kB and GB: the points hold bytes."""
    properties = override["properties"]
    if {"id": "unit", "value": "suffix: MB"} not in properties:
        return override
    kept = [one for one in properties if one["id"] not in {"unit", "decimals"}]
    return {**override, "properties": [{"id": "unit", "value": _BYTES}, *kept]}


def _coloured(series: str, colour: str) -> Document:
    shown = [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]
    return {"matcher": {"id": "byName", "options": series}, "properties": shown}


def _bars() -> Document:
    stacking = {"mode": "normal", "group": "A"}
    return {"drawStyle": "bars", "fillOpacity": 70, "lineWidth": 0, "stacking": stacking}


def _dots() -> Document:
    return {"drawStyle": "points", "pointSize": 7, "showPoints": "always"}


def _headings(query: Query) -> list[str]:
    return [heading(role) for role in (*query.by, *query.fields)] + [one.label for one in query.measures]


def _places(query: Query) -> dict[str, str]:
    """Return the columns as InfluxQL calls them, with their headings."""
    first = {"run": "Time", "ended": "Time"}
    if query.kind == "rows" or query.by[:1] == ("run",):
        return {first[role]: heading(role) for role in (*query.by, *query.fields) if role in first}
    return {TAGS[role]: heading(role) for role in query.by}


def _joined(query: Query) -> list[Document]:
    """Put InfluxQL's answers side by side, and their columns in order; the begin of the range is no column."""
    if query.kind == "rows" or query.by[:1] == ("run",):
        return [_organised({COUNTED: True}, _headings(query), _places(query))]
    tag = TAGS[query.by[0]]
    many = any(one.where for one in query.measures)
    join: list[Document] = [{"id": "joinByField", "options": {"byField": tag, "mode": "outer"}}] if many else []
    hidden = {"Time": True, "Time 1": True, "Time 2": True}
    order = next((one.label for one in query.measures if f"-{one.name}" in query.order), "")
    sort: Document = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": order, "desc": True}]}}
    limit: Document = {"id": "limit", "options": {"limitField": query.limit}}
    return [*join, _organised(hidden, _headings(query), _places(query)), sort, limit]


def _organised(hidden: dict[str, bool], headings: list[str], names: dict[str, str]) -> Document:
    """Write the step that orders, renames and hides columns; those called by their headings already stay so."""
    back = {shown: column for column, shown in names.items()}
    places = {back.get(one, one): place for place, one in enumerate(headings)}
    places |= {one: place for place, one in enumerate(headings) if one not in places}
    return {"id": "organize", "options": {"excludeByName": hidden, "indexByName": places, "renameByName": names}}


def _variable(source: Document, reading: Reading) -> dict[str, Any]:
    [wanted] = fleet().variables
    written = flux.options(reading.bucket) if reading.options.flux else influxql.options()
    return {
        "name": wanted.name, "label": wanted.label, "type": "query", "datasource": source, "query": written,
        "definition": re.sub(r"\s+", " ", written)[:120], "refresh": 2, "sort": 1, "hide": 0, "options": [],
        "regex": "", "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }
