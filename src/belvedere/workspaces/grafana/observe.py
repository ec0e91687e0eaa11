"""Reads what a Grafana holds of one tenant in few calls: four, and one for each data source and dashboard.

Changes nothing.
What is not here: what should be there (`desired.py`), what differs (`plan.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from belvedere.kernel.clock import utc_now
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import (
    AlertRule,
    Board,
    BoardVersion,
    Folder,
    Found,
    Library,
    Member,
    Organisation,
    ServiceAccounts,
    Source,
)
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.document import digest
from belvedere.workspaces.grafana.model import (
    Desired,
    Kind,
    Known,
    Observed,
    Record,
    Records,
    RecordState,
    SeenBoard,
    SeenOrganisation,
    SeenService,
)
from belvedere.workspaces.grafana.people.model import SeenMember
from belvedere.workspaces.grafana.shared.observe import see_rights, see_team

_UNREADABLE = 406
_GONE = 404
_FORBIDDEN = 403
_JUST_NOW_S = 2.0


def find_organisation(grafana: Grafana, desired: Desired, place: Known | None) -> tuple[SeenOrganisation | None, str]:
    """Find the tenant's organisation, and the name of one that bears its name and is somebody else's.

    A number alone proves nothing: a Grafana that was emptied gives it out again. The mark does; so does the name of
    one that was asked for here and left half-made, which nobody has marked.
    """
    if desired.number:
        return _organisation(grafana, requests.organisation(desired.number)), ""
    if not desired.owns and not desired.shared:
        return _given(grafana, place), ""
    known = place if place is not None and place.url == grafana.url else None
    if known is not None and known.organisation:
        seen = _from_inside(grafana, known.organisation)
        if seen is not None and (seen.mark == desired.mark or (not seen.mark and seen.name == known.name)):
            return seen, ""
    names = dict.fromkeys([desired.organisation, *([known.name] if known else [])])
    for name in names:
        seen = _organisation(grafana, requests.organisation_named(name))
        if seen is None:
            continue
        asked = known is not None and known.asked and known.name == name and not known.organisation
        if seen.mark == desired.mark or (asked and not seen.mark):
            return seen, ""
        if name == desired.organisation:
            return None, name
    return None, ""


def observe(
    grafana: Grafana, desired: Desired, place: Known | None, records: Records, *, removing: bool = False
) -> Observed:
    """Return what is there. Where the administrator is no member, the content is not known.

    Args:
        grafana: where.
        desired: what should be there; its uids are looked for.
        place: which organisation is on record.
        records: the dashboards on record are read whole.
        removing: look for what is not ours as well.
    """
    organisation, taken = find_organisation(grafana, desired, place)
    if organisation is None:
        return Observed(taken=taken)
    number = organisation.id
    members = see_members(grafana, number) if desired.users else {}
    if (desired.users and not is_inside(grafana, members)) or (
        not (grafana.is_verified(number, _JUST_NOW_S) or grafana.verify(number))
    ):
        return Observed(organisation, member=False)
    sources = _sources(grafana, number, desired, records, removing=removing)
    found = _found(grafana, number, desired, removing=removing)
    services = see_services(grafana, number, desired)
    boards = _boards(grafana, number, _wanted_uids(desired, records), None if desired.shared else found)
    foreign: tuple[str, ...] = ()
    in_folder = False
    if removing:
        foreign, in_folder = _foreign(
            grafana, number, desired=desired, records=records, sources=sources, found=found, services=services
        )
    return Observed(
        organisation, sources={one.uid: one for one in sources}, folders=_folders(grafana, number, desired, found),
        boards=boards, members=members, services=services, foreign=foreign, foreign_in_folder=in_folder,
        public=left(records, whenever=removing), **_team(grafana, number, desired, records),
    )


def read_board(grafana: Grafana, organisation: int, uid: str) -> SeenBoard | None:
    """Read one dashboard, or None when it is not there."""
    answer = grafana.ask(requests.board(uid), _GONE, _UNREADABLE, organisation=organisation)
    if answer.status == _GONE:
        return None
    if answer.status == _UNREADABLE:
        return SeenBoard(uid, 0, "", uid, readable=False)
    board = answer.read(Board)
    document = board.dashboard
    version = int(document.get("version") or board.meta.version)
    return SeenBoard(uid, version, board.meta.folder_uid, str(document.get("title", "")), document, digest(document))


def read_found(grafana: Grafana, organisation: int, found: Found) -> SeenBoard | None:
    """Read a dashboard that a search has found, by its newest version where Grafana tells it with the document.

    In a look at a thousand tenants most of Grafana's time goes into its dashboards. 9 keeps no document in the list,
    and 12 is not known to.
    """
    if not (10,) <= grafana.version() < (12,):
        return read_board(grafana, organisation, found.uid)
    answer = grafana.ask(requests.newest_version(found.uid), _GONE, _FORBIDDEN, organisation=organisation)
    versions = [] if answer.status in {_GONE, _FORBIDDEN} else answer.read(list[BoardVersion])
    if not versions or not versions[0].data:
        return read_board(grafana, organisation, found.uid)
    newest = versions[0]
    title = str(newest.data.get("title", ""))
    return SeenBoard(found.uid, newest.version, found.folder_uid, title, newest.data, digest(newest.data))


def left(records: Records, *, whenever: bool = False) -> tuple[Record, ...]:
    """Return the public pages on record whose capture must be over; `whenever` they end, all of them."""
    now = utc_now().timestamp()
    return tuple(
        one for (kind, _), one in records.items() if kind is Kind.PUBLIC and (whenever or one.number < now)
    )


def is_inside(grafana: Grafana, members: Mapping[str, SeenMember]) -> bool:
    """Tell whether Belvedere's login is in the list, which is right at once: what calls may do lags 5 s behind."""
    login = grafana.access.user.lower()
    return any(login in {one.login.lower(), one.email.lower()} for one in members.values())


def see_members(grafana: Grafana, number: int) -> dict[str, SeenMember]:
    """Return who is in an organisation, by login in lower case."""
    listed = grafana.ask(requests.organisation_users(number)).read(list[Member])
    return {one.login.lower(): SeenMember(one.user_id, one.login, one.role, one.email) for one in listed}


def see_services(grafana: Grafana, number: int, desired: Desired) -> dict[str, SeenService]:
    """Return the service accounts of an organisation by name; of one that is shared only the tenant's own."""
    request = requests.service_accounts(desired.capture if desired.shared else "")
    listed = grafana.ask(request, organisation=number).read(ServiceAccounts).service_accounts
    return {one.name: SeenService(one.id, one.name, one.role, one.is_disabled) for one in listed}


def _organisation(grafana: Grafana, request: requests.Request) -> SeenOrganisation | None:
    answer = grafana.ask(request, _GONE)
    if answer.status == _GONE:
        return None
    found = answer.read(Organisation)
    return SeenOrganisation(found.id, found.name, found.address.address1)


def _from_inside(grafana: Grafana, number: int) -> SeenOrganisation | None:
    """Read an organisation as its member, which proves the way to it at once; as the server's own where we are none."""
    found = grafana.look_in(number)
    if found is None:
        return _organisation(grafana, requests.organisation(number))
    return SeenOrganisation(found.id, found.name, found.address.address1)


def _given(grafana: Grafana, place: Known | None) -> SeenOrganisation | None:
    """Ask a login or a token which organisation it belongs to.

    A person's login has a current one, which moves with every link that the person follows: once the tenant stands in
    one, it is that.
    """
    found = given_organisation(grafana, place)
    return SeenOrganisation(found.id, found.name, found.address.address1)


def given_organisation(grafana: Grafana, place: Known | None) -> Organisation:
    """Return the organisation of a token, or the one on record of a login; its current one where none is, or is left.

    Raises:
        Stuck: the login or the token is not known.
    """
    if grafana.access.user and place is not None and place.organisation and place.url == grafana.url:
        known = grafana.look_in(place.organisation)
        if known is not None:
            return known
    return grafana.ask(requests.Request("GET", "/api/org")).read(Organisation)


def _wanted_uids(desired: Desired, records: Records) -> set[str]:
    wanted = {board.uid for board in desired.boards}
    return wanted | {
        record.uid for (kind, _), record in records.items()
        if kind is Kind.BOARD and record.state is not RecordState.DETACHED
    }


def _sources(
    grafana: Grafana, number: int, desired: Desired, records: Records, *, removing: bool
) -> list[Source]:
    """Read our data sources one by one: the list tells neither their versions nor whether a password is set."""
    if removing:
        return grafana.ask(requests.sources(), organisation=number).read(list[Source])
    uids = {one.uid for one in desired.sources}
    uids |= {record.uid for (kind, _), record in records.items() if kind is Kind.SOURCE}
    answers = [grafana.ask(requests.source(uid), _GONE, organisation=number) for uid in sorted(uids)]
    return [answer.read(Source) for answer in answers if answer.status != _GONE]


def _found(grafana: Grafana, number: int, desired: Desired, *, removing: bool) -> list[Found]:
    """List what stands in the organisation; in one that tenants share, only the tenant's folder and what is in it."""
    if not desired.shared:
        return grafana.ask(requests.search(), organisation=number).read(list[Found])
    answer = grafana.ask(requests.folder(desired.folder_uid), _GONE, organisation=number)
    if answer.status == _GONE:
        return []
    folder = answer.read(Folder)
    own = [Found(folder.uid, folder.title, "dash-folder")]
    if not removing:
        return own
    inside = grafana.ask(requests.search_folder(folder.uid), organisation=number).read(list[Found])
    return [*own, *(one for one in inside if one.folder_uid == folder.uid)]


def _team(grafana: Grafana, number: int, desired: Desired, records: Records) -> dict[str, Any]:
    """Read the tenant's team and what its folder allows, where there is to be one."""
    if desired.team is None:
        return {}
    record = records.get((Kind.TEAM, "main"))
    team = see_team(grafana, number, desired.team, record.number if record else 0)
    return {"team": team, "rights": see_rights(grafana, number, desired.folder_uid)}


def _boards(
    grafana: Grafana, number: int, uids: set[str], found: Iterable[Found] | None
) -> dict[str, SeenBoard]:
    """Read dashboards, all or those that a search has found."""
    if found is None:
        read = {uid: read_board(grafana, number, uid) for uid in sorted(uids)}
    else:
        read = {one.uid: read_found(grafana, number, one) for one in found if one.type == "dash-db" and one.uid in uids}
    return {uid: board for uid, board in read.items() if board is not None}


def _folders(grafana: Grafana, number: int, desired: Desired, found: Iterable[Found]) -> dict[str, Folder]:
    """Return our folder; its version is asked only when it is to be renamed."""
    folders = {one.uid: Folder(one.uid, one.title) for one in found if one.type == "dash-folder"}
    ours = folders.get(desired.folder_uid)
    if ours is not None and ours.title != desired.folder_title:
        answer = grafana.ask(requests.folder(ours.uid), _GONE, organisation=number)
        if answer.status != _GONE:
            folders[ours.uid] = answer.read(Folder)
    return folders


def _foreign(
    grafana: Grafana, number: int, *, desired: Desired, records: Records, sources: Iterable[Source],
    found: Iterable[Found], services: Mapping[str, SeenService],
) -> tuple[tuple[str, ...], bool]:
    """Name what is not ours, and tell whether some of it stands in our folder.

    In an organisation that is not the tenant's own, only what is in the folder counts: the rest is nobody's business.
    """
    ours = {record.uid for record in records.values() if record.uid and record.state is not RecordState.DETACHED}
    ours |= {desired.folder_uid}
    names, in_folder = [], False
    for one in found:
        if one.uid not in ours:
            names.append(f"{'folder' if one.type == 'dash-folder' else 'dashboard'} {one.title}")
            in_folder = in_folder or one.folder_uid == desired.folder_uid
    if not desired.owns:
        return _in_folder(grafana, number, desired.folder_uid, found, ours)
    names += [f"data source {one.name}" for one in sources if one.uid not in ours]
    names += [f"service account {one.name}" for one in services.values() if one.name != desired.capture]
    library = grafana.ask(requests.library(), _GONE, organisation=number)
    if library.status != _GONE:
        names += [f"library panel {one.name}" for one in library.read(Library).result.elements]
    rules = grafana.ask(requests.alert_rules(), _GONE, organisation=number)
    if rules.status != _GONE:
        for rule in rules.read(list[AlertRule]):
            names.append(f"alert rule {rule.title}")
            in_folder = in_folder or rule.folder_uid == desired.folder_uid
    return tuple(names), in_folder


def _in_folder(
    grafana: Grafana, number: int, folder: str, found: Iterable[Found], ours: set[str]
) -> tuple[tuple[str, ...], bool]:
    names = [f"dashboard {one.title}" for one in found if one.uid not in ours and one.folder_uid == folder]
    rules = grafana.ask(requests.alert_rules(), _GONE, organisation=number)
    if rules.status != _GONE:
        names += [f"alert rule {one.title}" for one in rules.read(list[AlertRule]) if one.folder_uid == folder]
    return tuple(names), bool(names)
