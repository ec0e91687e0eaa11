"""Operators' accounts: the first one, passwords, roles; and signing in, which operators and members do alike.

What is not here: what stays in the browser (`sessions.py`), how passwords are kept (`passwords.py`), how somebody
becomes a member (`members/`).
"""

import re
from datetime import datetime
from typing import Final

from belvedere.audit.model import History
from belvedere.identity import store
from belvedere.identity.members import store as members
from belvedere.identity.members.model import Person
from belvedere.identity.model import ONE_SIGN_IN, Account, Created, Operator
from belvedere.identity.passwords import Passwords, acceptable, generated
from belvedere.identity.sessions import cookie_hash
from belvedere.identity.throttle import Throttle
from belvedere.kernel.actor import OPERATOR_ROLES, SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Conflict, NotFound, Rejected, Unauthenticated
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret

FIRST_NAME: Final = "admin"
"""Name of the operator that is made at first start."""

_SIGN_IN: Final[dict[type[Account], str]] = {Operator: "operator.sign-in", Person: "member.sign-in"}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class Accounts:
    """Who runs the installation. Every change needs an admin; one's own password needs the old one."""

    def __init__(
        self, *, database: Database, history: History, now: Now = utc_now, passwords: Passwords | None = None
    ) -> None:
        """Take the collaborators; `passwords` only differs in tests."""
        self._database = database
        self._history = history
        self._now = now
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(database)

    def first(self, password: Secret | None = None) -> Secret | None:
        """Make the first admin, named `admin`, if there is no operator at all.

        Two nodes may start at once: one of them makes it.

        Args:
            password: the password to give it; a generated one, to be changed at the first sign-in, if absent.

        Returns:
            The password, to be printed once; None when there was an operator already.
        """
        with self._database.transaction() as connection:
            if store.operators(connection):
                return None
        chosen = password or generated()
        kept = self._passwords.hash(chosen)
        with self._history.action(SYSTEM, "operator.create", FIRST_NAME, role=Role.ADMIN, first=True) as ending:
            with self._database.transaction() as connection:
                store.lock_operators(connection)
                if store.operators(connection):
                    ending.note(made=False)
                    return None
                made = self._new(FIRST_NAME, Role.ADMIN, None, SYSTEM.name, must_change=password is None)
                store.add_operator(connection, made, kept)
                failpoint("identity.first.before-commit")
            ending.note(made=True)
        return chosen

    def sign_in(
        self, name: str, password: Secret, origin: str, *, door: str = "portal", request_id: str = ""
    ) -> Account:
        """Find out whether somebody is who they say. Opening the session is `Sessions.open`.

        The answer takes as long and reads the same whether the name exists or not, and whose it is.

        Args:
            name: the name or e-mail address as typed.
            password: as typed.
            origin: the address that it came from.
            door: which door asks, for the history.
            request_id: of the request, for the history.

        Raises:
            TooMany: too many failures of this name or from this origin; carries how long to wait.
            Unauthenticated: they do not belong together, or the account is closed: a person's is without a tenant
                to enter.
        """
        now = self._now()
        self._throttle.count(name, origin, now)
        found = self._find(name.strip())
        fits = self._passwords.matches(found[1] if found else None, password)
        if found is None or not fits or _is_closed(found[0]):
            self._refuse(found[0] if found else None, origin, door, request_id)
            raise Unauthenticated(ONE_SIGN_IN, code="sign-in")
        account, kept = found
        actor = account.actor(door=door, origin=origin, request_id=request_id)
        outdated = self._passwords.is_outdated(kept)
        with (
            self._history.action(actor, _SIGN_IN[type(account)], actor.name, tenant=actor.tenant),
            self._database.transaction() as connection,
        ):
            self._throttle.forgive(connection, name, origin)
            if isinstance(account, Operator):
                store.touch_sign_in(connection, account.id, now)
                if outdated:
                    store.rehash_password(connection, account.id, kept, self._passwords.hash(password))
            else:
                members.touch_sign_in(connection, account.id, now)
                if outdated:
                    members.rehash_password(connection, account.id, kept, self._passwords.hash(password))
        return account

    def _find(self, name: str) -> tuple[Account, str] | None:
        with self._database.transaction() as connection:
            return store.operator_for_sign_in(connection, name) or members.person_for_sign_in(connection, name)

    def list(self, actor: Actor) -> list[Operator]:
        """Return all operators by name.

        Raises:
            NotFound: the actor is confined to a tenant.
        """
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.operators(connection)

    def get(self, actor: Actor, name: str) -> Operator:
        """Return one operator.

        Raises:
            NotFound: there is none of that name, or the actor is confined to a tenant.
        """
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return self._known(connection, name)

    def own(self, actor: Actor) -> Account:
        """Return the account of who is signed in: an operator's or a person's.

        Raises:
            NotFound: a token or a tenant's key asks; it has none.
        """
        if actor.person is None:
            return self.get(actor, actor.name)
        with self._database.transaction() as connection:
            person = members.person(connection, actor.person)
        if person is None:
            raise NotFound
        return person

    def create(
        self, actor: Actor, name: str, role: Role, *, email: str | None = None, password: Secret | None = None
    ) -> Created:
        """Make an operator, with a password that has to be changed at the first sign-in.

        Raises:
            Rejected: the name, the address or the password does not do.
            Conflict: there is one of that name or address.
        """
        with self._history.action(actor, "operator.create", name, role=role):
            actor.must(Role.ADMIN)
            named, address = _name(name), _email(email)
            _operators(role)
            if password is not None:
                acceptable(password, named)
            chosen = password or generated()
            made = self._new(named, role, address, actor.name, must_change=True)
            kept = self._passwords.hash(chosen)
            with self._database.transaction() as connection:
                store.lock_operators(connection)
                for taken in filter(None, (named, address)):
                    if store.operator_for_sign_in(connection, taken) or members.person_for_sign_in(connection, taken):
                        message = f"{taken} exists. Choose another name."
                        raise Conflict(message, field="name" if taken == named else "email")
                store.add_operator(connection, made, kept)
                failpoint("identity.create.before-commit")
        return Created(made, chosen)

    def set_role(self, actor: Actor, name: str, role: Role) -> None:
        """Change what an operator may do, from the next request on.

        Raises:
            Conflict: it is the last admin, and would be none any more.
        """
        with self._history.action(actor, "operator.set-role", name, role=role):
            actor.must(Role.ADMIN)
            _operators(role)
            with self._database.transaction() as connection:
                operator = self._changeable(connection, name, keeps_admin=role is Role.ADMIN)
                store.set_role(connection, operator.id, role)

    def disable(self, actor: Actor, name: str) -> None:
        """Close an account: its sessions end now, its tokens are refused.

        Raises:
            Conflict: it is the last admin.
        """
        with self._history.action(actor, "operator.disable", name) as ending:
            actor.must(Role.ADMIN)
            with self._database.transaction() as connection:
                operator = self._changeable(connection, name, keeps_admin=False)
                store.set_disabled(connection, operator.id, self._now())
                ending.note(sessions_ended=store.end_sessions(connection, operator.id))

    def enable(self, actor: Actor, name: str) -> None:
        """Open a closed account again."""
        with self._history.action(actor, "operator.enable", name):
            actor.must(Role.ADMIN)
            with self._database.transaction() as connection:
                store.set_disabled(connection, self._known(connection, name).id, None)

    def reset_password(self, actor: Actor, name: str, password: Secret | None = None) -> Secret:
        """Give an operator a new password, to be changed at the next sign-in; every session of it ends.

        Returns:
            The password, to be shown once.
        """
        with self._history.action(actor, "operator.reset-password", name) as ending:
            actor.must(Role.ADMIN)
            if password is not None:
                acceptable(password, name)
            chosen = password or generated()
            kept = self._passwords.hash(chosen)
            with self._database.transaction() as connection:
                operator = self._known(connection, name)
                store.set_password(connection, operator.id, kept, self._now(), must=True)
                ending.note(sessions_ended=store.end_sessions(connection, operator.id))
        return chosen

    def change_password(self, actor: Actor, old: Secret, new: Secret, *, keep: Secret | None = None) -> None:
        """Change one's own password; one's other sessions end.

        Args:
            actor: whose.
            old: the present one; wrong ones are counted as failed sign-ins are.
            new: the next one.
            keep: cookie of the session that goes on.

        Raises:
            Rejected: `old` is wrong, or `new` is too easy to guess or the same.
            TooMany: too many wrong ones.
        """
        verb = "operator.change-password" if actor.person is None else "member.change-password"
        with self._history.action(actor, verb, actor.name, tenant=actor.tenant) as ending:
            account, now = self.own(actor), self._now()
            found = self._find(actor.name)
            self._throttle.count(actor.name, actor.origin, now)
            if found is None or found[0].id != account.id or not self._passwords.matches(found[1], old):
                message = "That is not your present password."
                raise Rejected(message, code="password", field="old_password")
            acceptable(new, actor.name, field="new_password")
            if new == old:
                message = "That is the present password. Choose another."
                raise Rejected(message, code="password", field="new_password")
            kept = self._passwords.hash(new)
            with self._database.transaction() as connection:
                self._throttle.forgive(connection, actor.name, actor.origin)
                if isinstance(account, Operator):
                    store.set_password(connection, account.id, kept, now, must=False)
                else:
                    members.set_password(connection, account.id, kept, now)
                ended = store.end_sessions(connection, account.id, keep=cookie_hash(keep) if keep else None)
            ending.note(sessions_ended=ended)

    def _refuse(self, account: Account | None, origin: str, door: str, request_id: str) -> None:
        # Only a name that exists is written down: people type passwords into the name field.
        name = (account.name if isinstance(account, Operator) else account.login) if account else "unknown name"
        why = "disabled" if account and _is_closed(account) else "wrong password" if account else "no such name"
        verb = _SIGN_IN[type(account) if account else Operator]
        actor = Actor(name=name, role=Role.VIEWER, door=door, origin=origin, request_id=request_id)
        self._history.refusal(actor, verb, name, why)

    def _new(self, name: str, role: Role, email: str | None, by: str, *, must_change: bool) -> Operator:
        now: datetime = self._now()
        return Operator(
            id=new_id(), name=name, email=email, role=role, must_change_password=must_change, password_set_at=now,
            disabled_at=None, last_sign_in_at=None, created_at=now, created_by=by,
        )  # fmt: skip

    def _known(self, connection: Connection, name: str) -> Operator:
        operator = store.operator(connection, name)
        if operator is None:
            message = "There is no such operator."
            raise NotFound(message)
        return operator

    def _changeable(self, connection: Connection, name: str, *, keeps_admin: bool) -> Operator:
        store.lock_operators(connection)
        operator = self._known(connection, name)
        admins = [one.id for one in store.operators(connection) if one.role is Role.ADMIN and one.disabled_at is None]
        if not keeps_admin and admins == [operator.id]:
            message = f"{operator.name} is the last admin. Make another one first."
            raise Conflict(message, code="last-admin")
        return operator


def _is_closed(account: Account) -> bool:
    return account.disabled_at is not None if isinstance(account, Operator) else not account.places


def _operators(role: Role) -> None:
    if role not in OPERATOR_ROLES:
        message = f"Operators are {', '.join(OPERATOR_ROLES[:-1])} or {OPERATOR_ROLES[-1]}; {role} is a member's role."
        raise Rejected(message, field="role")


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        message = "Use lower-case letters, digits, dots, hyphens: `charlie`. At most 48."
        raise Rejected(message, field="name")
    return name


def _email(email: str | None) -> str | None:
    if not email:
        return None
    if _EMAIL.fullmatch(email.strip()) is None:
        message = "That is no e-mail address. Write one like `charlie@example.org`, or leave it empty."
        raise Rejected(message, field="email")
    return email.strip()
