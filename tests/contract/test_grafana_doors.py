"""Moving tenants at the doors, with a runner at work: command line, API, the cost monitor's tool, links in messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from belvedere.kernel.actor import SYSTEM
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.tiers import Tier
from grafana_doors import Command, World, commands, doors
from grafana_world import REAL, SHARED

pytestmark = pytest.mark.contract

PORTAL = "https://portal.example.org"


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, cluster: Any, tmp_path: Path) -> Iterator[World]:
    url = REAL if request.param == "real" else ""
    with doors(cluster, tmp_path, "control_moves", url, public_url=PORTAL, grafana_shared=SHARED) as made:
        made.services.members.add(SYSTEM, made.alice, "olga@example.org")
        yield made


@pytest.fixture
def belvedere(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return commands(world, monkeypatch, capfd)


def tier(world: World, name: str = "alice") -> str:
    return str(world.api("GET", f"/tenants/{name}").json["tier"])


def titles(world: World, organisation: int) -> set[str]:
    found = world.ask(requests.search(), organisation=organisation)
    return {one["title"] for one in found if one["type"] == "dash-db"}


def test_the_api_plans_a_move_then_does_it_and_refuses_what_cannot_be(world: World) -> None:
    left = world.organisation
    dry = world.api("POST", "/tenants/alice/move", {"tier": "team", "dry_run": True})
    assert dry.status_code == 200
    assert "+ Make the team" in dry.json["text"]
    assert "- Delete the organisation" in dry.json["text"]
    assert dry.json["warnings"] == [world.services.workspaces.at(Tier.TEAM, world.alice).warning]
    assert tier(world) == "org"
    shown = titles(world, left)

    begun = world.api("POST", "/tenants/alice/move", {"tier": "team"})
    assert (begun.status_code, begun.json["summary"]) == (202, dry.json["summary"])
    elsewhere = world.api("POST", "/tenants/alice/move", {"tier": "viewer"})
    assert (elsewhere.status_code, elsewhere.json["field"]) == (409, "tier")
    assert "moves from org to team" in elsewhere.json["detail"]
    with world.runner():
        world.until(world.is_settled, "alice is in the team")
    assert tier(world) == "team"
    assert titles(world, world.organisation) == shown
    assert "not found" in str(world.ask(requests.organisation(left), 404)).lower()
    again = world.api("POST", "/tenants/alice/move", {"tier": "team"})
    assert (again.status_code, again.json["steps"]) == (202, [])

    unknown = world.api("POST", "/tenants/alice/move", {"tier": "cloud"})
    assert (unknown.status_code, unknown.json["field"], unknown.json["type"]) == (400, "tier", "/problems/tier")
    assert world.api("POST", "/tenants/nobody/move", {"tier": "org"}).status_code == 404
    assert world.api("POST", "/tenants/alice/move", {}).status_code == 400
    own = world.api("POST", "/tenants/alice/move", {"tier": "instance"})
    assert (own.status_code, own.json["type"]) == (502, "/problems/grafana-own")
    assert tier(world) == "team"


def test_the_command_plans_waits_and_says_how_it_went(world: World, belvedere: Command) -> None:
    code, out, _ = belvedere("tenant", "move", "alice", "--tier", "viewer", "--dry-run", "--json")
    planned = json.loads(out)
    assert (code, planned["subject"]) == (0, "alice: org -> viewer")
    assert any(step["title"] == "Delete the organisation" for step in planned["steps"])
    assert tier(world) == "org"
    code, _, err = belvedere("tenant", "move", "alice", "--tier", "viewer", "--wait", "5")
    assert (code, "No runner works on the queue" in err, "It is under way" in err) == (0, True, True)
    assert "moves" in world.get("/tenants/alice/workspace").text.lower()
    # Turned round before anything was done: nothing is lost.
    with world.runner():
        world.until(lambda: world.services.queue.overview(SYSTEM).runners, "the runner is there")
        code, out, err = belvedere("tenant", "move", "alice", "--tier", "org", "--wait", "60")
        assert (code, "Done." in err) == (0, True), (out, err)
        code, out, err = belvedere("tenant", "move", "alice", "--tier", "viewer", "--wait", "60")
        assert (code, "Done." in err) == (0, True), (out, err)
    assert tier(world) == "viewer"
    code, out, err = belvedere("tenant", "move", "alice", "--tier", "viewer")
    assert (code, "nothing to do" in out, "Done" in err) == (0, True, False)
    assert belvedere("tenant", "move", "alice", "--tier", "cloud")[0] == 2
    assert belvedere("tenant", "move", "nobody", "--tier", "org")[0] == 2
    assert belvedere("tenant", "move", "alice")[0] == 2
    assert belvedere("tenant", "move", "alice", "--tier", "instance")[0] == 1


def test_a_new_tenant_gets_the_tier_that_the_door_was_asked_for(world: World, belvedere: Command) -> None:
    with world.runner():
        world.until(lambda: world.services.queue.overview(SYSTEM).runners, "the runner is there")
        code, _, err = belvedere("tenant", "create", "bob", "--tier", "team", "--wait", "60")
        assert code == 0, err
        made = world.api("POST", "/tenants", {"name": "carol", "tier": "viewer"}, Prefer="wait=60")
        assert made.status_code == 201
        world.until(lambda: world.is_settled("bob") and world.is_settled("carol"), "both are ready")
    assert [tier(world, one) for one in ("alice", "bob", "carol")] == ["org", "team", "viewer"]
    listed = json.loads(belvedere("tenant", "list", "--json")[1])["items"]
    assert {one["name"]: one["tier"] for one in listed} == {"alice": "org", "bob": "team", "carol": "viewer"}
    code, _, err = belvedere("tenant", "create", "dave", "--tier", "cloud")
    assert (code, "no tier `cloud`" in err) == (2, True)
    refused = world.api("POST", "/tenants", {"name": "dave", "tier": "cloud"})
    assert (refused.status_code, refused.json["field"]) == (400, "tier")
    assert world.api("GET", "/tenants/dave").status_code == 404


def test_the_organisation_tool_deletes_an_organisation_and_loses_nothing_else(
    world: World, belvedere: Command
) -> None:
    number = world.organisation
    rows = len(world.api("GET", "/dashboards").json)
    code, out, _ = belvedere("grafana", "delete-org", "--org-id", str(number), "--json")
    assert (code, json.loads(out)) == (0, {"tenant": world.alice, "organisation": number})
    with world.runner():
        world.until(world.is_settled, "alice looks in the viewer")
    listed = {one["id"] for one in json.loads(belvedere("grafana", "list-orgs", "--json")[1])["items"]}
    assert number not in listed
    assert tier(world) == "viewer"
    assert len(world.api("GET", "/dashboards").json) == rows == 1
    [shown] = world.api("GET", "/dashboards").json
    assert world.get(urlsplit(shown["url"]).path).status_code == 200
    for login in ("user_alice", "olga@example.org"):
        assert "not found" in str(world.ask(requests.user_named(login), 404, organisation=0)).lower()
    assert {one.database for one in world.services.stores.list(SYSTEM, world.alice)} >= {"alice-QOR"}
    code, _, err = belvedere("grafana", "delete-org", "--org-id", str(number))
    assert (code, "not one tenant's alone" in err) == (2, True)


def test_a_link_in_a_message_leads_to_where_the_dashboard_is_by_then(world: World, belvedere: Command) -> None:
    services = world.services
    services.previews.send(SYSTEM, world.dashboard)
    [message] = services.notifications.list(SYSTEM).items
    assert message.url.startswith(f"{PORTAL}/go/")
    link, stranger = urlsplit(message.url).path, world.client.application.test_client()

    def led() -> str:
        answer = stranger.get(link)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
        return str(answer.headers["Location"])

    before, uid = world.organisation, f"b{world.dashboard.hex}"
    assert led() == f"{world.environment['GRAFANA_BASE_URL']}/d/{uid}?orgId={before}"
    assert world.api("GET", "/dashboards").json[0]["url"] == led()
    with world.runner():
        world.until(lambda: services.queue.overview(SYSTEM).runners, "the runner is there")
        assert belvedere("tenant", "move", "alice", "--tier", "team", "--wait", "60")[0] == 0
        assert world.organisation != before
        there = f"{world.environment['GRAFANA_BASE_URL']}/d/{uid}?orgId={world.organisation}"
        world.until(lambda: led() == there, "the link leads there, a job after the move")
        assert belvedere("tenant", "move", "alice", "--tier", "viewer", "--wait", "60")[0] == 0
    assert led() == f"/tenants/alice/dashboards/{world.dashboard}"
    assert stranger.get(led()).headers["Location"].startswith("/sign-in"), "the page asks who looks"
    assert world.get(led()).status_code == 200
    services.previews.send(SYSTEM, world.dashboard)
    assert {one.url for one in services.notifications.list(SYSTEM).items} == {message.url}
    for nothing in ("/go/" + "0" * 32, "/go/x%00y", "/go/" + str(world.dashboard)):
        assert stranger.get(nothing).status_code == 404
    services.tenants.delete(SYSTEM, world.alice, confirm="alice")
    with services.database.transaction() as connection:
        connection.execute("UPDATE dashboard SET state = 'gone'")
    gone = stranger.get(link)
    assert (gone.status_code, "is gone" in gone.text) == (404, True)
