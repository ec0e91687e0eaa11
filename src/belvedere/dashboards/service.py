"""Tenants' dashboards: kept in step with their tables, listed, explained, overridden.

What is not here: drawing them (`workspaces/viewer/`), pictures of them (`previews/`), the look at one table
(`look.py`).
"""

import builtins
import math
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from belvedere.audit.model import History
from belvedere.dashboards import store
from belvedere.dashboards.addresses import Addresses
from belvedere.dashboards.look import Looked, Seen, fingerprint, look
from belvedere.dashboards.model import Dashboard, DashboardState, Why
from belvedere.dashboards.patience import Patience
from belvedere.dashboards.points.forms import KIND, PointForms
from belvedere.dashboards.templates import publications
from belvedere.dashboards.to_view import to_view
from belvedere.dashboards.turns import Turns, worst_last
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, monotonic_s, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.workspaces.port import Publication
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.tiers import Tier
from belvedere.workspaces.viewer.service import Shown

_LOOK_AGAIN: Final = timedelta(hours=1)
_GROWN_AGAIN: Final = timedelta(minutes=10)
"""Less than the timer's quarter of an hour, at whose next round a table that has grown is looked at."""

_KEEP_GONE_DAYS: Final = 30
_AGAIN_S: Final = 5.0
_PATIENCE: Final = Patience()
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


class Dashboards:
    """The dashboards of this installation."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, stores: Stores, workspaces: Workspaces,
        base_url: str = "", reached: bool = False, patience: Patience = _PATIENCE, now: Now = utc_now,
        points: PointForms | None = None,
    ) -> None:
        """Take what it needs; `base_url` is put before addresses that are paths of the portal.

        `reached` says that people reach the portal there, so that links to other places may lead through it. `points`
        knows campaigns in an InfluxDB.
        """
        self._database = database
        self._history = history
        self._queue = queue
        self._stores = stores
        self._workspaces = workspaces
        self.addresses = Addresses(database=database, portal=base_url, reached=reached)
        self._patience = patience
        self._turns = Turns()
        self._now = now
        self._points = points

    def list(
        self, actor: Actor, *, tenant: int | None = None, after: str | None = None, limit: int = 50, text: str = "",
        table: str = "",
    ) -> Page[Dashboard]:
        """Return dashboards, newest first: of one tenant, or of all for operators."""
        wanted = actor.tenant if tenant is None else tenant
        actor.must(Role.VIEWER, wanted)
        start = _uuid(after) if after else None
        with self._database.for_actor(actor) as connection:
            found = store.page(
                connection, tenant=wanted, after=start, limit=limit + 1, text=text.strip(), table=table)
            total = store.count(connection, wanted)
        shown = [self.addresses.on(dashboard) for dashboard in found[:limit]]
        return Page(shown, str(shown[-1].id) if len(found) > limit else None, total)

    def get(self, actor: Actor, dashboard_id: UUID | str) -> Dashboard:
        """Find a dashboard.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, _uuid(dashboard_id))
        if found is None:
            raise NotFound
        actor.must(Role.VIEWER, found.tenant_id)
        return self.addresses.on(found)

    def shown(self, actor: Actor, dashboard_id: UUID) -> Shown:
        """Find a dashboard for the viewer: its store, typed model and layout."""
        with self._database.for_actor(actor) as connection:
            found = store.drawn(connection, dashboard_id)
        if found is None:
            raise NotFound
        tenant, store_id, model, version = found
        actor.must(Role.VIEWER, tenant)
        return Shown(dashboard_id, store_id, model, to_view(model, dashboard_id), version)

    def why(self, actor: Actor, dashboard_id: UUID | str) -> Why:
        """Explain a dashboard: matched columns, score, runner-up, what is missing, and any override."""
        with self._database.for_actor(actor) as connection:
            found = store.explained(connection, _uuid(dashboard_id))
        if found is None:
            raise NotFound
        actor.must(Role.VIEWER, found["tenant_id"])
        classified = found["why"]
        chosen = classified.chosen
        return Why(
            template=chosen.template, family=chosen.family, score=chosen.score, needed=chosen.needed,
            matched=chosen.columns, runner_up=classified.runner_up, candidates=classified.candidates,
            missing=chosen.missing, reasons=chosen.reasons, guess=classified.guess,
            rows_looked_at=classified.rows_looked_at, whole=classified.whole, looked_at=found["looked_at"],
            override=found["override_template"] or "", override_reason=found["override_reason"],
            override_by=found["override_by"])

    def override(self, actor: Actor, dashboard_id: UUID | str, template: str, reason: str) -> Why:
        """Show a table under another template until the override is removed with an empty template.

        Raises:
            Rejected: there is no such template, a column that it needs is missing, or no reason is given.
        """
        current = self.get(actor, dashboard_id)
        actor.must(Role.EDITOR, current.tenant_id)
        why = self.why(actor, current.id)
        if template:
            why.must_allow(template, reason)
        with (
            self._history.action(
                actor, "dashboard.override", current.title, tenant=current.tenant_id, template=template,
                reason=reason),
            self._database.for_actor(actor) as connection,
        ):
            store.override(connection, current.id, template or None, reason.strip(), actor.name if template else "")
            self._queue.enqueue(connection, "dashboards.reconcile", str(current.store_id))
            signal(connection, f"dashboard.{current.id}")
            failpoint("dashboards.override.before-commit")
        return self.why(actor, current.id)

    def create(self, actor: Actor, serial: int, database: str, table: str) -> Dashboard:
        """Make the dashboard of a table now, without waiting for the watch; an existing one is returned.

        Raises:
            NotFound: the tenant has no such database, or it has no such table yet.
        """
        actor.must(Role.EDITOR, serial)
        facts = next((one for one in self._stores.list(actor, serial) if one.database == database), None)
        if facts is None:
            message = f"There is no database `{database}` here."
            raise NotFound(message)
        with self._history.action(actor, "dashboard.create", f"{database}.{table}", tenant=serial):
            self._follow(facts, table)
            page = self.list(actor, tenant=serial, table=table, limit=50)
            found = next((one for one in page.items if one.store_id == facts.id), None)
            if found is None:
                message = f"No table `{table}` is ready in `{database}`. Write it, then try again."
                raise NotFound(message)
        return found

    def reconcile_all(self) -> None:
        """Look at every store again, as the safety net behind the watch; drop what went long ago."""
        with self._database.transaction() as connection:
            store.forget_gone(connection, _KEEP_GONE_DAYS)
            for store_id in store.stores(connection):
                self._queue.enqueue(connection, "dashboards.reconcile", str(store_id))

    def reconcile_tenant(self, serial: int) -> None:
        """Look at every store of a tenant, now that its workspace is open."""
        found = self._stores.list(SYSTEM, serial)
        with self._database.transaction() as connection:
            for one in found:
                self._queue.enqueue(connection, "dashboards.reconcile", str(one.id))

    def publications(self, serial: int) -> builtins.list[Publication]:
        """Return what a tenant's workspace should show, for the room that repairs it; no door calls this."""
        with self._database.transaction() as connection:
            return publications(connection, serial, store.standing(connection, serial), self._points)

    def readdress(self, serial: int) -> None:
        """Show a tenant's dashboards in its workspace of now, and write down where they are. Nobody is told anew."""
        for one in self.publications(serial):
            try:
                url = self._workspaces.publish(serial, one)
            except Stuck as error:
                if error.problem != "viewer-influxdb":  # which can never stand there, so the move must not wait for it
                    raise
                self._hold(serial, one.dashboard_id, error.detail, nowhere=True)
                continue
            with self._database.transaction() as connection:
                if store.readdress(connection, one.dashboard_id, url):
                    signal(connection, f"tenant.{serial}", f"dashboard.{one.dashboard_id}")
        with self._database.transaction() as connection:
            # Everything stands in the new place, which may show more; a move may take the old one away.
            self._queue.enqueue(connection, "dashboards.reconcile-tenant", str(serial))
            self._queue.emit(connection, "dashboards.readdressed", str(serial))
            failpoint("dashboards.readdress.before-commit")

    def reconcile(self, store_id: UUID | str) -> None:
        """Bring a store's dashboards in step with its tables. Twice does no harm; nothing new says nothing.

        A table that cannot be read fails alone. What there was no time for comes in a job of its own, and so does
        what failed.

        Raises:
            Later: the store or the workspace did not answer, or another store of the tenant is looked at.
        """
        key = _uuid(store_id)
        try:
            facts = self._stores.get(SYSTEM, key)
        except NotFound:
            return
        if not self._turns.begin(facts.tenant_id, key):
            # The one that is looked at wakes this one at its end, and the delay is for its death.
            message = "Another database of this tenant is looked at first."
            raise Later(message, retry_in_s=_AGAIN_S)
        try:
            self._follow(facts)
        finally:
            for one in self._turns.end(facts.tenant_id):
                with self._database.transaction() as connection:
                    self._queue.enqueue(connection, "dashboards.reconcile", str(one))

    def _follow(self, facts: StoreFacts, table: str | None = None) -> None:
        """Look at a store's tables, or at those of one name, and publish what came of it."""
        key = facts.id
        standing = {(one.schema, one.name) for one in self._stores.relations(SYSTEM, key)}
        relations = [*self._stores.stable_relations(key)]
        with self._database.transaction() as connection:
            stored = {(one.schema, one.table): one for one in store.of_store(connection, key)}
        held = self._look(facts, [one for one in relations if table in (None, one.name)], stored)
        # A table that is being written again keeps its dashboard; only one that is gone loses it.
        self._part(facts, standing | {(one.schema, one.name) for one in relations}, stored)
        failpoint("dashboards.reconcile.before-publish")
        self._publish(facts)
        if held:
            raise Later(held, retry_in_s=_AGAIN_S)

    def _look(self, facts: StoreFacts, relations: builtins.list[Seen], stored: dict[_Name, store.Stored]) -> str:
        """Look at what is due, as long as there is time; return what kept us out of the store, or nothing."""
        began_s, rest_in_s, looks = monotonic_s(), [], 0
        for relation, known in worst_last(relations, stored):
            override = known.override if known else None
            wait_s = self._left_alone_s(facts, known, fingerprint(relation, override), relation.size_bytes)
            if wait_s:
                rest_in_s.append(wait_s)
                continue
            if looks and monotonic_s() - began_s > self._patience.begin_s:
                rest_in_s.append(self._patience.rest_s)
                break
            looks += 1
            looked = (self._points.look if self._points and facts.kind == KIND else look)(
                self._stores.reader, relation, tenant=facts.tenant_id, store_id=facts.id, database=facts.database,
                store_kind=facts.kind, override=override, within_s=self._patience.look_s)
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
        if known.state in ("ready", "working"):
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
                    self._hold(facts.tenant_id, dashboard_id, error.detail)
                    continue
                failpoint("dashboards.publish.before-commit")
                with self._database.transaction() as connection:
                    if store.publish(connection, dashboard_id, url):
                        self._queue.emit(connection, "dashboard.changed", str(dashboard_id))
                        signal(connection, f"tenant.{facts.tenant_id}", f"dashboard.{dashboard_id}")
                failpoint("dashboards.publish.after-commit")

    def _hold(self, serial: int, dashboard_id: UUID, message: str, *, nowhere: bool = False) -> None:
        with self._database.transaction() as connection:
            store.hold(connection, dashboard_id, DashboardState.NEEDS_YOU, message, nowhere=nowhere)
            signal(connection, f"tenant.{serial}", f"dashboard.{dashboard_id}", "attention")


def _uuid(text: UUID | str) -> UUID:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        raise NotFound from None

