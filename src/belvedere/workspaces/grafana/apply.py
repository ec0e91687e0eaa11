"""Does one step in a Grafana, so that doing it again does no harm, and writes down what stands there then.

What may have been done unseen (a 5xx, a broken connection) is read back: every deed takes "it is there already" for an
answer and compares. What is not here: which steps there are (`plan.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol, cast
from uuid import UUID

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.accounts import Accounts
from belvedere.workspaces.grafana.answers import (
    BoardPut,
    Folder,
    Organisation,
    OrganisationMade,
    Right,
    Source,
    SourceMade,
)
from belvedere.workspaces.grafana.api import Changed, Grafana, NotInOrganisation, Unsure
from belvedere.workspaces.grafana.deeds import Deed, Do
from belvedere.workspaces.grafana.model import INFLUX, Desired, Kind, RecordState, Seat, WantedSource
from belvedere.workspaces.grafana.observe import read_board
from belvedere.workspaces.grafana.people.users import Users
from belvedere.workspaces.grafana.plan import is_foreign_source
from belvedere.workspaces.grafana.previewer import Previewer
from belvedere.workspaces.grafana.problems import taken
from belvedere.workspaces.grafana.public import PublicPages
from belvedere.workspaces.grafana.removal import Removal
from belvedere.workspaces.grafana.shared.hands import SharedHands
from belvedere.workspaces.grafana.shared.model import QueryGateway

_TRIES: Final = 4
_FIRST_PAUSE_S: Final = 0.1
_SAME_SECOND_S: Final = 1.1
"""Grafana tells two settings of a data source apart by the second they were written in: never write two in one."""

_NEVER_S: Final = 86_400.0

_PENDING: Final = "pending"
_OK: Final = frozenset({200, 201})
_DROPS: Final = frozenset({
    Do.DROP_BOARD, Do.DROP_FOLDER, Do.DROP_SOURCE, Do.DROP_CAPTURE, Do.DROP_TEAM, Do.DROP_PUBLIC,
})


class Logins(Protocol):
    """As much of the stores as this room needs."""

    def reader_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the role and password of the tenant's reader."""
        ...


class Hands:
    """The deeds in one Grafana for one tenant."""

    def __init__(
        self, *, grafana: Grafana, database: Database, credentials: Credentials, logins: Logins, desired: Desired,
        seat: Seat, gateway: QueryGateway | None = None,
    ) -> None:
        """Take what it needs; `gateway` where data sources point at it."""
        self._grafana = grafana
        self._database = database
        self._credentials = credentials
        self._logins = logins
        self._desired = desired
        self._seat = seat
        self._gateway = gateway
        self._at = 0
        self._announced: set[tuple[Kind, str]] = set()
        self._shared = SharedHands(
            grafana=grafana, database=database, desired=desired, seat=seat, links=gateway.links if gateway else None
        )
        self._accounts = Accounts(grafana=grafana, database=database, credentials=credentials, seat=seat)
        previewer = Previewer(grafana=grafana, database=database, seat=seat, name=desired.capture)
        self._users = Users(grafana=grafana, database=database, credentials=credentials, seat=seat)
        removal = Removal(grafana=grafana, database=database, seat=seat, mark=desired.mark)
        self._deeds: Mapping[Do, Callable[[Deed, int], None]] = {
            Do.MARK: self._mark, Do.RENAME: self._rename, Do.JOIN: self._join, Do.FOLDER: self._folder,
            Do.SOURCE: self._source, Do.BOARD: self._board, Do.HOLD: self._hold, Do.CAPTURE: previewer.keep,
            Do.KEYS: self._keys, Do.ACCOUNT: self._accounts.put, Do.DROP_ACCOUNT: self._accounts.drop,
            Do.MEMBER: self._member, Do.DROP_MEMBER: self._drop_member,
            Do.TEAM: self._shared.team, Do.SEATS: self._shared.seats, Do.RIGHTS: self._shared.rights,
            Do.LINKS: self._shared.links, Do.DROP_LINKS: self._shared.drop_links, Do.DROP_TEAM: self._shared.drop_team,
            Do.DROP_PUBLIC: PublicPages(grafana=grafana, database=database, seat=seat).drop,
            Do.DROP_BOARD: removal.board, Do.DROP_FOLDER: removal.folder, Do.DROP_SOURCE: removal.source,
            Do.DROP_CAPTURE: previewer.drop, Do.DROP_ORGANISATION: removal.organisation,
            Do.RELEASE: removal.release, Do.FORGET: removal.forget,
        }

    def do(self, deed: Deed) -> None:
        """Do it. What Grafana may have done unseen is looked at again, a few times."""
        for attempt in range(_TRIES):
            try:
                if deed.do is Do.ORGANISATION:
                    self._organisation(again=attempt > 0)
                elif deed.do is Do.SHARED:
                    self._shared.organisation()
                else:
                    self._deeds[deed.do](deed, deed.organisation or self._number())
            except NotInOrganisation:
                if deed.do in _DROPS and self._is_gone(deed.organisation):
                    return
                raise
            except Unsure:
                if attempt == _TRIES - 1:
                    raise
                deed = replace(deed, seen=None)
                # A database that was locked is free again in a moment, mostly.
                self._grafana.pause(_FIRST_PAUSE_S * 3**attempt)
            else:
                return

    def _is_gone(self, number: int) -> bool:
        """Tell whether the organisation went with all that was in it."""
        return self._grafana.ask(requests.organisation(number), 404).status not in _OK

    def _number(self) -> int:
        """Return the organisation's number, which an earlier step may have found out."""
        if not self._at:
            with self._database.transaction() as connection:
                known = store.place(connection, self._seat)
            self._at = known.organisation if known else 0
        return self._at

    # The organisation

    def _organisation(self, *, again: bool) -> None:
        name, url = self._desired.organisation, self._grafana.url
        with self._database.transaction() as connection:
            store.ask_for(connection, self._seat, url, name)
        failpoint("workspaces.grafana.organisation-asked")
        answer = self._grafana.ask(requests.create_organisation(name), 409)
        made = answer.read(OrganisationMade).org_id if answer.status in _OK else 0
        number = made or self._left_half_made(again=again)
        failpoint("workspaces.grafana.organisation-made")
        self._mark(Deed(Do.MARK), number, new=bool(made))

    def _left_half_made(self, *, again: bool) -> int:
        """Take an organisation of our name that stands there when our own first try may have made it."""
        found = self._grafana.ask(requests.organisation_named(self._desired.organisation), 404)
        if found.status in _OK:
            one = found.read(Organisation)
            if one.address.address1 == self._desired.mark or (again and not one.address.address1):
                return one.id
            with self._database.transaction() as connection:
                store.unask(connection, self._seat)
        message = "The organisation appeared at the same moment. It is looked at again."
        raise Changed(message, retry_in_s=1.0)

    def _mark(self, _deed: Deed, number: int, *, new: bool = False) -> None:
        desired = self._desired
        if desired.owns:
            self._grafana.ask(requests.mark_organisation(number, desired.mark))
            failpoint("workspaces.grafana.organisation-marked")
        with self._database.transaction() as connection:
            if desired.shared:
                store.found_shared(connection, self._grafana.url, desired.organisation, number)
            store.found(connection, self._seat, self._grafana.url, desired.organisation, number)
            if new:
                self._announce(connection)
        self._at = number

    def _announce(self, connection: Connection) -> None:
        """Write down all that goes into a new organisation with it: one wait for the disk, not one for each."""
        for source in self._desired.sources:
            store.begin(connection, self._seat, Kind.SOURCE, source.key, uid=source.uid, digest=_PENDING)
            self._announced.add((Kind.SOURCE, source.key))
        for board in self._desired.boards:
            key = str(board.dashboard_id)
            store.begin(connection, self._seat, Kind.BOARD, key, uid=board.uid, digest=board.digest)
            self._announced.add((Kind.BOARD, key))

    def _begin(self, kind: Kind, key: str, *, uid: str, digest: str) -> float:
        """Write down what is about to be written; return how many seconds ago it was written before."""
        if (kind, key) in self._announced:
            # Used up: when this write fails, the next try is one that may find something.
            self._announced.remove((kind, key))
            return _NEVER_S
        with self._database.transaction() as connection:
            age = store.age_s(connection, self._seat, kind, key)
            store.begin(connection, self._seat, kind, key, uid=uid, digest=digest)
        return age

    def _rename(self, _deed: Deed, number: int) -> None:
        answer = self._grafana.ask(requests.rename_organisation(number, self._desired.organisation), 400, 409)
        if answer.status not in _OK:
            raise taken(self._desired.organisation, "organisation")
        with self._database.transaction() as connection:
            store.found(connection, self._seat, self._grafana.url, self._desired.organisation, number)

    def _join(self, _deed: Deed, number: int) -> None:
        """Make the administrator a member: it takes effect at once. 409 says that it is one already."""
        user = self._grafana.access.user
        self._grafana.ask(requests.add_organisation_user(number, user, "Admin"), 409)

    # What stands in it

    def _folder(self, deed: Deed, number: int) -> None:
        uid, title = deed.uid, deed.key
        if not deed.version:
            answer = self._grafana.ask(requests.create_folder(uid, title), 400, 409, 412, organisation=number)
            failpoint("workspaces.grafana.folder-made")
            if answer.status in _OK:
                self._open(uid, number)
                return
        seen = self._grafana.ask(requests.folder(uid), 404, organisation=number)
        if seen.status not in _OK:
            raise taken(title, "folder")
        folder = seen.read(Folder)
        if folder.title != title:
            renaming = requests.rename_folder(uid, title, folder.version)
            answer = self._grafana.ask(renaming, 409, 412, organisation=number)
            if answer.status == 409:  # noqa: PLR2004
                raise taken(title, "folder")
            if answer.status not in _OK:
                raise Changed(retry_in_s=1.0)
        if not deed.number:
            self._open(uid, number)

    def _open(self, uid: str, number: int) -> None:
        """See once that a new folder lets the organisation in, and write down that it does.

        Grafana allows it after it has made the folder. Killed in between (seen on 11.0.0), or with SQLite locked, it
        leaves a folder that no Viewer sees, and says nothing.
        """
        if not self._desired.shared:
            listed = self._grafana.ask(requests.folder_rights(uid), organisation=number).read(list[Right])
            if not any(one.role for one in listed):
                usual = ({"role": "Viewer", "permission": 1}, {"role": "Editor", "permission": 2})
                self._grafana.ask(requests.set_folder_rights(uid, usual), organisation=number)
            failpoint("workspaces.grafana.folder-opened")
        with self._database.transaction(flushed=False) as connection:
            store.put(connection, self._seat, Kind.FOLDER, "main", uid=uid)

    def _source(self, deed: Deed, number: int) -> None:
        source = deed.source
        if source is None:
            return
        body = self._source_body(source, number)
        age = self._begin(Kind.SOURCE, source.key, uid=source.uid, digest=_PENDING)
        if age < _SAME_SECOND_S:
            self._grafana.pause(_SAME_SECOND_S - age)
        made: Source | None = None
        if not deed.version:
            answer = self._grafana.ask(requests.create_source(body), 409, organisation=number)
            made = answer.read(SourceMade).datasource if answer.status in _OK else None
        failpoint("workspaces.grafana.source-made")
        made = made or self._change_source(source, body, number, deed.seen)
        if made.uid != source.uid:
            raise taken(source.name, "data source")
        with self._database.transaction(flushed=False) as connection:
            store.put(
                connection, self._seat, Kind.SOURCE, source.key, uid=made.uid, version=made.version,
                digest=source.seal,
            )

    def _change_source(
        self, source: WantedSource, body: Mapping[str, object], number: int, there: Source | None
    ) -> Source:
        if there is None:
            answer = self._grafana.ask(requests.source(source.uid), 404, organisation=number)
            if answer.status not in _OK:
                raise taken(source.name, "data source")
            there = answer.read(Source)
        if is_foreign_source(there) or there.read_only:
            raise taken(source.name, "data source")
        # Nothing of what it was before is left in it: an empty text takes a secret away.
        secrets = {key: "" for key, kept in there.secure_json_fields.items() if kept and key != source.secret}
        secrets |= cast("dict[str, str]", body["secureJsonData"])
        body = {**body, "version": there.version, "isDefault": there.is_default, "secureJsonData": secrets}
        answer = self._grafana.ask(requests.change_source(source.uid, body), 404, 409, organisation=number)
        if answer.status in _OK:
            return answer.read(SourceMade).datasource
        if "name" in answer.message:
            raise taken(source.name, "data source")
        raise Changed(retry_in_s=1.0)

    def _source_body(self, source: WantedSource, number: int) -> dict[str, object]:
        if source.through and self._gateway is not None:
            plugin, secret = INFLUX, self._gateway.secret
        elif source.influx is not None:
            token = self._logins.reader_login(source.store_id)[1].reveal()
            plugin, secret = INFLUX, Secret(source.influx.said(token))
        else:
            plugin, secret = self._grafana.postgres_plugin(number), self._logins.reader_login(source.store_id)[1]
        if source.influx is not None:
            plugin = source.influx.plugin
        return {
            "uid": source.uid, "name": source.name, "type": plugin, "access": "proxy",
            "url": source.url, "user": source.user, "database": source.old_database,
            "basicAuth": False, "isDefault": False, "withCredentials": False, "jsonData": source.json_data(),
            "secureJsonData": {source.secret: secret.reveal()},
        }

    def _board(self, deed: Deed, number: int) -> None:
        board = deed.board
        if board is None:
            return
        self._begin(Kind.BOARD, deed.key, uid=board.uid, digest=board.digest)
        document = {**board.document, "id": None, "version": deed.version}
        request = requests.put_board(document, deed.folder_uid, "Belvedere")
        answer = self._grafana.ask(request, 400, 404, 412, organisation=number)
        failpoint("workspaces.grafana.board-made")
        if answer.status in _OK:
            made = answer.read(BoardPut)
            if made.uid != board.uid:
                raise taken(board.title, "dashboard")
            self._note_board(deed, made.version)
            return
        if answer.word == "name-exists":
            raise taken(board.title, "dashboard")
        if answer.status != 412:  # noqa: PLR2004  (version mismatch)
            raise _refused_board(board.title, answer.message)
        seen = read_board(self._grafana, number, board.uid)
        if seen is None or seen.digest != board.digest:
            raise Changed(retry_in_s=1.0)
        self._note_board(deed, seen.version)

    def _note_board(self, deed: Deed, version: int, state: RecordState = RecordState.OURS) -> None:
        if deed.board is None:
            return
        with self._database.transaction(flushed=False) as connection:
            store.put(
                connection, self._seat, Kind.BOARD, deed.key, uid=deed.board.uid, version=version,
                digest=deed.board.digest, state=state,
            )

    def _hold(self, deed: Deed, _number: int) -> None:
        """Note a dashboard: with a version it is as it should be, without one somebody changed it by hand."""
        if deed.version:
            self._note_board(deed, deed.version)
            return
        with self._database.transaction() as connection:
            if not store.set_state(connection, self._seat, Kind.BOARD, deed.key, RecordState.BY_HAND):
                store.put(connection, self._seat, Kind.BOARD, deed.key, uid=deed.uid, state=RecordState.BY_HAND)
            failpoint("workspaces.grafana.hold.before-commit")

    def _keys(self, _deed: Deed, _number: int) -> None:
        with self._database.transaction() as connection:
            for source in self._desired.sources:
                self._credentials.provide(connection, self._seat.tenant, key_of(source.key), Secret(source.uid))
            failpoint("workspaces.grafana.keys.before-commit")

    def _member(self, deed: Deed, number: int) -> None:
        if deed.member is not None:
            self._users.put(deed.member, number)

    def _drop_member(self, deed: Deed, number: int) -> None:
        self._users.drop(deed.key, deed.number, number)


def key_of(store_kind: str) -> str:
    """Return the name of the credential that tells a data source's uid: `GRAFANA_UID_TIMING_REPORT`."""
    return f"GRAFANA_UID_{store_kind.upper()}"


def _refused_board(title: str, said: str) -> Later | Stuck:
    if "folder" in said:
        message = "The tenant's folder is gone from Grafana. It is made again."
        return Changed(message, retry_in_s=1.0)
    message = f"Grafana refused the dashboard {title}: {said}"
    return Stuck(message, code="grafana-refused")
