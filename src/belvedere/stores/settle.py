"""When a relation is ready to become a dashboard. Pure: what was known, what is seen now, and what follows.

A table is stable when nobody holds it for writing and its size was the same at two looks; an empty one waits
for rows; views and foreign tables have nothing to wait for. Once stable, it stays so until it goes: rows that
come later are the dashboard's business, columns that come later are a change.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from belvedere.stores.model import Relation, RelationKind, RelationState, Seen

_AT_ONCE: Final = frozenset({RelationKind.VIEW, RelationKind.FOREIGN_TABLE})

UNSETTLED: Final = frozenset({RelationState.NEW, RelationState.LOADING})
"""States that the next look may change by itself."""


def settle(store_id: UUID, known: Relation | None, seen: Seen, *, locked: bool, now: datetime) -> Relation:
    """Return the relation as it stands after this look."""
    state = _state(known, seen, locked=locked)
    size = seen.size_bytes
    if size is None:
        size = known.size_bytes if known else 0
    return Relation(
        store_id=store_id, oid=seen.oid, schema=seen.schema, name=seen.name, kind=seen.kind, columns=seen.columns,
        rows_estimate=seen.rows_estimate, size_bytes=size, state=state,
        first_seen_at=known.first_seen_at if known else now,
        stable_at=(known.stable_at if known else None) or (now if state is RelationState.STABLE else None),
        readable=seen.readable,
    )


def matters(known: Relation | None, after: Relation) -> bool:
    """Tell whether dashboards must hear of it: it became stable, or a stable one changed its shape or its name."""
    if after.state is not RelationState.STABLE:
        return False
    return known is None or known.state is not RelationState.STABLE or shape(known) != shape(after)


def is_news(known: Relation | None, after: Relation) -> bool:
    """Tell whether it is worth writing down: a stable table that only grows is written at full looks alone."""
    return known is None or known.state is not after.state or shape(known) != shape(after)


def shape(relation: Relation) -> tuple[object, ...]:
    """Return what a dashboard depends on."""
    return relation.schema, relation.name, relation.kind, relation.columns, relation.readable


def gone(known: Relation) -> Relation:
    """Return the relation as dropped."""
    return replace(known, state=RelationState.GONE)


def _state(known: Relation | None, seen: Seen, *, locked: bool) -> RelationState:
    was = known.state if known else None
    if was is RelationState.STABLE or seen.kind in _AT_ONCE:
        return RelationState.STABLE
    if locked or seen.size_bytes is None:
        return RelationState.LOADING
    if seen.size_bytes == 0 or not seen.populated:
        return RelationState.EMPTY
    if known is None:
        return RelationState.NEW
    held_still = was is not RelationState.EMPTY and known.size_bytes == seen.size_bytes
    return RelationState.STABLE if held_still else RelationState.LOADING
