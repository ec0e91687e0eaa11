"""The administrator follows a tenant's link, so that Grafana takes the login there: nothing of ours stops at that."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from grafana_faults import Faulty, said
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    access = access_of(REAL if request.param == "real" else "http://grafana.test")
    inner = TwinGrafana() if request.param == "twin" else httpx2.HTTPTransport()
    wire = Faulty(inner)
    made = make(database, tmp_path, access, transport=wire)
    made.eye = Grafana(access, transport=inner)
    yield made
    made.eye.close()
    made.close()
    assert wire.wrong == []


def follow(world: World, number: int) -> None:
    world.ask(requests.use_own(number))
    assert world.ask(requests.current_user())["orgId"] == number


def second(world: World) -> Grafana:
    """Another server administrator, for what the first one's current organisation does not allow."""
    access, login = world.grafana.grafana.access, f"b{uuid4().hex[:8]}"
    # Grafana sorts them by name, or not at all; the one that is about to go may stand first.
    home = min(one["orgId"] for one in world.ask(requests.own_organisations()))
    made = world.ask(requests.create_user(login, login, "what-b-knows", home))
    inner = world.eye._transport
    if isinstance(inner, TwinGrafana):
        inner.users[made["id"]].server_admin = True
    else:
        body = {"isGrafanaAdmin": True}
        world.ask(requests.Request("PUT", f"/api/admin/users/{made['id']}/permissions", body))
    return Grafana(Access(access.url, login, Secret("what-b-knows")), transport=inner)


def test_a_tenant_is_deleted_although_its_organisation_is_the_administrators_current_one(world: World) -> None:
    place = world.tenant()
    world.workspaces.provision(place.tenant)
    name = f"Tenant {place.tenant} - {place.name}"
    number = world.ask(requests.organisation_named(name))["id"]
    follow(world, number)
    world.delete(place)
    assert "not found" in str(world.ask(requests.organisation(number), 404)).lower()
    homes = [one["orgId"] for one in world.ask(requests.own_organisations())]
    assert world.ask(requests.current_user())["orgId"] in homes


def test_a_tenant_is_made_although_the_administrators_current_organisation_is_gone(world: World) -> None:
    number = world.ask(requests.create_organisation(f"gone {uuid4().hex[:8]}"))["orgId"]
    follow(world, number)
    other = second(world)
    other.ask(requests.delete_organisation(number))
    other.close()
    place = world.tenant()
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    world.delete(place)


def test_a_person_who_follows_one_link_after_the_other_is_not_chased_for_ever(world: World) -> None:
    number = world.ask(requests.create_organisation(f"chased {uuid4().hex[:8]}"))["orgId"]
    follow(world, number)
    wire = world.grafana.grafana._transport

    def back(_number: int, request: httpx2.Request) -> None:
        if request.method == "DELETE":
            world.ask(requests.use_own(number))

    wire.fault = back
    with pytest.raises(Stuck, match="current user"):
        world.grafana.grafana.ask(requests.delete_organisation(number))
    assert [method for method, path, _ in wire.sent].count("DELETE") == 3
    wire.fault = lambda _n, _r: None
    world.grafana.grafana.ask(requests.delete_organisation(number))


def test_a_login_without_another_organisation_is_told_so_and_true_lack_of_rights_too(world: World) -> None:
    wire = world.grafana.grafana._transport
    answers = {
        "/api/user": httpx2.Response(200, json={"orgId": 7}),
        "/api/user/orgs": httpx2.Response(200, json=[{"orgId": 7, "name": "x", "role": "Admin"}]),
        "/api/orgs/7": said(400, "Can not delete org for current user"),
    }
    wire.fault = lambda _n, request: answers.get(request.url.path)
    with pytest.raises(Stuck, match="is gone or to be deleted") as caught:
        world.grafana.grafana.ask(requests.delete_organisation(7))
    assert "another organisation" in (caught.value.hint or "")
    answers = {"/api/users/1": said(403, "Permissions needed: users:read")}
    with pytest.raises(Stuck, match="does not allow it"):
        world.grafana.grafana.ask(requests.user(1))


@pytest.mark.parametrize(("said_of_it", "ends"), [("Organization not found", "made again"), ("Not found", "stuck")])
def test_an_organisation_that_went_a_moment_ago_is_made_again(world: World, said_of_it: str, ends: str) -> None:
    place = world.tenant()
    world.workspaces.provision(place.tenant)
    number = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
    world.ask(requests.delete_organisation(number))
    wire = world.grafana.grafana._transport
    # What Grafana answers for five seconds after it knew the login there.
    wire.fault = lambda _n, request: said(404, said_of_it) if (
        request.url.path == "/api/org" and request.headers["X-Grafana-Org-Id"] == str(number)) else None
    if ends == "stuck":
        with pytest.raises(Stuck, match="404"):
            world.grafana.plan(place)
        wire.fault = lambda _n, _r: None
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    world.delete(place)
