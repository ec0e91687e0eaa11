"""What a job is: a name, a key and a function that reads everything else from the database when it runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from belvedere.kernel.db import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work. Every room's `jobs.py` has `jobs(service) -> list[Job]`; `app.py` collects them.

    `run` takes the key. Its return means done; `Later` means again after its delay; `Stuck` and `Rejected`
    mean that a human must do something, and their sentence is shown; anything else is retried with growing
    delays, at most `most_attempts` times. At most one job with the same name and key runs at a time.
    `every_s` starts it by a timer as well, with the key `""`; many runners start one. Of the jobs that
    share a `queue`, one runner works on `at_once` at a time (a browser); 0 means as many as it has threads.
    """

    name: str
    run: Callable[[str], None]
    help: str
    every_s: float | None = None
    most_attempts: int = 8
    priority: int = 0
    queue: str = "default"
    at_once: int = 0


Reactions = Mapping[str, Sequence[str]]
"""Event name to the names of the jobs that it wakes, with the event's key: `reactions.py` is the one table."""


class Queue(Protocol):
    """What rooms see of the queue. Both verbs take the caller's own transaction: state and job commit together."""

    def enqueue(self, connection: Connection, job: str, key: str, *, in_s: float = 0.0) -> None:
        """Make sure that `job` runs for `key` after this commit. A waiting one is brought forward, not doubled."""

    def emit(self, connection: Connection, event: str, key: str) -> None:
        """Say that something happened to `key`; the reactions table decides which jobs that wakes."""


class JobState(StrEnum):
    """Where a job stands, in the words of the pages. Working means that its runner's session is open now."""

    WAITING = "waiting"
    WORKING = "working"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job as the jobs page shows it. `error` is the sentence of the last try that did not succeed."""

    id: int
    name: str
    key: str
    state: JobState
    attempts: int
    created_at: datetime | None
    next_try_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    runner: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """How many jobs stand where, who works, and when the last one ended."""

    waiting: int
    working: int
    failed: int
    succeeded: int
    runners: int
    oldest_waiting_at: datetime | None
    last_ended_at: datetime | None
