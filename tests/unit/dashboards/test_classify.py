"""Which template fits which columns: a table of cases, and any schema at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belvedere.dashboards.bind import bind
from belvedere.dashboards.classify import (
    ColumnProfile,
    Profile,
    Shape,
    asked_values,
    classify,
    find_sets,
)
from belvedere.dashboards.template import Member, TableSet, catalogue, find

METRIC = r"^[a-z][a-z0-9_]*__[a-z0-9_]"
N, T, TS, TZ, I = "double precision", "text", "timestamp without time zone", "timestamp with time zone", "integer"  # noqa: E741


def shape(name: str, kind: str = "", /, **columns: str) -> Shape:
    return Shape("db", "public", name, tuple(columns.items()), "table", kind)


def texts(
    rows: int, *, numbers: tuple[str, ...] = (), times: tuple[str, ...] = (), metrics: tuple[str, ...] = ()
) -> Profile:
    seen = {name: ColumnProfile(rows, rows, numbers=rows) for name in numbers}
    seen |= {name: ColumnProfile(rows, rows, times=rows) for name in times}
    seen |= {name: ColumnProfile(rows, 20, matches={METRIC: rows}) for name in metrics}
    return Profile(rows, seen)


@pytest.mark.parametrize(
    ("relation", "profile", "template"),
    [
        (shape("paths", slack=N, endpoint=T), Profile(), "timing-paths"),
        (shape("x", SLACK="numeric(10,4)", EndPoint="character varying(80)"), Profile(), "timing-paths"),
        (shape("x", slack_ps=N, **{"end point": T}), Profile(), "timing-paths"),
        (shape("setup_csv", slack=T, endpoint=T), texts(9, numbers=("slack",)), "timing-paths"),
        (shape("setup_csv", slack=T, endpoint=T), texts(0), "generic"),
        (shape("setup_csv", slack=T, endpoint=T, startpoint=T, clock=T, path_group=T), texts(0), "timing-paths"),
        (shape("setup_csv", slack=T, endpoint=T), texts(9), "generic"),
        (shape("setup", slack=N), Profile(), "generic"),
        (shape("setup", endpoint=T, delay=N), Profile(), "generic"),
        (shape("runs", run_at=TZ, design=T, metric=T, value=N), Profile(), "metrics-history"),
        (shape("runs", run_at=TS, block=T, metric_name=T, val="numeric"), Profile(), "metrics-history"),
        (shape("runs_csv", run_at=T, design=T, metric=T, value=T),
         texts(9, times=("run_at",), numbers=("value",)), "metrics-history"),
        (shape("runs_csv", run_at=T, design=T, metric=T, value=T),
         Profile(9, {"run_at": ColumnProfile(9, 9), "value": ColumnProfile(9, 9, numbers=9)}), "generic"),
        (shape("m", ts=TZ, metric=T, value=N), texts(9, metrics=("metric",)), "metrics-history"),
        (shape("weather", ts=TZ, metric=T, value=N), Profile(9, {"metric": ColumnProfile(9, 3)}), "generic"),
        (shape("drc", rule=T, layer=T, count=I), Profile(), "drc"),
        (shape("v", violation_type=T, layer=T, x1=N, y1=N, x2=N, y2=N), Profile(), "drc"),
        (shape("v", "drc", type=T, count=I), Profile(), "drc"),
        (shape("v", rule=T, llx=N, lly=N, urx=N, ury=N), Profile(), "drc"),
        (shape("drc_errors", "drc", rule=T, text=T), Profile(), "generic"),
        (shape("people", name=T, age=I), Profile(), "generic"),
        (shape("empty"), Profile(), "generic"),
    ],
)  # fmt: skip
def test_columns_decide(relation: Shape, profile: Profile, template: str) -> None:
    found = classify(relation, profile)
    assert found.chosen.template == template
    assert found.guess == (template == "generic")


def test_a_name_alone_decides_nothing() -> None:
    assert classify(shape("timing_slack_drc_qor_metric_history", "drc", a=I), Profile()).guess


def test_a_column_that_cannot_be_read_is_named_with_its_reason() -> None:
    found = classify(shape("t", slack="boolean", endpoint=T), Profile())
    claim = next(c for c in found.candidates if c.template == "timing-paths")
    assert "`slack` is boolean and cannot be read as a number" in claim.reasons
    assert claim.missing == ["slack"]


def test_texts_that_are_mostly_numbers_are_read_as_numbers_and_said_so() -> None:
    seen = Profile(100, {"slack": ColumnProfile(100, 90, numbers=85)})
    found = classify(shape("t_csv", slack=T, endpoint=T), seen)
    slack = next(c for c in found.chosen.columns if c.column == "slack")
    assert slack.because == "slack of the path; text, 85 of 100 values looked at are numbers"
    seen = Profile(100, {"slack": ColumnProfile(100, 90, numbers=79)})
    assert classify(shape("t_csv", slack=T, endpoint=T), seen).guess


def test_a_type_of_the_tenants_own_is_read_as_text_only() -> None:
    found = classify(shape("t", slack='public."numeric"', endpoint="public.pin"), Profile())
    assert found.guess


def test_the_better_alias_wins_where_two_columns_fit() -> None:
    found = classify(shape("t", to=T, endpoint=T, slack=N), Profile())
    assert {c.role: c.column for c in found.chosen.columns}["endpoint"] == "endpoint"


def test_an_override_wins_if_its_columns_are_there() -> None:
    relation = shape("runs", run_at=TZ, design=T, metric=T, value=N)
    assert classify(relation, Profile(), override="generic").chosen.template == "generic"
    assert classify(relation, Profile(), override="timing-paths").chosen.template == "metrics-history"


def test_the_runner_up_is_the_best_of_the_others() -> None:
    found = classify(shape("d", "drc", rule=T, layer=T, count=I), Profile())
    assert found.runner_up is not None
    assert found.runner_up.template == "generic"


def test_a_lone_half_of_a_set_says_what_is_missing() -> None:
    pairs = TableSet("block", (Member("cts", r"^(?P<block>.+)_cts\d+$"), Member("route", r"^(?P<block>.+)_route\d+$")))
    whole, half = sorted(find_sets(["ibex_cts1", "ibex_route1_csv", "jpeg_cts2", "other"], pairs), key=lambda s: s.key)
    assert (whole.key, whole.missing) == ("ibex", [])
    assert (half.key, half.missing) == ("jpeg", ["route"])


def test_the_catalogue_asks_for_the_values_of_metric_names_only() -> None:
    assert asked_values(shape("r", metric=T, value=N)) == [("metric", METRIC)]


NAMES = st.one_of(
    st.text(min_size=1, max_size=20),
    st.sampled_from([name for t in catalogue() for rule in t.columns for name in (*rule.names, *rule.weak)]),
)
TYPES = st.one_of(
    st.sampled_from(
        [T, N, I, TZ, TS, "date", "boolean", "jsonb", "numeric(10,2)", "public.mood", "character(3)", "xml[]"]
    ),
    st.text(max_size=20),
)
COUNTS = st.integers(0, 100)
SEEN = st.builds(
    ColumnProfile, COUNTS, COUNTS, COUNTS, COUNTS, st.dictionaries(st.sampled_from([METRIC, "x"]), COUNTS, max_size=2)
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_schema_is_classified_and_bound(data: st.DataObject) -> None:
    columns = data.draw(st.lists(st.tuples(NAMES, TYPES), max_size=25, unique_by=lambda c: c[0]))
    profile = Profile(data.draw(COUNTS), data.draw(st.dictionaries(NAMES, SEEN, max_size=8)))
    kind = data.draw(st.sampled_from(["QOR", "drc", "timing_report", ""]))
    relation = Shape("db", "public", data.draw(NAMES), tuple(columns), "table", kind)
    found = classify(relation, profile)
    assert 0 <= found.chosen.score <= 1
    assert {c.template for c in found.candidates} == {t.template for t in catalogue()}
    for claim in found.candidates:
        template = find(claim.template)
        assert template is not None
        if claim.missing:
            assert not claim.fits
            continue
        model = bind(template, relation, claim, guess=False)
        assert {f.column for f in model.fields.values()} <= {name for name, _ in columns}
        for row in model.rows:
            assert row.panels
            assert all(1 <= panel.width <= 24 for panel in row.panels)
