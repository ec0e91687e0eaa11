"""What every runner does besides jobs: take over from the dead, start what a timer asks for, prune.

A runner is dead when nobody holds its lock on three looks in a row, one second apart: its session is gone
and it did not come back for it. A heartbeat decides nothing. All runners look; the lock decides who acts.
"""

from typing import Final

import structlog

from belvedere.jobs import store
from belvedere.jobs.model import Job
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Database
from belvedere.kernel.failpoints import failpoint

LOOKS: Final = 3
"""Looks in a row on which a runner must be without its lock. A runner whose session the server closed
(a restart) has the time between them to come back."""

MOST_RESCUES: Final = 5
"""Deaths of runners in a row under one job, after which it is ended instead of taken up again."""

_PRUNE_S: Final = 60.0
_KEEP_SUCCEEDED_S: Final = 6 * 3600.0
_KEEP_FAILED_S: Final = 30 * 86400.0

_log = structlog.get_logger(__name__)


class Rescuer:
    """One runner's view of the others. `look` is called once a second."""

    def __init__(self, database: Database, jobs: list[Job]) -> None:
        """Take the control database and the jobs whose timers this runner serves."""
        self._database = database
        self._timed = [job.name for job in jobs if job.every_s is not None]
        self._missing: dict[int | None, int] = {}
        self._pruned_at = 0.0

    def look(self) -> None:
        """Take over from the dead, start what is due, prune once a minute.

        Raises:
            Later: the database is away; what was seen before does not count any more.
        """
        try:
            self._rescue()
            with self._database.transaction() as connection:
                started = store.start_due(connection, self._timed)
            for name in started:
                _log.debug("timer", job=name)
            if monotonic_s() - self._pruned_at > _PRUNE_S or not self._pruned_at:
                with self._database.transaction() as connection:
                    store.prune(connection, _KEEP_SUCCEEDED_S, _KEEP_FAILED_S)
                self._pruned_at = monotonic_s()
        except BaseException:
            self._missing.clear()
            raise

    def _rescue(self) -> None:
        with self._database.transaction() as connection:
            dead = store.dead_workers(connection)
        self._missing = {worker: self._missing.get(worker, 0) + 1 for worker in dead}
        for worker in [worker for worker, looks in self._missing.items() if looks >= LOOKS]:
            with self._database.transaction() as connection:
                given = store.rescue(connection, worker, MOST_RESCUES)
                failpoint("jobs.rescue.before-commit")
            _log.warning("runner_died", worker=worker, jobs=given)
            del self._missing[worker]
