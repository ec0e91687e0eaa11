"""The questions of a campaign's panels in Flux, as the typed model asks them. Pure.

Grafana puts the range, the width of an interval and what is chosen into them. Whatever is a tenant's own (names of
campaigns and buckets) stands in codes, so that nothing in it is taken for a variable. What is not here: how a panel is
drawn (`to_flux.py`).
"""

from collections.abc import Sequence
from typing import Final

from belvedere.dashboards.points.channels import ENERGY, GAP, KNOWN_UNITS, OTHER, TAGS, UNITS, Place, first_of, quoted
from belvedere.workspaces.model import Measure, Model, Query, Variable

_SHOWN: Final = {"channel": 'r.device_sn + " " + r.channel_label', "time": "r._time"}
_STEPS: Final = """
  |> elapsed(unit: 1s)
  |> duplicate(column: "elapsed", as: "jump")
  |> difference(columns: ["jump"], keepFirst: true)
  |> map(fn: (r) => ({r with usual: if exists r.jump then r.elapsed - r.jump else r.elapsed}))"""
"""How long before a row the last one was, and how long before that one its own: what is much longer is a gap."""


def question(model: Model, query: Query, place: Place) -> str:
    """Write the question of one panel."""
    measure = first_of(query)
    if query.kind == "series" and measure is not None:
        return _series(model, query, measure, place)
    if query.kind == "tile" and measure is not None:
        return _tile(model, query, measure, place)
    return _table(model, query, place)


def options(model: Model, variable: Variable, place: Place) -> str:
    """Write the question for a variable's options; a channel is shown by device and label, behind its id."""
    role = variable.role or ""
    before = [one for one in model.variables[: model.variables.index(variable)] if one.role in TAGS]
    source = _rows(place, before)
    tag = TAGS[role]
    shown = f'{_SHOWN["channel"]} + " | " + r.channel_id' if role == "channel" else f"r.{tag}"
    return f"""{source}
  |> last()
  |> map(fn: (r) => ({{_value: {shown}}}))
  |> group()
  |> distinct()
  |> sort()"""


def _rows(place: Place, variables: Sequence[Variable]) -> str:
    named = " or ".join(f'r.campaign == "{quoted(tag)}"' for tag in place.tags) or "false"
    made = f"""from(bucket: "{quoted(place.bucket)}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => {named})"""
    for one in variables:
        made += f"\n  |> filter(fn: (r) => r.{TAGS[one.role or '']} =~ /^(?:${{{one.name}:regex}})$/)"
    return made


def _asked(model: Model, query: Query, place: Place, role: str | None) -> str:
    """Write the rows of a quantity, of what is chosen or of the whole campaign."""
    made = _rows(place, () if query.whole else [one for one in model.variables if one.role in TAGS])
    if role in UNITS:
        units = " or ".join(f'r.channel_unit == "{quoted(unit)}"' for unit in UNITS[role])
        return f"{made}\n  |> filter(fn: (r) => {units})"
    if role == OTHER:
        units = " and ".join(f'r.channel_unit != "{quoted(unit)}"' for unit in KNOWN_UNITS)
        return f"{made}\n  |> filter(fn: (r) => not exists r.channel_unit or ({units}))"
    return made


def _scaled(role: str | None) -> str:
    """Write values in the quantity's own unit; it comes after means and the like, so that few are touched."""
    odd = [(unit, factor) for unit, factor in UNITS.get(role or "", {}).items() if factor != 1.0]
    if not odd:
        return ""
    cases = " else ".join(f'if r.channel_unit == "{quoted(unit)}" then {factor!r}' for unit, factor in odd)
    return f"\n  |> map(fn: (r) => ({{r with _value: r._value * ({cases} else 1.0)}}))"


def _energy(model: Model, query: Query, place: Place) -> str:
    """Write kWh by row: power over the time since the row before; over a gap, over the usual time."""
    return f"""{_asked(model, query, place, ENERGY)}{_STEPS}
  |> map(fn: (r) => ({{r with _value: r._value / 3600000.0
      * float(v: if float(v: r.elapsed) > 2.5 * float(v: r.usual) then r.usual else r.elapsed)}})){_scaled(ENERGY)}"""


def _series(model: Model, query: Query, measure: Measure, place: Place) -> str:
    role = measure.of
    shown = _SHOWN.get(query.by[0], f"r.{TAGS.get(query.by[0], 'device_sn')}") if query.by else '""'
    # A tag that a channel does not have is missing from its rows.
    named = f"""
  |> map(fn: (r) => ({{_time: r._time, _value: r._value, series: {shown}}}))
  |> group(columns: ["series"])"""
    if role == ENERGY:
        return f"""{_energy(model, query, place)}{named}
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)"""
    return f"""{_asked(model, query, place, role)}
  |> aggregateWindow(every: v.windowPeriod, fn: {measure.function}, createEmpty: false){_scaled(role)}{named}"""


def _tile(model: Model, query: Query, measure: Measure, place: Place) -> str:
    role = measure.of
    if measure.function == "distinct":
        tag = TAGS[role or "channel_id"]
        return f"""{_asked(model, query, place, None)}
  |> last()
  |> keep(columns: ["{tag}"])
  |> group()
  |> distinct(column: "{tag}")
  |> count()"""
    rows = _energy(model, query, place) if role == ENERGY else _asked(model, query, place, role)
    scaled = "" if role == ENERGY else _scaled(role)
    return f"""{rows}
  |> {measure.function}(){scaled}
  |> group()
  |> {measure.function}()
  |> keep(columns: ["_value"])"""


def _table(model: Model, query: Query, place: Place) -> str:
    measure = first_of(query)
    if measure is not None and measure.of == GAP:
        return _gaps(model, query, measure, place)
    if len(query.measures) == 1 and measure is not None and measure.of == ENERGY:
        by = _columns(query.by)
        return f"""{_energy(model, query, place)}
  |> map(fn: (r) => ({{{by}, _value: r._value}}))
  |> group(columns: {_names(query.by)})
  |> sum()
  |> group()
  |> sort(columns: ["_value"], desc: true)
  |> limit(n: {query.limit})
  |> rename(columns: {{_value: "{quoted(measure.label)}"}})""" + _called(model, query.by)
    return _figures(model, query, place) + _called(model, query.by)


def _called(model: Model, roles: Sequence[str]) -> str:
    """Call columns as people read them."""
    called = [(role, model.fields[role].label) for role in roles if role in model.fields and model.fields[role].label]
    if not called:
        return ""
    return "\n  |> rename(columns: {" + ", ".join(f'{role}: "{quoted(label)}"' for role, label in called) + "})"


def _gaps(model: Model, query: Query, measure: Measure, place: Place) -> str:
    # Flux puts columns in the order of their names.
    time, meter = (model.fields[role].label or role for role in ("time", "meter"))
    return f"""{_asked(model, query, place, None)}{_STEPS}
  |> filter(fn: (r) => float(v: r.elapsed) > 2.5 * float(v: r.usual))
  |> map(fn: (r) => ({{{time}: r._time, {meter}: r.device_master_sn, {quoted(measure.label)}: r.elapsed - r.usual}}))
  |> group(columns: ["{meter}"])
  |> unique(column: "{time}")
  |> group()
  |> sort(columns: ["{time}"], desc: true)
  |> limit(n: {query.limit})"""


def _figures(model: Model, query: Query, place: Place) -> str:
    """Write a table of figures: each is a stream of its own, and they are put side by side at the end."""
    parts = [f"""rows = {_asked(model, query, place, None)}
shown = (tables=<-) => tables
  |> map(fn: (r) => ({{{_columns(query.by)}, _value: r._value}}))
  |> group(columns: {_names(query.by)})"""]
    for number, one in enumerate(query.measures):
        parts.append(f'f{number} = rows{_figure(one)}\n  |> set(key: "figure", value: "{quoted(one.label)}")')
    listed = ", ".join(f"f{number}" for number in range(len(query.measures)))
    order = [name.removeprefix("-") for name in query.order if name.removeprefix("-") in query.by] or [*query.by[:1]]
    parts.append(f"""union(tables: [{listed}])
  |> group()
  |> pivot(rowKey: {_names(query.by)}, columnKey: ["figure"], valueColumn: "_value")
  |> sort(columns: {_names(order)})
  |> limit(n: {query.limit})""")
    return "\n".join(parts)


def _figure(measure: Measure) -> str:
    """Write one figure of each group of rows."""
    if measure.of == "time":
        kind = "first" if measure.function == "min" else "last"
        return f"""
  |> {kind}()
  |> map(fn: (r) => ({{r with _value: float(v: int(v: r._time)) / 1000000.0}}))
  |> shown()
  |> {measure.function}()"""
    if measure.function == "distinct":
        return "\n  |> last()\n  |> map(fn: (r) => ({r with _value: 1.0}))\n  |> shown()\n  |> sum()"
    if measure.function == "count":
        return "\n  |> count()\n  |> toFloat()\n  |> shown()\n  |> sum()"
    return f"\n  |> {measure.function}()\n  |> shown()\n  |> {measure.function}()"


def _columns(by: Sequence[str]) -> str:
    """Write the columns that divide figures; a tag that a channel does not have is empty."""
    found = []
    for role in by:
        tag = TAGS.get(role, "device_sn")
        value = _SHOWN["channel"] if role == "channel" else f'if exists r.{tag} then r.{tag} else ""'
        found.append(f"{role}: {value}")
    return ", ".join(found)


def _names(roles: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{role}"' for role in roles) + "]"
