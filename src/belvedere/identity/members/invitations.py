"""Invitations: a link, shown once and kept as a hash, by which one person joins a tenant, once, until it expires.

What is not here: what being a member means (`service.py`), the pages of the link (`web/invitations.py`).
"""

import hashlib
import re
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from belvedere.audit.model import Ending, History
from belvedere.identity.members import store
from belvedere.identity.members.model import Invitation, Invited, Person, Source
from belvedere.identity.members.rules import check_email, manages, member_role
from belvedere.identity.members.service import Members
from belvedere.identity.passwords import Passwords, acceptable
from belvedere.identity.throttle import Throttle
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, Forbidden, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id, opaque
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Kind, Tenant
from belvedere.tenants.service import Also, Tenants

LIFE: Final = timedelta(days=7)
"""How long a link works, unless its maker says otherwise."""

LONGEST: Final = timedelta(days=90)

Listed = list[Invitation]
"""Said here because inside the class `list` is a verb."""

_LENGTH: Final = 40
_TELLING: Final = 4  # A shorter mailbox name may stand in any password.
_FORM: Final = re.compile(r"[a-z2-7]{40}")


class Invitations:
    """Invite, withdraw, look at a link, accept it."""

    def __init__(
        self, *, database: Database, history: History, members: Members, tenants: Tenants, now: Now = utc_now,
        passwords: Passwords | None = None,
    ) -> None:  # fmt: skip
        """Take the collaborators; `passwords` only differs in tests."""
        self._database = database
        self._history = history
        self._members = members
        self._tenants = tenants
        self._now = now
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(database)

    def list(self, actor: Actor, serial: int) -> Listed:
        """Return a tenant's open invitations, the newest first, without their links.

        Raises:
            Forbidden: the actor does not manage the tenant's members.
        """
        manages(actor, serial)
        with self._database.for_actor(actor) as connection:
            return store.invitations(connection, serial, self._now())

    def create(
        self, actor: Actor, serial: int, *, role: Role | None = None, email: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[Invitation, Secret]:  # fmt: skip
        """Make a link by which one person joins.

        Args:
            actor: who manages the tenant's members; only an owner or an operator invites an owner.
            serial: the tenant.
            role: what the person will be; owner while the tenant has none, else viewer, if absent.
            email: whom it is for: only that address can use it. Empty: whoever has the link.
            expires_at: when it ends; after seven days, if absent.

        Returns:
            The invitation, and the last part of its link, which nobody can show again.

        Raises:
            Rejected: the address, the role or the end does not do.
            Forbidden: the actor's role does not cover this.
            Conflict: the address belongs to a member.
        """
        with self._history.action(actor, "invitation.create", email or "a link", tenant=serial, role=role) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                made, token = self.issue(
                    connection, actor, serial, role=role, email=email, expires_at=expires_at
                )
                failpoint("identity.invitation.before-commit")
            ending.note(id=made.id, role=made.role, expires_at=made.expires_at)
        return made, token

    def found(
        self, actor: Actor, name: str, *, kind: str = Kind.TABLES, owner: str = "", also: Also | None = None
    ) -> tuple[Tenant, Secret, Secret | None]:
        """Make a tenant and, in the same transaction, a link for its first member, who is the owner.

        Args:
            actor: an operator of the installation.
            name: the tenant's, as for `Tenants.create`.
            kind: what its data are.
            owner: the first member's address; without one members can be invited later.
            also: as for `Tenants.create`.

        Returns:
            The tenant, its API key, and the last part of the link; both secrets are shown this once.

        Raises:
            Rejected: the name or the address does not do.
            Conflict: there is a tenant of that name.
        """
        if not owner.strip():
            return *self._tenants.create(actor, name, kind=kind, also=also), None
        address, tokens = check_email(owner), []

        def invite(connection: Connection, serial: int) -> None:
            if also is not None:
                also(connection, serial)
            with self._history.action(
                actor, "invitation.create", address, tenant=serial, role=Role.OWNER
            ) as ending:
                made, token = self.issue(connection, actor, serial, role=Role.OWNER, email=address)
                tokens.append(token)
                ending.note(id=made.id, role=made.role, expires_at=made.expires_at)

        tenant, api_key = self._tenants.create(actor, name, kind=kind, also=invite)
        return tenant, api_key, tokens[0]

    def issue(
        self, connection: Connection, actor: Actor, serial: int, *, role: Role | None, email: str,
        expires_at: datetime | None = None,
    ) -> tuple[Invitation, Secret]:  # fmt: skip
        """Do what `create` does in the caller's transaction, which has written its record of it."""
        if role is None:
            role = Role.VIEWER if store.has_owner(connection, serial) else Role.OWNER
        manages(actor, serial, member_role(role))
        address = check_email(email) if email.strip() else None
        now = self._now()
        end = expires_at or now + LIFE
        if not now < end <= now + LONGEST:
            message = f"A link ends within {LONGEST.days} days from now, and not in the past."
            raise Rejected(message, field="expires_at")
        if address and store.find_member(connection, serial, address) is not None:
            message = f"{address} belongs to this tenant already."
            raise Conflict(message, code="exists", field="email")
        token = opaque(_LENGTH)
        made = Invitation(
            id=new_id(), tenant=serial, email=address, role=role, created_at=now, created_by=actor.name, expires_at=end
        )
        store.add_invitation(connection, made, _hash(token))
        signal(connection, f"tenant.{serial}")
        return made, Secret(token)

    def withdraw(self, actor: Actor, serial: int, invitation_id: UUID) -> Invitation:
        """Close an open invitation: its link works no more.

        Raises:
            NotFound: there is no such open invitation of this tenant.
            Forbidden: the actor does not manage the tenant's members.
        """
        with self._history.action(actor, "invitation.withdraw", str(invitation_id), tenant=serial) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                found = store.withdraw_invitation(connection, serial, invitation_id, self._now())
                if found is None:
                    message = "There is no such open invitation. It was used, withdrawn, or has expired."
                    raise NotFound(message)
                manages(actor, serial, found.role)
                signal(connection, f"tenant.{serial}")
            ending.note(email=found.email, role=found.role)
        return found

    def open(self, token: str) -> Invited:
        """Return what a link invites to. Looking does not use it up.

        Raises:
            NotFound: it was used, withdrawn, has expired, or never was.
        """
        with self._database.transaction() as connection:
            return self._known(connection, token)

    def accept(
        self, token: str, *, name: str, email: str, password: Secret, origin: str, request_id: str = ""
    ) -> Person:
        """Join with a new account.

        Raises:
            NotFound: the link is not open.
            Rejected: the name, the address or the password does not do, or the link is for another address.
            Conflict: the address has an account already; its person signs in first and joins with it.
            TooMany: too many tries from this origin.
        """
        invited = self.open(token)
        address = _meant(invited, check_email(email))
        made = self._members.new_person(name, address, address.lower(), must_change=False)
        mailbox = address.partition("@")[0]
        acceptable(password, mailbox if len(mailbox) >= _TELLING else "")
        # The answer tells whether an address has an account: so tries are counted, as those of signing in are.
        self._throttle.count(f"invitation {address}", origin, self._now())
        kept = self._passwords.hash(password)
        actor = Actor(
            name=made.login, role=invited.invitation.role, tenant=invited.invitation.tenant, door="portal",
            origin=origin, request_id=request_id, person=made.id,
        )  # fmt: skip
        with self._accepting(actor, invited) as ending:
            with self._database.transaction() as connection:
                self._members.keep_person(connection, made, kept)
                self._use(connection, token, made)
                self._throttle.forgive(connection, f"invitation {address}", origin)
                person = _there(store.person(connection, made.id))
                failpoint("identity.accept.before-commit")
            ending.note(account="made")
        return person

    def join(self, actor: Actor, token: str) -> Person:
        """Join with the account that is signed in.

        Raises:
            NotFound: the link is not open.
            Forbidden: who is signed in has no member's account, or the link is for another address.
            Conflict: they belong to the tenant already.
        """
        invited = self.open(token)
        with self._accepting(actor, invited) as ending:
            if actor.person is None:
                message = "Operators see every tenant and join none. Sign out to accept this as somebody else."
                raise Forbidden(message)
            with self._database.transaction() as connection:
                person = _there(store.person(connection, actor.person))
                _meant(invited, person.email)
                self._use(connection, token, person)
                joined = _there(store.person(connection, person.id))
                failpoint("identity.join.before-commit")
            ending.note(account="was there")
        return joined

    def _accepting(self, actor: Actor, invited: Invited) -> AbstractContextManager[Ending]:
        found = invited.invitation
        return self._history.action(
            actor, "invitation.accept", invited.tenant, tenant=found.tenant, role=found.role, by=found.created_by
        )

    def _use(self, connection: Connection, token: str, person: Person) -> None:
        """Use the link up: of two who press at once, one finds it open."""
        found = self._known(connection, token, hold=True).invitation
        self._members.join(
            connection, found.tenant, person, found.role, source=Source.INVITATION, by=found.created_by
        )
        store.use_invitation(connection, found.id, self._now(), person.login)

    def _known(self, connection: Connection, token: str, *, hold: bool = False) -> Invited:
        found = None
        if _FORM.fullmatch(token):
            found = store.open_invitation(connection, _hash(token), self._now(), hold=hold)
        if found is None:
            message = "This invitation was used, withdrawn, or has expired. Ask who sent it for another."
            raise NotFound(message, code="invitation")
        return found


def _meant(invited: Invited, address: str) -> str:
    wanted = invited.invitation.email
    if wanted is not None and wanted.lower() != address.lower():
        message = f"This invitation is for {wanted}."
        raise Rejected(message, code="invitation", field="email")
    return address


def _there(person: Person | None) -> Person:
    if person is None:
        raise NotFound
    return person


def _hash(token: str) -> bytes:
    # 200 random bits: nothing to guess, so one round is enough.
    return hashlib.sha256(token.encode("ascii")).digest()
