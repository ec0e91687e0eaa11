"""TimescaleDB: when it is used, what tenants reach of it, how values are kept, and that nothing needs it.

The decision is tested without it; the rest on the server that BELVEDERE_TEST_TIMESCALE_URL names.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

import timescale_world
from belvedere.kernel.errors import Stuck
from belvedere.node.archive import own_url, program, run
from belvedere.node.dumper import Dumper
from belvedere.stores.lockdown.postgres import prepare_server, template_name
from belvedere.stores.model import StoreKind
from belvedere.stores.series.model import DUMPED, Form
from belvedere.stores.series.service import SeriesPoints
from belvedere.stores.timescale import postgres as timescale
from belvedere.stores.timescale.plan import Offer, refusal, standing
from belvedere.stores.watch import ServerWatch
from hostile import NAMES_OTHERS, REACHES_FURTHER

START = 1_760_000_000
LOST_CLOCK = 1_577_836_800
"""The first second of 2020, where the clock of a meter begins that lost its own."""

real = pytest.mark.skipif(not timescale_world.URL, reason="BELVEDERE_TEST_TIMESCALE_URL names no server")


@dataclass(frozen=True)
class Batch:
    """Rows, as the parser makes them."""

    frame: pl.DataFrame
    channels: list[Any]
    measurement: str = "electrical"


def batch(*times: int, meter: str = "0200") -> Any:
    tags = {"channel_id": f"M{meter}_Ch1", "channel_unit": "W", "channel_label": "Ch1", "device_master_sn": meter}
    frame = pl.DataFrame({"time": times, "a": [float(moment % 1000) for moment in times]})
    return Batch(frame, [SimpleNamespace(field=f"M{meter}_Ch1_W", tags=tags)])


@pytest.mark.parametrize(("offer", "wanted", "word"), [
    (Offer("2.29.2", preloaded=True), "auto", ""),
    (Offer("2.30.0-dev", preloaded=True), "auto", ""),
    (Offer("3.0", preloaded=True), "auto", ""),
    (Offer("2.29.2", preloaded=True), "off", "switched off"),
    (Offer(None, preloaded=False), "auto", "not installed"),
    (Offer("2.29.2", preloaded=False), "auto", "shared_preload_libraries"),
    (Offer("2.27.2", preloaded=True), "auto", "older"),
    (Offer("unknown", preloaded=True), "auto", "older"),
])
def test_when_tables_stay_plain(offer: Offer, wanted: str, word: str) -> None:
    said = refusal(offer, wanted)
    assert word in said
    assert bool(said) is bool(word)


@pytest.mark.parametrize(("offer", "prepared", "wanted", "state", "word"), [
    (Offer("2.29.2", preloaded=True), "2.29.2", "auto", "ready", "chunks"),
    (Offer("2.29.2", preloaded=True), "2.28.3", "auto", "partial", "2.28.3 was prepared"),
    (Offer("2.29.2", preloaded=True), None, "auto", "partial", "not prepared"),
    (Offer("2.29.2", preloaded=True), "2.29.2", "off", "ready", "switched off"),
    (Offer("2.29.2", preloaded=False), None, "auto", "ready", "plain"),
    (Offer("2.29.2", preloaded=False), "2.29.2", "auto", "needs you", "no longer loads"),
    (Offer(None, preloaded=False), "2.29.2", "off", "needs you", "no longer loads"),
])
def test_what_doctor_says(offer: Offer, prepared: str | None, wanted: str, state: str, word: str) -> None:
    said = standing(offer, prepared, wanted)
    assert said is not None
    assert said.state == state
    assert word in said.found


def test_of_a_server_that_never_had_it_doctor_says_nothing() -> None:
    assert standing(Offer(None, preloaded=False), None, "auto") is None


@pytest.mark.parametrize("form", [
    (Form(2, 0, 0, None), "PostgreSQL, 2 tables"),
    (Form(1, 0, 0, "2.29.2"), "PostgreSQL, 1 table"),
    (Form(1, 1, 1, "2.29.2"), "TimescaleDB 2.29.2, 1 table, 1 chunk"),
    (Form(2, 2, 3, "2.29.2"), "TimescaleDB 2.29.2, 2 tables, 3 chunks"),
    (Form(3, 2, 3, "2.29.2"), "TimescaleDB 2.29.2, 3 tables, 1 of them plain, 3 chunks"),
])
def test_how_a_form_is_said(form: tuple[Form, str]) -> None:
    assert form[0].text == form[1]


@pytest.mark.parametrize("strict_cluster", ["installed"], indirect=True)
def test_a_server_without_it_has_no_template_of_it_and_plain_tables(
    shared_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shared_world
    with world.superuser() as connection:
        if timescale.offer(connection).version is not None:
            pytest.skip("this server has it")
        assert timescale.offer(connection) == Offer(None, preloaded=False)
        assert prepare_server(connection, provisioning_role="belvedere") == []
        name = template_name("belvedere", series=True)
        assert connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None
    points = SeriesPoints(database=world.database, stores=world.stores, tenants=world.tenants)
    tenant = world.tenant("without")
    points.prepare(tenant.serial, "c")
    points.write(tenant.serial, "c", [batch(START)])
    store = world.store(tenant, StoreKind.SERIES)
    assert points.form(world.operator, store.id) == Form(1, 0, 0, None)
    assert points.form(world.operator, world.store(tenant).id) is None


@pytest.mark.parametrize("strict_cluster", ["installed"], indirect=True)
def test_nothing_is_written_where_the_server_no_longer_loads_it(shared_world: Any) -> None:
    """Rows of a hypertable would go into a table that is never looked at again."""
    world = shared_world
    points = SeriesPoints(database=world.database, stores=world.stores, tenants=world.tenants)
    tenant = world.tenant("unloaded")
    points.prepare(tenant.serial, "c")
    with world.superuser(world.store(tenant, StoreKind.SERIES).database) as inside:
        inside.execute("UPDATE pg_extension SET extname = 'timescaledb' WHERE extname = 'plpgsql'")
    with pytest.raises(Stuck, match="no longer loads"):
        points.write(tenant.serial, "c", [batch(START)])


@pytest.fixture(scope="module")
def points(timescaled: Any) -> SeriesPoints:
    return SeriesPoints(database=timescaled.database, stores=timescaled.stores, tenants=timescaled.tenants)


def inside(world: Any, tenant: Any) -> psycopg.Connection:
    return timescale_world.superuser(world.store(tenant, StoreKind.SERIES).database)


def form(world: Any, points: SeriesPoints, tenant: Any) -> Form:
    found = points.form(world.operator, world.store(tenant, StoreKind.SERIES).id)
    assert found is not None
    return found


def rows(connection: psycopg.Connection) -> list[Any]:
    return connection.execute("SELECT time, meter, value, power_w, energy_kwh FROM public.c ORDER BY 1, 2").fetchall()


@real
def test_chunks_are_few_though_a_clock_was_lost_and_the_same_again_changes_nothing(
    timescaled: Any, points: SeriesPoints
) -> None:
    tenant = timescaled.tenant("alice")
    points.prepare(tenant.serial, "c")
    file = batch(LOST_CLOCK, LOST_CLOCK + 10, *(START + 3600 * hour for hour in range(24 * 30)))
    for _ in range(2):
        points.write(tenant.serial, "c", [file])
    seen = form(timescaled, points, tenant)
    assert (seen.tables, seen.chunked) == (1, 1)
    assert seen.chunks in (2, 3)
    with timescaled.reader(tenant, StoreKind.SERIES) as reader:
        assert len(rows(reader)) == len(file.frame)
        by_day = "SELECT public.time_bucket('1 day', time), avg(value) FROM public.c GROUP BY 1"
        assert len(reader.execute(by_day).fetchall()) == 32


@real
def test_the_watcher_sees_a_campaign_and_no_chunk(timescaled: Any, points: SeriesPoints) -> None:
    world, tenant = timescaled, timescaled.tenant("seen")
    points.prepare(tenant.serial, "c")
    points.write(tenant.serial, "c", [batch(START)])
    watch = ServerWatch(database=world.database, queue=world.queue, server=world.server, interval_s=0.5, full_every_s=0)
    try:
        for _ in range(3):
            watch.look()
    finally:
        watch.close()
    store = world.store(tenant, StoreKind.SERIES)
    assert [one.name for one in world.stores.stable_relations(store.id)] == ["c"]
    assert [one.schema for one in world.stores.relations(world.operator, store.id)] == ["public"]


@real
def test_a_campaign_and_a_tenant_go_whole(timescaled: Any, points: SeriesPoints) -> None:
    world, tenant = timescaled, timescaled.tenant("goes")
    points.prepare(tenant.serial, "c")
    points.write(tenant.serial, "c", [batch(LOST_CLOCK, START)])
    points.forget_campaign(tenant.serial, "c", keep_data=False)
    with inside(world, tenant) as connection:
        left = connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^(_hyper|w_[0-9])'").fetchone()
    assert left == (0,)
    points.prepare(tenant.serial, "d")
    points.write(tenant.serial, "d", [batch(START)])
    database = world.store(tenant, StoreKind.SERIES).database
    world.tenants.delete(world.operator, tenant.serial, confirm="goes")
    points.remove_tenant(tenant.serial, keep_data=False)
    world.stores.remove_tenant(tenant.serial)
    with timescale_world.superuser("postgres") as connection:
        assert connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None


PROBES = [
    "SELECT _timescaledb_functions.drop_chunk('CHUNK')",
    "SELECT _timescaledb_functions.freeze_chunk('CHUNK')",
    "SELECT * FROM CHUNK",
    "SELECT public.drop_chunks('belvedere.w_1', now())",
    "SELECT public.add_job('pg_catalog.pg_sleep', '1s')",
    "SELECT public.create_hypertable('belvedere.w_1', 'time')",
    "SELECT public.add_retention_policy('belvedere.w_1', '1 day'::interval)",
    "SELECT public.get_telemetry_report()",
    "SELECT public.hypertable_size('belvedere.w_1')",
    "SELECT public.timescaledb_pre_restore()",
    "SELECT _timescaledb_functions.stop_background_workers()",
    "SELECT * FROM _timescaledb_catalog.hypertable",
    "SELECT * FROM _timescaledb_catalog.metadata",
    "SELECT * FROM timescaledb_information.chunks",
    "SELECT * FROM timescaledb_information.jobs",
    "ALTER EXTENSION timescaledb UPDATE",
    "DROP EXTENSION timescaledb CASCADE",
]


@real
def test_a_reader_reaches_nothing_of_it_but_functions_for_looking_at_rows(
    timescaled: Any, points: SeriesPoints
) -> None:
    bob = timescaled.tenant("bob")
    points.prepare(bob.serial, "bobs")
    points.write(bob.serial, "bobs", [batch(START)])
    with inside(timescaled, bob) as connection:
        (chunk,) = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits").fetchall()[0]
        assert timescale.installed(connection)[1]
    own = sql.Identifier(timescaled.store(bob, StoreKind.SERIES).database).as_string()
    with timescaled.reader(bob, StoreKind.SERIES) as session:
        session.execute("SET default_transaction_read_only = off")
        allowed = []
        for probe in [*NAMES_OTHERS, *REACHES_FURTHER, *PROBES]:
            try:
                session.execute(probe.replace("CURRENT_DATABASE_NAME", own).replace("CHUNK", chunk))
            except psycopg.Error:
                continue
            allowed.append(probe)
        callable_ = session.execute(
            "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' "
            "JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'timescaledb' "
            "WHERE has_function_privilege(p.oid, 'EXECUTE') AND p.pronamespace = 'public'::regnamespace").fetchall()
    assert allowed == []
    assert {name for (name,) in callable_} <= {
        "first", "histogram", "interpolate", "last", "locf", "time_bucket", "time_bucket_gapfill"}


@real
def test_an_extension_that_was_made_by_hand_is_not_used_until_it_is_closed(
    timescaled: Any, points: SeriesPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database from before TimescaleDB came: its tables stay plain, later ones are in chunks."""
    world = timescaled
    monkeypatch.setattr(world.stores, "_settings", replace(world.settings, series_timescale="off"))
    tenant = world.tenant("old")
    points.prepare(tenant.serial, "c")
    points.write(tenant.serial, "c", [batch(START)])
    assert form(world, points, tenant) == Form(1, 0, 0, None)
    with inside(world, tenant) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
    points.write(tenant.serial, "c", [batch(START, meter="0201")])
    assert form(world, points, tenant).chunked == 0
    with timescale_world.superuser("postgres") as connection:
        role = str(conninfo_to_dict(world.server.url.reveal())["user"])
        done = prepare_server(connection, provisioning_role=role, exclusive=False)
        assert [one for one in done if "old-series" in one]
        assert prepare_server(connection, provisioning_role=role, exclusive=False) == []
    points.write(tenant.serial, "c", [batch(START, meter="0202"), batch(START + 1, meter="0200")])
    assert (form(world, points, tenant).tables, form(world, points, tenant).chunked) == (3, 1)
    with world.reader(tenant, StoreKind.SERIES) as reader:
        assert len(rows(reader)) == 4
    with inside(world, tenant) as connection:
        # As the how-to says it, for a table with rows.
        connection.execute("SELECT create_hypertable('belvedere.w_1', 'time', migrate_data => true)")
    points.write(tenant.serial, "c", [batch(START, START + 2)])
    assert (form(world, points, tenant).tables, form(world, points, tenant).chunked) == (3, 2)
    with world.reader(tenant, StoreKind.SERIES) as reader:
        assert len(rows(reader)) == 5
    off = SeriesPoints(database=world.database, stores=world.stores, tenants=world.tenants, timescale="off")
    off.write(tenant.serial, "c", [batch(START, meter="0203")])
    assert (form(world, points, tenant).tables, form(world, points, tenant).chunked) == (4, 2)


@real
@pytest.mark.parametrize("wanted", ["auto", "off"])
def test_a_dump_is_read_back_in_chunks_or_without_the_extension(
    timescaled: Any, points: SeriesPoints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str
) -> None:
    world, file = timescaled, tmp_path / "dump"
    tenant = world.tenant(f"from-{wanted}")
    points.prepare(tenant.serial, "c")
    points.write(tenant.serial, "c", [batch(LOST_CLOCK, START, START + 10), batch(START, meter="0201")])
    points.write(tenant.serial, "c", [batch(START + 5)])
    with world.reader(tenant, StoreKind.SERIES) as reader:
        before = rows(reader)
    with timescale_world.superuser("postgres") as connection:
        version = connection.info.server_version
    programs = os.environ.get("BELVEDERE_TEST_POSTGRES_BIN", "")
    with Dumper(SimpleNamespace(stores=world.stores)) as dumper:  # type: ignore[arg-type]
        dump = [program("pg_dump", programs, version), "--format=custom", "--no-owner", f"--file={file}"]
        dumper.dump(world.store(tenant, StoreKind.SERIES), dump)
    monkeypatch.setattr(world.stores, "_settings", replace(world.settings, series_timescale=wanted))
    filled = SeriesPoints(
        database=world.database, stores=world.stores, tenants=world.tenants, timescale=wanted)
    other = world.tenant(f"to-{wanted}")
    filled.prepare(other.serial, "x")
    with inside(world, other) as connection:
        connection.execute("DROP SCHEMA belvedere CASCADE")
    database = world.store(other, StoreKind.SERIES).database
    restore = [program("pg_restore", programs, version), "--no-owner", "--no-privileges", "--exit-on-error",
               *(f"--schema={name}" for name in DUMPED), file]
    filled.fill(database, lambda: run(restore, own_url(world.server, database), "Reading back"))
    world.stores.provision(other.serial)
    seen = form(world, filled, other)
    assert (seen.tables, seen.chunked, seen.chunks) == ((2, 2, 3) if wanted == "auto" else (2, 0, 0))
    with world.reader(other, StoreKind.SERIES) as reader:
        assert rows(reader) == before
    filled.write(other.serial, "c", [batch(START, START + 20)])
    with world.reader(other, StoreKind.SERIES) as reader:
        assert len(rows(reader)) == len(before) + 1
