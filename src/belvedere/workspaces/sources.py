"""Whether a Grafana reaches the databases behind its data sources, some seconds after they were written.

What is not here: writing them (`grafana/`).
"""

from contextlib import AbstractContextManager
from typing import Final, Protocol

from belvedere.jobs.model import Queue
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.tenants.service import Tenants
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place, Workspace

SETTLES_S: Final = 7.0
"""Grafana keeps a data source's settings for five seconds: before then it tells the health of the old ones."""


class Rooms(Protocol):
    """As much of `Workspaces` as is needed here."""

    def of(self, serial: int) -> Workspace:
        """Return the implementation that a tenant's workspace has."""
        ...

    def alone(self, workspace: Workspace, serial: int) -> AbstractContextManager[None]:
        """Hold the tenant's lock, over all processes."""
        ...

    def noting(self, workspace: Workspace, place: Place) -> AbstractContextManager[object]:
        """Write down for the pages how it went."""
        ...


def check_sources(rooms: Rooms, key: str, *, database: Database, queue: Queue, tenants: Tenants) -> None:
    """Ask whether a tenant's databases answer; write a sick data source once more, and look again.

    Raises:
        Stuck: it does not answer with what was written twice.
    """
    serial, _, again = key.partition(":")
    tenant = tenants.find(int(serial))
    workspace = rooms.of(int(serial)) if tenant else None
    if tenant is None or tenant.deleting or not isinstance(workspace, GrafanaWorkspace):
        return
    place = Place(tenant.serial, tenant.name, tenant.slug)
    with rooms.alone(workspace, tenant.serial), rooms.noting(workspace, place):
        sick = workspace.sick_sources(place)
        if sick and again:
            names = "; ".join(f"{name}: {said}" for name, said in sick)
            message = f"Grafana does not reach the tenant's databases ({names})."
            hint = "Let Grafana reach PostgreSQL: see BELVEDERE_GRAFANA_STORE_ADDRESS."
            raise Stuck(message, hint=hint, code="grafana-source")
        for name, _said in sick:
            workspace.renew_source(place, name)
        if sick:
            with database.transaction() as connection:
                queue.enqueue(connection, "workspaces.check-sources", f"{serial}:again", in_s=SETTLES_S)
