"""The sample is written as the tenant's writer, once, however often and wherever it is ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.reactions import REACTIONS
from belvedere.sample import service, store
from belvedere.sample.generator import compute_jobs, runs, timing_paths, violations
from belvedere.sample.tables import TABLES
from belvedere.tenants.service import Tenants

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Stores:
    """The three stores of alice in one throw-away database."""

    port: int
    database: str
    writer: str
    kinds: tuple[str, ...] = ("timing_report", "QOR", "drc")

    def list(self, _actor, _serial):
        return [SimpleNamespace(id=uuid4(), kind=kind, state="ready") for kind in self.kinds]

    def connection_info(self, _actor, _store_id):
        return SimpleNamespace(host="127.0.0.1", port=self.port, database=self.database, writer=self.writer)


@pytest.fixture
def services(cluster, database, tmp_path):
    name, writer = f"db_{uuid4().hex[:10]}", f"w_{uuid4().hex[:10]}"
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {writer} LOGIN")
        connection.execute(f"CREATE DATABASE {name} OWNER {writer}")
    history = FileHistory(tmp_path / "history")
    tenants = Tenants(database=database, history=history, queue=JobQueue(database, REACTIONS))
    tenants.wait = lambda actor, ref, **_limits: tenants.get(actor, ref)
    credentials = SimpleNamespace(read=lambda _serial, _key: Secret("anything"))
    yield SimpleNamespace(
        tenants=tenants, stores=Stores(cluster.port, name, writer), credentials=credentials, history=history
    )
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {writer}")


def counts(services, cluster):
    with psycopg.connect(cluster.url(services.stores.database, services.stores.writer)) as connection:
        return {
            table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # type: ignore[index]
            for table in TABLES
            if store.stands(connection, table.name)
        }


def test_loading_makes_ten_tables_or_more_and_again_makes_none(services, cluster):
    assert len(service.load(services)) == len(TABLES) >= 10
    first = counts(services, cluster)
    assert all(first.values())
    assert service.load(services) == []
    assert counts(services, cluster) == first


def test_a_load_that_is_ended_leaves_whole_tables_and_goes_on(services, cluster, monkeypatch):
    whole = store.write

    def breaks(connection, table, now):
        whole(connection, table, now)
        if table.name == "jpeg_nangate45_runs":
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "write", breaks)
    with pytest.raises(KeyboardInterrupt):
        service.load(services)
    assert set(counts(services, cluster)) == {"orfs_runs", "ibex_sky130hd_runs"}
    monkeypatch.setattr(store, "write", whole)
    assert len(service.load(services)) == len(TABLES) - 2


def test_a_tenant_without_databases_yet_is_waited_for(services):
    services.stores.kinds = ("QOR",)
    with pytest.raises(Later, match="not made yet"):
        service.load(services)


def test_the_same_seed_gives_the_same_rows():
    for make in (
        lambda: list(timing_paths("s", runs(NOW, 3, 2), 50, worst_ns=-1)),
        lambda: list(violations("s", runs(NOW, 3, 2), 60)),
        lambda: list(compute_jobs("s", NOW, 3)),
    ):
        assert make() == make()


def test_closure_gets_better_run_by_run():
    moments = runs(NOW, 10, 2)
    rows = list(timing_paths("swerv/setup", moments, 400, worst_ns=-1.1))
    failing = [
        sum(1 for row in rows if row[0] == moment and float(str(row[6])) < 0) for moment in (moments[0], moments[-1])
    ]
    assert failing[0] > failing[1] > 0
    assert moments[-1] <= NOW
