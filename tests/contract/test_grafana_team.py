"""A tenant as a team of an organisation that tenants share, over the twin and over the real Grafana.

What is not here: that the gateway separates rows (`test_gateway.py`, `test_grafana_team_data.py`).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.plan import render
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier
from grafana_faults import Faulty
from grafana_world import REAL, SHARED, World, access_of, gateway, make

pytestmark = pytest.mark.contract


class Wired:
    """A world of teams behind a gateway, and a way to make another one on the same Grafana and control database."""

    def __init__(self, real: str, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.access = access_of(real or "http://grafana.test")
        self.inner = httpx2.HTTPTransport() if real else TwinGrafana()
        self.faulty = Faulty(self.inner)
        self.worlds: list[World] = []
        self.world = self.another(Shared(SHARED, gateway=gateway()))

    def another(self, shared: Shared) -> World:
        made = make(
            self.database, self.folder, self.access, transport=self.faulty, shared=shared, tier=Tier.TEAM
        )
        made.eye = Grafana(self.access, transport=self.inner)
        self.worlds.append(made)
        return made

    def close(self) -> None:
        if self.world.organisation():
            self.world.ask(requests.delete_organisation(self.world.organisation()), 404)
        for world in self.worlds:
            if world.eye is not None:
                world.eye.close()
            world.close()
        assert self.faulty.wrong == [], "requests that are not on the list"


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def wired(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Wired]:
    made = Wired(REAL if request.param == "real" else "", database, tmp_path)
    yield made
    made.close()


@pytest.fixture
def world(wired: Wired) -> World:
    return wired.world


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    made = ready(world)
    yield made
    if world.tenants.find(made.tenant) is not None:
        world.delete(made)


def ready(world: World) -> Place:
    place = world.tenant()
    world.shown[place.tenant] = [world.publication(place)]
    world.workspaces.provision(place.tenant)
    assert not world.team.plan(place)
    return place


def team_of(world: World, place: Place) -> dict[str, Any]:
    found = world.ask(requests.teams_named(place.name), organisation=world.organisation())["teams"]
    return dict(found[0]) if found else {}


def folder_of(world: World, place: Place) -> str:
    uid = world.team._looks.desired(place, {}).folder_uid
    return str(world.ask(requests.folder(uid), organisation=world.organisation())["uid"])


def services_of(world: World, place: Place) -> list[dict[str, Any]]:
    name = world.team._looks.desired(place, {}).capture
    listed = world.ask(requests.service_accounts(name), organisation=world.organisation())["serviceAccounts"]
    return [one for one in listed if one["name"] == name]


def state(world: World, place: Place) -> dict[str, Any]:
    """Return all of the tenant's in the shared organisation, by names."""
    org = world.organisation()
    logins = {one["userId"]: one["login"] for one in world.ask(requests.organisation_users(org))}
    services = services_of(world, place)
    logins |= {one["id"]: "previews" for one in services}
    team, folder = team_of(world, place), folder_of(world, place)
    rights = world.ask(requests.folder_rights(folder), organisation=org)
    links = world.team._gateway.links if world.team._gateway else None
    sources = [
        world.ask(requests.source(f"b{one.id.hex}"), organisation=org)
        for one in world.stores.of_tenant(place.tenant)
    ]
    board = world.ask(requests.board(f"b{world.shown[place.tenant][0].dashboard_id.hex}"), organisation=org)
    return {
        "team": sorted(logins[one["userId"]] for one in world.ask(requests.team_members(team["id"]), organisation=org)),
        "rights": sorted(
            (one.get("role") or (team["name"] if one["teamId"] else logins[one["userId"]]), one["permission"])
            for one in rights
        ),
        "roles": sorted(
            (one["login"], one["role"]) for one in world.ask(requests.organisation_users(org))
            if place.name in one["login"] or "@" in one["login"]
        ),
        "services": [one["role"] for one in services],
        "sources": [(one["name"], one["type"], one["url"], one["user"], one["jsonData"], one["secureJsonFields"])
                    for one in sources],
        "board": {key: one for key, one in board["dashboard"].items() if key not in {"id", "version"}},
        "in folder": board["meta"]["folderUid"] == folder,
        "links": sorted(logins[int(one.partition(":")[2])] for one in links.subjects(place.tenant)) if links else [],
    }


def test_a_tenant_gets_a_team_a_folder_for_it_alone_and_data_sources_at_the_gateway(world, place):
    got = state(world, place)
    assert got["team"] == ["admin", f"user_{place.name}"]
    assert got["rights"] == sorted([(place.name, 1), ("previews", 1)])
    assert got["roles"] == [(f"user_{place.name}", "Viewer")]
    assert got["services"] == ["Viewer"]
    # Who takes pictures asks as a service account by its token, and as a user through the image renderer.
    assert got["links"] == ["previews", "previews", f"user_{place.name}"]
    names = [one.database for one in world.stores.of_tenant(place.tenant)]
    assert got["sources"] == [
        (name, "influxdb", "http://127.0.0.1:8051", "",
         {"dbName": name, "httpMode": "POST", "httpHeaderName1": "X-Belvedere-Gateway"}, {"httpHeaderValue1": True})
        for name in names
    ]
    panel = got["board"]["panels"][0]
    assert panel["datasource"]["type"] == "influxdb"
    assert panel["targets"][0]["query"] == "/* table $timeFilter */ SELECT 1"
    assert got["in folder"]
    assert render(world.team.plan(place)) == f"{place.name}: nothing to do."


def test_members_have_in_their_folder_what_their_role_says_and_look_only_outside_it(world, place):
    for name, role in (("olga", Role.OWNER), ("emil", Role.EDITOR), ("vera", Role.VIEWER)):
        world.members.add(SYSTEM, place.tenant, f"{name}-{place.name}@example.org", role=role)
    world.workspaces.provision(place.tenant)
    assert not world.team.plan(place)
    got = state(world, place)
    rights = dict(got["rights"])
    olga, emil, vera = (f"{name}-{place.name}@example.org" for name in ("olga", "emil", "vera"))
    assert rights[olga] == 4 and rights[emil] == 2 and vera not in rights and rights[place.name] == 1
    assert {role for _, role in got["roles"]} == {"Viewer"}
    assert {olga, emil, vera} <= set(got["team"]) and {olga, emil, vera} <= set(got["links"])
    world.members.remove(SYSTEM, place.tenant, emil)
    world.workspaces.provision(place.tenant)
    got = state(world, place)
    assert emil not in {*got["team"], *dict(got["rights"]), *dict(got["roles"])}
    assert not world.team.plan(place)


def open_folder(w: World, p: Place, org: int) -> None:
    items = [{"role": "Viewer", "permission": 1}, {"teamId": team_of(w, p)["id"], "permission": 1}]
    w.ask(requests.set_folder_rights(folder_of(w, p), items), organisation=org)


def bypass(w: World, p: Place, org: int) -> None:
    uid = f"b{w.stores.of_tenant(p.tenant)[0].id.hex}"
    there = w.ask(requests.source(uid), organisation=org)
    w.ask(requests.change_source(uid, {**there, "url": "http://127.0.0.1:1"}), organisation=org)


def rename_team(w: World, p: Place, org: int) -> None:
    team = team_of(w, p)
    w.ask(requests.change_team(team["id"], f"mine {p.name}", team["email"]), organisation=org)


def take_out(w: World, p: Place, org: int) -> None:
    user = w.ask(requests.user_named(f"user_{p.name}"))["id"]
    w.ask(requests.remove_team_member(team_of(w, p)["id"], user), organisation=org)


DRIFTS: dict[str, tuple[Callable[[World, Place, int], object], str]] = {
    "the folder is opened to every Viewer": (open_folder, "role Viewer: look -> (nothing)"),
    "a data source points past the gateway": (bypass, "url: http://127.0.0.1:1"),
    "the team is renamed": (rename_team, "name: mine"),
    "somebody is out of the team": (take_out, "(not in the team) -> (in the team)"),
    "the team is gone": (
        lambda w, p, org: w.ask(requests.delete_team(team_of(w, p)["id"]), organisation=org), "+ Make the team"),
    "the folder is gone with the dashboard": (
        lambda w, p, org: w.ask(requests.delete_folder(folder_of(w, p)), organisation=org), "+ Make the folder"),
    "the default user is made an Editor of all": (
        lambda w, p, org: w.ask(requests.set_organisation_role(
            org, w.ask(requests.user_named(f"user_{p.name}"))["id"], "Editor")), "role: Editor"),
}


def test_drift_is_told_and_repaired(world, place):
    before = state(world, place)
    for name, (act, told) in DRIFTS.items():
        act(world, place, world.organisation())
        assert told in render(world.workspaces.plan(SYSTEM, place.tenant)), name
        world.workspaces.provision(place.tenant)
        assert state(world, place) == before, name
        assert not world.team.plan(place), name


def test_a_dashboard_that_a_person_changed_is_kept_until_somebody_chooses(world, place):
    org, one = world.organisation(), world.shown[place.tenant][0]
    uid = f"b{one.dashboard_id.hex}"
    board = world.ask(requests.board(uid), organisation=org)
    world.ask(requests.put_board({**board["dashboard"], "title": "Mine"}, board["meta"]["folderUid"], "x"),
              organisation=org)
    world.workspaces.provision(place.tenant)
    assert world.ask(requests.board(uid), organisation=org)["dashboard"]["title"] == "Mine"
    world.workspaces.resolve(SYSTEM, place.tenant, one.dashboard_id, ours=True)
    world.workspaces.provision(place.tenant)
    assert world.ask(requests.board(uid), organisation=org)["dashboard"]["title"] == one.document["title"]


def test_deleting_leaves_nothing_of_ours_and_all_of_others(world, place):
    org, other = world.organisation(), ready(world)
    before = state(world, other)
    world.ask(requests.put_board({"uid": "theirs", "id": None, "title": "Theirs"}, "", "x"), organisation=org)
    world.ask(requests.create_source({"uid": "their-source", "name": "theirs", "type": "testdata", "access": "proxy"}),
              organisation=org)
    world.ask(requests.create_team("Their team", ""), organisation=org)
    folder, login = folder_of(world, place), f"user_{place.name}"
    gone = [f"b{one.id.hex}" for one in world.stores.of_tenant(place.tenant)]
    assert world.team.plan(place, wanted=False).kept == ()
    world.delete(place)
    assert team_of(world, place) == {}
    assert "not found" in str(world.ask(requests.folder(folder), 404, organisation=org)).lower()
    assert "not found" in str(world.ask(requests.user_named(login), 404)).lower()
    left = {one["uid"] for one in world.ask(requests.sources(), organisation=org)}
    assert "their-source" in left and not left & set(gone)
    assert services_of(world, place) == []
    assert world.team._gateway.links.subjects(place.tenant) == frozenset()
    assert world.ask(requests.board("theirs"), organisation=org)["dashboard"]["title"] == "Theirs"
    assert state(world, other) == before
    world.delete(other)


def test_a_folder_that_holds_something_of_others_stays_and_is_named(world, place):
    org, folder = world.organisation(), folder_of(world, place)
    world.ask(requests.put_board({"uid": "theirs", "id": None, "title": "Theirs"}, folder, "x"), organisation=org)
    assert world.team.plan(place, wanted=False).kept == ("dashboard Theirs",)
    world.delete(place)
    assert world.ask(requests.board("theirs"), organisation=org)["meta"]["folderUid"] == folder
    world.ask(requests.delete_folder(folder), organisation=org)


def test_somebody_elses_team_of_the_tenants_name_gets_nothing(world, place):
    org, other = world.organisation(), world.tenant()
    world.ask(requests.create_team(other.name, "them@example.org"), organisation=org)
    with pytest.raises(Stuck, match="another team named"):
        world.workspaces.provision(other.tenant)
    assert "not found" in str(
        world.ask(requests.folder(world.team._looks.desired(other, {}).folder_uid), 404, organisation=org)).lower()
    world.delete(other)
    assert team_of(world, other)["email"] == "them@example.org"


def test_without_the_gateway_the_plan_warns_and_with_it_everything_is_carried_over(wired, world, place):
    bare = wired.another(Shared(SHARED))
    bare.shown = world.shown
    plan = bare.team.plan(place)
    assert "Data are NOT separated" in render(plan) and "type: influxdb -> " in render(plan)
    bare.workspaces.provision(place.tenant)
    assert "Data are NOT separated" in render(bare.team.plan(place))
    assert "NOT separated" in bare.workspaces.warning(place.tenant)
    assert world.workspaces.warning(place.tenant) == ""
    plain = state(bare, place)
    assert {one[1] for one in plain["sources"]} == {bare.grafana.grafana.postgres_plugin(world.organisation())}
    assert plain["sources"][0][5] == {"password": True}
    world.workspaces.provision(place.tenant)
    again = state(world, place)
    assert {one[1] for one in again["sources"]} == {"influxdb"}
    assert again["sources"][0][5]["httpHeaderValue1"] is True
    assert again["board"]["panels"][0]["datasource"]["type"] == "influxdb"
    assert not world.team.plan(place)


def test_another_secret_of_the_gateway_reaches_the_data_sources(wired, world, place):
    anew = wired.another(Shared(SHARED, gateway=gateway(secret="another secret")))
    anew.shown = world.shown
    plan = render(anew.team.plan(place))
    assert "httpHeaderValue1: (another or unknown) -> (secret)" in plan and "another secret" not in plan


def test_an_organisation_of_somebody_else_is_shared_only_by_its_number(wired, world):
    place = world.tenant()
    theirs = world.ask(requests.create_organisation(f"{SHARED} theirs"))["orgId"]
    by_name = wired.another(Shared(f"{SHARED} theirs"))
    with pytest.raises(Stuck, match="another organisation named"):
        by_name.workspaces.provision(place.tenant)
    missing = wired.another(Shared("", number=987654))
    with pytest.raises(Stuck, match="no organisation 987654"):
        missing.workspaces.provision(place.tenant)
    given = wired.another(Shared("", number=theirs, gateway=gateway()))
    given.workspaces.provision(place.tenant)
    assert not given.team.plan(place)
    assert given.ask(requests.organisation(theirs))["address"]["address1"] == ""
    given.delete(place)
    assert given.ask(requests.sources(), organisation=theirs) == []
    given.ask(requests.delete_organisation(theirs))


def test_a_lost_answer_at_any_one_request_ends_in_the_same_place_without_doubles(wired, world):
    if REAL and isinstance(wired.inner, httpx2.HTTPTransport):
        pytest.skip("the twin loses answers faster")
    number = 1
    while True:
        start = wired.faulty.count
        wired.faulty.fault = lambda n, _r, at=start + number: "lost" if n == at else None
        place = world.tenant()
        world.shown[place.tenant] = [world.publication(place)]
        steady(lambda place=place: world.workspaces.provision(place.tenant))
        reached = wired.faulty.count >= start + number
        wired.faulty.fault = lambda _n, _r: None
        assert not world.team.plan(place), f"request {number}"
        got = state(world, place)
        assert got["rights"] == sorted([(place.name, 1), ("previews", 1)]), f"request {number}"
        start = wired.faulty.count
        wired.faulty.fault = lambda n, _r, at=start + number: "lost" if n == at else None
        world.tenants.delete(SYSTEM, place.tenant, confirm=place.name)
        steady(lambda place=place: world.workspaces.remove_tenant(place.tenant))
        reached = reached or wired.faulty.count >= start + number
        wired.faulty.fault = lambda _n, _r: None
        here = wired.inner.organisations[world.organisation()]
        assert (here.teams, here.folders, here.boards, here.sources, here.services) == ({}, {}, {}, {}, {}), number
        if not reached:
            break
        number += 7
    assert number > 12


def steady(act: Callable[[], object]) -> None:
    for _ in range(6):
        try:
            act()
        except Later:
            continue
        else:
            return
    pytest.fail("never came to rest")


def test_the_gateways_secret_stands_in_no_plan_and_no_error(world):
    place = world.tenant()
    plan = world.team.plan(place)
    assert "what only Grafana knows" not in f"{plan!r}{render(plan)}"
    assert isinstance(world.team._gateway.secret, Secret)
