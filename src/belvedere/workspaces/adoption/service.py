"""Takes over what other programs made in a Grafana: the tenant is made or found, the objects are written down as its.

Nothing of theirs is changed but for a mark: ids, uids, names, members and dashboards stay, and so do the people who
look at them. Doing it twice does nothing; killed on the way, the next call goes on.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from belvedere.audit.model import History
from belvedere.credentials.service import Credentials
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.tenants.names import check_name, name_key
from belvedere.tenants.service import Tenants
from belvedere.workspaces import store as tiers
from belvedere.workspaces.adoption import reading, store
from belvedere.workspaces.adoption.model import Candidate, Find, Outcome, Shape, Taken
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana import store as grafana_store
from belvedere.workspaces.grafana.answers import User
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.apply import key_of
from belvedere.workspaces.grafana.model import Kind, Seat, mark_of, team_mark_of
from belvedere.workspaces.grafana.narrow import store as narrow_store
from belvedere.workspaces.tiers import Tier

Listed = list[Candidate]

_GONE: Final = 404


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the finds, and under which name.

    An organisation's number, a name as it was found, whose work it is; and the tenant's name.
    """

    organisation: int = 0
    name: str = ""
    tenant: str = ""
    shape: str = ""


EVERYTHING: Final = Choice()


class Adoption:
    """Finds, shows and takes over what the earlier programs made in the installation's Grafana."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, credentials: Credentials,
        grafana: Grafana | None, shared: Callable[[], int],
    ) -> None:
        """Take what it needs; `shared` tells the number of the organisation that tenants of tier `team` share, or 0."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._credentials = credentials
        self._grafana = grafana
        self._shared = shared

    def look(self, actor: Actor, choice: Choice = EVERYTHING) -> Listed:
        """Return what is there and what would become of it. Changes nothing.

        Raises:
            Forbidden: the actor is no operator of the installation.
            NotFound: no Grafana is set, or nothing of that choice is there.
            Rejected: a tenant is named, and more than one find is left.
            GrafanaAway: Grafana does not answer.
        """
        actor.must(Role.OPERATOR)
        grafana = self._there()
        found = [
            one for one in reading.finds(grafana, only=choice.organisation)
            if (not choice.name or name_key(one.name) == name_key(choice.name)) and choice.shape in {"", one.shape}
        ]
        if choice.tenant and len(found) != 1:
            message = f"A tenant can be named for one find alone; there are {len(found)}."
            raise Rejected(message, field="tenant")
        names = Counter(name_key(one.name) for one in found if one.shape is not Shape.SOURCES)
        judged = [
            self._judged(actor, one, choice.tenant, alone=names[name_key(one.name)] <= 1 or bool(choice.tenant))
            for one in found
        ]
        return [one for one in judged if one is not None]

    def taken(self, actor: Actor, limit: int = 50) -> tuple[list[Taken], int]:
        """Return what was taken over, the newest first, and for how many tenants in all. Asks no Grafana.

        Raises:
            Forbidden: the actor is no operator of the installation.
        """
        actor.must(Role.OPERATOR)
        with self._database.transaction() as connection:
            return store.taken(connection, limit), store.count_taken(connection)

    def take(self, actor: Actor, choice: Choice = EVERYTHING, *, within_s: float = math.inf) -> Listed:
        """Take over all that is not refused, and return what was found with what became of it.

        A find in an organisation that Belvedere's login does not belong to is looked into after joining it.

        Args:
            actor: an operator of the installation.
            choice: which of the finds.
            within_s: no other is begun after so many seconds; what is left is there at the next call.

        Raises:
            As for `look`.
        """
        taken, deadline = [], monotonic_s() + within_s
        # First those that come with a number: the next free one, which others get, may be one of theirs.
        for candidate in sorted(self.look(actor, choice), key=lambda one: not one.number):
            if candidate.outcome in {Outcome.REFUSED, Outcome.DONE} or monotonic_s() > deadline:
                taken.append(candidate)
                continue
            name = candidate.name
            with self._history.action(
                actor, "workspace.adopt", name, tenant=candidate.tenant or None, shape=candidate.find.shape,
                organisation=candidate.find.organisation,
            ) as ending:
                serial = self._take(actor, self._joined(candidate))
                ending.note(tenant=serial, objects=len(candidate.find.things))
            taken.append(replace(candidate, tenant=serial, taken=True))
        return taken

    # Judging

    def _judged(self, actor: Actor, find: Find, given: str, *, alone: bool) -> Candidate | None:
        """Say what becomes of a find; None for an organisation that Belvedere made."""
        url = self._there().url
        with self._database.transaction() as connection:
            ours = self._recorded(connection, find)
            if find.shape is Shape.ORGANISATION and ours and not store.organisation_name(connection, ours, url):
                return None
        if ours:
            tenant = self._tenants.find(ours)
            outcome = Outcome.DONE if self._is_complete(find, ours) else Outcome.FINISH
            return Candidate(find, outcome, tenant.name if tenant else find.name, ours)
        hindrance = self._hindrance(find, alone=alone)
        if hindrance:
            return _refused(find, *hindrance)
        return self._matched(actor, find, given)

    def _hindrance(self, find: Find, *, alone: bool) -> tuple[str, str] | None:
        """Say why a find cannot be taken over, whoever it belongs to, and what to do."""
        if find.mark.startswith("belvedere ") and find.shape is Shape.ORGANISATION:
            return "An installation of Belvedere marked it as its own.", "Let it go there first."
        if find.lacks:
            return f"It lacks {find.lacks}.", "Make what is missing, or delete the data source."
        if not alone:
            return "Several finds have this name.", _choose(find)
        if find.shape is Shape.TEAM and self._shared() != find.organisation:
            hint = f"Set BELVEDERE_GRAFANA_SHARED={find.organisation}, start again, then try again."
            return "Tenants of tier team share another organisation here.", hint
        return None

    def _matched(self, actor: Actor, find: Find, given: str) -> Candidate:
        """Find the tenant by the number that the organisation's name tells, else by its name."""
        name = given or find.name
        same = self._called(actor, name)
        numbered = self._tenants.find(find.number) if find.number and not given else None
        choose = _choose(find)
        if numbered is not None and same is not None and numbered.serial != same.serial:
            why = f"Tenant {numbered.serial} is {numbered.name}, and {same.name} is tenant {same.serial}."
            return _refused(find, why, choose)
        if numbered is not None and same is None:
            return _refused(find, f"Number {find.number} is taken by tenant {numbered.name}.", choose)
        if same is not None:
            return self._linked(find, same)
        try:
            check_name(name)
        except Rejected as error:
            return _refused(find, error.detail, choose)
        return Candidate(find, Outcome.CREATE, name, number=self._free(find.number))

    def _free(self, number: int) -> int:
        """Return the number that the organisation's name tells, where no tenant has it; else 0 for the next one."""
        return number if number and self._tenants.find(number) is None else 0

    def _linked(self, find: Find, tenant: Tenant) -> Candidate:
        if tenant.deleting:
            return _refused(find, f"Tenant {tenant.name} is being deleted.", "Wait until it is gone.")
        if find.shape is not Shape.SOURCES:
            with self._database.transaction() as connection:
                if store.has_place(connection, tenant.serial):
                    why = f"Tenant {tenant.name} has another place in Grafana already."
                    return _refused(find, why, _choose(find))
        return Candidate(find, Outcome.LINK, tenant.name, tenant.serial)

    def _called(self, actor: Actor, name: str) -> Tenant | None:
        try:
            tenant = self._tenants.get(actor, name)
        except NotFound:
            return None
        # A name of digits would be taken for a number, one in lower case for an address.
        return tenant if name_key(tenant.name) == name_key(name) else None

    def _recorded(self, connection: Connection, find: Find) -> int:
        """Return the tenant that this find belongs to by our records, or 0."""
        url = self._there().url
        if find.shape is Shape.ORGANISATION:
            return store.tenant_in(connection, url, find.organisation)
        return next((
            owner for owner in (store.owner_of(connection, url, find.organisation, one) for one in find.things) if owner
        ), 0)

    def _is_complete(self, find: Find, tenant: int) -> bool:
        with self._database.transaction() as connection:
            installation = grafana_store.installation(connection)
            if find.shape is Shape.SOURCES:
                return store.is_whole(connection, tenant, self._there().url, find) and all(
                    self._credentials.read_in(connection, tenant, key_of(one.purpose)) is not None
                    for one in find.things if one.purpose
                )
        wanted = mark_of if find.shape is Shape.ORGANISATION else team_mark_of
        return find.mark == wanted(installation, tenant)

    # Taking

    def _joined(self, candidate: Candidate) -> Candidate:
        """Make Belvedere's login a member of an organisation that only others were in, and look into it."""
        if candidate.find.inside:
            return candidate
        grafana = self._there()
        number = candidate.find.organisation
        grafana.ask(requests.add_organisation_user(number, grafana.access.user, "Admin"), 409)
        failpoint("workspaces.adopt.joined")
        again = next((one for one in reading.finds(grafana, only=number) if one.shape is candidate.find.shape), None)
        return Candidate(
            again or candidate.find, candidate.outcome, candidate.name, candidate.tenant, candidate.number
        )

    def _take(self, actor: Actor, candidate: Candidate) -> int:
        user = self._default_user(candidate)

        def keep(connection: Connection, serial: int) -> None:
            self._keep(connection, serial, candidate.find, user)
            failpoint("workspaces.adopt.before-commit")

        if candidate.outcome is Outcome.CREATE:
            made, _ = self._tenants.create(actor, candidate.name, also=keep, number=candidate.number)
            serial = made.serial
        else:
            serial = candidate.tenant
            with self._database.transaction() as connection:
                keep(connection, serial)
                narrow_store.ask_whole(connection, serial)
                self._queue.enqueue(connection, "workspaces.provision", str(serial))
                signal(connection, f"tenant.{serial}")
        failpoint("workspaces.adopt.after-commit")
        self._mark(candidate.find, serial)
        self._tell_uids(actor, candidate.find, serial)
        return serial

    def _keep(self, connection: Connection, serial: int, find: Find, user: User | None) -> None:
        """Write down whose all of it is, and where the tenant's place is from now on."""
        url = self._there().url
        store.keep(connection, serial, url, find)
        if find.shape is Shape.SOURCES:
            return
        tier = Tier.ORG if find.shape is Shape.ORGANISATION else Tier.TEAM
        seat = Seat(serial, tier)
        tiers.choose_tier(connection, serial, tier, again=True)
        grafana_store.found(connection, seat, url, find.organisation_name, find.organisation)
        if find.shape is Shape.TEAM:
            things = {one.kind: one for one in find.things if one.kind in {"team", "folder"}}
            grafana_store.put(connection, seat, Kind.TEAM, "main", number=int(things["team"].ident))
            grafana_store.put(connection, seat, Kind.FOLDER, "main", uid=things["folder"].ident)
        if user is not None:
            # Without a number: it is not ours to delete.
            grafana_store.put(connection, seat, Kind.ACCOUNT, user.login)

    def _default_user(self, candidate: Candidate) -> User | None:
        """Return the playbook's user of a company; it becomes the tenant's default user, its password stays."""
        if candidate.find.shape is not Shape.TEAM:
            return None
        found = self._there().ask(requests.user_named(f"user_{candidate.name}"), _GONE)
        return found.read(User) if found.status != _GONE else None

    def _mark(self, find: Find, serial: int) -> None:
        grafana = self._there()
        with self._database.transaction() as connection:
            installation = grafana_store.installation(connection)
        if find.shape is Shape.ORGANISATION:
            grafana.ask(requests.mark_organisation(find.organisation, mark_of(installation, serial)))
        elif find.shape is Shape.TEAM:
            team = next(one for one in find.things if one.kind == "team")
            request = requests.mark_team(int(team.ident), team.title, team_mark_of(installation, serial))
            grafana.ask(request, organisation=find.organisation)
        failpoint("workspaces.adopt.marked")

    def _tell_uids(self, actor: Actor, find: Find, serial: int) -> None:
        """Keep telling the uids of the credential manager's data sources where its users look for them."""
        for one in find.things:
            if one.purpose and self._credentials.read(serial, key_of(one.purpose)) is None:
                self._credentials.put(actor, serial, key_of(one.purpose), Secret(one.ident), source="hand")
                failpoint("workspaces.adopt.told")

    def _there(self) -> Grafana:
        if self._grafana is None:
            message = "No Grafana is set."
            raise NotFound(message)
        return self._grafana


def _refused(find: Find, why: str, hint: str) -> Candidate:
    return Candidate(find, Outcome.REFUSED, find.name, why=why, hint=hint, choose=hint == _choose(find))


def _choose(find: Find) -> str:
    return f"Choose: --organisation {find.organisation} --shape {find.shape} --tenant NAME"


