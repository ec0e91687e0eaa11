"""What differs between a tenant's place in Grafana and what should be there, and the steps that mend it. Pure.

What Grafana rewrites by itself is no difference: the plugin's new name, `id` and `version` of a dashboard, and a
document that was changed without a new version (an upgrade). What a person changed in a dashboard is never
written over: the step only notes it, and somebody chooses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from belvedere.kernel.plan import Change, Plan, Sign, Step
from belvedere.workspaces.grafana.answers import Source
from belvedere.workspaces.grafana.document import SAME_TYPE, differences
from belvedere.workspaces.grafana.model import (
    CAPTURE,
    Desired,
    Kind,
    Known,
    Observed,
    Record,
    Records,
    RecordState,
    SeenBoard,
    WantedAccount,
    WantedBoard,
    WantedSource,
)
from belvedere.workspaces.grafana.people.model import WantedMember
from belvedere.workspaces.grafana.people.plan import moves

VIEWER: Final = "Viewer"

BY_HAND: Final = "Leave the dashboard, which was changed by hand,"
"""How a dashboard is told of that waits for a person's choice."""


class Do(StrEnum):
    """The deeds that `apply.py` knows."""

    ORGANISATION = "organisation"
    RENAME = "rename"
    MARK = "mark"
    JOIN = "join"
    FOLDER = "folder"
    SOURCE = "source"
    BOARD = "board"
    HOLD = "hold"
    ACCOUNT = "account"
    MEMBER = "member"
    CAPTURE = "capture"
    KEYS = "keys"
    DROP_BOARD = "drop board"
    DROP_FOLDER = "drop folder"
    DROP_SOURCE = "drop source"
    DROP_CAPTURE = "drop capture"
    DROP_ACCOUNT = "drop account"
    DROP_MEMBER = "drop member"
    DROP_ORGANISATION = "drop organisation"
    RELEASE = "release"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step does.

    `version` is the one that was read, for writing over that one alone; 0 where nothing stood. `organisation` is
    where; 0 when the same plan makes it.
    """

    do: Do
    key: str = ""
    uid: str = ""
    number: int = 0
    version: int = 0
    folder_uid: str = ""
    organisation: int = 0
    source: WantedSource | None = None
    board: WantedBoard | None = None
    account: WantedAccount | None = None
    member: WantedMember | None = None


Steps = Iterator[Step[Deed]]


def plan(desired: Desired, observed: Observed, records: Records, known: Known | None) -> Plan[Deed]:
    """Return the steps to what should be. After they were applied, planning again gives none."""
    steps = _placed(observed, _steps(desired, observed, records, known))
    return Plan(desired.subject, steps, partial=_is_partial(observed))


def _is_partial(observed: Observed) -> bool:
    return observed.organisation is not None and not observed.member


def _placed(observed: Observed, steps: Steps) -> tuple[Step[Deed], ...]:
    number = observed.organisation.id if observed.organisation else 0
    return tuple(replace(step, deed=replace(step.deed, organisation=number)) for step in steps)


def _steps(desired: Desired, observed: Observed, records: Records, known: Known | None) -> Steps:
    yield from _organisation(desired, observed, known)
    if observed.organisation is not None and not observed.member:
        # What else there is to do is seen by the plan after this step.
        yield _step(Do.JOIN, Sign.CHANGE, "Join the organisation", desired.organisation)
        return
    yield from _folder(desired, observed)
    for source in desired.sources:
        yield from _source(source, observed.sources.get(source.uid), records.get((Kind.SOURCE, source.key)))
    for board in desired.boards:
        seen = observed.boards.get(board.uid)
        record = records.get((Kind.BOARD, str(board.dashboard_id)))
        yield from plan_board(board, seen, record, desired.folder_uid)
    yield from _capture(observed)
    if desired.account is not None and not any(one.is_called(desired.account.login) for one in desired.members):
        yield from _account(desired.account, observed)
    yield from _members(desired, observed)
    if desired.stale_keys:
        changes = tuple(Change(key, "", "the data source's uid") for key in desired.stale_keys)
        yield _step(Do.KEYS, Sign.CHANGE, "Write credentials", "", changes=changes)


def _organisation(desired: Desired, observed: Observed, known: Known | None) -> Steps:
    seen = observed.organisation
    if seen is None:
        yield _step(Do.ORGANISATION, Sign.CREATE, "Make the organisation", desired.organisation)
        return
    changes: tuple[Change, ...] = ()
    if desired.owns and seen.mark != desired.mark:
        changes = (Change("mark", seen.mark or "(none)", desired.mark),)
    if known is None or known.organisation != seen.id:
        changes += (Change("number on record", str(known.organisation) if known else "(none)", str(seen.id)),)
    if changes:
        yield _step(Do.MARK, Sign.CHANGE, "Mark the organisation", desired.organisation, changes=changes)
    if desired.owns and seen.name != desired.organisation:
        changes = (Change("name", seen.name, desired.organisation),)
        yield _step(Do.RENAME, Sign.CHANGE, "Rename the organisation", desired.organisation, changes=changes)


def _folder(desired: Desired, observed: Observed) -> Steps:
    seen = observed.folders.get(desired.folder_uid)
    uid, title = desired.folder_uid, desired.folder_title
    if seen is None:
        yield _step(Do.FOLDER, Sign.CREATE, "Make the folder", title, deed=Deed(Do.FOLDER, uid=uid, key=title))
    elif seen.title != title:
        deed = Deed(Do.FOLDER, uid=uid, key=title, version=seen.version)
        changes = (Change("title", seen.title, title),)
        yield _step(Do.FOLDER, Sign.CHANGE, "Rename the folder", title, deed=deed, changes=changes)


def _source(source: WantedSource, seen: Source | None, record: Record | None) -> Steps:
    deed = Deed(Do.SOURCE, key=source.key, uid=source.uid, source=source, version=seen.version if seen else 0)
    key = f"source:{source.key}"
    if seen is None:
        yield _step(Do.SOURCE, Sign.CREATE, "Make the data source", source.name, deed=deed, key=key)
        return
    changes = source_changes(source, seen, record)
    if changes:
        title = "Change the data source"
        yield _step(Do.SOURCE, Sign.CHANGE, title, source.name, deed=deed, key=key, changes=changes)


def source_changes(source: WantedSource, seen: Source, record: Record | None) -> tuple[Change, ...]:
    """Compare field by field. A password cannot be read back: its seal is compared with what was written down.

    Which one is the default is the organisation's own choice: Grafana makes it the first, and a person another.
    """
    pairs = [
        ("name", seen.name, source.name), ("url", seen.url, source.url), ("user", seen.user, source.user),
        ("access", seen.access, "proxy"),
    ]
    wanted = source.json_data()
    pairs += [
        (f"jsonData.{name}", str(seen.json_data.get(name, "(none)")), str(value)) for name, value in wanted.items()
        if seen.json_data.get(name) != value
    ]
    changes = [Change(name, old, new) for name, old, new in pairs if old != new]
    if not seen.secure_json_fields.get("password"):
        changes.append(Change("password", "(none)", "(secret)"))
    elif record is None or record.digest != source.seal:
        changes.append(Change("password", "(another or unknown)", "(secret)"))
    return tuple(changes)


def is_foreign_source(seen: Source) -> bool:
    """Tell whether a data source under one of our uids is of another kind than ours."""
    return seen.type not in SAME_TYPE


def plan_board(board: WantedBoard, seen: SeenBoard | None, record: Record | None, folder_uid: str) -> Steps:
    """Compare one dashboard. It stays in the folder that a person moved it to."""
    if record is not None and record.state is RecordState.DETACHED:
        return
    key = f"board:{board.dashboard_id}"
    deed = Deed(Do.BOARD, key=str(board.dashboard_id), uid=board.uid, board=board, folder_uid=folder_uid)
    if seen is None:
        yield _step(Do.BOARD, Sign.CREATE, "Make the dashboard", board.title, deed=deed, key=key)
        return
    if seen.digest == board.digest and seen.readable:
        if record is None or record.digest != board.digest or record.state is not RecordState.OURS:
            note = Deed(Do.HOLD, key=str(board.dashboard_id), uid=board.uid, board=board, version=seen.version)
            yield _step(Do.HOLD, Sign.CHANGE, "Take note of the dashboard", board.title, deed=note, key=key)
        return
    by_hand = is_by_hand(seen, record)
    if by_hand and (record is None or record.state is not RecordState.RESTORE):
        if record is None or record.state is not RecordState.BY_HAND:
            changes = differences(board.document, seen.document)
            held = Deed(Do.HOLD, key=str(board.dashboard_id), uid=board.uid, board=board)
            yield _step(Do.HOLD, Sign.CHANGE, BY_HAND, board.title, deed=held, key=key, changes=changes)
        return
    if record is not None and _is_rewritten(seen, record) and record.digest == board.digest:
        return
    deed = Deed(
        Do.BOARD, key=str(board.dashboard_id), uid=board.uid, board=board, version=seen.version,
        folder_uid=seen.folder_uid,
    )
    changes = differences(seen.document, board.document)
    yield _step(Do.BOARD, Sign.CHANGE, "Change the dashboard", board.title, deed=deed, key=key, changes=changes)


def _is_rewritten(seen: SeenBoard, record: Record) -> bool:
    """Tell whether Grafana changed the document by itself, as an upgrade does: nobody has saved since we did."""
    return record.version == seen.version and seen.digest not in record.digests


def is_by_hand(seen: SeenBoard, record: Record | None) -> bool:
    """Tell whether somebody else wrote what stands there: neither its content nor its version is one of ours."""
    if record is None or not seen.readable:
        return True
    return seen.digest not in record.digests and seen.version != record.version


def _account(account: WantedAccount, observed: Observed) -> Steps:
    seen = observed.members.get(account.login.lower())
    deed = Deed(Do.ACCOUNT, key=account.login, account=account, number=seen.id if seen else 0)
    if seen is None:
        yield _step(Do.ACCOUNT, Sign.CREATE, "Make the default user", account.login, deed=deed)
    elif seen.role != account.role:
        changes = (Change("role", seen.role, account.role),)
        yield _step(Do.ACCOUNT, Sign.CHANGE, "Change the default user", account.login, deed=deed, changes=changes)


def _members(desired: Desired, observed: Observed) -> Steps:
    for move in moves(desired.members, desired.joined, observed.members.values(), desired.administrator):
        do = Do.DROP_MEMBER if move.member is None else Do.MEMBER
        deed = Deed(do, key=move.login, number=move.number, member=move.member)
        yield _step(do, move.sign, move.title, move.login, deed=deed, key=f"member:{move.login}", changes=move.changes)


def _capture(observed: Observed) -> Steps:
    seen = observed.services.get(CAPTURE)
    if seen is None:
        yield _step(Do.CAPTURE, Sign.CREATE, "Make the service account for previews", CAPTURE)
    elif seen.role != VIEWER or seen.disabled:
        changes = (Change("role", f"{seen.role}{', disabled' if seen.disabled else ''}", VIEWER),)
        deed = Deed(Do.CAPTURE, number=seen.id)
        yield _step(
            Do.CAPTURE, Sign.CHANGE, "Change the service account for previews", CAPTURE, deed=deed, changes=changes
        )


def removal(desired: Desired, observed: Observed, records: Records) -> Plan[Deed]:
    """Return the steps that take away what is ours: content first, since Grafana leaves rows of it behind.

    An organisation that holds something of others stays with that alone; `Plan.kept` names it.
    """
    steps = _placed(observed, _removal(desired, observed, records))
    return Plan(desired.subject, steps, observed.foreign, _is_partial(observed))


def _removal(desired: Desired, observed: Observed, records: Records) -> Steps:
    organisation = observed.organisation
    name = desired.organisation
    if organisation is not None and not observed.member:
        yield _step(Do.JOIN, Sign.CHANGE, "Join the organisation", name)
        return
    if organisation is not None:
        yield from _drop_content(desired, observed, records)
        yield from _members(replace(desired, members=()), observed)
    account = next((one for (kind, _), one in records.items() if kind is Kind.ACCOUNT), None)
    if account is not None and account.number:
        deed = Deed(Do.DROP_ACCOUNT, key=account.key, number=account.number)
        yield _step(Do.DROP_ACCOUNT, Sign.REMOVE, "Delete the default user", account.key, deed=deed)
    if organisation is not None and desired.owns:
        if observed.foreign:
            deed = Deed(Do.RELEASE, number=organisation.id)
            yield _step(Do.RELEASE, Sign.REMOVE, "Let go of the organisation, which holds more,", name, deed=deed)
        else:
            deed = Deed(Do.DROP_ORGANISATION, number=organisation.id)
            yield _step(Do.DROP_ORGANISATION, Sign.REMOVE, "Delete the organisation", name, deed=deed)
    yield _step(Do.FORGET, Sign.REMOVE, "Forget the workspace", "")


def _drop_content(desired: Desired, observed: Observed, records: Records) -> Steps:
    for (kind, key), record in records.items():
        if kind is Kind.BOARD and record.uid in observed.boards and record.state is not RecordState.DETACHED:
            title = observed.boards[record.uid].title
            deed = Deed(Do.DROP_BOARD, key=key, uid=record.uid)
            yield _step(Do.DROP_BOARD, Sign.REMOVE, "Delete the dashboard", title, deed=deed, key=f"board:{key}")
    if desired.folder_uid in observed.folders and not observed.foreign_in_folder:
        deed = Deed(Do.DROP_FOLDER, uid=desired.folder_uid)
        yield _step(Do.DROP_FOLDER, Sign.REMOVE, "Delete the folder", desired.folder_title, deed=deed)
    for (kind, key), record in records.items():
        if kind is Kind.SOURCE and record.uid in observed.sources:
            deed = Deed(Do.DROP_SOURCE, key=key, uid=record.uid)
            target = observed.sources[record.uid].name
            yield _step(Do.DROP_SOURCE, Sign.REMOVE, "Delete the data source", target, deed=deed, key=f"source:{key}")
    seen = observed.services.get(CAPTURE)
    if seen is not None:
        deed = Deed(Do.DROP_CAPTURE, number=seen.id)
        yield _step(Do.DROP_CAPTURE, Sign.REMOVE, "Delete the service account for previews", CAPTURE, deed=deed)


def _step(
    do: Do, sign: Sign, title: str, target: str, *, deed: Deed | None = None, key: str = "",
    changes: tuple[Change, ...] = (),
) -> Step[Deed]:
    return Step(key or do.value, sign, title, target, deed or Deed(do), changes)
