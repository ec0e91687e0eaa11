"""The organisations of the installation's Grafana, as the organisation tool of the cost monitor knew them.

What is not here: making and deleting them (a tenant's plan does), and people (`identity/members/`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Rejected, Stuck
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants
from belvedere.workspaces.drift import store as drift_store
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Organisation
from belvedere.workspaces.service import Workspaces

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Owned:
    """An organisation, and whose it is by our records; None: it is no tenant's, and Belvedere leaves it alone."""

    id: int
    name: str
    tenant: int | None


class Organisations:
    """Reads the organisations, and finds the tenants that a number and a name mean."""

    def __init__(self, *, database: Database, tenants: Tenants, workspaces: Workspaces) -> None:
        """Take what it needs."""
        self._database = database
        self._tenants = tenants
        self._workspaces = workspaces

    def list(self, actor: Actor) -> list[Owned]:
        """Return every organisation of the Grafana, by number.

        Raises:
            Stuck: no Grafana is set.
            Later: it is away.
        """
        actor.must(Role.VIEWER)
        grafana = self._workspaces.grafana
        if grafana is None:
            message = "No Grafana is set."
            hint = "Set GRAFANA_BASE_URL, GRAFANA_USER and GRAFANA_PASSWORD, and start again."
            raise Stuck(message, hint=hint, code="grafana-missing")
        found: list[Organisation] = []
        for page in range(_PAGE):
            read = grafana.grafana.ask(requests.organisations(page)).read(list[Organisation])
            found += read
            if len(read) < _PAGE:
                break
        with self._database.transaction() as connection:
            owners = drift_store.tenants_of(connection, grafana.grafana.url)
        return sorted((Owned(one.id, one.name, owners.get(one.id)) for one in found), key=lambda one: one.id)

    def tenant(self, actor: Actor, number: int, name: str) -> Tenant:
        """Find the tenant of a number, and check that the name that came with it is its own.

        Raises:
            NotFound: there is none of that number.
            Rejected: it bears another name.
        """
        tenant = self._tenants.get(actor, number)
        if tenant.name != name.strip():
            message = f"Tenant {number} is {tenant.name}, not {name}."
            raise Rejected(message, hint="belvedere tenant list", field="tenant-name")
        return tenant
