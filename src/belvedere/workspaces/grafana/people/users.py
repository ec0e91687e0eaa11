"""One Grafana user a person: found or made, put into a tenant's organisation with a role, taken out, looked after.

A user that somebody else made, by hand or by single sign-on, is recognised by its address; it is only added and taken
out. One that Belvedere made gets a password once, and is deleted when no tenant needs it and no other organisation
has it. What is not here: who should be where (`plan.py`).
"""

import secrets
from typing import Final

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.accounts import in_its_way
from belvedere.workspaces.grafana.answers import Added, Made, Member, Membership, User
from belvedere.workspaces.grafana.api import Changed, Grafana, Unsure
from belvedere.workspaces.grafana.model import Seat
from belvedere.workspaces.grafana.people import store
from belvedere.workspaces.grafana.people.model import JoinedMember, KnownUser, WantedMember

FORGETS_S: Final = 10.5
"""Grafana keeps what a user may do for 5 s and its permissions for as long again (10.2 s seen on 11.0.0)."""

_OK: Final = frozenset({200, 201})


class Users:
    """The members of one tenant in one tier of one Grafana."""

    def __init__(self, *, grafana: Grafana, database: Database, credentials: Credentials, seat: Seat) -> None:
        """Take what it needs; `seat` is whose place in which tier."""
        self._grafana = grafana
        self._database = database
        self._credentials = credentials
        self._seat = seat

    def put(self, member: WantedMember, organisation: int) -> int:
        """Let a member into an organisation with its role, and return its user's number.

        Raises:
            Stuck: a user of that address is another person's, or may have renamed itself to look like this one.
            Later: Grafana is away.
        """
        known = self._known(member)
        user, inside = (known, False) if known else self._new(member, organisation)
        failpoint("workspaces.grafana.member-made")
        if not inside:
            # Written down first: who is removed before the next look must be taken out by it.
            with self._database.transaction() as connection:
                store.join(connection, self._seat, member.login, user.id, member.role)
            self._let_in(user, member.role, organisation)
        failpoint("workspaces.grafana.member-let-in")
        return user.id

    def drop(self, login: str, number: int, organisation: int) -> None:
        """Take somebody out of an organisation, and delete the user when it is ours and nobody needs it.

        Where another tenant of the same organisation has it as a member it stays in. What Grafana still allows
        for some seconds is looked after by `look_after`. Without a number it is one that was being made.
        """
        number = number or self._half_made(login)
        if not number:
            return
        found = self._grafana.ask(requests.user(number), 404)
        with self._database.transaction() as connection:
            shared = store.is_needed_in(connection, self._seat, number, organisation)
        if found.status in _OK:
            user = found.read(User)
            if not shared and not self._is_own_login(user):
                self._grafana.ask(requests.remove_organisation_user(organisation, number), 400, 404)
            failpoint("workspaces.grafana.member-taken-out")
            self._delete(user, login, organisation)
        failpoint("workspaces.grafana.member-dropped")
        with self._database.transaction() as connection:
            store.leave(connection, self._seat, login)

    def look_after(self, one: JoinedMember, organisation: int) -> bool:
        """Tell whether somebody who was taken out is out, now that Grafana's caches have ended; then forget it.

        One who is in again is taken out again, and False is returned: it is to be looked after once more.
        """
        homes = self._grafana.ask(requests.user_organisations(one.number)).read(list[Membership])
        with self._database.transaction() as connection:
            shared = store.is_needed_in(connection, self._seat, one.number, organisation)
        if not shared and organisation in {home.org_id for home in homes}:
            self.drop(one.login, one.number, organisation)
            return False
        with self._database.transaction() as connection:
            store.left(connection, self._seat, one.login)
            known = store.user(connection, self._grafana.url, one.login)
            if known is not None and not known.made and not store.is_joined(connection, self._grafana.url, one.login):
                store.forget(connection, self._grafana.url, one.login)
            failpoint("workspaces.grafana.member-forgotten.before-commit")
        return True

    def first_password(self, login: str) -> tuple[str, Secret] | None:
        """Give a user that Belvedere made its first password, once; None when there is none to give.

        It is made now and kept nowhere. Who was asked twice at the same moment gets one answer.
        """
        url = self._grafana.url
        with self._database.transaction() as connection:
            known = store.user(connection, url, login, hold=True)
            if known is None or not known.made or known.handed_at is not None:
                return None
            found = self._grafana.ask(requests.user(known.number), 404)
            user = found.read(User) if found.status in _OK else None
            if user is None or user.is_external or user.login.lower() != login:
                return None
            password = Secret(secrets.token_urlsafe(18))
            self._grafana.ask(requests.set_password(known.number, password.reveal()))
            failpoint("workspaces.grafana.member-password-set")
            store.hand_over(connection, url, login)
        return user.login, password

    def is_handed_over(self, login: str) -> bool:
        """Tell whether the first password of a user that Belvedere made was given away."""
        with self._database.transaction() as connection:
            known = store.user(connection, self._grafana.url, login)
        return known is not None and known.made and known.handed_at is not None

    # Finding and making

    def _known(self, member: WantedMember) -> User | None:
        """Return the user on record. One that is gone, or whose number is somebody else's now, is forgotten.

        A Grafana that was emptied gives its numbers out again.
        """
        with self._database.transaction() as connection:
            known = store.user(connection, self._grafana.url, member.login)
        if known is None or not known.number:
            return None
        found = self._grafana.ask(requests.user(known.number), 404)
        if found.status in _OK:
            user = found.read(User)
            if member.is_called(user.login, user.email):
                return user
        with self._database.transaction() as connection:
            store.forget(connection, self._grafana.url, member.login)
        return None

    def _new(self, member: WantedMember, organisation: int) -> tuple[User, bool]:
        """Find or make the user, and tell whether it was let in at once, as those that Belvedere made are."""
        user = self._called(member)
        if user is None:
            return self._made(member, organisation), True
        with self._database.transaction() as connection:
            known = store.user(connection, self._grafana.url, member.login)
            owner = store.owner_of(connection, self._grafana.url, user.id)
            maker = known.maker if known and not known.number else 0
            password = self._credentials.read_in(connection, maker, _sealed(member.login)) if maker else None
        made = bool(password and not user.is_external and self._grafana.is_login(user.login, password))
        if not made and owner is not None and owner.lower() != member.login:
            raise _another(member, f"it is that of {owner}")
        homes = self._grafana.ask(requests.user_organisations(user.id)).read(list[Membership])
        if not made and not user.is_external:
            self._must_be_trusted(member, {one.org_id for one in homes}, organisation)
        self._keep(member, user.id, made=made)
        if made:
            self._settle(user, homes, organisation, member.role)
        return user, made

    def _must_be_trusted(self, member: WantedMember, homes: set[int], organisation: int) -> None:
        """Refuse a local user that only other tenants know: whoever has one may write any address into it."""
        with self._database.transaction() as connection:
            others = store.homes(connection, self._grafana.url) - {organisation}
        if homes & others and organisation not in homes:
            raise _another(member, "it is in the organisation of another tenant, and nothing proves whose it is")

    def _called(self, member: WantedMember) -> User | None:
        for word in dict.fromkeys((member.email, member.login)):
            found = self._grafana.ask(requests.user_named(word), 404)
            if found.status in _OK:
                return found.read(User)
        return None

    def _made(self, member: WantedMember, organisation: int) -> User:
        password = Secret(secrets.token_urlsafe(24))
        with self._database.transaction() as connection:
            # Sealed until the number is known: it proves that a user that a crash left behind is ours.
            self._credentials.keep(connection, self._seat.tenant, _sealed(member.login), password)
            store.begin(connection, self._grafana.url, member.login, self._seat.tenant)
        failpoint("workspaces.grafana.member-asked")
        request = requests.create_member(member.login, member.email, member.name, password.reveal(), organisation)
        try:
            answer = self._grafana.ask(request, 412)
        except Unsure as error:
            # Made unseen it has an organisation of its own where each user gets one: that is in nobody's way.
            hindrance = in_its_way(self._grafana, member.email) if self._called(member) is None else None
            raise hindrance or error from error
        if answer.status not in _OK:
            message = f"{member.login} appeared in Grafana at the same moment. It is looked at again."
            raise Unsure(message, retry_in_s=1.0)
        made = answer.read(Made).id
        failpoint("workspaces.grafana.member-asked-for")
        self._keep(member, made, made=True)
        user = User(made, member.login, member.email)
        homes = self._grafana.ask(requests.user_organisations(made)).read(list[Membership])
        self._settle(user, homes, organisation, member.role)
        return user

    def _keep(self, member: WantedMember, number: int, *, made: bool) -> None:
        with self._database.transaction() as connection:
            store.keep(connection, self._grafana.url, member.login, number, made=made)
            store.join(connection, self._seat, member.login, number, member.role)
            self._unseal(connection, member.login)

    def _half_made(self, login: str) -> int:
        """Return the number of a user that was being made when a process died, or 0 when there is none of ours."""
        found = self._grafana.ask(requests.user_named(login), 404)
        with self._database.transaction() as connection:
            password = self._credentials.read_in(connection, self._seat.tenant, _sealed(login))
        number = 0
        if found.status in _OK and password:
            user = found.read(User)
            ours = not user.is_external and self._grafana.is_login(user.login, password)
            number = user.id if ours else 0
        with self._database.transaction() as connection:
            if number:
                store.keep(connection, self._grafana.url, login, number, made=True)
                store.join(connection, self._seat, login, number, "")
            else:
                store.forget(connection, self._grafana.url, login)
            self._unseal(connection, login)
        return number

    def _unseal(self, connection: Connection, login: str) -> None:
        if self._credentials.read_in(connection, self._seat.tenant, _sealed(login)):
            self._credentials.keep(connection, self._seat.tenant, _sealed(login), Secret(""))

    # In and out

    def _let_in(self, user: User, role: str, organisation: int) -> None:
        if self._is_own_login(user):
            return
        answer = self._grafana.ask(requests.add_organisation_user(organisation, user.login, role), 409)
        if answer.read(Added).user_id not in {0, user.id}:
            # Somebody took the login in the moment between.
            other = answer.read(Added).user_id
            if answer.status in _OK:
                self._grafana.ask(requests.remove_organisation_user(organisation, other), 400, 404)
            message = f"{user.login} was renamed in Grafana at the same moment. It is looked at again."
            raise Changed(message, retry_in_s=1.0)
        if answer.status not in _OK:
            self._grafana.ask(requests.set_organisation_role(organisation, user.id, role))

    def _settle(self, user: User, homes: list[Membership], organisation: int, role: str) -> None:
        """Take a new user out of the organisation of its own that `auto_assign_org = false` gave it."""
        self._let_in(user, role, organisation)
        for home in homes:
            if home.org_id != organisation and home.name.lower() in {user.login.lower(), user.email.lower()}:
                leave_own(self._grafana, user, home)
        if len(homes) != 1 or homes[0].org_id != organisation:
            self._grafana.ask(requests.use_organisation(user.id, organisation), 400, 401, 404)

    def _delete(self, user: User, login: str, organisation: int) -> None:
        url = self._grafana.url
        with self._database.transaction() as connection:
            known = store.user(connection, url, login, hold=True)
            if not _is_ours(known, user, login) or store.is_needed_elsewhere(connection, self._seat, login):
                return
            homes = self._grafana.ask(requests.user_organisations(user.id)).read(list[Membership])
            if {home.org_id for home in homes} <= {organisation}:
                self._grafana.ask(requests.delete_user(user.id), 404)
                store.forget(connection, url, login)
                failpoint("workspaces.grafana.member-deleted.before-commit")

    def _is_own_login(self, user: User) -> bool:
        own = self._grafana.access.user.lower()
        return bool(own) and own in {user.login.lower(), user.email.lower()}


def leave_own(grafana: Grafana, user: User, home: Membership) -> None:
    """Take a user out of an organisation that bears its name; where it is alone there, delete that organisation."""
    answer = grafana.ask(requests.remove_organisation_user(home.org_id, user.id), 400, 404)
    if answer.status == 400:  # noqa: PLR2004  (the last admin cannot leave)
        members = grafana.ask(requests.organisation_users(home.org_id)).read(list[Member])
        if [one.user_id for one in members] == [user.id]:
            grafana.ask(requests.delete_organisation(home.org_id), 400, 404)


def _is_ours(known: KnownUser | None, user: User, login: str) -> bool:
    """Tell whether Belvedere made this user and nothing says that it is somebody else's by now."""
    if known is None or not known.made or known.number != user.id:
        return False
    return not user.is_external and user.login.lower() == login


def _sealed(login: str) -> str:
    return f"_grafana_member_{login}"


def _another(member: WantedMember, why: str) -> Stuck:
    message = f"Grafana has a user with the address {member.email} that cannot be taken for the member: {why}."
    hint = "Look at that user in Grafana; give it its own address, or delete it. Then try again."
    return Stuck(message, hint=hint, code="grafana-user")


def wait_for(seconds: float) -> Later:
    """Say that it is too early to look whether somebody is out."""
    message = "Grafana still remembers a member who was taken out. It is looked at again."
    return Later(message, retry_in_s=max(0.5, seconds))
