"""Members of tenants as users of Grafana, over the twin and over the real one of BELVEDERE_TEST_GRAFANA_URL."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Conflict, Forbidden, Later, NotFound, Stuck
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.people import users as members_in_grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from grafana_faults import Faulty
from grafana_world import REAL, World, access_of, make

pytestmark = pytest.mark.contract


class House:
    """A world, people with addresses of their own, and eyes that see as they do."""

    def __init__(self, real: str, database: Database, folder: Path) -> None:
        self.twin = None if real else TwinGrafana()
        self.access = access_of(real or "http://grafana.test")
        self.faulty = Faulty(self.twin or httpx2.HTTPTransport())
        self.world: World = make(database, folder, self.access, transport=self.faulty)
        self.world.eye = Grafana(self.access, transport=self.twin or httpx2.HTTPTransport())
        self.mark = uuid4().hex[:8]
        self.places: list[Place] = []
        self.made: list[int] = []

    def address(self, name: str) -> str:
        return f"{name}.{self.mark}@example.org"

    def tenant(self, *people: tuple[str, Role]) -> Place:
        """Make a tenant of Olga and these people, and its organisation."""
        place = self.world.tenant()
        self.places.append(place)
        for name, role in (("olga", Role.OWNER), *people):
            self.world.members.add(SYSTEM, place.tenant, self.address(name), role=role)
        self.provision(place)
        return place

    def provision(self, place: Place) -> None:
        self.world.workspaces.provision(place.tenant)
        assert not self.world.grafana.plan(place)

    def organisation(self, place: Place) -> int:
        with self.world.database.transaction() as connection:
            query = "SELECT organisation FROM grafana_workspace WHERE tenant_id = %s"
            row = connection.execute(query, [place.tenant]).fetchone()
        return int(row["organisation"]) if row else 0

    def roles(self, place: Place) -> dict[str, str]:
        """Return who is in the tenant's organisation, by the first word of the address."""
        listed = self.world.ask(requests.organisation_users(self.organisation(place)))
        return {one["login"].partition(".")[0]: one["role"] for one in listed if self.mark in one["login"]}

    def user(self, name: str) -> dict[str, object] | None:
        answer = (self.world.eye or self.world.grafana.grafana).ask(requests.user_named(self.address(name)), 404)
        return answer.body if answer.status == 200 else None

    def by_hand(self, name: str, password: str = "made-by-hand", organisation: int = 1) -> int:
        """Make a user as an administrator of Grafana does."""
        request = requests.create_member(self.address(name), self.address(name), name, password, organisation)
        self.made.append(self.world.ask(request)["id"])
        return self.made[-1]

    def sees(self, place: Place, login: str, password: Secret) -> bool:
        """Tell whether somebody who signs in may see the tenant's organisation."""
        theirs = Grafana(
            Access(self.access.url, login, password), transport=self.twin or httpx2.HTTPTransport(),
            pause=lambda _s: None,
        )
        try:
            return theirs.verify(self.organisation(place))
        except Stuck:
            return False
        finally:
            theirs.close()

    def close(self) -> None:
        for place in self.places:
            with suppress(BelvedereError):
                self.world.delete(place)
        for number in self.made:
            self.world.ask(requests.delete_user(number), 404)
        if self.world.eye is not None:
            self.world.eye.close()
        self.world.close()
        assert self.faulty.wrong == [], "requests that are not on the list"


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def house(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[House]:
    made = House(REAL if request.param == "real" else "", database, tmp_path)
    yield made
    made.close()


def look_after(house: House, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the check of those who left as if Grafana's caches had ended."""
    monkeypatch.setattr(members_in_grafana, "FORGETS_S", 0.0)
    monkeypatch.setattr("belvedere.workspaces.grafana.people.roster.FORGETS_S", 0.0)
    house.world.people.look_after(str(place.tenant))


def leaving(house: House, place: Place) -> list[str]:
    with house.world.database.transaction() as connection:
        query = "SELECT login FROM grafana_member WHERE tenant_id = %s AND left_at IS NOT NULL"
        return [row["login"] for row in connection.execute(query, [place.tenant])]


def test_members_are_users_with_their_roles_and_follow_what_changes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = house.world
    place = house.tenant(("ann", Role.ADMIN), ("edith", Role.EDITOR), ("vera", Role.VIEWER))
    assert house.roles(place) == {"olga": "Admin", "ann": "Admin", "edith": "Editor", "vera": "Viewer"}
    assert house.user("vera") is not None and house.user("vera")["name"] == f"vera.{house.mark}"

    world.members.set_role(SYSTEM, place.tenant, house.address("vera"), Role.EDITOR)
    world.members.suspend(SYSTEM, place.tenant, house.address("ann"), suspended=True)
    plan = world.grafana.plan(place)
    assert [(one.sign.value, one.title, one.target.partition(".")[0]) for one in plan.steps] == [
        ("~", "Change the member", "vera"), ("-", "Take the member out", "ann"),
    ]
    house.provision(place)
    assert house.roles(place) == {"olga": "Admin", "edith": "Editor", "vera": "Editor"}
    world.members.suspend(SYSTEM, place.tenant, house.address("ann"), suspended=False)
    house.provision(place)
    assert house.roles(place)["ann"] == "Admin" and leaving(house, place) == []

    # A role that somebody changed in Grafana is drift as anything else; who is not ours stays.
    org = house.organisation(place)
    world.ask(requests.set_organisation_role(org, house.user("edith")["id"], "Admin"))
    house.by_hand("guest", organisation=org)
    house.provision(place)
    assert house.roles(place) == {
        "olga": "Admin", "ann": "Admin", "edith": "Editor", "vera": "Editor", "guest": "Viewer"}

    world.members.remove(SYSTEM, place.tenant, house.address("vera"))
    house.provision(place)
    assert leaving(house, place) == [house.address("vera")]
    with pytest.raises(Later):
        world.people.look_after(str(place.tenant))
    look_after(house, place, monkeypatch)
    assert leaving(house, place) == [] and house.user("vera") is None


def test_who_was_taken_out_sees_nothing_after_the_caches_have_ended(house: House) -> None:
    place = house.tenant(("vera", Role.VIEWER))
    world = house.world
    login, password = world.people.take_password(SYSTEM, place.tenant, house.address("vera"))
    assert house.sees(place, login, password)
    with pytest.raises(Conflict, match="handed over before"):
        world.people.take_password(SYSTEM, place.tenant, house.address("vera"))
    other = house.tenant(("vera", Role.VIEWER))
    assert house.sees(other, login, password), "one user for both tenants"
    world.members.remove(SYSTEM, place.tenant, house.address("vera"))
    house.provision(place)
    began = monotonic_s()
    while house.sees(place, login, password):
        assert monotonic_s() - began < 11
    assert house.sees(other, login, password), "the other tenant needs the user"
    while True:
        try:
            world.people.look_after(str(place.tenant))
        except Later:
            assert monotonic_s() - began < 12
        else:
            break
    assert leaving(house, place) == []


def test_one_person_has_one_user_until_no_tenant_needs_it(house: House) -> None:
    first = house.tenant(("vera", Role.EDITOR))
    second = house.tenant(("vera", Role.VIEWER))
    assert (house.roles(first)["vera"], house.roles(second)["vera"]) == ("Editor", "Viewer")
    number = house.user("vera")["id"]
    house.world.delete(first)
    house.places.remove(first)
    assert house.user("vera")["id"] == number
    assert house.roles(second) == {"olga": "Admin", "vera": "Viewer"}
    house.world.delete(second)
    house.places.remove(second)
    assert house.user("vera") is None and house.user("olga") is None


def test_a_user_that_somebody_made_is_only_added_and_taken_out(house: House) -> None:
    world, number = house.world, house.by_hand("hans")
    place = house.tenant(("hans", Role.EDITOR))
    assert house.roles(place)["hans"] == "Editor" and house.user("hans")["id"] == number
    with pytest.raises(NotFound, match="not one that Belvedere made"):
        world.people.take_password(SYSTEM, place.tenant, house.address("hans"))
    assert world.grafana.grafana.is_login(house.address("hans"), Secret("made-by-hand"))
    world.members.remove(SYSTEM, place.tenant, house.address("hans"))
    house.provision(place)
    assert "hans" not in house.roles(place) and house.user("hans")["id"] == number


def test_a_user_of_a_single_sign_on_is_recognised(house: House) -> None:
    if house.twin is None:
        pytest.skip("the real server has no identity provider here")
    number = house.by_hand("sam")
    house.twin.users[number].labels = ["Generic OAuth"]
    place = house.tenant(("sam", Role.VIEWER))
    assert house.roles(place)["sam"] == "Viewer"
    # One that we made and that signs in by single sign-on since is the provider's from then on.
    vera = house.tenant(("vera", Role.VIEWER))
    house.twin.users[house.user("vera")["id"]].labels = ["Generic OAuth"]
    with pytest.raises(NotFound):
        house.world.people.take_password(SYSTEM, vera.tenant, house.address("vera"))
    house.world.members.remove(SYSTEM, vera.tenant, house.address("vera"))
    house.provision(vera)
    assert house.user("vera") is not None and "vera" not in house.roles(vera)


def test_nobody_slips_in_under_another_address(house: House) -> None:
    world = house.world
    first = house.tenant(("mallory", Role.VIEWER))
    mallory = house.user("mallory")["id"]
    hand = house.by_hand("handy", organisation=house.organisation(first))
    for number, name in ((mallory, "boss"), (hand, "chief")):
        body = {"login": house.address(name), "email": house.address(name), "name": name}
        world.ask(requests.Request("PUT", f"/api/users/{number}", body))
        second = world.tenant()
        house.places.append(second)
        world.members.add(SYSTEM, second.tenant, house.address(name), role=Role.OWNER)
        with pytest.raises(Stuck, match="cannot be taken for the member"):
            world.workspaces.provision(second.tenant)
        assert house.roles(second) == {}


def test_a_password_goes_to_the_member_or_an_operator_alone(house: House) -> None:
    place = house.tenant(("vera", Role.VIEWER))
    member = house.world.members.get(SYSTEM, place.tenant, house.address("vera"))
    admin = Actor(name="olga", role=Role.OWNER, tenant=place.tenant, door="portal", origin="")
    with pytest.raises(Forbidden, match="Only the member"):
        house.world.people.take_password(admin, place.tenant, member.login)
    her = Actor(name="vera", role=Role.VIEWER, tenant=place.tenant, door="portal", origin="", person=member.id)
    login, password = house.world.people.take_password(her, place.tenant, member.login)
    assert house.sees(place, login, password)


def test_what_grafana_did_unseen_is_found_again(house: House) -> None:
    """Each write's answer is lost once: nobody is made twice, and the user stays ours."""
    lost: set[str] = set()

    def fault(_count: int, request: httpx2.Request) -> str | None:
        key = f"{request.method} {request.url.path}"
        if request.method in {"POST", "PATCH", "DELETE"} and "users" in key and key not in lost:
            lost.add(key)
            return "lost"
        return None

    house.faulty.fault = fault
    place = house.tenant(("vera", Role.EDITOR))
    assert house.roles(place) == {"olga": "Admin", "vera": "Editor"} and lost
    house.world.members.remove(SYSTEM, place.tenant, house.address("vera"))
    house.provision(place)
    assert house.user("vera") is None


def test_an_emptied_grafana_gets_everybody_back(house: House) -> None:
    if house.twin is None:
        pytest.skip("nobody empties the server that other tests use")
    place = house.tenant(("vera", Role.VIEWER))
    empty = TwinGrafana()
    house.twin.users, house.twin.organisations, house.twin._last = empty.users, empty.organisations, 1
    house.by_hand("early")  # takes a number that was Olga's or Vera's
    house.world.grafana.grafana._verified.clear()
    house.provision(place)
    assert house.roles(place) == {"olga": "Admin", "vera": "Viewer"}


def test_the_login_that_belvedere_uses_keeps_its_rights(house: House) -> None:
    place = house.world.tenant()
    house.places.append(place)
    house.world.members.add(SYSTEM, place.tenant, house.address("olga"))
    admin = house.world.ask(requests.user_named(house.access.user))
    if "@" not in admin["email"]:
        pytest.skip("the administrator has no address")
    house.world.members.add(SYSTEM, place.tenant, admin["email"], role=Role.VIEWER)
    house.provision(place)
    listed = house.world.ask(requests.organisation_users(house.organisation(place)))
    assert next(one["role"] for one in listed if one["userId"] == admin["id"]) == "Admin"


def test_the_default_user_goes_with_its_tenant_unless_the_settings_let_it_stay(
    house: House, database: Database, tmp_path: Path
) -> None:
    gone = house.tenant()
    house.world.delete(gone)
    house.places.remove(gone)
    eye = house.world.eye
    assert eye is not None and eye.ask(requests.user_named(f"user_{gone.name}"), 404).status == 404
    keeping = make(
        database, tmp_path, house.access, transport=house.twin or httpx2.HTTPTransport(),
        options=Options(user_stays=True),
    )
    stays = keeping.tenant()
    keeping.workspaces.provision(stays.tenant)
    keeping.delete(stays)
    user = eye.ask(requests.user_named(f"user_{stays.name}")).body
    house.made.append(user["id"])
    assert eye.ask(requests.user_organisations(user["id"])).body == []
    keeping.close()
