"""Dashboards of Grafana as templates: what is refused, what is filled, what is left as it came."""

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from belvedere.dashboards.grafana_json import check, export, fill, generalised, read
from belvedere.dashboards.to_grafana import to_grafana
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.workspaces.grafana.document import fitted

from .test_to_grafana import SHAPES, model

ID = UUID("01a1fdf0-1920-7d6f-9c80-3adf1fa9c28c")
PG = {"type": "grafana-postgresql-datasource", "uid": "${DS_PG}"}
INPUT = {"name": "DS_PG", "type": "datasource", "pluginId": "grafana-postgresql-datasource", "pluginName": "PostgreSQL"}


def panel(text: str = "SELECT 1", source: Any = PG, **more: Any) -> dict[str, Any]:
    return {"id": 2, "type": "table", "title": "T", "datasource": source,
            "targets": [{"refId": "A", "datasource": source, "rawSql": text, "format": "table"}], **more}


def board(*panels: Any, **more: Any) -> dict[str, Any]:
    return {"__inputs": [INPUT], "__requires": [], "title": "Mine", "uid": "abc", "id": 7, "version": 9,
            "schemaVersion": 39, "panels": list(panels or (panel(),)), **more}


def deep(levels: int) -> Any:
    made: Any = {}
    for _ in range(levels):
        made = {"a": made}
    return made


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (b"<html>", "no JSON"), (b"\xff", "no JSON"), (b"[" * 100_000, "no JSON"), (b"[]", "no dashboard"),
        (b" " * 1_000_001, "has 1,000,001 bytes"), ({"title": "x"}, "no panels"), ({"panels": [1]}, "no title"),
        (board(title="x" * 201), "no title"), (board(1), "A panel of the dashboard is none"),
        ({"apiVersion": "v2", "spec": {}}, "classic JSON"), ({"title": "x", "elements": {}}, "classic JSON"),
        (board(*[panel()] * 301), "301 panels"), (board(x=deep(70)), "deeper than 60"),
        (board(links=[{"url": " javascript:alert(1)"}]), "runs a script"),
        (board(panel(libraryPanel={"uid": "x"})), "library"), (board(__elements={"x": {}}), "library"),
        (board(panel(source={"type": "prometheus", "uid": "p"})), "asks prometheus"),
        (board(panel(source="${DS_X}"), __inputs=[INPUT | {"name": "DS_X", "pluginId": "mysql"}]), "asks mysql"),
        (board(panel(source=PG | {"uid": "a"}), panel(source=PG | {"uid": "b"})), "several data sources"),
        (board({"id": 1, "type": "text"}), "No panel of the dashboard asks"),
        (board(__inputs=[{"name": "VAR_X", "type": "constant"}]), "`VAR_X` has no value"), (board(__inputs=3), "none"),
    ],
)
def test_what_cannot_be_a_template_is_refused_with_a_sentence(found: Any, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        read(found if isinstance(found, bytes) else json.dumps(found).encode())


def test_all_but_the_placeholders_goes_on_as_it_came() -> None:
    odd = {"é": [1.5, None, True, {"$x": "${y} [[z]] ${VAR_UNKNOWN}"}]}
    given = board(panel(fieldConfig=odd), panel(source="${DS_PG}"), annotations={"list": [{"datasource": "grafana"}]})
    made = fill(read(json.dumps({"dashboard": given, "meta": {}}).encode()), model("p", SHAPES["p"]), ID,
                datasource="theirs")
    source = {"type": "grafana-postgresql-datasource", "uid": "theirs"}
    first, second = (panel(source=source, fieldConfig=odd), panel(source=source))
    kept = {key: value for key, value in given.items() if not key.startswith("__")}
    assert made == {**kept, "panels": [first, second], "id": None, "uid": f"b{ID.hex}", "version": 0,
                    "title": "Mine · alice-QOR.p"}
    assert fitted(made, {"theirs": "u1"}, "grafana-postgresql-datasource")["panels"][1]["datasource"]["uid"] == "u1"


def test_a_dashboard_that_names_its_source_or_lets_people_choose_one_is_understood() -> None:
    given = check(board(panel(source=PG | {"uid": "P1"}), __inputs=[]))
    named = fill(given, model("p", SHAPES["p"]), ID, datasource="x")
    assert named["panels"][0]["targets"][0]["datasource"]["uid"] == "x"
    choice = {"list": [{"name": "ds", "type": "datasource", "query": "postgres"}, {"name": "a", "type": "custom"}]}
    chosen = board(panel(source={"uid": "${ds}"}), templating=choice)
    made = fill(check(chosen), model("p", SHAPES["p"]), ID, datasource="x")
    assert made["panels"][0]["datasource"]["uid"] == "x"
    assert [one["name"] for one in made["templating"]["list"]] == ["a"]


@pytest.mark.parametrize("name", ["plain", 'a"b', "it's", "$__timeFilter(x)", "x; DROP TABLE y", "back\\slash"])
def test_a_hostile_name_of_a_table_stays_a_name(name: str, tenant_store) -> None:
    statement = (
        "SELECT ${VAR_TABLE}.*, '${VAR_TABLE}' AS t FROM ${VAR_SCHEMA}.\"${VAR_TABLE}\" WHERE 1 = 1"
    )
    shown = model(name, SHAPES["j"])
    made = fill(check(board(panel(statement), title="${VAR_TABLE} of ${VAR_DATABASE}")), shown, ID, datasource="x")
    assert made["title"] == f"{name} of alice-QOR"
    written = made["panels"][0]["targets"][0]["rawSql"]
    quoted = name.replace('"', '""')
    with psycopg.connect(tenant_store.writer_url) as connection:
        connection.execute(f'CREATE TABLE "{quoted}" (a int)')  # type: ignore[arg-type]
        connection.execute(f'INSERT INTO "{quoted}" VALUES (1)')  # type: ignore[arg-type]
        assert connection.execute(written).fetchall() == [(1, name)]
    assert "$" not in written.replace("\\0024", "")


@pytest.mark.parametrize("letter", SHAPES)
def test_ours_goes_out_and_comes_back_as_the_same(letter: str) -> None:
    shown = model(letter, SHAPES[letter])
    handed = json.loads(json.dumps(export(shown, ID)))
    assert [one["pluginId"] for one in handed["__inputs"]] == ["grafana-postgresql-datasource"]
    back = fill(check(handed), shown, ID, datasource="x")
    ours = to_grafana(shown, ID, datasource="x")
    assert back == ours | {"title": back["title"]}
    general = generalised(ours, shown)
    other = model("q", SHAPES[letter])
    again = fill(check(general), other, ID, datasource="x")
    assert [one.get("targets") for one in again["panels"]] == [
        one.get("targets") for one in to_grafana(other, ID, datasource="x")["panels"]]
    assert again["title"].endswith("· alice-QOR.q")


@pytest.fixture
def templates(database, history, queue, dashboards, workspaces):
    from belvedere.dashboards.templates import GrafanaTemplates

    return GrafanaTemplates(
        database=database, history=history, queue=queue, dashboards=dashboards, workspaces=workspaces)


def test_a_template_stands_for_one_of_the_catalogue_or_is_chosen_or_goes(
    templates, dashboards, tenant_store, actor
) -> None:
    tenant_store.write("CREATE TABLE jobs (at timestamptz, tool text, minutes float8)",
                       "INSERT INTO jobs VALUES (now(), 'x', 1)")
    dashboards.reconcile(tenant_store.facts.id)
    [shown] = dashboards.list(actor).items

    def drawn() -> str:
        [one] = dashboards.publications(tenant_store.facts.tenant_id)
        return str(one.document["title"])

    ours = drawn()
    made = templates.bring(actor, json.dumps(board()).encode(), stands_for=shown.template)
    assert (made.name, made.stands_for, drawn()) == ("mine", shown.template, "Mine · alice-QOR.jobs")
    assert templates.export(actor, shown.id)["panels"][0]["targets"][0]["datasource"]["uid"] == "${DS_BELVEDERE}"
    templates.bring(actor, json.dumps(board(title="Other")).encode(), name="other")
    templates.choose(actor, shown.id, "other")
    assert (drawn(), [one.chosen for one in templates.list(actor)]) == ("Other · alice-QOR.jobs", [0, 1])
    templates.remove(actor, "other")
    templates.remove(actor, "mine")
    assert drawn() == ours
    for name in ("Big", "generic", "-x"):
        with pytest.raises(Rejected):
            templates.bring(actor, json.dumps(board()).encode(), name=name)
    with pytest.raises(NotFound):
        templates.choose(actor, shown.id, "gone")
    with pytest.raises(NotFound, match="does not stand"):
        templates.take_theirs(actor, shown.id)
