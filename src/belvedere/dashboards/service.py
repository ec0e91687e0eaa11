"""Tenants' dashboards: kept in step with their tables, listed, explained, overridden.

What is not here: drawing them (`workspaces/viewer/`), pictures of them (`previews/`), the look at one table
(`look.py`).
"""

import builtins
from typing import Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.dashboards import store
from belvedere.dashboards.addresses import Addresses
from belvedere.dashboards.campaigns import Campaigns, NoCampaigns
from belvedere.dashboards.following import AGAIN_S, Following, Stores
from belvedere.dashboards.model import Dashboard, Why
from belvedere.dashboards.patience import Patience
from belvedere.dashboards.points.forms import PointForms
from belvedere.dashboards.renewing import Renewing
from belvedere.dashboards.templates import publications
from belvedere.dashboards.to_view import to_view
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.page import Page
from belvedere.workspaces.port import Publication
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.viewer.service import Shown

_KEEP_GONE_DAYS: Final = 30
_PATIENCE: Final = Patience()


class Dashboards:
    """The dashboards of this installation."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, stores: Stores, workspaces: Workspaces,
        base_url: str = "", reached: bool = False, patience: Patience = _PATIENCE, now: Now = utc_now,
        points: PointForms | None = None, campaigns: Campaigns | None = None,
    ) -> None:
        """Take what it needs; `base_url` is put before addresses that are paths of the portal.

        `reached` says that people reach the portal there, so that links to other places may lead through it. `points`
        knows how campaigns in an InfluxDB look, `campaigns` what files brought to all of them.
        """
        self._database = database
        self._history = history
        self._queue = queue
        self._stores = stores
        self._workspaces = workspaces
        self.addresses = Addresses(database=database, portal=base_url, reached=reached)
        self._points = points
        campaigns = campaigns or NoCampaigns()
        self._following = Following(
            database=database, history=history, queue=queue, stores=stores, workspaces=workspaces, patience=patience,
            now=now, points=points, campaigns=campaigns)
        self.renewing = Renewing(
            database=database, history=history, queue=queue, stores=stores, following=self._following,
            campaigns=campaigns, now=now)

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
            self._following.follow(facts, table)
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
                self._following.hold(serial, one.dashboard_id, error.detail, nowhere=True)
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
        with self._following.turn(facts, again_s=AGAIN_S):
            self._following.follow(facts)


def _uuid(text: UUID | str) -> UUID:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        raise NotFound from None

