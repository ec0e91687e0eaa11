"""Does the steps of a tenant's place in a shared organisation: organisation, team, seats, rights, links.

Each is safe to repeat. What is not here: which steps there are (`plan.py`), what stands in the folder (`../apply.py`).
"""

from typing import Final

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import failpoint
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.answers import Member, Organisation, OrganisationMade, TeamMade
from belvedere.workspaces.grafana.api import Changed, Grafana
from belvedere.workspaces.grafana.deeds import Deed
from belvedere.workspaces.grafana.model import Desired, Kind, Seat, WantedSeat, WantedTeam
from belvedere.workspaces.grafana.problems import taken
from belvedere.workspaces.grafana.shared.model import Links, capture_subjects
from belvedere.workspaces.grafana.shared.observe import find_team, see_people
from belvedere.workspaces.grafana.shared.plan import leavers, wanted_rights

_OK: Final = frozenset({200, 201})
_LOCK_WAIT_MS: Final = 10_000
_NOBODYS: Final = WantedTeam("", "")


class SharedHands:
    """The deeds for one tenant in the organisation that tenants share."""

    def __init__(
        self, *, grafana: Grafana, database: Database, desired: Desired, seat: Seat, links: Links | None
    ) -> None:
        """Take what it needs; without `links` nothing stands between the tenants' data."""
        self._grafana = grafana
        self._database = database
        self._desired = desired
        self._seat = seat
        self._links = links
        self._team = desired.team or _NOBODYS
        self._seated: dict[str, tuple[int, WantedSeat]] | None = None

    def organisation(self) -> None:
        """Make or mark the shared organisation, one job at a time, and write down that the tenant stands in it."""
        name, url = self._desired.organisation, self._grafana.url
        with self._database.session() as session:
            if not store.hold_shared(session, url, _LOCK_WAIT_MS):
                message = "Another job makes the organisation that tenants share."
                raise Later(message, retry_in_s=2.0)
            with self._database.transaction() as connection:
                known = store.shared(connection, url)
                asked = known is not None and known.asked and known.name == name
                store.ask_for_shared(connection, url, name)
            failpoint("workspaces.grafana.shared-asked")
            answer = self._grafana.ask(requests.create_organisation(name), 409)
            made = answer.read(OrganisationMade).org_id if answer.status in _OK else 0
            number = made or self._there(name, url, asked=asked)
            failpoint("workspaces.grafana.shared-made")
            self._grafana.ask(requests.mark_organisation(number, self._desired.mark))
            failpoint("workspaces.grafana.shared-marked")
            with self._database.transaction() as connection:
                store.found_shared(connection, url, name, number)
                store.found(connection, self._seat, url, name, number)

    def _there(self, name: str, url: str, *, asked: bool) -> int:
        """Take an organisation of our name: it bears our mark, or an earlier try of ours has left it half-made."""
        found = self._grafana.ask(requests.organisation_named(name), 404)
        if found.status in _OK:
            one = found.read(Organisation)
            if one.address.address1 == self._desired.mark or (asked and not one.address.address1):
                return one.id
            with self._database.transaction() as connection:
                store.unask_shared(connection, url)
            raise taken(name, "organisation")
        message = "The organisation that tenants share appeared at the same moment. It is looked at again."
        raise Changed(message, retry_in_s=1.0)

    def team(self, deed: Deed, number: int) -> None:
        """Make the team, find the one that an earlier try has left, or rename it."""
        made = deed.number
        if made:
            answer = self._grafana.ask(
                requests.change_team(made, self._team.name, self._team.mark), 409, organisation=number
            )
            if answer.status not in _OK:
                raise taken(self._team.name, "team")
        else:
            request = requests.create_team(self._team.name, self._team.mark)
            answer = self._grafana.ask(request, 409, organisation=number)
            made = answer.read(TeamMade).team_id if answer.status in _OK else self._half_made(number)
        failpoint("workspaces.grafana.team-made")
        with self._database.transaction() as connection:
            store.put(connection, self._seat, Kind.TEAM, "main", number=made)

    def _half_made(self, number: int) -> int:
        found = find_team(self._grafana, number, self._team, 0)
        if found is None:
            raise taken(self._team.name, "team")
        return found.id

    def seats(self, _deed: Deed, number: int) -> None:
        """Put the tenant's people into the team, 400 says that somebody is in already, and take others out."""
        team = self._number(Kind.TEAM)
        people = {user for user, _ in self._people(number).values()}
        there = set(see_people(self._grafana, number, team))
        for user in people - there:
            self._grafana.ask(requests.add_team_member(team, user), 400, organisation=number)
            failpoint("workspaces.grafana.seat-taken")
        for user in there - people:
            self._grafana.ask(requests.remove_team_member(team, user), 404, organisation=number)
            failpoint("workspaces.grafana.seat-left")

    def rights(self, _deed: Deed, number: int) -> None:
        """Let nobody into the folder but the team, those of it who do more, and the account for previews."""
        people = {user: seat.permission for user, seat in self._people(number).values()}
        wanted = wanted_rights(self._number(Kind.TEAM), people, self._number(Kind.CAPTURE))
        items = []
        for right in sorted(wanted):
            kind, _, which = right.whom.partition(" ")
            items.append({f"{kind}Id": int(which), "permission": right.permission})
        answer = self._grafana.ask(
            requests.set_folder_rights(self._desired.folder_uid, items), 404, organisation=number
        )
        failpoint("workspaces.grafana.rights-set")
        if answer.status not in _OK:
            message = "The tenant's folder is gone from Grafana. It is made again."
            raise Changed(message, retry_in_s=1.0)

    def links(self, _deed: Deed, number: int) -> None:
        """Let the tenant's people, and the account for previews, see the tenant's rows through the gateway."""
        if self._links is None:
            return
        tenant = self._seat.tenant
        for subject in leavers(self._desired):
            self._links.unlink(tenant, subject)
        for login, (user, seat) in self._people(number).items():
            self._links.link(tenant, f"user:{user}", member=seat.member, login=login)
            failpoint("workspaces.grafana.linked")
        service = self._number(Kind.CAPTURE)
        for subject in sorted(capture_subjects(service)) if service else ():
            self._links.link(tenant, subject, member="previews")

    def drop_links(self, _deed: Deed, _number: int) -> None:
        """Let nobody see the tenant's rows through the gateway any more."""
        if self._links is not None:
            for subject in self._links.subjects(self._seat.tenant):
                self._links.unlink(self._seat.tenant, subject)
                failpoint("workspaces.grafana.unlinked")

    def drop_team(self, deed: Deed, number: int) -> None:
        """Delete the team."""
        self._grafana.ask(requests.delete_team(deed.number), 404, organisation=number)
        failpoint("workspaces.grafana.team-dropped")
        with self._database.transaction() as connection:
            store.drop(connection, self._seat, Kind.TEAM, "main")

    def _people(self, number: int) -> dict[str, tuple[int, WantedSeat]]:
        """Return the users who have a seat, by their logins, read once when all of a plan's people are let in."""
        if self._seated is not None:
            return self._seated
        listed = self._grafana.ask(requests.organisation_users(number)).read(list[Member])
        seats = {seat.login.lower(): seat for seat in self._team.seats}
        found = {}
        for one in listed:
            seat = seats.get(one.login.lower()) or seats.get(one.email.lower())
            if seat is not None:
                found[one.login] = (one.user_id, seat)
        self._seated = found
        return found

    def _number(self, kind: Kind) -> int:
        with self._database.transaction() as connection:
            found = store.record(connection, self._seat, kind, "main")
        return found.number if found else 0
