"""Tenants move from one tier to another: planned first, then made anew there, and only then taken away here.

The steps, each safe to repeat, with a row that stands from the first to the last:
begin (the tier of now is the new one) -> `Workspaces.provision` makes the new place with all dashboards and members
-> `dashboards.readdress` writes down their new addresses -> `leave` brings what people changed by hand, and takes the
old place away. Moving back before the end is the same the other way round.

What is not here: making and taking away places (`service.py`), and addresses (`dashboards/`).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, Later, Rejected, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan, Step
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants
from belvedere.workspaces import store
from belvedere.workspaces.grafana.narrow import store as narrow_store
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place, Workspace
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.tiers import Tier

_ROOM: Final = "moves"
_NOT_YET_S: Final = 5.0
_MOST_NAMED: Final = 5

Unread = Callable[[int], tuple[object, Iterable[str]] | None]
"""A tenant's store that only a Grafana reads, with the names of its campaigns; None where it has none."""


class Moves:
    """Where tenants look, chosen and changed."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, rooms: Workspaces,
        is_given: Callable[[int], bool] | None = None, unread: Unread | None = None,
    ) -> None:
        """Take what it needs.

        `is_given` tells whether a tenant was given a Grafana of its own, `unread` what the built-in viewer cannot read.
        """
        self._is_given = is_given
        self._unread = unread
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._rooms = rooms

    def chosen(self, tier: str) -> Callable[[Connection, int], None]:
        """Return what writes down a new tenant's tier in the transaction that makes it; empty is the usual one.

        Raises:
            Rejected: there is no such tier here.
        """
        wanted = self._offered(tier) if tier else self._rooms.usual_tier

        def choose(connection: Connection, serial: int) -> None:
            if tier:
                store.choose_tier(connection, serial, wanted)

        return choose

    def under_way(self, actor: Actor, serial: int) -> tuple[Tier, Tier] | None:
        """Return from where to where a tenant moves; None when it does not."""
        actor.must(Role.VIEWER, serial)
        with self._database.transaction() as connection:
            came_from = store.leaves(connection, serial)
        return (came_from, self._rooms.tier(serial)) if came_from else None

    def provision(self, serial: int) -> None:
        """Open or repair a tenant's workspace; one that was given a Grafana of its own moves there first.

        Raises:
            Stuck: its own Grafana cannot be used; the tenant stays where it is, and is repaired there.
        """
        trouble: Stuck | None = None
        try:
            self._follow(serial)
        except Stuck as error:
            trouble = error
        self._rooms.follow(serial)
        tenant = self._tenants.find(serial)
        if trouble is not None and tenant is not None:
            with self._rooms.noting(self._rooms.of(serial), _place(tenant)):
                raise trouble

    def _follow(self, serial: int) -> None:
        tenant = self._tenants.find(serial)
        if self._is_given is None or tenant is None or tenant.deleting or not self._is_given(serial):
            return
        with self._database.transaction() as connection:
            moves = store.leaves(connection, serial) is not None
        if not moves and self._rooms.tier(serial) is not Tier.INSTANCE:
            self.begin(SYSTEM, serial, Tier.INSTANCE)

    def plan(self, actor: Actor, serial: int, tier: str) -> Plan[Any]:
        """Say what a move would make and take away. Nothing is changed.

        `Plan.kept` names what is not ours and stays behind, `Plan.warnings` what people should know.

        Raises:
            Rejected: there is no such tier here.
            Stuck: the new place cannot be made; the sentence says why.
        """
        actor.must(Role.OPERATOR)
        tenant, wanted = self._tenants.get(actor, serial), self._offered(tier)
        came_from = self._came_from(tenant, wanted)
        subject = f"{tenant.name}: {came_from} -> {wanted}"
        if came_from is wanted:
            return Plan(subject)
        made = self._rooms.at(wanted, serial).plan(_place(tenant))
        removed = self._removal(tenant, came_from)
        steps = (*_called("to", made.steps), *_called("from", removed.steps))
        warnings = (*made.warnings, *self._unseen(serial, wanted), *_told(removed))
        return Plan(subject, steps, kept=removed.kept, warnings=warnings)

    def _unseen(self, serial: int, wanted: Tier) -> tuple[str, ...]:
        """Say which dashboards nobody will see in the built-in viewer."""
        found = self._unread(serial) if wanted is Tier.VIEWER and self._unread is not None else None
        names = sorted(found[1]) if found else []
        if not names:
            return ()
        listed = ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" * (len(names) > _MOST_NAMED))
        which = f"the campaign {listed}" if len(names) == 1 else f"the {len(names)} campaigns {listed}"
        told = f"The built-in viewer does not read InfluxDB: {which} cannot be seen there. "
        return (f"{told}The values stay where they are, and are shown again in a Grafana.",)

    def unseen(self, actor: Actor, serial: int) -> tuple[str, ...]:
        """Say which dashboards nobody can see where a tenant looks now."""
        actor.must(Role.VIEWER, serial)
        return self._unseen(serial, self._rooms.tier(serial))

    def _removal(self, tenant: Tenant, came_from: Tier) -> Plan[Any]:
        """Plan what goes; a Grafana of the tenant's own that lets nobody in must not hold the tenant."""
        try:
            return self._rooms.at(came_from, tenant.serial).plan(_place(tenant), wanted=False)
        except Stuck as error:
            if error.problem != "grafana-own":
                raise
            return Plan(tenant.name, kept=(f"the old place, since it cannot be reached ({error.detail})",))

    def begin(self, actor: Actor, serial: int, tier: str) -> Plan[Any]:
        """Send a tenant to another tier, and return the plan. The old place stands until the new one is complete.

        Moving to where the tenant is changes nothing. A move that is under way can be turned round, and only that.

        Raises:
            Rejected: there is no such tier here.
            Conflict: the tenant moves to yet another tier, or is being deleted.
            Stuck, Later: the new place cannot be made now; the tenant stays where it is.
        """
        actor.must(Role.OPERATOR)
        tenant = self._tenants.get(actor, serial)
        with self._history.action(actor, "workspace.move", tenant.name, tenant=serial, to_tier=tier) as ending:
            if tenant.deleting:
                message = f"{tenant.name} is being deleted."
                raise Conflict(message)
            wanted = self._offered(tier)
            came_from = self._came_from(tenant, wanted)
            ending.note(from_tier=came_from)
            if came_from is wanted:
                return self.plan(actor, serial, tier)
            with self._rooms.alone(self._locked(self._rooms.at(wanted, serial), came_from, serial), serial):
                # What is in the way of the new place is said now, while the tenant is still whole in the old one.
                found = self.plan(actor, serial, tier)
                failpoint("workspaces.move.planned")
                with self._database.transaction() as connection:
                    self._start(connection, serial, came_from, wanted, actor.name)
                    failpoint("workspaces.move.before-commit")
        return found

    def leave(self, serial: int) -> None:
        """Take the old place away once the new one is complete, and end the move.

        Raises:
            Later: the new place is not complete yet.
        """
        tenant = self._tenants.find(serial)
        with self._database.transaction() as connection:
            came_from = store.leaves(connection, serial)
        if tenant is None or tenant.deleting or came_from is None:
            return
        new, old, place = self._rooms.of(serial), self._reached(came_from, serial), _place(tenant)
        with self._rooms.alone(self._locked(new, came_from, serial), serial):
            if new.plan(place):
                self._rooms.look_again(serial)
                message = "The tenant's new place is not complete yet. The old one stands."
                raise Later(message, retry_in_s=_NOT_YET_S)
            failpoint("workspaces.leave.complete")
            brought = _bring(old, new, place)
            failpoint("workspaces.leave.brought")
            with self._history.action(
                SYSTEM, "workspace.leave", tenant.name, tenant=serial, from_tier=came_from, brought=brought
            ):
                if old is not None and old.kind != new.kind:
                    self._rooms.close_place(old, place, _ROOM)
                failpoint("workspaces.leave.closed")
                # Grafana 9.3.2 forgets what a folder allows when another organisation's of the same uid is deleted.
                self._rooms.look_again(serial)
                with self._database.transaction() as connection:
                    store.end_move(connection, serial)
                    signal(connection, f"tenant.{serial}", "attention")
                    failpoint("workspaces.leave.before-commit")

    def _start(self, connection: Connection, serial: int, came_from: Tier, wanted: Tier, by: str) -> None:
        store.choose_tier(connection, serial, wanted, again=True)
        store.begin_move(connection, serial, came_from, by)
        # What stands in a place that was left may be half taken away.
        narrow_store.ask_whole(connection, serial)
        self._queue.enqueue(connection, "workspaces.provision", str(serial))
        signal(connection, f"tenant.{serial}")

    def _offered(self, tier: str) -> Tier:
        """Return a tier that this installation can give."""
        offered = self._rooms.tiers
        if tier not in offered:
            message = f"There is no tier `{tier}` here. There is: {', '.join(offered)}."
            raise Rejected(message, code="tier", field="tier")
        return Tier(tier)

    def _came_from(self, tenant: Tenant, wanted: Tier) -> Tier:
        """Return the tier that a move leaves; the wanted one when there is nothing to do."""
        now = self._rooms.tier(tenant.serial)
        with self._database.transaction() as connection:
            left = store.leaves(connection, tenant.serial)
        if left is not None and wanted not in {now, left}:
            message = f"{tenant.name} moves from {left} to {now}. Wait for the end, or move it back to {left}."
            raise Conflict(message, field="tier")
        return now

    def _locked(self, new: Workspace, came_from: Tier, serial: int) -> Workspace:
        """Return the one of two workspaces that takes one writer at a time; one lock counts for a tenant."""
        return new if new.exclusive else self._reached(came_from, serial) or new

    def _reached(self, tier: Tier, serial: int) -> Workspace | None:
        """Return the old place; None for a Grafana of the tenant's own that cannot be used any more."""
        try:
            return self._rooms.at(tier, serial)
        except Stuck as error:
            if error.problem != "grafana-own":
                raise
            return None


def _called(word: str, steps: tuple[Step[Any], ...]) -> tuple[Step[Any], ...]:
    return tuple(replace(step, key=f"{word}:{step.key}") for step in steps)


def _told(removed: Plan[Any]) -> tuple[str, ...]:
    if not removed.kept:
        return ()
    return ("What is not Belvedere's stays behind without the tenant's data sources: copy what you need first.",)


def _bring(old: Workspace | None, new: Workspace, place: Place) -> int:
    """Bring the dashboards that people changed or made their own, as they stand; return how many."""
    if not isinstance(old, GrafanaWorkspace) or not isinstance(new, GrafanaWorkspace) or old.kind == new.kind:
        return 0
    theirs = old.changed_by_people(place)
    brought = sum(new.bring(place, one) for one in theirs)
    # Brought, they need not stay behind.
    old.let_go(place, [one.dashboard_id for one in theirs])
    return brought


def _place(tenant: Tenant) -> Place:
    return Place(tenant.serial, tenant.name, tenant.slug)
