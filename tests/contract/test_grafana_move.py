"""Tenants move between tiers, over the twin and over the real Grafana: nothing is lost, and nothing is left behind."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Later, NotFound, Rejected, Stuck
from belvedere.kernel.plan import Sign, render
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier
from grafana_world import REAL, SHARED, World, access_of, gateway, make

pytestmark = pytest.mark.contract


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    access = access_of(REAL if request.param == "real" else "http://grafana.test")
    inner = httpx2.HTTPTransport() if request.param == "real" else TwinGrafana()
    made = make(
        database, tmp_path, access, transport=inner, shared=Shared(f"{SHARED} moves", gateway=gateway()),
    )
    made.eye = Grafana(access, transport=inner)
    yield made
    if made.organisation():
        made.ask(requests.delete_organisation(made.organisation()), 404)
    made.eye.close()
    made.close()


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    made = world.tenant()
    world.members.add(SYSTEM, made.tenant, f"olga-{made.name}@example.org", role=Role.OWNER)
    world.shown[made.tenant] = [world.publication(made), world.publication(made, "Area")]
    world.workspaces.provision(made.tenant)
    yield made
    if world.tenants.find(made.tenant) is not None:
        world.delete(made)


def go(world: World, place: Place, tier: str) -> None:
    """Move, and do what the queue would."""
    world.moves.begin(SYSTEM, place.tenant, tier)
    finish(world, place)


def finish(world: World, place: Place) -> None:
    world.workspaces.provision(place.tenant)
    world.moves.leave(place.tenant)
    world.workspaces.provision(place.tenant)


def organisation(world: World, place: Place) -> int:
    found = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"), 404)
    return int(found.get("id", 0))


def boards(world: World, place: Place, org: int) -> dict[str, Any]:
    uids = [f"b{one.dashboard_id.hex}" for one in world.shown[place.tenant]]
    found = {uid: world.ask(requests.board(uid), 404, organisation=org) for uid in uids}
    return {uid: one["dashboard"] for uid, one in found.items() if "dashboard" in one}


def homes(world: World, place: Place) -> dict[str, list[tuple[int, str]]]:
    found = {}
    for login in (f"user_{place.name}", f"olga-{place.name}@example.org"):
        user = world.ask(requests.user_named(login), 404)
        listed = world.ask(requests.user_organisations(user["id"])) if "id" in user else []
        found[login] = [(one["orgId"], one["role"]) for one in listed]
    return found


def test_a_tenant_moves_to_a_team_with_dashboards_and_people_and_leaves_nothing_behind(world, place):
    old, numbers = organisation(world, place), world.ask(requests.user_named(f"user_{place.name}"))["id"]
    login, password = world.workspaces.take_password(SYSTEM, place.tenant)
    url = world.workspaces.publish(place.tenant, world.shown[place.tenant][0])
    go(world, place, "team")
    assert world.workspaces.tier(place.tenant) is Tier.TEAM
    assert not world.team.plan(place)
    assert organisation(world, place) == 0
    assert len(boards(world, place, world.organisation())) == 2
    assert set(homes(world, place).values().__iter__().__next__()) == {(world.organisation(), "Viewer")}
    assert homes(world, place)[f"olga-{place.name}@example.org"] == [(world.organisation(), "Viewer")]
    assert world.ask(requests.user_named(login))["id"] == numbers and world.grafana.grafana.is_login(login, password)
    new = world.workspaces.publish(place.tenant, world.shown[place.tenant][0])
    assert new == url.replace(f"orgId={old}", f"orgId={world.organisation()}")
    assert world.moves.under_way(SYSTEM, place.tenant) is None
    moved = {row.name for row in world.queue.list(SYSTEM, limit=200).items}
    assert "dashboards.readdress" in moved
    verbs = [one.verb for one in world.history.search(SYSTEM, limit=100).items]
    assert {"workspace.move", "workspace.leave", "workspace.close"} <= set(verbs)


def test_every_way_and_back_again(world, place):
    for here, there in permutations(["org", "team", "viewer"], 2):
        go(world, place, here)
        go(world, place, there)
        assert world.workspaces.tier(place.tenant) == there
        assert (organisation(world, place) != 0) == (there == "org")
        teams = world.ask(requests.teams_named(place.name), organisation=world.organisation())["teams"] if (
            world.organisation()) else []
        assert bool(teams) == (there == "team")
        assert (homes(world, place)[f"user_{place.name}"] == []) == (there == "viewer")
    go(world, place, "org")
    assert not world.grafana.plan(place)
    found = boards(world, place, organisation(world, place))
    plugin = world.grafana.grafana.postgres_plugin(organisation(world, place))
    assert {one["panels"][0]["datasource"]["type"] for one in found.values()} == {plugin}


def test_a_plan_of_a_move_changes_nothing_and_says_all(world, place):
    org = organisation(world, place)
    world.ask(requests.put_board({"uid": "theirs", "id": None, "title": "Theirs"}, "", "x"), organisation=org)
    plan = world.moves.plan(SYSTEM, place.tenant, "team")
    text = render(plan)
    assert plan.subject == f"{place.name}: org -> team"
    assert "+ Make the team" in text and "+ Make the dashboard" in text and "- Delete the dashboard" in text
    assert "= keep dashboard Theirs, which is not ours" in text and "stays behind" in text
    assert {step.sign for step in plan.steps if step.key.startswith("from:")} == {Sign.REMOVE}
    assert world.workspaces.tier(place.tenant) is Tier.ORG
    assert not world.grafana.plan(place)
    assert not world.moves.plan(SYSTEM, place.tenant, "org")
    go(world, place, "team")
    assert [one["uid"] for one in world.ask(requests.search(), organisation=org)] == ["theirs"]
    world.ask(requests.delete_organisation(org))


def change(world: World, place: Place, which: int, title: str) -> None:
    org = organisation(world, place)
    uid = f"b{world.shown[place.tenant][which].dashboard_id.hex}"
    board = world.ask(requests.board(uid), organisation=org)
    world.ask(
        requests.put_board({**board["dashboard"], "title": title}, board["meta"]["folderUid"], "by hand"),
        organisation=org)


def test_what_people_changed_comes_along_and_stays_theirs(world, place):
    change(world, place, 0, "Changed by hand")
    change(world, place, 1, "Kept for good")
    world.workspaces.provision(place.tenant)
    ids = [one.dashboard_id for one in world.shown[place.tenant]]
    world.workspaces.resolve(SYSTEM, place.tenant, ids[1], ours=False)
    world.workspaces.provision(place.tenant)
    go(world, place, "team")
    assert organisation(world, place) == 0
    found = boards(world, place, world.organisation())
    assert [one["title"] for one in found.values()] == ["Changed by hand", "Kept for good"]
    assert {one["panels"][0]["targets"][0]["query"] for one in found.values()} == {"/* table $timeFilter */ SELECT 1"}
    assert not world.team.plan(place)
    assert [one[0] for one in world.team.by_hand(place)] == [ids[0]]
    go(world, place, "org")
    back = boards(world, place, organisation(world, place))
    assert [one["title"] for one in back.values()] == ["Changed by hand", "Kept for good"]
    assert {one["panels"][0]["targets"][0]["rawSql"] for one in back.values()} == {"SELECT 1"}
    world.workspaces.resolve(SYSTEM, place.tenant, ids[0], ours=True)
    world.workspaces.provision(place.tenant)
    back = boards(world, place, organisation(world, place))
    assert back[f"b{ids[0].hex}"]["title"] == world.shown[place.tenant][0].document["title"]
    assert not world.grafana.plan(place)


def test_the_old_place_stands_until_the_new_one_is_complete_and_a_move_can_be_turned_round(world, place):
    org = organisation(world, place)
    before = boards(world, place, org)
    world.moves.begin(SYSTEM, place.tenant, "team")
    with pytest.raises(Later, match="not complete"):
        world.moves.leave(place.tenant)
    assert boards(world, place, org) == before
    with pytest.raises(Conflict, match="moves from org to team"):
        world.moves.begin(SYSTEM, place.tenant, "viewer")
    assert world.moves.under_way(SYSTEM, place.tenant) == (Tier.ORG, Tier.TEAM)
    world.workspaces.provision(place.tenant)
    go(world, place, "org")
    assert boards(world, place, org) == before
    assert world.ask(requests.teams_named(place.name), organisation=world.organisation())["teams"] == []
    assert homes(world, place)[f"user_{place.name}"] == [(org, "Viewer")]
    assert homes(world, place)[f"olga-{place.name}@example.org"] == [(org, "Admin")]
    assert not world.grafana.plan(place)


def test_a_tenant_that_moves_is_deleted_from_both_places(world, place):
    world.moves.begin(SYSTEM, place.tenant, "team")
    world.workspaces.provision(place.tenant)
    world.delete(place)
    assert organisation(world, place) == 0
    assert world.ask(requests.teams_named(place.name), organisation=world.organisation())["teams"] == []
    assert homes(world, place) == {f"user_{place.name}": [], f"olga-{place.name}@example.org": []}


def test_what_is_in_the_way_of_the_new_place_is_said_before_anything_moves(world, place):
    other = world.tenant()
    world.shown[other.tenant] = []
    go(world, other, "team")
    world.ask(requests.create_team(place.name, "them@example.org"), organisation=world.organisation())
    for act in (world.moves.plan, world.moves.begin):
        with pytest.raises(Stuck, match="another team named"):
            act(SYSTEM, place.tenant, "team")
    assert world.workspaces.tier(place.tenant) is Tier.ORG
    assert world.moves.under_way(SYSTEM, place.tenant) is None
    with pytest.raises(Rejected, match="no tier `cloud` here"):
        world.moves.begin(SYSTEM, place.tenant, "cloud")
    with pytest.raises(NotFound):
        world.moves.begin(SYSTEM, 987654, "team")
    world.delete(other)


def test_a_new_tenant_gets_the_tier_that_was_asked_for(world):
    made, _ = world.tenants.create(SYSTEM, f"chosen{world.tenant().tenant}", also=world.moves.chosen("team"))
    assert world.workspaces.tier(made.serial) is Tier.TEAM
    world.workspaces.provision(made.serial)
    assert not world.team.plan(Place(made.serial, made.name, made.slug))
    world.delete(Place(made.serial, made.name, made.slug))
    with pytest.raises(Rejected, match="no tier"):
        world.moves.chosen("mine")
