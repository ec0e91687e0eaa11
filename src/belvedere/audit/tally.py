"""Counts refusals that repeat, so that a stranger who knocks all day fills no disk.

The first of a kind is written at once; those of the next minute are counted and written as one.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from belvedere.audit import record
from belvedere.kernel.clock import Now
from belvedere.kernel.ids import new_id

_WINDOW: Final = timedelta(minutes=1)
_MOST_KINDS: Final = 1_000


@dataclass(slots=True)
class _Kind:
    since: datetime
    body: dict[str, Any]
    count: int = 0


class Tally:
    """Refusals by kind: who, from where, what, to what, why."""

    def __init__(self, now: Now) -> None:
        """Take the clock."""
        self._now = now
        self._lock = Lock()
        self._kinds: dict[Hashable, _Kind] = {}

    def add(self, kind: Hashable, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Count one refusal.

        Returns:
            The records that are due now: this one if it is the first of its kind, and the counts of minutes that
            have passed. When there are too many kinds at once, all strangers count as one.
        """
        with self._lock:
            due = self._due(self._now() - _WINDOW)
            known = self._kinds.get(kind)
            if known is None and len(self._kinds) >= _MOST_KINDS:
                known = self._kinds.setdefault(None, _Kind(self._now(), body | {"target": "many", "actor": "many"}))
            if known is None:
                self._kinds[kind] = _Kind(self._now(), body)
                return [*due, body]
            known.count += 1
            return due

    def close(self) -> list[dict[str, Any]]:
        """Return what is still only counted."""
        with self._lock:
            return self._due(self._now())

    def _due(self, before: datetime) -> list[dict[str, Any]]:
        passed = [kind for kind, one in self._kinds.items() if one.since <= before]
        over = [self._kinds.pop(kind) for kind in passed]
        stamp = {"at": record.stamp(self._now())}
        return [one.body | stamp | {"id": str(new_id()), "count": one.count} for one in over if one.count]
