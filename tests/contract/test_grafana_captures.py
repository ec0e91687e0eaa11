"""Pictures where the token way is closed: pages that are public for a moment; over the twin and over the real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.passes import CapturePass, Mode, mode_of
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from grafana_faults import Faulty
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


class Closed(TwinGrafana):
    """A Grafana without public dashboards."""

    public_dashboards = False


def wire(inner: httpx2.BaseTransport, database: Database, folder: Path, url: str = "http://grafana.test") -> World:
    made = make(database, folder, access_of(url), transport=Faulty(inner), options=Options(capture=Mode.PUBLIC))
    made.eye = Grafana(access_of(url), transport=inner)
    return made


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    real = request.param == "real"
    made = wire(httpx2.HTTPTransport(), database, tmp_path, REAL) if real else wire(TwinGrafana(), database, tmp_path)
    is_old = made.eye.version() < (10,)
    if not is_old:
        yield made
    made.eye.close()
    made.close()
    if is_old:
        pytest.skip("public pages are used from Grafana 10 on")
    assert made.grafana.grafana._transport.wrong == []


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    made = ready(world)
    yield made
    world.delete(made)


def ready(world: World) -> Place:
    place = world.tenant()
    world.shown[place.tenant] = [world.publication(place)]
    world.workspaces.provision(place.tenant)
    return place


def number(world: World, place: Place) -> int:
    return world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]


def public(world: World, place: Place) -> list[dict[str, Any]]:
    listed = requests.Request("GET", "/api/dashboards/public-dashboards", within=True)
    return world.ask(listed, organisation=number(world, place))["publicDashboards"]


def opened(world: World, place: Place) -> CapturePass:
    dashboard = world.shown[place.tenant][0].dashboard_id
    made = world.workspaces.capture_pass(place.tenant, for_s=60, dashboard_id=dashboard)
    assert made is not None and made.mode is Mode.PUBLIC
    return made


def test_a_page_is_public_for_the_picture_alone(world: World, place: Place) -> None:
    assert public(world, place) == []
    made = opened(world, place)
    assert not made.token
    assert [one["accessToken"] for one in public(world, place)] == [made.page]
    assert not world.grafana.plan(place), "a picture that is being taken is no drift"
    world.workspaces.end_pass(made)
    assert public(world, place) == []
    world.workspaces.end_pass(made)
    assert not world.grafana.plan(place)


def test_a_page_that_a_person_made_public_is_used_and_stays_as_it_is(world: World, place: Place) -> None:
    uid, org = f"b{world.shown[place.tenant][0].dashboard_id.hex}", number(world, place)
    theirs = world.ask(requests.publish_board(uid, "of-a-person"), organisation=org)
    made = opened(world, place)
    assert made.page == theirs["accessToken"]
    world.workspaces.end_pass(made)
    assert [one["uid"] for one in public(world, place)] == ["of-a-person"]
    assert not world.grafana.plan(place)
    if not REAL:
        world.eye._transport.organisations[org].public[uid]["isEnabled"] = False
        with pytest.raises(Stuck, match="paused it"):
            opened(world, place)
    world.ask(requests.unpublish_board(uid, "of-a-person"), organisation=org)


def test_with_the_tenant_its_public_pages_go_even_of_dashboards_that_stay_its_own(world: World) -> None:
    place = ready(world)
    org = number(world, place)
    opened(world, place)
    world.grafana.resolve(place, world.shown[place.tenant][0].dashboard_id, ours=False)
    world.delete(place)
    listed = requests.Request("GET", "/api/dashboards/public-dashboards", within=True)
    assert world.ask(listed, organisation=org)["publicDashboards"] == []


def test_a_dashboard_with_variables_is_not_made_public_for_a_picture_of_errors(world: World, place: Place) -> None:
    org, uid = number(world, place), f"b{world.shown[place.tenant][0].dashboard_id.hex}"
    there = world.ask(requests.board(uid), organisation=org)
    listed = [{"name": "corner", "type": "custom", "query": "ss,tt"}]
    changed = {**there["dashboard"], "templating": {"list": listed}}
    world.ask(requests.put_board(changed, there["meta"]["folderUid"], "by hand"), organisation=org)
    with pytest.raises(Stuck, match="fill no variables in, and this dashboard has corner"):
        opened(world, place)
    assert public(world, place) == []


def test_a_dashboard_that_is_not_there_is_waited_for(world: World, place: Place) -> None:
    world.ask(
        requests.delete_board(f"b{world.shown[place.tenant][0].dashboard_id.hex}"), organisation=number(world, place)
    )
    with pytest.raises(Later, match="not in Grafana"):
        opened(world, place)


def test_a_grafana_without_public_dashboards_is_told_in_a_clear_sentence(database: Database, tmp_path: Path) -> None:
    world = wire(Closed(), database, tmp_path)
    place = ready(world)
    with pytest.raises(Stuck, match="switched off in Grafana") as caught:
        opened(world, place)
    assert caught.value.problem == "grafana-public"
    assert "BELVEDERE_GRAFANA_CAPTURE" in (caught.value.hint or "")
    assert not world.grafana.plan(place)
    world.close()


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(Rejected, match="token, public, renderer"):
        mode_of("magic")
