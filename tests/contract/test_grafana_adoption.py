"""What the cost monitor, the file service's playbook and the credential manager made in a Grafana is taken over."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Rejected
from belvedere.workspaces.adoption.model import Candidate, Outcome
from belvedere.workspaces.adoption.service import Adoption, Choice
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.requests import Request
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from grafana_faults import Faulty
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


@dataclass
class Before:
    """A Grafana as it is today, by the hands of the earlier programs; `mark` keeps runs apart."""

    world: World
    adoption: Adoption
    eye: Grafana
    faulty: Faulty
    mark: str = field(default_factory=lambda: uuid4().hex[:6])
    organisations: list[int] = field(default_factory=list)
    users: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    def name(self, word: str) -> str:
        return f"{word}-{self.mark}"

    def organisation(self, name: str) -> int:
        self.organisations.append(self.eye.ask(requests.create_organisation(name)).body["orgId"])
        return self.organisations[-1]

    def user(self, login: str, organisation: int, role: str = "Viewer") -> int:
        made = self.eye.ask(requests.create_user(login, login, "as-it-was", organisation)).body["id"]
        self.eye.ask(requests.set_organisation_role(organisation, made, role))
        self.users.append(made)
        return made

    def source(self, organisation: int, uid: str, name: str, kind: str, database: str = "") -> None:
        body = {
            "uid": uid, "name": name, "type": kind, "access": "proxy", "url": "http://db:1", "user": "u",
            "database": database, "basicAuth": False, "isDefault": False, "withCredentials": False,
            "jsonData": {"database": database}, "secureJsonData": {"password": "p"},
        }
        self.eye.ask(requests.create_source(body), organisation=organisation)

    def board(self, organisation: int, uid: str, source: str, folder: str = "") -> None:
        panel = {"id": 1, "type": "table", "datasource": {"type": "x", "uid": source}, "targets": []}
        document = {"id": None, "uid": uid, "title": f"Board {uid}", "panels": [panel], "version": 0}
        self.eye.ask(requests.put_board(document, folder, ""), organisation=organisation)

    def shot(self, organisation: int) -> Any:
        """Return all that the earlier programs' users rely on: numbers, uids, versions, members, documents."""
        ask, here = self.eye.ask, organisation
        sources = [
            ask(requests.source(one["uid"]), organisation=here).body
            for one in ask(requests.sources(), organisation=here).body if self.mark in one["uid"]
        ]
        found = [one for one in ask(requests.search(), organisation=here).body if self.mark in one["uid"]]
        boards = [
            ask(requests.board(one["uid"]), organisation=here).body["dashboard"] for one in found
            if one["type"] == "dash-db"
        ]
        people = ask(requests.organisation_users(here)).body
        return {
            "name": ask(requests.organisation(here)).body["name"],
            "sources": sorted(sources, key=lambda one: one["uid"]),
            "found": sorted((one["uid"], one["title"], one.get("folderUid", "")) for one in found),
            "boards": sorted(boards, key=lambda one: one["uid"]),
            "people": sorted((one["userId"], one["role"]) for one in people if one["userId"] in self.users),
        }

    def look(self, **choice: Any) -> list[Candidate]:
        return [one for one in self.adoption.look(SYSTEM, Choice(**choice)) if self.mark in one.find.name]

    def take(self, organisation: int, **more: Any) -> Candidate:
        [one] = self.adoption.take(SYSTEM, Choice(organisation=organisation, **more))
        return one

    def place(self, name: str) -> Place:
        tenant = self.world.tenants.get(SYSTEM, name)
        self.places.append(Place(tenant.serial, tenant.name, tenant.slug))
        return self.places[-1]

    def close(self) -> None:
        for place in self.places:
            with suppress(BelvedereError):
                self.world.delete(place)
        for number in self.users:
            self.eye.ask(requests.delete_user(number), 404)
        for number in self.organisations:
            self.eye.ask(requests.delete_organisation(number), 404)
        self.eye.close()
        self.world.close()
        assert self.faulty.wrong == [], "requests that are not on the list"


def adoption_of(world: World, shared: int) -> Adoption:
    return Adoption(
        database=world.database, history=world.history, queue=world.queue, tenants=world.tenants,
        credentials=world.credentials, grafana=world.grafana.grafana, shared=lambda: shared,
    )


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def before(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Before]:
    real = REAL if request.param == "real" else ""
    twin = None if real else TwinGrafana()
    access = access_of(real or "http://grafana.test")
    eye = Grafana(access, transport=twin or httpx2.HTTPTransport())
    faulty = Faulty(twin or httpx2.HTTPTransport())
    shared = eye.ask(requests.create_organisation(f"Shared {uuid4().hex[:6]}")).body["orgId"]
    world = make(database, tmp_path, access, transport=faulty, shared=Shared("", shared))
    made = Before(world, adoption_of(world, shared), eye, faulty, organisations=[shared])
    yield made
    made.close()


def cost_monitor(before: Before, number: int, name: str) -> int:
    """Make what the cost monitor makes, and a dashboard that a person made in it."""
    org = before.organisation(f"Tenant {number} - {name}")
    before.user(f"{name}-editor@example.org", org, "Editor")
    before.source(org, f"timescale-{before.mark}", "TimescaleDB", "postgres", "costs")
    before.eye.ask(requests.create_folder(f"folder-{before.mark}", "Costs"), organisation=org)
    before.board(org, f"costs-{before.mark}", f"timescale-{before.mark}", f"folder-{before.mark}")
    return org


def playbook(before: Before, company: str) -> int:
    """Make what the playbook makes for a company: user, team, folder for that team alone, data source, dashboard."""
    org = before.organisations[0]
    user = before.user(f"user_{company}", org)
    ask, here = before.eye.ask, org
    team = ask(Request("POST", "/api/teams", {"name": company, "email": ""}, within=True), organisation=here).body
    number = team["teamId"]
    ask(Request("POST", f"/api/teams/{number}/members", {"userId": user}, within=True), organisation=here)
    ask(requests.create_folder(f"f-{company}", company), organisation=here)
    ask(Request(
        "POST", f"/api/folders/f-{company}/permissions", {"items": [{"teamId": number, "permission": 1}]}, within=True,
    ), organisation=here)
    before.source(org, f"influx-{company}", f"influxdb_{company}", "influxdb", company)
    before.board(org, f"campaign-{company}", f"influx-{company}", f"f-{company}")
    return number


def test_an_organisation_of_the_cost_monitor_becomes_the_tenants(before: Before) -> None:
    name = before.name("acme")
    org = cost_monitor(before, 70_417, name)
    shot = before.shot(org)
    [seen] = before.look()
    assert (seen.outcome, seen.number, seen.find.people) == (Outcome.CREATE, 70_417, 1)
    assert {one.kind for one in seen.find.things} == {"organisation", "source", "folder", "board"}
    assert before.shot(org) == shot and before.eye.ask(requests.organisation(org)).body["address"]["address1"] == ""

    before.take(org)
    place = before.place(name)
    assert place.tenant == 70_417
    assert [one.outcome for one in before.look()] == [Outcome.DONE]
    writes = before.faulty.writes()
    before.take(org)
    assert before.faulty.writes() == writes, "the second time does nothing"
    before.world.workspaces.provision(place.tenant)
    assert not before.world.grafana.plan(place)
    assert before.shot(org) == shot, "nothing of theirs changed"
    assert before.world.tenants.create(SYSTEM, before.name("next"))[0].serial > 70_417

    # On its way out the tenant leaves what it did not make, and the organisation with it.
    before.world.delete(place)
    assert before.shot(org) == shot


def test_a_tenant_that_is_there_is_linked_by_name_and_the_organisation_keeps_its_own(before: Before) -> None:
    name = before.name("beta")
    tenant = before.world.tenant(name)
    before.places.append(tenant)
    org = cost_monitor(before, 70_418, name.upper())
    before.eye.ask(requests.remove_organisation_user(org, 1), 400)
    [seen] = before.look() or before.adoption.look(SYSTEM, Choice(organisation=org))
    assert (seen.outcome, seen.tenant) == (Outcome.LINK, tenant.tenant)
    before.take(org)
    before.world.workspaces.provision(tenant.tenant)
    assert before.eye.ask(requests.organisation(org)).body["name"] == f"Tenant 70418 - {name.upper()}"
    assert not before.world.grafana.plan(tenant)


def test_an_organisation_that_belvedere_is_no_member_of_is_joined_and_looked_into(before: Before) -> None:
    org = cost_monitor(before, 70_419, before.name("gamma"))
    owner = before.user(f"admin-{before.mark}", org, "Admin")
    admin = before.eye.ask(requests.user_named(before.eye.access.user)).body["id"]
    before.eye.ask(requests.remove_organisation_user(org, admin))
    [seen] = before.look(organisation=org)
    assert not seen.find.inside and owner in before.users
    before.take(org)
    before.place(before.name("gamma"))
    assert [one.outcome for one in before.look()] == [Outcome.DONE]


def test_what_is_ambiguous_or_taken_is_refused_until_somebody_chooses(before: Before) -> None:
    world, name = before.world, before.name("delta")
    taken = world.tenant(before.name("other"))
    before.places.append(taken)
    org = cost_monitor(before, taken.tenant, name)
    [seen] = before.look()
    assert seen.outcome is Outcome.REFUSED and f"taken by tenant {taken.name}" in seen.why
    before.organisation(f"Tenant 70420 - {name}")
    assert ["Several finds" in one.why for one in before.look()] == [True, True]
    assert before.adoption.take(SYSTEM, Choice(name=name)) == before.look()
    with pytest.raises(Rejected, match="for one find alone"):
        before.adoption.look(SYSTEM, Choice(name=name, tenant="x"))
    before.take(org, tenant=name)
    place = before.place(name)
    world.workspaces.provision(place.tenant)
    assert before.eye.ask(requests.organisation(org)).body["name"] == f"Tenant {taken.tenant} - {name}"
    odd = before.organisation(f"Tenant 70421 - a/b:{before.mark}")
    [seen] = before.look(organisation=odd)
    assert seen.outcome is Outcome.REFUSED and "a slash" in seen.why


def test_a_company_of_the_playbook_becomes_a_tenant_of_tier_team(before: Before) -> None:
    company = before.name("comp")
    org, team = before.organisations[0], playbook(before, company)
    shot = before.shot(org)
    [seen] = before.look()
    assert seen.outcome is Outcome.CREATE, seen.why
    assert sorted(one.kind for one in seen.find.things) == ["board", "folder", "source", "team"]
    before.take(org)
    place = before.place(company)
    assert [one.outcome for one in before.look()] == [Outcome.DONE]
    before.world.workspaces.provision(place.tenant)
    assert not before.world.team.plan(place)
    assert before.shot(org) == shot, "uids, documents and members stay"
    ask = before.eye.ask
    people = ask(Request("GET", f"/api/teams/{team}/members", within=True), organisation=org).body
    assert before.users[0] in {one["userId"] for one in people}
    assert before.world.team.grafana.is_login(f"user_{company}", access_of("http://u:as-it-was@x").password)
    other = adoption_of(before.world, 1).look(SYSTEM, Choice(organisation=org))
    assert [one.outcome for one in other] == [Outcome.DONE]


def test_a_company_that_is_not_whole_or_stands_elsewhere_is_refused(before: Before) -> None:
    company = before.name("half")
    org = before.organisations[0]
    before.source(org, f"influx-{company}", f"influxdb_{company}", "influxdb", company)
    [seen] = before.look()
    assert (seen.outcome, seen.why) == (Outcome.REFUSED, "It lacks a team and a folder.")
    whole = before.name("whole")
    playbook(before, whole)
    [seen] = adoption_of(before.world, 999).look(SYSTEM, Choice(name=whole))
    assert seen.outcome is Outcome.REFUSED and f"BELVEDERE_GRAFANA_SHARED={org}" in seen.hint


def test_sources_of_the_credential_manager_are_the_tenants_and_their_uids_are_told(before: Before) -> None:
    name, org = before.name("alice"), before.organisations[0]
    for kind in ("timing_report", "QOR", "drc"):
        before.source(org, f"ds-{kind}-{before.mark}", f"{name} {kind}", "postgres", f"{name}-{kind}")
    before.source(org, f"stranger-{before.mark}", "stranger", "postgres", "warehouse")
    before.board(org, f"timing-{before.mark}", f"ds-timing_report-{before.mark}")
    before.board(org, f"foreign-{before.mark}", f"stranger-{before.mark}")
    shot = before.shot(org)
    [seen] = before.look()
    assert seen.outcome is Outcome.CREATE
    assert sorted((one.kind, one.ident.split("-")[0]) for one in seen.find.things) == [
        ("board", "timing"), ("source", "ds"), ("source", "ds"), ("source", "ds")]
    before.take(org, name=name)
    place = before.place(name)
    uid = before.world.credentials.read(place.tenant, "GRAFANA_UID_TIMING_REPORT")
    assert uid is not None and uid.reveal() == f"ds-timing_report-{before.mark}"
    before.world.workspaces.provision(place.tenant)
    uid = before.world.credentials.read(place.tenant, "GRAFANA_UID_QOR")
    assert uid is not None and uid.reveal() == f"ds-QOR-{before.mark}"
    assert before.shot(org) == shot and [one.outcome for one in before.look()] == [Outcome.DONE]
