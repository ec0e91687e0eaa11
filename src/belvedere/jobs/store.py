"""The queue's SQL: on Procrastinate's tables, by its fetch function, with our own ends.

Every end of a job is fenced: it changes the row only while the row still belongs to the runner that ends
it. A runner that was taken for dead can thus never overwrite what its successor did. What is not here:
who calls when (`runner.py`, `rescue.py`) and the way in (`enqueue_job` in migration 0070).
"""

from typing import Any, Final

from belvedere.jobs.model import Job, JobRow, JobState, Overview
from belvedere.kernel.db import Connection, one, rows, signal

OWNER_CLASS: Final = 1651271777
"""First half of the advisory lock that a runner holds while it lives; the second half is its worker id."""

ORDER_CLASS: Final = 1651271778
"""First half of the lock that orders who asks for and who gives back one job; `enqueue_job` has it too."""

WAKE_CHANNEL: Final = "procrastinate_any_queue_v1"
"""The channel that Procrastinate's insert trigger notifies."""


def enqueue(connection: Connection, job: str, key: str, in_s: float) -> None:
    """Ask for a job; see `enqueue_job` for what happens to one that waits or runs already."""
    connection.execute("SELECT enqueue_job(%s, %s, %s)", [job, key, in_s])


# --- runners -----------------------------------------------------------------------------------------------


def register(connection: Connection, jobs: list[Job]) -> None:
    """Write down what this program's runners can do, so that the way in knows queues and priorities."""
    for job in jobs:
        connection.execute(
            "INSERT INTO job_kind (name, help, priority, queue, every_s) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (name) DO UPDATE SET help = excluded.help, priority = excluded.priority, "
            "queue = excluded.queue, every_s = excluded.every_s",
            [job.name, job.help, job.priority, job.queue, job.every_s],
        )
    connection.execute(
        "UPDATE procrastinate_jobs AS job SET queue_name = kind.queue, priority = kind.priority FROM job_kind AS kind "
        "WHERE kind.name = job.task_name AND job.status = 'todo' "
        "AND (job.queue_name, job.priority) IS DISTINCT FROM (kind.queue, kind.priority)"
    )


def open_worker(connection: Connection) -> int:
    """Add a worker and take its lock for this session, in one transaction, so that no one sees it without."""
    with connection.transaction():
        made = one(connection, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        worker = int(made["id"]) if made else 0
        connection.execute("SELECT pg_advisory_lock(%s, %s::int)", [OWNER_CLASS, worker])
    return worker


def reopen_worker(connection: Connection, worker: int) -> set[int] | None:
    """Take a worker's lock again after its session broke.

    Returns:
        The ids of the jobs that are still its own, or None if somebody took it for dead meanwhile.
    """
    got = one(connection, "SELECT pg_try_advisory_lock(%s, %s::int) AS got", [OWNER_CLASS, worker])
    there = one(connection, "SELECT FROM procrastinate_workers WHERE id = %s", [worker])
    if not got or not got["got"] or there is None:
        return None
    return set(owned(connection, worker))


def beat(connection: Connection, worker: int) -> None:
    """Refresh the heartbeat: the second sign of life, for people; nothing is decided by it."""
    connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %s", [worker])


def close_worker(connection: Connection, worker: int, back_in_s: float) -> list[int]:
    """Give back what a worker still holds, without costing an attempt, and remove it.

    Returns:
        The ids of the jobs given back.
    """
    back = _give_back(connection, worker, back_in_s)
    connection.execute("DELETE FROM procrastinate_workers WHERE id = %s", [worker])
    return back


def _give_back(connection: Connection, worker: int | None, back_in_s: float) -> list[int]:
    found = rows(
        connection,
        "SELECT id, lock FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NOT DISTINCT FROM %s "
        "ORDER BY id",
        [worker],
    )
    given = []
    for row in found:
        due = _merge_waiting(connection, row["lock"])
        changed = connection.execute(
            "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, "
            "scheduled_at = clock_timestamp() + make_interval(secs => %s) "
            "WHERE id = %s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %s",
            [back_in_s, row["id"], worker],
        )
        if changed.rowcount:
            given.append(row["id"])
        elif due:
            connection.execute("SELECT enqueue_job(%s, %s, 0)", row["lock"].split(":", 1))
    return given


def _merge_waiting(connection: Connection, lock: str) -> Any:  # noqa: ANN401
    """Take away a job that waits behind this one, which is about to wait itself; return its row, if there was one.

    Two that wait for the same key would stand in each other's way: the fetch takes the older first, even
    when only the younger is due.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [ORDER_CLASS, lock])
    return one(
        connection,
        "DELETE FROM procrastinate_jobs WHERE lock = %s AND status = 'todo' "
        "RETURNING greatest(extract(epoch FROM scheduled_at - clock_timestamp()), 0)::float8 AS due_in_s",
        [lock],
    )


def owned(connection: Connection, worker: int) -> dict[int, str]:
    """Return the jobs that stand as working under a worker, with their locks."""
    return {
        row["id"]: row["lock"] or ""
        for row in rows(
            connection, "SELECT id, lock FROM procrastinate_jobs WHERE worker_id = %s AND status = 'doing'", [worker]
        )
    }


# --- one job's life ----------------------------------------------------------------------------------------


def take(connection: Connection, queues: list[str], worker: int, runner: str) -> Any:  # noqa: ANN401
    """Fetch the next job that is due in `queues` and mark it as ours; None if there is none."""
    return one(
        connection,
        "WITH taken AS (SELECT * FROM procrastinate_fetch_job_v2(%s::varchar[], %s)), "
        "noted AS (INSERT INTO job_run (job_id, runner, started_at) SELECT id, %s, clock_timestamp() FROM taken "
        "          WHERE id IS NOT NULL "
        "          ON CONFLICT (job_id) DO UPDATE SET runner = excluded.runner, started_at = excluded.started_at, "
        "          ended_at = NULL), "
        "told AS (SELECT pg_notify('belvedere', 'jobs') FROM taken WHERE id IS NOT NULL) "
        "SELECT taken.id, task_name AS name, args->>'key' AS key, lock, queue_name AS queue, "
        "coalesce(run.failures, 0) AS failures, (SELECT count(*) FROM told) AS told "
        "FROM taken LEFT JOIN job_run AS run ON run.job_id = taken.id WHERE taken.id IS NOT NULL",
        [queues, worker, runner],
    )


def succeed(connection: Connection, job: int, worker: int, lock: str) -> bool:
    """End a job well; what failed before under the same name and key is settled by it.

    Returns:
        False if the job was not this worker's any more, and nothing was written.
    """
    ended = connection.execute(
        "UPDATE procrastinate_jobs SET status = 'succeeded', attempts = attempts + 1 "
        "WHERE id = %s AND status = 'doing' AND worker_id = %s",
        [job, worker],
    )
    if not ended.rowcount:
        return False
    connection.execute(
        "UPDATE job_run SET ended_at = clock_timestamp(), failures = 0, rescues = 0, error = NULL, code = NULL "
        "WHERE job_id = %s",
        [job],
    )
    connection.execute("DELETE FROM procrastinate_jobs WHERE lock = %s AND status = 'failed'", [lock])
    _wake_follower(connection, lock)
    return True


def fail(connection: Connection, job: int, worker: int, lock: str, *, error: str, code: str) -> bool:
    """End a job for good with the sentence that says why. An older failure of the same key gives way to it."""
    ended = connection.execute(
        "UPDATE procrastinate_jobs SET status = 'failed', attempts = attempts + 1 "
        "WHERE id = %s AND status = 'doing' AND worker_id = %s",
        [job, worker],
    )
    if not ended.rowcount:
        return False
    connection.execute(
        "UPDATE job_run SET ended_at = clock_timestamp(), error = %s, code = %s WHERE job_id = %s", [error, code, job]
    )
    connection.execute(
        "DELETE FROM procrastinate_jobs WHERE lock = %s AND status = 'failed' AND id <> %s", [lock, job]
    )
    _wake_follower(connection, lock)
    return True


def again(
    connection: Connection, job: int, worker: int, lock: str, *, in_s: float, error: str, code: str, failed: bool
) -> bool:
    """Put a job back for another try. A signal that came meanwhile makes it due as early as the signal asked."""
    merged = _merge_waiting(connection, lock)
    due = in_s if merged is None else min(in_s, merged["due_in_s"] or 0.0)
    ended = connection.execute(
        "UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1, worker_id = NULL, "
        "scheduled_at = clock_timestamp() + make_interval(secs => %s) "
        "WHERE id = %s AND status = 'doing' AND worker_id = %s",
        [due, job, worker],
    )
    if not ended.rowcount:
        if merged is not None:
            connection.execute("SELECT enqueue_job(%s, %s, 0)", lock.split(":", 1))
        return False
    connection.execute(
        "UPDATE job_run SET ended_at = clock_timestamp(), error = %s, code = %s, rescues = 0, "
        "failures = failures + %s WHERE job_id = %s",
        [error, code, int(failed), job],
    )
    signal(connection, "jobs")
    return True


def _wake_follower(connection: Connection, lock: str) -> None:
    signal(connection, "jobs")
    connection.execute(
        "SELECT pg_notify(%s, format('{\"type\":\"job_inserted\",\"job_id\":%%s}', id)) "
        "FROM procrastinate_jobs WHERE lock = %s AND status = 'todo'",
        [WAKE_CHANNEL, lock],
    )


# --- rescue, timers, pruning -------------------------------------------------------------------------------


def dead_workers(connection: Connection) -> list[int | None]:
    """Return the workers whose lock nobody holds: their session is gone, whatever their heartbeat says.

    None stands among them when a job is marked as working without any worker.
    """
    found = rows(
        connection,
        "SELECT id FROM procrastinate_workers WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND classid = %s::bigint::oid AND objid = procrastinate_workers.id::oid AND objsubid = 2 AND granted) "
        "UNION ALL SELECT NULL WHERE EXISTS "
        "(SELECT FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL)",
        [OWNER_CLASS],
    )
    return [row["id"] for row in found]


def rescue(connection: Connection, worker: int | None, most: int) -> list[int]:
    """Give the jobs of a dead worker (None: of no worker) to the living, unless its lock cannot be had after all.

    A job under which its runner died `most` times in a row is ended instead: it would take every runner down.
    """
    if worker is not None:
        got = one(connection, "SELECT pg_try_advisory_xact_lock(%s, %s::int) AS got", [OWNER_CLASS, worker])
        if not got or not got["got"]:
            return []
    doing = rows(
        connection,
        "UPDATE job_run SET rescues = rescues + 1 FROM procrastinate_jobs AS job WHERE job.id = job_run.job_id "
        "AND job.status = 'doing' AND job.worker_id IS NOT DISTINCT FROM %s RETURNING job.id, rescues, runner",
        [worker],
    )
    poison = [row["id"] for row in doing if row["rescues"] >= most]
    connection.execute(
        "UPDATE procrastinate_jobs SET status = 'failed', attempts = attempts + 1 WHERE id = ANY(%s)", [poison]
    )
    connection.execute(
        "UPDATE job_run SET ended_at = clock_timestamp(), code = 'runner-died', error = format("
        "'Its runner died %%s times in a row while it worked on this. Look at the log of %%s, then try again.', "
        "rescues, runner) WHERE job_id = ANY(%s)",
        [poison],
    )
    given = _give_back(connection, worker, 0.0)
    if worker is not None:
        connection.execute("DELETE FROM procrastinate_workers WHERE id = %s", [worker])
    if given or poison:
        signal(connection, "jobs")
        connection.execute("SELECT pg_notify(%s, '{}')", [WAKE_CHANNEL])
    return given


def start_due(connection: Connection, names: list[str]) -> list[str]:
    """Ask for the jobs whose timer is due; of many runners that try, one does. A running one is not doubled."""
    due = rows(
        connection,
        "UPDATE job_kind SET timed_at = clock_timestamp() WHERE name IN ("
        "  SELECT name FROM job_kind WHERE name = ANY(%s) AND every_s IS NOT NULL "
        "  AND (timed_at IS NULL OR timed_at <= clock_timestamp() - make_interval(secs => every_s)) "
        "  FOR UPDATE SKIP LOCKED) RETURNING name",
        [names],
    )
    started = []
    for row in due:
        running = one(
            connection, "SELECT FROM procrastinate_jobs WHERE lock = %s AND status = 'doing'", [f"{row['name']}:"]
        )
        if running is None:
            enqueue(connection, row["name"], "", 0.0)
            started.append(row["name"])
    return started


def prune(connection: Connection, succeeded_s: float, failed_s: float) -> int:
    """Remove what ended long ago, at most 5,000 at a time; return how many."""
    return connection.execute(
        "DELETE FROM procrastinate_jobs WHERE id IN (SELECT job.id FROM job_run AS run "
        "JOIN procrastinate_jobs AS job ON job.id = run.job_id WHERE run.ended_at < clock_timestamp() - "
        "make_interval(secs => CASE job.status WHEN 'succeeded' THEN %s ELSE %s END) "
        "AND job.status IN ('succeeded', 'failed', 'cancelled', 'aborted') LIMIT 5000)",
        [succeeded_s, failed_s],
    ).rowcount


# --- what people see ---------------------------------------------------------------------------------------

_STATE: Final = (
    "CASE WHEN job.status = 'doing' AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid = 1651271777::bigint::oid AND objid = job.worker_id::oid AND objsubid = 2 AND granted) THEN 'working' "
    "WHEN job.status IN ('todo', 'doing') THEN 'waiting' "
    "WHEN job.status = 'succeeded' THEN 'succeeded' ELSE 'failed' END"
)
"""A job whose runner is gone is waiting, whatever its row says: it is taken up again as soon as a runner lives."""


def listed(connection: Connection, state: str | None, before: int | None, limit: int) -> list[JobRow]:
    """Return jobs, the newest first."""
    found = rows(
        connection,
        # Both parts are literals of this file.
        "SELECT * FROM (SELECT job.id, job.task_name AS name, job.args->>'key' AS key, " + _STATE + " AS state, "  # noqa: S608
        "job.attempts, job.scheduled_at, run.started_at, run.ended_at, run.error, run.runner, "
        "(SELECT min(at) FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.type = 'deferred') "
        "AS created_at FROM procrastinate_jobs AS job LEFT JOIN job_run AS run ON run.job_id = job.id "
        "WHERE (%(before)s::bigint IS NULL OR job.id < %(before)s)) AS shown "
        "WHERE %(state)s::text IS NULL OR state = %(state)s ORDER BY id DESC LIMIT %(limit)s",
        {"state": state, "before": before, "limit": limit},
    )
    return [
        JobRow(
            id=row["id"],
            name=row["name"],
            key=row["key"],
            state=JobState(row["state"]),
            attempts=row["attempts"],
            created_at=row["created_at"],
            next_try_at=(row["scheduled_at"] or row["created_at"]) if row["state"] == "waiting" else None,
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            error=row["error"],
            runner=row["runner"],
        )
        for row in found
    ]


def overview(connection: Connection) -> Overview:
    """Count the jobs by state."""
    counts = {
        row["state"]: row["count"]
        for row in rows(
            connection,
            "SELECT state, count(*) FROM (SELECT " + _STATE + " AS state FROM procrastinate_jobs AS job) AS all_jobs "  # noqa: S608
            "GROUP BY state",
        )
    }
    more = one(
        connection,
        "SELECT (SELECT count(*) FROM procrastinate_workers) AS workers, "
        "(SELECT max(ended_at) FROM job_run) AS last_ended_at, "
        "(SELECT min(event.at) FROM procrastinate_jobs AS job JOIN procrastinate_events AS event "
        "ON event.job_id = job.id AND event.type = 'deferred' WHERE job.status = 'todo') AS oldest_waiting_at",
    ) or {}
    return Overview(
        waiting=counts.get("waiting", 0),
        working=counts.get("working", 0),
        failed=counts.get("failed", 0),
        succeeded=counts.get("succeeded", 0),
        runners=int(more.get("workers", 0)) - len([dead for dead in dead_workers(connection) if dead is not None]),
        oldest_waiting_at=more.get("oldest_waiting_at"),
        last_ended_at=more.get("last_ended_at"),
    )


def try_now(connection: Connection, job: int) -> str | None:
    """Make a waiting or failed job due at once; return what it is, or None if there is nothing to try."""
    found = one(
        connection,
        "SELECT task_name AS name, args->>'key' AS key, status::text FROM procrastinate_jobs WHERE id = %s "
        "AND status IN ('todo', 'failed', 'doing')",
        [job],
    )
    if found is None:
        return None
    if found["status"] != "doing":
        if found["status"] == "failed":
            connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s AND status = 'failed'", [job])
        enqueue(connection, found["name"], found["key"], 0.0)
    return f"{found['name']}:{found['key']}"
