"""The typed model as a Grafana dashboard: JSON model v1, schema version 39, which Grafana 10.4 to 13 take.

Pure, and stable: the same model gives the same document, ids hang on names and not on places, and a panel that
comes or goes moves no other id. Time range and variables stand as Grafana's macros and templates; whatever of a
tenant's could be taken for one is written in Unicode escapes. What is not here: sending it.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from belvedere.workspaces.dialect import write
from belvedere.workspaces.model import Model, Panel, Threshold, Variable
from belvedere.workspaces.postgres import compose, compose_options

SCHEMA_VERSION: Final = 39
_TYPE: Final = "grafana-postgresql-datasource"
_EVERYTHING: Final = "__all__"
_UNBOUND: Final = "1000000000"
_KINDS: Final = {
    "stat": "stat", "timeseries": "timeseries", "bar": "barchart", "histogram": "barchart", "scatter": "xychart",
    "table": "table", "text": "text",
}
_UNITS: Final = {
    "": "none", "ns": "ns", "W": "watt", "%": "percent", "s": "s", "kB": "kbytes", "V": "volt", "A": "amp",
    "kWh": "kwatth", "Hz": "hertz", "°C": "celsius", "VA": "voltamp", "var": "voltampreact", "duration": "s",
}
_UNSEEN: Final = "\u200b"
_MOMENT: Final = "time:YYYY-MM-DD HH:mm"
_MOMENT_PX: Final = 150
_TICKS_APART: Final = 180
"""Pixels between two labels below vertical bars; moments of runs would cover each other."""

_SCALED: Final = frozenset({"W", "kWh", "V", "A", "VA", "var"})
_COLOURS: Final = {"good": "green", "warn": "orange", "bad": "red", "none": "text"}

Document = dict[str, Any]


def to_grafana(model: Model, dashboard_id: UUID, *, datasource: str) -> Document:
    """Write a dashboard. `datasource` is the uid of the tenant's data source, or a placeholder for it."""
    source = {"type": _TYPE, "uid": datasource}
    return {
        "id": None,
        "uid": uid(dashboard_id),
        "title": _title(model),
        "description": model.subtitle,
        "tags": ["belvedere", *(["guess"] if model.guess else [])],
        "timezone": "utc",
        "schemaVersion": SCHEMA_VERSION,
        "version": 0,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "",
        "time": {
            "from": model.since or model.default_range or model.reach or "now-10y", "to": model.until or "now",
        },
        "annotations": {"list": []},
        "templating": {"list": [_variable(model, variable, source) for variable in model.variables]},
        "panels": list(_panels(model, source)),
    }


def uid(dashboard_id: UUID) -> str:
    """Return the uid under which a Grafana knows a dashboard: 33 characters, at most 40 are allowed."""
    return f"b{dashboard_id.hex}"


def _title(model: Model) -> str:
    """Name the table in full: of two dashboards with one title in a folder, Grafana lets one replace the other."""
    schema = "" if model.schema == "public" else f"{model.schema}."
    return f"{model.title} · {model.database}.{schema}{model.table}"


class Macros:
    """Grafana's dialect: its macros stand for the time range, its template variables for what is chosen.

    A macro's argument ends at the first bracket, so none of ours has one; the range is compared by hand.
    """

    most_points = 1000

    def __init__(self, *, by_run: bool) -> None:
        """Tell whether the dashboard's time goes by runs, which are never put into buckets."""
        self._by_run = by_run

    def name(self, identifier: str) -> sql.Composable:
        """Quote an identifier, with a dollar or bracket in Unicode escapes: Grafana would take `$x` for a variable."""
        return _escaped(identifier, '"') if _is_taken(identifier) else sql.Identifier(identifier)

    def value(self, value: str | float) -> sql.Composable:
        """Quote a value, in the same way."""
        if not isinstance(value, str):
            return write("({})", sql.Literal(value))
        return write("{}::text", _escaped(value, "'") if _is_taken(value) else sql.Literal(value))

    def between(self, moment: sql.Composable) -> sql.Composable | None:
        """Compare with the dashboard's range."""
        return write("{} BETWEEN $__timeFrom()::timestamptz AND $__timeTo()::timestamptz", moment)

    def chosen(self, column: sql.Composable, variable: Variable) -> sql.Composable | None:
        """Compare with what is chosen; Grafana quotes it. `All` comes as a value of its own."""
        wanted = _trusted(f"${{{variable.name}:sqlstring}}")
        if not variable.optional:
            return write("{} IN ({})", column, wanted)
        return write("({} IN ({}) OR {} IN ({}))", sql.Literal(_EVERYTHING), wanted, column, wanted)

    def runs(self, variable: Variable) -> sql.Composable:
        """Take the number of runs from its variable."""
        return _trusted(f"${{{variable.name}}}")

    def bucket(self, moment: sql.Composable) -> tuple[sql.Composable, sql.Composable]:
        """Put moments into buckets of Grafana's interval; runs stay as they are."""
        if self._by_run:
            return moment, sql.SQL("NULL::float8")
        width = sql.SQL("($__interval_ms / 1000.0)")
        start = write("to_timestamp(floor(extract(epoch FROM {0}) / {1}) * {1})", moment, width)
        return start, sql.SQL("min($__interval_ms)")


def _is_taken(text: str) -> bool:
    return any(sign in text for sign in "$[\\")


def _escaped(text: str, quote: str) -> sql.Composable:
    inner = text.replace("\\", "\\\\").replace(quote, quote * 2).replace("$", "\\0024").replace("[", "\\005B")
    return _trusted(f"U&{quote}{inner}{quote}")


def _trusted(text: str) -> sql.Composable:
    """Take a text that this module has quoted itself."""
    return sql.SQL(text)


def _panels(model: Model, source: Document) -> Iterator[Document]:
    ids = _Ids()
    y = 0
    for row in model.rows:
        if row.title:
            yield {
                "id": ids.take(f"row:{row.title}"), "type": "row", "title": row.title, "collapsed": False,
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "panels": [],
            }
            y += 1
        x, line = 0, 0
        for panel in row.panels:
            if x + panel.width > 24:  # noqa: PLR2004  (Grafana's grid)
                x, y, line = 0, y + line, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            yield _panel(model, panel, source, ids.take(panel.id), place)
            x, line = x + panel.width, max(line, panel.height)
        y += line


class _Ids:
    """Numbers that hang on names: a check sum, moved on where two meet."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self, name: str) -> int:
        number = zlib.crc32(name.encode()) % 1_000_000 + 1
        while number in self._taken:
            number += 1
        self._taken.add(number)
        return number


def _panel(model: Model, panel: Panel, source: Document, number: int, place: Document) -> Document:
    made: Document = {
        "id": number, "type": _KINDS[panel.type], "title": _titled(model, panel), "description": panel.description,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(model, panel), "overrides": list(_overrides(model, panel))},
        "options": _options(panel, compared=model.run is not None),
    }
    if panel.query is None:
        return made
    timed = panel.type == "timeseries" or (panel.type == "stat" and model.run is not None)
    made["datasource"] = source
    made["targets"] = [{
        "refId": "A", "datasource": source, "rawQuery": True, "editorMode": "code",
        "format": "time_series" if timed else "table", "rawSql": statement(model, panel),
    }]
    return made


def _titled(model: Model, panel: Panel) -> str:
    """Name a panel; one of lying bars with its unit, so that the figures beside the bars are short enough for them."""
    unit = model.time_unit if panel.unit == "time" else panel.unit
    return f"{panel.title} ({unit})" if _is_lying(panel) and unit else panel.title


def _is_lying(panel: Panel) -> bool:
    return panel.type == "bar" and panel.options.horizontal


def statement(model: Model, panel: Panel) -> str:
    """Write the SQL of one panel, with columns named as people should see them."""
    query = panel.query
    if query is None:
        return ""
    dialect = Macros(by_run=model.run is not None)
    answer = compose(model, query, dialect)
    shown = _shown(model, panel, dialect)
    return write("SELECT {} FROM ({}) AS answer{}", shown, answer, _tail(model, panel)).as_string()


def _shown(model: Model, panel: Panel, dialect: Macros) -> sql.Composable:
    query = panel.query
    if query is None:  # pragma: no cover  (asked before)
        return sql.SQL("")
    first = query.measures[0] if query.measures else None
    label = dialect.name(first.label) if first else sql.SQL("value")
    if query.kind == "tile":
        return write('pair."time", pair.figure AS {}', label) if model.run else write("value AS {}", label)
    if query.kind == "histogram":
        return write('bin_start::text AS "From", amount AS {}', label)
    if query.kind == "series" and first:
        series = write(", series AS metric") if query.by else sql.Composed([])
        moment = write('"time"::text AS "Run"') if panel.type == "bar" else write('"time"')
        return write("{}{}, {} AS {}", moment, series, dialect.name(first.name), label)
    if query.kind == "compare":
        detail = write(', unit AS "Unit", change_percent AS "Change %", verdict AS "Verdict"')
        detail = detail if query.lookup else sql.Composed([])
        return write('key AS "Key", previous AS "Run before", last AS "Last run"{}', detail)
    names = [*query.fields, *query.by]
    columns: list[sql.Composable] = [
        write("{} AS {}", dialect.name(role), dialect.name(_named(model, role))) for role in names]
    columns += [write("{} AS {}", dialect.name(m.name), dialect.name(m.label)) for m in query.measures]
    return sql.SQL(", ").join(columns) if query.kind != "profile" else sql.SQL("*")


def _tail(model: Model, panel: Panel) -> sql.Composed:
    """End the statement: a tile over runs is two points, so that Grafana shows the change by itself.

    Lists are asked for one row more than is shown, which tells the viewer that there are more; Grafana would show it.
    """
    if panel.query and panel.query.kind in {"aggregate", "rows", "compare"}:
        return write(" LIMIT {}", sql.Literal(panel.query.limit))
    if panel.query and panel.query.kind == "tile" and model.run:
        return write(
            ' CROSS JOIN LATERAL (VALUES (run_previous, previous), (run_last, value)) AS pair("time", figure) '
            'WHERE pair."time" IS NOT NULL ORDER BY 1')
    return sql.Composed([])


def _named(model: Model, role: str) -> str:
    field = model.fields[role]
    return role if field.part else field.label or field.column


_MIXED: Final = frozenset({"rows", "compare", "histogram", "profile"})
"""Kinds of answers whose columns have units of their own, or count things."""

_TIMED: Final = ("slack", "arrival", "required")


def _unit(model: Model, unit: str) -> str:
    unit = model.time_unit if unit == "time" else unit
    return _UNITS.get(unit, f"suffix: {unit}")


def _overrides(model: Model, panel: Panel) -> Iterator[Document]:
    """Give columns the units that are their own."""
    query = panel.query
    if query is None:
        return
    yield from _by_type(panel)
    yield from _moments(model, panel)
    named: list[tuple[str, str, int | None]] = []
    if query.kind == "rows" and panel.unit == "time":
        named = [(_named(model, role), panel.unit, None) for role in _TIMED if role in query.fields]
    elif query.kind not in _MIXED:
        named = [(one.label, one.unit or panel.unit, one.decimals) for one in query.measures
                 if one.unit or one.decimals is not None]
    for name, unit, decimals in named:
        properties: list[Document] = [{"id": "unit", "value": _unit(model, unit)}]
        if decimals is not None:
            properties.append({"id": "decimals", "value": decimals})
        yield {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _by_type(panel: Panel) -> Iterator[Document]:
    """Mend what Grafana makes of texts and numbers by itself."""
    shown: list[Document] = []
    if panel.type in ("bar", "histogram"):
        # Grafana writes the text of an empty value for each label that it leaves out below the bars.
        shown.append({"id": "noValue", "value": " "})
    if panel.type in ("bar", "table"):
        # It takes a text of digits for a number too, and writes a serial number 02001171 as one.
        shown.append({"id": "unit", "value": "string"})
    if shown:
        yield {"matcher": {"id": "byType", "options": "string"}, "properties": shown}
    if panel.type == "timeseries":
        # And for each tick of the axis that it leaves out. A blank it would take for the number 0, and draw that.
        yield {"matcher": {"id": "byType", "options": "number"}, "properties": [{"id": "noValue", "value": _UNSEEN}]}
    if _is_lying(panel):
        # Each bar has its figure: beside it the axis, whose labels Grafana writes over each other, tells nothing.
        hidden = [{"id": "custom.axisPlacement", "value": "hidden"}]
        yield {"matcher": {"id": "byType", "options": "number"}, "properties": hidden}


def _moments(model: Model, panel: Panel) -> Iterator[Document]:
    """Give moments in a table the room that they need, without the milliseconds that a meter does not write."""
    query = panel.query
    if query is None or panel.type != "table" or query.kind != "aggregate":
        return
    names = [_named(model, role) for role in query.by if model.fields[role].read == "time"]
    names += [one.label for one in query.measures if one.of == model.time and one.function in {"min", "max"}]
    for name in names:
        yield {"matcher": {"id": "byName", "options": name}, "properties": [
            {"id": "unit", "value": _MOMENT}, {"id": "custom.width", "value": _MOMENT_PX}]}


def _drawn(model: Model, panel: Panel) -> Document:
    """Say how lines are drawn, where that is not as usual."""
    if panel.type == "timeseries" and model.gap_s:
        # Points are shown where they stand apart; a line over weeks without values would tell of some.
        return {"showPoints": "auto", "pointSize": 5, "spanNulls": False, "insertNulls": model.gap_s * 1000}
    return {}


def _defaults(model: Model, panel: Panel) -> Document:
    mixed = panel.query is not None and panel.query.kind in _MIXED and panel.type != "bar"
    defaults: Document = {
        "unit": _unit(model, "" if mixed or _is_lying(panel) else panel.unit), "custom": _drawn(model, panel),
        "color": {"mode": "thresholds" if panel.options.thresholds else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.options.thresholds)},
        "noValue": "\u2013" if panel.type == "table" else "No rows in this range",
    }
    # Grafana scales watts to kilowatts and back: a number of decimals fits one of them, and beside an axis none.
    if panel.decimals is not None and not (panel.type in {"timeseries", "stat"} and panel.unit in _SCALED):
        defaults["decimals"] = panel.decimals
    return defaults


def _steps(thresholds: Sequence[Threshold]) -> list[Document]:
    if not thresholds:
        return [{"color": "text", "value": None}]
    return [{"color": _COLOURS[one.tone], "value": one.at} for one in thresholds]


def _options(panel: Panel, *, compared: bool) -> Document:
    if panel.type == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "textMode": "value",
            "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            # Of one value alone Grafana shows a change of "00%".
            "showPercentChange": compared and panel.query is not None and panel.query.kind == "tile",
        }
    if panel.type in ("bar", "histogram"):
        flat: Document = {"barWidth": 0.5, "text": {"valueSize": 12}} if panel.options.horizontal else {}
        return {
            **flat, "orientation": "horizontal" if panel.options.horizontal else "vertical", "showValue": "auto",
            "stacking": "normal" if panel.options.stacked else "none", "xTickLabelMaxLength": 40,
            "xTickLabelSpacing": 0 if panel.options.horizontal else _TICKS_APART,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": _has_legend(panel)},
            "tooltip": {"mode": "single", "sort": "none"},
        }
    if panel.type == "text":
        return {"mode": "markdown", "content": panel.options.text}
    if panel.type == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    if panel.type == "scatter":
        return {"seriesMapping": "auto", "dims": {"frame": 0}, "legend": {"showLegend": True}}
    return {"legend": {"displayMode": "list", "placement": "right", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "none"}}


def _has_legend(panel: Panel) -> bool:
    """Tell whether a legend says more than the title: not of one figure alone."""
    return not panel.options.horizontal or panel.query is None or len(panel.query.measures) != 1


def _variable(model: Model, variable: Variable, source: Document) -> Document:
    if variable.role is None:
        options = [
            {"text": option, "value": option if option.isdecimal() else _UNBOUND,
             "selected": option == variable.default}
            for option in variable.options
        ]
        return {
            "name": variable.name, "label": variable.label, "type": "custom", "hide": 0, "multi": False,
            "includeAll": False, "query": ", ".join(f"{one['text']} : {one['value']}" for one in options),
            "options": options,
            "current": next(({"text": one["text"], "value": one["value"]} for one in options if one["selected"]), {}),
        }
    written = compose_options(model, variable, Macros(by_run=model.run is not None)).as_string()
    made: Document = {
        "name": variable.name, "label": variable.label, "type": "query", "datasource": source, "query": written,
        "definition": written, "refresh": 2, "sort": 0, "hide": 0, "regex": "", "multi": variable.optional,
        "includeAll": variable.optional, "options": [], "current": {},
    }
    if variable.optional:
        made["allValue"] = f"'{_EVERYTHING}'"
        made["current"] = {"text": ["All"], "value": ["$__all"]}
    return made
