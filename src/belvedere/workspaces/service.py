"""Tenants' workspaces: opened, closed, and dashboards published to them, whatever implementation they have.

What is not here: panels' data (`viewer/service.py`), and which dashboards there are (`dashboards/`).
"""

from uuid import UUID

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import Later, NotFound
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants
from belvedere.workspaces.port import Place, Publication, Workspace

_ROOM = "workspaces"


class Workspaces:
    """Where tenants look. One implementation serves all tenants of an installation for now."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, workspace: Workspace
    ) -> None:
        """Take what it needs; `workspace` is the implementation."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._workspace = workspace

    @property
    def kind(self) -> str:
        """Which implementation: `viewer`."""
        return self._workspace.kind

    def plan(self, actor: Actor, serial: int) -> Plan[str]:
        """Say what differs between a tenant's workspace and what it should be."""
        tenant = self._tenants.get(actor, serial)
        actor.must(Role.VIEWER, tenant.serial)
        return self._workspace.plan(_place(tenant), wanted=not tenant.deleting)

    def provision(self, serial: int) -> None:
        """Open a tenant's workspace, step by step. Twice does no harm; a tenant on its way out is left alone."""
        tenant = self._tenants.find(serial)
        if tenant is None or tenant.deleting:
            return
        place = _place(tenant)
        with self._tenants.log.room(serial, _ROOM):
            plan = self._workspace.plan(place)
            self._tenants.log.begin(serial, _ROOM, plan)
            if not plan:
                return
            with self._history.action(SYSTEM, "workspace.open", tenant.name, tenant=serial, kind=self.kind):
                self._apply(place, plan)
            with self._database.transaction() as connection:
                self._queue.emit(connection, "workspace.ready", str(serial))
                signal(connection, f"tenant.{serial}")

    def remove_tenant(self, serial: int) -> None:
        """Close a tenant's workspace on its way out, then let the stores go."""
        tenant = self._tenants.find(serial)
        if tenant is None:
            return
        if not tenant.deleting:
            message = f"{tenant.name} stays."
            raise NotFound(message)
        with self._tenants.log.room(serial, _ROOM):
            plan = self._workspace.plan(_place(tenant), wanted=False)
            self._tenants.log.begin(serial, _ROOM, plan)
            if plan:
                with self._history.action(SYSTEM, "workspace.close", tenant.name, tenant=serial, kind=self.kind):
                    self._apply(_place(tenant), plan)
            with self._database.transaction() as connection:
                self._queue.emit(connection, "tenant.workspace-removed", str(serial))
            failpoint("workspaces.remove-tenant.after-commit")

    def publish(self, serial: int, publication: Publication) -> str:
        """Show a dashboard and return its address.

        Raises:
            Later: the tenant is gone or its workspace is not open yet.
        """
        return self._workspace.publish(self._place_of(serial), publication)

    def retract(self, serial: int, dashboard_id: UUID) -> None:
        """Stop showing a dashboard."""
        self._workspace.retract(self._place_of(serial), dashboard_id)

    def _place_of(self, serial: int) -> Place:
        tenant = self._tenants.find(serial)
        if tenant is None:
            message = "The tenant is gone."
            raise Later(message)
        return _place(tenant)

    def _apply(self, place: Place, plan: Plan[str]) -> None:
        for step in plan.steps:
            with self._tenants.log.step(place.tenant, _ROOM, step.key):
                self._workspace.apply(place, step)
            failpoint("workspaces.apply.after-step")


def _place(tenant: Tenant) -> Place:
    return Place(tenant.serial, tenant.name, tenant.slug)
