"""Where Grafana 9.3.2 is not like 11.0.0, on a twin that behaves as it was seen to; the real one where it is given.

The other contract suites run on a real 9.3.2 as well. What it cannot do at all is said there: identity of those who
ask (tier `team` with the gateway), public dashboards without a toggle.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.plan import render
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.passes import Mode
from belvedere.workspaces.grafana.testing_old import OldTwinGrafana
from belvedere.workspaces.port import Place
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    access = access_of(REAL if request.param == "real" else "http://grafana.test")
    inner = OldTwinGrafana() if request.param == "twin" else httpx2.HTTPTransport()
    made = make(database, tmp_path, access, transport=inner)
    made.eye = Grafana(access, transport=inner)
    yield made
    made.eye.close()
    made.close()


def ready(world: World) -> Place:
    place = world.tenant()
    world.shown[place.tenant] = [world.publication(place)]
    world.workspaces.provision(place.tenant)
    return place


def number(world: World, place: Place) -> int:
    return world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]


def test_one_apply_is_enough_and_the_plugin_is_the_one_that_is_there(world: World) -> None:
    place = ready(world)
    assert not world.grafana.plan(place)
    plugin = world.grafana.grafana.postgres_plugin(number(world, place))
    sources = world.ask(requests.sources(), organisation=number(world, place))
    assert {one["type"] for one in sources} == {plugin}
    world.delete(place)


def test_a_database_that_does_not_answer_is_told_in_grafanas_words_and_one_that_does_is_well(world: World) -> None:
    place = ready(world)
    twin = world.eye._transport
    if isinstance(twin, OldTwinGrafana):
        assert world.grafana.sick_sources(place) == []
        twin.good_password = lambda _password: False
    sick = world.grafana.sick_sources(place)
    assert len(sick) == 3 and all(re.search("connect|password|pq:", said) for _, said in sick), sick
    world.delete(place)


def test_another_database_in_a_data_source_is_drift_where_grafana_reads_it(world: World) -> None:
    place = ready(world)
    org = number(world, place)
    uid = world.ask(requests.sources(), organisation=org)[0]["uid"]

    def change(name: str) -> None:
        there = world.ask(requests.source(uid), organisation=org)
        world.ask(requests.change_source(uid, {**there, "secureJsonData": {}, "database": name}), organisation=org)

    ours = world.ask(requests.source(uid), organisation=org)
    change("postgres")
    assert f"database: postgres -> {ours['database']}" in render(world.grafana.plan(place))
    world.workspaces.provision(place.tenant)
    assert world.ask(requests.source(uid), organisation=org)["database"] == ours["database"]
    # Before version 10 it cannot be emptied. Later Grafana's own page does: what stands in `jsonData` counts there.
    change("")
    assert not world.grafana.plan(place)
    world.workspaces.provision(place.tenant)
    world.delete(place)


def test_an_organisation_that_was_deleted_with_its_account_for_previews_is_made_again(world: World) -> None:
    place = ready(world)
    before = number(world, place)
    world.ask(requests.delete_organisation(before))
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    after = number(world, place)
    assert after != before
    [account] = world.ask(requests.service_accounts(), organisation=after)["serviceAccounts"]
    assert account["role"] == "Viewer"
    made = world.workspaces.capture_pass(place.tenant, for_s=60)
    assert made is not None
    world.workspaces.end_pass(made)
    world.delete(place)


def test_a_token_tells_its_organisation_and_its_end(world: World) -> None:
    place, other = ready(world), ready(world)
    made = world.workspaces.capture_pass(place.tenant, for_s=60)
    assert made is not None
    token = Access(world.eye.access.url, token=made.token)
    stranger = Grafana(token, transport=world.eye._transport)
    assert stranger.verify(made.organisation)
    if stranger.version() < (10,):
        with pytest.raises(Stuck, match="instead of"):
            stranger.verify(number(world, other))
    else:
        assert not stranger.verify(number(world, other))
    world.workspaces.end_pass(made)
    with pytest.raises(Stuck, match="does not know"):
        Grafana(token, transport=world.eye._transport, pause=lambda _s: None).ask(
            requests.search(), organisation=made.organisation)
    for one in (place, other):
        world.delete(one)


def test_public_pages_are_not_used_where_they_are_only_tried_out(database: Database, tmp_path: Path) -> None:
    made = make(
        database, tmp_path, access_of("http://grafana.test"), transport=OldTwinGrafana(),
        options=Options(capture=Mode.PUBLIC),
    )
    place = ready(made)
    dashboard = made.shown[place.tenant][0].dashboard_id
    with pytest.raises(Stuck, match="before 10") as caught:
        made.workspaces.capture_pass(place.tenant, for_s=60, dashboard_id=dashboard)
    assert caught.value.problem == "grafana-public"
    made.close()


def test_an_upgrade_that_gives_the_plugin_another_name_is_no_drift(world: World) -> None:
    place = ready(world)
    twin = world.eye._transport
    if not isinstance(twin, OldTwinGrafana):
        pytest.skip("nobody upgrades the server that other tests use")
    twin.version = "11.0.0"
    world.grafana.grafana._version = world.grafana.grafana._plugin = None
    assert world.grafana.grafana.postgres_plugin(number(world, place)) == "grafana-postgresql-datasource"
    assert not world.grafana.plan(place)
    world.delete(place)
