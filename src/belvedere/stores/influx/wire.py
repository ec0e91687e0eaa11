"""From the installation's settings to its InfluxDB, if it keeps measured values in one."""

from belvedere.audit.model import History
from belvedere.credentials.service import Credentials
from belvedere.jobs.model import Queue
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Rejected
from belvedere.kernel.settings import Settings
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.influx.model import Access
from belvedere.tenants.service import Tenants


def access_of(settings: Settings) -> Access | None:
    """Return how the InfluxDB of the settings is reached; None where there is none.

    Raises:
        Rejected: a setting that it needs is missing.
    """
    if not settings.influxdb_host:
        if settings.points == "influxdb":
            message = "BELVEDERE_POINTS=influxdb needs INFLUXDB_HOST, INFLUXDB_ORG and INFLUXDB_ADMIN_TOKEN."
            raise Rejected(message, code="setting", field="INFLUXDB_HOST")
        return None
    needed = {"INFLUXDB_ORG": settings.influxdb_org, "INFLUXDB_ADMIN_TOKEN": settings.influxdb_admin_token}
    for name, value in needed.items():
        if not value:
            message = f"INFLUXDB_HOST is set and {name} is not."
            raise Rejected(message, code="setting", field=name)
    url = settings.influxdb_host.rstrip("/")
    return Access(
        url if "://" in url else f"http://{url}", settings.influxdb_org, settings.influxdb_admin_token,
        settings.influxdb_timeout_s,
        str(settings.path(settings.influxdb_ca_file)) if settings.influxdb_ca_file else "",
    )


def keeps_points(settings: Settings) -> bool:
    """Tell whether new points go to InfluxDB: where one is set up, unless PostgreSQL is asked for."""
    return settings.points != "postgresql" and access_of(settings) is not None


def influx_of(
    settings: Settings, *, database: Database, history: History, queue: Queue, tenants: Tenants,
    credentials: Credentials,
) -> InfluxPoints | None:
    """Make the store that the settings ask for; None without an InfluxDB. Nothing is called yet.

    It is made as well where PostgreSQL keeps new points, so that tenants that had a bucket can go.
    """
    access = access_of(settings)
    if access is None:
        return None
    return InfluxPoints(
        influx=Influx(access), database=database, history=history, queue=queue, tenants=tenants,
        credentials=credentials, meta_bucket=settings.tsv_meta_bucket, lines=settings.influxdb_batch_lines,
    )
