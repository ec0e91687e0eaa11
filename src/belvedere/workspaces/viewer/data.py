"""From rows of an answer to what the browser draws. Pure; one function per kind of query.

What is not here: asking (`service.py`), and any SQL.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from belvedere.workspaces.model import Measure, Model, Panel, Query
from belvedere.workspaces.viewer.model import PanelColumn, PanelData, Value

Rows = Sequence[Mapping[str, Any]]
_MOST_SERIES: Final = 20
_WIDTHS: Final = 2.5
_SMALL: Final = ((1e-3, 1e3, "m"), (1e-6, 1e6, "µ"), (1e-9, 1e9, "n"))
_LARGE: Final = ((1e6, 1e-6, "M"), (1e3, 1e-3, "k"))
_LENGTHS: Final = (
    ("month", 2_592_000), ("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1),
)
_BUCKET_WORDS: Final = {"mean": "mean", "min": "lowest", "max": "highest", "sum": "sum", "count": "count"}


def panel_data(model: Model, panel: Panel, rows: Rows, unit: str) -> PanelData:
    """Shape the answer to a panel's query. `unit` stands where the model says `time`."""
    query = panel.query
    if query is None:
        return PanelData(panel.id, panel.type, panel.title, "", "ok", options={"text": panel.options.text})
    resolved = replace(panel, unit=unit if panel.unit == "time" else panel.unit)
    return _KINDS[query.kind](model, resolved, query, rows, unit)


def empty(panel: Panel, message: str) -> PanelData:
    """Say why there is nothing."""
    return PanelData(panel.id, panel.type, panel.title, "", "empty", message, options=_options(panel))


def failed(panel: Panel, message: str) -> PanelData:
    """Say what went wrong, in the database's words."""
    return PanelData(panel.id, panel.type, panel.title, "", "error", message, options=_options(panel))


def plain(value: object) -> Value:
    """Turn a database value into JSON's."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text has one of the catalogue's patterns."""
    return re.search(pattern, text) is not None


def _options(panel: Panel) -> dict[str, Any]:
    options = msgspec.to_builtins(panel.options)
    return dict(options) if isinstance(options, dict) else {}


def _made(panel: Panel, columns: list[PanelColumn], rows: list[list[Value]], **more: Any) -> PanelData:  # noqa: ANN401
    options = _options(panel) | more.pop("options", {})
    return PanelData(
        panel.id, panel.type, panel.title, more.pop("unit", panel.unit), more.pop("state", "ok" if rows else "empty"),
        columns=columns, rows=rows, options=options, **more)


def _figure(model: Model, panel: Panel, measure: Measure) -> PanelColumn:
    """Describe a figure; the first and the last of times are times."""
    field = model.fields.get(measure.of or "")
    if field is not None and field.read == "time" and measure.function in ("min", "max"):
        return PanelColumn(measure.name, measure.label, "time")
    return _column(panel, measure)


def _column(panel: Panel, measure: Measure, label: str = "", name: str = "") -> PanelColumn:
    return PanelColumn(
        name or measure.name, label or measure.label, "number", measure.unit or panel.unit,
        measure.decimals if measure.decimals is not None else panel.decimals)


def _tile(_model: Model, panel: Panel, query: Query, rows: Rows, _unit: str) -> PanelData:
    row = rows[0] if rows else {}
    value, previous, unit = plain(row.get("value")), plain(row.get("previous")), panel.unit
    value, previous, unit = _scaled(value, previous, unit)
    decimals = panel.decimals if unit == panel.unit else None
    columns = [
        PanelColumn("value", query.measures[0].label, "number", unit, decimals),
        PanelColumn("previous", "Run before", "number", unit, decimals),
        PanelColumn("run", "Last run", "time"), PanelColumn("run_before", "Run before", "time"),
    ]
    shown = [value, previous, plain(row.get("run_last")), plain(row.get("run_previous"))]
    options = {"value": "value", "previous": "previous" if previous is not None else None,
               "better": panel.options.better}
    if value is None:
        last = row.get("run_last")
        said = f"The last run ({last:%Y-%m-%d %H:%M} UTC) has no value for this." if last else ""
        return replace(empty(panel, said), unit=unit, options=_options(panel) | options)
    return _made(panel, columns, [shown], unit=unit, options=options)


def _scaled(value: Value, previous: Value, unit: str) -> tuple[Value, Value, str]:
    """Show a power below 1 W in milliwatts and so on, one from 1000 W in kilowatts, both figures alike."""
    if unit != "W" or not isinstance(value, float | int) or value == 0:
        return value, previous, unit
    for least, factor, prefix in _LARGE if abs(value) >= 1 else _SMALL:
        if abs(value) >= least:
            scaled = previous * factor if isinstance(previous, float | int) else None
            return value * factor, scaled, prefix + unit
    return value, previous, unit


def _aggregate(model: Model, panel: Panel, query: Query, rows: Rows, _unit: str) -> PanelData:
    columns = [
        PanelColumn(role, _label(model, role), "time" if model.fields[role].read == "time" else "text")
        for role in query.by
    ]
    columns += [_figure(model, panel, measure) for measure in query.measures]
    shown = [
        [*(_or_none(row[role]) for role in query.by), *(plain(row[m.name]) for m in query.measures)]
        for row in rows[: query.limit]
    ]
    return _made(panel, columns, shown, truncated=len(rows) > query.limit, note=_cut(rows, query))


def _rows(model: Model, panel: Panel, query: Query, rows: Rows, unit: str) -> PanelData:
    kinds: dict[str, Literal["time", "number", "text"]] = {"number": "number", "time": "time", "text": "text"}
    columns = []
    for role in query.fields:
        field = model.fields[role]
        timed = panel.unit == unit and unit and role in ("slack", "arrival", "required")
        columns.append(PanelColumn(role, _label(model, role), kinds[field.read], unit if timed else ""))
    shown = [[plain(row[role]) for role in query.fields] for row in rows[: query.limit]]
    return _made(panel, columns, shown, unit="", truncated=len(rows) > query.limit, note=_cut(rows, query))


def _histogram(model: Model, panel: Panel, query: Query, rows: Rows, _unit: str) -> PanelData:
    role = query.measures[0].of or ""
    unit = panel.unit
    columns = [
        PanelColumn("bin_start", "From", "number", unit), PanelColumn("bin_end", "To", "number", unit),
        PanelColumn("amount", query.measures[0].label, "number", "", 0),
    ]
    shown = [[plain(row["bin_start"]), plain(row["bin_end"]), plain(row["amount"])] for row in rows]
    beyond = rows[0]["beyond"] if rows else 0
    note = f"{beyond:,} rows lie further right." if beyond else ""
    options = {"x_label": _label(model, role) + (f" ({unit})" if unit else "")}
    return _made(panel, columns, shown, note=note, options=options)


def _series(model: Model, panel: Panel, query: Query, rows: Rows, _unit: str) -> PanelData:
    measure = query.measures[0]
    names: dict[str, None] = {}
    times: dict[Any, dict[str, Value]] = {}
    for row in rows:
        name = _or_none(row["series"]) if query.by else measure.label
        names.setdefault(str(name))
        times.setdefault(row["time"], {})[str(name)] = plain(row[measure.name])
    kept = list(names)[:_MOST_SERIES]
    bars = panel.type == "bar"
    label: Mapping[Any, Value] = _bar_labels(list(times)) if bars else {moment: plain(moment) for moment in times}
    columns = [PanelColumn("time", "Run" if bars else "Time", "text" if bars else "time")]
    columns += [_column(panel, measure, name, f"series_{index}") for index, name in enumerate(kept)]
    shown = [[label[moment], *(values.get(name) for name in kept)] for moment, values in times.items()]
    width = rows[0]["width"] if rows else None
    note = f"{_width(width)} {_BUCKET_WORDS.get(measure.function, measure.function)}" if width else ""
    if len(names) > len(kept):
        note = f"{len(kept)} of {len(names)} series are drawn. {note}".strip()
    # What is drawn in wide intervals has none between two of them.
    gap_s = max(model.gap_s, _WIDTHS * width) if model.gap_s and width else model.gap_s
    options = {"gap_s": gap_s} if gap_s and not bars else {}
    return _made(panel, columns, shown, note=note, truncated=len(names) > len(kept), options=options)


def _compare(_model: Model, panel: Panel, query: Query, rows: Rows, unit: str) -> PanelData:
    measure, first = query.measures[0], rows[0] if rows else {}
    labels = _bar_labels([m for m in (first.get("run_previous"), first.get("run_last")) if m])
    before = labels.get(first.get("run_previous"), "Run before")
    last = labels.get(first.get("run_last"), "Last run")
    columns = [
        PanelColumn("key", query.by[0].replace("_", " ").capitalize(), "text"),
        _column(panel, measure, before, "previous"), _column(panel, measure, last, "last"),
    ]
    shown = [[_or_none(row["key"]), plain(row["previous"]), plain(row["last"])] for row in rows[: query.limit]]
    if query.lookup:
        columns += [
            PanelColumn("unit", "Unit", "text"), PanelColumn("change_percent", "Change", "number", "%", 1),
            PanelColumn("verdict", "", "text"),
        ]
        for line, row in zip(shown, rows, strict=False):
            line += [unit if row["unit"] == "time" else row["unit"], plain(row["change_percent"]), row["verdict"]]
    return _made(panel, columns, shown, truncated=len(rows) > query.limit, note=_cut(rows, query))


def _profile(_model: Model, panel: Panel, _query: Query, rows: Rows, _unit: str) -> PanelData:
    columns = [
        PanelColumn("column", "Column", "text"), PanelColumn("kind", "Read as", "text"),
        PanelColumn("filled", "Filled", "number", "", 0), PanelColumn("distinct", "Different", "number", "", 0),
        PanelColumn("lowest", "Lowest", "text"), PanelColumn("highest", "Highest", "text"),
    ]
    return _made(panel, columns, [[plain(row[column.name]) for column in columns] for row in rows])


_KINDS: Final[dict[str, Callable[[Model, Panel, Query, Rows, str], PanelData]]] = {
    "tile": _tile, "aggregate": _aggregate, "rows": _rows, "histogram": _histogram, "series": _series,
    "compare": _compare, "profile": _profile,
}


def _label(model: Model, role: str) -> str:
    """Name a column by the tenant's own name for it; a derived one by its role."""
    field = model.fields.get(role)
    return role.replace("_", " ") if field is None or field.part else field.label or field.column


def _or_none(value: object) -> Value:
    return "none" if value is None else plain(value)


def _cut(rows: Rows, query: Query) -> str:
    return f"The first {query.limit:,} are shown." if len(rows) > query.limit else ""


def _bar_labels(moments: Sequence[datetime]) -> dict[Any, str]:
    """Name runs by their day, with the hour where two share a day."""
    days = [f"{moment:%Y-%m-%d}" for moment in moments]
    return {
        moment: day if days.count(day) == 1 else f"{moment:%Y-%m-%d %H:%M}"
        for moment, day in zip(moments, days, strict=True)
    }


def _width(seconds: int) -> str:
    for name, length in _LENGTHS:
        if seconds % length == 0:
            return f"{seconds // length}-{name}"
    return f"{seconds}-second"
