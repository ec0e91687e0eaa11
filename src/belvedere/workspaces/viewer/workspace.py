"""The built-in viewer as a workspace: always there, so opening it is one row and publishing is an address."""

from uuid import UUID

from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan, Sign, Step
from belvedere.workspaces import store
from belvedere.workspaces.port import Place, Publication


class ViewerWorkspace:
    """The workspace that needs nothing. The portal's own pages draw its dashboards."""

    kind = "viewer"
    exclusive = False

    def __init__(self, *, database: Database) -> None:
        """Take the control database, where the one row per tenant stands."""
        self._database = database

    def plan(self, place: Place, *, wanted: bool = True) -> Plan[str]:
        """Say whether the row is to be written or removed."""
        with self._database.transaction() as connection:
            stands = store.kind_of(connection, place.tenant) == self.kind
        if stands == wanted:
            return Plan(place.name)
        sign, deed = (Sign.CREATE, "open") if wanted else (Sign.REMOVE, "close")
        title = f"{deed.capitalize()} the built-in viewer"
        return Plan(place.name, (Step("viewer", sign, title, place.slug, deed),))

    def apply(self, place: Place, step: Step[str]) -> None:
        """Write or remove the row."""
        with self._database.transaction() as connection:
            if step.deed == "open":
                store.open_workspace(connection, place.tenant, self.kind)
            else:
                store.close_workspace(connection, place.tenant)
            failpoint("workspaces.viewer.before-commit")

    def publish(self, place: Place, publication: Publication) -> str:
        """Return the page's path. The viewer reads dashboards where they are stored, so there is nothing to copy.

        Raises:
            Stuck: its rows are in an InfluxDB, which the viewer cannot read.
        """
        if not publication.in_viewer:
            message = (
                "The measured values are in InfluxDB, and the built-in viewer does not read InfluxDB. Move the tenant "
                "to a Grafana, or keep measured values in PostgreSQL (BELVEDERE_POINTS=postgresql)."
            )
            raise Stuck(message, code="viewer-influxdb")
        return f"/tenants/{place.slug}/dashboards/{publication.dashboard_id}"

    def retract(self, place: Place, dashboard_id: UUID) -> None:
        """Do nothing: a dashboard that is gone is not listed."""

    def noted(self, place: Place, error: BelvedereError | None) -> None:
        """Do nothing: there is nothing outside that could be away."""
