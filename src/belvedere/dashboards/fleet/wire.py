"""From the installation's settings to what operators see of all tenants' uploads."""

from belvedere.audit.model import History
from belvedere.credentials.vault import Vault
from belvedere.dashboards.fleet.grafana import FleetGrafana
from belvedere.dashboards.fleet.service import Fleet, Setup
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.influx.summaries import Summaries
from belvedere.stores.influx.wire import keeps_points
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.wire import influx_of
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace

_NONE = "-"


def fleet_of(
    settings: Settings, *, database: Database, history: History, vault: Vault, at: GrafanaWorkspace | None,
    influx: InfluxPoints | None,
) -> Fleet:
    """Make it, over the connections to the installation's Grafana and InfluxDB; nothing is called yet."""
    grafana = at.grafana if at is not None else None
    there = influx is not None and bool(settings.tsv_meta_bucket)
    return Fleet(
        database=database, history=history, vault=vault,
        setup=Setup(settings.grafana_operators, influx_of(settings), _why_not(settings, grafana, influx)),
        summaries=Summaries(influx.influx, settings.tsv_meta_bucket) if influx is not None and there else None,
        grafana=FleetGrafana(grafana, database) if grafana is not None else None,
    )


def _why_not(settings: Settings, grafana: Grafana | None, influx: InfluxPoints | None) -> str:
    """Say why there is no dashboard of all uploads in Grafana; empty where there should be one."""
    if grafana is None:
        return "No Grafana is set up here. The page Uploads, Fleet shows the same."
    if settings.grafana_operators.strip() in {"", _NONE}:
        return "BELVEDERE_GRAFANA_OPERATORS names no organisation of operators."
    if influx is None:
        return "No InfluxDB is set up here, which would hold the summaries. The page Uploads, Fleet shows the same."
    if not keeps_points(settings):
        return "BELVEDERE_POINTS=postgresql: no summaries go to InfluxDB. The page Uploads, Fleet shows the same."
    if not settings.tsv_meta_bucket:
        return "TSV_META_BUCKET is empty: no summaries are kept in InfluxDB."
    return ""
