"""Operators: the first one, signing in, passwords, roles, the last admin."""

import threading
from dataclasses import replace

import argon2
import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.accounts import FIRST_NAME, Accounts
from belvedere.identity.model import ONE_SIGN_IN, Operator
from belvedere.identity.passwords import COST, Passwords, generated
from belvedere.identity.sessions import Sessions
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Forbidden, NotFound, Rejected, TooMany, Unauthenticated
from belvedere.kernel.secret import Secret

PASSWORD = Secret("correct horse battery")
WRONG = Secret("wrong horse battery")


def test_the_first_operator_is_made_once_with_a_password_to_change(accounts: Accounts) -> None:
    password = accounts.first()
    assert password and accounts.first() is None
    operator = accounts.sign_in(FIRST_NAME, password, "")
    assert operator.role is Role.ADMIN and operator.must_change_password


def test_a_first_password_of_ones_own_need_not_be_changed(accounts: Accounts) -> None:
    accounts.first(PASSWORD)
    assert not accounts.sign_in("admin", PASSWORD, "").must_change_password


def test_two_nodes_that_start_at_once_make_one_first_operator(accounts: Accounts) -> None:
    made: list[Secret | None] = []
    threads = [threading.Thread(target=lambda: made.append(accounts.first())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([password for password in made if password]) == 1
    assert len(accounts.list(SYSTEM)) == 1


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.org", " alice "])
def test_one_signs_in_by_name_or_address(accounts: Accounts, alice: Operator, name: str) -> None:
    assert accounts.sign_in(name, PASSWORD, "").id == alice.id


@pytest.mark.parametrize("name", ["alice", "nobody", "", "a\0b", "x" * 10_000])
def test_wrong_and_unknown_get_the_same_answer(accounts: Accounts, alice: Operator, name: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        accounts.sign_in(name, WRONG, "")
    assert refused.value.detail == ONE_SIGN_IN


def test_an_unknown_name_costs_a_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, verified = Passwords(), []
    real = passwords._hasher.verify

    def verify(kept: str, given: str) -> bool:
        verified.append(kept)
        return real(kept, given)

    monkeypatch.setattr(type(passwords._hasher), "verify", lambda _self, kept, given: verify(kept, given))
    assert not passwords.matches(None, PASSWORD)
    assert verified and verified[0].startswith("$argon2id$")


def test_a_name_that_nobody_has_stands_in_no_file(accounts: Accounts, alice: Operator, history: FileHistory) -> None:
    with pytest.raises(Unauthenticated):
        accounts.sign_in("my-secret-password", WRONG, "203.0.113.9")
    [refusal] = history.search(SYSTEM, verb="operator.sign-in").items
    assert (refusal.actor, refusal.origin, refusal.result) == ("unknown name", "203.0.113.9", "refused")
    assert not history.search(SYSTEM, text="my-secret-password").items


def test_guessing_slows_down_and_an_hour_of_quiet_forgets(accounts: Accounts, alice: Operator, clock) -> None:
    waits = []
    for _ in range(12):
        try:
            accounts.sign_in("alice", WRONG, "203.0.113.9")
        except TooMany as wait:
            waits.append(wait.retry_in_s)
            clock.forward(seconds=wait.retry_in_s + 1)
        except Unauthenticated:
            pass
    assert waits == sorted(waits) and len(waits) >= 3 and waits[-1] > waits[0]
    with pytest.raises((TooMany, Unauthenticated)):
        accounts.sign_in("alice", WRONG, "203.0.113.9")
    assert accounts.sign_in("alice", PASSWORD, "198.51.100.7").name == "alice", "her own address is not locked out"
    clock.forward(hours=2)
    assert accounts.sign_in("alice", PASSWORD, "203.0.113.9").name == "alice"


def test_guessing_from_many_addresses_slows_the_name_down(accounts: Accounts, alice: Operator) -> None:
    for number in range(20):
        with pytest.raises(Unauthenticated):
            accounts.sign_in("alice", WRONG, f"203.0.113.{number}")
    with pytest.raises(TooMany):
        accounts.sign_in("alice", WRONG, "203.0.113.99")


def test_trying_many_names_slows_the_address_down(accounts: Accounts) -> None:
    for number in range(50):
        with pytest.raises(Unauthenticated):
            accounts.sign_in(f"name{number}", WRONG, "203.0.113.9")
    with pytest.raises(TooMany):
        accounts.sign_in("another", WRONG, "203.0.113.9")


def test_a_burst_of_guesses_at_one_moment_is_mostly_refused_unlooked_at(accounts: Accounts, alice: Operator) -> None:
    ends: list[type] = []

    def guess() -> None:
        try:
            accounts.sign_in("alice", WRONG, "203.0.113.9")
        except Rejected as error:
            ends.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count(Unauthenticated) == 5 and ends.count(TooMany) == 19


def test_signing_in_forgives_earlier_failures(accounts: Accounts, alice: Operator) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(Unauthenticated):
                accounts.sign_in("alice", WRONG, "198.51.100.7")
        accounts.sign_in("alice", PASSWORD, "198.51.100.7")


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "5 characters"), ("alice-in-wonderland", "holds the name"), ("aaaaaaaaaaaaaaaa", "repeats"),
     ("x1y2z" * 100, "at most")],
)  # fmt: skip
def test_passwords_that_are_easy_to_guess_are_refused(
    accounts: Accounts, alices: Actor, password: str, why: str
) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        accounts.change_password(alices, PASSWORD, Secret(password))
    assert refused.value.field == "new_password"


def test_a_new_password_ends_other_sessions(
    accounts: Accounts, sessions: Sessions, alice: Operator, alices: Actor
) -> None:
    here, elsewhere = sessions.open(alice, origin=""), sessions.open(alice, origin="")
    accounts.change_password(alices, PASSWORD, Secret("a new one for november"), keep=here)
    assert sessions.find(here) and sessions.find(elsewhere) is None
    with pytest.raises(Unauthenticated):
        accounts.sign_in("alice", PASSWORD, "")
    assert not accounts.sign_in("alice", Secret("a new one for november"), "").must_change_password


def test_the_old_password_is_asked_for_and_guessing_it_is_braked(accounts: Accounts, alices: Actor) -> None:
    for _ in range(5):
        with pytest.raises(Rejected, match="not your present"):
            accounts.change_password(alices, WRONG, Secret("a new one for november"))
    with pytest.raises(TooMany):
        accounts.change_password(alices, PASSWORD, Secret("a new one for november"))


def test_only_an_admin_changes_accounts(accounts: Accounts, alice: Operator, alices: Actor) -> None:
    bob = accounts.create(alices, "bob", Role.OPERATOR).operator.actor(door="portal", origin="")
    charlie = Actor("charlie", Role.ADMIN, tenant=3, door="api")
    for actor, refused in ((bob, Forbidden), (charlie, NotFound)):
        for deed in (
            lambda actor: accounts.create(actor, "eve", Role.VIEWER),
            lambda actor: accounts.set_role(actor, "bob", Role.ADMIN),
            lambda actor: accounts.disable(actor, "alice"),
            lambda actor: accounts.enable(actor, "alice"),
            lambda actor: accounts.reset_password(actor, "alice"),
        ):
            with pytest.raises(refused):
                deed(actor)
    with pytest.raises(NotFound):
        accounts.list(charlie)
    with pytest.raises(NotFound):
        accounts.change_password(replace(charlie, name="alice"), PASSWORD, Secret("a new one for november"))


def test_the_last_admin_stays(accounts: Accounts, alice: Operator, alices: Actor) -> None:
    for deed in (lambda: accounts.disable(alices, "alice"), lambda: accounts.set_role(alices, "alice", Role.VIEWER)):
        with pytest.raises(Conflict, match="last admin"):
            deed()
    accounts.create(alices, "bob", Role.ADMIN)
    accounts.set_role(alices, "alice", Role.VIEWER)
    with pytest.raises(Conflict):
        accounts.disable(SYSTEM, "bob")


def test_a_closed_account_is_out_at_once(
    accounts: Accounts, sessions: Sessions, alice: Operator, alices: Actor
) -> None:
    made = accounts.create(alices, "bob", Role.ADMIN)
    cookie = sessions.open(made.operator, origin="")
    accounts.disable(alices, "bob")
    assert sessions.find(cookie) is None
    with pytest.raises(Unauthenticated):
        accounts.sign_in("bob", made.password, "")
    accounts.enable(alices, "bob")
    assert accounts.sign_in("bob", made.password, "").must_change_password


def test_names_and_addresses_are_unique_and_plain(accounts: Accounts, alice: Operator, alices: Actor) -> None:
    with pytest.raises(Conflict):
        accounts.create(alices, "bob", Role.VIEWER, email="ALICE@example.org")
    with pytest.raises(Conflict):
        accounts.create(alices, "alice", Role.VIEWER)
    for name in ("", "Alice", "a b", "token:x", "a@b", "x" * 49):
        with pytest.raises(Rejected):
            accounts.create(alices, name, Role.VIEWER)


def test_kept_passwords_are_argon2id_and_nothing_else(accounts: Accounts, alice: Operator, database: Database) -> None:
    with database.transaction() as connection:
        [row] = connection.execute("SELECT password_hash FROM operator").fetchall()
    assert row["password_hash"].startswith("$argon2id$")
    at_full_cost = Passwords(argon2.PasswordHasher.from_parameters(COST))
    assert at_full_cost.hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not at_full_cost.matches(None, PASSWORD)


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(
    accounts: Accounts, alice: Operator, database: Database, history: FileHistory, clock
) -> None:
    dearer = Passwords(argon2.PasswordHasher.from_parameters(COST))
    Accounts(database=database, history=history, now=clock, passwords=dearer).sign_in("alice", PASSWORD, "")
    with database.transaction() as connection:
        [row] = connection.execute("SELECT password_hash FROM operator").fetchall()
    assert "m=65536" in row["password_hash"]


def test_every_change_is_two_records(accounts: Accounts, alice: Operator, alices: Actor, history: FileHistory) -> None:
    accounts.create(alices, "bob", Role.VIEWER)
    accounts.set_role(alices, "bob", Role.OPERATOR)
    accounts.reset_password(alices, "bob")
    accounts.disable(alices, "bob")
    accounts.enable(alices, "bob")
    with pytest.raises(Conflict):
        accounts.disable(alices, "alice")
    found = history.search(SYSTEM, person="alice").items
    assert [action.result for action in found] == ["refused"] + ["succeeded"] * 5


def test_a_generated_password_is_acceptable_and_new_each_time() -> None:
    assert len({generated().reveal() for _ in range(100)}) == 100
