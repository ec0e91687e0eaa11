"""Dashboards follow their tables: looked at when it is due, published, renamed, parted with.

What is not here: what doors ask (`service.py`), the look at one table (`look.py`), when values came (`renewing.py`).
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from belvedere.audit.model import History
from belvedere.dashboards import store
from belvedere.dashboards.campaigns import KINDS, Campaigns, Measured
from belvedere.dashboards.look import Looked, Seen, fingerprint, look
from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.patience import Patience
from belvedere.dashboards.points.forms import KIND, PointForms
from belvedere.dashboards.templates import publications
from belvedere.dashboards.turns import Turns, worst_last
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.clock import Now, monotonic_s
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.tiers import Tier

_LOOK_AGAIN: Final = timedelta(hours=1)
_GROWN_AGAIN: Final = timedelta(minutes=10)
"""Less than the timer's quarter of an hour, at whose next round a table that has grown is looked at."""

AGAIN_S: Final = 5.0
_WELL: Final = ("ready", "working")
_Name = tuple[str, str]


class StoreFacts(Protocol):
    """A store, as far as dashboards need to know it."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...

    @property
    def tenant_id(self) -> int:
        """Whose it is."""
        ...

    @property
    def kind(self) -> str:
        """`timing_report`, `QOR` or `drc`."""
        ...

    @property
    def database(self) -> str:
        """Its database."""
        ...


class Stores(Protocol):
    """What dashboards ask of the stores room."""

    def get(self, actor: Actor, store_id: UUID) -> Any:  # noqa: ANN401  (a StoreFacts; the room has its own type)
        """Return a store or raise NotFound."""
        ...

    def list(self, actor: Actor, serial: int) -> Any:  # noqa: ANN401
        """Return a tenant's stores."""
        ...

    def relations(self, actor: Actor, store_id: UUID) -> Any:  # noqa: ANN401
        """Return the relations that stand, those that somebody is writing at this moment too."""
        ...

    def stable_relations(self, store_id: UUID) -> Any:  # noqa: ANN401
        """Return the relations that hold still and may be read."""
        ...

    def reader(self, store_id: UUID, /, *, within_s: float) -> AbstractContextManager[Any]:
        """Give the tenant's reader, for statements of so many seconds at most."""
        ...


class Following:
    """Keeps dashboards in step with the tables of a store."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, stores: Stores, workspaces: Workspaces,
        patience: Patience, now: Now, points: PointForms | None, campaigns: Campaigns,
    ) -> None:
        """Take what it needs; `points` knows how campaigns in an InfluxDB look, `campaigns` what files brought."""
        self._database = database
        self._history = history
        self._queue = queue
        self._stores = stores
        self._workspaces = workspaces
        self._patience = patience
        self._now = now
        self._points = points
        self._campaigns = campaigns
        self._turns = Turns()

    @contextmanager
    def turn(self, facts: StoreFacts, *, again_s: float) -> Iterator[None]:
        """Be the only one in this process that looks at a store of its tenant.

        Raises:
            Later: another one is looked at; it wakes this one at its end, and the delay is for its death.
        """
        if not self._turns.begin(facts.tenant_id, facts.id):
            message = "Another database of this tenant is looked at first."
            raise Later(message, retry_in_s=again_s)
        try:
            yield
        finally:
            for one in self._turns.end(facts.tenant_id):
                with self._database.transaction() as connection:
                    self._queue.enqueue(connection, "dashboards.reconcile", str(one))

    def follow(self, facts: StoreFacts, table: str | None = None, *, anew: bool = False) -> None:
        """Look at a store's tables, or at those of one name, and publish what came of it.

        Args:
            facts: the store.
            table: the one name.
            anew: also look at what stands well and would be left alone.

        Raises:
            Later: nobody got in.
        """
        key = facts.id
        standing = [*self._stores.relations(SYSTEM, key)]
        relations = [*self._stores.stable_relations(key)]
        with self._database.transaction() as connection:
            stored = _by_place(store.of_store(connection, key))
        if facts.kind in KINDS and self._rename(facts, standing, stored):
            with self._database.transaction() as connection:
                stored = _by_place(store.of_store(connection, key))
        held = self._look(facts, [one for one in relations if table in (None, one.name)], stored, anew=anew)
        # A table that is being written again keeps its dashboard; only one that is gone loses it.
        self._part(facts, {(one.schema, one.name) for one in [*standing, *relations]}, stored)
        failpoint("dashboards.reconcile.before-publish")
        self._publish(facts)
        if held:
            raise Later(held, retry_in_s=AGAIN_S)

    def _rename(self, facts: StoreFacts, standing: list[Seen], stored: dict[_Name, store.Stored]) -> bool:
        """Let dashboards of campaigns that were renamed go with them; tell whether there were any.

        Elsewhere a table of another name is another one: flows put `run` aside as `run_old`, and links mean `run`.
        """
        places = {(one.schema, one.name) for one in standing}
        before = {
            one.oid: one for place, one in stored.items()
            if one.oid is not None and one.state != "gone" and place not in places
        }
        renamed = False
        for relation in standing:
            known, there = before.get(relation.oid), stored.get((relation.schema, relation.name))
            if known is None or (there is not None and there.state != "gone"):
                continue
            with (
                self._history.action(
                    SYSTEM, "dashboard.rename", known.table[:200], tenant=facts.tenant_id, to=relation.name[:200]),
                self._database.transaction() as connection,
            ):
                if there is not None:
                    # Its pictures went when it did, and the campaign of that name is another one now.
                    store.forget(connection, there.id)
                store.rename(connection, known.id, relation.schema, relation.name)
                failpoint("dashboards.rename.before-commit")
            renamed = True
        return renamed

    def _look(
        self, facts: StoreFacts, relations: list[Seen], stored: dict[_Name, store.Stored], *, anew: bool
    ) -> str:
        """Look at what is due, as long as there is time; return what kept us out of the store, or nothing."""
        began_s, rest_in_s, looks = monotonic_s(), [], 0
        measured: dict[str, Measured] | None = None
        for relation, known in worst_last(relations, stored):
            override = known.override if known else None
            wait_s = self._left_alone_s(facts, known, fingerprint(relation, override), relation.size_bytes)
            if wait_s and not (anew and known and known.state in _WELL):
                rest_in_s.append(wait_s)
                continue
            if looks and monotonic_s() - began_s > self._patience.begin_s:
                rest_in_s.append(self._patience.rest_s)
                break
            looks += 1
            if measured is None:  # It adds up every file of the tenant: only where a look is due.
                measured = self._measured(facts)
            looked = (self._points.look if self._points and facts.kind == KIND else look)(
                self._stores.reader, relation, tenant=facts.tenant_id, store_id=facts.id, database=facts.database,
                store_kind=facts.kind, override=override, within_s=self._patience.look_s,
                measured=measured.get(relation.name))
            if looked is None:
                continue
            wait_s = self._put(facts, looked, known)
            if looked.away:
                return looked.desired.message
            rest_in_s.append(wait_s)
        in_s = min(rest_in_s, default=math.inf)
        # What is due later than that is found by the timer, and need not stand in the queue.
        if in_s < _LOOK_AGAIN.total_seconds():
            with self._database.transaction() as connection:
                self._queue.enqueue(connection, "dashboards.reconcile", str(facts.id), in_s=in_s)
        return ""

    def _measured(self, facts: StoreFacts) -> dict[str, Measured]:
        """Return what files brought to a store's campaigns, by table."""
        if facts.kind not in KINDS:
            return {}
        return {one.table: one for one in self._campaigns.of_tenant(facts.tenant_id) if one.store_kind == facts.kind}

    def _put(self, facts: StoreFacts, looked: Looked, known: store.Stored | None) -> float:
        """Write what a look led to; return in how many seconds the next one is due."""
        desired = looked.desired
        before = known.failures if known and known.seen == desired.seen else 0
        # Who keeps us out does not make us forget what the table did before.
        failures = before + looked.failed if looked.away or looked.failed else 0
        wait_s = self._patience.delay_s(desired.state, failures) if looked.failed else math.inf
        again_at = self._now() + timedelta(seconds=wait_s) if looked.failed else None
        with self._database.transaction() as connection:
            written = store.put(
                connection, new_id(), desired, working=desired.state is DashboardState.READY, failures=failures,
                again_at=again_at)
            if written and written[1]:
                signal(connection, f"tenant.{facts.tenant_id}", f"dashboard.{written[0]}")
        return wait_s

    def _left_alone_s(self, facts: StoreFacts, known: store.Stored | None, seen: str, size_bytes: int) -> float:
        """Return how long a relation needs no look yet: 0 if it does, infinite if its timer finds it in time."""
        if known is None or known.seen != seen:
            return 0.0
        if known.state in _WELL:
            grown = known.size_bytes not in {None, size_bytes}
            again = _GROWN_AGAIN if grown else _LOOK_AGAIN
            return math.inf if self._now() - known.looked_at < again else 0.0
        if known.state == "needs you" and facts.kind == KIND and self._workspaces.tier(facts.tenant_id) is Tier.VIEWER:
            return math.inf  # The viewer would not read it this time either.
        return max((known.again_at - self._now()).total_seconds(), 0.0) if known.again_at else 0.0

    def _part(self, facts: StoreFacts, standing: set[_Name], stored: dict[_Name, store.Stored]) -> None:
        lost = [one for place, one in stored.items() if place not in standing and one.state != "gone"]
        if not lost:
            return
        for one in lost:
            self._workspaces.retract(facts.tenant_id, one.id)
        names = ", ".join(one.table for one in lost)
        with (
            self._history.action(SYSTEM, "dashboard.remove", names[:200], tenant=facts.tenant_id, count=len(lost)),
            self._database.transaction() as connection,
        ):
            store.part(connection, [one.id for one in lost])
            for one in lost:
                self._queue.emit(connection, "dashboard.removed", str(one.id))
                signal(connection, f"dashboard.{one.id}")
            signal(connection, f"tenant.{facts.tenant_id}")
            failpoint("dashboards.part.before-commit")

    def _publish(self, facts: StoreFacts) -> None:
        with self._database.transaction() as connection:
            found = [(one, facts.id, model) for one, model in store.working(connection, facts.id)]
            waiting = publications(connection, facts.tenant_id, found, self._points)
        for publication in waiting:
            dashboard_id, title = publication.dashboard_id, publication.model.title
            with self._history.action(SYSTEM, "dashboard.publish", title, tenant=facts.tenant_id):
                try:
                    url = self._workspaces.publish(facts.tenant_id, publication)
                except Stuck as error:
                    self.hold(facts.tenant_id, dashboard_id, error.detail)
                    continue
                failpoint("dashboards.publish.before-commit")
                with self._database.transaction() as connection:
                    if store.publish(connection, dashboard_id, url):
                        self._queue.emit(connection, "dashboard.changed", str(dashboard_id))
                        signal(connection, f"tenant.{facts.tenant_id}", f"dashboard.{dashboard_id}")
                failpoint("dashboards.publish.after-commit")

    def hold(self, serial: int, dashboard_id: UUID, message: str, *, nowhere: bool = False) -> None:
        """Write why a dashboard is not shown, until a person has done something about it."""
        with self._database.transaction() as connection:
            store.hold(connection, dashboard_id, DashboardState.NEEDS_YOU, message, nowhere=nowhere)
            signal(connection, f"tenant.{serial}", f"dashboard.{dashboard_id}", "attention")


def _by_place(found: list[store.Stored]) -> dict[_Name, store.Stored]:
    return {(one.schema, one.table): one for one in found}
