"""Dies at every step of a move between tiers, goes on in another process, and finds nothing lost and nothing doubled.

The Grafana is the twin behind HTTP, or the real one of BELVEDERE_TEST_GRAFANA_URL. `make test-crash` dies at all of
them; `make test` at a sample.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.workspaces.test_grafana_crashes import BOARD, ROOT, Server

from belvedere.audit.service import FileHistory
from belvedere.dashboards.service import Dashboards
from belvedere.gateway.identities import LinkedIdentities
from belvedere.gateway.links import MemberLinks
from belvedere.identity.members.service import Members
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import EXIT_CODE
from belvedere.kernel.secret import Secret
from belvedere.reactions import REACTIONS
from belvedere.tenants.service import Tenants
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.port import Place
from grafana_world import REAL, SHARED, World, access_of, gateway, make, publication

pytestmark = pytest.mark.crash
TO_TEAM = [
    "workspaces.move.planned", "workspaces.move.before-commit", "workspaces.grafana.shared-asked",
    "workspaces.grafana.shared-made", "workspaces.grafana.shared-marked", "workspaces.grafana.team-made",
    "workspaces.grafana.seat-taken", "workspaces.grafana.rights-set", "workspaces.grafana.linked",
    "workspaces.opened.before-commit", "dashboards.readdress.before-commit", "workspaces.leave.complete",
    "workspaces.grafana.brought", "workspaces.leave.brought", "workspaces.grafana.board-dropped",
    "workspaces.grafana.organisation-dropped", "workspaces.leave.closed", "workspaces.leave.before-commit",
]
TO_ORG = [
    "workspaces.grafana.organisation-made", "workspaces.grafana.unlinked", "workspaces.grafana.team-dropped",
    "workspaces.grafana.account-dropped", "workspaces.leave.before-commit",
]
SEATS = ["workspaces.grafana.seat-left"]
SAMPLE = {"workspaces.grafana.brought"}
PLACES = [
    pytest.param(target, name, id=f"{target}-{name}")
    for target, names in (("team", TO_TEAM), ("org", TO_ORG), ("seats", SEATS)) for name in names
    if os.environ.get("BELVEDERE_CRASH") == "all" or name in SAMPLE
]


def build(database: Database, folder: Path, url: str) -> World:
    """Wire an installation whose links stand in the control database, so that they outlive a process."""
    history = FileHistory(folder / "links")
    queue = JobQueue(database, REACTIONS)
    tenants = Tenants(database=database, history=history, queue=queue)
    links = MemberLinks(
        identities=LinkedIdentities(database=database, history=history, tenants=tenants),
        members=Members(database=database, history=history, queue=queue),
    )
    shared = Shared(f"{SHARED} {folder.name}", gateway=replace(gateway(), links=links))
    made = make(database, folder, access_of(url), shared=shared)
    made.eye = Grafana(access_of(url))
    return made


def move(world: World, serial: int, target: str) -> None:
    """Do from wherever a crash left it what the queue would do."""
    world.shown[serial] = [publication("Timing", BOARD, world.stores.of_tenant(serial)[0].id)]
    if target != "seats" and world.workspaces.tier(serial) != target:
        world.moves.begin(SYSTEM, serial, target)
    world.workspaces.provision(serial)
    dashboards = Dashboards(
        database=world.database, history=world.history, queue=world.queue, stores=None,  # type: ignore[arg-type]
        workspaces=world.workspaces,
    )
    dashboards.readdress(serial)
    world.moves.leave(serial)


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
    made = build(database, tmp_path, url)
    yield made
    if made.organisation():
        made.ask(requests.delete_organisation(made.organisation()), 404)
    made.eye.close()
    made.close()


def organisation(world: World, place: Place) -> int:
    found = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"), 404)
    return int(found.get("id", 0))


def change(world: World, org: int) -> None:
    """Change the dashboard as a person does."""
    board = world.ask(requests.board(f"b{BOARD.hex}"), organisation=org)
    mine = {**board["dashboard"], "title": "Mine"}
    world.ask(requests.put_board(mine, board["meta"]["folderUid"], "by hand"), organisation=org)


def look(world: World, place: Place, target: str) -> dict[str, Any]:
    """Say what stands where."""
    shared, own = world.organisation(), organisation(world, place)
    org = own if target == "org" else shared
    found = world.ask(requests.teams_named(place.name), organisation=shared)["teams"] if shared else []
    user = world.ask(requests.user_named(f"user_{place.name}"))["id"]
    homes = [one["orgId"] for one in world.ask(requests.user_organisations(user))]
    links = world.team._gateway.links.subjects(place.tenant)
    return {
        "team": len(found), "own organisation": bool(own), "homes": homes == [org],
        "title": world.ask(requests.board(f"b{BOARD.hex}"), organisation=org)["dashboard"]["title"],
        "sources": sum(
            one["name"] in {s.database for s in world.stores.of_tenant(place.tenant)}
            for one in world.ask(requests.sources(), organisation=org)
        ),
        "links": len(links), "moving": world.moves.under_way(SYSTEM, place.tenant),
        "plan": len(world.workspaces.of(place.tenant).plan(place).steps),
        "in the team": sorted(
            one["login"] != "admin" and one["userId"] == user
            for one in world.ask(requests.team_members(found[0]["id"]), organisation=shared)
        ) if found else [],
    }


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("target", "failpoint"), PLACES)
def test_a_crash_while_moving_ends_where_an_undisturbed_move_ends(
    world: World, url: str, tmp_path: Path, target: str, failpoint: str
) -> None:
    place = world.tenant()
    move(world, place.tenant, "org")
    if target != "team":
        move(world, place.tenant, "team")
    change(world, organisation(world, place) if target == "team" else world.organisation())
    if target == "seats":
        stranger = world.ask(requests.create_user(f"x{place.name}", "Stranger", "a-password", world.organisation()))
        team = world.ask(requests.teams_named(place.name), organisation=world.organisation())["teams"][0]["id"]
        world.ask(requests.add_team_member(team, stranger["id"]), organisation=world.organisation())
    done = subprocess.run(
        [sys.executable, __file__, url, world.database.url.reveal(), str(tmp_path), target, str(place.tenant)],
        env={**os.environ, "BELVEDERE_FAILPOINT": failpoint, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=90,
    )
    assert done.returncode == EXIT_CODE, f"{failpoint} is not on the way\n{done.stderr[-2000:]}"
    move(world, place.tenant, target)
    move(world, place.tenant, target)
    in_team = target != "org"
    # Links: the default user, the service account for previews, and the user that Grafana takes it for.
    assert look(world, place, "team" if in_team else "org") == {
        "team": int(in_team), "own organisation": not in_team, "homes": True, "title": "Mine", "sources": 3,
        "links": 3 if in_team else 0, "moving": None, "plan": 0, "in the team": [False, True] if in_team else [],
    }
    world.delete(place)


if __name__ == "__main__":
    _, address, control, home, tier, number = sys.argv
    move(build(Database(Secret(control), size=4).open(), Path(home), address), int(number), tier)
    os._exit(0)
