"""Whose sessions end when the server's lock table fills: by arithmetic, and on a real server."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.stores.crowding import TENANTS_SHARE, Held, to_end
from belvedere.stores.watch import ServerWatch

CAPACITY = 1000
TENANTS = {11: 1, 12: 1, 21: 2, 31: 3}


@given(st.lists(st.builds(Held, st.integers(1, 9999), st.sampled_from(sorted(TENANTS)), st.integers(1, 900))))
def test_what_is_left_fits_and_no_more_than_needed_ends(held: list[Held]) -> None:
    ended = to_end(held, CAPACITY, TENANTS)
    left = sum(one.locks for one in held) - sum(one.locks for one in ended)
    assert left <= CAPACITY * TENANTS_SHARE
    if ended:
        assert left + ended[-1].locks > CAPACITY * TENANTS_SHARE


def test_the_greediest_tenant_pays_and_not_the_one_that_came_last() -> None:
    small, large, larger = Held(1, 21, 200), Held(2, 11, 300), Held(3, 12, 350)
    assert to_end([small, large, larger], CAPACITY, TENANTS) == [larger]
    assert to_end([small, large], CAPACITY, TENANTS) == []


def test_one_transaction_with_thousands_of_tables_takes_no_room_from_others(
    world: Any, hands: Callable[[psycopg.Connection[Any]], psycopg.Connection[Any]]
) -> None:
    alice, bob = world.tenant("alice"), world.tenant("bob")
    watch = ServerWatch(
        database=world.database, queue=world.queue, server=world.server, interval_s=0.5, full_every_s=3600
    )
    watch.look()
    flow, greedy = hands(world.writer(alice)), hands(world.writer(bob, autocommit=False))
    flow.execute("BEGIN; CREATE TABLE mine (a text)")
    greedy.execute("DO $$ BEGIN FOR i IN 1..2500 LOOP EXECUTE format('CREATE TABLE t%s (a text)', i); END LOOP; END $$")
    watch.keep_room()
    with pytest.raises(psycopg.OperationalError):
        greedy.execute("SELECT 1")
    flow.execute("INSERT INTO mine VALUES ('kept')")
    flow.execute("COMMIT")
    watch.close()
