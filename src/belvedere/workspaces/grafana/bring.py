"""Dashboards that people changed or made the tenant's own, as a move takes them from one place to another.

What is not here: writing them there (`workspace.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.model import Kind, Records, RecordState, Theirs
from belvedere.workspaces.grafana.observe import read_board
from belvedere.workspaces.grafana.plan import is_by_hand

PEOPLES: Final = frozenset({RecordState.BY_HAND, RecordState.DETACHED})
"""The states of a dashboard that Belvedere does not write over."""


def theirs_of(
    grafana: Grafana, organisation: int, records: Records, neutral: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> list[Theirs]:
    """Read what people changed, also what nobody has noticed before; `neutral` writes it for any place."""
    found = []
    for (kind, key), record in records.items():
        if kind is not Kind.BOARD:
            continue
        seen = read_board(grafana, organisation, record.uid)
        state = record.state
        if seen is not None and state is RecordState.OURS and is_by_hand(seen, record):
            state = RecordState.BY_HAND
        if seen is not None and seen.readable and state in PEOPLES:
            found.append(Theirs(UUID(key), state, neutral(seen.document)))
    return found
