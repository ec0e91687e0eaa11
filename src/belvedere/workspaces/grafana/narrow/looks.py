"""One tenant's place looked at: all of it, or only what changed on our side since it was applied completely.

Before anything is written the aspects that are due are forgotten, and after all was written they are kept: so a look
that was cut off anywhere is done again. What is not here: doing the steps (`../workspace.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan
from belvedere.workspaces.adoption import store as adopted
from belvedere.workspaces.grafana import store
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.deeds import Deed
from belvedere.workspaces.grafana.desired import Wishes
from belvedere.workspaces.grafana.document import POSTGRES
from belvedere.workspaces.grafana.model import Desired, Known, Records, Seat
from belvedere.workspaces.grafana.narrow import store as narrow
from belvedere.workspaces.grafana.narrow.aspects import aspects, due
from belvedere.workspaces.grafana.narrow.observe import observe as observe_due
from belvedere.workspaces.grafana.narrow.store import Applied
from belvedere.workspaces.grafana.observe import left, observe
from belvedere.workspaces.grafana.people.roster import Roster
from belvedere.workspaces.grafana.plan import plan, removal
from belvedere.workspaces.grafana.problems import taken
from belvedere.workspaces.grafana.shared.model import Links, seated
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier

_NOTHING: Final = Applied()


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: the plan, what should be there, and what may be kept once the plan is done.

    `wanted` are the digests of all aspects, `due` those that were looked at, None for all. `before` is what was kept
    when the look began.
    """

    plan: Plan[Deed]
    desired: Desired | None = None
    wanted: Mapping[str, str] | None = None
    due: frozenset[str] | None = None
    before: Applied = _NOTHING


class Looks:
    """The looks at tenants' places in one tier of one Grafana."""

    def __init__(
        self, *, grafana: Grafana, database: Database, wishes: Wishes, roster: Roster, tier: Tier,
        links: Links | None, access: str,
    ) -> None:
        """Take what it needs; `links` where the gateway stands before the rows, `access` tells ways in apart."""
        self._grafana = grafana
        self._database = database
        self._wishes = wishes
        self._roster = roster
        self._tier = tier
        self._links = links
        self._access = f"{grafana.url} {access}"

    def whole(self, place: Place, *, wanted: bool = True) -> Look:
        """Look at everything, or at what there is to take away.

        Raises:
            GrafanaAway: it does not answer.
            Stuck: an organisation of that name is not ours, or Grafana refuses.
        """
        known, records, applied = self._written_down(place)
        if not wanted and known is None:
            return Look(Plan(place.name))
        desired = self.desired(place, records, plugin=self.plugin(known))
        home = self.shared_place() if desired.shared else known
        seen = observe(self._grafana, desired, home, records, removing=not wanted)
        seen = replace(seen, links=self._subjects(place))
        if not wanted:
            return Look(removal(desired, seen, records), desired)
        if seen.taken:
            raise taken(seen.taken, "organisation")
        if seen.organisation is None and desired.number:
            message = f"Grafana has no organisation {desired.number} for tenants to share."
            raise Stuck(message, code="grafana-shared", hint="Set BELVEDERE_GRAFANA_SHARED to one that is there.")
        return Look(plan(desired, seen, records, known), desired, aspects(desired, self._access), before=applied)

    def narrow(self, place: Place) -> Look | None:
        """Look at what is due; None when everything has to be looked at. Nothing due asks Grafana nothing.

        Raises:
            GrafanaAway: it does not answer.
            Unexpected: something is not as it was left, so everything has to be looked at.
            NotInOrganisation, Stuck: Grafana refuses; everything has to be looked at to say why.
        """
        known, records, applied = self._written_down(place)
        if applied.whole_due or known is None or not known.organisation:
            return None
        desired = self.desired(place, records, plugin=self.plugin(known))
        home = self.shared_place() if desired.shared and not desired.number else known
        if home is None or home.organisation != known.organisation:
            return None
        wanted, links = aspects(desired, self._access), self._subjects(place)
        found = due(desired, records, applied.digests, wanted, links)
        if found is None:
            return None
        made: Plan[Deed] = Plan(desired.subject)
        if found or desired.stale_keys or left(records):
            seen = observe_due(self._grafana, desired, known.organisation, records, found)
            made = plan(desired, replace(seen, links=links), records, known, found)
        return Look(made, desired, wanted, found, applied)

    def begin(self, place: Place, look: Look) -> None:
        """Forget what the look is about to change. Until it has ended well, the next one looks at it again."""
        if look.due is None or look.due:
            with self._database.transaction() as connection:
                narrow.forget(connection, Seat(place.tenant, self._tier), *(look.due or ()))
        failpoint("workspaces.grafana.look-begun")

    def end(self, place: Place, look: Look) -> None:
        """Write down that all that was looked at stands as it should."""
        if look.wanted is None:
            return
        # What was to be changed was forgotten when that began.
        stood = {} if look.plan else look.before.digests
        looked = look.wanted.keys() if look.due is None else look.due
        kept = {name: look.wanted[name] for name in looked if stood.get(name) != look.wanted[name]}
        gone = look.before.digests.keys() - look.wanted.keys()
        if look.due is not None and not kept and not gone:
            return
        seat = Seat(place.tenant, self._tier)
        with self._database.transaction(flushed=False) as connection:
            if gone:
                narrow.forget(connection, seat, *gone)
            narrow.keep(connection, seat, kept)
            if look.due is None:
                narrow.did_whole(connection, seat, look.before.asked)
            failpoint("workspaces.grafana.look-ended.before-commit")

    def is_whole_due(self, place: Place) -> bool:
        """Tell whether a look at everything was asked for and has not ended well."""
        with self._database.transaction() as connection:
            return narrow.is_whole_due(connection, Seat(place.tenant, self._tier))

    # What both need

    def on_record(self, place: Place) -> tuple[Known | None, Records]:
        """Return what is written down about the tenant's organisation in this Grafana, and about what was made."""
        with self._database.transaction() as connection:
            return self._on_record(connection, Seat(place.tenant, self._tier))

    def shared_place(self) -> Known | None:
        """Return what is written down about the organisation that tenants share."""
        with self._database.transaction() as connection:
            return store.shared(connection, self._grafana.url)

    def plugin(self, known: Known | None) -> str:
        """Return the plugin's name for documents, also for those of an organisation that is still to be made."""
        return self._grafana.postgres_plugin(known.organisation if known else 0)

    def desired(
        self, place: Place, records: Records, *, plugin: str = POSTGRES, boards: bool = True
    ) -> Desired:
        """Return what should be there, with the tenant's people, and under the name that was taken over."""
        desired = self._wishes.of(place, records, plugin=plugin, boards=boards)
        if desired.owns:
            with self._database.transaction() as connection:
                kept = adopted.organisation_name(connection, place.tenant, self._grafana.url)
            desired = replace(desired, organisation=kept or desired.organisation)
        return seated(self._roster.on(desired, Seat(place.tenant, self._tier), self._grafana.access.user))

    def _written_down(self, place: Place) -> tuple[Known | None, Records, Applied]:
        """Return what is on record, and what was applied, as of one moment before anything else is read."""
        seat = Seat(place.tenant, self._tier)
        with self._database.transaction() as connection:
            applied = narrow.applied(connection, seat)
            return (*self._on_record(connection, seat), applied)

    def _on_record(self, connection: Connection, seat: Seat) -> tuple[Known | None, Records]:
        known = store.place(connection, seat)
        if known is not None and known.url != self._grafana.url:
            known = None
        return known, store.records(connection, seat)

    def _subjects(self, place: Place) -> frozenset[str]:
        return self._links.subjects(place.tenant) if self._links is not None else frozenset()
