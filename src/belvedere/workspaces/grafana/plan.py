"""What differs between a tenant's place in Grafana and what should be there, and the steps that mend it. Pure.

What Grafana rewrites by itself is no difference: the plugin's new name, `id` and `version` of a dashboard, and a
document that was changed without a new version (an upgrade). What a person changed in a dashboard is never
written over: the step only notes it, and somebody chooses.
"""

from dataclasses import replace
from typing import Final

from belvedere.kernel.plan import Change, Plan, Sign, Step
from belvedere.workspaces.grafana.answers import Source
from belvedere.workspaces.grafana.deeds import VIEWER, Deed, Do, Steps, step
from belvedere.workspaces.grafana.document import SAME_TYPE, differences
from belvedere.workspaces.grafana.model import (
    INFLUX,
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
from belvedere.workspaces.grafana.narrow.aspects import (
    ACCOUNT,
    CAPTURE,
    FOLDER,
    MEMBERS,
    TEAM,
    IsDue,
    board_aspect,
    source_aspect,
)
from belvedere.workspaces.grafana.people.plan import moves
from belvedere.workspaces.grafana.shared.plan import plan_seats, plan_team

BY_HAND: Final = "Leave the dashboard, which was changed by hand,"
"""How a dashboard is told of that waits for a person's choice."""


def plan(
    desired: Desired, observed: Observed, records: Records, known: Known | None, due: frozenset[str] | None = None
) -> Plan[Deed]:
    """Return the steps to what should be. After they were applied, planning again gives none.

    Args:
        desired: what should be there.
        observed: what is there.
        records: what was written down when it was made.
        known: the organisation on record.
        due: the aspects that were looked at; None when all were.
    """
    is_due = (lambda _aspect: True) if due is None else due.__contains__
    steps = _placed(observed, _steps(desired, observed, _of_this_place(records, observed, known), known, is_due))
    return Plan(desired.subject, steps, partial=_is_partial(observed))


def _of_this_place(records: Records, observed: Observed, known: Known | None) -> Records:
    """Leave out dashboards that people had made theirs in another organisation, where none came along: ours is made."""
    here = observed.organisation
    if here is not None and known is not None and known.organisation == here.id:
        return records
    return {
        key: one for key, one in records.items()
        if one.state is not RecordState.DETACHED or one.uid in observed.boards
    }


def _is_partial(observed: Observed) -> bool:
    return observed.organisation is not None and not observed.member


def _placed(observed: Observed, steps: Steps) -> tuple[Step[Deed], ...]:
    number = observed.organisation.id if observed.organisation else 0
    return tuple(replace(one, deed=replace(one.deed, organisation=number)) for one in steps)


def _steps(desired: Desired, observed: Observed, records: Records, known: Known | None, is_due: IsDue) -> Steps:
    yield from _organisation(desired, observed, known)
    if observed.organisation is not None and not observed.member:
        # What else there is to do is seen by the plan after this step.
        yield step(Do.JOIN, Sign.CHANGE, "Join the organisation", desired.organisation)
        return
    folder = _folder(desired, observed, records.get((Kind.FOLDER, "main"))) if is_due(FOLDER) else ()
    # Where tenants share an organisation nothing is shown before it is settled who may see it.
    if desired.team is None:
        yield from folder
        yield from _content(desired, observed, records, is_due)
        yield from _people(desired, observed, records, is_due)
    else:
        if is_due(TEAM):
            yield from plan_team(desired.team, observed, records.get((Kind.TEAM, "main")))
        yield from _people(desired, observed, records, is_due)
        yield from folder
        yield from plan_seats(desired, desired.team, observed, is_due)
        yield from _content(desired, observed, records, is_due)
    if desired.stale_keys:
        changes = tuple(Change(key, "", "the data source's uid") for key in desired.stale_keys)
        yield step(Do.KEYS, Sign.CHANGE, "Write credentials", "", changes=changes)


def _content(desired: Desired, observed: Observed, records: Records, is_due: IsDue) -> Steps:
    yield from _public(observed)
    for source in desired.sources:
        if is_due(source_aspect(source)):
            yield from _source(source, observed.sources.get(source.uid), records.get((Kind.SOURCE, source.key)))
    for board in desired.boards:
        if is_due(board_aspect(board)):
            record = records.get((Kind.BOARD, str(board.dashboard_id)))
            yield from plan_board(board, observed.boards.get(board.uid), record, desired.folder_uid)


def _public(observed: Observed) -> Steps:
    for one in observed.public:
        deed, target = Deed(Do.DROP_PUBLIC, key=one.key), one.key.partition("/")[0]
        title = "Make private again what a picture was taken of"
        yield step(Do.DROP_PUBLIC, Sign.REMOVE, title, target, deed=deed, key=f"public:{one.key}")


def _people(desired: Desired, observed: Observed, records: Records, is_due: IsDue) -> Steps:
    if is_due(CAPTURE):
        yield from _capture(desired.capture, observed, records.get((Kind.CAPTURE, "main")))
    account = desired.account
    if account is not None and is_due(ACCOUNT) and not any(one.is_called(account.login) for one in desired.members):
        yield from _account(account, observed)
    if is_due(MEMBERS):
        yield from _members(desired, observed)


def _organisation(desired: Desired, observed: Observed, known: Known | None) -> Steps:
    seen = observed.organisation
    made = desired.shared and not desired.number
    if made and (seen is None or seen.mark != desired.mark):
        sign, verb = (Sign.CREATE, "Make") if seen is None else (Sign.CHANGE, "Mark")
        yield step(Do.SHARED, sign, f"{verb} the organisation that tenants share", desired.organisation)
        return
    if seen is None:
        yield step(Do.ORGANISATION, Sign.CREATE, "Make the organisation", desired.organisation)
        return
    changes: tuple[Change, ...] = ()
    if desired.owns and seen.mark != desired.mark:
        changes = (Change("mark", seen.mark or "(none)", desired.mark),)
    if known is None or known.organisation != seen.id:
        changes += (Change("number on record", str(known.organisation) if known else "(none)", str(seen.id)),)
    if changes:
        title = "Mark the organisation" if desired.owns else "Use the organisation"
        yield step(Do.MARK, Sign.CHANGE, title, desired.organisation, changes=changes)
    if desired.owns and seen.name != desired.organisation:
        changes = (Change("name", seen.name, desired.organisation),)
        yield step(Do.RENAME, Sign.CHANGE, "Rename the organisation", desired.organisation, changes=changes)


def _folder(desired: Desired, observed: Observed, record: Record | None) -> Steps:
    """Make or rename the folder. One that was left half-made, before anybody looked whom it lets in, is looked at."""
    seen = observed.folders.get(desired.folder_uid)
    uid, title = desired.folder_uid, desired.folder_title
    if seen is None:
        yield step(Do.FOLDER, Sign.CREATE, "Make the folder", title, deed=Deed(Do.FOLDER, uid=uid, key=title))
        return
    deed = Deed(Do.FOLDER, uid=uid, key=title, version=seen.version or 1, number=1 if record is not None else 0)
    if seen.title != title:
        changes = (Change("title", seen.title, title),)
        yield step(Do.FOLDER, Sign.CHANGE, "Rename the folder", title, deed=deed, changes=changes)
    elif record is None and not desired.shared:
        yield step(Do.FOLDER, Sign.CHANGE, "Look whom the folder lets in:", title, deed=deed)


def _source(source: WantedSource, seen: Source | None, record: Record | None) -> Steps:
    deed = Deed(
        Do.SOURCE, key=source.key, uid=source.uid, source=source, version=seen.version if seen else 0, seen=seen
    )
    key = f"source:{source.key}"
    if seen is None:
        yield step(Do.SOURCE, Sign.CREATE, "Make the data source", source.name, deed=deed, key=key)
        return
    changes = source_changes(source, seen, record)
    if changes:
        title = "Change the data source"
        yield step(Do.SOURCE, Sign.CHANGE, title, source.name, deed=deed, key=key, changes=changes)


def source_changes(source: WantedSource, seen: Source, record: Record | None) -> tuple[Change, ...]:
    """Compare field by field. A password cannot be read back: its seal is compared with what was written down.

    Which one is the default is the organisation's own choice: Grafana makes it the first, and a person another.
    """
    pairs = [
        ("name", seen.name, source.name), ("url", seen.url, source.url), ("user", seen.user, source.user),
        ("access", seen.access, "proxy"),
    ]
    if source.old_database and seen.database:
        pairs.append(("database", seen.database, source.old_database))
    if seen.type not in source.types:
        pairs.append(("type", seen.type, min(source.types)))
    wanted = source.json_data()
    pairs += [
        (f"jsonData.{name}", str(seen.json_data.get(name, "(none)")), str(value)) for name, value in wanted.items()
        if seen.json_data.get(name) != value
    ]
    changes = [Change(name, old, new) for name, old, new in pairs if old != new]
    if not seen.secure_json_fields.get(source.secret):
        changes.append(Change(source.secret, "(none)", "(secret)"))
    elif record is None or record.digest != source.seal:
        changes.append(Change(source.secret, "(another or unknown)", "(secret)"))
    return tuple(changes)


def is_foreign_source(seen: Source) -> bool:
    """Tell whether a data source under one of our uids is of another kind than ours ever are."""
    return seen.type not in SAME_TYPE and not seen.type.startswith(INFLUX)


def plan_board(board: WantedBoard, seen: SeenBoard | None, record: Record | None, folder_uid: str) -> Steps:
    """Compare one dashboard. It stays in the folder that a person moved it to."""
    if record is not None and record.state is RecordState.DETACHED:
        return
    key = f"board:{board.dashboard_id}"
    deed = Deed(Do.BOARD, key=str(board.dashboard_id), uid=board.uid, board=board, folder_uid=folder_uid)
    if seen is None:
        yield step(Do.BOARD, Sign.CREATE, "Make the dashboard", board.title, deed=deed, key=key)
        return
    if seen.digest == board.digest and seen.readable:
        if record is None or record.digest != board.digest or record.state is not RecordState.OURS:
            note = Deed(Do.HOLD, key=str(board.dashboard_id), uid=board.uid, board=board, version=seen.version)
            yield step(Do.HOLD, Sign.CHANGE, "Take note of the dashboard", board.title, deed=note, key=key)
        return
    by_hand = is_by_hand(seen, record)
    if by_hand and (record is None or record.state is not RecordState.RESTORE):
        if record is None or record.state is not RecordState.BY_HAND:
            changes = differences(board.document, seen.document)
            held = Deed(Do.HOLD, key=str(board.dashboard_id), uid=board.uid, board=board)
            yield step(Do.HOLD, Sign.CHANGE, BY_HAND, board.title, deed=held, key=key, changes=changes)
        return
    if record is not None and _is_rewritten(seen, record) and record.digest == board.digest:
        return
    deed = Deed(
        Do.BOARD, key=str(board.dashboard_id), uid=board.uid, board=board, version=seen.version,
        folder_uid=seen.folder_uid,
    )
    changes = differences(seen.document, board.document)
    yield step(Do.BOARD, Sign.CHANGE, "Change the dashboard", board.title, deed=deed, key=key, changes=changes)


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
        yield step(Do.ACCOUNT, Sign.CREATE, "Make the default user", account.login, deed=deed)
    elif seen.role != account.role:
        changes = (Change("role", seen.role, account.role),)
        yield step(Do.ACCOUNT, Sign.CHANGE, "Change the default user", account.login, deed=deed, changes=changes)


def _members(desired: Desired, observed: Observed) -> Steps:
    for move in moves(desired.members, desired.joined, observed.members.values(), desired.administrator):
        do = Do.DROP_MEMBER if move.member is None else Do.MEMBER
        deed = Deed(do, key=move.login, number=move.number, member=move.member)
        yield step(do, move.sign, move.title, move.login, deed=deed, key=f"member:{move.login}", changes=move.changes)


def _capture(name: str, observed: Observed, record: Record | None) -> Steps:
    seen = observed.services.get(name)
    if seen is None:
        yield step(Do.CAPTURE, Sign.CREATE, "Make the service account for previews", name)
        return
    changes: tuple[Change, ...] = ()
    if seen.role != VIEWER or seen.disabled:
        changes = (Change("role", f"{seen.role}{', disabled' if seen.disabled else ''}", VIEWER),)
    if record is None or record.number != seen.id:
        changes += (Change("number on record", str(record.number) if record else "(none)", str(seen.id)),)
    if changes:
        deed = Deed(Do.CAPTURE, number=seen.id)
        yield step(
            Do.CAPTURE, Sign.CHANGE, "Change the service account for previews", name, deed=deed, changes=changes
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
        yield step(Do.JOIN, Sign.CHANGE, "Join the organisation", name)
        return
    if organisation is not None:
        yield from _drop_content(desired, observed, records)
        yield from _members(replace(desired, members=()), observed)
    account = next((one for (kind, _), one in records.items() if kind is Kind.ACCOUNT), None)
    if account is not None and account.number:
        stays = desired.account is not None and desired.account.stays
        title = "Take out the default user, who stays in Grafana," if stays else "Delete the default user"
        deed = Deed(Do.DROP_ACCOUNT, key=account.key, number=account.number, account=desired.account)
        yield step(Do.DROP_ACCOUNT, Sign.REMOVE, title, account.key, deed=deed)
    if organisation is not None and desired.owns:
        if observed.foreign:
            deed = Deed(Do.RELEASE, number=organisation.id)
            yield step(Do.RELEASE, Sign.REMOVE, "Let go of the organisation, which holds more,", name, deed=deed)
        else:
            deed = Deed(Do.DROP_ORGANISATION, number=organisation.id)
            yield step(Do.DROP_ORGANISATION, Sign.REMOVE, "Delete the organisation", name, deed=deed)
    yield step(Do.FORGET, Sign.REMOVE, "Forget the workspace", "")


def _drop_content(desired: Desired, observed: Observed, records: Records) -> Steps:
    yield from _public(observed)
    for (kind, key), record in records.items():
        if kind is Kind.BOARD and record.uid in observed.boards and record.state is not RecordState.DETACHED:
            title = observed.boards[record.uid].title
            deed = Deed(Do.DROP_BOARD, key=key, uid=record.uid)
            yield step(Do.DROP_BOARD, Sign.REMOVE, "Delete the dashboard", title, deed=deed, key=f"board:{key}")
    if desired.folder_uid in observed.folders and not observed.foreign_in_folder:
        deed = Deed(Do.DROP_FOLDER, uid=desired.folder_uid)
        yield step(Do.DROP_FOLDER, Sign.REMOVE, "Delete the folder", desired.folder_title, deed=deed)
    for (kind, key), record in records.items():
        if kind is Kind.SOURCE and record.uid in observed.sources:
            deed = Deed(Do.DROP_SOURCE, key=key, uid=record.uid)
            target = observed.sources[record.uid].name
            yield step(Do.DROP_SOURCE, Sign.REMOVE, "Delete the data source", target, deed=deed, key=f"source:{key}")
    seen = observed.services.get(desired.capture)
    if desired.linked and (observed.links or seen is not None):
        yield step(Do.DROP_LINKS, Sign.REMOVE, "Take the team's people out of the query gateway", "")
    if seen is not None:
        deed = Deed(Do.DROP_CAPTURE, number=seen.id)
        yield step(Do.DROP_CAPTURE, Sign.REMOVE, "Delete the service account for previews", desired.capture, deed=deed)
    if observed.team is not None:
        deed = Deed(Do.DROP_TEAM, number=observed.team.id)
        yield step(Do.DROP_TEAM, Sign.REMOVE, "Delete the team", observed.team.name, deed=deed)
