"""A campaign's typed model as a Grafana dashboard whose panels ask an InfluxDB in InfluxQL. Pure.

Each channel has a field of its own, so a panel asks for the fields whose names begin with the chosen channels and end
with a quantity's units. The language can neither scale nor divide by tags what it does not know by name: energy is the
sum of hourly means in watt-hours, figures stand by channel and not by device, and gaps are not asked for.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from belvedere.dashboards.points.channels import ENERGY, GAP, OTHER, TAGS, UNITS, Place, first_of, panels_of
from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.workspaces.model import Model, Panel, Query, Variable

_MEASUREMENT: Final = '"electrical"'
_FIELD: Final = r"/^[a-z]+_(.*)$/"
"""A column's name: the function and the field."""

_WORDS: Final = {"min": "Lowest", "mean": "Mean", "max": "Highest", "count": "Values"}
_HOUR: Final = "1h"


def to_influxql(
    model: Model, dashboard_id: UUID, *, datasource: str, place: Place, plugin: str = "influxdb"
) -> Document:
    """Write a dashboard. `datasource` is the uid of the tenant's data source, or a placeholder for it."""
    source = {"type": plugin, "uid": datasource}
    made = to_grafana(model, dashboard_id, datasource=datasource)
    drawn = iter(panels_of(model))
    panels = [one if one["type"] == "row" else _panel(model, next(drawn), one, source, place) for one in made["panels"]]
    variables = [_variable(model, one, source, place) for one in model.variables if one.role in TAGS]
    return {**made, "panels": panels, "templating": {"list": variables}}


def _panel(model: Model, panel: Panel, made: Document, source: Document, place: Place) -> Document:
    query = panel.query
    measure = first_of(query) if query is not None else None
    if query is None or measure is None:
        return made
    if measure.of in {GAP, OTHER}:
        return _unasked(made)
    if query.kind == "tile" and measure.function == "distinct":
        return _counted(made, TAGS[measure.of or "channel_id"], source, place)
    if query.kind == "tile":
        return _stat(model, made, query, source, place)
    if query.kind == "series":
        return _chart(model, made, query, source, place)
    return _table(model, made, query, source, place)


def _table(model: Model, made: Document, query: Query, source: Document, place: Place) -> Document:
    measure = first_of(query)
    if measure is not None and measure.of == ENERGY:
        return _summed(model, made, query, source, place)
    if "device" in query.by:
        return _devices(made, source, place)
    return _figures(model, made, query, source, place)


def _unasked(made: Document) -> Document:
    """Say what the language cannot tell."""
    bare = {key: value for key, value in made.items() if key not in {"targets", "datasource"}}
    text = "InfluxQL cannot tell this. Set INFLUXDB_QUERY_LANGUAGE=flux to see it."
    return {**bare, "type": "text", "options": {"mode": "markdown", "content": text}}


def _target(source: Document, text: str, ref: str = "A", form: str = "time_series") -> Document:
    return {"refId": ref, "datasource": source, "query": text, "rawQuery": True, "resultFormat": form, "alias": "$col"}


def _asked(model: Model, query: Query, place: Place, function: str, role: str | None, group: str) -> str:  # noqa: PLR0917
    """Ask for a figure of each field of a quantity; the campaign's own channels are what is chosen of."""
    fields = f"/^(?:{_channels(model, query)})_(?:{_units(role)})$/"
    where = f"$timeFilter AND {_campaign(place)}{group}"
    return f"SELECT {function}({fields}) FROM {_MEASUREMENT} WHERE {where}"  # noqa: S608  (patterns of our own)


def _channels(model: Model, query: Query) -> str:
    channel = next((one for one in model.variables if one.role == "channel"), None)
    return ".*" if query.whole or channel is None else f"${{{channel.name}:regex}}"


def _units(role: str | None) -> str:
    if role in UNITS:
        return "|".join(_pattern(unit) for unit in UNITS[role])
    return ".*"


def _pattern(text: str) -> str:
    return "".join(sign if sign.isalnum() else f"\\x{{{ord(sign):x}}}" for sign in text)


def _campaign(place: Place) -> str:
    """Compare the campaign by a pattern, in which nothing is taken for one of Grafana's variables."""
    return f'"campaign" =~ /^(?:{"|".join(_pattern(tag) for tag in place.tags)})$/'


def _chart(model: Model, made: Document, query: Query, source: Document, place: Place) -> Document:
    measure = first_of(query)
    role = measure.of if measure is not None else None
    width = _HOUR if role == ENERGY else "$__interval"
    function = "mean" if role == ENERGY or measure is None else measure.function
    text = _asked(model, query, place, function, role, f" GROUP BY time({width}) fill(none)")
    panel = {**made, "datasource": source, "targets": [_target(source, text)], "transformations": [_renamed()]}
    return _in_watt_hours(panel) if role == ENERGY else panel


def _stat(model: Model, made: Document, query: Query, source: Document, place: Place) -> Document:
    """Show one figure of all channels: the sum of the hours' means, or the highest."""
    measure = first_of(query)
    role = measure.of if measure is not None else None
    figure = {"calcs": ["lastNotNull"], "fields": "/^(Total|Max)$/", "values": False}
    made = {**made, "options": {**made["options"], "reduceOptions": figure}}
    if role != ENERGY:
        text = _asked(model, query, place, "max", role, "")
        steps = [_by_row("max"), _reduced("max")]
        return {**made, "datasource": source, "targets": [_target(source, text)], "transformations": steps}
    text = _asked(model, query, place, "mean", role, f" GROUP BY time({_HOUR}) fill(none)")
    steps = [_by_row("sum"), _reduced("sum")]
    shown = {**made, "datasource": source, "targets": [_target(source, text)], "transformations": steps}
    return _in_watt_hours(shown)


def _summed(model: Model, made: Document, query: Query, source: Document, place: Place) -> Document:
    text = _asked(model, query, place, "mean", ENERGY, f" GROUP BY time({_HOUR}) fill(none)")
    steps = [
        _renamed(), _by_row("sum"), {"id": "sortBy", "options": {"sort": [{"field": "Total", "desc": True}]}},
        {"id": "limit", "options": {"limitField": query.limit}},
    ]
    return _in_watt_hours({**made, "datasource": source, "targets": [_target(source, text)], "transformations": steps})


def _figures(model: Model, made: Document, query: Query, source: Document, place: Place) -> Document:
    targets = [
        _target(source, _asked(model, query, place, one.function, None, ""), ref)
        for ref, one in zip("ABCD", query.measures, strict=False) if one.function in _WORDS
    ]
    # One row for each figure, since the language cannot put them side by side: together by channel, in words.
    named = [_renamed(f"/^{name}_(.*)$/", f"$1 {word.lower()}") for name, word in _WORDS.items()]
    steps = [*named, _by_row("lastNotNull"), {"id": "sortBy", "options": {"sort": [{"field": "Field"}]}},
             _called({"Field": "Figure", "Last *": "Value"})]
    return {**made, "datasource": source, "targets": targets, "transformations": steps}


def _devices(made: Document, source: Document, place: Place) -> Document:
    text = f'SHOW TAG VALUES FROM {_MEASUREMENT} WITH KEY = "device_sn" WHERE {_campaign(place)}'
    steps = [_called({"value": "Device"}, without=("key",))]
    return {**_texts(made), "datasource": source, "targets": [_target(source, text, form="table")],
            "transformations": steps}


def _texts(made: Document) -> Document:
    """Let texts of digits stay texts: Grafana would write 02001171 as a number."""
    config = made["fieldConfig"]
    shown = {"matcher": {"id": "byType", "options": "string"}, "properties": [{"id": "unit", "value": "string"}]}
    return {**made, "fieldConfig": {**config, "overrides": [*config["overrides"], shown]}}


def _counted(made: Document, tag: str, source: Document, place: Place) -> Document:
    text = f'SHOW TAG VALUES FROM {_MEASUREMENT} WITH KEY = "{tag}" WHERE {_campaign(place)}'
    options = {**made["options"], "reduceOptions": {"calcs": ["count"], "fields": "/^value$/i", "values": False}}
    return {**made, "datasource": source, "options": options, "targets": [_target(source, text, form="table")]}


def _by_row(calculation: str) -> Document:
    return {"id": "reduce", "options": {"mode": "seriesToRows", "reducers": [calculation]}}


def _reduced(calculation: str) -> Document:
    return {"id": "reduce", "options": {"mode": "reduceFields", "reducers": [calculation]}}


def _renamed(regex: str = _FIELD, pattern: str = "$1") -> Document:
    return {"id": "renameByRegex", "options": {"regex": regex, "renamePattern": pattern}}


def _called(names: Mapping[str, str], *, without: Sequence[str] = ()) -> Document:
    """Call columns as people read them, and leave some out."""
    return {"id": "organize", "options": {"renameByName": dict(names), "excludeByName": dict.fromkeys(without, True)}}


def _in_watt_hours(panel: Document) -> Document:
    config = panel["fieldConfig"]
    said = "Hourly means, each for its whole hour."
    described = re.sub(r"[:;.] .*$", "", str(panel["description"])).rstrip(".")
    # These figures have their unit beside them.
    title = str(panel["title"]).removesuffix(" (kWh)")
    return {**panel, "title": title, "description": f"{described}. {said}",
            "fieldConfig": {**config, "defaults": {**config["defaults"], "unit": "watth"}}}


def _variable(model: Model, variable: Variable, source: Document, place: Place) -> Document:
    asked = [_campaign(place)]
    asked += [
        f'"{TAGS[one.role]}" =~ /^(?:${{{one.name}:regex}})$/'
        for one in model.variables[: model.variables.index(variable)] if one.role in TAGS
    ]
    text = f'SHOW TAG VALUES FROM {_MEASUREMENT} WITH KEY = "{TAGS[variable.role or ""]}" WHERE {" AND ".join(asked)}'
    made: Document = {
        "name": variable.name, "label": variable.label, "type": "query", "datasource": source, "query": text,
        "definition": "", "refresh": 2, "sort": 1, "hide": 0, "options": [], "current": {}, "regex": "",
        "multi": variable.optional, "includeAll": variable.optional,
    }
    if variable.optional:
        # All stands for each of the options: patterns of fields would reach other campaigns' channels.
        made["current"] = {"text": ["All"], "value": ["$__all"]}
    return made
