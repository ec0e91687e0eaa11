"""From a query as data to PostgreSQL's words. Pure: it composes, somebody else runs.

Every statement begins with `base`: the tenant's relation with each role's column read safely and named by its
role, cut to the time range and the chosen variables. Everything after it uses role names only, so whatever a
hostile table or column name holds appears in one place and quoted. Values are quoted by the dialect; there are no
placeholders, because a percent sign in a name would be taken for one.

What is not here: running (`viewer/store.py`) and Grafana's macros (`dashboards/to_grafana.py` has its dialect).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, LiteralString

from psycopg import sql

from belvedere.workspaces.dialect import Dialect, write
from belvedere.workspaces.model import Condition, Field, Measure, Model, Query, Rule, Variable
from belvedere.workspaces.reading import as_text, expression, is_cast

_PROFILED_ROWS: Final = 10_000
_MOST_OPTIONS: Final = 500


def compose(model: Model, query: Query, dialect: Dialect) -> sql.Composed:
    """Write the statement that answers `query`. Its columns are described with each kind below."""
    return _KINDS[query.kind](_Parts(model, query, dialect))


def compose_options(model: Model, variable: Variable, dialect: Dialect) -> sql.Composed:
    """Write the statement that lists a variable's values, limited by the variables before it: `option`."""
    role = variable.role or ""
    earlier = model.variables[: model.variables.index(variable)]
    inner = _base(model, dialect, {role}, earlier)
    return write(
        "WITH {} SELECT DISTINCT {role} AS option FROM base WHERE {role} IS NOT NULL ORDER BY 1 LIMIT {limit}",
        inner, role=dialect.name(role), limit=sql.Literal(_MOST_OPTIONS))


def compose_defaults(model: Model, roles: Sequence[str], dialect: Dialect) -> sql.Composed:
    """Write the statement that finds the values of `roles` in the last run: one row, one column a role."""
    names = sql.SQL(", ").join(dialect.name(role) for role in roles)
    wanted = {*roles, *([model.run] if model.run else [])}
    filled = sql.SQL(" AND ").join(write("{} IS NOT NULL", dialect.name(role)) for role in roles)
    order = write("{} DESC NULLS LAST, ", dialect.name(model.run)) if model.run else sql.SQL("")
    return write(
        "WITH {} SELECT {names} FROM base WHERE {filled} ORDER BY {order}{names} LIMIT 1",
        _base(model, dialect, wanted, model.variables), names=names, filled=filled, order=order)


def compose_left_out(model: Model, roles: Iterable[str], dialect: Dialect) -> sql.Composed | None:
    """Write the statement that counts, per role, filled rows whose text cannot be read; None if none can be."""
    cast = [(role, model.fields[role]) for role in sorted(set(roles)) if is_cast(model.fields[role])]
    if not cast:
        return None
    counts = [
        write("count(*) FILTER (WHERE btrim({text}) <> '' AND ({read}) IS NULL) AS {role}",
              text=as_text(field.stored, dialect.name(field.column)),
              read=expression(field, dialect.name(field.column)), role=dialect.name(role))
        for role, field in cast
    ]
    return write(
        "SELECT count(*) AS all_rows, {} FROM {}.{}", sql.SQL(", ").join(counts), dialect.name(model.schema),
        dialect.name(model.table))


def roles_of(model: Model, query: Query) -> set[str]:
    """Tell which roles a query reads."""
    conditions = [*query.where, *(c for measure in query.measures for c in measure.where)]
    found = {*query.by, *query.fields, *(m.of for m in query.measures if m.of), *(c.role for c in conditions)}
    found |= set(query.worst_per or ())
    if query.kind == "series" and (model.run or model.time):
        found.add(model.run or model.time or "")
    if _divides_runs(model, query):
        found.add(model.run or "")
    return found & set(model.fields)


def _divides_runs(model: Model, query: Query) -> bool:
    asked = query.scope != "all" or query.kind in ("tile", "compare") or bool(query.runs)
    return bool(model.run) and asked


def _base(model: Model, dialect: Dialect, roles: set[str], variables: Iterable[Variable]) -> sql.Composed:
    choices = [v for v in variables if v.role in model.fields]
    needed = {*roles, *(v.role for v in choices if v.role)}
    moment = dialect.between(dialect.name(model.time)) if model.time else None
    if model.time and moment is not None:
        needed.add(model.time)
    columns: list[sql.Composable] = [
        write("{} AS {}", expression(model.fields[role], dialect.name(model.fields[role].column)), dialect.name(role))
        for role in sorted(needed)
    ]
    conditions = [c for c in (dialect.chosen(dialect.name(v.role or ""), v) for v in choices) if c is not None]
    conditions += [moment] if moment is not None else []
    return write(
        "base AS (SELECT * FROM (SELECT {columns} FROM {schema}.{table}{early}) AS read{where})",
        columns=sql.SQL(", ").join(columns or [sql.SQL("1 AS one")]),
        schema=dialect.name(model.schema), table=dialect.name(model.table), early=_early(model, dialect),
        where=_where(conditions))


def _early(model: Model, dialect: Dialect) -> sql.Composed:
    """Cut to the time range by the column itself as well, where its index can help."""
    field = model.fields.get(model.time or "")
    if field is None or field.stored != "timestamptz":
        return sql.Composed([])
    moment = dialect.between(dialect.name(field.column))
    return sql.Composed([]) if moment is None else _where([moment])


def _where(conditions: Sequence[sql.Composable]) -> sql.Composed:
    return write(" WHERE {}", sql.SQL(" AND ").join(conditions)) if conditions else sql.Composed([])


class _Parts:
    """The pieces that the kinds of query put together."""

    def __init__(self, model: Model, query: Query, dialect: Dialect) -> None:
        self.model, self.query, self.dialect = model, query, dialect
        self.runs = _divides_runs(model, query)

    def name(self, role: str) -> sql.Composable:
        return self.dialect.name(role)

    def field(self, role: str) -> Field:
        return self.model.fields[role]

    def ctes(self, *more: sql.Composable) -> sql.Composed:
        """Write `WITH base, runs, data` and whatever a kind needs besides."""
        model, query = self.model, self.query
        chosen = () if query.whole else model.variables
        parts: list[sql.Composable] = [_base(model, self.dialect, roles_of(model, query), chosen)]
        conditions: list[sql.Composable] = [self.condition(condition) for condition in query.where]
        source: sql.Composable = sql.SQL("base")
        if self.runs:
            parts.append(self._runs_cte())
            source = write("base JOIN runs USING ({})", self.name(model.run or ""))
            if query.scope == "last":
                conditions.append(sql.SQL("place = 1"))
        parts.append(write("data AS (SELECT * FROM {}{})", source, _where(conditions)))
        if query.worst_per:
            parts.append(self._worst_cte(*query.worst_per))
        return write("WITH {}", sql.SQL(", ").join([*parts, *more]))

    def _runs_cte(self) -> sql.Composed:
        query, run = self.query, self.name(self.model.run or "")
        variable = self.model.variable(query.runs) if query.runs else None
        most = self.dialect.runs(variable) if variable else sql.Literal(2)
        return write(
            "runs AS (SELECT {run}, row_number() OVER (ORDER BY {run} DESC) AS place FROM (SELECT DISTINCT {run} "
            "FROM base WHERE {run} IS NOT NULL) AS each ORDER BY {run} DESC LIMIT {most})", run=run, most=most)

    def _worst_cte(self, value: str, thing: str) -> sql.Composed:
        kept: list[sql.Composable] = [self.name(role) for role in self.query.by]
        if self.runs:
            kept += [self.name(self.model.run or ""), sql.SQL("place")]
        if self.query.kind == "series" and not self.runs:
            kept.append(self.name(self.model.time or ""))
        keys = sql.SQL(", ").join([*kept, self.name(thing)])
        return write(
            "worst AS (SELECT {keys}, min({value}) AS {value} FROM data WHERE {value} IS NOT NULL GROUP BY {keys})",
            keys=keys, value=self.name(value))

    def run_at(self, place: int) -> sql.Composable:
        """Write the moment of the last run (1) or of the one before (2)."""
        if not self.runs:
            return sql.SQL("NULL::timestamptz")
        return write("(SELECT {} FROM runs WHERE place = {})", self.name(self.model.run or ""), sql.Literal(place))

    def source(self) -> sql.SQL:
        return sql.SQL("worst") if self.query.worst_per else sql.SQL("data")

    def condition(self, condition: Condition) -> sql.Composed:
        column = self.name(condition.role)
        if condition.op == "in":
            return write("{} IN ({})", column, sql.SQL(", ").join(map(self.dialect.value, condition.values)))
        if condition.op == "matches":
            return write("{} ~ {}", column, self.dialect.value(condition.values[0]))
        if condition.op == "below":
            return write("{} < {}", column, self.dialect.value(condition.limit))
        return write("{} IS NOT NULL", column)

    def measure(self, measure: Measure, place: int | None = None) -> sql.Composed:
        """Write one figure; a sum or a count of no rows at all is unknown, not zero."""
        own = [self.condition(condition) for condition in measure.where]
        there = [write("place = {}", sql.Literal(place))] if place else []
        function, of = measure.function, measure.of
        if of is not None and of not in self.model.fields:
            function, of = measure.otherwise or "count", None
        value: sql.Composable = self.name(of) if of else sql.SQL("*")
        if measure.share:
            value = write("CASE WHEN abs({0}) <= 1 THEN {0} * 100 ELSE {0} END", value)
        figure = write(_FUNCTIONS[function], value)
        filtered = write("{} FILTER {}", figure, _bracket([*own, *there])) if own or there else figure
        if function not in ("sum", "count", "distinct"):
            return filtered
        seen = write("count({})", value) if function == "sum" else sql.SQL("count(*)")
        seen_there = write("{} FILTER {}", seen, _bracket(there)) if there else seen
        return write("CASE WHEN {} > 0 THEN coalesce({}, 0) END", seen_there, filtered)

    def shown(self, role: str) -> sql.Composable:
        """Write a role as people see it: with the names that its values have."""
        labels = self.field(role).labels if role in self.model.fields else ()
        if not labels:
            return self.name(role)
        cases = [write("WHEN {} THEN {}", self.dialect.value(v), self.dialect.value(label)) for v, label in labels]
        return write("CASE {0} {1} ELSE {0} END", self.name(role), sql.SQL(" ").join(cases))

    def rank(self, role: str) -> sql.Composable:
        """Write the place of a role's value in the order of its names; unnamed values come last."""
        labels = self.field(role).labels if role in self.model.fields else ()
        cases = [write("WHEN {} THEN {}", self.dialect.value(v), sql.Literal(i)) for i, (v, _) in enumerate(labels)]
        if not cases:
            return sql.SQL("min(0)")
        return write("min(CASE {} {} ELSE 1000 END)", self.name(role), sql.SQL(" ").join(cases))

    def ordered(self, fallback: sql.Composable) -> sql.Composable:
        """Write what the answer is sorted by."""
        parts: list[sql.Composable] = [
            write("{} DESC NULLS LAST", self.name(name[1:])) if name.startswith("-") else
            write("{} NULLS LAST", self.name(name))
            for name in self.query.order
        ]
        return sql.SQL(", ").join([*parts, fallback]) if parts else fallback


_FUNCTIONS: Final[dict[str, LiteralString]] = {
    "count": "count({})", "sum": "sum({})", "min": "min({})", "max": "max({})", "mean": "avg({})",
    "distinct": "count(DISTINCT {})",
}


def _bracket(conditions: Sequence[sql.Composable]) -> sql.Composed:
    return write("(WHERE {})", sql.SQL(" AND ").join(conditions))


def _tile(parts: _Parts) -> sql.Composed:
    """Columns: value, previous, seen, run_last, run_previous."""
    measure = parts.query.measures[0]
    if not parts.runs:
        return write(
            "{} SELECT {} AS value, NULL::float8 AS previous, count(*) AS seen, NULL::timestamptz AS run_last, "
            "NULL::timestamptz AS run_previous FROM {}", parts.ctes(), parts.measure(measure), parts.source())
    return write(
        "{ctes} SELECT {last} AS value, {before} AS previous, count(*) FILTER (WHERE place = 1) AS seen, "
        "{run_last} AS run_last, {run_before} AS run_previous FROM {source}", ctes=parts.ctes(),
        last=parts.measure(measure, 1), before=parts.measure(measure, 2), run_last=parts.run_at(1),
        run_before=parts.run_at(2), source=parts.source())


def _aggregate(parts: _Parts) -> sql.Composed:
    """Columns: each of `by`, then each measure by its name."""
    query = parts.query
    figures = [write("{} AS {}", parts.measure(m), parts.name(m.name)) for m in query.measures]
    columns = [write("{} AS {}", parts.shown(role), parts.name(role)) for role in query.by]
    if not query.by:
        return write("{} SELECT {} FROM {}", parts.ctes(), sql.SQL(", ").join(figures), parts.source())
    keys = sql.SQL(", ").join(write("{}.{}", parts.source(), parts.name(role)) for role in query.by)
    return write(
        "{ctes} SELECT {columns}, {figures} FROM {source} GROUP BY {keys} ORDER BY {order} LIMIT {limit}",
        ctes=parts.ctes(), columns=sql.SQL(", ").join(columns), figures=sql.SQL(", ").join(figures),
        source=parts.source(), keys=keys,
        order=parts.ordered(write("{}, {}", parts.rank(query.by[0]), keys)), limit=sql.Literal(query.limit + 1))


def _rows(parts: _Parts) -> sql.Composed:
    """Columns: each of `fields`."""
    columns = [write("{} AS {}", parts.shown(role), parts.name(role)) for role in parts.query.fields]
    order = write(" ORDER BY {}", parts.ordered(sql.SQL("1"))) if parts.query.order else sql.Composed([])
    return write(
        "{} SELECT {} FROM data{} LIMIT {}", parts.ctes(), sql.SQL(", ").join(columns), order,
        sql.Literal(parts.query.limit + 1))


def _histogram(parts: _Parts) -> sql.Composed:
    """Columns: bin_start, bin_end, amount, beyond (how many stand above the last bin).

    Some thirty bins of a round width. Tools mark unconstrained paths by huge slack: values far above the rest
    are counted apart, so that one of them does not flatten the chart. Nothing is cut on the low side.
    """
    value = parts.name(parts.query.measures[0].of or "")
    bounds = write(
        "spread AS (SELECT min({v}) AS low, max({v}) AS top, percentile_disc(0.99) WITHIN GROUP (ORDER BY {v}) AS "
        "usual FROM {source}), bounds AS (SELECT low, CASE WHEN top > usual + 4 * (usual - low) THEN usual ELSE top "
        "END AS high FROM spread), size AS (SELECT low, high, CASE WHEN high > low THEN "
        "power(10::float8, floor(log((high - low) / 30))) ELSE 1 END AS unit FROM bounds), "
        "width AS (SELECT low, high, unit * (SELECT min(m) FROM unnest(ARRAY[1, 2, 5, 10]) AS m "
        "WHERE m * unit >= (high - low) / 30 OR m = 10) AS width FROM size)", v=value, source=parts.source())
    return write(
        "{ctes} SELECT round((k * width)::numeric, 12)::float8 AS bin_start, "
        "round(((k + 1) * width)::numeric, 12)::float8 AS bin_end, count({v}) AS amount, "
        "(SELECT count(*) FROM {source} AS above, width AS limits WHERE above.{v} > limits.high) AS beyond "
        "FROM width CROSS JOIN LATERAL (SELECT place::float8 AS k FROM generate_series(floor(low / width)::numeric, "
        "floor(high / width)::numeric) AS place) AS bins "
        "LEFT JOIN {source} AS found ON floor(found.{v} / width) = k AND found.{v} <= high "
        "GROUP BY k, width ORDER BY k",
        ctes=parts.ctes(bounds), v=value, source=parts.source())


def _series(parts: _Parts) -> sql.Composed:
    """Columns: time, series (text or NULL), each measure, width (seconds of a bucket or NULL)."""
    query, moment = parts.query, parts.name(parts.model.run or parts.model.time or "")
    span = write(
        "span AS (SELECT count(DISTINCT {t}) AS n, extract(epoch FROM min({t})) AS low, "
        "extract(epoch FROM max({t})) AS high FROM {source})", t=moment, source=parts.source())
    start, width = parts.dialect.bucket(moment)
    by = parts.shown(query.by[0]) if query.by else sql.SQL("NULL::text")
    rank = parts.rank(query.by[0]) if query.by else sql.SQL("min(0)")
    figures = [write("{} AS {}", parts.measure(m), parts.name(m.name)) for m in query.measures]
    return write(
        '{ctes} SELECT {start} AS "time", {by} AS series, {figures}, {width} AS width FROM {source} '
        "WHERE {moment} IS NOT NULL GROUP BY 1, 2 ORDER BY 1, {rank}, 2 LIMIT {limit}",
        ctes=parts.ctes(span), start=start, by=by, figures=sql.SQL(", ").join(figures), width=width,
        source=parts.source(), moment=moment, rank=rank,
        limit=sql.Literal(20 * parts.dialect.most_points))


def _compare(parts: _Parts) -> sql.Composed:
    """Columns: key, previous, last, run_previous, run_last; with a lookup also unit, change_percent, verdict."""
    query, key = parts.query, parts.query.by[0]
    figure = query.measures[0]
    last = parts.measure(figure, 1 if parts.runs else None)
    before = parts.measure(figure, 2) if parts.runs else sql.SQL("NULL::float8")
    order = parts.rank(key) if not query.lookup else write(
        "min({})", _ruled(parts, key, lambda index, _rule: sql.Literal(index)))
    pairs = write(
        "pairs AS (SELECT {key} AS raw, min({shown}) AS key, {before} AS previous, {last} AS last, {order} AS rank "
        "FROM {source} GROUP BY {key})", key=parts.name(key), shown=parts.shown(key), before=before, last=last,
        order=order, source=parts.source())
    detail = _verdict(parts) if query.lookup else sql.Composed([])
    return write(
        "{ctes} SELECT key, previous, last, {run_before} AS run_previous, {run_last} AS run_last{detail} FROM pairs "
        "WHERE previous IS NOT NULL OR last IS NOT NULL ORDER BY rank, key LIMIT {limit}",
        ctes=parts.ctes(pairs), run_before=parts.run_at(2), run_last=parts.run_at(1), detail=detail,
        limit=sql.Literal(query.limit + 1))


def _verdict(parts: _Parts) -> sql.Composed:
    directions = {"higher": 1, "lower": -1, None: 0}
    unit = _ruled(parts, "raw", lambda _index, rule: parts.dialect.value(rule.unit))
    better = _ruled(
        parts, "raw", lambda _index, rule: sql.Literal(directions[rule.better]))
    return write(
        ", coalesce({unit}, '') AS unit, CASE WHEN previous <> 0 THEN (last - previous) / abs(previous) * 100 "
        "WHEN last = 0 THEN 0 END AS change_percent, CASE WHEN last IS NULL OR previous IS NULL THEN '' "
        "WHEN last = previous THEN 'same' WHEN coalesce({better}, 0) = 0 THEN '' "
        "WHEN (last - previous) * {better} > 0 THEN 'better' ELSE 'worse' END AS verdict",
        unit=unit, better=better)


def _ruled(parts: _Parts, key: str, result: Callable[[int, Rule], sql.Composable]) -> sql.Composed:
    rules = parts.model.lookups.get(parts.query.lookup, ())
    cases = [
        write("WHEN {} ~ {} THEN {}", parts.name(key), parts.dialect.value(rule.matches), result(index, rule))
        for index, rule in enumerate(rules)
    ]
    return write("CASE {} ELSE NULL END", sql.SQL(" ").join(cases)) if cases else write("NULL")


def _profile(parts: _Parts) -> sql.Composed:
    """Columns: place, column, kind, filled, distinct, lowest, highest; of the first 10,000 rows."""
    lines = [
        write(
            'SELECT {place} AS place, {column} AS "column", {kind} AS kind, count({role}) AS filled, '
            'count(DISTINCT {role}) AS "distinct", left(min({role})::text, 100) AS lowest, '
            "left(max({role})::text, 100) AS highest FROM sample",
            place=sql.Literal(index), column=parts.dialect.value(parts.field(role).column),
            kind=parts.dialect.value(parts.field(role).read), role=parts.name(role))
        for index, role in enumerate(parts.query.fields)
    ]
    sample = write("sample AS (SELECT * FROM data LIMIT {})", sql.Literal(_PROFILED_ROWS))
    return write("{} {} ORDER BY 1", parts.ctes(sample), sql.SQL(" UNION ALL ").join(lines))


_KINDS: Final[dict[str, Callable[[_Parts], sql.Composed]]] = {
    "tile": _tile, "aggregate": _aggregate, "rows": _rows, "histogram": _histogram, "series": _series,
    "compare": _compare, "profile": _profile,
}
