"""From the installation's settings to the Grafana of its tenants, if it has one."""

from dataclasses import replace

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Rejected
from belvedere.kernel.settings import Settings
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.desired import Options, Publications, Stores
from belvedere.workspaces.grafana.model import InfluxOptions
from belvedere.workspaces.grafana.passes import mode_of
from belvedere.workspaces.grafana.people.roster import OfTenant
from belvedere.workspaces.grafana.shared.model import QueryGateway, Shared
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.tiers import Tier

_NONE = "-"
_OFFERED = (Tier.VIEWER, Tier.ORG, Tier.TEAM)


def is_set(settings: Settings) -> bool:
    """Tell whether address, login and password of a Grafana are given."""
    return bool(settings.grafana_url and settings.grafana_user and settings.grafana_password)


def tier_of(settings: Settings) -> Tier:
    """Return what new tenants get.

    Raises:
        Rejected: the setting names no tier.
    """
    if not settings.grafana_tier:
        return Tier.ORG if is_set(settings) else Tier.VIEWER
    if settings.grafana_tier not in _OFFERED:
        message = f"BELVEDERE_WORKSPACE_TIER={settings.grafana_tier!r} must be one of {', '.join(_OFFERED)}."
        raise Rejected(message, code="setting", field="BELVEDERE_WORKSPACE_TIER")
    return Tier(settings.grafana_tier)


def grafana_of(
    settings: Settings, *, database: Database, credentials: Credentials, stores: Stores,
    publications: Publications | None = None, members: OfTenant | None = None,
) -> GrafanaWorkspace | None:
    """Make the workspace that the settings ask for; None without a Grafana. Nothing is called yet."""
    if not is_set(settings):
        return None
    access = replace(
        base_of(settings), url=settings.grafana_url.rstrip("/"), user=settings.grafana_user,
        password=settings.grafana_password,
    )
    return GrafanaWorkspace(
        access=access, database=database, credentials=credentials, stores=stores, options=options_of(settings),
        publications=publications, members=members,
    )


def base_of(settings: Settings) -> Access:
    """Return how any Grafana is reached, without an address and a login."""
    return Access(
        url="", ca_file=str(settings.path(settings.grafana_ca_file)) if settings.grafana_ca_file else "",
        timeout_s=settings.grafana_timeout_s, workers=max(1, settings.grafana_workers),
        writers=max(1, settings.grafana_writers),
    )


def options_of(settings: Settings) -> Options:
    """Return what the settings say about tenants' places, whatever their tier."""
    user = settings.grafana_default_user.strip()
    return Options(
        organisation=settings.grafana_organisation, user="" if user == _NONE else user,
        user_stays=settings.grafana_keep_user, store_address=settings.grafana_store_address,
        sslmode=settings.grafana_store_ssl, capture=mode_of(settings.grafana_capture), influx=influx_of(settings),
    )


def influx_of(settings: Settings) -> InfluxOptions | None:
    """Return how Grafana asks the InfluxDB that holds measured values; None where there is none."""
    url = (settings.influxdb_address or settings.influxdb_host).rstrip("/")
    if not url:
        return None
    return InfluxOptions(url, settings.influxdb_org, settings.influx_plugin, flux=settings.influx_language == "flux")


def shared_of(settings: Settings, gateway: QueryGateway | None) -> Shared:
    """Return the organisation that tenants share: a number is one that is there, a name is made when it is missing."""
    text = settings.grafana_shared.strip()
    number = settings.gateway_organisation or (int(text) if text.isdecimal() else 0)
    return Shared("" if number else text or Shared().name, number, gateway)


def gateway_address(settings: Settings) -> str:
    """Return how Grafana reaches the query gateway."""
    host = settings.gateway_host
    return settings.gateway_address or f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway_port}"
