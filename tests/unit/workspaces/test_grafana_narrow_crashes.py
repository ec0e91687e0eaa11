"""Dies at every step of a narrow look, goes on, and finds what an undisturbed look at everything would have left.

So it is as well when what changed is changed back before the look is done again. The Grafana is the twin behind HTTP,
or the real one of BELVEDERE_TEST_GRAFANA_URL; the dying is done by a fork.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import pytest
from tests.contract.test_grafana import export

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import EXIT_CODE
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.port import Place
from grafana_server import Server
from grafana_world import REAL, World, access_of, make, publication
from places import some

FOLLOWING = [
    "workspaces.grafana.look-begun", "workspaces.grafana.step.before", "workspaces.grafana.source-made",
    "workspaces.grafana.board-made", "workspaces.grafana.board-made:2", "workspaces.grafana.member-asked-for",
    "workspaces.grafana.member-let-in", "workspaces.grafana.step.after", "workspaces.grafana.step.after:2",
    "workspaces.grafana.look-ended.before-commit", "workspaces.opened.before-commit",
]


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        yield REAL
        return
    server = Server()
    yield server.url
    server.close()


@pytest.fixture
def world(url: str, database: Database, tmp_path: Path) -> Iterator[World]:
    made = make(database, tmp_path, access_of(url))
    made.eye = Grafana(access_of(url))
    yield made
    for tenant in made.tenants.list(SYSTEM).items:
        made.delete(Place(tenant.serial, tenant.name, tenant.slug))
    made.eye.close()
    made.close()


def die(world: World, folder: Path, failpoint: str, deed: Callable[[World], object]) -> None:
    """Do it in a process that ends at the failpoint."""
    child = os.fork()
    if child == 0:
        os.environ["BELVEDERE_FAILPOINT"] = failpoint
        try:
            database = Database(world.database.url, size=2).open()
            other = make(database, folder, world.grafana.grafana.access, stores=world.stores)
            other.shown.update(world.shown)
            deed(other)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == EXIT_CODE, f"{failpoint} is not on the way"


def opened(world: World) -> Place:
    place = world.tenant(f"t{uuid4().hex[:10]}")
    world.members.add(SYSTEM, place.tenant, f"olga.{place.name}@example.org", role=Role.OWNER)
    show(world, place, "")
    world.workspaces.provision(place.tenant)
    return place


def show(world: World, place: Place, word: str) -> None:
    store = world.stores.of_tenant(place.tenant)[0]
    world.shown[place.tenant] = [
        publication(f"Board {one}{word}", uuid5(UUID(int=place.tenant), f"board {one}"), store.id) for one in range(2)
    ]


def change(world: World, place: Place) -> None:
    """Change a data source's password and address, two dashboards, and who belongs to the tenant."""
    first, *others = world.stores.of_tenant(place.tenant)
    world.stores.passwords[first.id] = Secret("another password of 24 bytes")
    world.stores.made[place.tenant] = [replace(first, port=6432), *others]
    show(world, place, " anew")
    world.members.add(SYSTEM, place.tenant, f"vera.{place.name}@example.org")


def change_back(world: World, place: Place) -> None:
    first, *others = world.stores.of_tenant(place.tenant)
    world.stores.passwords[first.id] = Secret(f"pw-{first.id.hex}")
    world.stores.made[place.tenant] = [replace(first, port=5432), *others]
    show(world, place, "")
    world.members.remove(SYSTEM, place.tenant, f"vera.{place.name}@example.org")


@pytest.mark.parametrize("back", [False, True], ids=["goes on", "is changed back"])
@pytest.mark.parametrize(
    "failpoint", some(FOLLOWING, "workspaces.grafana.source-made", "workspaces.grafana.look-ended.before-commit")
)
def test_a_crash_in_a_narrow_look_leaves_what_an_undisturbed_one_leaves(
    world: World, tmp_path: Path, failpoint: str, *, back: bool
) -> None:
    place, other = opened(world), opened(world)
    if not back:
        change(world, other)
        world.workspaces.provision(other.tenant)
    change(world, place)
    die(world, tmp_path, failpoint, lambda child: child.workspaces.follow(place.tenant))
    if back:
        change_back(world, place)
    world.workspaces.follow(place.tenant)
    assert not world.grafana.plan(place)
    assert export(world, place) == export(world, other)


def test_a_crash_while_a_repair_is_asked_for_leaves_nothing_half_asked(world: World, tmp_path: Path) -> None:
    place = opened(world)
    die(
        world, tmp_path, "workspaces.apply.before-commit", lambda child: child.workspaces.apply(SYSTEM, place.tenant)
    )
    assert not world.grafana.is_whole_due(place)
    world.workspaces.apply(SYSTEM, place.tenant)
    assert world.grafana.is_whole_due(place)
