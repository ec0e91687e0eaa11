"""Reads the aspects of a tenant's place that are due, and the organisation around them: five calls for one change.

What is not due is taken as it was left. Where something is not as it was left, nothing is concluded from a part:
everything has to be looked at. Changes nothing. What is not here: which aspects are due (`aspects.py`).
"""

from typing import Any, Final

from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Folder, Source
from belvedere.workspaces.grafana.api import Changed, Grafana
from belvedere.workspaces.grafana.deeds import VIEWER
from belvedere.workspaces.grafana.model import (
    LOOK,
    Desired,
    Kind,
    Observed,
    Record,
    Records,
    Right,
    SeenBoard,
    SeenOrganisation,
    SeenService,
    SeenTeam,
)
from belvedere.workspaces.grafana.narrow.aspects import (
    ACCOUNT,
    CAPTURE,
    FOLDER,
    LINKS,
    MEMBERS,
    RIGHTS,
    SEATS,
    TEAM,
    board_aspect,
    source_aspect,
)
from belvedere.workspaces.grafana.observe import is_inside, left, read_board, see_members, see_services
from belvedere.workspaces.grafana.people.model import SeenMember
from belvedere.workspaces.grafana.shared.observe import see_rights, see_team

_GONE: Final = 404


class Unexpected(Changed):
    """What stands in Grafana is not what was left there."""


def observe(grafana: Grafana, desired: Desired, number: int, records: Records, due: frozenset[str]) -> Observed:
    """Return what is there of the aspects that are due.

    Args:
        grafana: where.
        desired: what should be there.
        number: the organisation on record.
        records: what was left there.
        due: the aspects to look at.

    Raises:
        Unexpected: something is not as it was left; everything has to be looked at.
    """
    organisation = _organisation(grafana, desired, number)
    members: dict[str, SeenMember] = {}
    if desired.users and due & {ACCOUNT, MEMBERS, SEATS, RIGHTS, LINKS}:
        members = see_members(grafana, number)
        if not is_inside(grafana, members):
            raise Unexpected(_SENTENCE)
    more: dict[str, Any] = {}
    services = _service(grafana, number, desired, records) if CAPTURE in due else _on_record(desired, records)
    if due & {TEAM, SEATS, RIGHTS} and desired.team is not None:
        more["team"] = _team(grafana, number, desired, records, people=SEATS in due)
    if RIGHTS in due:
        more["rights"] = _rights(grafana, number, desired, services, asked=CAPTURE in due)
    return Observed(
        organisation, members=members, services=services, public=left(records),
        folders=_folders(grafana, number, desired, records) if FOLDER in due else {},
        sources=_sources(grafana, number, desired, records, due),
        boards=_boards(grafana, number, desired, records, due), **more,
    )


def _organisation(grafana: Grafana, desired: Desired, number: int) -> SeenOrganisation:
    """Read it from inside, which proves the way to it; the mark proves that it is the one on record."""
    found = grafana.look_in(number)
    marked = desired.owns or (desired.shared and not desired.number)
    if found is None or (marked and found.address.address1 != desired.mark):
        raise Unexpected(_SENTENCE)
    return SeenOrganisation(found.id, found.name, found.address.address1)


def _service(grafana: Grafana, number: int, desired: Desired, records: Records) -> dict[str, SeenService]:
    found = see_services(grafana, number, desired)
    if desired.capture not in found and (Kind.CAPTURE, "main") in records:
        raise Unexpected(_SENTENCE)
    return found


def _team(
    grafana: Grafana, number: int, desired: Desired, records: Records, *, people: bool
) -> SeenTeam | None:
    record = records.get((Kind.TEAM, "main"))
    if desired.team is None:
        return None
    found = see_team(grafana, number, desired.team, record.number if record else 0, people=people)
    if record is not None and (found is None or found.id != record.number):
        raise Unexpected(_SENTENCE)
    return found


def _on_record(desired: Desired, records: Records) -> dict[str, SeenService]:
    record = records.get((Kind.CAPTURE, "main"))
    if record is None:
        return {}
    return {desired.capture: SeenService(record.number, desired.capture, VIEWER, disabled=False)}


def _rights(
    grafana: Grafana, number: int, desired: Desired, services: dict[str, SeenService], *, asked: bool
) -> frozenset[Right]:
    """Read what the folder allows. The account for previews is let in by it, so that its number need not be asked for.

    A number on record alone proves nothing: a Grafana that was set back gives it to another tenant's account.
    """
    rights = see_rights(grafana, number, desired.folder_uid)
    if not asked and any(Right(f"user {one.id}", LOOK) not in rights for one in services.values()):
        raise Unexpected(_SENTENCE)
    return rights


def _folders(grafana: Grafana, number: int, desired: Desired, records: Records) -> dict[str, Folder]:
    answer = grafana.ask(requests.folder(desired.folder_uid), _GONE, organisation=number)
    if answer.status != _GONE:
        return {desired.folder_uid: answer.read(Folder)}
    if (Kind.FOLDER, "main") in records:
        raise Unexpected(_SENTENCE)
    return {}


def _sources(
    grafana: Grafana, number: int, desired: Desired, records: Records, due: frozenset[str]
) -> dict[str, Source]:
    found = {}
    for one in desired.sources:
        if source_aspect(one) in due:
            answer = grafana.ask(requests.source(one.uid), _GONE, organisation=number)
            if answer.status != _GONE:
                found[one.uid] = answer.read(Source)
            elif _stood(records.get((Kind.SOURCE, one.key))):
                raise Unexpected(_SENTENCE)
    return found


def _boards(
    grafana: Grafana, number: int, desired: Desired, records: Records, due: frozenset[str]
) -> dict[str, SeenBoard]:
    found = {}
    for one in desired.boards:
        if board_aspect(one) in due:
            seen = read_board(grafana, number, one.uid)
            if seen is not None:
                found[one.uid] = seen
            elif _stood(records.get((Kind.BOARD, str(one.dashboard_id)))):
                raise Unexpected(_SENTENCE)
    return found


def _stood(record: Record | None) -> bool:
    """Tell whether something was there when it was last written down; while it is being made it has no version."""
    return record is not None and record.version > 0


_SENTENCE: Final = "Something in Grafana is not as it was left. All of it is looked at."
