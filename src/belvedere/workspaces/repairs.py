"""Looks at one tenant's workspace and does, step by step, what differs from what it should be.

What is not here: the tenant's lock, how the look went for the pages, and whom the end of it wakes (`service.py`).
"""

from typing import Any, Final

from belvedere.audit.model import History
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan
from belvedere.tenants.service import Tenants
from belvedere.workspaces.drift.notes import Notes
from belvedere.workspaces.grafana.api import Changed, NotInOrganisation
from belvedere.workspaces.grafana.narrow.looks import Look
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place, Workspace

ROOM: Final = "workspaces"
_MOST_LOOKS: Final = 3


class Repairs:
    """The looks at workspaces, and the steps that they lead to. The caller holds the tenant's lock."""

    def __init__(self, *, history: History, tenants: Tenants, notes: Notes) -> None:
        """Take what it needs."""
        self._history = history
        self._tenants = tenants
        self._notes = notes

    def repair(self, workspace: Workspace, place: Place, *, whole: bool) -> tuple[list[str], bool]:
        """Look and repair; return the keys of the steps, and whether everything was looked at.

        Args:
            workspace: where.
            place: whose.
            whole: look at everything; else only at what changed on our side, as far as that tells enough.

        Raises:
            Later, Stuck: as the workspace says.
        """
        done: list[str] = []
        if isinstance(workspace, GrafanaWorkspace):
            # A look at everything that was asked for meanwhile is not left to the next job: somebody waits for its end.
            if not whole and self._narrow(workspace, place, done) and not workspace.is_whole_due(place):
                return done, False
            self._whole(workspace, place, done)
        else:
            plan = workspace.plan(place)
            self._do(workspace, place, plan, done)
        return done, True

    def apply(self, workspace: Workspace, place: Place, plan: Plan[Any], room: str = ROOM) -> None:
        """Do a plan's steps, each with its own record."""
        with self._tenants.log.steps(place.tenant, room) as begin:
            for step in plan.steps:
                begin(step.key)
                workspace.apply(place, step)
                failpoint("workspaces.apply.after-step")

    def _whole(self, workspace: GrafanaWorkspace, place: Place, done: list[str]) -> None:
        for _ in range(_MOST_LOOKS):
            look = workspace.look(place)
            self._follow(workspace, place, look, done)
            if not look.plan.partial:
                break

    def _narrow(self, workspace: GrafanaWorkspace, place: Place, done: list[str]) -> bool:
        """Look at what is due and do it; False when everything has to be looked at.

        That is so as well when something turns out not to be as it was left, or is refused: only a look at everything
        tells what to make of it.
        """
        try:
            look = workspace.look_narrowly(place)
            if look is not None:
                self._follow(workspace, place, look, done)
        except (Changed, NotInOrganisation, Stuck):
            return False
        return look is not None

    def _follow(self, workspace: GrafanaWorkspace, place: Place, look: Look, done: list[str]) -> None:
        if look.plan:
            workspace.begin(place, look)
        self._do(workspace, place, look.plan, done)
        if not look.plan.partial:
            workspace.end(place, look)

    def _do(self, workspace: Workspace, place: Place, plan: Plan[Any], done: list[str]) -> None:
        """Write down what differs, and do it. What was begun counts as done: others are told rather once too often."""
        self._notes.found(workspace, place, plan)
        self._tenants.log.begin(place.tenant, ROOM, plan)
        done += [step.key for step in plan.steps]
        if plan:
            kept = {"kept": ", ".join(plan.kept)} if plan.kept else {}
            with self._history.action(
                SYSTEM, "workspace.open", place.name, tenant=place.tenant, kind=workspace.kind, **kept
            ):
                self.apply(workspace, place, plan)
