"""What a job that looked at a workspace writes down for the pages: how it went, and what differed.

What is not here: reading it for doors (`service.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.plan import Plan, Sign
from belvedere.workspaces import store as workspace_store
from belvedere.workspaces.drift import store
from belvedere.workspaces.grafana.plan import BY_HAND
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place, Workspace


@dataclass(slots=True)
class Ending:
    """How a look ended: whether everything was looked at."""

    whole: bool = True


class Notes:
    """Writes down looks and differences, each in a transaction of its own: a crash leaves what was known."""

    def __init__(self, database: Database) -> None:
        """Take the control database."""
        self._database = database

    @contextmanager
    def around(self, workspace: Workspace, place: Place) -> Iterator[Ending]:
        """Write down how the block went; it may say that it looked at a part alone."""
        ending = Ending()
        try:
            yield ending
        except BelvedereError as error:
            workspace.noted(place, error)
            with self._database.transaction() as connection:
                store.ended(connection, place.tenant, error.detail, error.problem, error.hint or "")
            raise
        workspace.noted(place, None)
        with self._database.transaction() as connection:
            store.ended(connection, place.tenant, whole=ending.whole)

    def found(self, workspace: Workspace, place: Place, plan: Plan[Any]) -> None:
        """Write down what differs in a workspace that stood before: making a new one is no drift."""
        with self._database.transaction() as connection:
            if workspace_store.kind_of(connection, place.tenant) != workspace.kind:
                return
            store.found(connection, place.tenant, plan)
            unexplained = store.is_unexplained(connection, place.tenant)
        if unexplained and isinstance(workspace, GrafanaWorkspace):
            self.explain(workspace, place)

    def explain(self, workspace: GrafanaWorkspace, place: Place) -> None:
        """Read what people changed in dashboards, field by field, from ours to theirs."""
        changed = workspace.by_hand(place)
        with self._database.transaction() as connection:
            for dashboard_id, title, changes in changed:
                store.put(
                    connection, place.tenant, f"board:{dashboard_id}", sign=Sign.CHANGE, title=BY_HAND, target=title,
                    changes=changes,
                )

    def settle(self, connection: Connection, tenant: int) -> None:
        """Write down that all was repaired but what waits for a person."""
        store.settle(connection, tenant)
