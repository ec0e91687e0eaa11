"""An installation with all its services and the real Grafana of BELVEDERE_TEST_GRAFANA_URL, run job by job."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from belvedere.app import Services, build
from belvedere.dashboards.model import Dashboard
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.sample import store as sample_store
from belvedere.sample.tables import TABLES
from belvedere.stores.watch import ServerWatch
from belvedere.tenants.model import Tenant
from grafana_world import REAL, access_of


@contextmanager
def installation(cluster: Any, folder: Path, **more: Any) -> Iterator[Services]:
    """Build all services over a fresh control database; at the end its tenants go, from Grafana too."""
    name = f"control_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE control_template OWNER belvedere STRATEGY file_copy")  # type: ignore[arg-type]
    database = Database(Secret(cluster.url(name)), size=2)
    control = database.url.reveal().replace("belvedere:belvedere@", "postgres@")
    access = access_of(REAL)
    settings = Settings(
        home=str(folder), database_url=Secret(control), grafana_url=access.url, grafana_user=access.user,
        grafana_password=access.password, **more,
    )
    made = build(settings)
    try:
        yield made
        for tenant in made.tenants.list(SYSTEM).items:
            made.tenants.delete(SYSTEM, tenant.serial, confirm=tenant.name)
            for job in ("workspaces.remove-tenant", "stores.remove-tenant"):
                run(made, job, tenant.serial)
    finally:
        made.close()
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def run(services: Services, job: str, key: object) -> None:
    """Run one job as a runner does."""
    next(one for one in services.jobs if one.name == job).run(str(key))


def tenant_with_sample(services: Services) -> Tenant:
    """Make a tenant with the tables of the sample, written as its own writer."""
    tenant, _ = services.tenants.create(SYSTEM, f"t{uuid4().hex[:8]}")
    run(services, "stores.provision", tenant.serial)
    run(services, "workspaces.provision", tenant.serial)
    names = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS"}
    login = {name: services.credentials.read(tenant.serial, key).reveal() for name, key in names.items()}
    stores = {str(one.kind): one for one in services.stores.list(SYSTEM, tenant.serial)}
    for table in TABLES:
        with psycopg.connect(**login, dbname=stores[table.kind].database) as flow:
            sample_store.write(flow, table, datetime.now(UTC))
    return tenant


def published(services: Services, tenant: Tenant, *, tables: int) -> list[Dashboard]:
    """Watch until so many tables hold still, and publish the dashboards of all."""
    watch = ServerWatch(
        database=services.database, queue=services.queue, server=services.stores.server, interval_s=0.1,
        full_every_s=3600,
    )
    stores = services.stores.list(SYSTEM, tenant.serial)
    deadline = time.monotonic() + 60
    while sum(len(services.stores.stable_relations(one.id)) for one in stores) < tables:
        assert time.monotonic() < deadline
        watch.look()
    watch.close()
    for one in stores:
        services.dashboards.reconcile(one.id)
    return list(services.dashboards.list(SYSTEM, tenant=tenant.serial, limit=200).items)
