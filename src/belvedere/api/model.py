"""The words of this door: a call, its answer, and a row of the table of routes.

What is not here: Flask, and what any route does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec

from belvedere.app import Services
from belvedere.kernel.actor import Actor
from belvedere.kernel.page import Page

MOST_WAIT_S: Final = 60.0
"""Longest wait that `Prefer: wait=N` can ask for, in seconds."""

Body = TypeVar("Body")
Query = TypeVar("Query")
Item = TypeVar("Item")

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most items of this page.")]
After = Annotated[str, msgspec.Meta(max_length=200, description="The key in the `next` link of the page before.")]
Flag = Literal["0", "1", "true", "false"]
"""A switch in a query string."""


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route that takes nothing in its query string."""


class Paging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every list takes."""

    limit: Limit = 50
    after: After | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """One request, parsed and authenticated. What was sent may hold secrets, so its text leaves that out."""

    services: Services
    actor: Actor
    path: Mapping[str, str]
    query: Query = field(repr=False)
    body: Body = field(repr=False)
    wait_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def serial(self, name: str = "tenant") -> int:
        """Return the serial number of the tenant that the path names, or raise NotFound."""
        return self.services.tenants.get(self.actor, reference(self.path[name])).serial


@dataclass(frozen=True, slots=True)
class File:
    """A file as the body of an answer. Its tag never changes for the same content."""

    path: Path
    content_type: str
    tag: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler returns: something that msgspec can write, a file, or None for no content."""

    body: Any
    status: int = 200
    next: str | None = None
    total: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call[Any, Any]], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table: the description and the tests are made from it, and so is the Flask rule.

    `open` is the reason why a route asks nobody who they are; empty for all others. `answer` is the type of
    the answer's body; None means no content, and bytes a file. `body` is what is sent: a struct as JSON, or bytes as
    they are. `secret` marks answers that hold a secret shown once.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answer: Any = None
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | type[bytes] | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    open: str = ""
    secret: bool = False
    waits: bool = False

    @property
    def tag(self) -> str:
        """The group of the route: the first word of its name."""
        return self.name.partition(".")[0]

    @property
    def mutates(self) -> bool:
        """Tell whether calling it changes something."""
        return self.method not in {"GET", "HEAD"}


def reference(text: str) -> int | str:
    """Read a tenant in a path: digits are its serial number, anything else its slug or name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text  # noqa: PLR2004  (fits a bigint)


def paged(page: Page[Item], render: Callable[[Item], Any]) -> Answer:
    """Answer with one page of a list: a plain array, as today; the next page's key goes into a Link header."""
    return Answer([render(item) for item in page.items], next=page.next, total=page.total)


def on(flag: Flag) -> bool:
    """Read a switch."""
    return flag in {"1", "true"}
