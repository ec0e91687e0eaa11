"""The way in, and what doors may ask: enqueue and emit in the caller's transaction, list, try now.

What is not here: working the jobs off (`runner.py`) and giving back what a dead runner held (`rescue.py`).
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from belvedere.jobs import store
from belvedere.jobs.model import JobRow, JobState, Overview, Reactions
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.page import Page

MOST_LISTED: Final = 200
"""Most jobs on one page."""


class Recorder(Protocol):
    """As much of the history as this room needs; rooms on one line do not import each other."""

    def action(
        self, actor: Actor, verb: str, target: str, *, tenant: int | None = None, **arguments: object
    ) -> AbstractContextManager[object]:
        """Write down a deed around the block that does it."""
        ...


class JobQueue:
    """The queue as rooms and doors see it. It needs no runner in its process."""

    def __init__(self, database: Database, reactions: Reactions, history: Recorder | None = None) -> None:
        """Take the control database, the one table of reactions, and the history for deeds of people."""
        self._database = database
        self._reactions = reactions
        self._history = history

    def enqueue(self, connection: Connection, job: str, key: str, *, in_s: float = 0.0) -> None:
        """Make sure that `job` runs for `key` after this commit, at the earliest in `in_s` seconds.

        A waiting one is brought forward, not doubled; a running one is followed by another run.
        """
        store.enqueue(connection, job, key, in_s)

    def emit(self, connection: Connection, event: str, key: str) -> None:
        """Wake the jobs that the reactions table names for `event`; an event without an entry wakes none."""
        for job in self._reactions.get(event, ()):
            store.enqueue(connection, job, key, 0.0)

    def overview(self, actor: Actor) -> Overview:
        """Count the jobs by state, for operators."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.overview(connection)

    def list(
        self, actor: Actor, *, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[JobRow]:
        """Return jobs, the newest first; `after` is the `next` of the page before.

        Raises:
            Rejected: there is no such state, or `after` is not of a page.
        """
        actor.must(Role.VIEWER)
        if state is not None and state not in set(JobState):
            message = f"No state named {state!r}. Use {', '.join(JobState)}."
            raise Rejected(message, field="state")
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):  # noqa: PLR2004  (fits a bigint)
            message = "This page key is not one of ours. Start from the first page."
            raise Rejected(message, field="after")
        limit = max(1, min(limit, MOST_LISTED))
        with self._database.transaction() as connection:
            found = store.listed(connection, state, int(after) if after else None, limit + 1)
        more = len(found) > limit
        return Page(items=found[:limit], next=str(found[limit - 1].id) if more else None)

    def try_now(self, actor: Actor, job_id: int) -> None:
        """Make a waiting or failed job due at once, with all its tries before it. A working one is left alone.

        Raises:
            NotFound: no such job waits, works or failed.
        """
        actor.must(Role.OPERATOR)
        recorded = self._history.action(actor, "job.try", str(job_id)) if self._history else nullcontext()
        with recorded, self._database.transaction() as connection:
            if store.try_now(connection, job_id) is None:
                message = f"No job {job_id} waits or has failed."
                raise NotFound(message)
