"""The tenant's default user in a Grafana: made, recognised as ours, put into its organisation alone, deleted.

What is not here: members of the tenant, who are people of their own.
"""

import secrets
from dataclasses import replace
from typing import Final

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.answers import Made, Member, Membership, User
from belvedere.workspaces.grafana.api import Grafana, Unsure
from belvedere.workspaces.grafana.deeds import Deed
from belvedere.workspaces.grafana.model import Kind, Seat, WantedAccount

PASSWORD: Final = "_grafana_password"  # noqa: S105  (a name)
"""The name under which the default user's first password is sealed, until it is handed over."""

_OK: Final = frozenset({200, 201})


def in_its_way(grafana: Grafana, name: str) -> Stuck | None:
    """Say what keeps Grafana from making a user: an organisation of its name, where each user is to get one.

    Seen on 11.0.0 with `auto_assign_org = false`: it answers 500 for as long as that organisation is there.
    """
    if grafana.ask(requests.organisation_named(name), 404).status not in _OK:
        return None
    message = f"Grafana cannot make the user {name}: an organisation of that name was left by a user who is gone."
    return Stuck(message, hint=f"Delete the organisation {name} in Grafana, then try again.", code="grafana-user")


class Accounts:
    """The default user of one tenant."""

    def __init__(self, *, grafana: Grafana, database: Database, credentials: Credentials, seat: Seat) -> None:
        """Take what it needs."""
        self._grafana = grafana
        self._database = database
        self._credentials = credentials
        self._seat = seat

    def put(self, deed: Deed, number: int) -> None:
        """Make the user, or find it, and give it its role in this organisation and no other."""
        account = deed.account
        if account is None:
            return
        with self._database.transaction() as connection:
            record = store.record(connection, self._seat, Kind.ACCOUNT, account.login)
        if record is not None and not record.number:
            account = replace(account, existing=True)
        user = deed.number or (self._existing(account) if account.existing else self._made(account, number))
        failpoint("workspaces.grafana.account-made")
        self._settle(account, user, number)
        with self._database.transaction() as connection:
            # An account that somebody else made is never deleted, so its number is not kept.
            store.put(
                connection, self._seat, Kind.ACCOUNT, account.login, number=0 if account.existing else user
            )

    def drop(self, deed: Deed, number: int) -> None:
        """Delete the user when it is the one on record and has no other organisation; else only take it out.

        It is only taken out as well when the settings let it stay, or a single sign-on signs it in by now.
        """
        seen = self._grafana.ask(requests.user(deed.number), 404)
        if seen.status in _OK and seen.read(User).login.lower() == deed.key.lower():
            stays = (deed.account is not None and deed.account.stays) or seen.read(User).is_external
            homes = self._grafana.ask(requests.user_organisations(deed.number)).read(list[Membership])
            if not stays and {one.org_id for one in homes} <= {number}:
                self._grafana.ask(requests.delete_user(deed.number), 404)
            else:
                self._grafana.ask(requests.remove_organisation_user(number, deed.number), 400, 404)
        failpoint("workspaces.grafana.account-dropped")
        with self._database.transaction() as connection:
            store.drop(connection, self._seat, Kind.ACCOUNT, deed.key)

    def _existing(self, account: WantedAccount) -> int:
        found = self._grafana.ask(requests.user_named(account.login), 404)
        if found.status not in _OK:
            message = f"Grafana has no user {account.login}."
            hint = "Make it, or write a name with {name} into BELVEDERE_GRAFANA_DEFAULT_USER."
            raise Stuck(message, hint=hint, code="grafana-user")
        return found.read(User).id

    def _made(self, account: WantedAccount, number: int) -> int:
        with self._database.transaction() as connection:
            # While the tenant moves, the user is known by the place that it comes from.
            known = store.account_number(connection, self._seat.tenant, self._grafana.url, account.login)
        if known:
            # Asked to make one that is there, a Grafana without `auto_assign_org` leaves an organisation behind.
            there = self._grafana.ask(requests.user(known), 404)
            if there.status in _OK and there.read(User).login.lower() == account.login.lower():
                return known
        password = self._password()
        request = requests.create_user(account.login, account.name, password.reveal(), number)
        unsure: Unsure | None = None
        try:
            answer = self._grafana.ask(request, 409, 412)
        except Unsure as error:
            unsure = error
        else:
            if answer.status in _OK:
                return answer.read(Made).id
        found = self._grafana.ask(requests.user_named(account.login), 404)
        if unsure is not None and found.status not in _OK:
            raise in_its_way(self._grafana, account.login) or unsure
        if found.status in _OK:
            user = found.read(User)
            ours = known == user.id
            # Nobody but Belvedere knows the sealed password: who signs in with it is the user that a crash left here.
            if ours or self._grafana.is_login(account.login, password):
                return user.id
        message = f"Grafana has a user {account.login} already, whom Belvedere did not make."
        hint = "Rename or delete that user in Grafana, or choose other names in BELVEDERE_GRAFANA_DEFAULT_USER."
        raise Stuck(message, hint=hint, code="grafana-user")

    def _password(self) -> Secret:
        """Return the password of the user that is to be made: sealed before Grafana learns it."""
        with self._database.transaction() as connection:
            kept = self._credentials.read_in(connection, self._seat.tenant, PASSWORD)
            if not kept:
                kept = Secret(secrets.token_urlsafe(18))
                self._credentials.keep(connection, self._seat.tenant, PASSWORD, kept)
        return kept

    def _settle(self, account: WantedAccount, user: int, number: int) -> None:
        """Leave the user with one organisation, whatever the server's settings for new users did.

        `auto_assign_org_role = None` makes it nothing here; `auto_assign_org = false` ignores the organisation that
        was asked for and makes one of the user's own, whose Admin it is.
        """
        homes = self._grafana.ask(requests.user_organisations(user)).read(list[Membership])
        here = next((one for one in homes if one.org_id == number), None)
        if here is None:
            self._grafana.ask(requests.add_organisation_user(number, account.login, account.role), 409)
        elif here.role != account.role:
            # 400: nobody else would be left to administer it.
            request = requests.set_organisation_role(number, user, account.role)
            if self._grafana.ask(request, 400).status not in _OK:
                self._grafana.ask(requests.add_organisation_user(number, self._grafana.access.user, "Admin"), 409)
                self._grafana.ask(request)
        if account.existing:
            return
        with self._database.transaction() as connection:
            places = store.organisations(connection, self._seat.tenant, self._grafana.url)
        for other in homes:
            if other.org_id != number and other.org_id not in places:
                self._leave(account, user, other)
        if len(homes) != 1 or here is None:
            self._grafana.ask(requests.use_organisation(user, number), 400, 401, 404)

    def _leave(self, account: WantedAccount, user: int, other: Membership) -> None:
        answer = self._grafana.ask(requests.remove_organisation_user(other.org_id, user), 400, 404)
        if answer.status != 400:  # noqa: PLR2004  (the last admin cannot leave)
            return
        members = self._grafana.ask(requests.organisation_users(other.org_id)).read(list[Member])
        alone = [one.user_id for one in members] == [user]
        if alone and other.name.lower() == account.login.lower():
            self._grafana.ask(requests.delete_organisation(other.org_id), 400, 404)
