"""Dies at every step of members and of taking over, goes on, and finds everybody and everything once.

The Grafana is the twin behind HTTP, or the real one of BELVEDERE_TEST_GRAFANA_URL. The dying is done by a fork: a child
needs no second start of the interpreter.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.failpoints import EXIT_CODE
from belvedere.workspaces.adoption.model import Outcome
from belvedere.workspaces.adoption.service import Adoption, Choice
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.shared.model import Shared
from grafana_server import Server
from grafana_world import REAL, World, access_of, make
from places import some

VERA = f"vera.{uuid4().hex[:6]}@example.org"


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        yield REAL
        return
    server = Server()
    yield server.url
    server.close()


@pytest.fixture
def shared(url: str) -> Iterator[int]:
    eye = Grafana(access_of(url))
    number = eye.ask(requests.create_organisation(f"Shared {uuid4().hex[:6]}")).body["orgId"]
    yield number
    eye.ask(requests.delete_organisation(number), 404)
    eye.close()


@pytest.fixture
def world(url: str, database: Database, tmp_path: Path, shared: int) -> Iterator[World]:
    made = make(database, tmp_path, access_of(url), shared=Shared("", shared))
    made.eye = Grafana(access_of(url))
    yield made
    for tenant in made.tenants.list(SYSTEM).items:
        made.tenants.delete(SYSTEM, tenant.serial, confirm=tenant.name)
        with suppress(BelvedereError):
            made.workspaces.remove_tenant(tenant.serial)
    made.eye.close()
    made.close()


def die(world: World, folder: Path, failpoint: str, deed: Callable[[World], object]) -> None:
    """Do it in a process that ends at the failpoint."""
    child = os.fork()
    if child == 0:
        os.environ["BELVEDERE_FAILPOINT"] = failpoint
        try:
            database = Database(world.database.url, size=2).open()
            url = world.grafana.grafana.access
            deed(make(database, folder, url, shared=Shared("", world.workspaces.shared_organisation())))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == EXIT_CODE, f"{failpoint} is not on the way"


def user(world: World) -> dict[str, object] | None:
    found = world.grafana.grafana.ask(requests.user_named(VERA), 404)
    return found.body if found.status == 200 else None


@pytest.mark.parametrize("failpoint", some([
    "workspaces.grafana.member-asked", "workspaces.grafana.member-asked-for", "workspaces.grafana.member-made",
    "workspaces.grafana.member-let-in",
], "workspaces.grafana.member-made"))
def test_a_crash_while_letting_a_member_in_makes_one_user_that_is_ours(
    world: World, tmp_path: Path, failpoint: str
) -> None:
    place = world.tenant()
    world.members.add(SYSTEM, place.tenant, VERA, role=Role.OWNER)
    die(world, tmp_path, failpoint, lambda other: other.workspaces.provision(place.tenant))
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    login, password = world.people.take_password(SYSTEM, place.tenant, VERA)
    assert login == VERA and world.grafana.grafana.is_login(VERA, password)
    with world.database.transaction() as connection:
        sealed = world.credentials.read_in(connection, place.tenant, f"_grafana_member_{VERA}")
    assert not sealed, "the password that proved it is forgotten"


@pytest.mark.parametrize("failpoint", some([
    "workspaces.grafana.member-taken-out", "workspaces.grafana.member-deleted.before-commit",
    "workspaces.grafana.member-dropped",
], "workspaces.grafana.member-dropped"))
def test_a_crash_while_taking_a_member_out_takes_it_out(
    world: World, tmp_path: Path, failpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("belvedere.workspaces.grafana.people.roster.FORGETS_S", 0.0)
    place = world.tenant()
    world.members.add(SYSTEM, place.tenant, f"olga.{VERA}")
    world.members.add(SYSTEM, place.tenant, VERA)
    world.workspaces.provision(place.tenant)
    world.members.remove(SYSTEM, place.tenant, VERA)
    die(world, tmp_path, failpoint, lambda other: other.workspaces.provision(place.tenant))
    world.workspaces.provision(place.tenant)
    die(
        world, tmp_path, "workspaces.grafana.member-forgotten.before-commit",
        lambda other: other.people.look_after(str(place.tenant)),
    )
    world.people.look_after(str(place.tenant))
    assert user(world) is None and not world.grafana.plan(place)


def test_a_crash_while_handing_over_a_password_loses_none(world: World, tmp_path: Path) -> None:
    place = world.tenant()
    world.members.add(SYSTEM, place.tenant, VERA)
    world.workspaces.provision(place.tenant)
    die(
        world, tmp_path, "workspaces.grafana.member-password-set",
        lambda other: other.people.take_password(SYSTEM, place.tenant, VERA),
    )
    _, password = world.people.take_password(SYSTEM, place.tenant, VERA)
    assert world.grafana.grafana.is_login(VERA, password)


def adoption(world: World) -> Adoption:
    return Adoption(
        database=world.database, history=world.history, queue=world.queue, tenants=world.tenants,
        credentials=world.credentials, grafana=world.grafana.grafana, shared=world.workspaces.shared_organisation,
    )


@pytest.mark.parametrize("failpoint", some([
    "workspaces.adopt.joined", "workspaces.adopt.before-commit", "workspaces.adopt.after-commit",
    "workspaces.adopt.marked",
], "workspaces.adopt.joined"))
def test_a_crash_while_taking_an_organisation_over_is_gone_on_from(
    world: World, tmp_path: Path, failpoint: str
) -> None:
    name = f"n{uuid4().hex[:6]}"
    number = int(uuid4().hex[:7], 16)
    org = world.ask(requests.create_organisation(f"Tenant {number} - {name}"))["orgId"]
    other = world.ask(requests.create_user(f"o-{name}", "o", "as-it-was", org))["id"]
    world.ask(requests.set_organisation_role(org, other, "Admin"))
    world.ask(requests.remove_organisation_user(org, world.ask(requests.user_named("admin"))["id"]))
    choice = Choice(organisation=org)
    die(world, tmp_path, failpoint, lambda other: adoption(other).take(SYSTEM, choice))
    adoption(world).take(SYSTEM, choice)
    assert [(one.outcome, one.tenant) for one in adoption(world).look(SYSTEM, choice)] == [(Outcome.DONE, number)]
    tenant = world.tenants.get(SYSTEM, name)
    world.workspaces.provision(tenant.serial)
    assert [one.serial for one in world.tenants.list(SYSTEM).items] == [number]
    world.ask(requests.delete_user(other))


def test_a_crash_while_telling_uids_is_gone_on_from(world: World, tmp_path: Path, shared: int) -> None:
    name = f"n{uuid4().hex[:6]}"
    for kind in ("timing_report", "QOR"):
        body = {
            "uid": f"{name}-{kind}", "name": f"{name} {kind}", "type": "postgres", "access": "proxy",
            "url": "db:5432", "user": "u", "database": f"{name}-{kind}", "jsonData": {}, "secureJsonData": {},
        }
        world.ask(requests.create_source(body), organisation=shared)
    choice = Choice(organisation=shared)
    die(world, tmp_path, "workspaces.adopt.told", lambda other: adoption(other).take(SYSTEM, choice))
    assert [one.outcome for one in adoption(world).look(SYSTEM, choice)] == [Outcome.FINISH]
    adoption(world).take(SYSTEM, choice)
    assert [one.outcome for one in adoption(world).look(SYSTEM, choice)] == [Outcome.DONE]
    tenant = world.tenants.get(SYSTEM, name)
    assert world.credentials.read(tenant.serial, "GRAFANA_UID_QOR").reveal() == f"{name}-QOR"
