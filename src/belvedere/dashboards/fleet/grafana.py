"""The fleet's dashboard in Grafana: what stands there, and the deeds, each safe to repeat.

Only what bears our mark or our uids is ever written: an organisation of ours or the one that was named by its number,
one folder, one data source, one dashboard. What is not here: which steps there are (`plan.py`), HTTP (`workspaces/`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from belvedere.dashboards.fleet import store
from belvedere.dashboards.fleet.model import FOLDER, SOURCE, TITLE, Record, SeenGrafana, Wanted
from belvedere.dashboards.fleet.plan import Deed, Do
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import (
    BoardPut,
    Folder,
    Found,
    Organisation,
    OrganisationMade,
    Source,
    SourceMade,
)
from belvedere.workspaces.grafana.api import Changed, Grafana
from belvedere.workspaces.grafana.model import Desired, Known
from belvedere.workspaces.grafana.observe import find_organisation, is_inside, read_board, see_members
from belvedere.workspaces.grafana.people import store as people_store
from belvedere.workspaces.grafana.people.model import SeenMember
from belvedere.workspaces.grafana.problems import taken

_OK: Final = frozenset({200, 201})
_SAME_SECOND_S: Final = 1.1
"""Grafana tells two settings of a data source apart by the second they were written in: never write two in one."""


class FleetGrafana:
    """The operators' place in one Grafana."""

    def __init__(self, grafana: Grafana, database: Database) -> None:
        """Take the Grafana, with a server administrator's login, and the control database."""
        self._grafana = grafana
        self._database = database

    @property
    def url(self) -> str:
        """The Grafana's address, without a login in it."""
        return self._grafana.url

    def observe(self, wanted: Wanted, record: Record, *, removing: bool = False) -> SeenGrafana:
        """Return what is there.

        Raises:
            Stuck: the organisation is somebody else's, or tenants look there.
            Later: Grafana is away.
        """
        desired = Desired(
            TITLE, wanted.organisation, wanted.mark, owns=True, folder_uid=wanted.folder_uid, folder_title=FOLDER,
            number=wanted.number,
        )
        place = Known(record.url, record.name, record.organisation, record.asked) if record.name else None
        found, foreign = find_organisation(self._grafana, desired, place)
        if foreign:
            raise taken(foreign, "organisation")
        if found is None:
            if wanted.number and not removing:
                message = f"Grafana has no organisation {wanted.number} for its operators."
                raise Stuck(message, code="grafana-operators", hint="Check BELVEDERE_GRAFANA_OPERATORS.")
            return SeenGrafana()
        members = see_members(self._grafana, found.id)
        strangers = () if removing else self._strangers(found.id, members)
        marked = found.mark == wanted.mark
        if not is_inside(self._grafana, members):
            return SeenGrafana(found.id, marked, member=False, strangers=strangers)
        source = self._grafana.ask(requests.source(wanted.source_uid), 404, organisation=found.id)
        folder = self._grafana.ask(requests.folder(wanted.folder_uid), 404, organisation=found.id)
        inside = self._grafana.ask(requests.search_folder(wanted.folder_uid), organisation=found.id).read(list[Found])
        return SeenGrafana(
            found.id, marked,
            source=source.read(Source) if source.status in _OK else None,
            folder=folder.read(Folder) if folder.status in _OK else None,
            board=read_board(self._grafana, found.id, wanted.board_uid),
            foreign=any(one.folder_uid == wanted.folder_uid and one.uid != wanted.board_uid for one in inside),
            strangers=strangers,
        )

    def _strangers(self, number: int, members: Mapping[str, SeenMember]) -> tuple[str, ...]:
        """Return the tenants' people who stand in an organisation.

        Raises:
            Stuck: it is a tenant's own, or the one that tenants share.
        """
        with self._database.transaction() as connection:
            if number in people_store.homes(connection, self.url):
                message = f"Tenants look in organisation {number} of Grafana: the fleet of all tenants is not for them."
                hint = "Name another one in BELVEDERE_GRAFANA_OPERATORS."
                raise Stuck(message, code="grafana-operators", hint=hint)
            return tuple(
                one.login for one in members.values() if people_store.owner_of(connection, self.url, one.id) is not None
            )

    def do(self, deed: Deed, wanted: Wanted, token: Secret) -> None:
        """Do one step. `token` is the value of the token that `wanted` names."""
        if deed.do is Do.ORGANISATION:
            self._organisation(wanted, int(deed.number or 0))
            return
        with self._database.transaction() as connection:
            number = wanted.number or store.record(connection, self.url).organisation
        deeds: Mapping[Do, Callable[[], None]] = {
            Do.JOIN: lambda: self._join(number),
            Do.FOLDER: lambda: self._folder(deed, wanted, number),
            Do.SOURCE: lambda: self._source(wanted, token, number),
            Do.BOARD: lambda: self._board(deed, wanted, number),
            Do.DROP_BOARD: lambda: self._drop(requests.delete_board(wanted.board_uid), number),
            Do.DROP_SOURCE: lambda: self._drop(requests.delete_source(wanted.source_uid), number),
            Do.DROP_FOLDER: lambda: self._drop(requests.delete_folder(wanted.folder_uid), number),
        }
        deeds[deed.do]()

    def _organisation(self, wanted: Wanted, number: int) -> None:
        """Make it, or use the one that was seen; mark it, unless it was named by its number."""
        if not number:
            with self._database.transaction() as connection:
                record = store.record(connection, self.url)
                if not record.organisation:
                    store.ask_for(connection, self.url, wanted.organisation)
            failpoint("dashboards.fleet.organisation-asked")
            answer = self._grafana.ask(requests.create_organisation(wanted.organisation), 409)
            made = answer.read(OrganisationMade).org_id if answer.status in _OK else 0
            failpoint("dashboards.fleet.organisation-made")
            number = made or self._there(wanted, asked=record.asked)
        if not wanted.number:
            self._grafana.ask(requests.mark_organisation(number, wanted.mark))
            failpoint("dashboards.fleet.organisation-marked")
        with self._database.transaction() as connection:
            store.found(connection, self.url, wanted.organisation, number)
            failpoint("dashboards.fleet.organisation.before-commit")

    def _there(self, wanted: Wanted, *, asked: bool) -> int:
        found = self._grafana.ask(requests.organisation_named(wanted.organisation), 404)
        if found.status in _OK:
            one = found.read(Organisation)
            if one.address.address1 == wanted.mark or (asked and not one.address.address1):
                return one.id
            with self._database.transaction() as connection:
                store.unask(connection, self.url)
            raise taken(wanted.organisation, "organisation")
        message = "The operators' organisation appeared at the same moment. It is looked at again."
        raise Changed(message, retry_in_s=1.0)

    def _join(self, number: int) -> None:
        self._grafana.ask(requests.add_organisation_user(number, self._grafana.access.user, "Admin"), 409)

    def _folder(self, deed: Deed, wanted: Wanted, number: int) -> None:
        request = (
            requests.rename_folder(wanted.folder_uid, FOLDER, deed.version) if deed.version
            else requests.create_folder(wanted.folder_uid, FOLDER)
        )
        answer = self._grafana.ask(request, 400, 404, 409, 412, organisation=number)
        failpoint("dashboards.fleet.folder-made")
        if answer.status in _OK:
            return
        there = self._grafana.ask(requests.folder(wanted.folder_uid), 404, organisation=number)
        if there.status not in _OK or there.read(Folder).title != FOLDER:
            raise taken(FOLDER, "folder")

    def _source(self, wanted: Wanted, token: Secret, number: int) -> None:
        reading = wanted.reading
        body = {
            "uid": wanted.source_uid, "name": SOURCE, "type": reading.options.plugin, "access": "proxy",
            "url": reading.options.url, "user": "", "database": "", "basicAuth": False, "isDefault": False,
            "withCredentials": False, "jsonData": reading.json_data(),
            "secureJsonData": {reading.secret: reading.options.said(token.reveal())},
        }
        with self._database.transaction() as connection:
            age = store.source_age_s(connection, self.url)
            store.put_source(connection, self.url, 0)
        if age < _SAME_SECOND_S:
            self._grafana.pause(_SAME_SECOND_S - age)
        there = self._grafana.ask(requests.source(wanted.source_uid), 404, organisation=number)
        if there.status in _OK:
            made = self._change_source(there.read(Source), wanted, body, number)
        else:
            answer = self._grafana.ask(requests.create_source(body), 409, organisation=number)
            if answer.status not in _OK:
                raise taken(SOURCE, "data source")
            made = answer.read(SourceMade).datasource
        failpoint("dashboards.fleet.source-made")
        if made.uid != wanted.source_uid:
            raise taken(SOURCE, "data source")
        with self._database.transaction() as connection:
            store.put_source(connection, self.url, made.version)

    def _change_source(self, there: Source, wanted: Wanted, body: dict[str, object], number: int) -> Source:
        if there.read_only or not there.type.startswith("influxdb"):
            raise taken(SOURCE, "data source")
        secret = wanted.reading.secret
        # An empty text takes away the secret of another language.
        gone = {key: "" for key, kept in there.secure_json_fields.items() if kept and key != secret}
        secrets = body["secureJsonData"]
        body = {
            **body, "version": there.version, "isDefault": there.is_default,
            "secureJsonData": gone | (secrets if isinstance(secrets, dict) else {}),
        }
        answer = self._grafana.ask(requests.change_source(there.uid, body), 404, 409, organisation=number)
        if answer.status not in _OK:
            if "name" in answer.message:
                raise taken(SOURCE, "data source")
            raise Changed(retry_in_s=1.0)
        return answer.read(SourceMade).datasource

    def _board(self, deed: Deed, wanted: Wanted, number: int) -> None:
        with self._database.transaction() as connection:
            store.put_board(connection, self.url, wanted.digest, 0)
        document = {**wanted.document, "id": None, "version": deed.version}
        request = requests.put_board(document, deed.folder, "Belvedere")
        answer = self._grafana.ask(request, 400, 404, 412, organisation=number)
        failpoint("dashboards.fleet.board-made")
        if answer.status in _OK:
            made = answer.read(BoardPut)
            if made.uid != wanted.board_uid:
                raise taken(TITLE, "dashboard")
            with self._database.transaction() as connection:
                store.put_board(connection, self.url, wanted.digest, made.version)
            return
        if answer.word == "name-exists":
            raise taken(TITLE, "dashboard")
        if answer.status == 400:  # noqa: PLR2004  (it does not take the document)
            message = f"Grafana refused the dashboard {TITLE}: {answer.message}"
            raise Stuck(message, code="grafana-refused")
        raise Changed(retry_in_s=1.0)

    def _drop(self, request: requests.Request, number: int) -> None:
        self._grafana.ask(request, 404, organisation=number)
        failpoint("dashboards.fleet.dropped")
