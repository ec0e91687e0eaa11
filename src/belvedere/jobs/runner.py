"""Working jobs off: `belvedere jobs`. Any number of runners, on any number of hosts.

One thread fetches, one thread per job works, one keeps the session that proves that this runner lives
(`ownership.py`), one looks after the others (`rescue.py`). Heavy computing belongs into child processes.
What is not here: what a job does; that is each room's `jobs.py`.
"""

import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

import psycopg
import structlog
from structlog.contextvars import bound_contextvars

from belvedere.jobs import store
from belvedere.jobs.model import Job
from belvedere.jobs.ownership import Ownership
from belvedere.jobs.rescue import Rescuer
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import BelvedereError, Later, Rejected, Stuck
from belvedere.kernel.failpoints import failpoint

_POLL_S: Final = 0.5
_LOOK_S: Final = 1.0
_GIVEN_BACK_IN_S: Final = 1.0
_LONGEST_DELAY_S: Final = 300.0
_UNKNOWN_ATTEMPTS: Final = 6
LOST_EXIT_CODE: Final = 75
"""Exit code of a runner that ended itself because its jobs may have a second owner. Start it again."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A job in hand: its row, the worker id under which it was fetched, and the number of this run of it."""

    run: int
    id: int
    name: str
    key: str
    lock: str
    queue: str
    failures: int
    worker: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a try ended. `in_s` None: for good."""

    error: str = ""
    code: str = ""
    in_s: float | None = None
    failed: bool = False


def run(
    jobs: list[Job],
    database: Database,
    stop: threading.Event,
    *,
    threads: int = 8,
    name: str = "",
    grace_s: float = 10.0,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Work jobs off until `stop` is set, then finish what runs or give it back.

    Args:
        jobs: what this runner can do.
        database: the migrated control database.
        stop: set it to end; the call returns within `grace_s` seconds and a little.
        threads: how many jobs at a time.
        name: how pages call this runner; host and process id if empty.
        grace_s: how long to wait for running jobs at the end.
        leave: ends the process with an exit code, without cleaning up. It is called when jobs that cannot be
            interrupted are given back, and when the session that proves ownership is lost: the process must
            be gone before another runner starts on them.
    """
    Runner(jobs, database, stop, threads=threads, name=name, leave=leave).run(grace_s)


class Runner:
    """One process that works jobs off; see `run`."""

    def __init__(
        self,
        jobs: list[Job],
        database: Database,
        stop: threading.Event,
        *,
        threads: int,
        name: str,
        leave: Callable[[int], None],
    ) -> None:
        """Prepare; `run` starts."""
        self._jobs = {job.name: job for job in jobs}
        self._queues = {job.queue: job.at_once for job in jobs} | {"default": 0}
        self._database = database
        self._stop = stop
        self._threads = threads
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._leave = leave
        self._running: dict[int, _Taken] = {}
        self._ending: set[int] = set()
        self._runs = count(1)
        self._taking = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.settimeout(0)
        self._wake_out.settimeout(0)
        self._owner = Ownership(database, running=self._working, give_up=self._give_up)
        self._rescuer = Rescuer(database, jobs)

    def run(self, grace_s: float) -> None:
        """Work until told to stop."""
        self._owner.start()
        tender = threading.Thread(target=self._tend, name="tender", daemon=True)
        tender.start()
        _log.info("runner_started", runner=self._name, threads=self._threads, jobs=len(self._jobs))
        while not self._stop.is_set():
            try:
                self._fetch_forever()
            except (psycopg.Error, Later) as error:
                _log.warning("queue_away", why=str(error))
                self._stop.wait(_POLL_S)
        self._finish(grace_s)
        tender.join(5)
        self._owner.close()
        self._wake_in.close()
        self._wake_out.close()

    # --- fetching ---

    def _fetch_forever(self) -> None:
        with self._database.session() as connection:
            connection.execute(f"LISTEN {store.WAKE_CHANNEL}")
            with connection.transaction():
                store.register(connection, list(self._jobs.values()))
            while not self._stop.is_set():
                if self._owner.wait(_POLL_S):
                    self._fill(connection)
                    self._wait(connection)

    def _fill(self, connection: Connection) -> None:
        while not self._stop.is_set():
            queues = self._free_queues()
            if not queues:
                return
            with self._taking:
                try:
                    row = store.take(connection, queues, self._owner.worker, self._name)
                except (psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation):
                    # Somebody started the same key at this moment, or our worker row went with our session.
                    return
                if row is None:
                    return
                taken = _Taken(
                    next(self._runs), row["id"], row["name"], row["key"] or "", row["lock"] or "", row["queue"],
                    row["failures"], self._owner.worker,
                )
                self._running[taken.run] = taken
            failpoint("jobs.runner.taken")
            threading.Thread(target=self._work, args=[taken], name=f"job-{taken.id}", daemon=True).start()

    def _free_queues(self) -> list[str]:
        running = list(self._running.values())
        if len(running) >= self._threads:
            return []
        busy = Counter(taken.queue for taken in running)
        return [queue for queue, most in self._queues.items() if not most or busy[queue] < most]

    def _wait(self, connection: Connection) -> None:
        """Wait for a notification, the end of a job, or half a second: retries come due without a sign."""
        select.select([connection.fileno(), self._wake_out.fileno()], [], [], _POLL_S)
        for _ in connection.notifies(timeout=0):
            pass
        with suppress(BlockingIOError):
            while self._wake_out.recv(4096):
                pass

    def _wake(self) -> None:
        # A full pipe wakes as well; a closed one belongs to a runner that has ended.
        with suppress(OSError):
            self._wake_in.send(b".")

    # --- working ---

    def _work(self, taken: _Taken) -> None:
        with bound_contextvars(job_id=taken.id, job=taken.name, key=taken.key):
            started = monotonic_s()
            outcome = self._try(taken)
            self._ending.add(taken.run)
            failpoint("jobs.runner.before-end")
            self._settle(taken, outcome)
            _log.info(
                "job_ended" if outcome is None else "job_not_done", duration_ms=round((monotonic_s() - started) * 1e3),
                error=outcome.error if outcome else None, again_in_s=outcome.in_s if outcome else None,
            )
        with self._taking:
            del self._running[taken.run]
            self._ending.discard(taken.run)
        self._wake()

    def _try(self, taken: _Taken) -> _Outcome | None:
        job = self._jobs.get(taken.name)
        delay_s = min(2.0**taken.failures, _LONGEST_DELAY_S)
        if job is None:
            error = f"No runner knows the job {taken.name}. Start runners of the present version."
            in_s = None if taken.failures >= _UNKNOWN_ATTEMPTS else delay_s
            return _Outcome(error, code="unknown-job", in_s=in_s, failed=True)
        try:
            job.run(taken.key)
        except Later as later:
            return _Outcome(later.detail, later.problem, max(later.retry_in_s, 0.0))
        except (Stuck, Rejected) as end:
            return _Outcome(_sentence(end.detail, end.hint), end.problem)
        except BaseException as error:  # noqa: BLE001  (whatever a job does, its thread settles it)
            _log.exception("job_crashed")
            # The message of an unforeseen error may hold anything, so it goes to the log alone, which masks.
            said = f"Unexpected {type(error).__name__} in {taken.name}. The log has more under job_id {taken.id}."
            last = taken.failures + 1 >= job.most_attempts
            return _Outcome(said, code=BelvedereError.code, in_s=None if last else delay_s, failed=True)
        return None

    def _settle(self, taken: _Taken, outcome: _Outcome | None) -> None:
        """Write how it ended, as often as it takes: until then this process owns the job."""
        while True:
            try:
                with self._database.transaction() as connection:
                    own = _settled(connection, taken, outcome)
                    failpoint("jobs.runner.end-before-commit")
            except (Later, psycopg.OperationalError):
                threading.Event().wait(_POLL_S)
                continue
            if not own:
                _log.warning("job_was_settled_already", worker=taken.worker)
            return

    # --- staying alive, and ending ---

    def _working(self) -> set[int]:
        return {taken.id for taken in list(self._running.values()) if taken.run not in self._ending}

    def _held(self) -> list[int]:
        return sorted(taken.id for taken in list(self._running.values()))

    def _tend(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self._rescuer.look()
                self._drop_strays()
            except (Later, psycopg.Error) as error:
                _log.warning("queue_away", why=str(error))
            except Exception:  # noqa: BLE001  (a runner that stops tending would let the dead keep their jobs)
                _log.exception("tending_failed")

    def _drop_strays(self) -> None:
        """Give back what the database says is ours but we do not have: the answer to a fetch was lost."""
        with self._taking, self._database.transaction() as connection:
            held = self._held()
            for job, lock in store.owned(connection, self._owner.worker).items():
                if job not in held:
                    store.again(
                        connection, job, self._owner.worker, lock, in_s=0.0, error="Its runner lost it.",
                        code="runner-died", failed=False,
                    )

    def _give_up(self, why: str) -> None:
        _log.error("runner_gave_up", runner=self._name, why=why, jobs=self._held())
        self._leave(LOST_EXIT_CODE)

    def _finish(self, grace_s: float) -> None:
        deadline = monotonic_s() + grace_s
        while self._running and monotonic_s() < deadline:
            select.select([self._wake_out.fileno()], [], [], min(_POLL_S, max(deadline - monotonic_s(), 0.0)))
            with suppress(BlockingIOError):
                self._wake_out.recv(4096)
        left = self._held()
        with suppress(Later, psycopg.Error), self._database.transaction() as connection:
            store.close_worker(connection, self._owner.worker, _GIVEN_BACK_IN_S)
        _log.info("runner_stopped", runner=self._name, given_back=left)
        if left:
            # Their threads cannot be stopped; the process can, before anybody else starts on them.
            self._leave(0)


def _settled(connection: Connection, taken: _Taken, outcome: _Outcome | None) -> bool:
    if outcome is None:
        return store.succeed(connection, taken.id, taken.worker, taken.lock)
    if outcome.in_s is None:
        return store.fail(connection, taken.id, taken.worker, taken.lock, error=outcome.error, code=outcome.code)
    return store.again(
        connection, taken.id, taken.worker, taken.lock, in_s=outcome.in_s, error=outcome.error, code=outcome.code,
        failed=outcome.failed,
    )


def _sentence(detail: str, hint: str | None) -> str:
    return f"{detail} {hint}" if hint else detail
