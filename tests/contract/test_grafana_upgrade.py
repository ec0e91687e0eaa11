"""A Grafana that is upgraded in place under tenants, and one that is set back to a backup from before the upgrade.

Run where BELVEDERE_TEST_GRAFANA_BEFORE and BELVEDERE_TEST_GRAFANA_START name programs that start an older and a newer
Grafana (`test_grafana_server.py` says how they are called). Its twin is `test_grafana_old.py`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract import test_grafana_server as servers
from tests.contract.test_grafana_adoption import adoption_of

from belvedere.identity.members.model import Role
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.port import Place
from grafana_world import World

BEFORE = os.environ.get("BELVEDERE_TEST_GRAFANA_BEFORE", "")
pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(600),
    pytest.mark.skipif(not BEFORE or not servers.START, reason="BELVEDERE_TEST_GRAFANA_BEFORE names no program."),
]


class Upgraded(servers.Server):
    """One data folder under an older or the newer program."""

    def start_old(self) -> None:
        later, servers.START = servers.START, BEFORE
        try:
            self.start()
        finally:
            servers.START = later


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Upgraded]:
    made = Upgraded(tmp_path / "grafana")
    yield made
    if (made.folder / "pid").exists():
        made.stop()


@pytest.fixture
def world(server: Upgraded, database: Database, tmp_path: Path) -> Iterator[World]:
    server.start_old()
    made = servers.world_on(database, tmp_path, f"http://admin:admin@127.0.0.1:{server.port}")
    yield made
    made.close()


def ready(world: World, *, team: bool = False) -> Place:
    place = world.tenant()
    for who, role in (("olga", Role.OWNER), ("ed", Role.EDITOR), ("vera", Role.VIEWER)):
        world.members.add(SYSTEM, place.tenant, f"{who}-{place.name}@example.org", role=role)
    world.shown[place.tenant] = [world.publication(place), world.publication(place, "Area")]
    if team:
        world.moves.begin(SYSTEM, place.tenant, "team")
        world.workspaces.provision(place.tenant)
        world.moves.leave(place.tenant)
    world.workspaces.provision(place.tenant)
    assert not world.workspaces.of(place.tenant).plan(place)
    return place


def steps(world: World, places: list[Place]) -> list[str]:
    plans = (world.workspaces.of(place.tenant).plan(place) for place in places)
    return [f"{one.key}: {one.changes}" for plan in plans for one in plan.steps]


def settled(world: World, places: list[Place]) -> int:
    """Look at all as the timer does, until nothing is left to do; return how often that was."""
    for times in range(1, 6):
        for place in places:
            try:
                world.workspaces.look_again(place.tenant)
                world.workspaces.provision(place.tenant)
            except Later:
                continue
        if not steps(world, places):
            return times
    pytest.fail(f"never came to rest: {steps(world, places)}")


def stands(world: World, place: Place) -> dict[str, Any]:
    """Return what a tenant has in Grafana, by the ids that links and people know."""
    name = f"Tenant {place.tenant} - {place.name}"
    number = world.ask(requests.organisation_named(name), 404).get("id") or world.organisation()
    boards = [f"b{one.dashboard_id.hex}" for one in world.shown[place.tenant]]
    return {
        "organisation": number,
        "boards": [world.ask(requests.board(uid), organisation=number)["dashboard"] for uid in boards],
        "sources": {one["uid"]: one["name"] for one in world.ask(requests.sources(), organisation=number)},
        "people": {one["login"]: one["role"] for one in world.ask(requests.organisation_users(number))},
    }


def test_an_upgrade_in_place_leaves_nothing_to_do(server: Upgraded, world: World) -> None:
    places = [ready(world), ready(world), ready(world, team=True), ready(world, team=True)]
    before = [stands(world, place) for place in places]
    login, password = world.workspaces.take_password(SYSTEM, places[0].tenant)
    server.stop()
    server.start()
    assert steps(world, places) == []
    for place in places:
        world.workspaces.provision(place.tenant)
    assert steps(world, places) == []
    assert [stands(world, place) for place in places] == before
    assert world.grafana.grafana.is_login(login, password)
    for place in places:
        made = world.workspaces.capture_pass(place.tenant, for_s=60)
        assert made is not None
        world.workspaces.end_pass(made)
    late = ready(world)
    for place in (*places, late):
        world.delete(place)


def test_a_backup_from_before_the_upgrade_converges_and_nobody_gets_anothers_place(
    server: Upgraded, world: World, tmp_path: Path
) -> None:
    early, gone = ready(world), ready(world)
    server.stop()
    shutil.copytree(server.folder, tmp_path / "backup")
    server.start()
    world.delete(gone)
    late = [ready(world), ready(world, team=True)]
    numbers = {place.tenant: stands(world, place)["organisation"] for place in (early, *late)}
    olga = f"olga-{late[0].name}@example.org"
    world.workspaces.take_password(SYSTEM, late[0].tenant)
    world.people.take_password(SYSTEM, late[0].tenant, olga)
    server.stop()
    shutil.rmtree(server.folder)
    shutil.copytree(tmp_path / "backup", server.folder)
    server.start()
    rounds = settled(world, [*reversed(late), early])
    assert rounds <= 2, "what a number on record hides in the first round is mended in the second"
    for place in (early, late[0]):
        found = stands(world, place)
        assert {name.partition("-")[0] for name in found["sources"].values()} == {f"t{place.tenant}"}
        assert f"olga-{place.name}@example.org" in found["people"]
        assert {one["title"].partition(" · ")[0] for one in found["boards"]} == {"Timing: p", "Area"}
    assert stands(world, early)["organisation"] == numbers[early.tenant]
    assert steps(world, [early, *late]) == []
    # Users that were made again have passwords that nobody was told.
    for login, password in (
        world.workspaces.take_password(SYSTEM, late[0].tenant),
        world.people.take_password(SYSTEM, late[0].tenant, olga),
    ):
        assert world.grafana.grafana.is_login(login, password)
    # The tenant that was deleted meanwhile stands again, as the backup says: listed, and nobody's.
    left = world.ask(requests.organisation_named(f"Tenant {gone.tenant} - {gone.name}"))["id"]
    assert left not in {stands(world, place)["organisation"] for place in (early, *late)}
    listed = adoption_of(world, world.organisation()).look(SYSTEM)
    assert gone.name in str(listed)
