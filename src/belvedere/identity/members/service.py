"""A tenant's members: who they are, adding them by hand, changing roles, suspending and removing them.

What is not here: inviting and accepting (`invitations.py`), signing in (`identity/accounts.py`).
"""

from typing import Final

from belvedere.audit.model import History
from belvedere.identity import store as operators
from belvedere.identity.members import store
from belvedere.identity.members.model import Added, Member, Person, Source
from belvedere.identity.members.rules import check_email, check_name, manages, member_role
from belvedere.identity.passwords import Passwords, generated
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, Forbidden, NotFound
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id

Listed = list[Member]
"""Said here because inside the class `list` is a verb."""

CHANGED: Final = "members.changed"
"""The event that tells upper rooms, by the tenant's serial number, that its members are others now."""


class Members:
    """The people of each tenant. A tenant always keeps an owner, once it has one."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, now: Now = utc_now,
        passwords: Passwords | None = None,
    ) -> None:  # fmt: skip
        """Take the collaborators; `passwords` only differs in tests."""
        self._database = database
        self._history = history
        self._queue = queue
        self._now = now
        self._passwords = passwords or Passwords()

    def list(self, actor: Actor, serial: int) -> Listed:
        """Return a tenant's members by name.

        Raises:
            NotFound: the actor is confined to another tenant.
        """
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return store.members(connection, serial)

    def get(self, actor: Actor, serial: int, key: str) -> Member:
        """Return one member by the person's id, login or address.

        Raises:
            NotFound: nobody of that name belongs here, whether or not there is such an account.
        """
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return _known(connection, serial, key)

    def of_tenant(self, serial: int) -> Listed:
        """Return a tenant's members to another room's job; no door calls this."""
        with self._database.transaction() as connection:
            return store.members(connection, serial)

    def add(self, actor: Actor, serial: int, email: str, *, name: str = "", role: Role | None = None) -> Added:
        """Make somebody a member by hand, with a password to be changed at the first sign-in if the account is new.

        Only operators can: a member who could would learn who has an account, and put people where they never
        wanted to be. Members invite.

        Args:
            actor: an operator of the installation.
            serial: the tenant.
            email: the address to sign in by.
            name: what people call them; the first part of the address if absent.
            role: what they may do; owner for the first member and viewer for others, if absent.

        Raises:
            Forbidden: the actor is confined to a tenant.
            Rejected: the address, the name or the role does not do.
            Conflict: they belong here already, the address is an operator's, or the tenant has no owner yet.
        """
        with self._history.action(actor, "member.add", email, tenant=serial, role=role) as ending:
            actor.must(Role.VIEWER, serial)
            if actor.tenant is not None:
                message = "Only an operator can add somebody by hand. Invite them: the link makes their account."
                raise Forbidden(message)
            actor.must(Role.OPERATOR, serial)
            address, wanted = check_email(email), member_role(role) if role else None
            password = generated()
            made = self.new_person(name or address.partition("@")[0], address, actor.name, must_change=True)
            kept = self._passwords.hash(password)
            with self._database.transaction() as connection:
                person = self._settle(connection, made, kept)
                chosen = self.join(connection, serial, person, wanted, source=Source.HAND, by=actor.name)
                member = _known(connection, serial, str(person.id))
                failpoint("identity.member.before-commit")
            ending.note(id=person.id, role=chosen, account="made" if person is made else "was there")
        return Added(member, password if person is made else None)

    def set_role(self, actor: Actor, serial: int, key: str, role: Role) -> Member:
        """Change what a member may do, from the next request on. Links that a member made who may invite no more end.

        Raises:
            Forbidden: the actor is no admin of the tenant, or an owner is concerned and the actor is none.
            Conflict: it is the last owner.
        """
        wanted = member_role(role)
        with self._history.action(actor, "member.set-role", key, tenant=serial, role=wanted) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                member = _locked(connection, serial, key)
                manages(actor, serial, member.role, wanted)
                if wanted is not Role.OWNER:
                    _keep_an_owner(connection, actor, serial, member)
                store.set_role(connection, serial, member.id, wanted)
                if not wanted.covers(Role.ADMIN):
                    ending.note(links_ended=store.withdraw_all_by(connection, serial, member.login, self._now()))
                self.changed(connection, serial)
                after = _known(connection, serial, str(member.id))
            ending.note(id=member.id, was=member.role)
        return after

    def suspend(self, actor: Actor, serial: int, key: str, *, suspended: bool) -> Member:
        """Keep a member out of the tenant, from the next request on, or let it in again. Twice does no harm.

        Raises:
            Forbidden: as for `set_role`.
            Conflict: it is the last owner.
        """
        verb = "member.suspend" if suspended else "member.resume"
        with self._history.action(actor, verb, key, tenant=serial) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                member = _locked(connection, serial, key)
                manages(actor, serial, member.role)
                if suspended:
                    _keep_an_owner(connection, actor, serial, member)
                store.set_suspended(connection, serial, member.id, self._now() if suspended else None)
                if suspended:
                    ending.note(links_ended=store.withdraw_all_by(connection, serial, member.login, self._now()))
                self.changed(connection, serial)
                after = _known(connection, serial, str(member.id))
            ending.note(id=member.id)
        return after

    def remove(self, actor: Actor, serial: int, key: str) -> Member:
        """Take somebody out of the tenant, from the next request on; anybody may take themselves out.

        Their tokens of this tenant and the links that they made end with it; an account that belongs to no other
        tenant is forgotten.

        Raises:
            Forbidden: as for `set_role`, unless it is the actor's own membership.
            Conflict: it is the last owner.
        """
        with self._history.action(actor, "member.remove", key, tenant=serial) as ending:
            actor.must(Role.VIEWER, serial)
            with self._database.for_actor(actor) as connection:
                member = _locked(connection, serial, key)
                if member.id != actor.person:
                    manages(actor, serial, member.role)
                _keep_an_owner(connection, actor, serial, member)
                ended = store.withdraw_all_by(connection, serial, member.login, self._now())
                store.remove_member(connection, serial, member.id)
                self.changed(connection, serial)
                failpoint("identity.member.before-remove")
            ending.note(id=member.id, links_ended=ended)
        return member

    def join(
        self, connection: Connection, serial: int, person: Person, role: Role | None, *, source: Source, by: str
    ) -> Role:
        """Make a person a member in the caller's transaction, and return the role; for `Invitations` and `add`.

        Raises:
            Conflict: they belong here already, or the tenant has no owner yet and they would not be one.
        """
        store.lock(connection, serial)
        first = not store.has_owner(connection, serial)
        chosen = role or (Role.OWNER if first else Role.VIEWER)
        if first and chosen is not Role.OWNER:
            message = "This tenant has no owner yet. Its first member is the owner; others join after that."
            raise Conflict(message, code="first-member", field="role")
        values: dict[str, object] = {
            "tenant": serial, "person": person.id, "role": chosen, "source": source, "now": self._now(), "by": by,
        }
        if not store.add_member(connection, values):
            message = f"{person.email} belongs to this tenant already."
            raise Conflict(message, code="exists", field="email")
        self.changed(connection, serial)
        return chosen

    def changed(self, connection: Connection, serial: int) -> None:
        """Tell upper rooms and open pages, in the caller's transaction, that a tenant's members are others now."""
        self._queue.emit(connection, CHANGED, str(serial))
        signal(connection, f"tenant.{serial}")

    def new_person(self, name: str, email: str, by: str, *, must_change: bool) -> Person:
        """Make an account's values; nothing is kept yet.

        Raises:
            Rejected: the name or the address does not do.
        """
        address, now = check_email(email), self._now()
        return Person(
            id=new_id(), login=address.lower(), name=check_name(name), email=address, must_change_password=must_change,
            password_set_at=now, last_sign_in_at=None, created_at=now, created_by=by,
        )  # fmt: skip

    def keep_person(self, connection: Connection, made: Person, password_hash: str) -> None:
        """Keep a new account in the caller's transaction; no name signs in two people, operators included.

        Raises:
            Conflict: the address is somebody's.
        """
        operators.lock_operators(connection)
        taken = operators.operator_for_sign_in(connection, made.email) is not None
        if taken or store.person_for_sign_in(connection, made.email) is not None:
            message = f"{made.email} has an account here already."
            raise Conflict(message, code="exists", field="email")
        store.add_person(connection, made, password_hash)

    def _settle(self, connection: Connection, made: Person, password_hash: str) -> Person:
        """Return the account of an address, made if there is none."""
        operators.lock_operators(connection)
        known = store.person_for_sign_in(connection, made.email)
        if known is not None:
            return known[0]
        self.keep_person(connection, made, password_hash)
        return made


def _locked(connection: Connection, serial: int, key: str) -> Member:
    store.lock(connection, serial)
    return _known(connection, serial, key)


def _keep_an_owner(connection: Connection, actor: Actor, serial: int, member: Member) -> None:
    owners = [one.id for one in store.members(connection, serial) if one.role is Role.OWNER and one.active]
    if owners == [member.id]:
        who = "You are" if member.id == actor.person else f"{member.name} is"
        message = f"{who} the last owner. Make somebody else an owner first."
        raise Conflict(message, code="last-owner")


def _known(connection: Connection, serial: int, key: str) -> Member:
    member = store.find_member(connection, serial, key)
    if member is None:
        message = "Nobody of that name belongs to this tenant."
        raise NotFound(message)
    return member
