"""Dies at every step in Grafana, goes on in another process, and finds what an undisturbed run would have left.

The Grafana is the twin behind HTTP, or the real one of BELVEDERE_TEST_GRAFANA_URL.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import EXIT_CODE
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.passes import Mode
from belvedere.workspaces.port import Place
from grafana_server import Server
from grafana_world import REAL, World, access_of, make, publication
from places import some

ROOT = Path(__file__).parents[3]
BOARD = UUID(int=7)
OPENING = [
    "workspaces.grafana.step.before", "workspaces.grafana.organisation-asked", "workspaces.grafana.organisation-made",
    "workspaces.grafana.organisation-marked", "workspaces.grafana.folder-made", "workspaces.grafana.folder-opened",
    "workspaces.grafana.source-made",
    "workspaces.grafana.source-made:2", "workspaces.grafana.board-made", "workspaces.grafana.capture-made",
    "workspaces.grafana.account-made", "workspaces.grafana.keys.before-commit", "workspaces.grafana.step.after",
    "workspaces.opened.before-commit",
]
PICTURES = [
    "workspaces.grafana.public-asked", "workspaces.grafana.public-made", "workspaces.grafana.public-dropped",
]
CLOSING = [
    "workspaces.grafana.board-dropped", "workspaces.grafana.folder-dropped", "workspaces.grafana.source-dropped",
    "workspaces.grafana.capture-dropped", "workspaces.grafana.account-dropped",
    "workspaces.grafana.organisation-dropped", "workspaces.grafana.forget.before-commit",
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
    made.eye.close()
    made.close()


def show(world: World, serial: int) -> None:
    world.shown[serial] = [publication("Timing", BOARD, world.stores.of_tenant(serial)[0].id)]


def act(url: str, control: str, folder: str, verb: str, serial: str) -> None:
    """Do the verb; a failpoint ends this process on the way."""
    database = Database(Secret(control), size=2).open()
    world = make(database, Path(folder), access_of(url), options=Options(capture=Mode.PUBLIC))
    show(world, int(serial))
    if verb == "open":
        world.workspaces.provision(int(serial))
    elif verb == "picture":
        # Its time is over the moment it begins, so that what comes after the crash need not wait.
        made = world.workspaces.capture_pass(int(serial), for_s=-5, dashboard_id=BOARD)
        world.workspaces.end_pass(made)
    else:
        world.workspaces.remove_tenant(int(serial))


def die(world: World, url: str, folder: Path, *, verb: str, place: Place, failpoint: str) -> None:
    done = subprocess.run(
        [sys.executable, __file__, url, world.database.url.reveal(), str(folder), verb, str(place.tenant)],
        env={**os.environ, "BELVEDERE_FAILPOINT": failpoint, "PYTHONPATH": str(ROOT / "tests")}, capture_output=True,
        text=True, check=False, timeout=60,
    )
    assert done.returncode == EXIT_CODE, f"{failpoint} is not on the way\n{done.stderr[-2000:]}"


def contents(world: World, place: Place) -> dict[str, object]:
    """Count what stands in the tenant's organisation, and say whose it is."""
    name = f"Tenant {place.tenant} - {place.name}"
    org = world.ask(requests.organisation_named(name))["id"]
    services = world.ask(requests.service_accounts(), organisation=org)["serviceAccounts"]
    return {
        "sources": sorted(one["name"] for one in world.ask(requests.sources(), organisation=org)),
        "found": sorted((one["type"], one["uid"]) for one in world.ask(requests.search(), organisation=org))[:1],
        "how many": len(world.ask(requests.search(), organisation=org)),
        "services": [one["role"] for one in services],
        "members": sorted(one["role"] for one in world.ask(requests.organisation_users(org))),
    }


@pytest.mark.parametrize(
    "failpoint", some(OPENING, "workspaces.grafana.organisation-made", "workspaces.grafana.step.after")
)
def test_a_crash_while_opening_leaves_what_an_undisturbed_run_leaves(
    world: World, url: str, tmp_path: Path, failpoint: str
) -> None:
    place = world.tenant()
    show(world, place.tenant)
    die(world, url, tmp_path, verb="open", place=place, failpoint=failpoint)
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    assert contents(world, place) == {
        "sources": [f"t{place.tenant}-{kind}" for kind in ("QOR", "drc", "timing_report")],
        "found": [("dash-db", f"b{BOARD.hex}")], "how many": 2, "services": ["Viewer"], "members": ["Admin", "Viewer"],
    }
    world.delete(place)


@pytest.mark.parametrize("failpoint", some(PICTURES, "workspaces.grafana.public-made"))
def test_a_crash_during_a_picture_of_a_public_page_leaves_nothing_public(
    world: World, url: str, tmp_path: Path, failpoint: str
) -> None:
    if world.grafana.grafana.version() < (10,):
        pytest.skip("public pages are used from Grafana 10 on")
    place = world.tenant()
    show(world, place.tenant)
    world.workspaces.provision(place.tenant)
    die(world, url, tmp_path, verb="picture", place=place, failpoint=failpoint)
    assert public(world, place) == (1 if failpoint.endswith("public-made") else 0)
    assert [one.title for one in world.grafana.plan(place).steps] == ["Make private again what a picture was taken of"]
    if failpoint.endswith("public-made"):
        # The next picture, however it is taken, comes before the next plan.
        made = world.workspaces.capture_pass(place.tenant, for_s=60)
        assert made is not None
        world.workspaces.end_pass(made)
    else:
        world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    assert public(world, place) == 0
    world.delete(place)


def public(world: World, place: Place) -> int:
    """Count the public pages of the tenant's organisation."""
    org = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    listed = requests.Request("GET", "/api/dashboards/public-dashboards", within=True)
    return len(world.ask(listed, organisation=org)["publicDashboards"])


@pytest.mark.parametrize("failpoint", some(CLOSING, "workspaces.grafana.organisation-dropped"))
def test_a_crash_while_closing_leaves_nothing(world: World, url: str, tmp_path: Path, failpoint: str) -> None:
    place = world.tenant()
    show(world, place.tenant)
    world.workspaces.provision(place.tenant)
    world.tenants.delete(_operator(), place.tenant, confirm=place.name)
    die(world, url, tmp_path, verb="close", place=place, failpoint=failpoint)
    world.workspaces.remove_tenant(place.tenant)
    name = f"Tenant {place.tenant} - {place.name}"
    assert "not found" in str(world.ask(requests.organisation_named(name), 404)).lower()
    assert "not found" in str(world.ask(requests.user_named(f"user_{place.name}"), 404)).lower()
    assert not world.grafana.plan(place, wanted=False)


def test_a_crash_while_letting_go_keeps_what_is_not_ours(world: World, url: str, tmp_path: Path) -> None:
    place = world.tenant()
    show(world, place.tenant)
    world.workspaces.provision(place.tenant)
    org = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    world.ask(requests.put_board({"uid": "theirs", "id": None, "title": "Theirs"}, "", "x"), organisation=org)
    world.tenants.delete(_operator(), place.tenant, confirm=place.name)
    die(world, url, tmp_path, verb="close", place=place, failpoint="workspaces.grafana.organisation-released")
    world.workspaces.remove_tenant(place.tenant)
    assert [one["uid"] for one in world.ask(requests.search(), organisation=org)] == ["theirs"]
    world.ask(requests.delete_organisation(org))


def test_a_crash_while_noting_a_change_by_hand_notes_it_later(world: World, url: str, tmp_path: Path) -> None:
    place = world.tenant()
    show(world, place.tenant)
    world.workspaces.provision(place.tenant)
    org = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    board = world.ask(requests.board(f"b{BOARD.hex}"), organisation=org)
    mine = {**board["dashboard"], "title": "Mine"}
    world.ask(requests.put_board(mine, board["meta"]["folderUid"], "by hand"), organisation=org)
    die(world, url, tmp_path, verb="open", place=place, failpoint="workspaces.grafana.hold.before-commit")
    world.workspaces.provision(place.tenant)
    assert world.ask(requests.board(f"b{BOARD.hex}"), organisation=org)["dashboard"]["title"] == "Mine"
    assert not world.grafana.plan(place)
    world.delete(place)


def _operator():
    from belvedere.kernel.actor import SYSTEM

    return SYSTEM


if __name__ == "__main__":
    act(*sys.argv[1:6])
    os._exit(0)
