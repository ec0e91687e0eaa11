"""What differs between the fleet's dashboard in Grafana and what should be there, and the steps that mend it. Pure.

A plan made after its own steps were applied is empty. What somebody changed by hand in the dashboard stays until an
operator asks for ours again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from belvedere.dashboards.fleet.model import (
    BY_HAND,
    FOLDER,
    SOURCE,
    TITLE,
    TOKEN,
    Record,
    SeenGrafana,
    SeenToken,
    Wanted,
)
from belvedere.kernel.plan import Change, Plan, Sign, Step
from belvedere.workspaces.grafana.answers import Source
from belvedere.workspaces.grafana.document import differences

SUBJECT: Final = TITLE
_NEW: Final = "(the new one)"


class Do(StrEnum):
    """The deeds that `grafana.py` and `summaries.py` of the stores can do."""

    BUCKET = "bucket"
    MAP = "map"
    TOKEN = "token"  # noqa: S105  (the name of a deed)
    ORGANISATION = "organisation"
    JOIN = "join"
    FOLDER = "folder"
    SOURCE = "source"
    BOARD = "board"
    DROP_BOARD = "drop-board"
    DROP_SOURCE = "drop-source"
    DROP_FOLDER = "drop-folder"
    DROP_TOKEN = "drop-token"  # noqa: S105  (same)
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Deed:
    """What to do.

    `version` is the one that was read, 0 where nothing stood; `folder` is where the dashboard stands, `number` that of
    the token that is to go or of the organisation that was seen.
    """

    do: Do
    version: int = 0
    folder: str = ""
    number: str = ""


Steps = Iterator[Step[Deed]]


def plan(
    wanted: Wanted, token: SeenToken, seen: SeenGrafana, record: Record, *, restore: bool = False
) -> Plan[Deed]:
    """Return the steps from what is to what should be; with `restore` ours is written over what people changed."""
    warnings = tuple(
        f"{one} is of a tenant and stands in the operators' organisation: who is in it sees all tenants' files."
        for one in seen.strangers
    )
    steps = [*_influx(wanted, token)]
    if seen.organisation and not seen.member:
        steps.append(_step(Do.JOIN, Sign.CHANGE, "Join the organisation", wanted.organisation))
        return Plan(SUBJECT, tuple(steps), partial=True, warnings=warnings)
    steps += [*_organisation(wanted, seen, record), *_folder(seen), *_source(wanted, token, seen, record)]
    by_hand = seen.board is not None and seen.board.digest != wanted.digest and _is_by_hand(seen, record)
    if by_hand and not restore:
        warnings = (BY_HAND, *warnings)
    else:
        steps += _board(wanted, seen)
    return Plan(SUBJECT, tuple(steps), warnings=warnings)


def removal(token: SeenToken, seen: SeenGrafana, record: Record) -> Plan[Deed]:
    """Return the steps that take away what is ours. The organisation stays, for it may hold what others made."""
    steps = []
    if seen.organisation and not seen.member:
        return Plan(SUBJECT, (_step(Do.JOIN, Sign.CHANGE, "Join the organisation", record.name),), partial=True)
    if seen.board is not None:
        steps.append(_step(Do.DROP_BOARD, Sign.REMOVE, "Delete the dashboard", TITLE))
    if seen.source is not None:
        steps.append(_step(Do.DROP_SOURCE, Sign.REMOVE, "Delete the data source", SOURCE))
    if seen.folder is not None and not seen.foreign:
        steps.append(_step(Do.DROP_FOLDER, Sign.REMOVE, "Delete the folder", FOLDER))
    if token.kept:
        deed = Deed(Do.DROP_TOKEN, number=token.kept)
        steps.append(Step(Do.DROP_TOKEN, Sign.REMOVE, "Delete the token that may read", "the summaries", deed))
    if record.organisation:
        steps.append(_step(Do.FORGET, Sign.REMOVE, "Forget the dashboard", ""))
    stays = f"The organisation {record.name} stays in Grafana, with what others may have made there."
    return Plan(SUBJECT, tuple(steps), warnings=(stays,) if steps and seen.organisation else ())


def _influx(wanted: Wanted, token: SeenToken) -> Steps:
    bucket = wanted.reading.bucket
    if not token.bucket:
        yield _step(Do.BUCKET, Sign.CREATE, "Make the bucket", bucket)
    if not token.token:
        deed = Deed(Do.TOKEN, number=token.kept)
        sign = Sign.CHANGE if token.kept else Sign.CREATE
        yield Step(Do.TOKEN, sign, "Make the token that may read", bucket, deed)
    if not wanted.reading.options.flux and not token.mapped:
        yield _step(Do.MAP, Sign.CREATE, "Name the bucket for InfluxQL", bucket)


def _organisation(wanted: Wanted, seen: SeenGrafana, record: Record) -> Steps:
    name = wanted.organisation
    if not seen.organisation:
        yield _step(Do.ORGANISATION, Sign.CREATE, "Make the organisation", name)
        return
    changes: tuple[Change, ...] = ()
    if not wanted.number and not seen.marked:
        changes = (Change("address", "(not marked)", wanted.mark),)
    if record.organisation != seen.organisation:
        changes += (Change("number on record", str(record.organisation or "(none)"), str(seen.organisation)),)
    if changes:
        deed = Deed(Do.ORGANISATION, number=str(seen.organisation))
        yield Step(Do.ORGANISATION, Sign.CHANGE, "Use the organisation", name, deed, changes)


def _folder(seen: SeenGrafana) -> Steps:
    if seen.folder is None:
        yield _step(Do.FOLDER, Sign.CREATE, "Make the folder", FOLDER)
    elif seen.folder.title != FOLDER:
        deed = Deed(Do.FOLDER, version=seen.folder.version)
        changes = (Change("title", seen.folder.title, FOLDER),)
        yield Step(Do.FOLDER, Sign.CHANGE, "Rename the folder", FOLDER, deed, changes)


def _source(wanted: Wanted, token: SeenToken, seen: SeenGrafana, record: Record) -> Steps:
    there = seen.source
    if there is None:
        yield _step(Do.SOURCE, Sign.CREATE, "Make the data source", SOURCE)
        return
    changes = tuple(_source_changes(wanted, token, there, record))
    if changes:
        deed = Deed(Do.SOURCE, version=there.version)
        yield Step(Do.SOURCE, Sign.CHANGE, "Change the data source", SOURCE, deed, changes)


def _source_changes(wanted: Wanted, token: SeenToken, there: Source, record: Record) -> Iterator[Change]:
    """Compare field by field. A token cannot be read back: its number, and whether anybody wrote since, tell."""
    reading = wanted.reading
    pairs = [
        ("name", there.name, SOURCE), ("type", there.type, reading.options.plugin),
        ("url", there.url, reading.options.url), ("access", there.access, "proxy"),
    ]
    pairs += [
        (f"jsonData.{name}", str(there.json_data.get(name, "(none)")),
         _NEW if name == TOKEN and not token.token else str(value))
        for name, value in reading.json_data().items() if there.json_data.get(name) != value
    ]
    yield from (Change(name, old, new) for name, old, new in pairs if old != new)
    if not there.secure_json_fields.get(reading.secret):
        yield Change(reading.secret, "(none)", "(secret)")
    elif record.source_version != there.version:
        yield Change(reading.secret, "(perhaps another)", "(secret)")


def _board(wanted: Wanted, seen: SeenGrafana) -> Steps:
    there = seen.board
    if there is None:
        yield Step(Do.BOARD, Sign.CREATE, "Make the dashboard", TITLE, Deed(Do.BOARD, folder=wanted.folder_uid))
    elif there.digest != wanted.digest:
        deed = Deed(Do.BOARD, version=there.version, folder=there.folder_uid)
        changes = differences(there.document, wanted.document)
        yield Step(Do.BOARD, Sign.CHANGE, "Change the dashboard", TITLE, deed, changes)


def _is_by_hand(seen: SeenGrafana, record: Record) -> bool:
    """Tell whether somebody else wrote what stands there: neither its content nor its version is one of ours."""
    there = seen.board
    return there is not None and there.digest not in record.digests and there.version != record.board_version


def _step(do: Do, sign: Sign, title: str, target: str) -> Step[Deed]:
    return Step(do, sign, title, target, Deed(do))
