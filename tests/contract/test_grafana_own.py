"""A tenant's own Grafana, by address and key among its credentials, over the twin and over the real one."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from belvedere.app import build
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.plan import render
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier
from grafana_server import Server
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    access = access_of(REAL if request.param == "real" else "http://grafana.test")
    inner = httpx2.HTTPTransport() if request.param == "real" else TwinGrafana()
    made = make(database, tmp_path, access, transport=inner)
    made.eye = Grafana(access, transport=inner)
    yield made
    made.eye.close()
    made.close()


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    made = world.tenant()
    world.shown[made.tenant] = [world.publication(made)]
    world.moves.provision(made.tenant)
    yield made
    if world.tenants.find(made.tenant) is not None:
        world.delete(made)


def theirs(world: World, place: Place, role: str = "Admin") -> tuple[int, Secret]:
    """Make an organisation of the tenant's own, with a key, as its administrator would."""
    number = world.ask(requests.create_organisation(f"own of {place.name} {role}"))["orgId"]
    account = world.ask(requests.create_service_account(f"key-{number}-{role}", role), organisation=number)["id"]
    key = world.ask(requests.create_token(account, f"key-{role}", 3600), organisation=number)["key"]
    return number, Secret(key)


def give(world: World, place: Place, key: Secret, url: str = "") -> None:
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_URL", Secret(url or world.grafana.grafana.url))
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_API_KEY", key)


def go(world: World, place: Place) -> None:
    """Do what the queue does after credentials changed."""
    world.moves.provision(place.tenant)
    world.moves.leave(place.tenant)


def test_address_and_key_among_the_credentials_are_enough(world, place):
    number, key = theirs(world, place)
    before = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    give(world, place, key)
    go(world, place)
    assert world.workspaces.tier(place.tenant) is Tier.INSTANCE
    assert "not found" in str(world.ask(requests.organisation(before), 404)).lower()
    found = world.ask(requests.search(), organisation=number)
    assert sorted(one["type"] for one in found) == ["dash-db", "dash-folder"]
    sources = {one["name"] for one in world.ask(requests.sources(), organisation=number)}
    assert sources == {one.database for one in world.stores.of_tenant(place.tenant)}
    assert world.workspaces.publish(place.tenant, world.shown[place.tenant][0]).endswith(f"orgId={number}")
    assert not world.workspaces.of(place.tenant).plan(place)
    for one in world.stores.of_tenant(place.tenant):
        uid = world.credentials.read(place.tenant, f"GRAFANA_UID_{one.kind.value.upper()}")
        assert uid is not None and uid.reveal() == f"b{one.id.hex}"
    made = world.workspaces.capture_pass(place.tenant, for_s=60)
    assert made is not None and made.organisation == number
    world.workspaces.end_pass(made)
    world.delete(place)
    assert world.ask(requests.search(), organisation=number) == []
    assert world.ask(requests.sources(), organisation=number) == []
    left = world.ask(requests.service_accounts(), organisation=number)["serviceAccounts"]
    assert [one["name"] for one in left] == [f"key-{number}-Admin"]
    world.ask(requests.delete_organisation(number))


@pytest.mark.parametrize(("key", "said"), [
    ("unknown", "does not know the key"), ("Editor", "must be Admin"), ("Viewer", "must be Admin"),
])
def test_a_key_that_does_not_work_is_told_in_a_clear_sentence_and_nothing_moves(world, place, key, said):
    number, wrong = (0, Secret("glsa_nobody")) if key == "unknown" else theirs(world, place, key)
    give(world, place, wrong)
    with pytest.raises(Stuck, match=said) as caught:
        world.moves.provision(place.tenant)
    assert caught.value.problem == "grafana-own"
    assert wrong.reveal() not in f"{caught.value.detail}{caught.value.hint}{caught.value!r}"
    assert world.workspaces.tier(place.tenant) is Tier.ORG
    assert not world.grafana.plan(place)
    if number:
        assert world.ask(requests.search(), organisation=number) == []
        world.ask(requests.delete_organisation(number))


def test_two_tenants_never_share_an_organisation_that_was_given(world, place):
    number, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    other = world.tenant()
    give(world, other, key)
    with pytest.raises(Stuck, match="two in one would mix"):
        world.moves.provision(other.tenant)
    assert len(world.ask(requests.sources(), organisation=number)) == 3
    world.delete(other)
    world.delete(place)
    world.ask(requests.delete_organisation(number))


def test_drift_in_the_tenants_own_grafana_is_repaired_and_what_is_theirs_stays(world, place):
    number, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    world.ask(requests.put_board({"uid": "theirs", "id": None, "title": "Theirs"}, "", "x"), organisation=number)
    uid = f"b{world.stores.of_tenant(place.tenant)[0].id.hex}"
    world.ask(requests.delete_source(uid), organisation=number)
    assert "+ Make the data source" in render(world.workspaces.plan(SYSTEM, place.tenant))
    world.moves.provision(place.tenant)
    assert not world.workspaces.of(place.tenant).plan(place)
    world.delete(place)
    assert [one["uid"] for one in world.ask(requests.search(), organisation=number)] == ["theirs"]
    world.ask(requests.delete_organisation(number))


def test_a_key_that_ends_is_a_stated_problem_and_the_tenant_can_still_be_deleted(world, place):
    number, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    world.credentials.delete(SYSTEM, place.tenant, "GRAFANA_API_KEY")
    with pytest.raises(Stuck, match="no address and key") as caught:
        world.moves.provision(place.tenant)
    assert caught.value.problem == "grafana-own"
    world.delete(place)
    kept = [one for one in world.history.search(SYSTEM, limit=50).items if one.verb == "workspace.close"]
    assert any("no address and key" in str(one) for one in kept)
    world.ask(requests.delete_organisation(number))


def test_what_belvedere_wrote_itself_is_no_grafana_of_the_tenants_own(world, place):
    with world.database.transaction() as connection:
        world.credentials.provide(connection, place.tenant, "GRAFANA_URL", Secret("https://grafana.example.org"))
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_API_KEY", Secret("glsa_x"))
    world.moves.provision(place.tenant)
    assert world.workspaces.tier(place.tenant) is Tier.ORG


def test_a_tenant_may_leave_its_own_grafana_when_the_key_has_ended(world, place):
    number, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    world.credentials.delete(SYSTEM, place.tenant, "GRAFANA_API_KEY")
    plan = world.moves.begin(SYSTEM, place.tenant, "org")
    assert any("cannot be reached" in one for one in plan.kept)
    go(world, place)
    assert world.workspaces.tier(place.tenant) is Tier.ORG
    assert world.moves.under_way(SYSTEM, place.tenant) is None
    assert not world.grafana.plan(place)
    world.ask(requests.delete_organisation(number))


def administrator(world: World, place: Place) -> tuple[Grafana, int]:
    """Give the tenant a login of a server administrator of its own; return it, and its current organisation."""
    login, password = f"boss-{place.name}", Secret("of-the-tenants-own")
    home = world.ask(requests.create_organisation(f"home of {login}"))["orgId"]
    number = world.ask(requests.create_user(login, login, password.reveal(), home))["id"]
    world.ask(requests.set_organisation_role(home, number, "Admin"))
    inner = world.eye._transport
    if isinstance(inner, TwinGrafana):
        inner.users[number].server_admin = True
    else:
        world.ask(requests.Request("PUT", f"/api/admin/users/{number}/permissions", {"isGrafanaAdmin": True}))
    for key, value in (("URL", Secret(world.grafana.grafana.url)), ("USER", Secret(login)), ("PASSWORD", password)):
        world.credentials.put(SYSTEM, place.tenant, f"GRAFANA_{key}", value)
    boss = Grafana(Access(world.grafana.grafana.url, login, password), transport=inner)
    assert boss.ask(requests.current_user()).body["orgId"] == home
    return boss, home


def homes(world: World, login: str) -> list[tuple[int, str]]:
    user = world.ask(requests.user_named(login), 404)
    found = world.ask(requests.user_organisations(user["id"])) if "id" in user else []
    return [(one["orgId"], one["role"]) for one in found]


def test_a_login_of_an_administrator_is_enough_and_lets_the_tenants_people_in(world, place):
    boss, home = administrator(world, place)
    olga = f"olga-{place.name}@example.org"
    world.members.add(SYSTEM, place.tenant, olga, role=Role.OWNER)
    go(world, place)
    assert world.workspaces.tier(place.tenant) is Tier.ORG, "a login alone moves nobody: somebody says so"
    world.moves.begin(SYSTEM, place.tenant, "instance")
    go(world, place)
    assert world.workspaces.tier(place.tenant) is Tier.INSTANCE
    assert world.moves.under_way(SYSTEM, place.tenant) is None
    assert not world.workspaces.of(place.tenant).plan(place)
    assert world.workspaces.publish(place.tenant, world.shown[place.tenant][0]).endswith(f"orgId={home}")
    assert homes(world, f"user_{place.name}") == [(home, "Viewer")]
    assert homes(world, olga) == [(home, "Admin")]
    login, password = world.workspaces.take_password(SYSTEM, place.tenant)
    assert world.grafana.grafana.is_login(login, password)
    made = world.workspaces.capture_pass(place.tenant, for_s=60)
    assert made is not None and made.organisation == home
    world.workspaces.end_pass(made)

    # A member who leaves is out, and one who comes is in.
    world.members.add(SYSTEM, place.tenant, f"vera-{place.name}@example.org")
    go(world, place)
    assert homes(world, f"vera-{place.name}@example.org") == [(home, "Viewer")]
    world.members.remove(SYSTEM, place.tenant, f"vera-{place.name}@example.org")
    go(world, place)
    assert homes(world, f"vera-{place.name}@example.org") == []

    # On its way out the tenant takes what is ours; the administrator and the organisation are not.
    world.delete(place)
    assert world.ask(requests.search(), organisation=home) == []
    assert world.ask(requests.sources(), organisation=home) == []
    assert homes(world, f"user_{place.name}") == homes(world, olga) == []
    assert boss.ask(requests.current_user()).body["orgId"] == home
    end(world, boss, home)


def end(world: World, boss: Grafana, *organisations: int) -> None:
    """Leave the server as it was."""
    number = boss.ask(requests.current_user()).body["id"]
    boss.close()
    world.ask(requests.delete_user(number))
    for one in organisations:
        world.ask(requests.delete_organisation(one))


def test_an_administrator_who_looks_into_another_organisation_takes_the_workspace_nowhere(world, place):
    boss, home = administrator(world, place)
    world.moves.begin(SYSTEM, place.tenant, "instance")
    go(world, place)
    other = world.ask(requests.create_organisation(f"other of {place.name}"))["orgId"]
    world.ask(requests.add_organisation_user(other, f"boss-{place.name}", "Admin"))
    boss.ask(requests.use_own(other))
    world.workspaces.provision(place.tenant)
    assert not world.workspaces.of(place.tenant).plan(place)
    assert world.ask(requests.sources(), organisation=other) == []
    assert world.workspaces.publish(place.tenant, world.shown[place.tenant][0]).endswith(f"orgId={home}")
    # The organisation is gone: where the login is now is the next best, and the plan says so.
    world.ask(requests.delete_organisation(home))
    assert "~ Use the organisation" in render(world.workspaces.plan(SYSTEM, place.tenant))
    world.workspaces.provision(place.tenant)
    assert not world.workspaces.of(place.tenant).plan(place)
    assert len(world.ask(requests.sources(), organisation=other)) == 3
    world.delete(place)
    end(world, boss, other)


@pytest.mark.parametrize("wrong", ["PASSWORD", "rights"])
def test_an_administrators_login_that_does_not_work_is_told_and_nothing_moves(world, place, wrong):
    boss, home = administrator(world, place)
    if wrong == "PASSWORD":
        world.credentials.put(SYSTEM, place.tenant, "GRAFANA_PASSWORD", Secret("guessed-wrongly"))
    else:
        number = boss.ask(requests.current_user()).body["id"]
        world.ask(requests.add_organisation_user(home, world.grafana.grafana.access.user, "Admin"), 409)
        world.ask(requests.set_organisation_role(home, number, "Viewer"))
        while boss.ask(requests.service_accounts(), 403, organisation=home).status != 403:
            time.sleep(0.2)  # between two looks at a Grafana that remembers for seconds what somebody was
    with pytest.raises(Stuck) as caught:
        world.moves.begin(SYSTEM, place.tenant, "instance")
    assert caught.value.problem == "grafana-own"
    assert "guessed-wrongly" not in f"{caught.value.detail}{caught.value.hint}"
    assert world.workspaces.tier(place.tenant) is Tier.ORG
    assert world.moves.under_way(SYSTEM, place.tenant) is None
    assert not world.grafana.plan(place)
    end(world, boss, home)


def elsewhere(world: World) -> str:
    """Return another address of the same server."""
    url = world.grafana.grafana.url
    return url.replace("127.0.0.1", "localhost") if "127.0.0.1" in url else "http://other-grafana.test"


def test_another_address_among_the_credentials_makes_the_place_anew_there(world, place):
    first, key = theirs(world, place)
    give(world, place, key)
    go(world, place)
    url = world.workspaces.publish(place.tenant, world.shown[place.tenant][0])
    kept = world.shown[place.tenant][0].dashboard_id
    world.workspaces.resolve(SYSTEM, place.tenant, kept, ours=False)
    second, other = theirs(world, Place(place.tenant, f"{place.name} second", place.slug))

    # Between the two changes the old key meets the new address.
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_URL", Secret(elsewhere(world)))
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_API_KEY", Secret("glsa_nobody"))
    with pytest.raises(Stuck, match="does not know the key"):
        world.moves.provision(place.tenant)
    world.credentials.put(SYSTEM, place.tenant, "GRAFANA_API_KEY", other)
    plan = world.workspaces.plan(SYSTEM, place.tenant)
    assert plan.kept == (f"what stands in {world.grafana.grafana.url}, which is not the tenant's Grafana any more",)
    assert "= keep what stands in" in render(plan)
    world.moves.provision(place.tenant)
    assert world.workspaces.tier(place.tenant) is Tier.INSTANCE
    assert not world.workspaces.of(place.tenant).plan(place)
    again = world.workspaces.publish(place.tenant, world.shown[place.tenant][0])
    assert (again.startswith(elsewhere(world)), again.endswith(f"orgId={second}")) == (True, True)
    assert again != url
    # What people had kept as theirs stays where it was; ours is shown in the new place.
    there = world.ask(requests.board(f"b{kept.hex}"), organisation=second)
    assert there["dashboard"]["title"] == world.shown[place.tenant][0].document["title"]
    assert {row.name for row in world.queue.list(SYSTEM, limit=200).items} >= {"dashboards.readdress"}
    opened = [one for one in world.history.search(SYSTEM, limit=50).items if one.verb == "workspace.open"]
    assert any("is not the tenant's Grafana any more" in str(one) for one in opened)
    # What stands in the old one is the tenant's to clear: nobody here has its key any more.
    assert len(world.ask(requests.sources(), organisation=first)) == 3
    world.delete(place)
    assert world.ask(requests.sources(), organisation=second) == []
    for number in (first, second):
        world.ask(requests.delete_organisation(number))


def test_a_process_that_ends_closes_it(database: Database, tmp_path: Path) -> None:
    server = Server()
    services = build(Settings(home=str(tmp_path), database_url=database.url))
    try:
        tenant, _ = services.tenants.create(SYSTEM, "alice")
        for key, value in (("URL", server.bare), ("USER", "admin"), ("PASSWORD", "admin")):
            services.credentials.put(SYSTEM, tenant.serial, f"GRAFANA_{key}", Secret(value))
        own = services.own_grafanas.of(tenant.serial).grafana
        own.ask(requests.current_user())
        assert not own._client.is_closed
    finally:
        services.close()
        server.close()
    assert own._client.is_closed
