"""Who goes first: one store of a tenant at a time, so that slow ones hold one thread, and the worst tables last."""

import threading
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from belvedere.dashboards.look import Seen
from belvedere.dashboards.store import Stored

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Turns:
    """Who is at work for which tenant, and who came meanwhile. Safe for threads."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        self._lock = threading.Lock()
        self._behind: dict[int, set[UUID]] = {}

    def begin(self, tenant: int, store: UUID) -> bool:
        """Take the tenant's turn; False if another has it, which then learns at its end that this store came."""
        with self._lock:
            if tenant in self._behind:
                self._behind[tenant].add(store)
                return False
            self._behind[tenant] = set()
            return True

    def end(self, tenant: int) -> set[UUID]:
        """Give the turn back, and return the stores that came meanwhile."""
        with self._lock:
            return self._behind.pop(tenant, set())


def worst_last(relations: list[Seen], stored: dict[tuple[str, str], Stored]) -> list[tuple[Seen, Stored | None]]:
    """Put last what may take all the time, and what has just had some: what failed before, and views."""
    def order(pair: tuple[Seen, Stored | None]) -> tuple[int, bool, datetime]:
        one, known = pair
        return known.failures if known else 0, one.kind == "view", known.looked_at if known else _NEVER

    return sorted(((one, stored.get((one.schema, one.name))) for one in relations), key=order)
