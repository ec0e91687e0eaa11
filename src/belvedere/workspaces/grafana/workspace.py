"""A Grafana organisation as a tenant's workspace: the second implementation of the port.

Everything about a tenant is one plan: organisation, folder, data sources, dashboards, the service account for previews,
the default user. `Workspaces` (../service.py) holds the tenant's lock around each verb here, so that an organisation
has one writer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Later
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Change, Plan, Step
from belvedere.kernel.secret import Secret
from belvedere.stores.model import StoreKind
from belvedere.workspaces.grafana import store
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.accounts import PASSWORD
from belvedere.workspaces.grafana.api import Grafana, NotInOrganisation
from belvedere.workspaces.grafana.apply import Hands
from belvedere.workspaces.grafana.bring import PEOPLES, theirs_of
from belvedere.workspaces.grafana.captures import Captures
from belvedere.workspaces.grafana.deeds import Deed, Do
from belvedere.workspaces.grafana.desired import Options, Publications, Stores, Wishes
from belvedere.workspaces.grafana.document import differences
from belvedere.workspaces.grafana.health import sickness
from belvedere.workspaces.grafana.model import Desired, Kind, Known, Records, RecordState, Seat, Theirs
from belvedere.workspaces.grafana.narrow import store as narrow
from belvedere.workspaces.grafana.narrow.aspects import board_aspect, board_digest
from belvedere.workspaces.grafana.narrow.looks import Look, Looks
from belvedere.workspaces.grafana.observe import read_board
from belvedere.workspaces.grafana.passes import CapturePass
from belvedere.workspaces.grafana.people.roster import OfTenant, Roster
from belvedere.workspaces.grafana.people.users import Users
from belvedere.workspaces.grafana.plan import plan_board
from belvedere.workspaces.grafana.shared.model import NOT_SEPARATED, Shared
from belvedere.workspaces.port import Place, Publication
from belvedere.workspaces.tiers import Tier


class GrafanaWorkspace:
    """A tenant's organisation in a shared Grafana, data and dashboards separate (tier `org`)."""

    exclusive = True

    def __init__(
        self, *, access: Access, database: Database, credentials: Credentials, stores: Stores,
        options: Options | None = None, publications: Publications | None = None, members: OfTenant | None = None,
        tier: Tier = Tier.ORG, shared: Shared | None = None, client: Grafana | None = None,
        stamp: str = "", transport: httpx2.BaseTransport | None = None, pause: Callable[[float], None] | None = None,
    ) -> None:
        """Take what it needs.

        Args:
            access: the Grafana, with a server administrator's login.
            database: the control database, for what was made.
            credentials: seals the default user's password; gets `GRAFANA_UID_*`.
            stores: the tenants' databases and their readers' logins.
            options: names and addresses; the defaults are the product's.
            publications: all dashboards that a tenant should have, so that a plan repairs lost ones.
            members: who belongs to a tenant; without it nobody but the default user is let in.
            tier: how much of a Grafana a tenant has here.
            shared: for tier `team`, the organisation that tenants share.
            client: the connections of another workspace on the same Grafana, to be used here too.
            stamp: what changes with the login or token, and tells nothing about it; empty: the login's name.
            transport: for tests.
            pause: for tests.
        """
        more: dict[str, Any] = {"pause": pause} if pause is not None else {}
        self._grafana = client or Grafana(access, transport=transport, **more)
        self.tier = tier
        self.kind = "grafana" if tier is Tier.ORG else f"grafana-{tier}"
        self._gateway = shared.gateway if shared is not None and tier is Tier.TEAM else None
        self._database = database
        self._credentials = credentials
        self._stores = stores
        self._options, self._publications, self._members = options or Options(), publications, members
        self._planned: dict[int, Hands] = {}
        self._roster = Roster(database=database, url=self._grafana.url, of_tenant=members)
        self._wishes = Wishes(
            database=database, credentials=credentials, stores=stores, options=self._options,
            publications=publications, tier=tier, shared=shared, users=bool(access.user),
        )
        self._looks = Looks(
            grafana=self._grafana, database=database, wishes=self._wishes, roster=self._roster, tier=tier,
            links=self._gateway.links if self._gateway else None, access=stamp or access.user,
        )

    def sharing(self, shared: Shared) -> "GrafanaWorkspace":
        """Return tier `team` on the same Grafana, over the same connections."""
        return GrafanaWorkspace(
            access=self._grafana.access, database=self._database, credentials=self._credentials, stores=self._stores,
            options=self._options, publications=self._publications, members=self._members, tier=Tier.TEAM,
            shared=shared, client=self._grafana,
        )

    def shared_organisation(self) -> int:
        """Return the number of the organisation that tenants share, as it was made here; 0 before that."""
        known = self._looks.shared_place()
        return known.organisation if known else 0

    @property
    def warning(self) -> str:
        """What is not kept apart here, for people; empty when all is."""
        return NOT_SEPARATED if self.tier is Tier.TEAM and self._gateway is None else ""

    @property
    def grafana(self) -> Grafana:
        """The Grafana itself, for what else has to be asked of it (members, adoption)."""
        return self._grafana

    def close(self) -> None:
        """Close the connections."""
        self._grafana.close()

    def plan(self, place: Place, *, wanted: bool = True) -> Plan[Deed]:
        """Compare the tenant's organisation with what it should be, field by field; see the port.

        Raises:
            GrafanaAway: it does not answer.
            Stuck: an organisation of that name is not ours, or Grafana refuses.
        """
        return self.look(place, wanted=wanted).plan

    def look(self, place: Place, *, wanted: bool = True) -> Look:
        """Look at everything; `plan` says what it raises."""
        return self._seen(place, self._looks.whole(place, wanted=wanted))

    def look_narrowly(self, place: Place) -> Look | None:
        """Look at what changed on our side since it was applied; None when everything has to be looked at.

        Raises:
            As `Looks.narrow`: most mean that everything has to be looked at.
        """
        found = self._looks.narrow(place)
        return self._seen(place, found) if found is not None else None

    def begin(self, place: Place, look: Look) -> None:
        """Write down, before the first step of a look's plan, that what it looked at is about to change."""
        self._looks.begin(place, look)

    def end(self, place: Place, look: Look) -> None:
        """Write down, after the last step, that what was looked at stands as it should."""
        self._looks.end(place, look)

    def is_whole_due(self, place: Place) -> bool:
        """Tell whether a look at everything was asked for and has not ended well."""
        return self._looks.is_whole_due(place)

    def _seen(self, place: Place, look: Look) -> Look:
        if look.desired is not None:
            self._planned[place.tenant] = self._hands(place, replace(look.desired, boards=()))
        if not self.warning or look.wanted is None:
            return look
        return replace(look, plan=replace(look.plan, warnings=(self.warning,)))

    def apply(self, place: Place, step: Step[Deed]) -> None:
        """Do one step and write down what stands there then. The step holds all that its plan knew of the object."""
        hands = self._planned.get(place.tenant)
        if hands is None:
            hands = self._hands(place, self._looks.desired(place, self._on_record(place)[1], boards=False))
        failpoint("workspaces.grafana.step.before")
        hands.do(step.deed)
        failpoint("workspaces.grafana.step.after")

    def publish(self, place: Place, publication: Publication) -> str:
        """Write one dashboard when it differs, and return its address in the tenant's organisation.

        One that somebody changed by hand stays as it is until a person chooses; its address is the same.

        Raises:
            Later: the organisation is not there yet, or Grafana is away.
            Stuck: Grafana has another dashboard of that name in the folder.
        """
        known, records = self._on_record(place)
        number = known.organisation if known else 0
        if known is None or not number:
            message = "The tenant's organisation is not there yet."
            raise Later(message)
        plugin = self._looks.plugin(known)
        desired = self._wishes.of(place, records, boards=False)
        board = self._wishes.board(publication, desired.sources, records, plugin)
        record = records.get((Kind.BOARD, str(publication.dashboard_id)))
        try:
            seen = read_board(self._grafana, number, board.uid)
        except NotInOrganisation:
            self._hands(place, desired).do(Deed(Do.JOIN, organisation=number))
            seen = read_board(self._grafana, number, board.uid)
        for step in plan_board(board, seen, record, desired.folder_uid):
            self._hands(place, desired).do(step.deed)
        with self._database.transaction(flushed=False) as connection:
            narrow.keep(connection, self._seat(place), {board_aspect(board): board_digest(board)})
        return self._address(board.uid, number)

    def retract(self, place: Place, dashboard_id: UUID) -> None:
        """Delete one dashboard; one that somebody changed by hand or made its own stays."""
        known, records = self._on_record(place)
        record = records.get((Kind.BOARD, str(dashboard_id)))
        if known is None or not known.organisation or record is None:
            return
        deed = Deed(Do.DROP_BOARD, key=str(dashboard_id), uid=record.uid, organisation=known.organisation)
        if record.state is RecordState.OURS:
            desired = self._wishes.of(place, records, boards=False)
            try:
                self._hands(place, desired).do(deed)
            except NotInOrganisation:
                self._hands(place, desired).do(Deed(Do.JOIN, organisation=known.organisation))
                self._hands(place, desired).do(deed)
        else:
            with self._database.transaction() as connection:
                store.set_state(connection, self._seat(place), Kind.BOARD, record.key, RecordState.DETACHED)

    def address(self, place: Place, dashboard_id: UUID) -> str | None:
        """Return a dashboard's address by what is on record, without asking Grafana; None when it is not there."""
        known, records = self._on_record(place)
        record = records.get((Kind.BOARD, str(dashboard_id)))
        if known is None or not known.organisation or record is None:
            return None
        return self._address(record.uid, known.organisation)

    def capture_pass(self, place: Place, *, for_s: int, dashboard_id: UUID | None = None) -> CapturePass:
        """Open the way in for a picture; it closes by itself after `for_s` seconds. See `Captures.open`."""
        return self._captures(place.tenant).open(*self._on_record(place), dashboard_id, for_s=for_s)

    def end_pass(self, made: CapturePass) -> None:
        """Close the way before its time. One that is closed is no error."""
        self._captures(made.tenant).close(made)

    def _captures(self, tenant: int) -> Captures:
        seat = Seat(tenant, self.tier)
        return Captures(grafana=self._grafana, database=self._database, seat=seat, mode=self._options.capture)

    def resolve(self, place: Place, dashboard_id: UUID, *, ours: bool) -> bool:
        """Choose for a dashboard that was changed by hand: write ours again, or leave it to the tenant for good.

        Only the record changes; the next plan does it. False when there is no such dashboard on record.
        """
        state = RecordState.RESTORE if ours else RecordState.DETACHED
        with self._database.transaction() as connection:
            return store.set_state(connection, self._seat(place), Kind.BOARD, str(dashboard_id), state)

    def by_hand(self, place: Place) -> list[tuple[UUID, str, tuple[Change, ...]]]:
        """Return the dashboards that wait for a choice: id, title, and the fields from ours to theirs.

        Raises:
            Later: Grafana is away.
        """
        known, records = self._on_record(place)
        waiting = {
            record.uid for (kind, _), record in records.items()
            if kind is Kind.BOARD and record.state is RecordState.BY_HAND
        }
        if known is None or not known.organisation or not waiting:
            return []
        found = []
        for board in self._wishes.of(place, records, plugin=self._looks.plugin(known)).boards:
            seen = read_board(self._grafana, known.organisation, board.uid) if board.uid in waiting else None
            if seen is not None:
                found.append((board.dashboard_id, board.title, differences(board.document, seen.document)))
        return found

    def changed_by_people(self, place: Place) -> list[Theirs]:
        """Return the dashboards that people changed or made the tenant's own, as they stand now, for another place."""
        known, records = self._on_record(place)
        if known is None or not known.organisation:
            return []
        sources = self._wishes.of(place, records, boards=False).sources
        return theirs_of(
            self._grafana, known.organisation, records, lambda document: self._wishes.neutral(document, sources)
        )

    def bring(self, place: Place, theirs: Theirs) -> bool:
        """Write a person's dashboard that comes from another place, once, and leave it to people as it was there.

        Raises:
            Stuck: another dashboard has its title here.
        """
        known, records = self._on_record(place)
        record = records.get((Kind.BOARD, str(theirs.dashboard_id)))
        if known is None or not known.organisation or (record is not None and record.state in PEOPLES):
            return False
        desired = self._wishes.of(place, records, boards=False)
        board = self._wishes.theirs(theirs, desired.sources, record, self._looks.plugin(known))
        seen = read_board(self._grafana, known.organisation, board.uid)
        self._hands(place, desired).do(Deed(
            Do.BOARD, key=str(theirs.dashboard_id), uid=board.uid, board=board, organisation=known.organisation,
            version=seen.version if seen else 0, folder_uid=desired.folder_uid,
        ))
        failpoint("workspaces.grafana.brought")
        with self._database.transaction() as connection:
            # What was brought is not ours: nothing of it is recognised, so a person chooses about it as before.
            store.leave_to_people(connection, self._seat(place), str(theirs.dashboard_id), board.uid, theirs.state)
        return True

    def let_go(self, place: Place, dashboards: Sequence[UUID]) -> None:
        """Take back that dashboards are people's here: they stand elsewhere now and may go with the rest."""
        with self._database.transaction() as connection:
            for one in dashboards:
                store.set_state(connection, self._seat(place), Kind.BOARD, str(one), RecordState.OURS)

    def document(self, place: Place, dashboard_id: UUID) -> Mapping[str, Any] | None:
        """Return a dashboard as it stands in Grafana, or None when it does not."""
        known, records = self._on_record(place)
        record = records.get((Kind.BOARD, str(dashboard_id)))
        if known is None or not known.organisation or record is None:
            return None
        seen = read_board(self._grafana, known.organisation, record.uid)
        return seen.document if seen is not None and seen.readable else None

    def noted(self, place: Place, error: BelvedereError | None) -> None:
        """Write down how the last look went, so that pages tell it while nothing else can be asked."""
        self._planned.pop(place.tenant, None)
        with self._database.transaction() as connection:
            problem, code = (error.detail, error.problem) if error is not None else ("", "")
            if store.looked(connection, self._seat(place), problem, code):
                signal(connection, f"tenant.{place.tenant}", "attention")

    def renew_source(self, place: Place, key: str) -> None:
        """Write a data source once more: Grafana may hold on to settings of the second before."""
        known, records = self._on_record(place)
        desired = self._wishes.of(place, records, boards=False)
        source = next((one for one in desired.sources if one.key == key), None)
        if source is not None and known is not None:
            deed = Deed(Do.SOURCE, key=key, uid=source.uid, source=source, version=1, organisation=known.organisation)
            self._hands(place, desired).do(deed)

    def sick_sources(self, place: Place) -> list[tuple[str, str]]:
        """Return the data sources whose database does not answer to Grafana, with its sentence.

        A data source that was changed less than 6 s ago answers by its old settings: ask later. The gateway answers
        none but the tenant's people, so of its data sources nothing can be said; nor of one in Flux, whose test lists
        buckets, among which InfluxDB 2.7 forgets the own one where there are many.
        """
        known, records = self._on_record(place)
        if known is None or not known.organisation or self._gateway is not None:
            return []
        sick = []
        flux = self._options.influx is not None and self._options.influx.flux
        for (kind, key), record in records.items():
            if kind is Kind.SOURCE and not (flux and key == StoreKind.INFLUXDB):
                said = sickness(self._grafana, record.uid, known.organisation)
                if said is not None:
                    sick.append((key, said))
        return sick

    def take_password(self, place: Place) -> tuple[str, Secret] | None:
        """Hand over the default user's first password, once: it is not kept after this."""
        _, records = self._on_record(place)
        login = next((record.key for (kind, _), record in records.items() if kind is Kind.ACCOUNT), "")
        if not login:
            return None
        with self._database.transaction() as connection:
            password = self._credentials.take_out(connection, place.tenant, PASSWORD)
        return (login, password) if password else None

    def users(self, place: Place) -> Users:
        """Return the tenant's members as users of this Grafana."""
        return Users(
            grafana=self._grafana, database=self._database, credentials=self._credentials, seat=self._seat(place)
        )

    def look_after_members(self, place: Place) -> list[str]:
        """Look whether members who were taken out are out; return those who were in again. See `Roster`."""
        known, _ = self._on_record(place)
        if known is None or not known.organisation:
            return []
        return self._roster.look_after(self.users(place), self._seat(place), known.organisation)

    def _address(self, uid: str, organisation: int) -> str:
        return f"{self._grafana.url}/d/{uid}?orgId={organisation}"

    def _on_record(self, place: Place) -> tuple[Known | None, Records]:
        return self._looks.on_record(place)

    def _hands(self, place: Place, desired: Desired) -> Hands:
        return Hands(
            grafana=self._grafana, database=self._database, credentials=self._credentials, logins=self._stores,
            desired=desired, seat=self._seat(place), gateway=self._gateway,
        )

    def _seat(self, place: Place) -> Seat:
        return Seat(place.tenant, self.tier)
