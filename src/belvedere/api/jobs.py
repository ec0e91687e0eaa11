"""The queue, for operators: what works, waits and is stuck."""

from datetime import datetime
from typing import Final

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Paging, Route, paged
from belvedere.api.parts import Message, number_of
from belvedere.jobs.model import JobRow


class JobView(msgspec.Struct, frozen=True):
    """A job. `error` is the sentence of the last try that did not succeed."""

    id: int
    name: str
    key: str
    state: str
    attempts: int
    created_at: datetime | None
    next_try_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    runner: str | None


class OverviewView(msgspec.Struct, frozen=True):
    """How many jobs stand where, and how many runners live."""

    waiting: int
    working: int
    failed: int
    succeeded: int
    runners: int
    oldest_waiting_at: datetime | None
    last_ended_at: datetime | None


class JobsQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the list: waiting, working, succeeded or failed."""

    state: str | None = None


def view(job: JobRow) -> JobView:
    """Render a job."""
    return JobView(job.id, job.name, job.key, job.state, job.attempts, job.created_at, job.next_try_at,
                   job.started_at, job.ended_at, job.error, job.runner)


def listed(call: Call[JobsQuery, None]) -> Answer:
    """List jobs, the newest first."""
    query = call.query
    return paged(call.services.queue.list(call.actor, state=query.state, after=query.after, limit=query.limit), view)


def overview(call: Call[NoQuery, None]) -> Answer:
    """Count the jobs by state."""
    found = call.services.queue.overview(call.actor)
    return Answer(
        OverviewView(found.waiting, found.working, found.failed, found.succeeded, found.runners,
                     found.oldest_waiting_at, found.last_ended_at)
    )


def try_now(call: Call[NoQuery, None]) -> Answer:
    """Make a waiting or failed job due at once."""
    call.services.queue.try_now(call.actor, number_of(call.path["job"]))
    return Answer(Message("It is due now."), 202)


ROUTES: Final = (
    Route("GET", "/jobs", "jobs.list", "List jobs", listed, list[JobView], query=JobsQuery, refusals=(400, 404)),
    Route("GET", "/jobs/overview", "jobs.overview", "Jobs by state", overview, OverviewView, refusals=(404,)),
    Route("POST", "/jobs/{job}/try", "jobs.try", "Try a job now", try_now, Message, status=202, refusals=(403, 404)),
)
