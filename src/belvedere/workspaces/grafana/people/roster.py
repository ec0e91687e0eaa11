"""Which of a tenant's members Grafana should know, put together from the members' room and our records.

What is not here: calls to Grafana (`users.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from belvedere.identity.members.model import Member
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Forbidden, NotFound
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana.model import Desired, Seat
from belvedere.workspaces.grafana.people import store
from belvedere.workspaces.grafana.people.model import JoinedMember, KnownUser, WantedMember, role_of
from belvedere.workspaces.grafana.people.users import FORGETS_S, Users, wait_for
from belvedere.workspaces.grafana.problems import handed_over

OfTenant = Callable[[int], Sequence[Member]]
"""The members of a tenant, by its serial number."""

_NOBODY: Final = KnownUser("", 0, made=False)


class Roster:
    """The members of all tenants, as one Grafana should have them."""

    def __init__(self, *, database: Database, url: str, of_tenant: OfTenant | None) -> None:
        """Take what it needs; without `of_tenant` nobody is let in."""
        self._database = database
        self._url = url
        self._of_tenant = of_tenant

    def on(self, desired: Desired, seat: Seat, administrator: str) -> Desired:
        """Return what should be there with the tenant's members, and those on record, put in."""
        if not desired.users or self._of_tenant is None:
            return desired
        members = [one for one in self._of_tenant(seat.tenant) if one.active]
        with self._database.transaction() as connection:
            users = store.users(connection, self._url, seat.tenant)
            joined = store.joined(connection, seat)
            begun = store.half_made(connection, self._url, seat.tenant)
        there = {(one.login, one.number) for one in joined if one.left_at is None}
        wanted = []
        for member in members:
            login = member.login.lower()
            number = users.get(login, _NOBODY).number
            wanted.append(WantedMember(
                login, member.email, member.name, role_of(member.role), number, joined=(login, number) in there,
            ))
        # Who was being made when a process died, and is no member any more, may be inside.
        begun = [login for login in begun if login not in {one.login for one in joined}]
        joined = (*joined, *(JoinedMember(login, 0, "") for login in begun))
        return replace(desired, members=tuple(wanted), joined=joined, administrator=administrator)

    def look_after(self, users: Users, seat: Seat, organisation: int) -> list[str]:
        """Look whether those who were taken out are out, when Grafana has forgotten them.

        Returns:
            The logins of those who were in again and were taken out once more.

        Raises:
            Later: for some it is too early.
        """
        back, early = [], 0.0
        with self._database.transaction() as connection:
            leaving = store.leaving(connection, seat)
        for one, age_s in leaving:
            if age_s < FORGETS_S:
                early = max(early, FORGETS_S - age_s)
            elif not users.look_after(one, organisation):
                back.append(one.login)
        if early:
            raise wait_for(early)
        return back


def may_take(actor: Actor, member: Member) -> None:
    """Refuse to hand a member's password to anybody but that member and the installation's operators.

    One Grafana user may see several tenants: an admin of one of them must not sign in as somebody of another.

    Raises:
        Forbidden: it is somebody else's.
    """
    if actor.person == member.id:
        return
    if actor.tenant is not None:
        message = "Only the member, or an operator of the installation, can take this password."
        raise Forbidden(message)
    actor.must(Role.OPERATOR)


def take_password(users: Users, login: str) -> tuple[str, Secret]:
    """Hand over the first password of a member's user, once.

    Raises:
        NotFound: Belvedere did not make the user.
        Conflict: it was handed over before.
    """
    found = users.first_password(login)
    if found is not None:
        return found
    if users.is_handed_over(login):
        raise handed_over()
    message = "There is no password to hand over: the user is not one that Belvedere made."
    raise NotFound(message)
