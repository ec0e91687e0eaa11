"""API tokens: shown once, bounded by their maker, gone at once when revoked."""

from datetime import timedelta

import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.accounts import Accounts
from belvedere.identity.model import Operator
from belvedere.identity.tokens import Tokens
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Forbidden, NotFound, Rejected
from belvedere.kernel.secret import Secret

TENANT_ADMIN = Actor("alice-lab", Role.ADMIN, tenant=1, door="api")
STRANGER = Actor("charlie-lab", Role.ADMIN, tenant=2, door="api")


def test_a_token_stands_for_its_role_and_tenant(tokens: Tokens) -> None:
    made, secret = tokens.create(SYSTEM, name="ci", role=Role.OPERATOR, tenant=7)
    actor = tokens.actor(secret, "198.51.100.7", request_id="r-1")
    assert actor == Actor("token:ci", Role.OPERATOR, 7, door="api", origin="198.51.100.7", request_id="r-1")
    assert made.tenant == 7
    almost = secret.reveal()[:-1] + ("x" if secret.reveal()[-1] != "x" else "y")
    for wrong in ("", almost, secret.reveal().upper(), "bvd_x_y", "ü"):
        assert tokens.actor(Secret(wrong)) is None


def test_the_secret_is_nowhere_at_rest(tokens: Tokens, database: Database, history: FileHistory, tmp_path) -> None:
    _, secret = tokens.create(SYSTEM, name="ci", role=Role.VIEWER)
    tail = secret.reveal().rpartition("_")[2]
    with database.transaction() as connection:
        assert tail not in str(connection.execute("SELECT * FROM api_token").fetchall())
    assert all(tail not in path.read_text() for path in tmp_path.rglob("*.jsonl"))


def test_a_token_ends_at_its_time_and_when_revoked(tokens: Tokens, clock) -> None:
    made, secret = tokens.create(SYSTEM, name="ci", role=Role.VIEWER, expires_at=clock() + timedelta(days=1))
    assert tokens.actor(secret) and made.state(clock()) == "ready"
    clock.forward(days=1)
    assert tokens.actor(secret) is None and made.state(clock()) == "expired"
    other, secret = tokens.create(SYSTEM, name="ci", role=Role.VIEWER)
    assert tokens.actor(secret)
    tokens.revoke(SYSTEM, other.prefix)
    tokens.revoke(SYSTEM, str(other.id))
    assert tokens.actor(secret) is None
    assert sorted(one.state(clock()) for one in tokens.list(SYSTEM)) == ["expired", "off"]


def test_nobody_makes_a_token_that_may_more_than_themselves(tokens: Tokens, accounts: Accounts, alices: Actor) -> None:
    bob = accounts.create(alices, "bob", Role.OPERATOR).operator.actor(door="portal", origin="")
    with pytest.raises(Forbidden):
        tokens.create(bob, name="ci", role=Role.ADMIN)
    with pytest.raises(NotFound):
        tokens.create(TENANT_ADMIN, name="ci", role=Role.VIEWER, tenant=2)
    made, secret = tokens.create(TENANT_ADMIN, name="ci", role=Role.ADMIN)
    assert made.tenant == 1 and tokens.actor(secret).tenant == 1


def test_a_persons_token_loses_what_the_person_loses(tokens: Tokens, accounts: Accounts, alices: Actor) -> None:
    bob = accounts.create(alices, "bob", Role.ADMIN).operator.actor(door="portal", origin="")
    _, secret = tokens.create(bob, name="ci", role=Role.ADMIN)
    accounts.set_role(alices, "bob", Role.VIEWER)
    assert tokens.actor(secret).role is Role.VIEWER
    accounts.disable(alices, "bob")
    assert tokens.actor(secret) is None


def test_a_name_on_the_host_is_not_an_operator_of_that_name(
    tokens: Tokens, accounts: Accounts, alice: Operator
) -> None:
    root = Actor("alice", Role.ADMIN, door="cli")
    _, secret = tokens.create(root, name="ci", role=Role.ADMIN)
    accounts.create(SYSTEM, "bob", Role.ADMIN)
    accounts.disable(SYSTEM, "alice")
    assert tokens.actor(secret)


def test_tenants_see_and_revoke_only_their_own(tokens: Tokens) -> None:
    of_host, _ = tokens.create(SYSTEM, name="host", role=Role.ADMIN)
    mine, secret = tokens.create(TENANT_ADMIN, name="mine", role=Role.VIEWER)
    assert [one.name for one in tokens.list(TENANT_ADMIN)] == ["mine"]
    assert tokens.list(STRANGER) == []
    assert {one.name for one in tokens.list(SYSTEM)} == {"host", "mine"}
    for actor, key in ((STRANGER, mine.prefix), (TENANT_ADMIN, of_host.prefix)):
        with pytest.raises(NotFound):
            tokens.revoke(actor, key)
    tokens.revoke(TENANT_ADMIN, mine.prefix)
    assert tokens.actor(secret) is None


def test_ones_own_tokens_are_ones_own_to_revoke(tokens: Tokens, accounts: Accounts, alices: Actor) -> None:
    bob = accounts.create(alices, "bob", Role.VIEWER).operator.actor(door="portal", origin="")
    alices_token, _ = tokens.create(alices, name="alices", role=Role.VIEWER)
    bobs, _ = tokens.create(bob, name="bobs", role=Role.VIEWER)
    assert [one.name for one in tokens.own(bob)] == ["bobs"]
    tokens.revoke(bob, bobs.prefix)
    with pytest.raises(Forbidden):
        tokens.revoke(bob, alices_token.prefix)


def test_use_is_noted_at_most_once_a_minute(tokens: Tokens, clock) -> None:
    _, secret = tokens.create(SYSTEM, name="ci", role=Role.VIEWER)
    tokens.actor(secret, "198.51.100.7")
    first = tokens.list(SYSTEM)[0].last_used_at
    clock.forward(seconds=59)
    tokens.actor(secret, "198.51.100.8")
    assert tokens.list(SYSTEM)[0].last_used_at == first
    clock.forward(seconds=1)
    tokens.actor(secret, "198.51.100.9")
    assert (tokens.list(SYSTEM)[0].last_used_at, tokens.list(SYSTEM)[0].last_origin) == (clock(), "198.51.100.9")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb"])
def test_a_token_says_what_it_is_for(tokens: Tokens, name: str) -> None:
    with pytest.raises(Rejected):
        tokens.create(SYSTEM, name=name, role=Role.VIEWER)


def test_an_end_in_the_past_is_refused(tokens: Tokens, clock) -> None:
    with pytest.raises(Rejected):
        tokens.create(SYSTEM, name="ci", role=Role.VIEWER, expires_at=clock())
