"""Measured values of two tenants: what each reader reaches, what the watcher sees, what goes with a tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql

from belvedere.kernel.errors import Later
from belvedere.stores.model import StoreKind
from belvedere.stores.series.service import SeriesPoints
from belvedere.stores.watch import ServerWatch
from hostile import NAMES_OTHERS, REACHES_FURTHER

START = 1_760_000_000


@dataclass(frozen=True)
class Channel:
    """A column, as the parser names it."""

    field: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Batch:
    """Rows, as the parser makes them."""

    frame: pl.DataFrame
    channels: list[Channel]
    measurement: str = "electrical"


def batch(unit: str = "W", meter: str = "0200", at: int = START, value: float = 1.0) -> Any:
    tags = {"channel_id": f"M{meter}_Ch1", "channel_unit": unit, "channel_label": "Ch1", "device_master_sn": meter,
            "device_sn": meter}
    return Batch(pl.DataFrame({"time": [at], "a": [value]}), [Channel(f"M{meter}_Ch1_{unit}", tags)])


@pytest.fixture(scope="module")
def points(shared_world: Any) -> SeriesPoints:
    return SeriesPoints(
        database=shared_world.database, stores=shared_world.stores, tenants=shared_world.tenants)


@pytest.fixture(scope="module")
def pair(shared_world: Any, points: SeriesPoints) -> tuple[Any, Any]:
    alice, bob = shared_world.tenant("alice"), shared_world.tenant("bob")
    for tenant, campaign, meter in ((alice, "Secret customer", "SN4711"), (bob, "bobs", "0815")):
        points.prepare(tenant.serial, campaign)
        points.write(tenant.serial, campaign, [batch(meter=meter)])
    return alice, bob


@pytest.fixture
def session(shared_world: Any, pair: tuple[Any, Any]) -> Iterator[Any]:
    """Bob's reader with its own rights and none of our care."""
    with shared_world.reader(pair[1], StoreKind.SERIES) as made:
        made.execute("SET default_transaction_read_only = off")
        yield made


def test_bob_reads_his_campaign_and_nothing_else_of_the_server(session: Any, shared_world: Any, pair: Any) -> None:
    assert session.execute("SELECT meter, power_w FROM public.bobs").fetchall() == [("0815", 1.0)]
    own = sql.Identifier(shared_world.store(pair[1], StoreKind.SERIES).database).as_string(session)
    allowed = []
    for probe in [*NAMES_OTHERS, *REACHES_FURTHER, *CHANGES]:
        try:
            session.execute(probe.replace("CURRENT_DATABASE_NAME", own))
        except psycopg.Error:
            continue
        allowed.append(probe)
    assert allowed == []


CHANGES = [
    "INSERT INTO public.bobs (time, value) VALUES (now(), 1)",
    "DELETE FROM public.bobs",
    "DROP VIEW public.bobs",
    "CREATE VIEW public.mine AS SELECT 1",
    "CREATE TABLE public.mine (a int)",
    "CREATE TEMP TABLE mine (a int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT * FROM belvedere.campaign",
    "SELECT * FROM belvedere.channel",
    "SELECT * FROM belvedere.w_1",
    "UPDATE belvedere.w_1 SET step = 0",
    "TRUNCATE belvedere.w_1",
    "LOCK TABLE belvedere.campaign IN SHARE MODE",
]


def test_nothing_that_bob_can_read_names_alice(session: Any, shared_world: Any, pair: Any) -> None:
    """Read every catalogue there is, and every name by its number, and look for hers."""
    alice = pair[0]
    hers = ["Secret", "customer", "SN4711", "alice", shared_world.stores.reader_login(
        shared_world.store(alice, StoreKind.SERIES).id)[0]]
    views = session.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text IN "
        "('pg_catalog', 'information_schema', 'public', 'belvedere')").fetchall()
    found, looked = [], 0
    for (view,) in views:
        try:
            text = str(session.execute(f"SELECT t::text FROM {view} AS t").fetchall())
        except psycopg.Error:
            continue
        looked += 1
        found += [(view, word) for word in hers if word in text]
    numbers = session.execute(
        "SELECT string_agg(n::oid::regclass::text || n::oid::regnamespace::text || n::oid::regproc::text, ' ') "
        "FROM generate_series(16000, 24000) AS n").fetchone()[0]
    found += [("by number", word) for word in hers[:4] if word in numbers]
    assert looked > 50
    assert found == []


@pytest.mark.parametrize("login", ["writer", "reader"])
def test_bobs_logins_enter_neither_alices_values_nor_as_writer_his_own(
    shared_world: Any, pair: Any, login: str
) -> None:
    alice, bob = pair
    for tenant in (alice, bob) if login == "writer" else (alice,):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            getattr(shared_world, login)(bob, dbname=shared_world.store(tenant, StoreKind.SERIES).database)


def test_provisioning_again_finds_nothing_to_do_and_mends_what_was_taken(shared_world: Any, pair: Any) -> None:
    bob = pair[1]
    assert not shared_world.stores.plan(shared_world.operator, bob.serial).steps
    database = shared_world.store(bob, StoreKind.SERIES).database
    role, _ = shared_world.stores.reader_login(shared_world.store(bob, StoreKind.SERIES).id)
    with shared_world.superuser(database) as connection:
        connection.execute(sql.SQL("REVOKE ALL ON public.bobs FROM {}").format(sql.Identifier(role)))
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    shared_world.stores.provision(bob.serial)
    assert not shared_world.stores.plan(shared_world.operator, bob.serial).steps
    with shared_world.reader(bob, StoreKind.SERIES) as connection:
        assert connection.execute("SELECT count(*) FROM public.bobs").fetchone() == (1,)


def test_the_watcher_sees_a_campaign_when_its_points_are_there_and_new_kinds_of_channels(
    shared_world: Any, points: SeriesPoints, pair: Any
) -> None:
    world, alice = shared_world, pair[0]
    store = world.store(alice, StoreKind.SERIES)
    watch = ServerWatch(database=world.database, queue=world.queue, server=world.server, interval_s=0.5, full_every_s=0)

    def seen() -> dict[str, list[str]]:
        # A database in which nothing seems to happen is looked over at each eleventh turn.
        for _ in range(12):
            watch.look()
        relations = world.stores.stable_relations(store.id)
        return {one.name: [column.name for column in one.columns] for one in relations if one.size_bytes}

    try:
        points.prepare(alice.serial, "later")
        assert "later" not in seen()
        points.write(alice.serial, "later", [batch("V")])
        assert seen()["later"][-1] == "voltage_v"
        points.write(alice.serial, "later", [batch("A")])
        assert seen()["later"][-2:] == ["voltage_v", "current_a"]
        # What the tenant cannot see is no table of its own.
        assert {one.schema for one in world.stores.relations(world.operator, store.id)} == {"public"}
        points.rename_campaign(alice.serial, "later", "renamed")
        assert "renamed" in seen()
        points.forget_campaign(alice.serial, "renamed")
        assert "renamed" not in seen()
    finally:
        watch.close()


@pytest.mark.parametrize("name", ["kept", "dropped"])
def test_what_goes_with_a_tenant(shared_world: Any, points: SeriesPoints, name: str) -> None:
    world, keep = shared_world, name == "kept"
    charlie = world.tenant(name)
    points.prepare(charlie.serial, "c")
    points.write(charlie.serial, "c", [batch()])
    store = world.store(charlie, StoreKind.SERIES)
    role, password = world.stores.reader_login(store.id)
    world.tenants.delete(world.operator, charlie.serial, confirm=name, keep_data=keep)
    points.remove_tenant(charlie.serial, keep_data=keep)
    points.remove_tenant(charlie.serial, keep_data=keep)
    world.stores.remove_tenant(charlie.serial)
    databases, _ = world.names()
    assert (store.database in databases) is keep
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host=store.host, port=store.port, dbname=store.database, user=role, password=password.reveal())


def test_a_server_that_is_away_is_asked_later(shared_world: Any, points: SeriesPoints, pair: Any) -> None:
    alice = pair[0]
    database = shared_world.store(alice, StoreKind.SERIES).database
    with shared_world.superuser() as connection:
        name = sql.Identifier(database)
        connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        try:
            with pytest.raises(Later):
                points.write(alice.serial, "Secret customer", [batch()])
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(name))
