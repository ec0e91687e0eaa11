"""What a store of measured values promises, on the twin, on PostgreSQL, on TimescaleDB and on InfluxDB.

TimescaleDB is the server that BELVEDERE_TEST_TIMESCALE_URL names; see `timescale_world.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from psycopg import sql

import influx_world
import timescale_world
from belvedere.audit.service import FileHistory
from belvedere.credentials.keys import FileKeys
from belvedere.credentials.service import Credentials
from belvedere.credentials.vault import Vault
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, NotFound
from belvedere.kernel.settings import Settings
from belvedere.reactions import REACTIONS
from belvedere.stores.model import Server
from belvedere.stores.series.plan import view_name
from belvedere.stores.series.service import SeriesPoints
from belvedere.stores.service import Stores
from belvedere.stores.testing import TwinPoints
from belvedere.stores.wire import server_of
from belvedere.tenants.service import Tenants

Seen = dict[tuple[str, int], float]
START = 1_760_000_000


@dataclass(frozen=True)
class Channel:
    """A column, as the parser names it."""

    field: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Batch:
    """Rows, as the parser makes them."""

    frame: pl.DataFrame
    channels: list[Channel]
    measurement: str = "electrical"

    def lines(self, at_most: int) -> Iterator[bytes]:
        made = []
        for row in self.frame.iter_rows():
            for channel, value in zip(self.channels, row[1:], strict=True):
                if value is not None:
                    tags = "".join(f",{k}={v.replace(' ', chr(92) + ' ')}" for k, v in sorted(channel.tags.items()))
                    made.append(f"{self.measurement}{tags} {channel.field}={value!r} {row[0]}")
        for first in range(0, len(made), at_most):
            yield ("\n".join(made[first : first + at_most]) + "\n").encode()


def channel(label: str = "U1", unit: str = "V", meter: str = "0200", device: str = "", campaign: str = "c") -> Channel:
    device = device or meter
    name = f"M{meter}_{label}" if device == meter else f"M{meter}_S{device}_{label}"
    tags = {
        "campaign": campaign, "channel_id": name, "channel_unit": unit, "channel_label": label, "channel_name": "Ph 1",
        "device": "MV2", "device_type": "master" if device == meter else "slave", "device_master_sn": meter,
        "device_sn": device,
    }
    return Channel(f"{name}_{unit}", tags)


def batch(times: list[int], *columns: list[float | None], channels: list[Channel] | None = None) -> Batch:
    made = channels or [channel(), channel("Ch1", "W")][: len(columns)]
    data: dict[str, Any] = {"time": times} | {f"c{i}": column for i, column in enumerate(columns)}
    schema: dict[str, Any] = {"time": pl.Int64} | {f"c{i}": pl.Float64 for i in range(len(columns))}
    return Batch(pl.DataFrame(data, schema=schema), made)


@dataclass
class World:
    """A store and the way to look into it as a tenant's reader would."""

    points: Any
    serials: list[int]
    seen: Callable[[int, str], Seen]
    more: dict[str, Any] = field(default_factory=dict)


def twin() -> World:
    made = TwinPoints()
    return World(made, [1, 2], made.seen)


def stores_of(database: Database, home: Path, server: Server | None = None) -> tuple[Tenants, Stores]:
    settings = Settings(home=str(home))
    history, queue = FileHistory(home / "history"), JobQueue(database, REACTIONS)
    tenants = Tenants(database=database, history=history, queue=queue)
    credentials = Credentials(
        database=database, history=history, queue=queue, vault=Vault(FileKeys(home / "keys" / "master")))
    stores = Stores(
        database=database, history=history, queue=queue, tenants=tenants, credentials=credentials, settings=settings,
        server=server or server_of(settings, database.url))
    return tenants, stores


def postgresql(cluster: Any, database: Database, home: Path, server: Server | None = None) -> World:
    tenants, stores = stores_of(database, home, server)
    root = Actor(name="root", role=Role.ADMIN, door="test", origin="127.0.0.1")
    serials = [tenants.create(root, name)[0].serial for name in ("alice", "bob")]
    points = SeriesPoints(database=database, stores=stores, tenants=tenants)

    def seen(serial: int, campaign: str) -> Seen:
        place = next((one for one in stores.of_tenant(serial) if one.kind == "series"), None)
        if place is None:
            return {}
        role, password = stores.reader_login(place.id)
        with psycopg.connect(
            host=place.host, port=place.port, dbname=place.database, user=role, password=password.reveal()
        ) as session:
            try:
                found = session.execute(
                    sql.SQL(
                        "SELECT channel_id || '_' || unit, extract(epoch FROM time)::bigint, value FROM public.{}"
                    ).format(sql.Identifier(view_name(campaign)))).fetchall()
            except psycopg.errors.UndefinedTable:
                return {}
        return {(name, moment): value for name, moment, value in found}

    return World(points, serials, seen, {"tenants": tenants, "stores": stores, "cluster": cluster, "root": root})


@pytest.fixture(scope="module")
def series(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with cluster.control() as database:
        made = postgresql(cluster, database, tmp_path_factory.mktemp("points"))
        yield made
        made.more["stores"].close()
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            made_here = "SELECT datname FROM pg_database WHERE datname ~ '^(alice|bob)-'"
            for (name,) in connection.execute(made_here).fetchall():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for (name,) in connection.execute(r"SELECT rolname FROM pg_roles WHERE rolname LIKE 't\_%'").fetchall():
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def timescale(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Tenants' databases on a server with TimescaleDB; the control database stays where it is."""
    with timescale_world.server() as server, cluster.control() as database:
        made = postgresql(cluster, database, tmp_path_factory.mktemp("timescale"), server)
        yield made
        made.more["stores"].close()


@pytest.fixture(scope="module")
def influx(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """Measured values in an InfluxDB: its twin, or the real one that BELVEDERE_TEST_INFLUX_URL names."""
    made: dict[str, World] = {}
    with cluster.control() as database:
        rooms = stores_of(database, tmp_path_factory.mktemp("influx"))[1]
        root = Actor(name="root", role=Role.ADMIN, door="test", origin="127.0.0.1")

        def of(server: str) -> World:
            if server not in made:
                found = influx_world.points_of(influx_world.Rooms.of(rooms), server)
                names = (f"{name}-{uuid4().hex[:8]}" for name in ("alice", "bob"))
                serials = [rooms._tenants.create(root, name)[0].serial for name in names]
                made[server] = World(found.points, serials, found.seen)
            return made[server]

        yield of
        for world in made.values():
            for serial in world.serials:
                world.points.remove_tenant(serial, keep_data=False)
            influx_world.drop_meta(world.points)
            world.points.close()
        rooms.close()


KINDS = ["twin", "postgresql", *timescale_world.SERVERS, *(f"influxdb {one}" for one in influx_world.SERVERS)]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, cluster: Any) -> Iterator[World]:
    if request.param.startswith("influxdb"):
        made = request.getfixturevalue("influx")(request.param.partition(" ")[2])
    else:
        named = {"postgresql": "series", "timescaledb": "timescale"}
        made = twin() if request.param == "twin" else request.getfixturevalue(named[request.param])
    yield made
    for name in ("c", "d", "e"):
        for serial in made.serials:
            made.points.forget_campaign(serial, name, keep_data=False)


def written(world: World, *batches: Batch, campaign: str = "c", serial: int = 0) -> Any:
    world.points.prepare(world.serials[serial], campaign)
    return world.points.write(world.serials[serial], campaign, iter(batches))


def test_points_are_there_and_null_is_no_value(world: World) -> None:
    done = written(world, batch([START, START + 10], [230.5, None], [None, -0.0]))
    assert (done.points, done.refused) == (2, 0)
    assert world.seen(world.serials[0], "c") == {("M0200_U1_V", START): 230.5, ("M0200_Ch1_W", START + 10): 0.0}


def test_the_same_again_changes_nothing_and_the_later_value_wins(world: World) -> None:
    first = batch([START, START + 10, START + 20], [1.0, 2.0, 3.0])
    written(world, first)
    written(world, first)
    written(world, batch([START + 10, START + 15], [9.0, 4.0]), batch([START + 15, START + 30], [5.0, 6.0]))
    assert world.seen(world.serials[0], "c") == {
        ("M0200_U1_V", START): 1.0, ("M0200_U1_V", START + 10): 9.0, ("M0200_U1_V", START + 15): 5.0,
        ("M0200_U1_V", START + 20): 3.0, ("M0200_U1_V", START + 30): 6.0,
    }


def test_a_missing_value_does_not_take_one_away(world: World) -> None:
    written(world, batch([START], [1.0], [2.0]))
    written(world, batch([START], [None], [3.0]))
    assert world.seen(world.serials[0], "c") == {("M0200_U1_V", START): 1.0, ("M0200_Ch1_W", START): 3.0}


@pytest.mark.parametrize("kinds", [2, 32])
def test_values_are_missing_in_few_ways_and_in_many(world: World, kinds: int) -> None:
    channels = [channel(f"Ch{n}", "W") for n in range(5)]
    values = [1 / 3, 5e-324, 1.7976931348623157e308, -0.1, 123456789.123456789]
    rows = [[None if row % kinds >> n & 1 else value * (1 if row % 2 else -1) for n, value in enumerate(values)]
            for row in range(64)]
    times = [START + row for row in range(-32, 32)]
    written(world, batch(times, *map(list, zip(*rows, strict=True)), channels=channels))
    assert world.seen(world.serials[0], "c") == {
        (f"M0200_Ch{n}_W", moment): value
        for moment, row in zip(times, rows, strict=True) for n, value in enumerate(row) if value is not None}


def test_one_time_twice_in_a_batch_and_times_out_of_order(world: World) -> None:
    written(world, batch([START + 5, START, START + 5, START], [1.0, 2.0, 3.0, None]))
    assert world.seen(world.serials[0], "c") == {("M0200_U1_V", START): 2.0, ("M0200_U1_V", START + 5): 3.0}


def test_times_of_a_clock_that_was_reset_and_of_another_century(world: World) -> None:
    written(world, batch([0, 1, 4_070_908_800], [1.0, 2.0, 3.0]))
    assert {moment for _, moment in world.seen(world.serials[0], "c")} == {0, 1, 4_070_908_800}


def test_many_devices_and_channels_that_come_later(world: World) -> None:
    devices = [channel("Ch1", "W", meter=f"{n:04}") for n in range(30)]
    written(world, *(batch([START], [float(n)], channels=[one]) for n, one in enumerate(devices)))
    late = [channel("Ch1", "W", meter="0000"), channel("Ch2", "A", meter="0000", device="0477")]
    written(world, batch([START + 1], [1.0], [2.0], channels=late))
    seen = world.seen(world.serials[0], "c")
    assert len(seen) == 32
    assert seen[("M0000_S0477_Ch2_A", START + 1)] == 2.0


def test_a_generator_that_fails_leaves_nothing_behind(world: World) -> None:
    if world.points.kind != "series":
        pytest.skip("the twin and InfluxDB write as they go")

    def broken() -> Iterator[Batch]:
        yield batch([START], [1.0])
        message = "the file ended in the middle"
        raise ValueError(message)

    world.points.prepare(world.serials[0], "c")
    with pytest.raises(ValueError, match="the middle"):
        world.points.write(world.serials[0], "c", broken())
    assert world.seen(world.serials[0], "c") == {}


def test_tenants_and_campaigns_do_not_meet(world: World) -> None:
    written(world, batch([START], [1.0]), campaign="c")
    written(world, batch([START], [2.0]), campaign="d")
    written(world, batch([START], [3.0]), campaign="c", serial=1)
    alice, bob = world.serials
    assert [world.seen(alice, "c"), world.seen(alice, "d"), world.seen(bob, "c")] == [
        {("M0200_U1_V", START): 1.0}, {("M0200_U1_V", START): 2.0}, {("M0200_U1_V", START): 3.0}]
    assert world.seen(bob, "d") == {}


def test_without_prepare_there_is_no_place(world: World) -> None:
    with pytest.raises(NotFound):
        world.points.write(world.serials[0], "e", iter([batch([START], [1.0])]))


def test_a_rename_keeps_points_and_what_comes_after_goes_to_the_new_name(world: World) -> None:
    written(world, batch([START], [1.0]))
    world.points.rename_campaign(world.serials[0], "c", "d")
    written(world, batch([START + 1], [2.0]), campaign="d")
    assert world.seen(world.serials[0], "c") == {}
    assert world.seen(world.serials[0], "d") == {("M0200_U1_V", START): 1.0, ("M0200_U1_V", START + 1): 2.0}
    world.points.rename_campaign(world.serials[0], "never", "e")


def test_what_is_forgotten_comes_back_with_its_points_unless_they_went(world: World) -> None:
    alice = world.serials[0]
    written(world, batch([START], [1.0]))
    world.points.forget_campaign(alice, "c")
    assert world.seen(alice, "c") == {}
    world.points.prepare(alice, "c")
    assert world.seen(alice, "c") == {("M0200_U1_V", START): 1.0}
    world.points.forget_campaign(alice, "c", keep_data=False)
    world.points.prepare(alice, "c")
    assert world.seen(alice, "c") == {}


def test_summaries_of_reading_are_taken(world: World) -> None:
    world.points.meta(b"tsv_parser_run,status=success nb_files_total=1i 1760000000000000000\n")


def test_removing_a_tenants_points_twice(world: World) -> None:
    bob = world.serials[1]
    written(world, batch([START], [1.0]), serial=1)
    world.points.remove_tenant(bob, keep_data=False)
    world.points.remove_tenant(bob, keep_data=False)
    assert world.seen(bob, "c") == {}
    written(world, batch([START], [2.0]), serial=1)
    assert world.seen(bob, "c") == {("M0200_U1_V", START): 2.0}


# PostgreSQL alone


NAMES = [
    "été - Lyon/Sud", 'x"; DROP SCHEMA belvedere CASCADE; --', "%s $1 {}", "n" * 200, "n" * 199 + "o", "pg_class", " ",
]


def test_campaigns_may_have_any_name(series: World) -> None:
    for place, name in enumerate(NAMES):
        written(series, batch([START], [float(place)]), campaign=name)
    assert [series.seen(series.serials[0], name) for name in NAMES] == [
        {("M0200_U1_V", START): float(place)} for place in range(len(NAMES))]
    for name in NAMES:
        series.points.forget_campaign(series.serials[0], name, keep_data=False)


def test_two_who_write_for_one_tenant_wait_for_each_other(series: World) -> None:
    from belvedere.kernel.errors import Later

    series.points.prepare(series.serials[0], "d")

    def interrupted() -> Iterator[Batch]:
        yield batch([START], [1.0])
        with pytest.raises(Later, match="Another process"):
            series.points.write(series.serials[0], "d", iter([batch([START], [2.0])]))

    series.points.write(series.serials[0], "d", interrupted())
    assert series.seen(series.serials[0], "d") == {("M0200_U1_V", START): 1.0}


def test_a_rename_to_a_name_that_is_taken(series: World) -> None:
    written(series, batch([START], [1.0]), campaign="c")
    written(series, batch([START], [2.0]), campaign="d")
    with pytest.raises(Conflict):
        series.points.rename_campaign(series.serials[0], "c", "d")
    assert series.seen(series.serials[0], "d") == {("M0200_U1_V", START): 2.0}


def extra(series: World, columns: str, campaign: str = "e") -> list[Any]:
    place = next(one for one in series.more["stores"].of_tenant(series.serials[0]) if one.kind == "series")
    with psycopg.connect(series.more["cluster"].superuser, dbname=place.database) as session:
        return session.execute(f'SELECT {columns} FROM public."{campaign}" ORDER BY time').fetchall()


def test_energy_is_power_over_the_time_its_row_stands_for_and_gaps_are_told(series: World) -> None:
    power = [channel("Ch1", "kW")]
    times = [START + 600 * n for n in (0, 1, 2, 10, 11)]
    written(series, batch(times, [6.0] * 5, channels=power), campaign="e")
    assert extra(series, "power_w, energy_kwh, gap_s") == [
        (6000.0, 1.0, None), (6000.0, 1.0, None), (6000.0, 1.0, None), (6000.0, 1.0, 4200.0), (6000.0, 1.0, None)]
    # The missing rows come in another file: the gap closes.
    written(series, batch([START + 600 * n for n in range(3, 10)], [6.0] * 7, channels=power), campaign="e")
    assert [row[0] for row in extra(series, "gap_s")] == [None] * 12
    series.points.forget_campaign(series.serials[0], "e", keep_data=False)


def test_a_view_gets_a_column_when_a_new_kind_of_channel_comes_and_keeps_its_number(series: World) -> None:
    written(series, batch([START], [1.0]), campaign="e")
    before = extra(series, "'public.e'::regclass::oid")
    written(series, batch([START + 1], [2.0], channels=[channel("I1", "A")]), campaign="e")
    assert extra(series, "voltage_v, current_a, 'public.e'::regclass::oid") == [
        (1.0, None, before[0][0]), (None, 2.0, before[0][0])]
    series.points.forget_campaign(series.serials[0], "e", keep_data=False)
