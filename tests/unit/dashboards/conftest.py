"""A tenant's database with a writer and a reader login, and the dashboards room over it.

`TenantStore` stands in for the stores room: it lists relations and hands out the reader under the same conditions.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from belvedere.audit.service import FileHistory
from belvedere.dashboards.service import Dashboards
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound
from belvedere.reactions import REACTIONS
from belvedere.stores.model import Column, Relation, RelationKind, RelationState
from belvedere.tenants.service import Tenants
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.viewer.service import Viewer
from belvedere.workspaces.viewer.workspace import ViewerWorkspace

KINDS = {
    "r": RelationKind.TABLE,
    "v": RelationKind.VIEW,
    "m": RelationKind.MATERIALIZED_VIEW,
    "p": RelationKind.PARTITIONED_TABLE,
    "f": RelationKind.FOREIGN_TABLE,
}


@dataclass
class Facts:
    id: UUID
    tenant_id: int
    kind: str
    database: str


@dataclass
class TenantStore:
    """One database of one tenant, and what the dashboards room asks of the stores room."""

    superuser: str
    reader_url: str
    writer_url: str
    facts: Facts
    reads: int = 0
    unreadable: set[str] = field(default_factory=set)

    def write(self, *statements: str) -> None:
        """Run statements as the tenant's writer."""
        with psycopg.connect(self.writer_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def copy(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        with (
            psycopg.connect(self.writer_url) as connection,
            connection.cursor() as cursor,
            cursor.copy(
                f"COPY {table} FROM STDIN"  # type: ignore[arg-type]
            ) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def one(self, statement: str):
        """Return the one value of a statement written by hand."""
        with psycopg.connect(self.writer_url, options="-c TimeZone=UTC") as connection:
            row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]

    def all(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.writer_url, options="-c TimeZone=UTC") as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def get(self, _actor: Actor, store_id: UUID) -> Facts:
        if store_id != self.facts.id:
            raise NotFound
        return self.facts

    def list(self, _actor: Actor, serial: int) -> list[Facts]:
        return [self.facts] if serial == self.facts.tenant_id else []

    def relations(self, _actor: Actor, store_id: UUID):
        return self.stable_relations(store_id)

    def stable_relations(self, store_id: UUID):
        found = []
        with psycopg.connect(self.writer_url, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
            for row in connection.execute(
                "SELECT c.oid, nspname, relname, relkind, greatest(reltuples, 0)::bigint AS estimate, "
                "coalesce(pg_relation_size(c.oid), 0) AS size, "
                "coalesce((SELECT array_agg(ARRAY[attname::text, format_type(atttypid, atttypmod)] ORDER BY attnum) "
                "FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), '{}') AS columns "
                "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE relkind IN ('r','v','m','p','f') AND nspname NOT IN ('pg_catalog', 'information_schema')"
            ):
                found.append(  # noqa: PERF401  (longer than a comprehension should be)
                    Relation(
                        store_id,
                        row["oid"],
                        row["nspname"],
                        row["relname"],
                        KINDS[row["relkind"]],
                        tuple(Column(name, kind) for name, kind in row["columns"]),
                        row["estimate"],
                        row["size"],
                        RelationState.STABLE,
                        datetime.now(UTC),
                        datetime.now(UTC),
                        row["relname"] not in self.unreadable,
                    )
                )
        return found

    @contextmanager
    def reader(self, store_id: UUID, /, *, within_s: float = 5) -> Iterator[psycopg.Connection[Any]]:
        assert store_id == self.facts.id
        self.reads += 1
        options = f"-c search_path=pg_catalog -c TimeZone=UTC -c statement_timeout={within_s}s -c jit=off"
        with psycopg.connect(self.reader_url, options=options, row_factory=dict_row) as connection:
            connection.read_only = True
            connection.execute("SELECT 1")
            try:
                yield connection
            finally:
                connection.rollback()


@pytest.fixture
def actor() -> Actor:
    return Actor(name="charlie", role=Role.ADMIN, door="test", origin="127.0.0.1")


@pytest.fixture
def history(tmp_path: Path) -> FileHistory:
    return FileHistory(tmp_path / "history")


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database, REACTIONS)


@pytest.fixture
def tenants(database: Database, history: FileHistory, queue: JobQueue) -> Tenants:
    return Tenants(database=database, history=history, queue=queue)


@pytest.fixture
def tenant_store(cluster, tenants: Tenants, actor: Actor) -> Iterator[TenantStore]:
    """Alice's QOR database, owned by her writer, readable by her reader."""
    alice, _ = tenants.create(actor, "alice")
    name, writer, reader = (f"{kind}_{uuid4().hex[:10]}" for kind in ("db", "t_w", "t_r"))
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        for role in (writer, reader):
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")  # type: ignore[arg-type]
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")  # type: ignore[arg-type]
        connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {writer}, {reader}")  # type: ignore[arg-type]
    superuser = cluster.superuser.replace("/postgres", f"/{name}").replace("//" + name, "//postgres")
    with psycopg.connect(cluster.url(name, "postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER SCHEMA public OWNER TO {writer}")  # type: ignore[arg-type]
        connection.execute(f"GRANT USAGE ON SCHEMA public TO {reader}")  # type: ignore[arg-type]
    made = TenantStore(
        superuser,
        cluster.url(name, reader),
        cluster.url(name, writer),
        Facts(uuid4(), alice.serial, "QOR", "alice-QOR"),
    )
    made.write(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {reader}")
    yield made
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
        for role in (writer, reader):
            connection.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]


@pytest.fixture
def workspaces(database: Database, history: FileHistory, queue: JobQueue, tenants: Tenants) -> Workspaces:
    return Workspaces(
        database=database, history=history, queue=queue, tenants=tenants, workspace=ViewerWorkspace(database=database)
    )


@pytest.fixture
def dashboards(
    database: Database, history: FileHistory, queue: JobQueue, tenant_store: TenantStore, workspaces: Workspaces
) -> Dashboards:
    return Dashboards(
        database=database,
        history=history,
        queue=queue,
        stores=tenant_store,
        workspaces=workspaces,
        base_url="http://portal",
    )


@pytest.fixture
def viewer(dashboards: Dashboards, tenant_store: TenantStore) -> Viewer:
    return Viewer(load=dashboards.shown, readers=tenant_store)


@pytest.fixture
def orfs(tenant_store: TenantStore) -> TenantStore:
    """The store with the real METRICS2.1 history in `orfs_runs`."""
    tenant_store.write(
        "CREATE TABLE orfs_runs (run_at timestamptz, commit text, platform text, design text, metric text, "
        "value double precision)"
    )
    packed = files("belvedere.sample.figures").joinpath("orfs_runs.csv.gz").read_bytes()
    lines = csv.reader(io.StringIO(gzip.decompress(packed).decode()))
    next(lines)
    tenant_store.copy("orfs_runs", [tuple(line) for line in lines])
    return tenant_store
