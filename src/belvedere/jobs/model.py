"""What a job is: a name, a key and a function that reads everything else from the database when it runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from belvedere.kernel.db import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work. Every room's `jobs.py` has `jobs(service) -> list[Job]`; `app.py` collects them.

    `run` takes the key. Its return means done; `Later` means again after its delay; `Stuck` and `Rejected`
    mean that the room recorded what a human must do; anything else is retried with growing delays.
    At most one job with the same name and key runs at a time. `every_s` starts it by a timer as well, with
    the key `""`. `exclusive` names a group of which one job runs at a time on one host (a browser).
    """

    name: str
    run: Callable[[str], None]
    help: str
    every_s: float | None = None
    most_attempts: int = 8
    priority: int = 0


Reactions = Mapping[str, Sequence[str]]
"""Event name to the names of the jobs that it wakes, with the event's key: `reactions.py` is the one table."""


class Queue(Protocol):
    """What rooms see of the queue. Both verbs take the caller's own transaction: state and job commit together."""

    def enqueue(self, connection: Connection, job: str, key: str, *, in_s: float = 0.0) -> None:
        """Make sure that `job` runs for `key` after this commit. A waiting one is brought forward, not doubled."""

    def emit(self, connection: Connection, event: str, key: str) -> None:
        """Say that something happened to `key`; the reactions table decides which jobs that wakes."""
