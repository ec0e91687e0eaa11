"""A tenant's own Grafana, by address and key among its credentials, over the twin and over the real one."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.plan import render
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier
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
