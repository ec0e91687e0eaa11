"""The words of drift: how a workspace is, what differs in it, what a person changed by hand. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.kernel.plan import Change
from belvedere.workspaces.tiers import Tier

PASSING: Final = frozenset({"later", "grafana-away", "grafana-changed", "database-away"})
"""Problems that are tried again by themselves: the workspace waits, and nobody has to act."""


class WorkspaceWord(StrEnum):
    """How a workspace is, in a word of the pages. Drifted: something differs, or waits for a person's choice."""

    READY = "ready"
    WORKING = "working"
    WAITING = "waiting"
    DRIFTED = "drifted"
    NEEDS_YOU = "needs you"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """How a tenant's workspace was at the last look. `looked_at` is the last good one; `ended_at` the last of all.

    `url` leads to the tenant's place; empty for the viewer, and while there is none. `differs` counts what waits to
    be repaired, `by_hand` the dashboards that wait for a choice.
    """

    tenant: int
    name: str
    slug: str
    tier: Tier
    word: WorkspaceWord
    url: str = ""
    organisation: int = 0
    organisation_name: str = ""
    problem: str = ""
    problem_type: str = ""
    hint: str = ""
    since: datetime | None = None
    looked_at: datetime | None = None
    ended_at: datetime | None = None
    differs: int = 0
    by_hand: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs, or did: what the plan said of it. `dashboard` is set where a person has to choose."""

    tenant: int
    key: str
    sign: str
    title: str
    target: str
    changes: tuple[Change, ...]
    found_at: datetime
    settled_at: datetime | None = None
    dashboard: UUID | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """One thing that stands in the tenant's place in Grafana, as it was written down when it was made."""

    kind: str
    key: str
    uid: str
    number: int
    state: str


@dataclass(frozen=True, slots=True)
class TenantDrift:
    """One tenant with all that differs now."""

    state: WorkspaceState
    differences: tuple[Difference, ...]


def word_of(*, deleting: bool, opened: bool, problem_type: str, differs: int) -> WorkspaceWord:
    """Return the word for a workspace, the worst first."""
    if deleting:
        return WorkspaceWord.DELETING
    if problem_type:
        return WorkspaceWord.WAITING if problem_type in PASSING else WorkspaceWord.NEEDS_YOU
    if differs:
        return WorkspaceWord.DRIFTED
    return WorkspaceWord.READY if opened else WorkspaceWord.WORKING
