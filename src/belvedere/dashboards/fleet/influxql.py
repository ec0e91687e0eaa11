"""The questions of the fleet's panels in InfluxQL, over the summary points of files and runs. Pure.

What is not here: how a panel is drawn (`document.py`). A table of figures is two questions that Grafana joins: the
language cannot count refused files beside all files.
"""

from typing import Final

from belvedere.dashboards.fleet.points import COUNTED, FIELDS, FILES, RUN_FIELDS, RUNS, SUMMED, TAGS, heading
from belvedere.workspaces.model import Measure, Query

_CHOSEN: Final = '$timeFilter AND "bucket" =~ /^(?:${tenant:regex})$/'
_REFUSED: Final = " AND \"status\" = 'error'"


def questions(query: Query) -> list[str]:
    """Write the questions of one panel: one, or two where refused files are counted beside all."""
    if query.kind == "tile":
        return [_tile(query, query.measures[0])]
    if query.kind == "series":
        [measure] = query.measures
        # A bar is as wide as the times are apart: those without any file tell that.
        fill = "null" if measure.function in SUMMED else "none"
        return [_select(_figure(measure), query, f' GROUP BY time($__interval), "{TAGS[query.by[0]]}" fill({fill})')]
    if query.kind == "rows":
        return [_rows(query)]
    if query.by[:1] == ("run",):
        return [_runs(query)]
    return _tables(query)


def options() -> str:
    """Write the question for the tenants that can be chosen."""
    return f'SHOW TAG VALUES FROM "{FILES}" WITH KEY = "bucket"'


def _select(figures: str, query: Query, rest: str = "", *, refused: bool = False) -> str:
    where = _CHOSEN + (_REFUSED if refused or query.where else "")
    return f'SELECT {figures} FROM "{FILES}" WHERE {where}{rest}'  # noqa: S608  (names of our own)


def _figure(measure: Measure) -> str:
    return f'{measure.function}("{FIELDS.get(measure.of or "", COUNTED)}")'


def _tile(query: Query, measure: Measure) -> str:
    if measure.function == "distinct":
        inner = _select(f'count("{COUNTED}") AS n', query, f' GROUP BY "{TAGS[measure.of or ""]}"')
        return f"SELECT count(n) FROM ({inner})"  # noqa: S608  (same)
    return _select(_figure(measure), query, refused=bool(measure.where))


def _tables(query: Query) -> list[str]:
    """Write the figures of each value of a tag. When its last file came the language cannot tell in a column."""
    grouped = f' GROUP BY "{TAGS[query.by[0]]}"'
    plain = [one for one in query.measures if not one.where and one.of != "ended"]
    made = [_select(", ".join(f'{_figure(one)} AS "{one.label}"' for one in plain), query, grouped)]
    return made + [
        _select(f'{_figure(one)} AS "{one.label}"', query, grouped, refused=True) for one in query.measures if one.where
    ]


def _rows(query: Query) -> str:
    shown = ", ".join(f'"{TAGS[role]}" AS "{heading(role)}"' for role in query.fields if role != "ended")
    return _select(f'"{COUNTED}", {shown}', query, f" ORDER BY time DESC LIMIT {query.limit}")


def _runs(query: Query) -> str:
    shown = [f'"bucket" AS "{heading("tenant")}"']
    shown += [f'"{RUN_FIELDS[one.name]}" AS "{one.label}"' for one in query.measures]
    # A run of today's parser does not say whose it was, and is shown among those of all tenants.
    return (
        f'SELECT {", ".join(shown)} FROM "{RUNS}" WHERE $timeFilter ORDER BY time DESC LIMIT {query.limit}'  # noqa: S608  (same)
    )
