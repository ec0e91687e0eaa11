"""Members through the pages: invite, accept, sign in, switch, change roles, leave."""

import fcntl
import re
from datetime import timedelta
from http import HTTPStatus

import msgspec
import pytest
from flask import Flask
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.running import PartState, State
from belvedere.kernel.secret import Secret
from belvedere.web.context import SESSION_COOKIE

PASSWORD = "a fine november password"


@pytest.fixture
def acme(services: Services) -> int:
    return services.tenants.create(ADMIN, "acme")[0].serial


def link_of(page: str) -> str:
    return re.search(r"/invitations/[a-z2-7]{40}", page)[0]


def invited(by: Browser, tenant: str = "acme", **form: str) -> str:
    page = by.post(f"/tenants/{tenant}/members/invite", **form)
    assert page.status_code == HTTPStatus.OK, page.text
    assert page.headers["Cache-Control"] == "no-store"
    return link_of(page.text)


def settle(browser: Browser, services: Services) -> Browser:
    """Take what forms carry from the session that the browser has now."""
    cookie = browser.client.get_cookie(SESSION_COOKIE)
    session = services.sessions.find(Secret(cookie.value)) if cookie else None
    browser.csrf = session.csrf if session else ""
    return browser


def join(app: Flask, services: Services, link: str, name: str, email: str = "") -> Browser:
    """Open a link in a new browser and make the account."""
    browser = Browser(app.test_client())
    answer = browser.post(
        link, name=name, email=email or f"{name.lower()}@example.org", password=PASSWORD, again=PASSWORD
    )
    assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
    return settle(browser, services)


@pytest.fixture
def alice(app: Flask, services: Services, dana: Browser, acme: int) -> Browser:
    """The first member of acme: its owner."""
    return join(app, services, invited(dana), "Alice")


def member_id(services: Services, serial: int, email: str) -> str:
    return str(services.members.get(SYSTEM, serial, email).id)


def test_the_first_who_is_invited_owns_the_tenant_and_lands_in_it(
    app: Flask, services: Services, dana: Browser, acme: int
) -> None:
    link = invited(dana, email="alice@example.org")
    nobody = Browser(app.test_client())
    page = nobody.get(link)
    assert "Join acme" in page.text
    assert 'value="alice@example.org"' in page.text
    answer = nobody.post(link, name="Alice Moreau", email="Alice@Example.org", password=PASSWORD, again=PASSWORD)
    assert answer.headers["Location"] == "/tenants/acme"
    assert "Provisioning" in nobody.get("/tenants/acme").text
    [alice] = services.members.list(SYSTEM, acme)
    assert (alice.name, alice.email, alice.login) == ("Alice Moreau", "Alice@Example.org", "alice@example.org")
    assert (alice.role, alice.active, alice.source) == (Role.OWNER, True, "invitation")


def test_a_link_works_once(app: Flask, services: Services, dana: Browser, acme: int) -> None:
    link = invited(dana)
    join(app, services, link, "Alice")
    again = Browser(app.test_client())
    assert again.get(link).status_code == HTTPStatus.NOT_FOUND
    answer = again.post(link, name="Eve", email="eve@example.org", password=PASSWORD, again=PASSWORD)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "used, withdrawn, or has expired" in answer.text
    assert [one.name for one in services.members.list(SYSTEM, acme)] == ["Alice"]


def test_a_link_ends_by_time_and_by_being_withdrawn(services: Services, nobody: Browser, alice: Browser) -> None:
    link = invited(alice, email="bob@example.org", role="viewer")
    with services.database.transaction() as connection:
        connection.execute("UPDATE invitation SET expires_at = now() - interval '1 second' WHERE used_at IS NULL")
    assert nobody.get(link).status_code == HTTPStatus.NOT_FOUND
    other = invited(alice, email="bob@example.org", role="viewer")
    page = alice.get("/tenants/acme/members").text
    [withdraw] = re.findall(r"/tenants/acme/members/invitations/[0-9a-f-]+/withdraw", page)
    assert alice.post(withdraw).status_code == HTTPStatus.SEE_OTHER
    assert nobody.get(other).status_code == HTTPStatus.NOT_FOUND


def test_a_link_for_an_address_takes_no_other(app: Flask, services: Services, alice: Browser, acme: int) -> None:
    link = invited(alice, email="bob@example.org", role="viewer")
    eve = Browser(app.test_client())
    answer = eve.post(link, name="Eve", email="eve@example.org", password=PASSWORD, again=PASSWORD)
    assert "This invitation is for bob@example.org" in answer.text
    assert len(services.members.list(SYSTEM, acme)) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "Write a name"), ({"email": "bob"}, "no e-mail address"),
        ({"password": "short", "again": "short"}, "at least 12"),
        ({"again": "another one entirely"}, "not the same"),
        ({"password": "bobby@ bobby@ 12", "again": "bobby@ bobby@ 12", "email": "bobby@example.org"}, "holds the name"),
        ({"email": "a\u2028b@example.org"}, "no e-mail address"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_do_says_why_and_keeps_the_link(
    app: Flask, services: Services, alice: Browser, wrong: dict[str, str], said: str
) -> None:
    link = invited(alice, role="viewer")
    form = {"name": "Bob", "email": "bob@example.org", "password": PASSWORD, "again": PASSWORD, **wrong}
    answer = Browser(app.test_client()).post(link, **form)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert said in answer.text
    assert PASSWORD not in answer.text
    join(app, services, link, "Bob")


def test_a_member_signs_in_at_the_same_page_with_the_address(app: Flask, services: Services, alice: Browser) -> None:
    browser = Browser(app.test_client())
    answer = browser.post("/sign-in", name="ALICE@example.org", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/")
    home = browser.get("/").text
    for label in ("Look", "Data", "Members", "API keys"):
        assert label in home
    for hidden in ("/jobs", "/templates", "/settings/operators", "New tenant"):
        assert f'"{hidden}"' not in home
    wrong = Browser(app.test_client()).post("/sign-in", name="alice@example.org", password="wrong" * 4)
    assert wrong.status_code == HTTPStatus.UNAUTHORIZED


def test_a_person_in_two_tenants_goes_from_one_to_the_other(
    app: Flask, services: Services, dana: Browser, alice: Browser
) -> None:
    services.tenants.create(ADMIN, "globex")
    link = invited(dana, "globex", email="alice@example.org")
    eve = Browser(app.test_client())
    known = eve.post(link, name="Alice", email="alice@example.org", password=PASSWORD, again=PASSWORD)
    assert known.status_code == HTTPStatus.CONFLICT
    assert "has an account here already" in known.text
    page = alice.get(link).text
    assert "You are signed in as <b>Alice</b>" in page
    assert alice.post(f"{link}/join").headers["Location"] == "/tenants/globex"
    assert alice.get("/tenants/globex").status_code == HTTPStatus.OK
    assert "Dashboards" in alice.get("/tenants/acme/dashboards").text
    # Pages without a tenant stay where one was last; the way to the other one is in the header.
    home = alice.get("/").text
    assert 'href="/tenants/acme/members"' in home
    assert 'href="/tenants/globex"' in home
    alice.get("/tenants/globex")
    assert 'href="/tenants/globex/members"' in alice.get("/").text
    assert [one.role for one in services.members.list(SYSTEM, 2)] == [Role.OWNER]


def test_the_same_person_may_be_owner_here_and_viewer_there(
    app: Flask, services: Services, dana: Browser, alice: Browser
) -> None:
    services.tenants.create(ADMIN, "globex")
    bob = join(app, services, invited(dana, "globex"), "Bob")
    link = invited(bob, "globex", role="viewer")
    alice.post(f"{link}/join")
    assert alice.post("/tenants/globex/members/invite", role="viewer").status_code == HTTPStatus.FORBIDDEN
    assert alice.post("/tenants/globex/keys/rotate").status_code == HTTPStatus.FORBIDDEN
    assert alice.post("/tenants/acme/members/invite", role="viewer").status_code == HTTPStatus.OK


def test_the_last_owner_stays(services: Services, dana: Browser, alice: Browser, acme: int) -> None:
    own = f"/tenants/acme/members/{member_id(services, acme, 'alice@example.org')}"
    for by in (alice, dana):
        for path, form in ((f"{own}/remove", {}), (f"{own}/role", {"role": "admin"}), (f"{own}/suspend", {})):
            answer = by.post(path, **form)
            assert answer.status_code == HTTPStatus.CONFLICT, path
            assert "the last owner" in answer.text
    assert services.members.list(SYSTEM, acme)[0].role is Role.OWNER


def test_with_another_owner_one_may_leave_and_the_account_is_forgotten(
    app: Flask, services: Services, alice: Browser, acme: int
) -> None:
    join(app, services, invited(alice, role="owner"), "Bob")
    own = f"/tenants/acme/members/{member_id(services, acme, 'alice@example.org')}"
    assert alice.post(f"{own}/remove").status_code == HTTPStatus.SEE_OTHER
    assert alice.get("/tenants/acme").headers["Location"].startswith("/sign-in")
    with services.database.transaction() as connection:
        assert connection.execute("SELECT login FROM person").fetchall() == [{"login": "bob@example.org"}]
    answer = alice.client.post("/sign-in", data={"name": "alice@example.org", "password": PASSWORD})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED


def test_an_admin_manages_people_but_no_owner(app: Flask, services: Services, alice: Browser, acme: int) -> None:
    bob = join(app, services, invited(alice, role="admin"), "Bob")
    page = bob.get("/tenants/acme/members").text
    assert "<option>owner</option>" not in page
    owner = f"/tenants/acme/members/{member_id(services, acme, 'alice@example.org')}"
    own = f"/tenants/acme/members/{member_id(services, acme, 'bob@example.org')}"
    for path, form in ((f"{owner}/remove", {}), (f"{owner}/suspend", {}), (f"{own}/role", {"role": "owner"}),
                       ("/tenants/acme/members/invite", {"role": "owner"})):  # fmt: skip
        assert bob.post(path, **form).status_code == HTTPStatus.FORBIDDEN, path
    join(app, services, invited(bob, role="editor"), "Charlie")
    charlie = f"/tenants/acme/members/{member_id(services, acme, 'charlie@example.org')}"
    assert bob.post(f"{charlie}/role", role="viewer").status_code == HTTPStatus.SEE_OTHER
    assert services.members.get(SYSTEM, acme, "charlie@example.org").role is Role.VIEWER


def test_who_may_invite_no_more_has_no_link_left(app: Flask, services: Services, alice: Browser, acme: int) -> None:
    bob = join(app, services, invited(alice, role="admin"), "Bob")
    link = invited(bob, role="admin")
    alice.post(f"/tenants/acme/members/{member_id(services, acme, 'bob@example.org')}/remove")
    assert Browser(app.test_client()).get(link).status_code == HTTPStatus.NOT_FOUND


def test_a_suspended_member_is_out_at_once_and_back_when_let_in(
    app: Flask, services: Services, alice: Browser, acme: int
) -> None:
    bob = join(app, services, invited(alice, role="admin"), "Bob")
    page = bob.post("/tenants/acme/keys/tokens", name="ci", role="admin", life="never").text
    token = Secret(re.search(r"bvd_[a-z2-7]{10}_[a-z2-7]{40}", page)[0])
    assert services.tokens.actor(token).role is Role.ADMIN
    own = f"/tenants/acme/members/{member_id(services, acme, 'bob@example.org')}"
    alice.post(f"{own}/suspend")
    assert bob.get("/tenants/acme").headers["Location"].startswith("/sign-in")
    assert services.tokens.actor(token) is None
    alice.post(f"{own}/resume")
    assert bob.get("/tenants/acme").status_code == HTTPStatus.OK
    alice.post(f"{own}/role", role="viewer")
    assert services.tokens.actor(token).role is Role.VIEWER, "a token never may more than the member"
    alice.post(f"{own}/remove")
    assert services.tokens.actor(token) is None
    assert services.tokens.list(SYSTEM, tenant=acme) == []


def test_nobody_but_the_owner_joins_first(app: Flask, services: Services, dana: Browser, acme: int) -> None:
    early = invited(dana, role="viewer")
    form = {"name": "Bob", "email": "bob@example.org", "password": PASSWORD, "again": PASSWORD}
    refused = Browser(app.test_client()).post(early, **form)
    assert refused.status_code == HTTPStatus.CONFLICT
    join(app, services, invited(dana, role="owner"), "Alice")
    join(app, services, early, "Bob")
    assert [one.role for one in services.members.list(SYSTEM, acme)] == [Role.OWNER, Role.VIEWER]


def test_one_name_never_signs_in_two_people(app: Flask, services: Services, dana: Browser, alice: Browser) -> None:
    answer = dana.post("/settings/operators", name="erin", email="ALICE@example.org", role="viewer")
    assert answer.status_code == HTTPStatus.CONFLICT
    dana.post("/settings/operators", name="frank", email="frank@example.org", role="viewer")
    link = invited(alice, role="viewer")
    form = {"name": "Frank", "email": "Frank@example.org", "password": PASSWORD, "again": PASSWORD}
    answer = Browser(app.test_client()).post(link, **form)
    assert answer.status_code == HTTPStatus.CONFLICT


def test_a_member_changes_the_own_password_and_ends_sessions(app: Flask, services: Services, alice: Browser) -> None:
    other = settle(Browser(app.test_client()), services)
    other.post("/sign-in", name="alice@example.org", password=PASSWORD)
    page = alice.get("/me").text
    assert "Owner of acme" in page
    assert "API tokens" not in page
    new = "another november password"
    form = {"old_password": PASSWORD, "new_password": new, "again": new}
    assert "Password changed" in alice.post("/me/password", follow=True, **form).text
    assert other.get("/").status_code == HTTPStatus.SEE_OTHER, "sessions elsewhere have ended"
    answer = other.client.post("/sign-in", data={"name": "alice@example.org", "password": new})
    assert answer.status_code == HTTPStatus.SEE_OTHER


def test_the_history_of_the_tenant_has_every_step(app: Flask, services: Services, alice: Browser, acme: int) -> None:
    bob = join(app, services, invited(alice, role="viewer"), "Bob")
    alice.post(f"/tenants/acme/members/{member_id(services, acme, 'bob@example.org')}/role", role="editor")
    bob.post(f"/tenants/acme/members/{member_id(services, acme, 'alice@example.org')}/remove")
    found = [(one.actor, one.verb, one.result) for one in services.history.search(SYSTEM, tenant=acme).items]
    assert found[:5] == [
        ("bob@example.org", "member.remove", "refused"),
        ("alice@example.org", "member.set-role", "succeeded"),
        ("bob@example.org", "invitation.accept", "succeeded"),
        ("alice@example.org", "invitation.create", "succeeded"),
        ("alice@example.org", "invitation.accept", "succeeded"),
    ]
    assert "bob@example.org" in alice.get("/tenants/acme/history").text


def test_a_tenant_is_made_with_its_first_member(app: Flask, services: Services, dana: Browser) -> None:
    plan = dana.part("/tenants/new?name=globex&member=olga@example.org", "name-check").text
    assert "Invitation of the owner" in plan
    wrong = dana.post("/tenants/new", name="globex", member="olga")
    assert (wrong.status_code, "no e-mail address" in wrong.text) == (HTTPStatus.BAD_REQUEST, True)
    assert services.tenants.list(ADMIN).items == []
    page = dana.post("/tenants/new", name="globex", member="olga@example.org").text
    olga = join(app, services, link_of(page), "Olga", "olga@example.org")
    assert olga.get("/tenants/globex/members").text.count("Only you.") == 1
    assert olga.get("/tenants").status_code == HTTPStatus.NOT_FOUND


def test_an_owner_deletes_the_tenant(services: Services, alice: Browser, acme: int) -> None:
    assert "Delete acme" in alice.get("/tenants/acme/settings").text
    answer = alice.post("/tenants/acme/delete", confirm="acme")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert services.tenants.get(SYSTEM, acme).deleting


def test_sessions_note_when_a_member_was_here(services: Services, alice: Browser, acme: int) -> None:
    with services.database.transaction() as connection:
        connection.execute("UPDATE session SET seen_at = seen_at - interval '2 minutes'")
    alice.get("/tenants/acme")
    [seen] = services.members.list(SYSTEM, acme)
    assert seen.seen_at is not None
    assert abs(seen.seen_at - seen.joined_at) < timedelta(minutes=5)


def test_upper_rooms_hear_of_each_change(services: Services, acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(services.queue, "emit", lambda _connection, event, key: heard.append((event, key)))
    services.members.add(SYSTEM, acme, "alice@example.org")
    bob = services.members.add(SYSTEM, acme, "bob@example.org").member
    services.members.set_role(SYSTEM, acme, bob.login, Role.ADMIN)
    services.members.suspend(SYSTEM, acme, bob.login, suspended=True)
    services.members.remove(SYSTEM, acme, bob.login)
    assert heard == [("members.changed", str(acme))] * 5
    assert [(one.login, one.role) for one in services.members.of_tenant(acme)] == [("alice@example.org", Role.OWNER)]


def test_members_learn_that_a_part_of_the_host_fails_and_nothing_of_its_files(
    services: Services, dana: Browser, alice: Browser
) -> None:
    run = services.settings.home_path / "run"
    run.mkdir(exist_ok=True)
    failing = PartState("sftp", "restarting", note=f"ended with code 1; {run.parent}/logs/sftp.log", hint="look there")
    (run / "state.json").write_bytes(msgspec.json.encode(State("running", "1", "", "", parts=[failing])))
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "sftp.log" in dana.get("/health", Accept="text/html").text
        for wanted in ("text/html", "application/json"):
            said = alice.get("/health", Accept=wanted).text
            assert "sftp" in said.lower()
            assert str(run.parent) not in said
