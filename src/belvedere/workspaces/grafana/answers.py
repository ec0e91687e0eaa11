"""What Grafana answers, as structs: only the members that are used; others may come and go with versions."""

from typing import Any

import msgspec
from msgspec import Struct, field


class Health(Struct, frozen=True):
    """`GET /api/health`. The version is empty for strangers where `hide_version` is set."""

    version: str = ""


class Address(Struct, frozen=True):
    """An organisation's address; the first line carries our mark."""

    address1: str = ""


class Organisation(Struct, frozen=True):
    """One organisation."""

    id: int
    name: str
    address: Address = Address()


class OrganisationMade(Struct, frozen=True, rename="camel"):
    """`POST /api/orgs`."""

    org_id: int


class Member(Struct, frozen=True, rename="camel"):
    """Somebody in an organisation."""

    user_id: int
    login: str
    role: str
    email: str = ""
    name: str = ""


class Membership(Struct, frozen=True, rename="camel"):
    """One of a user's organisations."""

    org_id: int
    name: str = ""
    role: str = ""


class CurrentUser(Struct, frozen=True, rename="camel"):
    """`GET /api/user`: the login itself. The organisation may be gone by now."""

    org_id: int = 0


class User(Struct, frozen=True, rename="camel"):
    """A user of the server. `external` says that a single sign-on made it; `auth_labels` by which."""

    id: int
    login: str
    email: str = ""
    name: str = ""
    external: bool = field(default=False, name="isExternal")
    auth_labels: list[str] | None = None

    @property
    def is_external(self) -> bool:
        """Tell whether a single sign-on made it or signs it in: then it is not ours, whatever we did before."""
        return self.external or bool(self.auth_labels)


class Added(Struct, frozen=True, rename="camel"):
    """`POST /api/orgs/:id/users`: who was added, or is in already. 0 where an old version does not say."""

    user_id: int = 0


class Made(Struct, frozen=True):
    """An answer with the number of what was made."""

    id: int


class Source(Struct, frozen=True, rename="camel"):
    """A data source. `secure_json_fields` says which secrets are set; they never come back."""

    uid: str
    name: str
    type: str
    org_id: int = 0
    id: int = 0
    access: str = "proxy"
    url: str = ""
    user: str = ""
    database: str = ""
    is_default: bool = False
    version: int = 1
    json_data: dict[str, Any] = field(default_factory=dict)
    secure_json_fields: dict[str, bool] = field(default_factory=dict)
    read_only: bool = False


class SourceMade(Struct, frozen=True):
    """`POST` and `PUT` of a data source."""

    datasource: Source


class Found(Struct, frozen=True, rename="camel"):
    """One line of a search: a dashboard (`dash-db`) or a folder (`dash-folder`)."""

    uid: str
    title: str
    type: str
    tags: list[str] = field(default_factory=list)
    folder_uid: str = ""


class Folder(Struct, frozen=True):
    """A folder."""

    uid: str
    title: str
    version: int = 1


class BoardMeta(Struct, frozen=True, rename="camel"):
    """What Grafana knows about a dashboard besides its document."""

    version: int = 0
    folder_uid: str = ""
    updated_by: str = ""


class Board(Struct, frozen=True):
    """A dashboard as it is stored."""

    dashboard: dict[str, Any]
    meta: BoardMeta = BoardMeta()


class BoardVersion(Struct, frozen=True):
    """One version of a dashboard; the list of them has the newest first, with its document (10 and 11)."""

    version: int
    data: dict[str, Any]


class BoardPut(Struct, frozen=True):
    """`POST /api/dashboards/db`: the uid is compared, since a taken title may be answered with another's."""

    uid: str
    version: int


class PublicPage(Struct, frozen=True, rename="camel"):
    """A dashboard's public page; who knows `access_token` sees it."""

    access_token: str
    is_enabled: bool = False


class ServiceAccount(Struct, frozen=True, rename="camel"):
    """A service account."""

    id: int
    name: str
    role: str
    is_disabled: bool = False


class ServiceAccounts(Struct, frozen=True, rename="camel"):
    """`GET /api/serviceaccounts/search`."""

    service_accounts: list[ServiceAccount]


class Token(Struct, frozen=True):
    """A token, whose key is shown this once."""

    id: int
    key: str


class SourceHealth(Struct, frozen=True):
    """What a data source says about its database."""

    status: str = ""
    message: str = ""


class QueryResult(Struct, frozen=True):
    """What came of one of a query's questions."""

    error: str = ""


class Queried(Struct, frozen=True):
    """What came of a query, by the names of its questions."""

    results: dict[str, QueryResult] = field(default_factory=dict)


class Team(Struct, frozen=True):
    """A team. Its e-mail address carries our mark."""

    id: int
    name: str
    email: str = ""


class Teams(Struct, frozen=True):
    """`GET /api/teams/search`."""

    teams: list[Team] = field(default_factory=list)


class TeamMade(Struct, frozen=True, rename="camel"):
    """`POST /api/teams`."""

    team_id: int


class TeamMember(Struct, frozen=True, rename="camel"):
    """Somebody in a team."""

    user_id: int
    login: str = ""


class Right(Struct, frozen=True, rename="camel"):
    """What a folder allows a role, a team or a user: 1 look, 2 edit, 4 administer."""

    permission: int
    role: str = ""
    team_id: int = 0
    user_id: int = 0
    inherited: bool = False


class LibraryElement(Struct, frozen=True):
    """A library panel."""

    name: str
    uid: str = ""


class LibraryResult(Struct, frozen=True):
    """A page of library panels."""

    elements: list[LibraryElement] = field(default_factory=list)


class Library(Struct, frozen=True):
    """`GET /api/library-elements`."""

    result: LibraryResult = msgspec.field(default_factory=LibraryResult)


class AlertRule(Struct, frozen=True, rename={"folder_uid": "folderUID"}):
    """An alert rule."""

    title: str
    uid: str = ""
    folder_uid: str = ""
