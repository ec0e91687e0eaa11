"""The port: what Belvedere asks of the place where a tenant looks. Few verbs, each safe to repeat.

The built-in viewer is the first implementation (`viewer/workspace.py`), a Grafana's organisation the second
(`grafana/workspace.py`). Every implementation passes
`tests/contract/test_workspace.py`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import psycopg

from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.plan import Plan, Step
from belvedere.workspaces.model import Model


@dataclass(frozen=True, slots=True)
class Place:
    """Whose workspace: the tenant's serial number, name, and slug in addresses."""

    tenant: int
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Publication:
    """A dashboard as it is to be shown: the typed model, and its Grafana document for workspaces that take one.

    `in_viewer` is False for one whose rows the portal's own pages cannot read.
    """

    dashboard_id: UUID
    store_id: UUID
    model: Model
    document: Mapping[str, Any] = field(default_factory=dict)
    in_viewer: bool = True


class Workspace(Protocol):
    """Where tenants look. Vendor errors come out as `Rejected`, `Later` or `Stuck`."""

    kind: str
    exclusive: bool
    """Whether one tenant's place takes one writer at a time, over all processes: true for outside systems."""

    def plan(self, place: Place, *, wanted: bool = True) -> Plan[Any]:
        """Compare the tenant's workspace with what it should be (or with its absence), and say what to do."""
        ...

    def apply(self, place: Place, step: Step[Any]) -> None:
        """Do one step. Planning after all steps gives an empty plan."""
        ...

    def publish(self, place: Place, publication: Publication) -> str:
        """Show a dashboard, or show it anew, and return its address: whole, or a path of the portal.

        The address of one dashboard never changes; publishing the same again changes nothing.
        """
        ...

    def retract(self, place: Place, dashboard_id: UUID) -> None:
        """Stop showing a dashboard. One that is not shown is no error."""
        ...

    def noted(self, place: Place, error: BelvedereError | None) -> None:
        """Write down how the last look at the tenant's place went, for the pages; None when all was well."""
        ...


class Readers(Protocol):
    """The one way to tenants' rows."""

    def reader(self, store_id: UUID) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Give a connection of the tenant's reader in a read-only transaction that is always rolled back.

        `search_path` is `pg_catalog`, times are in UTC, statements have a time-out.

        Raises:
            Later: the store does not answer, or all its connections are in use.
        """
        ...
