"""The people of a tenant: added, invited, joined with a new account and with an old one, one of them removed."""

from contextlib import suppress
from typing import Any

from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Conflict
from belvedere.kernel.secret import Secret

COVERS = (
    "identity.member.before-commit", "identity.member.before-remove", "identity.invitation.before-commit",
    "identity.accept.before-commit", "identity.join.before-commit",
)
PASSWORD = "a long enough password"


def act(world: Any) -> None:
    """Bring about the end state from wherever a crash left it: a lost link is withdrawn and made anew."""
    services = world.services
    serials = []
    for name in ("acme", "globex"):
        with suppress(Conflict):
            services.tenants.create(SYSTEM, name)
        serials.append(services.tenants.get(SYSTEM, name).serial)
    for serial in serials:
        with suppress(Conflict):
            services.members.add(SYSTEM, serial, "alice@example.org")
    world.once("charlie", lambda: services.members.add(SYSTEM, serials[0], "charlie@example.org"))
    if _member(world, serials[0], "bob"):
        return _leave(world, serials[0])
    services.invitations.accept(
        _link(world, serials[0]), name="Bob", email="bob@example.org", password=Secret(PASSWORD), origin="127.0.0.1"
    )
    return _leave(world, serials[0])


def _leave(world: Any, acme: int) -> None:
    globex = world.services.tenants.get(SYSTEM, "globex").serial
    bob = _member(world, acme, "bob")
    if not _member(world, globex, "bob"):
        actor = Actor(bob.login, bob.role, tenant=acme, door="portal", person=bob.id)
        world.services.invitations.join(actor, _link(world, globex))
    if _member(world, acme, "charlie"):
        world.services.members.remove(SYSTEM, acme, "charlie@example.org")


def _link(world: Any, serial: int) -> str:
    for left in world.services.invitations.list(SYSTEM, serial):
        world.services.invitations.withdraw(SYSTEM, serial, left.id)
    made = world.services.invitations.create(SYSTEM, serial, role=Role.EDITOR, email="bob@example.org")
    return str(made[1].reveal())


def _member(world: Any, serial: int, name: str) -> Any:
    return next((one for one in world.services.members.of_tenant(serial) if one.login.startswith(name)), None)


def check(world: Any) -> None:
    """Everybody is there once, with one account, no link is left open, and who was removed cannot sign in."""
    services = world.services
    found = {}
    for name in ("acme", "globex"):
        serial = services.tenants.get(SYSTEM, name).serial
        found[name] = {one.login: (one.id, one.role) for one in services.members.of_tenant(serial)}
        assert services.invitations.list(SYSTEM, serial) == []
    assert {login: role for login, (_, role) in found["acme"].items()} == {
        "alice@example.org": Role.OWNER, "bob@example.org": Role.EDITOR,
    }  # fmt: skip
    assert found["acme"] == found["globex"]
    assert services.accounts.sign_in("bob@example.org", Secret(PASSWORD), "127.0.0.1").login == "bob@example.org"
    with services.database.transaction() as connection:
        assert len(connection.execute("SELECT login FROM person").fetchall()) == 2
