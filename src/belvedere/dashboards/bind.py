"""Template and table make a typed dashboard. Pure: the same template and match give the same model.

Panels whose columns are missing are left out, the rest is fitted to the width. What is not here: choosing the
template (`classify.py`), drawing (`to_view.py`, `to_grafana.py`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from belvedere.dashboards.classify import Candidate, MatchedColumn, Shape, normal
from belvedere.dashboards.template import Template
from belvedere.workspaces.model import Condition, Field, Measure, Model, Panel, Query, Row

_COLUMNS: Final = 24
_UNIT: Final = re.compile(r"(?:^|_)(ps|ns|us)$")
_LONGEST_TITLE: Final = 120


def bind(template: Template, shape: Shape, claim: Candidate, *, guess: bool) -> Model:
    """Make the model of one table under one template."""
    fields = _fields(template, claim.columns)
    columns = {match.role: match.column for match in claim.columns if match.role}
    unit, unit_note = _time_unit(template, columns)
    rows = tuple(filter(None, (_row(row.title, row.panels, fields, columns, claim.columns) for row in template.rows)))
    run = template.run if template.run in fields else None
    return Model(
        template=template.template,
        family=template.family,
        title=f"{template.title}: {claim.subject}"[:_LONGEST_TITLE],
        subtitle=f"{template.family[:1].upper()}{template.family[1:]}{' dashboard' if guess else ''}{unit_note}",
        guess=guess,
        database=shape.database,
        schema=shape.schema,
        table=shape.name,
        fields=fields,
        rows=rows,
        variables=tuple(v for v in template.variables if v.role is None or v.role in fields),
        lookups=template.lookups,
        time=template.time if template.time in fields else None,
        run=run,
        time_unit=unit,
        time_unit_rules=tuple(rule for rule in template.time_unit_rules if rule.role in fields),
        default_range=template.default_range,
    )


def _fields(template: Template, columns: Sequence[MatchedColumn]) -> dict[str, Field]:
    called = {rule.role: rule.label for rule in template.columns}
    fields = {
        match.role: Field(
            match.column, match.read, match.stored, labels=template.labels.get(match.role, ()),
            label=called.get(match.role, ""))
        for match in columns if match.role
    }
    for role, derived in template.derived.items():
        source = fields.get(derived.role)
        if source:
            fields[role] = replace(source, part=derived.part, labels=template.labels.get(role, ()))
    return fields


def _time_unit(template: Template, columns: Mapping[str, str]) -> tuple[str, str]:
    """Read the unit of time off the column's name; where nothing tells it, say so instead of inventing one."""
    if not template.time_unit_of:
        return "", ""
    found = _UNIT.search(normal(columns.get(template.time_unit_of, "")))
    if found:
        return found[1], ""
    return "", " without a known unit of time"


def _row(
    title: str, panels: Sequence[Panel], fields: Mapping[str, Field], columns: Mapping[str, str],
    matched: Sequence[MatchedColumn],
) -> Row | None:
    kept = [
        _panel(panel, fields, columns, matched) for panel in panels
        if set(panel.needs) <= set(fields) and not set(panel.without) & set(fields)
    ]
    return Row(title, tuple(_fitted(kept))) if kept else None


def _panel(
    panel: Panel, fields: Mapping[str, Field], columns: Mapping[str, str], matched: Sequence[MatchedColumn]
) -> Panel:
    query = panel.query and _query(panel.query, fields, matched)
    return replace(
        panel, query=query, title=_filled(panel.title, columns), description=_filled(panel.description, columns))


def _query(query: Query, fields: Mapping[str, Field], matched: Sequence[MatchedColumn]) -> Query:
    wanted = query.fields
    if wanted == ("*",):
        wanted = tuple(match.role for match in matched if match.role.startswith("column"))
    shown = tuple(role for role in wanted if role in fields)
    known = {*fields, *(measure.name for measure in query.measures)}
    return replace(
        query, fields=shown, by=tuple(role for role in query.by if role in fields),
        order=tuple(name for name in query.order if name.removeprefix("-") in known),
        where=_possible(query.where, fields),
        measures=tuple(_measure(measure, fields) for measure in query.measures))


def _measure(measure: Measure, fields: Mapping[str, Field]) -> Measure:
    """Take a measure's second choice where its column is not there, and the conditions that can be asked."""
    where = _possible(measure.where, fields)
    if measure.of is None or measure.of in fields or measure.otherwise is None:
        return replace(measure, where=where)
    return replace(measure, function=measure.otherwise, of=None, otherwise=None, where=where)


def _possible(conditions: Sequence[Condition], fields: Mapping[str, Field]) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition.role in fields)


def _filled(text: str, columns: Mapping[str, str]) -> str:
    """Put column names where a template says `{role}`; nothing in a name is taken for a template again."""
    return re.sub(r"\{(\w+)\}", lambda match: columns.get(match[1], match[1])[:63], text)


def _fitted(panels: Sequence[Panel]) -> list[Panel]:
    """Fill each line of 24 columns by widening what stands on it in proportion."""
    fitted: list[Panel] = []
    line: list[Panel] = []
    for panel in [*panels, None]:
        if line and (panel is None or sum(p.width for p in line) + panel.width > _COLUMNS):
            fitted += _widened(line)
            line = []
        if panel is not None:
            line.append(panel)
    return fitted


def _widened(line: Sequence[Panel]) -> list[Panel]:
    total = sum(panel.width for panel in line)
    ends = [round(sum(p.width for p in line[: place + 1]) * _COLUMNS / total) for place in range(len(line))]
    return [replace(p, width=end - start) for p, start, end in zip(line, [0, *ends], ends, strict=False)]
