"""A dashboard as people and doors see it: which table, which template, in what state, and why.

The typed model that workspaces draw is `workspaces/model.py`, named again here as `Model`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from belvedere.dashboards.classify import Candidate, Classification, MatchedColumn
from belvedere.dashboards.template import find
from belvedere.kernel.errors import Rejected
from belvedere.workspaces.model import Model
from belvedere.workspaces.viewer.model import PanelData, ViewLayout

__all__ = [
    "Candidate", "Classification", "Dashboard", "DashboardState", "MatchedColumn", "Model", "PanelData", "ViewLayout",
    "Why",
]


class DashboardState(StrEnum):
    """How far a dashboard is. `waiting` is tried again by itself; `needs you` says what a human must do."""

    WORKING = "working"
    READY = "ready"
    WAITING = "waiting"
    NEEDS_YOU = "needs you"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard of one tenant. `message` explains any state but ready; `url` is the whole address where it is now.

    `link` is one for messages: where it can, it leads through the portal to wherever the dashboard is by then.

    `changed_at` is when it was last drawn otherwise, `renewed_at` when it last had new values of a campaign to show.
    `preview_id`, `captured_at` and `sent_at` tell of the newest good preview and the first message sent about it.
    """

    id: UUID
    tenant_id: int
    tenant: str
    slug: str
    store_id: UUID
    store_kind: str
    database: str
    table: str
    subject: str
    family: str
    title: str
    state: DashboardState
    message: str
    url: str
    link: str
    created_at: datetime
    changed_at: datetime
    guess: bool
    template: str
    overridden: bool
    renewed_at: datetime | None = None
    preview_id: UUID | None = None
    captured_at: datetime | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a dashboard looks as it does. `score` and `needed` go from 0 to 1; `matched` has every column.

    `override` is the template that a person chose, with the reason and who it was, or empty.
    """

    template: str
    family: str
    score: float
    needed: float
    matched: list[MatchedColumn]
    runner_up: Candidate | None
    candidates: list[Candidate]
    missing: list[str]
    reasons: list[str]
    guess: bool
    rows_looked_at: int
    whole: bool
    looked_at: datetime
    override: str = ""
    override_reason: str = ""
    override_by: str = ""

    def must_allow(self, template: str, reason: str) -> None:
        """Check that a person may choose another template for this table, and says why.

        Raises:
            Rejected: there is no such template, the table lacks what it needs, or the reason is empty.
        """
        claim = next((one for one in self.candidates if one.template == template), None)
        if claim is None or find(template) is None:
            message = f"There is no template `{template[:60]}`."
            raise Rejected(message, field="template")
        if claim.missing:
            missing = ", ".join(claim.missing)
            message = f"`{template}` needs {missing}, which this table does not have."
            raise Rejected(message, field="template")
        if not reason.strip():
            message = "Enter a reason. Others see it here."
            raise Rejected(message, field="reason")
