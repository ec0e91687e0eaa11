"""What the watcher remembers of one database between two looks. Pure: times come from the caller.

What is not here: when a relation is ready (`settle.py`) and when a database is entered (`watch.py`).
"""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from belvedere.stores.model import Relation, RelationState
from belvedere.stores.settle import UNSETTLED

_YOUNG_S: Final = 30.0
_OLD_S: Final = 600.0


@dataclass(slots=True)
class Place:
    """A watched database, and what the watcher knows of it. Times are of the monotonic clock, in seconds."""

    store_id: UUID
    tenant: int
    dbid: int
    database: str
    reader: str
    relations: dict[int, Relation]
    full_due_s: float
    visited_s: float | None = None
    written: int | None = None
    written_then: int | None = None
    skipped: int = 0
    empties_due_s: float = 0.0
    unsettled: set[int] = field(default_factory=set)
    # Empty tables that came while we watched, and when: their rows are expected soon.
    young: dict[int, float] = field(default_factory=dict)

    def remember(self, one: Relation, *, fresh: bool, now_s: float) -> None:
        """Keep a relation, and whether it is to be looked at again soon."""
        self.relations[one.oid] = one
        (self.unsettled.add if one.state in UNSETTLED else self.unsettled.discard)(one.oid)
        if one.state is not RelationState.EMPTY:
            self.young.pop(one.oid, None)
        elif fresh:
            self.young.setdefault(one.oid, now_s)

    def forget(self, oid: int) -> None:
        """Drop a relation that is gone."""
        self.relations.pop(oid, None)
        self.unsettled.discard(oid)
        self.young.pop(oid, None)

    def waiting(self, now_s: float) -> set[int]:
        """Return relations to look at again now: loading ones always, empty ones often at first, then less."""
        due = set(self.unsettled)
        for oid, since_s in list(self.young.items()):
            age_s = now_s - since_s
            if age_s > _OLD_S:
                del self.young[oid]
            elif age_s < _YOUNG_S or now_s >= self.empties_due_s:
                due.add(oid)
        return due


@dataclass(slots=True)
class Found:
    """What one look found out about a database."""

    changed: list[Relation] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    matters: bool = False

    def __bool__(self) -> bool:
        """Tell whether there is anything to write down."""
        return bool(self.changed or self.gone)
