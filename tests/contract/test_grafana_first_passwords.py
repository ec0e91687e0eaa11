"""First passwords in Grafana: given once, also to two at the same moment; and what becomes of users that lose more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Conflict, Stuck
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


@pytest.fixture(params=["twin", "twin without auto_assign_org", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    access = access_of(REAL if request.param == "real" else "http://grafana.test")
    twin = TwinGrafana(auto_assign_org=request.param == "twin")
    inner = httpx2.HTTPTransport() if request.param == "real" else twin
    made = make(database, tmp_path, access, transport=inner)
    made.eye = Grafana(access, transport=inner)
    yield made
    made.eye.close()
    made.close()


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    made = world.tenant()
    world.members.add(SYSTEM, made.tenant, olga(made), role=Role.OWNER)
    world.shown[made.tenant] = [world.publication(made)]
    world.workspaces.provision(made.tenant)
    yield made
    if world.tenants.find(made.tenant) is not None:
        world.delete(made)


def olga(place: Place) -> str:
    return f"olga-{place.name}@example.org"


def user(world: World, login: str) -> dict[str, Any]:
    found: dict[str, Any] = world.ask(requests.user_named(login), 404)
    return found if "id" in found else {}


def test_of_two_who_ask_at_the_same_moment_one_gets_it(world: World, place: Place) -> None:
    query = "SELECT FROM credential WHERE tenant_id = %s AND key_name = '_grafana_password' FOR UPDATE"
    asked = (
        lambda: world.workspaces.take_password(SYSTEM, place.tenant),
        lambda: world.people.take_password(SYSTEM, place.tenant, olga(place)),
    )
    for take in asked:
        with ThreadPoolExecutor(2) as pool:
            with world.database.transaction() as connection:
                connection.execute(query, [place.tenant])
                both = [pool.submit(take) for _ in range(2)]
                while not any(one.running() or one.done() for one in both):
                    pass
            errors = [one.exception() for one in both]
        assert sorted(error is None for error in errors) == [False, True]
        assert next(error for error in errors if error is not None).problem == "handed-over"  # type: ignore[union-attr]
    left = world.people.first_passwords(SYSTEM, place.tenant)
    assert (left.login, left.made, left.waits, left.members) == (f"user_{place.name}", True, False, frozenset())


def test_an_organisation_deleted_by_hand_after_the_handing_over_is_made_again_with_the_same_users(
    world: World, place: Place
) -> None:
    login, password = world.workspaces.take_password(SYSTEM, place.tenant)
    her, hers = world.people.take_password(SYSTEM, place.tenant, olga(place))
    before = {name: user(world, name)["id"] for name in (login, her)}
    number = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    [kept] = world.shown[place.tenant]
    world.workspaces.resolve(SYSTEM, place.tenant, kept.dashboard_id, ours=False)
    world.ask(requests.delete_organisation(number))
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    again = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    assert again != number
    # What people had made theirs went with the organisation; ours is there in its place.
    there = world.ask(requests.board(f"b{kept.dashboard_id.hex}"), organisation=again)
    assert there["dashboard"]["title"] == kept.document["title"]
    assert {name: user(world, name)["id"] for name in (login, her)} == before
    assert world.grafana.grafana.is_login(login, password)
    assert world.grafana.grafana.is_login(her, hers)
    for name, role in ((login, "Viewer"), (her, "Admin")):
        homes = world.ask(requests.user_organisations(before[name]))
        assert [(one["orgId"], one["role"]) for one in homes] == [(again, role)]
    with pytest.raises(Conflict, match="handed over before"):
        world.workspaces.take_password(SYSTEM, place.tenant)
    # On its way out the tenant takes its users along, as if nothing had happened.
    world.delete(place)
    assert not user(world, login)
    assert not user(world, her)


def test_a_default_user_deleted_by_hand_gets_a_first_password_again(world: World, place: Place) -> None:
    login, old = world.workspaces.take_password(SYSTEM, place.tenant)
    world.ask(requests.delete_user(user(world, login)["id"]))
    world.workspaces.provision(place.tenant)
    assert world.people.first_passwords(SYSTEM, place.tenant).waits
    _, new = world.workspaces.take_password(SYSTEM, place.tenant)
    assert new.reveal() != old.reveal()
    assert world.grafana.grafana.is_login(login, new)


def test_a_stranger_of_the_default_users_name_is_a_problem_that_says_what_to_do(world: World, place: Place) -> None:
    login, _ = world.workspaces.take_password(SYSTEM, place.tenant)
    world.ask(requests.delete_user(user(world, login)["id"]))
    number = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    world.ask(requests.delete_organisation(number))
    stranger = world.ask(requests.create_user(login, "somebody", "made-by-hand", 1))["id"]
    with pytest.raises(BelvedereError) as caught:
        world.workspaces.provision(place.tenant)
    assert caught.value.problem == "grafana-user"
    assert "Rename or delete that user" in str(caught.value.hint)
    world.ask(requests.delete_user(stranger))
    # With `auto_assign_org = false` Grafana had made the stranger an organisation, and leaves it there.
    left = world.ask(requests.organisation_named(login), 404)
    if "id" in left:
        with pytest.raises(Stuck, match="left by a user who is gone"):
            world.workspaces.provision(place.tenant)
        world.ask(requests.delete_organisation(left["id"]))
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)


def test_an_organisation_in_the_way_of_a_member_is_a_problem_that_says_what_to_do(world: World, place: Place) -> None:
    vera = f"vera-{place.name}@example.org"
    own = world.ask(requests.create_organisation(vera))["orgId"]
    world.members.add(SYSTEM, place.tenant, vera)
    try:
        world.workspaces.provision(place.tenant)
    except Stuck as error:
        # Only where each new user gets an organisation of its own.
        assert (error.problem, vera in str(error.hint)) == ("grafana-user", True)
    world.ask(requests.delete_organisation(own))
    world.workspaces.provision(place.tenant)
    assert user(world, vera)
    assert not world.grafana.plan(place)
