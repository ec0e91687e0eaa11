"""Members where a browser cannot reach: many at the same moment, a forgotten WHERE, a process that dies."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import argon2
import psycopg
import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.members import store
from belvedere.identity.members.invitations import Invitations
from belvedere.identity.members.service import Members
from belvedere.identity.passwords import Passwords
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Conflict, NotFound, TooMany
from belvedere.kernel.secret import Secret
from belvedere.tenants.service import Tenants

PASSWORD = Secret("correct horse battery")


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def tenants(database: Database, history: FileHistory) -> Tenants:
    return Tenants(database=database, history=history, queue=JobQueue(database, {}))


@pytest.fixture
def members(database: Database, history: FileHistory, passwords: Passwords) -> Members:
    return Members(database=database, history=history, queue=JobQueue(database, {}), passwords=passwords)


@pytest.fixture
def invitations(
    database: Database, history: FileHistory, passwords: Passwords, members: Members, tenants: Tenants
) -> Invitations:
    return Invitations(database=database, history=history, members=members, tenants=tenants, passwords=passwords)


@pytest.fixture
def acme(tenants: Tenants) -> int:
    return tenants.create(SYSTEM, "acme")[0].serial


def at_once(*deeds: Callable[[], Any]) -> list[object]:
    """Do several things at the same moment; return what each gave or raised."""
    together = Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> object:
        together.wait(20)
        try:
            return deed()
        except BelvedereError as error:
            return error

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_of_four_who_use_a_link_at_once_one_joins(members: Members, invitations: Invitations, acme: int) -> None:
    token = invitations.create(SYSTEM, acme)[1].reveal()
    ends = at_once(*(
        lambda number=number: invitations.accept(
            token, name=f"N{number}", email=f"n{number}@example.org", password=PASSWORD, origin="203.0.113.5"
        )
        for number in range(4)
    ))
    assert sorted(type(end).__name__ for end in ends) == ["NotFound"] * 3 + ["Person"]
    assert len(members.of_tenant(acme)) == 1


def test_of_two_owners_who_leave_at_once_one_stays(members: Members, acme: int) -> None:
    for name in ("alice", "bob"):
        members.add(SYSTEM, acme, f"{name}@example.org", role=Role.OWNER)
    ends = at_once(
        lambda: members.remove(SYSTEM, acme, "alice@example.org"),
        lambda: members.remove(SYSTEM, acme, "bob@example.org"),
    )
    assert sorted(isinstance(end, Conflict) for end in ends) == [False, True]
    assert len(members.of_tenant(acme)) == 1


def test_who_leaves_two_tenants_at_once_is_forgotten(
    database: Database, members: Members, tenants: Tenants, acme: int
) -> None:
    other = tenants.create(SYSTEM, "globex")[0].serial
    for serial in (acme, other):
        members.add(SYSTEM, serial, f"owner{serial}@example.org")
        members.add(SYSTEM, serial, "bob@example.org")
    at_once(
        lambda: members.remove(SYSTEM, acme, "bob@example.org"),
        lambda: members.remove(SYSTEM, other, "bob@example.org"),
    )
    with database.transaction() as connection:
        assert store.person_for_sign_in(connection, "bob@example.org") is None


def test_two_who_take_the_same_address_at_once_are_one(members: Members, acme: int, tenants: Tenants) -> None:
    other = tenants.create(SYSTEM, "globex")[0].serial
    ends = at_once(
        lambda: members.add(SYSTEM, acme, "bob@example.org"), lambda: members.add(SYSTEM, other, "BOB@example.org")
    )
    ids = {one.id for serial in (acme, other) for one in members.of_tenant(serial)}
    assert len(ids) == 1
    assert not any(isinstance(end, BelvedereError) for end in ends)


def test_a_deleted_tenant_takes_its_people_with_it(
    database: Database, members: Members, invitations: Invitations, tenants: Tenants, acme: int
) -> None:
    members.add(SYSTEM, acme, "alice@example.org")
    token = invitations.create(SYSTEM, acme)[1].reveal()
    tenants.delete(SYSTEM, acme, confirm="acme")
    with pytest.raises(NotFound):
        invitations.open(token)
    tenants.purge(acme)
    with database.transaction() as connection:
        assert store.person_for_sign_in(connection, "alice@example.org") is None


def test_inside_a_tenants_fence_a_forgotten_where_shows_its_own_people_alone(
    database: Database, members: Members, invitations: Invitations, tenants: Tenants, acme: int
) -> None:
    other = tenants.create(SYSTEM, "globex")[0].serial
    for serial in (acme, other):
        members.add(SYSTEM, serial, f"owner{serial}@example.org")
        invitations.create(SYSTEM, serial)
    with database.tenant_transaction(acme) as connection:
        assert connection.execute("SELECT email FROM person").fetchall() == [{"email": f"owner{acme}@example.org"}]
        assert connection.execute("SELECT tenant_id FROM member").fetchall() == [{"tenant_id": acme}]
        assert connection.execute("SELECT tenant_id FROM invitation").fetchall() == [{"tenant_id": acme}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password_hash FROM person", "SELECT * FROM session", "UPDATE person SET email = 'x'",
        "DELETE FROM person", "SELECT forget_person()",
        "INSERT INTO member SELECT 1, id, 'owner', 'hand', NULL, NULL, now(), 'x' FROM person",
    ],
)  # fmt: skip
def test_inside_the_fence_nobody_reads_a_password_or_joins(
    database: Database, members: Members, acme: int, statement: str
) -> None:
    members.add(SYSTEM, acme, "alice@example.org")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.tenant_transaction(acme) as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # a list of literals


def test_links_are_kept_as_hashes(database: Database, invitations: Invitations, acme: int, tmp_path) -> None:
    token = invitations.create(SYSTEM, acme)[1].reveal()
    with database.transaction() as connection:
        kept = connection.execute("SELECT invitation::text AS kept FROM invitation").fetchall()
    assert token not in str(kept)
    assert all(token.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_guessing_who_has_an_account_is_slowed(members: Members, invitations: Invitations, acme: int) -> None:
    members.add(SYSTEM, acme, "alice@example.org")
    token = invitations.create(SYSTEM, acme, role=Role.VIEWER)[1].reveal()
    ends: list[type[BaseException]] = []
    for number in range(60):
        address = "alice@example.org" if number < 8 else f"x{number}@example.org"
        if number >= 8:
            members.add(SYSTEM, acme, address)
        with pytest.raises(BelvedereError) as refused:
            invitations.accept(token, name="Eve", email=address, password=PASSWORD, origin="203.0.113.9")
        ends.append(refused.type)
    assert ends[0] is Conflict
    assert ends[7] is TooMany, "one address"
    assert ends[-1] is TooMany, "many from one origin"


def test_an_owner_is_no_admin_of_the_installation(members: Members, acme: int) -> None:
    owner = Actor("alice@example.org", Role.OWNER, tenant=acme, door="portal")
    assert owner.may(Role.OWNER, acme)
    assert not owner.may(Role.VIEWER)
    assert not owner.may(Role.VIEWER, acme + 1)
    admin = Actor("dana", Role.ADMIN)
    assert admin.may(Role.OWNER, acme), "what an owner may do to a tenant, an admin of the installation may"
    assert not Actor("otto", Role.OPERATOR).may(Role.OWNER, acme)
    assert not Actor("acme", Role.OPERATOR, tenant=acme).may(Role.ADMIN, acme)
