"""The questions of the fleet's panels in Flux, over the summary points of files and runs. Pure.

Each file is a series of its own, so rows are put together before anything is counted: InfluxDB does that where it
reads. What is not here: how a panel is drawn (`document.py`).
"""

from collections.abc import Sequence
from typing import Final

from belvedere.dashboards.fleet.points import COUNTED, FIELDS, FILES, RUN_FIELDS, RUNS, SUMMED, TAGS, heading
from belvedere.dashboards.points.channels import quoted
from belvedere.workspaces.model import Measure, Query

_TENANT: Final = 'r["bucket"]'
"""Written so, since Grafana puts its data source's own bucket where it finds `r.bucket` (seen on 11.0.0)."""

_REFUSED: Final = 'r.status == "error"'


def question(query: Query, bucket: str) -> str:
    """Write the question of one panel."""
    if query.kind == "tile":
        return _tile(query, bucket)
    if query.kind == "series":
        return _series(query, bucket)
    if query.kind == "rows":
        return _rows(query, bucket)
    if query.by[:1] == ("run",):
        return _runs(query, bucket)
    return _ranked(query, bucket) if len(query.measures) == 1 else _figures(query, bucket)


def options(bucket: str) -> str:
    """Write the question for the tenants that can be chosen."""
    return f"""{_all(bucket, FILES)}
  |> filter(fn: (r) => r._field == "{COUNTED}")
  |> group(columns: ["bucket"])
  |> first()
  |> group()
  |> keep(columns: ["bucket"])
  |> rename(columns: {{bucket: "_value"}})
  |> sort()"""


def _all(bucket: str, measurement: str) -> str:
    return f"""from(bucket: "{quoted(bucket)}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "{measurement}")"""


def _asked(query: Query, bucket: str, of: str | None = None) -> str:
    """Write the values of one field of the files that are asked for."""
    made = f"""{_all(bucket, FILES)}
  |> filter(fn: (r) => r._field == "{FIELDS.get(of or "", COUNTED)}")
  |> filter(fn: (r) => {_TENANT} =~ /^(?:${{tenant:regex}})$/)"""
    return f"{made}\n  |> filter(fn: (r) => {_REFUSED})" if query.where else made


def _grouped(columns: Sequence[str]) -> str:
    return f"\n  |> group(columns: [{', '.join(_text(one) for one in columns)}])"


def _figure(query: Query, measure: Measure, bucket: str, by: Sequence[str]) -> str:
    """Write one figure of all files, or of each tag's, as a number with a point."""
    if measure.of == "ended":
        # InfluxDB itself finds the last of all series of a group by time.
        return f"""{_asked(query, bucket)}{_grouped(by)}
  |> last()
  |> map(fn: (r) => ({{r with _value: float(v: int(v: r._time)) / 1000000.0}}))"""
    if measure.function == "distinct":
        return f"{_asked(query, bucket)}{_grouped([TAGS[measure.of or '']])}\n  |> first()\n  |> group()\n  |> count()"
    if measure.where:
        # Counted by outcome, so that a tenant without any has a zero and is not left out.
        return f"""{_asked(query, bucket)}{_grouped([*by, "status"])}
  |> count()
  |> map(fn: (r) => ({{r with _value: if {_REFUSED} then float(v: r._value) else 0.0}})){_grouped(by)}
  |> sum()"""
    return f"{_asked(query, bucket, measure.of)}{_grouped(by)}\n  |> {measure.function}()\n  |> toFloat()"


def _tile(query: Query, bucket: str) -> str:
    return f'{_figure(query, query.measures[0], bucket, ())}\n  |> keep(columns: ["_value"])'


def _series(query: Query, bucket: str) -> str:
    measure, tag = query.measures[0], TAGS[query.by[0]]
    # A bar is as wide as the times are apart: those without any file tell that.
    empty = "true" if measure.function in SUMMED else "false"
    return f"""{_asked(query, bucket, measure.of)}{_grouped([tag])}
  |> aggregateWindow(every: v.windowPeriod, fn: {measure.function}, createEmpty: {empty}, timeSrc: "_start")
  |> map(fn: (r) => ({{_time: r._time, _value: r._value, series: r["{tag}"]}}))
  |> group(columns: ["series"])"""


def _ranked(query: Query, bucket: str) -> str:
    """Write one figure of each value of a tag, the greatest first."""
    measure, tag = query.measures[0], TAGS[query.by[0]]
    return f"""{_figure(query, measure, bucket, [tag])}
  |> map(fn: (r) => ({{{_text(heading(query.by[0]))}: {_known(tag)}, {_text(measure.label)}: r._value}}))
  |> group()
  |> sort(columns: [{_text(measure.label)}], desc: true)
  |> limit(n: {query.limit})"""


def _figures(query: Query, bucket: str) -> str:
    """Write a table of figures: each is a stream of its own, and they are put side by side at the end."""
    tag, parts = TAGS[query.by[0]], []
    for number, one in enumerate(query.measures):
        figure = _figure(query, one, bucket, [tag])
        parts.append(f'f{number} = {figure}\n  |> set(key: "figure", value: {_text(one.label)})')
    listed = ", ".join(f"f{number}" for number in range(len(query.measures)))
    order = next(one.label for one in query.measures if f"-{one.name}" in query.order)
    parts.append(f"""union(tables: [{listed}])
  |> group()
  |> pivot(rowKey: ["{tag}"], columnKey: ["figure"], valueColumn: "_value")
  |> rename(columns: {{{tag}: {_text(heading(query.by[0]))}}})
  |> sort(columns: [{_text(order)}], desc: true)
  |> limit(n: {query.limit})""")
    return "\n".join(parts)


def _rows(query: Query, bucket: str) -> str:
    shown = [
        f"{_text(heading(role))}: {'r._time' if role == 'ended' else _known(TAGS[role])}" for role in query.fields
    ]
    return f"""{_asked(query, bucket)}
  |> group()
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: {query.limit})
  |> map(fn: (r) => ({{{", ".join(shown)}}}))"""


def _runs(query: Query, bucket: str) -> str:
    """Write the latest runs. One of today's parser does not say whose it was."""
    fields = [*RUN_FIELDS.values(), "bucket"]
    shown = [f"{_text(heading('run'))}: r._time", f"{_text(heading('tenant'))}: {_known('bucket')}"]
    shown += [f"{_text(one.label)}: r.{RUN_FIELDS[one.name]}" for one in query.measures]
    named = " or ".join(f'r._field == "{one}"' for one in fields)
    return f"""{_all(bucket, RUNS)}
  |> filter(fn: (r) => {named})
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> filter(fn: (r) => ({_known("bucket")}) =~ /^(?:${{tenant:regex}})$/)
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: {query.limit})
  |> map(fn: (r) => ({{{", ".join(shown)}}}))"""


def _known(tag: str) -> str:
    """Write a tag's value; files that do not have it have none."""
    return f'if exists r["{tag}"] then r["{tag}"] else ""'


def _text(text: str) -> str:
    return f'"{quoted(text)}"'
