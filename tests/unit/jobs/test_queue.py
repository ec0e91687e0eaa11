"""Asking for jobs: in the caller's transaction, brought forward instead of doubled."""

import pytest

from belvedere.jobs import store
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database, one, rows
from belvedere.kernel.errors import Forbidden, NotFound, Rejected

ALICE = Actor(name="alice", role=Role.OPERATOR)
CHARLIE = Actor(name="charlie", role=Role.OPERATOR, tenant=7)


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database=database, reactions={"tables.changed": ["dashboards.reconcile", "test.note"]})


def _waiting(database: Database) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        return [
            (row["task_name"], row["args"]["key"])
            for row in rows(connection, "SELECT * FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        ]


def test_a_rolled_back_transaction_leaves_no_job(database: Database, queue: JobQueue) -> None:
    def broken() -> None:
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert _waiting(database) == []


def test_an_event_wakes_the_jobs_of_the_table_and_an_unknown_one_none(database: Database, queue: JobQueue) -> None:
    with database.transaction() as connection:
        queue.emit(connection, "tables.changed", "s1")
        queue.emit(connection, "nothing.listens", "s1")
    assert _waiting(database) == [("dashboards.reconcile", "s1"), ("test.note", "s1")]


def test_a_waiting_job_is_brought_forward_and_not_doubled(database: Database, queue: JobQueue) -> None:
    with database.transaction() as connection:
        queue.enqueue(connection, "test.run", "42", in_s=3600)
        queue.enqueue(connection, "test.run", "42", in_s=10)
        queue.enqueue(connection, "test.run", "43")
    with database.transaction() as connection:
        queue.enqueue(connection, "test.run", "42", in_s=7200)
        due = one(
            connection,
            "SELECT scheduled_at - now() < '11 s' AS soon FROM procrastinate_jobs WHERE lock = 'test.run:42'",
        )
    assert _waiting(database) == [("test.run", "42"), ("test.run", "43")]
    assert due == {"soon": True}


def test_a_signal_during_a_run_leads_to_another_run(database: Database, queue: JobQueue) -> None:
    with database.session() as session:
        worker = store.open_worker(session)
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
        taken = store.take(session, ["default"], worker, "here")
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
        assert store.take(session, ["default"], worker, "here") is None, "one at a time"
        assert store.succeed(session, taken["id"], worker, taken["lock"])
        follower = store.take(session, ["default"], worker, "here")
        assert follower["key"] == "42"
        assert follower["id"] != taken["id"]


def test_a_job_put_back_swallows_the_one_that_waits_behind_it(database: Database, queue: JobQueue) -> None:
    with database.session() as session:
        worker = store.open_worker(session)
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
        taken = store.take(session, ["default"], worker, "here")
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
        with database.transaction() as connection:
            assert store.again(
                connection, taken["id"], worker, taken["lock"], in_s=3600, error="x", code="later", failed=False
            )
        assert _waiting(database) == [("test.run", "42")]
        assert store.take(session, ["default"], worker, "here")["id"] == taken["id"], "due at once, as the signal asked"


def test_a_worker_cannot_end_what_is_not_its_own(database: Database, queue: JobQueue) -> None:
    with database.session() as session:
        worker = store.open_worker(session)
        with database.transaction() as connection:
            queue.enqueue(connection, "test.run", "42")
        taken = store.take(session, ["default"], worker, "here")
        assert not store.succeed(session, taken["id"], worker + 1, taken["lock"])
        assert not store.fail(session, taken["id"], worker + 1, taken["lock"], error="x", code="x")
        with database.transaction() as connection:
            assert not store.again(
                connection, taken["id"], worker + 1, taken["lock"], in_s=0, error="", code="", failed=True
            )
        assert store.succeed(session, taken["id"], worker, taken["lock"])


def test_members_requests_can_ask_for_work_but_not_read_the_queue(database: Database, queue: JobQueue) -> None:
    with database.tenant_transaction(7) as connection:
        queue.enqueue(connection, "test.run", "7")
    assert _waiting(database) == [("test.run", "7")]
    with pytest.raises(Exception, match="permission denied"), database.tenant_transaction(7) as connection:
        connection.execute("SELECT * FROM procrastinate_jobs")


@pytest.mark.parametrize("name", ["", "run", "Run.x", "a.b; DROP TABLE x", "a." + "b" * 200])
def test_what_is_not_a_job_name_is_refused(database: Database, queue: JobQueue, name: str) -> None:
    with pytest.raises(Exception, match="not a job"), database.transaction() as connection:
        queue.enqueue(connection, name, "1")


def test_operators_list_and_try_and_others_do_not(database: Database, queue: JobQueue) -> None:
    with database.transaction() as connection:
        for number in range(3):
            queue.enqueue(connection, "test.run", str(number), in_s=3600)
    first = queue.list(ALICE, limit=2)
    assert [job.key for job in first.items] == ["2", "1"]
    rest = queue.list(ALICE, after=first.next, limit=2)
    assert [(job.key, job.state) for job in rest.items] == [("0", "waiting")]
    assert rest.next is None
    queue.try_now(ALICE, rest.items[0].id)
    assert queue.overview(ALICE).waiting == 3
    with database.session() as session:
        worker = store.open_worker(session)
        assert store.take(session, ["default"], worker, "here")["key"] == "0"
        assert queue.list(ALICE, state="working").items[0].key == "0"
        pid = session.info.backend_pid
    with database.transaction() as connection:
        # A session that has said goodbye holds its locks until its process is gone.
        while rows(connection, "SELECT FROM pg_locks WHERE pid = %s AND locktype = 'advisory'", [pid]):
            pass
    assert queue.list(ALICE, state="working").items == [], "its session is gone, so nobody works on it"
    with pytest.raises(NotFound):
        queue.list(CHARLIE)
    with pytest.raises(Forbidden):
        queue.try_now(Actor(name="bob", role=Role.VIEWER), 1)
    with pytest.raises(NotFound):
        queue.try_now(ALICE, 999999)
    with pytest.raises(Rejected, match="No state named"):
        queue.list(ALICE, state="broken")
