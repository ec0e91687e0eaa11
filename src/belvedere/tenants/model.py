"""What a tenant is, and the steps that make its place.

What is not here: names and their rules (`names.py`), how steps are recorded (`steps.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What a tenant's data are. Tables in databases of its own, for now."""

    TABLES = "tables"


class TenantState(StrEnum):
    """How far a tenant's place is, read from its steps."""

    WORKING = "working"
    READY = "ready"
    PARTIAL = "partial"
    NEEDS_YOU = "needs you"
    DELETING = "deleting"


class StepState(StrEnum):
    """How far one step is. `waiting` is tried again by itself, `failed` is not."""

    PLANNED = "planned"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who owns data. `serial` is the `id` of the API's paths and the `tenant_id` of every table.

    A tenant that is `deleting` is on its way out, whatever its state says about how that goes; nothing is
    made for it any more. `problem` is the error of its first failed or waiting step.
    """

    serial: int
    id: UUID
    name: str
    slug: str
    kind: Kind
    state: TenantState
    created_at: datetime
    created_by: str
    is_active: bool = True
    keep_data: bool = False
    steps_done: int = 0
    steps_total: int = 0
    problem: str = ""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a tenant's provisioning or removal, as pages and the API show it.

    `key` is stable over runs and unique within `room`; `sign` is `+`, `~` or `-`; `error` is a sentence
    without secrets; `next_try_at` is when a waiting step is due.
    """

    key: str
    room: str
    sign: str
    title: str
    target: str
    state: StepState
    error: str | None
    next_try_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    position: int
