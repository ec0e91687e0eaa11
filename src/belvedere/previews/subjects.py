"""A dashboard in the words that a preview and its message need.

What is not here: dashboards and tenants themselves; they are asked.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.errors import NotFound
from belvedere.previews.model import Subject, Subjects
from belvedere.tenants.service import Tenants


class Described(Protocol):
    """As much of a dashboard as is told."""

    @property
    def tenant_id(self) -> int:
        """Serial number of whose it is."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def url(self) -> str:
        """Where it opens; a path of the portal, or an address."""
        ...

    @property
    def changed_at(self) -> datetime:
        """When what it shows was last made anew."""
        ...


class Source(Protocol):
    """Where dashboards are looked up."""

    def get(self, actor: Actor, dashboard_id: UUID) -> Described:
        """Return one, or raise NotFound."""
        ...


def subjects(source: Source, tenants: Tenants, portal_url: str) -> Subjects:
    """Make the look-up. `portal_url` goes before paths, so that a message can be opened from anywhere."""

    def look(dashboard_id: UUID) -> Subject | None:
        try:
            found = source.get(SYSTEM, dashboard_id)
            creator = tenants.get(SYSTEM, found.tenant_id).name
        except NotFound:
            return None
        url = portal_url.rstrip("/") + found.url if found.url.startswith("/") else found.url
        return Subject(
            tenant=found.tenant_id, dashboard_id=dashboard_id, title=found.title, url=url, creator=creator,
            changed_at=found.changed_at,
        )

    return look
