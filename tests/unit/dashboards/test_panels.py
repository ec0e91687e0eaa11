"""Panels of timing paths, DRC and unknown tables over rows in real tables, against SQL by hand."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor
from belvedere.sample.generator import runs, timing_paths, violations
from belvedere.workspaces.viewer.service import Viewer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATHS = (
    "(run_at timestamptz, startpoint text, endpoint text, path_group text, clock text, corner text, slack_ns float8, "
    "arrival_ns float8, required_ns float8, levels int)"
)


@pytest.fixture
def paths(tenant_store):
    tenant_store.write(f"CREATE TABLE paths {PATHS}")
    tenant_store.copy("paths", list(timing_paths("t", runs(NOW, 3, 2), 400, worst_ns=-1.0)))
    return tenant_store


def made(dashboards: Dashboards, store, actor: Actor, table: str) -> UUID:
    dashboards.reconcile(store.facts.id)
    return next(d.id for d in dashboards.list(actor).items if d.table == table)


LAST = "(SELECT max(run_at) FROM paths)"
WORST = f"SELECT endpoint, min(slack_ns) AS s FROM paths WHERE run_at = {LAST} GROUP BY 1"


def test_timing_tiles_equal_sql(dashboards: Dashboards, paths, viewer: Viewer, actor: Actor) -> None:
    shown = made(dashboards, paths, actor, "paths")
    figures = {p: viewer.panel(actor, shown, p).rows[0][0] for p in ("wns", "tns", "failing-endpoints", "endpoints")}
    assert figures["wns"] == pytest.approx(paths.one(f"SELECT min(slack_ns) FROM paths WHERE run_at = {LAST}"))
    assert figures["tns"] == pytest.approx(paths.one(f"SELECT sum(s) FROM ({WORST}) w WHERE s < 0"))
    assert figures["failing-endpoints"] == paths.one(f"SELECT count(*) FROM ({WORST}) w WHERE s < 0")
    assert figures["endpoints"] == paths.one(f"SELECT count(*) FROM ({WORST}) w")
    layout = viewer.layout(actor, shown)
    assert [p.unit for p in layout.rows[0].panels] == ["ns", "ns", "", "", ""]
    assert sum(p.width for p in layout.rows[0].panels) == 24


def test_a_table_where_everything_is_met_has_zero_and_not_nothing(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write(
        "CREATE TABLE met (endpoint text, slack float8)", "INSERT INTO met VALUES ('a', 0.1), ('b', 0.2)"
    )
    shown = made(dashboards, tenant_store, actor, "met")
    assert viewer.panel(actor, shown, "tns").rows[0][:2] == [0, None]
    assert viewer.panel(actor, shown, "failing-endpoints").rows[0][0] == 0
    assert viewer.layout(actor, shown).subtitle.endswith("without a known unit of time")


def test_the_histogram_holds_every_path_once(dashboards: Dashboards, paths, viewer: Viewer, actor: Actor) -> None:
    shown = made(dashboards, paths, actor, "paths")
    data = viewer.panel(actor, shown, "slack-histogram")
    assert data.options["zero"] == 0
    assert 15 <= len(data.rows) <= 75
    assert sum(row[2] for row in data.rows) == paths.one(f"SELECT count(*) FROM paths WHERE run_at = {LAST}")
    for start, end, amount in data.rows:
        low, high = f"{start - 1e-9}", f"{end - 1e-9}"
        assert amount == paths.one(
            f"SELECT count(*) FROM paths WHERE run_at = {LAST} AND slack_ns >= {low} AND slack_ns < {high}"
        )


def test_unconstrained_paths_do_not_flatten_the_histogram(
    dashboards: Dashboards, paths, viewer: Viewer, actor: Actor
) -> None:
    shown = made(dashboards, paths, actor, "paths")
    paths.write(
        f"UPDATE paths SET slack_ns = 1e30 WHERE ctid IN (SELECT ctid FROM paths WHERE run_at = {LAST} LIMIT 2)",
        "UPDATE paths SET slack_ns = 'NaN' WHERE ctid IN (SELECT ctid FROM paths WHERE slack_ns < 0 LIMIT 1)",
    )
    data = viewer.panel(actor, shown, "slack-histogram")
    assert len(data.rows) <= 75
    assert data.rows[-1][1] < 10
    assert "rows lie further right" in data.note


def test_worst_paths_are_the_worst(dashboards: Dashboards, paths, viewer: Viewer, actor: Actor) -> None:
    shown = made(dashboards, paths, actor, "paths")
    data = viewer.panel(actor, shown, "worst-paths")
    by_hand = paths.all(f"SELECT slack_ns FROM paths WHERE run_at = {LAST} ORDER BY 1 LIMIT 100")
    assert [row[0] for row in data.rows] == [row[0] for row in by_hand]
    assert data.truncated
    assert data.note == "The first 100 are shown."


def test_a_variable_narrows_every_panel_and_its_value_is_only_a_value(
    dashboards: Dashboards, paths, viewer: Viewer, actor: Actor
) -> None:
    shown = made(dashboards, paths, actor, "paths")
    data = viewer.panel(actor, shown, "endpoints", variables={"clock": "bus_clk"})
    assert data.rows[0][0] == paths.one(
        f"SELECT count(DISTINCT endpoint) FROM paths WHERE run_at = {LAST} AND clock = 'bus_clk'"
    )
    for hostile in ("' OR true --", "'; DROP TABLE paths; --", "%s", "{}", "\\", "$1", "a\0b"):
        data = viewer.panel(actor, shown, "endpoints", variables={"clock": hostile})
        assert data.state == ("ok" if "\0" in hostile else "empty")
    assert viewer.panel(actor, shown, "endpoints", variables={"clock": "All", "nonsense": "x"}).state == "ok"


def test_drc_panels_equal_sql(dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor) -> None:
    tenant_store.write(
        "CREATE TABLE route_drc (run_at timestamptz, violation_type text, layer text, x1 float8, y1 float8, x2 float8, "
        "y2 float8, cell text, net1 text, net2 text)"
    )
    tenant_store.copy("route_drc", list(violations("d", runs(NOW, 3, 2), 300)))
    shown = made(dashboards, tenant_store, actor, "route_drc")
    last = "(SELECT max(run_at) FROM route_drc)"
    by_rule = viewer.panel(actor, shown, "by-rule")
    assert [tuple(row) for row in by_rule.rows] == tenant_store.all(
        f"SELECT violation_type, count(*) FROM route_drc WHERE run_at = {last} GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    where = viewer.panel(actor, shown, "map")
    assert len(where.rows) == tenant_store.one(f"SELECT count(*) FROM route_drc WHERE run_at = {last}")
    assert [c.type for c in where.columns] == ["number"] * 4 + ["text"]
    assert where.options["equal_aspect"]
    assert viewer.panel(actor, shown, "violations").rows[0][0] == len(where.rows)


def test_counted_violations_are_summed(dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor) -> None:
    tenant_store.write(
        "CREATE TABLE d (rule text, layer text, count int)",
        "INSERT INTO d VALUES ('short', 'm1', 40), ('space', 'm2', 2)",
    )
    shown = made(dashboards, tenant_store, actor, "d")
    assert viewer.panel(actor, shown, "violations").rows[0][0] == 42
    assert viewer.panel(actor, shown, "by-layer").rows == [["m1", 40], ["m2", 2]]


def test_an_unknown_table_is_shown_as_a_guess(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write(
        "CREATE TABLE jobs (at timestamptz, tool text, minutes float8)",
        "INSERT INTO jobs SELECT '2026-01-01'::timestamptz + g * interval '1 minute', "
        "CASE g % 3 WHEN 0 THEN 'a' ELSE 'b' END, g "
        "FROM generate_series(1, 5000) g",
    )
    shown = made(dashboards, tenant_store, actor, "jobs")
    layout = viewer.layout(actor, shown)
    assert layout.guess
    assert viewer.panel(actor, shown, "row-count").rows[0][0] == 5000
    data = viewer.panel(actor, shown, "number1-over-time")
    assert data.note == "5-minute mean"
    assert len(data.rows) <= 1001
    by_hand = tenant_store.one(
        "SELECT avg(minutes) FROM jobs WHERE at >= '2026-01-01 00:05' AND at < '2026-01-01 00:10'"
    )
    assert data.rows[1] == ["2026-01-01T00:05:00Z", pytest.approx(by_hand)]
    assert [row[0] for row in viewer.panel(actor, shown, "profile").rows] == ["at", "tool", "minutes"]


def test_text_imports_are_cast_and_what_does_not_fit_is_counted(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    good = ["1", "-0.5", " 2.25 ", "1e-3", "+.5", "7.", "1E2"]
    bad = ["N/A", "1,5", "1e999", "0x10", "--1", "1 2", "NaN", "Infinity", "9" * 80]
    tenant_store.write("CREATE TABLE t_csv (slack text, endpoint text)")
    tenant_store.copy("t_csv", [(text, f"e{i}") for i, text in enumerate(good * 10 + bad)] + [("", "x"), (None, "y")])
    shown = made(dashboards, tenant_store, actor, "t_csv")
    data = viewer.panel(actor, shown, "wns")
    assert (data.state, data.rows[0][0]) == ("partial", -0.5)
    assert data.message == "9 of 81 rows are left out: slack is no number there."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29", "2024-02-29T00:00:00Z"), ("2023-02-29", None), ("2023-02-30", None), ("2023-13-01", None),
        ("2023-04-31 10:00", None), ("2025-02-06T10:06:34-03:00", "2025-02-06T13:06:34Z"),
        ("2025-02-06 10:06:34.123456+0530", "2025-02-06T04:36:34.123456Z"), ("2025-02-06 24:00", None),
        ("2025-02-06 10:06:34Z", "2025-02-06T10:06:34Z"), ("infinity", None), ("now", None), ("0000-01-01", None),
        ("2100-02-29", None), ("2000-02-29 23:59:59 UTC", "2000-02-29T23:59:59Z"), ("2025-02-06T10:06:34+99:00", None),
    ],
)  # fmt: skip
def test_no_text_breaks_a_cast_to_time(  # noqa: PLR0917  (fixtures)
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor, text: str, expected: str | None
) -> None:
    tenant_store.write("CREATE TABLE r_csv (run_at text, design text, metric text, value text)")
    sane = [("2025-01-01", "d", "finish__timing__setup__ws", "1")] * 30
    tenant_store.copy("r_csv", [*sane, (text, "other", "finish__timing__setup__ws", "2")])
    shown = made(dashboards, tenant_store, actor, "r_csv")
    data = viewer.panel(actor, shown, "slack-by-stage", variables={"design": "other"})
    assert data.state != "error"
    assert (data.rows[0][0] if data.rows else None) == expected


def test_panels_ask_once_for_several_people(dashboards: Dashboards, paths, viewer: Viewer, actor: Actor) -> None:
    shown = made(dashboards, paths, actor, "paths")
    before = paths.reads
    for _ in range(5):
        viewer.panel(actor, shown, "wns")
    assert paths.reads == before + 1


def test_a_relative_range_is_taken_from_now(dashboards: Dashboards, paths, actor: Actor) -> None:
    shown = made(dashboards, paths, actor, "paths")
    viewer = Viewer(load=dashboards.shown, readers=paths, now=lambda: NOW + timedelta(days=1))
    assert viewer.panel(actor, shown, "wns", start="now-36h").rows[0][1] is None
    assert viewer.panel(actor, shown, "wns", start="now-6h").state == "empty"
