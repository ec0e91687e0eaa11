"""What a question to the gateway is, who asks it, and how much it may cost. Pure."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

PROOF_HEADER: Final = "X-Belvedere-Gateway"
"""The header in which Grafana proves itself; its value is stored in Grafana's data source."""

IDENTITY_HEADER: Final = "X-Grafana-Id"
"""The header in which Grafana 10.3 and later send who asks, with the toggle `idForwarding`."""

USER_HEADER: Final = "X-Grafana-User"
"""The header with the asking person's login; it narrows who is believed and never widens it."""

LEADING_COMMENT: Final = "/* $timeFilter */ "
"""What a query begins with that uses the time macros: Grafana writes the range into it."""

LEADING_COMMENT_TABLE: Final = "/* table $timeFilter */ "
"""The same for an answer that is read as a table, where a row without a time stays a row."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the door saw it. Header names are in lower case; `fields` are of the address and of the form.

    `body` is what is no form.
    """

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Identity:
    """One tenant that a subject of Grafana's tokens may see, and the member that the subject is."""

    subject: str
    tenant: int
    member: str
    login: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """One store that a subject may see now, by which membership; `kind` is `QOR`, `influxdb` and so on."""

    tenant: int
    member: str
    login: str
    store: UUID
    kind: str
    database: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one answer may hold. Its time is the tenant's reader's own (`BELVEDERE_TENANT_STATEMENT_TIMEOUT_S`).

    `at_once` is how many answers of one tenant are made at the same time; more wait.
    """

    rows: int = 1_000_000
    bytes: int = 268_435_456
    at_once: int = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """The beginning of an answer, and what makes the rest of it when there is more."""

    first: bytes
    rest: Generator[bytes] | None = None
    whole: bool = False
    """Whether `first` is all, and `rest` is only to be closed."""

    status: int = 200
    kind: str = "application/json"
    """The type of its text."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer: its name and the number of its PostgreSQL type."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How an answer is laid out for Grafana.

    Attributes:
        order: places of the columns that are values, in the order in which they are sent.
        names: their names.
        time: the place of the column that is the rows' time, or None.
        tag: the place of the column by whose values rows are divided into series, or None.
    """

    order: tuple[int, ...]
    names: tuple[str, ...]
    time: int | None = None
    tag: int | None = None
