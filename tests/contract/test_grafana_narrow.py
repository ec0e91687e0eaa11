"""One change of ours costs a look at that change alone, over the twin and over the real Grafana.

Whatever is looked at narrowly must leave what a look at everything leaves, there and in our records; and where Grafana
is not as it was left, everything is looked at in the same run. What is not here: crashes (`tests/unit/workspaces/`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx2
import pytest
from tests.contract.test_grafana import Wired, export, folder_of, number
from tests.contract.test_grafana_own import give, go, theirs

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.plan import Sign
from belvedere.kernel.secret import Secret
from belvedere.workspaces.drift.service import Drift
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana import store as grafana_store
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.model import CAPTURE, Kind, Seat
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place, Publication
from belvedere.workspaces.tiers import Tier
from grafana_faults import said
from grafana_world import REAL, SHARED, FakeStores, World, gateway, publication

pytestmark = pytest.mark.contract
MOST = 5
"""Calls that one change of ours may cost to look at."""

Act = Callable[[World, Place], object]


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def wired(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Wired]:
    made = Wired(REAL if request.param == "real" else "", database, tmp_path)
    yield made
    for world in made.worlds:
        for tenant in world.tenants.list(SYSTEM).items:
            world.grafana.grafana.pause = lambda _s: None
            world.delete(Place(tenant.serial, tenant.name, tenant.slug))
        if world.organisation():
            world.ask(requests.delete_organisation(world.organisation()), 404)
    made.close()


@pytest.fixture
def world(wired: Wired) -> World:
    return wired.world


@pytest.fixture
def place(world: World) -> Place:
    return ready(world)


def ready(world: World) -> Place:
    """Make a tenant with three dashboards, two members, and the first two of its three data sources."""
    place = world.tenant(f"t{uuid4().hex[:10]}")
    world.stores.of_tenant(place.tenant).pop()
    world.shown[place.tenant] = [board(world, place, one) for one in range(3)]
    for name, role in (("olga", Role.OWNER), ("vera", Role.VIEWER)):
        world.members.add(SYSTEM, place.tenant, address(place, name), role=role)
    world.workspaces.provision(place.tenant)
    assert not workspace(world, place).plan(place)
    return place


def address(place: Place, name: str) -> str:
    return f"{name}.{place.name}@example.org"


def board(world: World, place: Place, one: int, word: str = "") -> Publication:
    ident = uuid5(UUID(int=place.tenant), f"board {one}")
    return publication(f"Board {one}{word}", ident, world.stores.of_tenant(place.tenant)[0].id)


def workspace(world: World, place: Place) -> GrafanaWorkspace:
    found = world.workspaces.of(place.tenant)
    assert isinstance(found, GrafanaWorkspace)
    return found


def reads(wired: Wired, since: int = 0) -> list[str]:
    """Return what was read, without asking for the version, which a process does once."""
    return [path for method, path, _ in wired.faulty.sent[since:] if method == "GET" and path != "/api/health"]


def looked(wired: Wired, world: World, place: Place) -> list[str]:
    """Look at what is due, and return what was read for it."""
    workspace(world, place).grafana.version()
    since = len(wired.faulty.sent)
    assert workspace(world, place).look_narrowly(place) is not None
    return reads(wired, since)


def follow(wired: Wired, world: World, place: Place) -> list[str]:
    """Do what the queue does when something changed, and return all that was read."""
    since = len(wired.faulty.sent)
    world.workspaces.follow(place.tenant)
    return reads(wired, since)


def is_whole(paths: list[str]) -> bool:
    """Tell whether everything was looked at: only that searches for dashboards."""
    return "/api/search" in paths


# Changes of ours


def add_member(world: World, place: Place) -> None:
    world.members.add(SYSTEM, place.tenant, address(place, "nora"), role=Role.EDITOR)


def new_password(world: World, place: Place) -> None:
    world.stores.passwords[world.stores.of_tenant(place.tenant)[0].id] = Secret("another password of 24 bytes")


def change_source(world: World, place: Place, **fields: Any) -> None:
    first, *others = world.stores.of_tenant(place.tenant)
    world.stores.made[place.tenant] = [replace(first, **fields), *others]


def move_server(world: World, place: Place) -> None:
    world.stores.made[place.tenant] = [
        replace(one, host="127.0.0.2", port=6432) for one in world.stores.of_tenant(place.tenant)
    ]


def add_source(world: World, place: Place) -> None:
    world.stores.of_tenant(place.tenant).append(FakeStores().of_tenant(place.tenant)[-1])


def change_board(world: World, place: Place) -> None:
    world.shown[place.tenant] = [board(world, place, 0, " anew"), *world.shown[place.tenant][1:]]


def lose_record(kind: Kind) -> Act:
    def act(world: World, place: Place) -> None:
        with world.database.transaction() as connection:
            grafana_store.drop(connection, Seat(place.tenant, world.workspaces.tier(place.tenant)), kind, "main")

    return act


def leave_public(world: World, place: Place) -> None:
    """Leave a page public as a capture does that was killed."""
    if world.grafana.grafana.version() < (10,):
        pytest.skip("public pages are used from Grafana 10 on")
    uid, public = f"b{world.shown[place.tenant][0].dashboard_id.hex}", f"belvedere-{uuid4().hex}"
    seat = Seat(place.tenant, world.workspaces.tier(place.tenant))
    world.ask(requests.publish_board(uid, public), organisation=organisation(world, place))
    with world.database.transaction() as connection:
        grafana_store.put(connection, seat, Kind.PUBLIC, f"{uid}/{public}", number=1)


def publish_new(world: World, place: Place) -> None:
    made = board(world, place, 4)
    world.shown[place.tenant] = [*world.shown[place.tenant], made]
    world.workspaces.publish(place.tenant, made)


CHANGES: dict[str, Act] = {
    "nothing": lambda _world, _place: None,
    "a member is added": add_member,
    "a member is removed": lambda w, p: w.members.remove(SYSTEM, p.tenant, address(p, "vera")),
    "a member is suspended": lambda w, p: w.members.suspend(SYSTEM, p.tenant, address(p, "vera"), suspended=True),
    "a member's role is another": lambda w, p: w.members.set_role(SYSTEM, p.tenant, address(p, "vera"), Role.EDITOR),
    "a reader's password is another": new_password,
    "a database has another name": lambda w, p: change_source(w, p, database=f"{p.name}-other"),
    "the databases have another address": move_server,
    "a database is added": add_source,
    "a dashboard is changed": change_board,
    "a dashboard is added": lambda w, p: w.shown[p.tenant].append(board(w, p, 3)),
    "a dashboard was published": publish_new,
    "the folder's record is lost": lose_record(Kind.FOLDER),
    "the account for previews is to be found again": lose_record(Kind.CAPTURE),
    "a page was left public": leave_public,
}


def rename(world: World, place: Place, name: str) -> Place:
    """Give the tenant another name, as a restored backup or an operator with SQL does."""
    with world.database.transaction() as connection:
        connection.execute("UPDATE tenant SET name = %s WHERE serial = %s", [name, place.tenant])
    return replace(place, name=name)


def organisation(world: World, place: Place) -> int:
    return world.organisation() or number(world, place)


def stored(world: World, place: Place) -> list[Any]:
    """Return what is written down about a tenant's place, without what differs from tenant to tenant."""
    with world.database.transaction() as connection:
        made = connection.execute(
            "SELECT kind, key, uid, number IS NULL AS bare, version, cardinality(digests) AS digests, state "
            "FROM grafana_object WHERE tenant_id = %s", [place.tenant],
        ).fetchall()
        joined = connection.execute(
            "SELECT login, role, left_at IS NULL AS stays FROM grafana_member WHERE tenant_id = %s", [place.tenant]
        ).fetchall()
        applied = connection.execute(
            "SELECT aspect FROM grafana_applied WHERE tenant_id = %s", [place.tenant]
        ).fetchall()
        open_ones = connection.execute(
            "SELECT key FROM workspace_difference WHERE tenant_id = %s AND settled_at IS NULL", [place.tenant]
        ).fetchall()
    words = {str(one.id): one.kind.value for one in world.stores.of_tenant(place.tenant)}
    words |= {str(one.dashboard_id): f"board{at}" for at, one in enumerate(world.shown[place.tenant])}
    words |= {key.replace("-", ""): word for key, word in words.items()}
    found = []
    for row in (*made, *joined, *applied, *open_ones):
        text = repr(sorted(row.items()))
        for known, word in words.items():
            text = text.replace(known, word)
        # The folder's uid is derived from the tenant's number.
        text = re.sub(r"'uid', 'b[0-9a-f]{32}'", "'uid', derived", text)
        found.append(text.replace(place.name, "NAME"))
    return sorted(found)


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_is_looked_at_in_few_calls_and_leaves_what_a_look_at_everything_leaves(
    wired: Wired, world: World, place: Place, change: str
) -> None:
    other = ready(world)
    for one in (place, other):
        CHANGES[change](world, one)
    assert len(looked(wired, world, place)) <= MOST
    paths = follow(wired, world, place)
    assert not is_whole(paths)
    assert len(paths) <= MOST or REAL, "what doing it reads is counted too"
    world.workspaces.provision(other.tenant)
    assert export(world, place) == export(world, other)
    assert stored(world, place) == stored(world, other)
    assert not world.grafana.plan(place)
    assert follow(wired, world, place) == [], "nothing is left to look at"


def test_a_changed_name_is_looked_at_in_few_calls(wired: Wired, world: World, place: Place) -> None:
    renamed = rename(world, place, f"n{uuid4().hex[:8]}")
    assert len(looked(wired, world, renamed)) <= MOST
    assert not is_whole(follow(wired, world, renamed))
    assert not world.grafana.plan(renamed)
    org = number(world, renamed)
    assert world.ask(requests.organisation(org))["name"] == f"Tenant {renamed.tenant} - {renamed.name}"
    assert renamed.name in {one["title"] for one in world.ask(requests.search(), organisation=org)}


def test_a_changed_setting_is_looked_at_in_few_calls(wired: Wired, world: World, place: Place) -> None:
    other = wired.another(wired.faulty, stores=world.stores, options=Options(role="Editor"))
    other.shown.update(world.shown)
    assert len(looked(wired, other, place)) <= MOST
    assert not is_whole(follow(wired, other, place))
    assert not other.grafana.plan(place)
    org, login = number(world, place), f"user_{place.name}"
    assert {one["login"]: one["role"] for one in world.ask(requests.organisation_users(org))}[login] == "Editor"


def test_ten_dashboards_that_were_published_cost_the_next_change_nothing(
    wired: Wired, world: World, place: Place
) -> None:
    for one in range(10, 20):
        made = board(world, place, one)
        world.shown[place.tenant].append(made)
        world.workspaces.publish(place.tenant, made)
    add_member(world, place)
    assert len(looked(wired, world, place)) <= MOST
    world.workspaces.retract(place.tenant, world.shown[place.tenant].pop().dashboard_id)
    assert len(follow(wired, world, place)) <= MOST or REAL
    assert not world.grafana.plan(place)


# Teams


@pytest.fixture
def teams(wired: Wired) -> World:
    shared = Shared(f"{SHARED} {uuid4().hex[:6]}", gateway=gateway())
    return wired.another(wired.faulty, shared=shared, tier=Tier.TEAM)


TEAM_CHANGES = {name: act for name, act in CHANGES.items() if name != "a page was left public"}


@pytest.mark.parametrize("change", TEAM_CHANGES)
def test_one_change_of_a_team_is_looked_at_in_few_calls(wired: Wired, teams: World, change: str) -> None:
    place = ready(teams)
    TEAM_CHANGES[change](teams, place)
    assert len(looked(wired, teams, place)) <= MOST
    since = len(wired.faulty.sent)
    follow(wired, teams, place)
    assert f"/api/datasources/uid/b{teams.stores.of_tenant(place.tenant)[1].id.hex}" not in reads(wired, since) or (
        change == "the databases have another address"
    )
    assert not teams.team.plan(place)
    assert follow(wired, teams, place) == []


def test_a_changed_name_of_a_team_is_looked_at_in_few_calls(wired: Wired, teams: World) -> None:
    place = ready(teams)
    renamed = rename(teams, place, f"n{uuid4().hex[:8]}")
    assert len(looked(wired, teams, renamed)) <= MOST
    follow(wired, teams, renamed)
    assert not teams.team.plan(renamed)
    named = teams.ask(requests.teams_named(renamed.name), organisation=teams.organisation())["teams"]
    assert [one["name"] for one in named] == [renamed.name]


def test_what_a_member_of_a_team_may_do_follows_its_role(wired: Wired, teams: World) -> None:
    place = ready(teams)
    teams.members.set_role(SYSTEM, place.tenant, address(place, "vera"), Role.ADMIN)
    follow(wired, teams, place)
    org = teams.organisation()
    vera = teams.ask(requests.user_named(address(place, "vera")))["id"]
    [folder] = [
        one["uid"] for one in teams.ask(requests.search(), organisation=org)
        if one["type"] == "dash-folder" and one["title"] == place.name
    ]
    rights = {one["userId"]: one["permission"] for one in teams.ask(requests.folder_rights(folder), organisation=org)}
    assert rights[vera] == 4


def test_a_link_of_the_gateway_that_went_with_a_membership_comes_back(wired: Wired, teams: World) -> None:
    place = ready(teams)
    links = teams.team._gateway.links
    vera = f"user:{teams.ask(requests.user_named(address(place, 'vera')))['id']}"
    links.unlink(place.tenant, vera)
    assert not is_whole(follow(wired, teams, place))
    assert vera in links.subjects(place.tenant)


def test_a_team_that_a_grafana_set_back_gave_to_another_is_not_filled(wired: Wired, teams: World) -> None:
    place, other = ready(teams), ready(teams)
    with teams.database.transaction() as connection:
        theirs = grafana_store.record(connection, Seat(other.tenant, Tier.TEAM), Kind.TEAM, "main")
        assert theirs is not None
        grafana_store.put(connection, Seat(place.tenant, Tier.TEAM), Kind.TEAM, "main", number=theirs.number)
    add_member(teams, place)
    follow(wired, teams, place)
    org, nora = teams.organisation(), address(place, "nora")
    inside = [one["login"] for one in teams.ask(requests.team_members(theirs.number), organisation=org)]
    assert nora not in inside and not teams.team.plan(place) and not teams.team.plan(other)


# A Grafana of the tenant's own


def test_one_change_in_a_grafana_of_the_tenants_own_is_looked_at_in_few_calls_and_another_key_as_a_whole(
    wired: Wired, world: World, place: Place
) -> None:
    org, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    assert workspace(world, place).tier is Tier.INSTANCE
    world.workspaces.follow(place.tenant)
    assert follow(wired, world, place) == []
    change_board(world, place)
    new_password(world, place)
    assert len(looked(wired, world, place)) <= MOST
    assert not is_whole(follow(wired, world, place))
    assert not workspace(world, place).plan(place)
    account = world.ask(requests.service_accounts("key-"), organisation=org)["serviceAccounts"][0]["id"]
    other = world.ask(requests.create_token(account, "another", 3600), organisation=org)["key"]
    give(world, place, Secret(other))
    paths = follow(wired, world, place)
    assert is_whole(paths), "what the key is allowed is seen before it is used"
    assert "/api/serviceaccounts/search" in paths
    assert follow(wired, world, place) == []


# What is not as it was left


def forget_password(world: World, place: Place, org: int) -> None:
    new_password(world, place)
    world.ask(requests.delete_source(f"b{world.stores.of_tenant(place.tenant)[0].id.hex}"), organisation=org)


def drop_board(world: World, place: Place, org: int) -> None:
    change_board(world, place)
    world.ask(requests.delete_board(f"b{world.shown[place.tenant][0].dashboard_id.hex}"), organisation=org)


def drop_folder(world: World, place: Place, org: int) -> None:
    world.shown[place.tenant].append(board(world, place, 3))
    world.ask(requests.delete_folder(folder_of(world, org)), organisation=org)


def leave_organisation(world: World, place: Place, org: int) -> None:
    add_member(world, place)
    olga = world.ask(requests.user_named(address(place, "olga")))["id"]
    admin = world.ask(requests.user_named("admin"))["id"]
    assert {one["userId"]: one["role"] for one in world.ask(requests.organisation_users(org))}[olga] == "Admin"
    world.ask(requests.remove_organisation_user(org, admin))
    workspace(world, place).grafana._verified.clear()


def change_mark(world: World, place: Place, org: int) -> None:
    add_member(world, place)
    world.ask(requests.mark_organisation(org, "somebody else's"))
    world.ask(requests.rename_organisation(org, f"theirs {place.name}"))


def drop_organisation(world: World, place: Place, org: int) -> None:
    new_password(world, place)
    world.ask(requests.delete_organisation(org))


def drop_service(world: World, place: Place, org: int) -> None:
    lose_record(Kind.CAPTURE)(world, place)
    found = world.ask(requests.service_accounts(), organisation=org)["serviceAccounts"]
    world.ask(requests.delete_service_account(found[0]["id"]), organisation=org)


UNEXPECTED: dict[str, Callable[[World, Place, int], None]] = {
    "a data source is gone": forget_password,
    "a dashboard is gone": drop_board,
    "the folder of a new dashboard is gone": drop_folder,
    "the administrator is no member": leave_organisation,
    "the organisation is somebody else's now": change_mark,
    "the organisation is gone": drop_organisation,
}


@pytest.mark.parametrize("what", UNEXPECTED)
def test_what_is_not_as_it_was_left_has_everything_looked_at_in_the_same_run(
    wired: Wired, world: World, place: Place, what: str
) -> None:
    before = number(world, place)
    UNEXPECTED[what](world, place, before)
    since = len(wired.faulty.sent)
    world.workspaces.follow(place.tenant)
    assert is_whole(reads(wired, since)) or number(world, place) != before
    assert not world.grafana.plan(place)
    if what == "the organisation is somebody else's now":
        assert number(world, place) != before
        world.ask(requests.delete_organisation(before))


def test_a_lost_account_for_previews_is_made_again(wired: Wired, world: World, place: Place) -> None:
    drop_service(world, place, number(world, place))
    follow(wired, world, place)
    assert not world.grafana.plan(place)
    assert export(world, place)["services"] == [[CAPTURE, "Viewer"]]


def test_a_version_that_somebody_moved_meanwhile_is_looked_at_again(wired: Wired, world: World, place: Place) -> None:
    change_board(world, place)
    conflicts = iter([httpx2.Response(412, json={"message": "changed", "status": "version-mismatch"})])
    wired.faulty.fault = lambda _n, r: next(conflicts, None) if r.url.path == "/api/dashboards/db" else None
    paths = follow(wired, world, place)
    wired.faulty.fault = lambda _n, _r: None
    assert is_whole(paths)
    assert not world.grafana.plan(place)


def test_a_taken_name_is_told_after_a_look_at_everything_and_then_converges(
    wired: Wired, world: World, place: Place
) -> None:
    org = number(world, place)
    name = FakeStores().of_tenant(place.tenant)[-1].database
    body = {"uid": "theirs", "name": name, "type": "postgres", "access": "proxy", "url": "x:1",
            "user": "u", "database": "d", "jsonData": {}, "secureJsonData": {}}
    world.ask(requests.create_source(body), organisation=org)
    add_source(world, place)
    since = len(wired.faulty.sent)
    with pytest.raises(Stuck) as caught:
        world.workspaces.follow(place.tenant)
    assert caught.value.problem == "grafana-taken"
    assert is_whole(reads(wired, since))
    world.ask(requests.delete_source("theirs"), organisation=org)
    # Nothing of ours changed since; what failed is due all the same.
    assert is_whole(follow(wired, world, place))
    assert not world.grafana.plan(place)


def test_a_grafana_that_is_away_is_not_asked_twice_and_then_followed(wired: Wired, world: World, place: Place) -> None:
    add_member(world, place)
    wired.faulty.fault = lambda _n, _r: "refused"
    since = wired.faulty.count
    with pytest.raises(Later) as caught:
        world.workspaces.follow(place.tenant)
    assert caught.value.problem == "grafana-away" and wired.faulty.count - since <= 3, "one call, tried three times"
    wired.faulty.fault = lambda _n, _r: None
    assert not is_whole(follow(wired, world, place))
    assert not world.grafana.plan(place)


@pytest.mark.parametrize("change", ["a member is added", "a reader's password is another", "a dashboard is changed"])
def test_a_connection_that_breaks_after_any_request_leaves_it_done_once(
    wired: Wired, world: World, place: Place, change: str
) -> None:
    other = ready(world)
    CHANGES[change](world, other)
    world.workspaces.provision(other.tenant)
    CHANGES[change](world, place)
    for at in range(1, 30):
        start = wired.faulty.count
        wired.faulty.fault = lambda n, _r, at=at, start=start: "lost" if n == start + at else None
        try:
            world.workspaces.follow(place.tenant)
        except Later:
            continue
        if wired.faulty.count < start + at:
            break
    wired.faulty.fault = lambda _n, _r: None
    world.workspaces.follow(place.tenant)
    assert not world.grafana.plan(place)
    assert export(world, place) == export(world, other)


def test_what_was_changed_back_after_a_step_that_failed_is_not_taken_for_applied(
    wired: Wired, world: World, place: Place
) -> None:
    before, old = export(world, place), world.shown[place.tenant]
    change_board(world, place)
    world.stores.made[place.tenant] = [
        replace(one, host="127.0.0.9") for one in world.stores.of_tenant(place.tenant)
    ]
    # The first data source is written; then Grafana goes away.
    gone = iter([None])
    wired.faulty.fault = lambda _n, r: next(gone, "refused") if r.method == "PUT" else None
    with pytest.raises(Later):
        world.workspaces.follow(place.tenant)
    wired.faulty.fault = lambda _n, _r: None
    world.shown[place.tenant] = old
    world.stores.made[place.tenant] = [
        replace(one, host="127.0.0.1") for one in world.stores.of_tenant(place.tenant)
    ]
    world.workspaces.follow(place.tenant)
    assert not world.grafana.plan(place)
    assert export(world, place) == before


# When everything is looked at


def test_who_asks_for_a_repair_and_the_timer_have_everything_looked_at(
    wired: Wired, world: World, place: Place
) -> None:
    uid = f"b{world.stores.of_tenant(place.tenant)[0].id.hex}"
    asks: list[Callable[[], object]] = [
        lambda: world.workspaces.apply(SYSTEM, place.tenant), world.workspaces.check_all,
        lambda: world.workspaces.look_again(place.tenant),
    ]
    world.tenants.retry(SYSTEM, place.tenant)
    assert "workspaces.look-again" in {one.name for one in world.queue.list(SYSTEM, limit=200).items}
    for ask in asks:
        org = number(world, place)
        world.ask(requests.delete_source(uid), organisation=org)
        assert follow(wired, world, place) == [], "nothing of ours changed"
        ask()
        assert is_whole(follow(wired, world, place))
        assert not world.grafana.plan(place)
        assert follow(wired, world, place) == []


def test_a_repair_that_is_asked_for_during_a_narrow_look_is_done_in_the_same_run(
    wired: Wired, world: World, place: Place
) -> None:
    add_member(world, place)
    asked = iter([True])

    def ask(_number: int, request: httpx2.Request) -> None:
        if request.method == "POST" and next(asked, False):
            world.workspaces.apply(SYSTEM, place.tenant)

    wired.faulty.fault = ask
    paths = follow(wired, world, place)
    wired.faulty.fault = lambda _n, _r: None
    assert is_whole(paths)
    assert follow(wired, world, place) == []


def test_a_repair_that_is_asked_for_during_a_look_at_everything_is_not_lost(
    wired: Wired, world: World, place: Place
) -> None:
    asked = iter([True])

    def ask(_number: int, _request: httpx2.Request) -> None:
        if next(asked, False):
            world.workspaces.apply(SYSTEM, place.tenant)

    wired.faulty.fault = ask
    world.workspaces.provision(place.tenant)
    wired.faulty.fault = lambda _n, _r: None
    assert is_whole(follow(wired, world, place))


def test_pages_tell_when_everything_was_looked_at_last(wired: Wired, world: World, place: Place) -> None:
    drift = Drift(database=world.database, tenants=world.tenants, workspaces=world.workspaces)
    before = drift.state(SYSTEM, place.tenant)
    add_member(world, place)
    follow(wired, world, place)
    after = drift.state(SYSTEM, place.tenant)
    assert after.looked_at == before.looked_at and after.ended_at != before.ended_at
    world.workspaces.provision(place.tenant)
    assert drift.state(SYSTEM, place.tenant).looked_at != before.looked_at


def test_no_secret_is_written_down(wired: Wired, world: World, place: Place) -> None:
    """Nothing that is kept of looks changes when only a password does."""

    def kept() -> list[Any]:
        with world.database.transaction() as connection:
            return connection.execute("SELECT aspect, digest FROM grafana_applied ORDER BY aspect").fetchall()

    before = kept()
    new_password(world, place)
    follow(wired, world, place)
    assert kept() == before


def test_a_choice_for_a_dashboard_is_followed_by_a_look_at_it_alone(wired: Wired, world: World, place: Place) -> None:
    org, one = number(world, place), world.shown[place.tenant][0]
    seen = world.ask(requests.board(f"b{one.dashboard_id.hex}"), organisation=org)
    mine = {**seen["dashboard"], "title": "Mine"}
    world.ask(requests.put_board(mine, seen["meta"]["folderUid"], "by hand"), organisation=org)
    world.workspaces.provision(place.tenant)
    assert follow(wired, world, place) == []
    world.workspaces.resolve(SYSTEM, place.tenant, one.dashboard_id, ours=True)
    paths = follow(wired, world, place)
    assert len(paths) <= MOST and not is_whole(paths)
    assert not world.grafana.plan(place)
    title = world.ask(requests.board(f"b{one.dashboard_id.hex}"), organisation=org)["dashboard"]["title"]
    assert title == one.document["title"]


def test_a_plan_for_a_page_changes_nothing_of_what_is_due(wired: Wired, world: World, place: Place) -> None:
    add_member(world, place)
    plan = world.workspaces.plan(SYSTEM, place.tenant)
    assert [step.sign for step in plan.steps] == [Sign.CREATE]
    assert not is_whole(follow(wired, world, place))
    assert not world.grafana.plan(place)


def test_another_grafana_is_looked_at_as_a_whole(wired: Wired, world: World, place: Place) -> None:
    _, records = world.grafana._on_record(place)
    with world.database.transaction() as connection:
        connection.execute("UPDATE grafana_workspace SET url = 'http://another.test'")
        assert grafana_store.place(connection, Seat(place.tenant, Tier.ORG)) is not None
    assert records
    assert world.grafana.look_narrowly(place) is None
    with world.database.transaction() as connection:
        connection.execute("UPDATE grafana_workspace SET url = %s", [world.grafana.grafana.url])


def test_a_server_that_says_no_to_a_write_is_looked_at_as_a_whole(wired: Wired, world: World, place: Place) -> None:
    new_password(world, place)
    refusals = iter([said(400, "no")])
    wired.faulty.fault = lambda _n, r: next(refusals, None) if r.method == "PUT" else None
    paths = follow(wired, world, place)
    wired.faulty.fault = lambda _n, _r: None
    assert is_whole(paths)
    assert not world.grafana.plan(place)
