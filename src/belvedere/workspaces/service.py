"""Tenants' workspaces: opened, repaired, closed, and dashboards published to them, whatever implementation they have.

What is not here: panels' data (`viewer/service.py`), a Grafana's own objects (`grafana/`), and which dashboards there
are (`dashboards/`).
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants
from belvedere.workspaces import store
from belvedere.workspaces.choice import Choice, Own
from belvedere.workspaces.drift.notes import Ending, Notes
from belvedere.workspaces.grafana import store as grafana_store
from belvedere.workspaces.grafana.model import Seat
from belvedere.workspaces.grafana.narrow import store as narrow_store
from belvedere.workspaces.grafana.passes import CapturePass
from belvedere.workspaces.grafana.people import store as people_store
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.passwords import none_left
from belvedere.workspaces.port import Place, Publication, Workspace
from belvedere.workspaces.repairs import ROOM, Repairs
from belvedere.workspaces.sources import SETTLES_S, check_sources
from belvedere.workspaces.tiers import Tier

_MOST_LOOKS: Final = 3
_LOCK_WAIT_MS: Final = 10_000
_FORGETS_S: Final = 11.0
"""Grafana lets somebody who was taken out in for ten seconds more."""
_ELSEWHERE: Final = frozenset({"organisation", "shared organisation", "mark"})
"""The steps after which dashboards have other addresses."""



class Workspaces:
    """Where tenants look: the implementation is chosen by each tenant's tier."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, workspace: Workspace,
        grafana: GrafanaWorkspace | None = None, team: GrafanaWorkspace | None = None, own: Own | None = None,
        tier: Tier = Tier.VIEWER,
    ) -> None:
        """Take what it needs.

        Args:
            database: the control database.
            history: what was done.
            queue: the jobs.
            tenants: whose.
            workspace: the built-in viewer.
            grafana: the Grafana of the installation, where there is one.
            team: the same with tenants as teams of one organisation.
            own: the Grafana of a tenant that has one of its own.
            tier: the tier of tenants for whom none was chosen yet.
        """
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._grafana = grafana
        self._team = team
        self._choice = Choice(workspace, grafana, team, own)
        self._tier = tier if grafana is not None else Tier.VIEWER
        self._notes = Notes(database)
        self._noting = self._notes.around
        self._repairs = Repairs(history=history, tenants=tenants, notes=self._notes)

    @property
    def usual_tier(self) -> Tier:
        """The tier of tenants for whom none was chosen."""
        return self._tier

    @property
    def grafana(self) -> GrafanaWorkspace | None:
        """The Grafana of the installation, for rooms that capture from it."""
        return self._grafana

    @property
    def tiers(self) -> list[Tier]:
        """The tiers that tenants can have here."""
        return self._choice.tiers

    def shared_organisation(self) -> int:
        """Return the number of the organisation that tenants of tier `team` share; 0 before it was made."""
        return self._team.shared_organisation() if self._team is not None else 0

    def warning(self, serial: int) -> str:
        """Say what a tenant's workspace does not keep apart, for its pages; empty when it keeps everything apart."""
        try:
            workspace = self._in_grafana(serial)
        except Stuck:
            return ""
        return workspace.warning if workspace is not None else ""

    def close(self) -> None:
        """Close what is open."""
        if self._grafana is not None:
            self._grafana.close()

    def tier(self, serial: int) -> Tier:
        """Return a tenant's tier: the one that was chosen, or the installation's."""
        with self._database.transaction() as connection:
            return store.tier_of(connection, serial) or self._tier

    def plan(self, actor: Actor, serial: int) -> Plan[Any]:
        """Say what differs between a tenant's workspace and what it should be, field by field."""
        tenant = self._tenants.get(actor, serial)
        actor.must(Role.VIEWER, tenant.serial)
        return self._of(serial).plan(_place(tenant), wanted=not tenant.deleting)

    def apply(self, actor: Actor, serial: int) -> None:
        """Repair now what differs, as a job."""
        actor.must(Role.OPERATOR, serial)
        tenant = self._tenants.get(actor, serial)
        with (
            self._history.action(actor, "workspace.apply", tenant.name, tenant=serial),
            self._database.transaction() as connection,
        ):
            self._look_again(connection, serial)
            failpoint("workspaces.apply.before-commit")

    def resolve(self, actor: Actor, serial: int, dashboard_id: UUID, *, ours: bool) -> None:
        """Choose for a dashboard that somebody changed in Grafana: write ours again, or leave it to the tenant.

        Left to the tenant it is never written or deleted by Belvedere again, and its address stays.

        Raises:
            NotFound: no such dashboard stands in the tenant's Grafana.
        """
        actor.must(Role.OPERATOR, serial)
        tenant = self._tenants.get(actor, serial)
        choice = "ours" if ours else "theirs"
        with self._history.action(
            actor, "dashboard.resolve", str(dashboard_id), tenant=serial, choice=choice
        ):
            workspace = self._in_grafana(serial)
            if workspace is None or not workspace.resolve(_place(tenant), dashboard_id, ours=ours):
                raise NotFound
            with self._database.transaction() as connection:
                self._queue.enqueue(connection, "workspaces.provision", str(serial))

    def take_password(self, actor: Actor, serial: int) -> tuple[str, Secret]:
        """Hand over login and first password of the tenant's default user, once.

        Raises:
            NotFound: Belvedere made none.
            Conflict: it was handed over before.
        """
        actor.must(Role.OPERATOR, serial)
        tenant = self._tenants.get(actor, serial)
        with self._history.action(actor, "workspace.take-password", tenant.name, tenant=serial):
            workspace = self._in_grafana(serial)
            found = workspace.take_password(_place(tenant)) if workspace is not None else None
            if found is None:
                raise none_left(self._database, Seat(serial, workspace.tier) if workspace is not None else None)
        return found

    def grafana_document(self, serial: int, dashboard_id: UUID) -> Mapping[str, Any]:
        """Return a dashboard as it stands in the tenant's Grafana now.

        Raises:
            NotFound: the tenant looks at no Grafana, or it does not stand there.
        """
        workspace = self._in_grafana(serial)
        found = workspace.document(self._place_of(serial), dashboard_id) if workspace is not None else None
        if found is None:
            message = "The dashboard does not stand in the tenant's Grafana."
            raise NotFound(message)
        return found

    def capture_pass(self, serial: int, *, for_s: int, dashboard_id: UUID | None = None) -> CapturePass | None:
        """Return what is needed to see a tenant's dashboard in Grafana; None when they are in the viewer.

        Raises:
            Later: the tenant's organisation is not ready, or Grafana is away.
            Stuck: the way that BELVEDERE_GRAFANA_CAPTURE names cannot be had.
        """
        workspace = self._of(serial)
        if not isinstance(workspace, GrafanaWorkspace):
            return None
        return workspace.capture_pass(self._place_of(serial), for_s=for_s, dashboard_id=dashboard_id)

    def end_pass(self, made: CapturePass) -> None:
        """End a pass before its time."""
        workspace = self._in_grafana(made.tenant)
        if workspace is not None and workspace.grafana.url == made.origin:
            workspace.end_pass(made)

    # For jobs

    def provision(self, serial: int) -> None:
        """Open or repair a tenant's workspace, step by step. Twice does no harm; one on its way out is left alone."""
        self._repair(serial, whole=True)

    def follow(self, serial: int) -> None:
        """Do as `provision` for what changed on our side; look at everything where that was asked for, or is due."""
        self._repair(serial, whole=False)

    def _repair(self, serial: int, *, whole: bool) -> None:
        tenant = self._tenants.find(serial)
        if tenant is None or tenant.deleting:
            return
        with self._database.transaction() as connection:
            store.choose_tier(connection, serial, self._tier)
        place = _place(tenant)
        try:
            workspace = self._of(serial)
        except Stuck:
            with self._tenants.log.room(serial, ROOM), self._noting(self._choice.viewer, place):
                raise
        with (
            self._alone(workspace, serial), self._tenants.log.room(serial, ROOM),
            self._noting(workspace, place) as ending,
        ):
            done, ending.whole = self._repairs.repair(workspace, place, whole=whole)
            self._opened(workspace, serial, done)

    def remove_tenant(self, serial: int) -> None:
        """Close a tenant's workspace on its way out, then let the stores go."""
        tenant = self._tenants.find(serial)
        if tenant is None:
            return
        if not tenant.deleting:
            message = f"{tenant.name} stays."
            raise NotFound(message)
        with self._database.transaction() as connection:
            left = store.leaves(connection, serial)
        for tier in dict.fromkeys([*([left] if left else []), self.tier(serial)]):
            self._close_tier(tier, tenant)
        with self._database.transaction() as connection:
            store.close_workspace(connection, serial)
            self._queue.emit(connection, "tenant.workspace-removed", str(serial))
        failpoint("workspaces.remove-tenant.after-commit")

    def _close_tier(self, tier: Tier, tenant: Tenant) -> None:
        try:
            workspace = self._choice.at(tier, tenant.serial)
            with self._alone(workspace, tenant.serial), self._noting(workspace, _place(tenant)):
                self.close_place(workspace, _place(tenant))
        except Stuck as error:
            # A Grafana of the tenant's own that lets nobody in must not keep the tenant for ever.
            if error.problem != "grafana-own":
                raise
            with self._history.action(
                SYSTEM, "workspace.close", tenant.name, tenant=tenant.serial, kind=tier, kept=error.detail
            ):
                pass

    def close_place(self, workspace: Workspace, place: Place, room: str = ROOM) -> None:
        """Take away what is ours of a tenant in one workspace, under the caller's lock; what is not ours stays."""
        with self._tenants.log.room(place.tenant, room):
            for _ in range(_MOST_LOOKS):
                plan = workspace.plan(place, wanted=False)
                self._tenants.log.begin(place.tenant, room, plan)
                if plan:
                    kept = ", ".join(plan.kept)
                    with self._history.action(
                        SYSTEM, "workspace.close", place.name, tenant=place.tenant, kind=workspace.kind, kept=kept
                    ):
                        self._repairs.apply(workspace, place, plan, room)
                if not plan.partial:
                    break

    def check_all(self) -> None:
        """Look at every tenant's place in Grafana again: what drifted is repaired, what did not costs a few calls."""
        with self._database.transaction() as connection:
            serials = store.of_tiers(connection, [Tier.ORG, Tier.TEAM, Tier.INSTANCE])
        for number, serial in enumerate(serials):
            with self._database.transaction() as connection:
                self._look_again(connection, serial, in_s=number * 0.05)

    def look_again(self, serial: int) -> None:
        """Have everything of a tenant's workspace looked at, as a job."""
        with self._database.transaction() as connection:
            self._look_again(connection, serial)

    def _look_again(self, connection: Connection, serial: int, *, in_s: float = 0.0) -> None:
        narrow_store.ask_whole(connection, serial)
        self._queue.enqueue(connection, "workspaces.provision", str(serial), in_s=in_s)

    def check_sources(self, key: str) -> None:
        """Ask Grafana whether a tenant's databases answer, some seconds after a change; see `sources.py`."""
        check_sources(self, key, database=self._database, queue=self._queue, tenants=self._tenants)

    def publish(self, serial: int, publication: Publication) -> str:
        """Show a dashboard and return its address.

        Raises:
            Later: the tenant is gone, its workspace is not open yet, or Grafana is away.
            Stuck: Grafana has something of that name that is not ours.
        """
        place, workspace = self._place_of(serial), self._of(serial)
        with self._alone(workspace, serial):
            try:
                return workspace.publish(place, publication)
            except Later:
                if workspace.exclusive:
                    self.look_again(serial)
                raise

    def retract(self, serial: int, dashboard_id: UUID) -> None:
        """Stop showing a dashboard."""
        place = self._place_of(serial)
        with self._database.transaction() as connection:
            left = store.leaves(connection, serial)
        for tier in dict.fromkeys([self.tier(serial), *([left] if left else [])]):
            workspace = self._choice.at(tier, serial)
            with self._alone(workspace, serial):
                workspace.retract(place, dashboard_id)

    def at(self, tier: Tier, serial: int) -> Workspace:
        """Return the implementation of a tier, for the room's other services.

        Raises:
            Stuck: it is not set up here, or the tenant's own Grafana cannot be used.
        """
        return self._choice.at(tier, serial)

    def of(self, serial: int) -> Workspace:
        """Return the implementation that a tenant's workspace has, for the room's other services."""
        return self._of(serial)

    def noting(self, workspace: Workspace, place: Place) -> AbstractContextManager[Ending]:
        """Write down for the pages how the block went, for the room's other services."""
        return self._noting(workspace, place)

    def alone(self, workspace: Workspace, serial: int) -> AbstractContextManager[None]:
        """Hold a tenant's lock over all processes, for the room's other services.

        Raises:
            Later: another job has it.
        """
        return self._alone(workspace, serial)

    # Inside

    def _of(self, serial: int) -> Workspace:
        return self._choice.at(self.tier(serial), serial)

    def _in_grafana(self, serial: int) -> GrafanaWorkspace | None:
        workspace = self._of(serial)
        return workspace if isinstance(workspace, GrafanaWorkspace) else None

    def _place_of(self, serial: int) -> Place:
        tenant = self._tenants.find(serial)
        if tenant is None:
            message = "The tenant is gone."
            raise Later(message)
        return _place(tenant)

    @contextmanager
    def _alone(self, workspace: Workspace, serial: int) -> Iterator[None]:
        """Hold the tenant's lock where one organisation takes one writer, over all processes."""
        if not workspace.exclusive:
            yield
            return
        with self._database.pooled_session() as session:
            if not grafana_store.hold(session, serial, _LOCK_WAIT_MS):
                message = "Another job works on this tenant's organisation."
                raise Later(message, retry_in_s=2.0)
            try:
                yield
            finally:
                grafana_store.let_go(session, serial)

    def _opened(self, workspace: Workspace, serial: int, done: list[str]) -> None:
        """Tell the other rooms, once: dashboards come when it opens, and have new addresses when it moved."""
        with self._database.transaction() as connection:
            before = store.kind_of(connection, serial)
            self._notes.settle(connection, serial)
            if workspace.exclusive and before != workspace.kind:
                store.open_workspace(connection, serial, workspace.kind)
            moved = before not in {None, workspace.kind} or bool(_ELSEWHERE & set(done))
            moved = moved or store.leaves(connection, serial) is not None
            if done or moved:
                self._queue.emit(connection, "workspace.ready", str(serial))
                signal(connection, f"tenant.{serial}")
            if moved:
                self._queue.emit(connection, "workspace.moved", str(serial))
            if people_store.anybody_leaves(connection, serial):
                self._queue.enqueue(connection, "workspaces.look-after-members", str(serial), in_s=_FORGETS_S)
            if any(key.startswith("source:") for key in done):
                self._queue.enqueue(connection, "workspaces.check-sources", str(serial), in_s=SETTLES_S)
            failpoint("workspaces.opened.before-commit")


def _place(tenant: Tenant) -> Place:
    return Place(tenant.serial, tenant.name, tenant.slug)
