"""What the last look at a workspace left for the pages: what differs, what was repaired, what stands in the way."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, NotFound
from belvedere.workspaces.drift.model import WorkspaceWord
from belvedere.workspaces.drift.service import Drift
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from grafana_world import World, access_of, make


class Switch(httpx2.BaseTransport):
    """A Grafana that can be switched off."""

    def __init__(self, twin: TwinGrafana) -> None:
        self.twin, self.on = twin, True

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self.on:
            message = "refused"
            raise httpx2.ConnectError(message, request=request)
        return self.twin.handle_request(request)


@pytest.fixture
def switch() -> Switch:
    return Switch(TwinGrafana())


@pytest.fixture
def world(database: Database, tmp_path: Path, switch: Switch) -> Iterator[World]:
    made = make(database, tmp_path, access_of("http://grafana.test"), transport=switch)
    made.eye = Grafana(access_of("http://grafana.test"), transport=switch.twin)
    yield made
    made.eye.close()
    made.close()


def test_what_differs_waits_for_a_person_or_is_repaired_and_told(world: World, switch: Switch) -> None:
    drift = Drift(database=world.database, tenants=world.tenants, workspaces=world.workspaces)
    place = world.tenant("alice")
    assert drift.state(SYSTEM, place.tenant).word is WorkspaceWord.WORKING
    board = world.publication(place)
    world.shown[place.tenant] = [board]
    world.workspaces.provision(place.tenant)
    state = drift.state(SYSTEM, place.tenant)
    assert (state.word, state.differs, state.by_hand, state.problem) == (WorkspaceWord.READY, 0, 0, "")
    assert state.url == f"http://grafana.test/?orgId={state.organisation}"
    assert drift.settled(SYSTEM) == [], "what was made for the first time did not drift"
    assert drift.list(SYSTEM).items == []

    # Somebody saves a dashboard, somebody renames a data source.
    org, uid = state.organisation, f"b{board.dashboard_id.hex}"
    document = world.ask(requests.board(uid), organisation=org)["dashboard"]
    world.ask(requests.put_board({**document, "title": "Mine now"}, "", "by hand"), organisation=org)
    source = world.ask(requests.sources(), organisation=org)[0]
    world.ask(requests.change_source(source["uid"], {**source, "name": "other"}), organisation=org)
    world.workspaces.provision(place.tenant)
    [found] = drift.list(SYSTEM).items
    assert (found.state.word, found.state.by_hand, found.state.differs) == (WorkspaceWord.DRIFTED, 1, 0)
    [hand] = found.differences
    assert hand.dashboard == board.dashboard_id
    assert ("title", "Mine now") in {(one.field, one.new) for one in hand.changes}
    [repaired] = drift.settled(SYSTEM, tenant=place.tenant)
    assert repaired.title == "Change the data source"
    assert [(one.field, one.old) for one in repaired.changes if one.field == "name"] == [("name", "other")]

    # Grafana goes away; what is known stays known, and the problem is told.
    switch.on = False
    with pytest.raises(BelvedereError):
        world.workspaces.provision(place.tenant)
    state = drift.state(SYSTEM, place.tenant)
    assert (state.word, state.problem_type, bool(state.problem), state.by_hand) == (
        WorkspaceWord.WAITING, "grafana-away", True, 1)
    [planned] = drift.plans(SYSTEM)
    assert planned.plan is None
    assert planned.error is not None
    assert planned.error.problem == "grafana-away"

    switch.on = True
    world.workspaces.resolve(SYSTEM, place.tenant, board.dashboard_id, ours=True)
    world.workspaces.provision(place.tenant)
    assert drift.state(SYSTEM, place.tenant).word is WorkspaceWord.READY
    assert drift.count(SYSTEM) == 0
    assert drift.tenant_of(SYSTEM, org).name == "alice"


def test_a_dashboard_that_was_noted_while_it_was_published_is_explained_at_the_next_look(world: World) -> None:
    drift = Drift(database=world.database, tenants=world.tenants, workspaces=world.workspaces)
    place = world.tenant("bob")
    board = world.publication(place)
    world.shown[place.tenant] = [board]
    world.workspaces.provision(place.tenant)
    org, uid = drift.state(SYSTEM, place.tenant).organisation, f"b{board.dashboard_id.hex}"
    document = world.ask(requests.board(uid), organisation=org)["dashboard"]
    world.ask(requests.put_board({**document, "title": "Mine now"}, "", "by hand"), organisation=org)
    world.workspaces.publish(place.tenant, board)
    assert drift.of(SYSTEM, place.tenant).differences == ()
    world.workspaces.provision(place.tenant)
    [told] = drift.of(SYSTEM, place.tenant).differences
    assert "title" in {one.field for one in told.changes}


def test_who_is_confined_to_another_tenant_learns_nothing(world: World) -> None:
    drift = Drift(database=world.database, tenants=world.tenants, workspaces=world.workspaces)
    place = world.tenant("carol")
    stranger = Actor(name="eve", role=Role.OWNER, tenant=place.tenant + 1)
    for ask in (
        lambda: drift.state(stranger, place.tenant), lambda: drift.list(stranger), lambda: drift.settled(stranger),
        lambda: drift.tenant_of(stranger, 1), lambda: list(drift.plans(stranger)), lambda: drift.looked_at(stranger),
        lambda: drift.count(stranger),
    ):
        with pytest.raises(NotFound):
            ask()
