"""The aspects of a tenant's place, a digest of each as it should be, and which of them have to be looked at. Pure.

A password is in no digest: the record of a data source tells whether it carries the newest one.
What is not here: reading Grafana (`observe.py`), and what differs (`../plan.py`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from belvedere.workspaces.grafana.model import Desired, Kind, Record, Records, RecordState, WantedBoard, WantedSource

ACCESS: Final = "access"
"""By which address and login Grafana is reached: by another one, everything is looked at."""

ORGANISATION: Final = "organisation"
FOLDER: Final = "folder"
CAPTURE: Final = "capture"
ACCOUNT: Final = "account"
MEMBERS: Final = "members"
TEAM: Final = "team"
SEATS: Final = "seats"
"""Who is in the team, what its folder allows to whom, and whom the gateway lets see its rows."""

_LENGTH: Final = 32


def source_aspect(source: WantedSource) -> str:
    """Return the name of a data source's aspect."""
    return f"{Kind.SOURCE}:{source.key}"


def board_aspect(board: WantedBoard) -> str:
    """Return the name of a dashboard's aspect."""
    return f"{Kind.BOARD}:{board.dashboard_id}"


def aspects(desired: Desired, access: str) -> dict[str, str]:
    """Return the digest of every aspect as it should be; `access` tells two ways to Grafana apart."""
    return {name: _digest(parts) for name, parts in _aspects(desired, access)}


def board_digest(board: WantedBoard) -> str:
    """Return the digest of a dashboard's aspect, for one that is published alone."""
    return _digest(_board(board))


def due(
    desired: Desired, records: Records, applied: Mapping[str, str], wanted: Mapping[str, str],
    links: frozenset[str] = frozenset(),
) -> frozenset[str] | None:
    """Return the aspects that have to be looked at; None when everything has to be.

    Args:
        desired: what should be there.
        records: what was written down when it was made.
        applied: the digests of what was applied completely.
        wanted: the digests of what should be there.
        links: whom the gateway lets see the tenant's rows.
    """
    if ORGANISATION not in applied or applied.get(ACCESS) != wanted[ACCESS]:
        return None
    found = {name for name, digest in wanted.items() if applied.get(name) != digest}
    found |= set(_open(desired, records, links))
    if desired.team is not None and found & {TEAM, CAPTURE, ACCOUNT, MEMBERS}:
        # Whom the folder lets in is said by numbers that these bring.
        found.add(SEATS)
    return frozenset(found - set(_left_alone(desired, records)))


def _aspects(desired: Desired, access: str) -> Iterator[tuple[str, Any]]:
    yield ACCESS, access
    yield ORGANISATION, (desired.organisation, desired.mark, desired.owns, desired.shared, desired.number)
    yield FOLDER, (desired.folder_uid, desired.folder_title)
    yield CAPTURE, desired.capture
    account = desired.account
    if account is not None:
        hidden = any(one.is_called(account.login) for one in desired.members)
        yield ACCOUNT, (account.login, account.role, account.existing, hidden)
    if desired.users:
        members = sorted((one.login, one.email, one.role) for one in desired.members)
        yield MEMBERS, (members, desired.administrator)
    if desired.team is not None:
        yield TEAM, (desired.team.name, desired.team.mark)
        seats = sorted((one.login, one.member, one.permission) for one in desired.team.seats)
        yield SEATS, (seats, desired.linked, desired.capture, desired.folder_uid)
    for source in desired.sources:
        yield source_aspect(source), (
            source.uid, source.name, source.url, source.user, source.through, source.json_data(),
        )
    for board in desired.boards:
        yield board_aspect(board), _board(board)


def _board(board: WantedBoard) -> tuple[str, str]:
    return board.uid, board.digest


def _open(desired: Desired, records: Records, links: frozenset[str]) -> Iterator[str]:
    """Yield what our own records say is not as it should be: half-made, chosen anew by a person, or lost."""
    for source in desired.sources:
        record = records.get((Kind.SOURCE, source.key))
        if record is None or record.uid != source.uid or record.digest != source.seal:
            yield source_aspect(source)
    for board in desired.boards:
        if _is_open(board, records.get((Kind.BOARD, str(board.dashboard_id)))):
            yield board_aspect(board)
    # What a folder allows is said by the team where there is one, and its record says nothing then.
    made = ((CAPTURE, Kind.CAPTURE), (FOLDER, Kind.FOLDER) if desired.team is None else (TEAM, Kind.TEAM))
    yield from (aspect for aspect, kind in made if (kind, "main") not in records)
    ours = {desired.administrator} - {""}
    if any(not one.joined and not one.is_called(*ours) for one in desired.members):
        yield MEMBERS
    service = records.get((Kind.CAPTURE, "main"))
    subjects = {f"user:{one.number}" for one in desired.members if one.joined}
    subjects |= {f"service-account:{service.number}"} if service else set()
    if desired.linked and not subjects <= links:
        yield SEATS


def _is_open(board: WantedBoard, record: Record | None) -> bool:
    if record is None or record.state is RecordState.RESTORE:
        return True
    return record.state is RecordState.OURS and record.digest != board.digest


def _left_alone(desired: Desired, records: Records) -> Iterator[str]:
    """Yield the dashboards that a person made the tenant's own."""
    for board in desired.boards:
        record = records.get((Kind.BOARD, str(board.dashboard_id)))
        if record is not None and record.state is RecordState.DETACHED:
            yield board_aspect(board)


def _digest(parts: Any) -> str:  # noqa: ANN401  (any JSON)
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
