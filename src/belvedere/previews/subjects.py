"""A dashboard in the words that a preview and its message need.

What is not here: dashboards themselves; their room is asked.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.errors import NotFound
from belvedere.previews.model import Subject, Subjects


class Described(Protocol):
    """As much of a dashboard as is told."""

    @property
    def tenant_id(self) -> int:
        """Serial number of whose it is."""
        ...

    @property
    def tenant(self) -> str:
        """Name of whose it is."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def url(self) -> str:
        """Where it opens, as a whole address."""
        ...

    @property
    def link(self) -> str:
        """The address for messages."""
        ...

    @property
    def changed_at(self) -> datetime:
        """When what it shows was last made anew."""
        ...

    @property
    def renewed_at(self) -> datetime | None:
        """When it last had new values to show, where that is known."""
        ...


class Source(Protocol):
    """Where dashboards are looked up."""

    def get(self, actor: Actor, dashboard_id: UUID) -> Described:
        """Return one, or raise NotFound."""
        ...


def subjects(source: Source) -> Subjects:
    """Make the look-up."""

    def look(dashboard_id: UUID) -> Subject | None:
        try:
            found = source.get(SYSTEM, dashboard_id)
        except NotFound:
            return None
        return Subject(
            tenant=found.tenant_id, dashboard_id=dashboard_id, title=found.title, url=found.url, link=found.link,
            creator=found.tenant, changed_at=max(found.changed_at, found.renewed_at or found.changed_at),
        )

    return look
