"""The aspects of a tenant's place, a digest of each as it should be, and which of them have to be looked at. Pure.

A password is in no digest: the record of a data source tells whether it carries the newest one.
What is not here: reading Grafana (`observe.py`), and what differs (`../plan.py`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from belvedere.workspaces.grafana.model import (
    LOOK,
    Desired,
    Kind,
    Record,
    Records,
    RecordState,
    WantedBoard,
    WantedSource,
)
from belvedere.workspaces.grafana.shared.model import capture_subjects

ACCESS: Final = "access"
"""By which address and login Grafana is reached: by another one, everything is looked at."""

ORGANISATION: Final = "organisation"
FOLDER: Final = "folder"
CAPTURE: Final = "capture"
ACCOUNT: Final = "account"
MEMBERS: Final = "members"
TEAM: Final = "team"
SEATS: Final = "seats"
"""Who is in the team."""

RIGHTS: Final = "rights"
"""What the team's folder allows to whom."""

LINKS: Final = "links"
"""Whom the gateway lets see the tenant's rows."""

IsDue = Callable[[str], bool]
"""Whether an aspect was looked at; of others nothing is known, so nothing of them is done."""

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
    found |= {one for one in _drawn(desired, found) if one in wanted}
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
        seats = sorted(desired.team.seats, key=lambda one: one.login)
        yield TEAM, (desired.team.name, desired.team.mark)
        yield SEATS, [one.login for one in seats]
        more = [(one.login, one.permission) for one in seats if one.permission != LOOK]
        yield RIGHTS, (more, desired.capture, desired.folder_uid)
        if desired.linked:
            yield LINKS, ([(one.login, one.member) for one in seats], desired.capture)
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
    ours = {desired.administrator} - {""}
    if any(not one.joined and not one.is_called(*ours) for one in desired.members):
        yield MEMBERS
    yield from _lost(desired, records, links)


def _lost(desired: Desired, records: Records, links: frozenset[str]) -> Iterator[str]:
    """Yield what our records say nothing of, and whom the gateway does not let see the tenant's rows any more."""
    service = records.get((Kind.CAPTURE, "main"))
    if service is None:
        yield CAPTURE
    # What a folder allows is said by the team where there is one, and its record says nothing then.
    if desired.team is None and (Kind.FOLDER, "main") not in records:
        yield FOLDER
    if desired.team is not None and (Kind.TEAM, "main") not in records:
        yield from (TEAM, SEATS, RIGHTS)
    if desired.linked:
        if not {f"user:{one.number}" for one in desired.members if one.joined} <= links:
            yield LINKS
        if service is None or not capture_subjects(service.number) <= links:
            yield from (LINKS, RIGHTS)


def _drawn(desired: Desired, found: set[str]) -> Iterator[str]:
    """Yield the aspects of a team that have to be looked at because others are: those bring the numbers of users."""
    if desired.team is None:
        return
    if found & {MEMBERS, ACCOUNT}:
        yield from (SEATS, LINKS)
    account = desired.account.login if desired.account else ""
    more = {one.login == account for one in desired.team.seats if one.permission != LOOK}
    if CAPTURE in found or (MEMBERS in found and False in more) or (ACCOUNT in found and True in more):
        yield from (RIGHTS, LINKS)


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
