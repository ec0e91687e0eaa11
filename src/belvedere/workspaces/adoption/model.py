"""What was found in a Grafana that may be a tenant's, and what is to become of it. Pure values.

What is not here: how it is recognised (`shapes.py`), and taking it over (`service.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from belvedere.workspaces.grafana.answers import Found, Source


class Shape(StrEnum):
    """Whose work it is: the cost monitor's, the file service's playbook's, the credential manager's."""

    ORGANISATION = "organisation"
    TEAM = "team"
    SOURCES = "sources"


class Outcome(StrEnum):
    """What is done with it."""

    CREATE = "create"
    LINK = "link"
    FINISH = "finish"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Thing:
    """One object. `ident` is its uid, or its number where Grafana has no uid.

    `purpose` is the kind of store that a data source of the credential manager is on.
    """

    kind: str
    ident: str
    title: str
    purpose: str = ""


class SeenTeam(Struct, frozen=True):
    """A team, by number; `email` may carry a mark of ours."""

    id: int
    name: str
    email: str = ""


class SeenTeams(Struct, frozen=True):
    """`GET /api/teams/search`."""

    teams: list[SeenTeam] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One organisation. Where Belvedere's login is no member, `inside` is False and the content is not known."""

    organisation: int
    name: str
    mark: str
    inside: bool
    people: int = 0
    sources: tuple[Source, ...] = ()
    found: tuple[Found, ...] = ()
    teams: tuple[SeenTeam, ...] = ()


@dataclass(frozen=True, slots=True)
class Find:
    """What one of the shapes fits: the tenant's name and number as it is called there, and all its objects.

    `number` is 0 where the shape tells none. `mark` is what says whose it is: the organisation's or
    the team's. `lacks` says what is missing for it to be whole.
    """

    shape: Shape
    organisation: int
    organisation_name: str
    name: str
    number: int = 0
    things: tuple[Thing, ...] = ()
    people: int = 0
    mark: str = ""
    inside: bool = True
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A find with what is to become of it. `tenant` is the serial number of the one that it is linked to, or 0.

    A refused one says why and what to do; with `choose` it is taken over when somebody says for which tenant.
    `taken` says that this was done just now.
    """

    find: Find
    outcome: Outcome
    name: str
    tenant: int = 0
    number: int = 0
    why: str = ""
    hint: str = ""
    choose: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over for one tenant, by our records: whose work it was, and how many objects of each kind."""

    tenant: int
    shapes: tuple[Shape, ...]
    counts: tuple[tuple[str, int], ...]
    at: datetime
