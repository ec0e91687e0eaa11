"""Sessions: found by their cookie only, end by themselves, carry their own proof for forms."""

import pytest

from belvedere.identity.accounts import Accounts
from belvedere.identity.model import Operator
from belvedere.identity.sessions import Sessions
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound
from belvedere.kernel.secret import Secret


def test_a_cookie_leads_to_its_person(sessions: Sessions, alice: Operator) -> None:
    cookie = sessions.open(alice, origin="198.51.100.7", agent="Firefox")
    found = sessions.find(cookie, origin="198.51.100.8", request_id="r-1")
    assert found.actor == Actor("alice", Role.ADMIN, door="portal", origin="198.51.100.8", request_id="r-1")
    assert found.must_change_password and found.agent == "Firefox"
    for wrong in ("", "x", cookie.reveal()[:-1], "\0", "ü" * 50):
        assert sessions.find(Secret(wrong)) is None


def test_the_database_holds_nothing_that_signs_in(sessions: Sessions, alice: Operator, database: Database) -> None:
    cookie = sessions.open(alice, origin="")
    csrf = sessions.find(cookie).csrf
    with database.transaction() as connection:
        row = str(connection.execute("SELECT * FROM session").fetchall())
    assert cookie.reveal() not in row and csrf not in row


def test_a_session_ends_when_unused_and_at_last(sessions: Sessions, alice: Operator, clock) -> None:
    cookie = sessions.open(alice, origin="")
    for _ in range(13):
        clock.forward(hours=11)
        assert sessions.find(cookie)
    clock.forward(hours=12)
    assert sessions.find(cookie) is None
    cookie = sessions.open(alice, origin="")
    for _ in range(7 * 24 - 1):
        clock.forward(hours=1)
        assert sessions.find(cookie)
    clock.forward(hours=1)
    assert sessions.find(cookie) is None, "seven days are the end, however busy"


def test_signing_in_again_ends_the_session_of_that_browser(sessions: Sessions, alice: Operator) -> None:
    first = sessions.open(alice, origin="")
    second = sessions.open(alice, origin="", replacing=first)
    assert sessions.find(first) is None and sessions.find(second)
    assert first != second


def test_forms_prove_their_session(sessions: Sessions, alice: Operator) -> None:
    one, other = (sessions.find(sessions.open(alice, origin="")) for _ in range(2))
    assert one.has_csrf(one.csrf)
    assert not one.has_csrf(other.csrf) and not one.has_csrf("") and not one.has_csrf("ü")


def test_a_changed_role_holds_from_the_next_request(
    sessions: Sessions, accounts: Accounts, alice: Operator, alices: Actor
) -> None:
    accounts.create(alices, "bob", Role.ADMIN)
    cookie = sessions.open(alice, origin="")
    accounts.set_role(alices, "alice", Role.VIEWER)
    assert sessions.actor(cookie).role is Role.VIEWER


def test_one_lists_and_ends_ones_own_sessions_only(
    sessions: Sessions, accounts: Accounts, alice: Operator, alices: Actor
) -> None:
    bob = accounts.create(alices, "bob", Role.ADMIN).operator
    bobs_cookie = sessions.open(bob, origin="")
    here, there = sessions.open(alice, origin="1"), sessions.open(alice, origin="2")
    listed = sessions.list(alices)
    assert {session.origin for session in listed} == {"1", "2"} and not any(session.csrf for session in listed)
    with pytest.raises(NotFound):
        sessions.end(alices, sessions.find(bobs_cookie).id)
    sessions.end(alices, sessions.find(there).id)
    assert sessions.find(there) is None and sessions.find(bobs_cookie)
    sessions.open(alice, origin="3")
    assert sessions.end_others(alices, here) == 1
    assert sessions.end_others(alices, None) == 1
    assert sessions.find(here) is None and sessions.find(bobs_cookie)


def test_signing_out_ends_the_session_and_twice_does_no_harm(
    sessions: Sessions, alice: Operator, alices: Actor
) -> None:
    cookie = sessions.open(alice, origin="")
    sessions.close(alices, cookie)
    sessions.close(alices, cookie)
    assert sessions.find(cookie) is None


def test_a_tenants_actor_of_the_same_name_is_not_that_operator(sessions: Sessions, alice: Operator) -> None:
    impostor = Actor("alice", Role.ADMIN, tenant=3, door="api")
    for deed in (lambda: sessions.list(impostor), lambda: sessions.end_others(impostor, None)):
        with pytest.raises(NotFound):
            deed()
