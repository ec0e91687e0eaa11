"""A tenant's table that cannot be read, or will not end, costs its own dashboard and nobody else's time."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.patience import Patience
from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.stores.model import Server
from belvedere.stores.reader import postgres as reading

ENDLESS = (
    "CREATE OR REPLACE FUNCTION endless() RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN "
    "PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
)
TRAP = "CREATE VIEW a_trap AS SELECT public.endless() AS slack, 'e'::text AS endpoint"
HONEST = [f"CREATE TABLE {name} AS SELECT 1.5 AS slack, 'e'::text AS endpoint" for name in ("b_first", "c_second")]


@pytest.fixture
def guarded(tenant_store, cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The tenant's store behind the real readers, whose guard ends sessions as the server's superuser."""
    at = psycopg.conninfo.conninfo_to_dict(tenant_store.reader_url)
    server = Server("default", str(at["host"]), int(at["port"]), Secret(cluster.superuser))
    door = reading.Door(server, str(at["dbname"]), str(at["user"]), Secret(str(at["password"])))
    readers = reading.Readers(statement_timeout_s=30)

    def reader(store_id: UUID, /, *, within_s: float | None = None):
        tenant_store.reads += 1
        return readers.session(store_id, lambda: door, within_s=within_s)

    monkeypatch.setattr(reading, "_GRACE_S", 0.3)
    monkeypatch.setattr(tenant_store, "reader", reader)
    yield tenant_store
    readers.close()


@pytest.fixture
def clock(dashboards: Dashboards) -> SimpleNamespace:
    """A clock of the room that a test may put forward, and looks that are soon over."""
    hands = SimpleNamespace(ahead=timedelta())
    dashboards._following._now = lambda: datetime.now(UTC) + hands.ahead
    dashboards._following._patience = Patience(look_s=0.2)
    return hands


def waiting(database: Database) -> dict[str, float]:
    """Return the stores that wait to be looked at, and in how many seconds each is due."""
    with database.transaction() as connection:
        return {
            row["key"]: float(row["in_s"])
            for row in connection.execute(
                "SELECT args->>'key' AS key, coalesce(extract(epoch FROM scheduled_at - now()), 0) AS in_s "
                "FROM procrastinate_jobs WHERE task_name = 'dashboards.reconcile' AND status = 'todo'"
            )
        }


def states(dashboards: Dashboards, actor: Actor) -> dict[str, str]:
    return {one.table: str(one.state) for one in dashboards.list(actor).items}


def test_a_view_that_will_not_end_fails_alone_and_says_why(
    dashboards: Dashboards, guarded, clock, actor: Actor, database: Database
) -> None:
    guarded.write(ENDLESS, TRAP, *HONEST)
    dashboards.reconcile(guarded.facts.id)
    assert states(dashboards, actor) == {"a_trap": "needs you", "b_first": "ready", "c_second": "ready"}
    trap = next(one for one in dashboards.list(actor).items if one.table == "a_trap")
    assert trap.message.startswith("Reading it took too long and could not be stopped, so its session was ended.")
    assert waiting(database) == {str(guarded.facts.id): pytest.approx(60, abs=10)}


def test_a_table_that_failed_is_left_alone_ever_longer(
    dashboards: Dashboards, guarded, clock, actor: Actor, database: Database
) -> None:
    guarded.write(ENDLESS, TRAP)
    for delay_s in (60, 120, 240):
        dashboards.reconcile(guarded.facts.id)
        reads = guarded.reads
        clock.ahead += timedelta(seconds=delay_s - 15)
        dashboards.reconcile(guarded.facts.id)
        assert guarded.reads == reads, "it is not due yet"
        with database.transaction() as connection:
            connection.execute("DELETE FROM procrastinate_jobs")
        clock.ahead += timedelta(seconds=16)
    assert guarded.reads == 3
    dashboards.reconcile(guarded.facts.id)
    assert waiting(database) == {str(guarded.facts.id): pytest.approx(480, abs=10)}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("change", [
    ["DROP VIEW a_trap", "CREATE VIEW a_trap AS SELECT 1.5::float8 AS slack, 'e'::text AS endpoint"],
    ["CREATE OR REPLACE VIEW a_trap AS SELECT 1.5::float8 AS slack, 'e'::text AS endpoint, 'c'::text AS clock"],
])
def test_a_change_of_the_table_is_looked_at_at_once(
    change: list[str], dashboards: Dashboards, guarded, actor: Actor, database: Database
) -> None:
    guarded.write(ENDLESS, TRAP)
    dashboards.reconcile(guarded.facts.id)
    guarded.write(*change)
    dashboards.reconcile(guarded.facts.id)
    assert states(dashboards, actor) == {"a_trap": "ready"}
    with database.transaction() as connection:
        assert connection.execute("SELECT failures, again_at FROM dashboard").fetchall() == [
            {"failures": 0, "again_at": None}
        ]


def test_what_there_is_no_time_for_comes_in_the_next_job(
    dashboards: Dashboards, guarded, clock, actor: Actor, database: Database
) -> None:
    guarded.write(ENDLESS, TRAP, TRAP.replace("a_trap", "a_trap_too"), *HONEST)
    dashboards._following._patience = Patience(look_s=0.2, begin_s=0)
    for done in range(1, 5):
        dashboards.reconcile(guarded.facts.id)
        assert guarded.reads == len(states(dashboards, actor)) == done
        assert list(states(dashboards, actor).values()).count("ready") == min(done, 2), "views come last"
        assert waiting(database)[str(guarded.facts.id)] < 2
    with database.transaction() as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    dashboards.reconcile(guarded.facts.id)
    assert guarded.reads == 4
    assert 30 < waiting(database)[str(guarded.facts.id)] <= 60


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("state", "told"), [
    ("42P01", "It cannot be read: mine."), ("57P01", "does not answer"), ("08006", "does not answer"),
])
def test_an_error_that_a_view_makes_up_is_held_against_it_alone(
    state: str, told: str, dashboards: Dashboards, guarded, actor: Actor
) -> None:
    guarded.write(
        f"CREATE FUNCTION liar() RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mine' "
        f"USING ERRCODE = '{state}'; END $$",
        "CREATE VIEW a_lie AS SELECT public.liar() AS slack", *HONEST)
    dashboards.reconcile(guarded.facts.id)
    found = {one.table: one for one in dashboards.list(actor).items}
    assert {found["b_first"].state, found["c_second"].state} == {DashboardState.READY}
    assert told in found["a_lie"].message
    assert found["a_lie"].state in (DashboardState.NEEDS_YOU, DashboardState.WAITING)
    reads = guarded.reads
    dashboards.reconcile(guarded.facts.id)
    assert guarded.reads == reads


def test_a_store_that_keeps_everybody_out_is_tried_once_and_forgets_no_failure(
    dashboards: Dashboards, guarded, clock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.write(ENDLESS, TRAP, *HONEST)
    tries = itertools.count(1)

    def away(_store, *, within_s: float):
        next(tries)
        message = "The store does not answer."
        raise Later(message)

    dashboards.reconcile(guarded.facts.id)
    clock.ahead += timedelta(seconds=61)
    with monkeypatch.context() as patch:
        patch.setattr(guarded, "reader", away)
        with pytest.raises(Later, match="does not answer"):
            dashboards.reconcile(guarded.facts.id)
    assert next(tries) == 2
    dashboards.reconcile(guarded.facts.id)
    with database.transaction() as connection:
        [row] = connection.execute("SELECT failures, state FROM dashboard WHERE table_name = 'a_trap'")
    assert row == {"failures": 2, "state": "needs you"}


def test_one_store_of_a_tenant_is_looked_at_at_a_time(
    dashboards: Dashboards, tenant_store, actor: Actor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_store.write(*HONEST)
    other = replace(tenant_store.facts, id=uuid4())
    stores = {one.id: one for one in (tenant_store.facts, other)}
    monkeypatch.setattr(tenant_store, "get", lambda _actor, store_id: stores[store_id])
    reader = tenant_store.reader

    def meanwhile(store_id: UUID, /, *, within_s: float):
        with pytest.raises(Later, match="Another database of this tenant"):
            dashboards.reconcile(other.id)
        return reader(store_id, within_s=within_s)

    monkeypatch.setattr(tenant_store, "reader", meanwhile)
    dashboards.reconcile(tenant_store.facts.id)
    assert waiting(database) == {str(other.id): 0.0}
    monkeypatch.setattr(tenant_store, "reader", lambda _store, **within: reader(tenant_store.facts.id, **within))
    dashboards.reconcile(other.id)
    assert len(dashboards.list(actor).items) == 4


def test_making_one_dashboard_now_does_not_wait_for_the_others(
    dashboards: Dashboards, guarded, clock, actor: Actor
) -> None:
    guarded.write(ENDLESS, TRAP, *HONEST)
    made = dashboards.create(actor, guarded.facts.tenant_id, guarded.facts.database, "c_second")
    assert (made.state, guarded.reads) == (DashboardState.READY, 1)


def test_the_delay_doubles_up_to_an_hour() -> None:
    patience = Patience()
    delays = [patience.delay_s(DashboardState.NEEDS_YOU, failures) for failures in (1, 2, 6, 7, 1_000_000)]
    assert delays == [60, 120, 1920, 3600, 3600]
    assert patience.delay_s(DashboardState.WAITING, 1) == 5
