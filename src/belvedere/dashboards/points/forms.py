"""Campaigns in an InfluxDB as the dashboards room takes them: looked at by their shape, drawn in Flux or in InfluxQL.

Nothing is asked of InfluxDB: what a campaign has is written down when its points are written.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from belvedere.dashboards.bind import bind
from belvedere.dashboards.classify import Profile, classify
from belvedere.dashboards.look import Looked, Seen, fingerprint, shape_of
from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.points.channels import Place
from belvedere.dashboards.points.to_flux import to_flux
from belvedere.dashboards.points.to_influxql import to_influxql
from belvedere.dashboards.store import Desired
from belvedere.dashboards.template import catalogue, find
from belvedere.dashboards.to_grafana import Document
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.settings import Settings
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.influx.model import Campaign
from belvedere.stores.model import StoreKind
from belvedere.workspaces.model import Model

KIND: Final = StoreKind.INFLUXDB
_RANGE: Final = timedelta(days=7)
_STILL: Final = timedelta(days=2)
"""A campaign whose last row is younger than that still runs: its dashboard ends now."""

Campaigns = Callable[[int], tuple[UUID, Mapping[str, Campaign]] | None]
"""A tenant's store in InfluxDB and its campaigns by name."""

Draw = Callable[[UUID, UUID, Model], Document | None]
"""The document of a dashboard (its id, its store, its model); None for a store that is none of these."""


class PointForms:
    """How campaigns in InfluxDB are looked at and drawn."""

    def __init__(self, campaigns: Campaigns, *, plugin: str, flux: bool, now: Now = utc_now) -> None:
        """Take what knows them, the data source's plugin, and the language of its questions."""
        self._campaigns = campaigns
        self._plugin = plugin
        self._flux = flux
        self._now = now

    def look(
        self, _reader: object, relation: Seen, *, tenant: int, store_id: UUID, database: str, store_kind: str,
        override: str | None, within_s: float,  # noqa: ARG002  (as a look at a table takes it)
    ) -> Looked:
        """Say what dashboard a campaign should have; `look.look` without a look at its rows."""
        shape = shape_of(relation, database, store_kind)
        found = classify(shape, Profile(), override=override)
        model = bind(find(found.chosen.template) or catalogue()[-1], shape, found.chosen, guess=found.guess)
        home = self._campaigns(tenant)
        since, until = self._window(home[1].get(relation.name) if home is not None else None)
        desired = Desired(
            tenant, store_id, store_kind, relation.schema, fingerprint(relation, override), found.chosen.subject,
            replace(model, since=since, until=until), found, DashboardState.READY, "", relation.size_bytes)
        return Looked(desired, away=False)

    def draw(self, tenant: int) -> Draw:
        """Return what writes a tenant's dashboards."""
        home = self._campaigns(tenant)

        def drawn(dashboard_id: UUID, store_id: UUID, model: Model) -> Document | None:
            if home is None or store_id != home[0]:
                return None
            known = home[1].get(model.table)
            place = Place(model.database, known.tags if known is not None else (model.table,))
            more: dict[str, Any] = {"datasource": str(store_id), "place": place, "plugin": self._plugin}
            return to_flux(model, dashboard_id, **more) if self._flux else to_influxql(model, dashboard_id, **more)

        return drawn

    def _window(self, known: Campaign | None) -> tuple[str, str]:
        """Return what is shown first: the last week, or that of a campaign that has ended."""
        if known is None or known.first_s is None or known.last_s is None:
            return "now-7d", "now"
        first, last = (datetime.fromtimestamp(moment, UTC) for moment in (known.first_s, known.last_s))
        if self._now() - last < _STILL:
            return "now-7d", "now"
        return _written(max(first, last - _RANGE)), _written(last + timedelta(minutes=1))


def forms_of(settings: Settings, influx: InfluxPoints | None) -> PointForms | None:
    """Make them as the settings say; None without an InfluxDB."""
    if influx is None:
        return None
    return PointForms(influx.campaigns, plugin=settings.influx_plugin, flux=settings.influx_language == "flux")


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
