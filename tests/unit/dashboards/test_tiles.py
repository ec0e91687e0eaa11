"""Every figure on a dashboard equals SQL written by hand over the same rows: the published run metrics."""

from uuid import UUID

import pytest

from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor
from belvedere.workspaces.viewer.service import Viewer

LAST = "SELECT max(run_at) FROM orfs_runs WHERE platform = 'sky130hd' AND design = 'ibex'"
BEFORE = f"SELECT max(run_at) FROM orfs_runs WHERE platform = 'sky130hd' AND design = 'ibex' AND run_at < ({LAST})"
IBEX = {"platform": "sky130hd", "design": "ibex"}


def value(run: str, metric: str) -> str:
    return (
        f"SELECT max(value) FROM orfs_runs WHERE platform = 'sky130hd' AND design = 'ibex' AND metric = '{metric}' "
        f"AND run_at = ({run})"
    )


@pytest.fixture
def shown(dashboards: Dashboards, orfs, actor: Actor) -> UUID:
    dashboards.reconcile(orfs.facts.id)
    return dashboards.list(actor).items[0].id


@pytest.mark.parametrize(
    ("panel", "metric", "factor"),
    [
        ("wns", "finish__timing__setup__ws", 1),
        ("tns", "finish__timing__setup__tns", 1),
        ("failing-endpoints", "finish__timing__drv__setup_violation_count", 1),
        ("drc-errors", "detailedroute__route__drc_errors", 1),
        ("power", "finish__power__total", 1000),
        ("utilisation", "finish__design__instance__utilization", 100),
    ],
)
def test_a_tile_is_the_last_run_beside_the_one_before(  # noqa: PLR0917  (fixtures)
    shown: UUID, viewer: Viewer, orfs, actor: Actor, panel: str, metric: str, factor: float
) -> None:
    data = viewer.panel(actor, shown, panel, variables=IBEX)
    assert data.state == "ok"
    assert data.rows[0][0] == pytest.approx(orfs.one(value(LAST, metric)) * factor)
    assert data.rows[0][1] == pytest.approx(orfs.one(value(BEFORE, metric)) * factor)
    assert data.options["value"] == "value"
    assert data.options["previous"] == "previous"


def test_slack_by_stage_has_each_stage_of_each_run(shown: UUID, viewer: Viewer, orfs, actor: Actor) -> None:
    data = viewer.panel(actor, shown, "slack-by-stage", variables={**IBEX, "runs": "All"})
    by_hand = orfs.all(
        "SELECT run_at, split_part(metric, '__', 1), max(value) FROM orfs_runs WHERE platform = 'sky130hd' AND "
        "design = 'ibex' AND metric ~ '__timing__setup__wn?s$' AND metric !~ '^floorplan' GROUP BY 1, 2"
    )
    assert [c.label for c in data.columns[1:]] == ["Place opt", "Place", "CTS", "Global route", "Finish"]
    assert sum(v is not None for row in data.rows for v in row[1:]) == len(by_hand)
    finish = {f"{moment:%Y-%m-%dT%H:%M:%SZ}": worst for moment, stage, worst in by_hand if stage == "finish"}
    assert {row[0]: row[5] for row in data.rows if row[5] is not None} == pytest.approx(finish)


def test_the_number_of_runs_is_chosen(shown: UUID, viewer: Viewer, orfs, actor: Actor) -> None:
    data = viewer.panel(actor, shown, "tns-over-runs", variables={**IBEX, "runs": "12"})
    by_hand = orfs.all(
        "SELECT value FROM orfs_runs WHERE platform = 'sky130hd' AND design = 'ibex' AND "
        "metric = 'finish__timing__setup__tns' ORDER BY run_at DESC LIMIT 12"
    )
    assert [row[1] for row in data.rows] == pytest.approx([row[0] for row in reversed(by_hand)])
    assert [c.type for c in data.columns] == ["text", "number"]


def test_last_against_before_tells_better_from_worse(shown: UUID, viewer: Viewer, orfs, actor: Actor) -> None:
    data = viewer.panel(actor, shown, "last-against-before", variables=IBEX)
    assert [c.label for c in data.columns[:3]] == ["Metric", "2025-02-06", "2025-02-15"]
    lines = {row[0]: row for row in data.rows}
    assert data.rows[0][0] == "finish__timing__setup__ws"
    assert lines["finish__timing__setup__ws"][3:] == ["ns", pytest.approx(-30.3, abs=0.05), "worse"]
    assert lines["detailedroute__route__wirelength"][5] == "better"
    assert lines["finish__timing__drv__hold_violation_count"][4:] == [0, "same"]
    count = (
        "SELECT count(DISTINCT metric) FROM orfs_runs WHERE platform = 'sky130hd' AND design = 'ibex' "
        f"AND run_at IN (({LAST}), ({BEFORE}))"
    )
    assert len(data.rows) == orfs.one(count)


def test_variables_start_with_the_last_run_and_depend_on_each_other(
    shown: UUID, viewer: Viewer, orfs, actor: Actor
) -> None:
    layout = viewer.layout(actor, shown, variables={"platform": "sky130hd"})
    platform, design, runs = layout.variables
    assert (platform.options, platform.value) == (["nangate45", "sky130hd"], "sky130hd")
    assert (design.options, design.value) == (["gcd", "ibex"], "gcd")
    assert (runs.options, runs.value) == (["12", "25", "50", "All"], "25")
    assert [p.unit for p in layout.rows[0].panels] == ["ns", "ns", "", "", "W", "%"]


def test_the_unit_is_not_invented(shown: UUID, viewer: Viewer, orfs, actor: Actor) -> None:
    orfs.write("INSERT INTO orfs_runs SELECT run_at, commit, 'n5-secret', design, metric, value FROM orfs_runs")
    orfs.write(
        "INSERT INTO orfs_runs SELECT run_at, commit, 'asap7', design, metric, value FROM orfs_runs "
        "WHERE platform = 'n5-secret'"
    )
    units = {
        p: viewer.panel(actor, shown, "wns", variables={"platform": p, "design": "ibex"}).unit
        for p in ("sky130hd", "asap7", "n5-secret")
    }
    assert units == {"sky130hd": "ns", "asap7": "ps", "n5-secret": ""}


def test_a_range_without_rows_says_so_and_what_to_do(shown: UUID, viewer: Viewer, actor: Actor) -> None:
    data = viewer.panel(actor, shown, "wns", start="2019-01-01", end="2019-02-01", variables=IBEX)
    assert (data.state, data.rows) == ("empty", [])
    assert data.message == (
        "No rows between 2019-01-01 00:00 UTC and 2019-02-01 00:00 UTC with platform sky130hd, "
        "design ibex. Show all time."
    )


def test_a_range_moves_the_last_run(shown: UUID, viewer: Viewer, orfs, actor: Actor) -> None:
    data = viewer.panel(actor, shown, "wns", end="2025-02-10", variables=IBEX)
    assert data.rows[0][0] == pytest.approx(orfs.one(value(BEFORE, "finish__timing__setup__ws")))
