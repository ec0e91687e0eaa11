"""The Grafana document: what Grafana's own model asks for, stable, and safe whatever a name holds."""

import json
import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from belvedere.dashboards.bind import bind
from belvedere.dashboards.classify import ColumnProfile, Profile, Shape, classify
from belvedere.dashboards.template import find
from belvedere.dashboards.to_grafana import to_grafana, uid
from belvedere.workspaces.model import Model

ID = UUID("01a1fdf0-1920-7d6f-9c80-3adf1fa9c28c")
T, N, TZ = "text", "double precision", "timestamp with time zone"
PATHS = (("run_at", TZ), ("endpoint", T), ("slack_ns", N), ("path_group", T), ("clock", T), ("levels", "integer"))
METRICS = (("run_at", TZ), ("platform", T), ("design", T), ("metric", T), ("value", N))
BOXES = (("rule", T), ("layer", T), ("x1", N), ("y1", N), ("x2", N), ("y2", N), ("net1", T))
JOBS = (("at", TZ), ("tool", T), ("minutes", N))
SHAPES = {"p": PATHS, "m": METRICS, "d": BOXES, "j": JOBS}


def model(name: str, columns: tuple[tuple[str, str], ...]) -> Model:
    shape = Shape("alice-QOR", "public", name, columns)
    seen = Profile(100, {c: ColumnProfile(100, 5) for c, _ in columns})
    found = classify(shape, seen)
    template = find(found.chosen.template)
    assert template is not None
    return bind(template, shape, found.chosen, guess=found.guess)


def document(name: str, columns: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return to_grafana(model(name, columns), ID, datasource="ds-1")


@pytest.mark.parametrize("name", SHAPES)
def test_the_document_is_what_grafana_asks_for(name: str) -> None:
    made = document(name, SHAPES[name])
    assert made["id"] is None
    assert made["schemaVersion"] == 39
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", made["uid"])
    assert made["uid"] == uid(ID)
    assert set(made) >= {
        "title",
        "tags",
        "timezone",
        "version",
        "refresh",
        "time",
        "templating",
        "annotations",
        "panels",
        "graphTooltip",
    }
    ids = [panel["id"] for panel in made["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "grafana-postgresql-datasource", "uid": "ds-1"}
            assert target["format"] in ("table", "time_series")
            assert target["rawQuery"] is True
        if "targets" in panel:
            assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    assert json.loads(json.dumps(made)) == made


def test_nothing_changes_when_nothing_changed() -> None:
    for name, columns in SHAPES.items():
        assert json.dumps(document(name, columns)) == json.dumps(document(name, columns))


def test_a_column_more_moves_no_other_panels_id() -> None:
    def ids(columns: tuple[tuple[str, str], ...]) -> dict[str, int]:
        return {panel["title"]: panel["id"] for panel in document("p", columns)["panels"]}

    with_corner, without = ids((*PATHS, ("corner", T))), ids(PATHS)
    assert set(without) < set(with_corner)
    assert {title: with_corner[title] for title in without} == without


def test_units_thresholds_and_decimals_are_grafanas() -> None:
    panels = {panel["title"]: panel for panel in document("p", PATHS)["panels"]}
    assert panels["WNS"]["fieldConfig"]["defaults"]["unit"] == "ns"
    assert panels["WNS"]["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": "red", "value": None},
        {"color": "green", "value": 0.0},
    ]
    assert panels["Failing endpoints"]["fieldConfig"]["defaults"]["decimals"] == 0
    ps = {panel["title"]: panel for panel in document("p", (("endpoint", T), ("slack_ps", N)))["panels"]}
    assert ps["WNS"]["fieldConfig"]["defaults"]["unit"] == "suffix: ps"


def test_variables_are_queries_with_all_or_a_choice() -> None:
    platform, design, runs = document("m", METRICS)["templating"]["list"]
    assert (platform["type"], platform["includeAll"], platform["refresh"]) == ("query", False, 2)
    assert "${platform:sqlstring}" in design["query"]
    assert runs["type"] == "custom"
    clock = next(v for v in document("p", PATHS)["templating"]["list"] if v["name"] == "clock")
    assert (clock["includeAll"], clock["allValue"]) == (True, "'__all__'")


MACRO = re.compile(r"\$__(\w+)(?:\(([^)]*)\))?")


def interpolated(statement: str) -> str:
    """Do what Grafana does: macros and variables, wherever they stand."""
    known = {"timeFrom": "'2020-01-01T00:00:00Z'", "timeTo": "'2030-01-01T00:00:00Z'", "interval_ms": "60000"}
    statement = MACRO.sub(lambda m: known[m[1]], statement)
    statement = re.sub(r"\$\{runs\}", "25", statement)
    return re.sub(
        r"\$\{(\w+):sqlstring\}|\[\[(\w+)\]\]|\$\{?(\w+)\}?", lambda m: "'__all__'" if m[1] else "BROKEN", statement
    )


@pytest.mark.parametrize(
    "name", ["plain", "$__timeFilter(x)", "${clock}", "[[clock]]", 'a"b', "per%cent", "{x}", "back\\slash", "it's"]
)
def test_every_statement_runs_in_postgresql_as_grafana_would_send_it(name: str, tenant_store) -> None:
    for letter, columns in SHAPES.items():
        table, marked = f"{name}{letter}", tuple((c, t) for c, t in columns)
        if letter == "j":
            marked = (("at", TZ), (name, T), (f"{name} minutes", N))
        with psycopg.connect(tenant_store.writer_url, autocommit=True) as connection:
            inner = ", ".join(f'"{c.replace(chr(34), chr(34) * 2)}" {t}' for c, t in marked)
            connection.execute(f'CREATE TABLE "{table.replace(chr(34), chr(34) * 2)}" ({inner})')  # type: ignore[arg-type]
        made = document(table, marked)
        statements = [t["rawSql"] for p in made["panels"] for t in p.get("targets", [])]
        statements += [v["query"] for v in made["templating"]["list"] if v["type"] == "query"]
        assert statements
        with psycopg.connect(tenant_store.reader_url) as connection:
            for statement in statements:
                connection.execute(interpolated(statement))  # type: ignore[arg-type]


def test_a_tile_over_runs_is_two_points_so_that_grafana_shows_the_change(tenant_store) -> None:
    tenant_store.write(
        "CREATE TABLE m (run_at timestamptz, platform text, design text, metric text, value float8)",
        "INSERT INTO m VALUES ('2025-01-01Z', 'p', 'd', 'finish__timing__setup__ws', -1), "
        "('2025-01-02Z', 'p', 'd', 'finish__timing__setup__ws', -2)",
    )
    [panel] = [p for p in document("m", METRICS)["panels"] if p["title"] == "WNS, finish"]
    statement = interpolated(panel["targets"][0]["rawSql"]).replace("IN ('__all__')", "IS NOT NULL")
    with psycopg.connect(tenant_store.reader_url, options="-c TimeZone=UTC") as connection:
        cursor = connection.execute(statement)
        assert [c.name for c in cursor.description or ()] == ["time", "WNS"]
        assert [row[1] for row in cursor] == [-1, -2]


def test_no_two_tables_share_a_title() -> None:
    titles = {document(name, PATHS)["title"] for name in ("p", "p_csv", "P")}
    assert len(titles) == 3


def test_columns_have_the_units_that_are_their_own() -> None:
    panels = {panel["title"]: panel.get("fieldConfig", {}) for panel in document("p", PATHS)["panels"]}
    worst = panels["Worst paths"]
    assert worst["defaults"]["unit"] == "none"
    [slack] = [one for one in worst["overrides"] if one["matcher"]["options"] == "slack_ns"]
    assert slack["properties"] == [{"id": "unit", "value": "ns"}]
    assert panels["Paths by slack"]["defaults"]["unit"] == "none"


def test_lists_end_where_the_viewer_ends_them() -> None:
    [worst] = [panel for panel in document("p", PATHS)["panels"] if panel["title"] == "Worst paths"]
    assert re.search(r"LIMIT (\d+)\)? AS answer LIMIT (\d+)$", worst["targets"][0]["rawSql"])
