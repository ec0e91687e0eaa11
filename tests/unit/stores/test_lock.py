"""A tenant's databases are worked on by one job at a time; another waits a while for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from belvedere.kernel.db import Database, one
from belvedere.stores import store

WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_a_job_waits_for_the_one_that_is_at_a_tenants_databases(database: Database) -> None:
    def second() -> bool:
        with database.session() as session:
            return store.hold(session, 1)

    with ThreadPoolExecutor(1) as pool:
        with database.session() as first:
            assert store.hold(first, 1)
            held = pool.submit(second)
            while not (one(first, WAITING) or {})["waiting"]:
                assert not held.done()
        assert held.result(10)


def test_it_does_not_wait_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PATIENCE", "10ms")
    with database.session() as first, database.session() as second:
        assert store.hold(first, 1) and store.hold(second, 2)
        assert not store.hold(second, 1)
