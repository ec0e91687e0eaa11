"""The fleet of uploads as a typed dashboard, and what stands in Grafana and InfluxDB for it. Pure.

The page draws it over PostgreSQL's view `upload_fleet`; Grafana over the summary points in an InfluxDB. What is not
here: comparing (`plan.py`), doing (`grafana.py`), the questions (`flux.py`, `influxql.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec.structs import replace

from belvedere.dashboards.bind import bind
from belvedere.dashboards.classify import Profile, Shape, classify
from belvedere.dashboards.template import of_operators
from belvedere.workspaces.grafana.answers import Folder, Source
from belvedere.workspaces.grafana.model import InfluxOptions, SeenBoard
from belvedere.workspaces.model import Model

TITLE: Final = "Fleet of uploads"
FOLDER: Final = "Belvedere"
SOURCE: Final = "influxdb_uploads"
TOKEN: Final = "belvedereToken"  # noqa: S105  (the name of a member of jsonData)
"""Where the token's number stands in the data source: another token is seen although no token can be read back."""

BY_HAND: Final = (
    "The dashboard was changed by hand in Grafana and stays so. `belvedere fleet apply --restore` writes ours again."
)

DASHBOARD_ID: Final = UUID("6f5a2c7e-3d0b-5a4e-9c11-7b1f2f1d8a60")
STORE_ID: Final = UUID("c3b7a9d4-52f1-5e0c-8a5d-0d6c1b9e4f21")
"""They stand for it where a tenant's dashboard has ids of its own."""

_TIME, _TEXT, _NUMBER = "timestamp with time zone", "text", "double precision"
_COLUMNS: Final = (
    ("time", _TIME), ("ended", _TIME), ("run", _TIME), ("tenant", _TEXT), ("campaign", _TEXT), ("device", _TEXT),
    ("file", _TEXT), ("outcome", _TEXT), ("reason", _TEXT), ("points", _NUMBER), ("rows", _NUMBER),
    ("megabytes", _NUMBER), ("seconds", _NUMBER), ("elapsed", _NUMBER),
)
"""The columns of the view, in the migration's order."""


@cache
def fleet() -> Model:
    """Return the dashboard."""
    template = of_operators("uploads-fleet")
    shape = Shape("belvedere", "public", "upload_fleet", _COLUMNS, "view")
    found = classify(shape, Profile(), (template,))
    made = bind(template, shape, found.chosen, guess=False)
    return replace(made, title=TITLE, since="now-7d", until="now")


@dataclass(frozen=True, slots=True)
class Reading:
    """How Grafana reads the summary points: the server, the bucket, and the number of the token it has for that."""

    options: InfluxOptions
    bucket: str
    token: str = ""

    def json_data(self) -> dict[str, Any]:
        """Return the settings of the data source that are no secret."""
        return self.options.json_data(self.bucket, "") | {TOKEN: self.token}

    @property
    def secret(self) -> str:
        """The name under which Grafana keeps the token."""
        return self.options.secret("")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should stand in Grafana. Of the organisation either the number was given, or it bears our mark."""

    organisation: str
    number: int
    mark: str
    folder_uid: str
    source_uid: str
    board_uid: str
    reading: Reading
    document: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class SeenToken:
    """The bucket of the summaries and the token that reads it: its number where it is kept and right, else empty."""

    bucket: bool = False
    token: str = ""
    kept: str = ""
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class SeenGrafana:
    """What stands in Grafana. `foreign`: the folder holds what is not ours; `strangers` are tenants' people."""

    organisation: int = 0
    marked: bool = False
    member: bool = True
    source: Source | None = None
    folder: Folder | None = None
    board: SeenBoard | None = None
    foreign: bool = False
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What was written down: the organisation, versions, and digests of what was written, the newest first."""

    url: str = ""
    name: str = ""
    organisation: int = 0
    asked: bool = False
    source_version: int = 0
    board_version: int = 0
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """How the dashboard in Grafana was at the last look, for pages.

    `why_not` says why there is none.
    """

    url: str = ""
    organisation: int = 0
    why_not: str = ""
    looked_at: datetime | None = None
    warnings: tuple[str, ...] = ()
    problem: str = ""
    problem_code: str = ""
    hint: str = ""
    since: datetime | None = field(default=None)

    @property
    def word(self) -> str:
        """Say it in a word: `none`, `needs you`, `waiting`, `changed by hand`, `not yet`, `ready`."""
        if self.why_not:
            return "none"
        if self.problem:
            return "waiting" if self.problem_code.endswith("-away") else "needs you"
        if self.looked_at is None:
            return "not yet"
        return "changed by hand" if self.by_hand else "ready"

    @property
    def by_hand(self) -> bool:
        """Whether somebody changed the dashboard, which is left as it is until an operator asks for ours."""
        return BY_HAND in self.warnings


def mark_of(installation: UUID) -> str:
    """Return what is written into the organisation's address."""
    return f"belvedere {installation} operators"


def uid_of(installation: UUID, what: str) -> str:
    """Return the uid of the folder, the data source or the dashboard; another one in another installation."""
    return f"b{uuid5(installation, f'fleet {what}').hex}"
