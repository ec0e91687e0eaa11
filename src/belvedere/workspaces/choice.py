"""Which implementation of the port each tier has in this installation."""

from collections.abc import Callable
from dataclasses import dataclass

from belvedere.kernel.errors import Stuck
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Workspace
from belvedere.workspaces.tiers import Tier

Own = Callable[[int], GrafanaWorkspace]
"""The tenant's own Grafana, by its serial number; raises Stuck where it has none that can be used."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The implementations that are set up. `own` makes one for each tenant that has a Grafana of its own."""

    viewer: Workspace
    grafana: GrafanaWorkspace | None = None
    team: GrafanaWorkspace | None = None
    own: Own | None = None

    @property
    def tiers(self) -> list[Tier]:
        """The tiers that tenants can have."""
        found = [(Tier.ORG, self.grafana), (Tier.TEAM, self.team), (Tier.INSTANCE, self.own)]
        return [Tier.VIEWER, *(tier for tier, there in found if there is not None)]

    def at(self, tier: Tier, serial: int) -> Workspace:
        """Return the implementation of a tier for a tenant.

        Raises:
            Stuck: it is not set up here, or the tenant's own Grafana cannot be used.
        """
        if tier is Tier.VIEWER:
            return self.viewer
        if tier is Tier.INSTANCE and self.own is not None:
            return self.own(serial)
        found = {Tier.ORG: self.grafana, Tier.TEAM: self.team}.get(tier)
        if found is None:
            message = "The tenant's workspace is in a Grafana, and no Grafana is set."
            hint = "Set GRAFANA_BASE_URL, GRAFANA_USER and GRAFANA_PASSWORD, and start again."
            raise Stuck(message, hint=hint, code="grafana-missing")
        return found
