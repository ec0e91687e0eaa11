"""One store of a tenant at a time, in one process: a tenant with many slow stores holds one thread of a runner."""

import threading
from uuid import UUID


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
