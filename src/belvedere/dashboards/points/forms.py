"""Campaigns in an InfluxDB as the dashboards room takes them: looked at by their shape, drawn in Flux or in InfluxQL.

Nothing is asked of InfluxDB: what a campaign has is written down when its points are written.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from belvedere.dashboards.bind import bind
from belvedere.dashboards.campaigns import Measured
from belvedere.dashboards.classify import Profile, classify
from belvedere.dashboards.look import Looked, Seen, fingerprint, shape_of
from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.points.channels import Place
from belvedere.dashboards.points.to_flux import to_flux
from belvedere.dashboards.points.to_influxql import to_influxql
from belvedere.dashboards.postgres import first_range
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
        measured: Measured | None = None,
    ) -> Looked:
        """Say what dashboard a campaign should have; `look.look` without a look at its rows."""
        shape = shape_of(relation, database, store_kind)
        found = classify(shape, Profile(), override=override)
        template = find(found.chosen.template) or catalogue()[-1]
        model = bind(template, shape, found.chosen, guess=found.guess)
        home = self._campaigns(tenant)
        since, until = self._window(
            home[1].get(relation.name) if home is not None else None, measured, template.most_values)
        model = replace(model, since=since, until=until, gap_s=measured.gap_s if measured else 0)
        desired = Desired(
            tenant, store_id, store_kind, relation.schema, fingerprint(relation, override), found.chosen.subject, model,
            found, DashboardState.READY, "", relation.size_bytes, relation.oid)
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

    def _window(self, known: Campaign | None, measured: Measured | None, most: int) -> tuple[str, str]:
        """Return what is shown first: all that was measured, or of a long campaign what may be read at once.

        What files tell goes before what was written, since rows of a clock that was lost were written too.
        """
        first, last = (measured.first, measured.last) if measured is not None else (None, None)
        if (first is None or last is None) and known is not None and known.first_s is not None and known.last_s:
            first, last = (datetime.fromtimestamp(moment, UTC) for moment in (known.first_s, known.last_s))
        if first is None or last is None:
            return "now-7d", "now"
        points = measured.points if measured is not None else 0
        whole = not points or points <= most
        if not whole:
            # Meters write at an even pace, so that a share of the time has that share of the values.
            first = last - (last - first) * (most / points)
        row = {"low": first, "early": first, "late": last, "high": last, "now": self._now()}
        since, until, _ = first_range(row, whole=whole)
        return since, until


def forms_of(settings: Settings, influx: InfluxPoints | None) -> PointForms | None:
    """Make them as the settings say; None without an InfluxDB."""
    if influx is None:
        return None
    return PointForms(influx.campaigns, plugin=settings.influx_plugin, flux=settings.influx_language == "flux")
