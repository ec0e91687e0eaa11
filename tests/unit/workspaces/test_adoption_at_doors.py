"""Taking over what other programs made, at the API and on its page, over the twin behind a socket."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.web import adoption as page_of
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.requests import Request
from grafana_doors import Command, World, commands, doors

PAGE = "/settings/adoption"


@pytest.fixture
def world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with doors(cluster, tmp_path_factory.mktemp("adoption"), "control_adoption") as made:
        yield made


@pytest.fixture
def belvedere(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return commands(world, monkeypatch, capfd)


def cost_monitor(world: World, number: int, name: str) -> int:
    """Make an organisation with a folder, a data source, a dashboard and somebody who looks at it."""
    org = int(world.ask(requests.create_organisation(f"Tenant {number} - {name}"), organisation=0)["orgId"])
    viewer = f"{name}-{number}@example.org"
    world.ask(requests.create_user(viewer, viewer, "as-it-was", org), organisation=0)
    body = {
        "uid": f"ts-{name}", "name": "TimescaleDB", "type": "postgres", "access": "proxy", "url": "http://db:1",
        "user": "u", "database": "costs", "basicAuth": False, "isDefault": False, "withCredentials": False,
        "jsonData": {}, "secureJsonData": {"password": "p"},
    }
    world.ask(requests.create_source(body), organisation=org)
    world.ask(requests.create_folder(f"f-{name}", "Costs"), organisation=org)
    board = {"id": None, "uid": f"costs-{name}", "title": "Costs", "panels": [], "version": 0}
    world.ask(requests.put_board(board, f"f-{name}", ""), organisation=org)
    return org


def shot(world: World, org: int) -> Any:
    """Return what the people of an organisation rely on."""
    found = world.ask(requests.search(), organisation=org)
    theirs = [one for one in found if re.fullmatch(r"(f|costs)-.*", one["uid"])]
    return (
        world.ask(requests.organisation(org), organisation=0)["name"],
        sorted((one["uid"], one["title"]) for one in theirs),
        [one["uid"] for one in world.ask(requests.sources(), organisation=org) if one["uid"].startswith("ts-")],
        [one["login"] for one in world.ask(requests.organisation_users(org)) if one["login"].endswith("example.org")],
    )


def part(world: World) -> str:
    """Fetch the findings as the page does when it has loaded."""
    return world.get(PAGE, HX_Request="true", HX_Target="found").text


def test_the_api_lists_what_was_found_plans_it_and_takes_it_over(world: World) -> None:
    org, before = cost_monitor(world, 7041, "acme"), len(world.api("GET", "/tenants").json)
    as_it_was = shot(world, org)
    [found] = world.api("GET", "/adoption").json
    assert (found["outcome"], found["shape"], found["organisation"]) == ("create", "organisation", org)
    assert (found["tenant_name"], found["tenant_id"], found["people"], found["taken"]) == ("acme", 7041, 1, False)
    assert sorted(one["kind"] for one in found["objects"]) == ["board", "folder", "organisation", "source"]
    planned = world.api("POST", "/adoption", {"dry_run": True})
    assert (planned.status_code, planned.json, planned.headers["X-Total-Count"]) == (200, [found], "1")
    assert len(world.api("GET", "/tenants").json) == before

    once = {"Idempotency-Key": "take-acme"}
    [taken] = world.api("POST", "/adoption", {"organisation": org}, **once).json
    assert taken == found | {"taken": True}
    assert world.api("POST", "/adoption", {"organisation": org}, **once).json == [taken]
    [again] = world.api("POST", "/adoption", {}).json
    assert (again["outcome"], again["taken"]) == ("done", False)
    with world.runner():
        world.until(lambda: world.is_settled("acme"), "acme is complete")
    assert shot(world, org) == as_it_was
    assert world.api("GET", "/tenants/7041/workspace").json["organisation"] == org

    assert world.api("GET", "/adoption?shape=team").json == []
    assert world.api("GET", "/adoption?shape=house").status_code == 400
    assert world.api("POST", "/adoption", {"tenant": "x", "organisation": 1}).json["field"] == "tenant"


def test_who_is_no_operator_takes_nothing_over(world: World) -> None:
    cost_monitor(world, 7042, "beta")
    _, looks = world.services.tokens.create(SYSTEM, name="looks", role=Role.VIEWER)
    _, confined = world.services.tokens.create(SYSTEM, name="confined", role=Role.ADMIN, tenant=world.alice)
    client = world.client.application.test_client()
    for token, status in ((looks, 403), (confined, 404)):
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        assert client.get("/api/v1/adoption", headers=headers).status_code == status
        assert client.post("/api/v1/adoption", json={}, headers=headers).status_code == status
    olga = world.join("olga@example.org", Role.OWNER)
    assert olga.client.get(PAGE).status_code == 404
    assert olga.post(f"{PAGE}/take-all").status_code == 404
    assert "adoption" not in olga.client.get("/tenants/alice/inventory").text
    assert [one["outcome"] for one in world.api("GET", "/adoption").json] == ["create"]


def test_the_page_shows_what_becomes_of_each_find_and_takes_it_over_by_a_button(world: World) -> None:
    assert "Nothing to take over." in part(world)
    org = cost_monitor(world, 7043, "gamma")
    as_it_was = shot(world, org)
    page = world.get(PAGE)
    assert (page.status_code, "Looking through Grafana" in page.text, "gamma" in page.text) == (200, True, False)
    assert "gamma" in world.get(f"{PAGE}?look=1").text, "without scripts"
    shown = part(world)
    assert shown.lstrip().startswith('<section id="found"')
    for said in (
        "1 find can be taken over", 'new tenant <b class="any">gamma</b>', "number 7043",
        "1 organisation, 1 data source, 1 folder, 1 dashboard, 1 person",
    ):
        assert said in shown, said
    assert "people and their passwords stay as they are" in page.text
    assert "a mark in the organisation&#39;s address" in page.text
    assert "Take over all" not in shown, "one has its own button"
    form = dict(re.findall(r'<input type="hidden" name="(organisation|name|shape)" value="([^"]*)">', shown))
    assert form == {"organisation": str(org), "name": "gamma", "shape": "organisation"}
    done = world.post(f"{PAGE}/take", **form)
    assert (done.status_code, done.headers["Location"]) == (303, PAGE)
    assert "gamma is taken over" in world.get(PAGE).text
    taken = world.get(PAGE, HX_Request="true", HX_Target="taken").text
    assert "/tenants/gamma/workspace" in taken
    assert "is being completed" in taken
    assert "gamma" not in part(world)
    with world.runner():
        world.until(lambda: world.is_settled("gamma"), "gamma is complete")
    taken = world.get(PAGE, HX_Request="true", HX_Target="taken").text
    assert "ready" in taken and "is being completed" not in taken
    assert "1 organisation" in taken and "1 data source" in taken
    assert shot(world, org) == as_it_was
    world.post(f"{PAGE}/take", **form)
    assert "It was taken over before." in world.get(PAGE).text


def test_what_is_refused_says_why_and_waits_for_the_name_of_a_tenant(world: World) -> None:
    org = cost_monitor(world, world.alice, "delta")
    odd = int(world.ask(requests.create_organisation("Tenant 7044 - a/b"), organisation=0)["orgId"])
    shown = part(world)
    assert "2 refused" in shown and "can be taken over" not in shown
    assert f"Number {world.alice} is taken by tenant alice." in shown
    assert "--organisation" not in shown, "a page tells no options"
    assert shown.count('placeholder="tenant\'s name"') == 2
    refused = world.post(f"{PAGE}/take", organisation=str(org), name="delta", shape="organisation")
    assert (refused.status_code, "is taken by tenant alice" in refused.text) == (400, True)
    assert world.post(f"{PAGE}/take", organisation="x" * 40, name="delta").status_code == 400
    done = world.post(f"{PAGE}/take", organisation=str(org), name="delta", shape="organisation", tenant="delta")
    assert done.status_code == 303
    assert world.services.tenants.get(SYSTEM, "delta").serial != world.alice
    done = world.post(f"{PAGE}/take", organisation=str(odd), name="a/b", shape="organisation", tenant="ab")
    assert done.status_code == 303
    taken = world.services.history.search(SYSTEM, verb="workspace.adopt", limit=9).items
    assert {one.target for one in taken} == {"delta", "ab"}


def test_all_are_taken_over_at_once_and_what_was_left_at_the_next_press(
    world: World, monkeypatch: pytest.MonkeyPatch, belvedere: Command
) -> None:
    for number in range(3):
        cost_monitor(world, 7050 + number, f"many{number}")
    assert "Take over all 3" in part(world)
    monkeypatch.setattr(page_of, "_AT_ONCE_S", -1.0)
    world.post(f"{PAGE}/take-all")
    assert "3 left: press again." in world.get(PAGE).text
    monkeypatch.setattr(page_of, "_AT_ONCE_S", 20.0)
    world.post(f"{PAGE}/take-all")
    assert "3 finds taken over." in world.get(PAGE).text
    assert "All that was found is taken over." in part(world)
    assert belvedere("workspace", "adopt", "--dry-run", "--detailed-exitcode")[0] == 0


def test_who_comes_with_a_number_keeps_it_whoever_is_taken_over_beside(world: World) -> None:
    cost_monitor(world, world.alice + 1, "first")
    twice = [cost_monitor(world, world.alice + 2 + one, "twice") for one in range(2)]
    # The one without a number would get the next one, which is the other's.
    body = {
        "uid": "ds-qor", "name": "carol QOR", "type": "postgres", "access": "proxy", "url": "http://db:1", "user": "u",
        "database": "carol-QOR", "basicAuth": False, "isDefault": False, "withCredentials": False,
        "jsonData": {"database": "carol-QOR"}, "secureJsonData": {"password": "p"},
    }
    world.ask(requests.create_source(body), organisation=1)
    world.post(f"{PAGE}/take", organisation=str(twice[1]), name="twice", shape="organisation", tenant="second")
    taken = {one["found_name"]: one["tenant_id"] for one in world.api("POST", "/adoption", {}).json if one["taken"]}
    assert world.services.tenants.get(SYSTEM, "second").serial == world.alice + 3
    assert taken["first"] == world.alice + 1
    assert taken["carol"] > world.alice + 3


def test_a_grafana_that_is_away_or_not_set_is_a_state_of_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.server.down = True
    try:
        shown = part(world)
        assert "Grafana does not answer" in shown and "Next step:" in shown
        answer = world.post(f"{PAGE}/take-all")
        assert (answer.status_code, "Grafana does not answer" in answer.text) == (503, True)
        assert world.api("GET", "/adoption").status_code == 503
    finally:
        world.server.down = False
    monkeypatch.setattr(world.services.workspaces, "_grafana", None)
    shown = world.get(PAGE).text
    assert "No Grafana is set." in shown and "GRAFANA_BASE_URL" in shown
    assert world.api("GET", "/adoption").status_code == 404
    answer = world.post(f"{PAGE}/take-all")
    assert (answer.status_code, "No Grafana is set." in answer.text) == (404, True)


def test_other_pages_lead_there(world: World) -> None:
    for path in ("/tenants", "/tenants/alice/inventory", "/drift", "/settings", "/settings/connections", "/first-run"):
        assert f'href="{PAGE}"' in world.get(path).text, path
    assert f"New tenants get tier org at {world.environment['GRAFANA_BASE_URL']}." in world.get(
        "/settings/connections").text


def test_a_company_is_shown_with_what_to_set(world: World) -> None:
    team = Request("POST", "/api/teams", {"name": "comp", "email": ""}, within=True)
    world.ask(team, organisation=1)
    world.ask(requests.create_folder("f-comp", "comp"), organisation=1)
    body = {
        "uid": "i-comp", "name": "influxdb_comp", "type": "influxdb", "access": "proxy", "url": "http://db:1",
        "user": "u", "database": "comp", "basicAuth": False, "isDefault": False, "withCredentials": False,
        "jsonData": {}, "secureJsonData": {"password": "p"},
    }
    world.ask(requests.create_source(body), organisation=1)
    shown = part(world)
    assert "company of the file service" in shown
    assert "BELVEDERE_GRAFANA_SHARED=1" in shown
    refused = world.post(f"{PAGE}/take", organisation="1", name="comp", shape="team")
    assert (refused.status_code, "BELVEDERE_GRAFANA_SHARED=1" in refused.text) == (400, True)
