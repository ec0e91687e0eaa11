"""The watcher on a real server: what it sees, when, and what it leaves alone."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from belvedere.stores.model import Relation, RelationKind, RelationState, StoreKind
from belvedere.stores.watch import ServerWatch, Watcher

# What the catalogues say is the same on both servers that the rest of the room is tested on.
pytestmark = pytest.mark.parametrize("strict_cluster", ["installed"], indirect=True)


class Eyes:
    """A watcher that looks when it is told to, and what it has written."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.watch = ServerWatch(
            database=world.database, queue=world.queue, server=world.server, interval_s=0.5, full_every_s=3600
        )

    def until(self, condition: Callable[[], bool], most_s: float = 15) -> None:
        deadline = time.monotonic() + most_s
        while not condition():
            assert time.monotonic() < deadline, self.seen()
            self.watch.look()

    def seen(self) -> dict[str, Relation]:
        found = {}
        for tenant in self.world.tenants.serials():
            for store in self.world.stores.of_tenant(tenant):
                for one in self.world.stores.relations(self.world.operator, store.id):
                    found[one.name] = one
        return found

    def state(self, name: str) -> RelationState | None:
        one = self.seen().get(name)
        return one.state if one else None

    def stable(self, *names: str) -> Callable[[], bool]:
        return lambda: all(self.state(name) is RelationState.STABLE for name in names)

    def events(self) -> int:
        """Take the waiting `tables.changed` jobs off the queue and count them."""
        with self.world.database.transaction() as connection:
            return connection.execute(
                "DELETE FROM procrastinate_jobs WHERE task_name = 'dashboards.reconcile'"
            ).rowcount


@pytest.fixture
def eyes(world: Any) -> Iterator[Eyes]:
    made = Eyes(world)
    yield made
    made.watch.close()


@pytest.fixture
def flow(world: Any, eyes: Eyes) -> Iterator[psycopg.Connection[Any]]:
    """Alice's flow, over plain SQL, with the watcher awake."""
    alice = world.tenant("alice")
    eyes.watch.look()
    with world.writer(alice) as connection:
        yield connection


def test_a_table_is_seen_with_its_columns_and_wakes_the_dashboards(eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run (at timestamptz NOT NULL, slack numeric(10,3), note varchar(20))")
    flow.execute("INSERT INTO run SELECT now(), i, '' FROM generate_series(1, 100) i")
    eyes.until(eyes.stable("run"))
    run = eyes.seen()["run"]
    assert [(column.name, column.type, column.nullable) for column in run.columns] == [
        ("at", "timestamp with time zone", False),
        ("slack", "numeric(10,3)", True),
        ("note", "character varying(20)", True),
    ]
    assert (run.schema, run.kind, run.readable) == ("public", RelationKind.TABLE, True)
    assert run.size_bytes > 0
    assert run.stable_at is not None
    assert eyes.events() == 1
    assert [one.name for one in eyes.world.stores.stable_relations(run.store_id)] == ["run"]


def test_views_partitions_and_foreign_tables_count_and_the_rest_does_not(eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run AS SELECT i AS a FROM generate_series(1, 10) i")
    flow.execute("CREATE VIEW late AS SELECT * FROM run")
    flow.execute("CREATE MATERIALIZED VIEW kept AS SELECT * FROM run")
    flow.execute("CREATE MATERIALIZED VIEW hollow AS SELECT * FROM run WITH NO DATA")
    flow.execute("CREATE TABLE parted (a int) PARTITION BY RANGE (a)")
    flow.execute("CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10)")
    flow.execute("CREATE TEMPORARY TABLE staged AS SELECT 1 AS a")
    flow.execute("CREATE SEQUENCE counter")
    flow.execute("CREATE INDEX run_a ON run (a)")
    eyes.until(eyes.stable("run", "late", "kept"))
    assert {name: one.kind for name, one in eyes.seen().items()} == {
        "run": RelationKind.TABLE,
        "late": RelationKind.VIEW,
        "kept": RelationKind.MATERIALIZED_VIEW,
        "hollow": RelationKind.MATERIALIZED_VIEW,
        "parted": RelationKind.PARTITIONED_TABLE,
    }
    assert (eyes.state("hollow"), eyes.state("parted")) == (RelationState.EMPTY, RelationState.EMPTY)
    flow.execute("INSERT INTO parted VALUES (1)")
    flow.execute("REFRESH MATERIALIZED VIEW hollow")
    eyes.until(eyes.stable("parted", "hollow"))
    flow.execute("CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20)")
    eyes.watch.look()
    assert "parted_high" not in eyes.seen()


def test_a_table_that_loads_in_an_open_transaction_waits_for_its_end(world: Any, eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run (a int)")
    eyes.until(lambda: eyes.state("run") is RelationState.EMPTY)
    with flow.transaction():
        flow.execute("INSERT INTO run SELECT generate_series(1, 1000)")
        eyes.until(lambda: eyes.state("run") is RelationState.LOADING)
        for _ in range(4):
            eyes.watch.look()
        assert eyes.state("run") is RelationState.LOADING
        assert eyes.events() == 0
    eyes.until(eyes.stable("run"))
    assert eyes.events() == 1


def test_a_table_that_is_not_committed_does_not_show(eyes: Eyes, flow: Any) -> None:
    with flow.transaction(force_rollback=True):
        flow.execute("CREATE TABLE run AS SELECT 1 AS a")
        for _ in range(3):
            eyes.watch.look()
        assert eyes.seen() == {}
    eyes.watch.look()
    assert eyes.seen() == {}


def test_an_empty_table_waits_for_rows_without_waking_anybody(eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run (a int)")
    eyes.until(lambda: eyes.state("run") is RelationState.EMPTY)
    eyes.watch.look()
    assert eyes.events() == 0
    flow.execute("INSERT INTO run VALUES (1)")
    eyes.until(eyes.stable("run"))


def test_dropped_and_renamed_tables_are_noticed(eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE one AS SELECT 1 AS a")
    flow.execute("CREATE TABLE two AS SELECT 1 AS a")
    eyes.until(eyes.stable("one", "two"))
    eyes.events()
    flow.execute("DROP TABLE one")
    eyes.until(lambda: "one" not in eyes.seen())
    assert eyes.events() == 1
    first = eyes.seen()["two"]
    flow.execute("ALTER TABLE two RENAME TO three")
    flow.execute("ALTER TABLE three ADD COLUMN b text")
    flush(flow)
    _let_full_looks_come(eyes)
    eyes.until(lambda: "three" in eyes.seen())
    three = eyes.seen()["three"]
    assert (three.oid, three.first_seen_at, [column.name for column in three.columns]) == (
        first.oid,
        first.first_seen_at,
        ["a", "b"],
    )
    assert "two" not in eyes.seen()
    assert eyes.events() == 1


def flush(flow: Any) -> None:
    """Make the server count what this session wrote now, not when it next finds time."""
    flow.execute("SELECT pg_stat_force_next_flush()")
    flow.execute("SELECT 1")


def _let_full_looks_come(eyes: Eyes) -> None:
    for place in eyes.watch._places.values():
        place.visited_s = -1000.0


def test_tables_of_a_superuser_are_found_by_the_signal_look_and_not_counted_as_missed(
    world: Any, eyes: Eyes, flow: Any
) -> None:
    flow.execute("CREATE TABLE own AS SELECT 1 AS a")
    eyes.until(eyes.stable("own"))
    with world.superuser("alice-QOR") as connection:
        connection.execute("CREATE TABLE public.legacy AS SELECT 1 AS a")
        flush(connection)
    _let_full_looks_come(eyes)
    eyes.until(eyes.stable("legacy"))
    assert not eyes.seen()["legacy"].readable
    assert [one.name for one in world.stores.stable_relations(eyes.seen()["legacy"].store_id)] == ["own"]
    eyes.watch.look()
    assert eyes.watch.missed == 0


def test_what_only_the_full_look_found_is_counted(world: Any, eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE parted (a int) PARTITION BY RANGE (a)")
    flow.execute("CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10)")
    flow.execute("INSERT INTO parted VALUES (1)")
    eyes.until(eyes.stable("parted"))
    flow.execute("ALTER TABLE parted DETACH PARTITION parted_low")
    flush(flow)
    _let_full_looks_come(eyes)
    eyes.until(eyes.stable("parted_low"))
    eyes.watch.look()
    assert eyes.watch.missed == 1
    assert world.stores.watch_states(world.operator)[0].missed == 1


def test_a_thousand_tables_at_once_are_all_seen(eyes: Eyes, flow: Any) -> None:
    with flow.transaction():
        for number in range(1000):
            flow.execute(f"CREATE TABLE run_{number:04} AS SELECT 1 AS a")
    eyes.until(lambda: sum(one.state is RelationState.STABLE for one in eyes.seen().values()) == 1000, most_s=30)
    assert eyes.events() == 1


def test_a_new_tenants_tables_are_seen_without_a_restart(world: Any, eyes: Eyes, flow: Any) -> None:
    bob = world.tenant("bob")
    with world.writer(bob, StoreKind.DRC) as connection:
        connection.execute("CREATE TABLE checks AS SELECT 1 AS a")
    eyes.until(eyes.stable("checks"))


def test_a_watcher_that_starts_anew_knows_what_changed_meanwhile(world: Any, eyes: Eyes, flow: Any) -> None:
    for name in ("stays", "goes"):
        flow.execute(f"CREATE TABLE {name} AS SELECT 1 AS a")
    eyes.until(eyes.stable("stays", "goes"))
    eyes.events()
    eyes.watch.close()
    flow.execute("DROP TABLE goes")
    flow.execute("CREATE TABLE comes AS SELECT 1 AS a")
    eyes.until(eyes.stable("comes"))
    assert set(eyes.seen()) == {"stays", "comes"}
    assert eyes.watch.missed == 0


def test_rows_are_told_before_the_server_has_counted_them(eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run AS SELECT generate_series(1, 100) AS a")
    eyes.until(eyes.stable("run"))
    flow.close()  # what a session counted is known to all when it ends at the latest

    def told() -> bool:
        eyes.watch.close()
        eyes.watch.look()
        return eyes.seen()["run"].rows_estimate == 100

    eyes.until(told)


def test_a_tenant_that_holds_its_table_locked_stops_nobody(world: Any, eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE mine AS SELECT 1 AS a")
    bob = world.tenant("bob")
    with flow.transaction(), world.writer(bob) as connection:
        flow.execute("LOCK TABLE mine IN ACCESS EXCLUSIVE MODE")
        connection.execute("CREATE TABLE other AS SELECT 1 AS a")
        started = time.monotonic()
        eyes.until(eyes.stable("other"))
        assert time.monotonic() - started < 5
        assert eyes.state("mine") is RelationState.LOADING
    eyes.until(eyes.stable("mine"))


def test_a_deleted_tenant_is_no_longer_watched(world: Any, eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE run AS SELECT 1 AS a")
    eyes.until(eyes.stable("run"))
    alice = world.tenants.get(world.operator, "alice")
    world.tenants.delete(world.operator, "alice", confirm="alice")
    world.stores.remove_tenant(alice.serial)
    eyes.watch._reload_due_s = 0.0
    eyes.watch.look()
    assert eyes.watch._places == {}
    assert world.names() == (set(), set())


def test_one_watcher_runs_and_the_next_takes_over(world: Any) -> None:
    alice = world.tenant("alice")

    def watcher() -> tuple[threading.Thread, threading.Event]:
        stop = threading.Event()
        made = Watcher(
            database=world.database, queue=world.queue, servers=[world.server], interval_s=0.05, full_every_s=60
        )
        thread = threading.Thread(target=made.run, args=(stop,))
        thread.start()
        return thread, stop

    def wait(name: str) -> None:
        deadline = time.monotonic() + 20
        while name not in {one.name for one in world.stores.stable_relations(world.store(alice).id)}:
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)

    first, stop_first = watcher()
    second, stop_second = watcher()
    try:
        with world.writer(alice) as flow:
            flow.execute("CREATE TABLE one AS SELECT 1 AS a")
            wait("one")
            stop_first.set()
            first.join(20)
            flow.execute("CREATE TABLE two AS SELECT 1 AS a")
            wait("two")
    finally:
        stop_first.set()
        stop_second.set()
        first.join(20)
        second.join(20)


def test_a_server_that_is_away_backs_off_and_comes_back(world: Any, eyes: Eyes, flow: Any) -> None:
    flow.execute("CREATE TABLE one AS SELECT 1 AS a")
    eyes.until(eyes.stable("one"))
    with world.superuser() as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [eyes.watch._quick._connection.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        for _ in range(5):
            eyes.watch.look()
    eyes.watch.close()
    flow.execute("CREATE TABLE two AS SELECT 1 AS a")
    eyes.until(eyes.stable("one", "two"))
