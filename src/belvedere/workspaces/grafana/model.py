"""What a tenant's place in a Grafana should hold, what it holds, and what was written down about it.

Names and uids are derived, so that the same tenant always gets the same; where something was taken over, the record
says which uid it has instead. What is not here: comparing (`plan.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from belvedere.workspaces.grafana.answers import Folder, Source
from belvedere.workspaces.grafana.document import SAME_TYPE
from belvedere.workspaces.grafana.people.model import JoinedMember, SeenMember, WantedMember
from belvedere.workspaces.tiers import Tier

OWN_UID: Final = re.compile(r"^b[0-9a-f]{32}$")
"""How every uid that Belvedere chooses looks: 33 characters of the 40 that Grafana allows."""

CAPTURE: Final = "belvedere-capture"
"""The service account that pictures are taken with; a Viewer of its own organisation."""

RELEASED: Final = "-"
"""The mark of an organisation that was let go: Grafana keeps the old one when an empty text is sent."""

INFLUX: Final = "influxdb"
"""The plugin that carries a query's text to the gateway unchanged, and the one that asks an InfluxDB."""

LOOK: Final = 1
EDIT: Final = 2
ADMINISTER: Final = 4
"""What a folder can allow, in Grafana's numbers."""

MOST_DIGESTS: Final = 20
_LONGEST_NAME: Final = 190


class Seat(NamedTuple):
    """A tenant's place in one tier: what was made is written down for each, since a move has two for a while."""

    tenant: int
    tier: Tier


class Kind(StrEnum):
    """What is written down about a Grafana."""

    SOURCE = "source"
    FOLDER = "folder"
    BOARD = "board"
    ACCOUNT = "account"
    CAPTURE = "capture"
    TEAM = "team"
    PUBLIC = "public"


class RecordState(StrEnum):
    """Whose an object is now. What was changed by hand waits for a person's choice; a detached one is the tenant's."""

    OURS = "ours"
    BY_HAND = "changed by hand"
    RESTORE = "restore"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Record:
    """What was made: uid or number, the version after it, and digests of what was written, the newest first."""

    kind: Kind
    key: str
    uid: str = ""
    number: int = 0
    version: int = 0
    digests: tuple[str, ...] = ()
    state: RecordState = RecordState.OURS

    @property
    def digest(self) -> str:
        """What was written last, or begun to be."""
        return self.digests[0] if self.digests else ""


Records = Mapping[tuple[Kind, str], Record]


@dataclass(frozen=True, slots=True)
class Known:
    """What is written down about a tenant's organisation. `asked` says that one of this name was once asked for."""

    url: str
    name: str
    organisation: int = 0
    asked: bool = False


class Right(NamedTuple):
    """What a folder allows: `whom` is `team 3`, `user 7` or `role Viewer`; 1 is look, 2 edit, 4 administer."""

    whom: str
    permission: int


@dataclass(frozen=True, slots=True)
class InfluxOptions:
    """How Grafana asks an InfluxDB: its address and organization, the plugin's type, and in Flux or in InfluxQL."""

    url: str
    org: str
    plugin: str = INFLUX
    flux: bool = True

    def json_data(self, bucket: str, through: str) -> dict[str, Any]:
        """Return the settings of a data source that are no secret.

        The gateway knows the organization itself, and is told the bucket in its place.
        """
        if not self.flux:
            return {"dbName": bucket, "httpMode": "POST", "httpHeaderName1": through or "Authorization"}
        made = {"version": "Flux", "organization": bucket if through else self.org, "defaultBucket": bucket,
                "httpMode": "POST"}
        return made | ({"httpHeaderName1": through} if through else {})

    def secret(self, through: str) -> str:
        """Return the name under which Grafana keeps the token, or the gateway's secret."""
        return "token" if self.flux and not through else "httpHeaderValue1"

    def said(self, token: str) -> str:
        """Return what is kept there: the token, or the whole header."""
        return token if self.flux else f"Token {token}"


@dataclass(frozen=True, slots=True)
class WantedSource:
    """One data source: PostgreSQL or InfluxDB itself, or with `through` the query gateway, which knows the login.

    `seal` changes with the password or the gateway's secret and tells nothing about it.
    """

    key: str
    store_id: UUID
    uid: str
    name: str
    url: str
    database: str
    user: str
    sslmode: str
    seal: str
    through: str = ""
    influx: InfluxOptions | None = None

    @property
    def secret(self) -> str:
        """The name under which Grafana keeps its secret."""
        if self.influx is not None:
            return self.influx.secret(self.through)
        return "httpHeaderValue1" if self.through else "password"

    @property
    def old_database(self) -> str:
        """The database as a field of its own, where PostgreSQL and InfluxQL are asked of it before version 10.

        Later Grafana's own pages empty it: `json_data` holds the name.
        """
        return "" if self.through or (self.influx is not None and self.influx.flux) else self.database

    @property
    def types(self) -> frozenset[str]:
        """The names of its plugin."""
        if self.influx is not None:
            return frozenset({self.influx.plugin})
        return frozenset({INFLUX}) if self.through else SAME_TYPE

    def json_data(self) -> dict[str, Any]:
        """Return the settings that are no secret; `database` stands here from 12.2 on.

        `through` is the name of the header that carries the gateway's secret.
        """
        if self.influx is not None:
            return self.influx.json_data(self.database, self.through)
        if self.through:
            return {"dbName": self.database, "httpMode": "POST", "httpHeaderName1": self.through}
        return {
            "database": self.database, "sslmode": self.sslmode, "postgresVersion": 1500, "timescaledb": False,
            "maxOpenConns": 4, "maxIdleConns": 2, "connMaxLifetime": 14400,
        }


@dataclass(frozen=True, slots=True)
class WantedBoard:
    """One dashboard, its document fitted to the tenant's data sources."""

    dashboard_id: UUID
    uid: str
    title: str
    document: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Theirs:
    """A dashboard that a person changed or made the tenant's own, as it stands.

    Its document is for PostgreSQL, each data source called by its store's id, so that any place can take it.
    """

    dashboard_id: UUID
    state: RecordState
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WantedAccount:
    """The tenant's default user. `existing` means that somebody else made it: it is added and never deleted.

    One that `stays` is ours, and outlives the tenant because the installation's settings say so.
    """

    login: str
    name: str
    role: str
    existing: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class WantedSeat:
    """Somebody of the tenant in a shared organisation: in the team, with so much right in the folder."""

    login: str
    member: str
    permission: int = LOOK


@dataclass(frozen=True, slots=True)
class WantedTeam:
    """The tenant's team in a shared organisation. Its `mark` stands in its e-mail address."""

    name: str
    mark: str
    seats: tuple[WantedSeat, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """All that should be there for one tenant.

    `owns` is True where the organisation is the tenant's alone, and goes with it. `shared` is True where tenants share
    one, which is made when it is missing unless its `number` was given. Where neither holds the organisation was given
    (an own Grafana, a token). `users` is False where nothing can be done about users, as with a token: then
    there is no default user and no member. `joined` are those who were put in, wanted or not; `administrator` is the
    login that Belvedere uses.
    """

    subject: str
    organisation: str
    mark: str
    owns: bool
    folder_uid: str
    folder_title: str
    sources: tuple[WantedSource, ...] = ()
    boards: tuple[WantedBoard, ...] = ()
    account: WantedAccount | None = None
    stale_keys: tuple[str, ...] = ()
    members: tuple[WantedMember, ...] = ()
    joined: tuple[JoinedMember, ...] = ()
    administrator: str = ""
    shared: bool = False
    number: int = 0
    users: bool = True
    team: WantedTeam | None = None
    capture: str = CAPTURE
    linked: bool = False


@dataclass(frozen=True, slots=True)
class SeenOrganisation:
    """The organisation that was found, and whether it is ours: by its mark, or because it was left half-made."""

    id: int
    name: str
    mark: str


@dataclass(frozen=True, slots=True)
class SeenBoard:
    """A dashboard as it is stored. `readable` is False for one that Grafana 13 keeps in a form it cannot show here."""

    uid: str
    version: int
    folder_uid: str
    title: str
    document: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class SeenService:
    """A service account."""

    id: int
    name: str
    role: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class SeenTeam:
    """A team, and the numbers and logins of the users in it besides Belvedere's own."""

    id: int
    name: str
    people: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there. Without an organisation, or as no member of it, the rest is not known and empty.

    `taken` names an organisation of the wanted name that is somebody else's; `public` are pages that captures left.
    """

    organisation: SeenOrganisation | None = None
    member: bool = True
    taken: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)
    folders: Mapping[str, Folder] = field(default_factory=dict)
    boards: Mapping[str, SeenBoard] = field(default_factory=dict)
    members: Mapping[str, SeenMember] = field(default_factory=dict)
    services: Mapping[str, SeenService] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    foreign_in_folder: bool = False
    team: SeenTeam | None = None
    rights: frozenset[Right] = frozenset()
    links: frozenset[str] = frozenset()
    public: tuple[Record, ...] = ()


def source_uid(store_id: UUID) -> str:
    """Return the uid of a store's data source."""
    return f"b{store_id.hex}"


def folder_uid(installation: UUID, tenant: int) -> str:
    """Return the uid of a tenant's folder, another one in another installation."""
    return f"b{uuid5(installation, f'folder {tenant}').hex}"


def mark_of(installation: UUID, tenant: int) -> str:
    """Return what is written into an organisation's address, so that two installations leave each other whole."""
    return f"belvedere {installation} tenant {tenant}"


def shared_mark_of(installation: UUID) -> str:
    """Return what is written into the address of the organisation that tenants share."""
    return f"belvedere {installation} shared"


def team_mark_of(installation: UUID, tenant: int) -> str:
    """Return what is written into a team's e-mail address; the domain is one that nobody can have (RFC 2606)."""
    return f"tenant-{tenant}@{installation.hex}.belvedere.invalid"


def organisation_name(pattern: str, tenant: int, name: str) -> str:
    """Return the organisation's name, trimmed: Grafana keeps blanks and case as they come, and 190 characters."""
    made = pattern.replace("{id}", str(tenant)).replace("{name}", name)
    return " ".join(made.split())[:_LONGEST_NAME].rstrip()
