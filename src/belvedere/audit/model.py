"""What the history holds, and the port by which every other room writes it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from belvedere.kernel.actor import Actor


class Ending(Protocol):
    """What a deed may say about itself before it ends."""

    def note(self, **result: object) -> None:
        """Add members to the `ended` record (ids, counts). Secrets are masked by key and by type."""


class History(Protocol):
    """Where deeds are written down."""

    def action(
        self, actor: Actor, verb: str, target: str, *, tenant: int | None = None, **arguments: object
    ) -> AbstractContextManager[Ending]:
        """Write `asked`, flushed to disk, run the block, write `ended` with its result and duration.

        An error inside the block ends it as `refused` (Rejected) or `failed` and passes on.

        Args:
            actor: who.
            verb: what, as `noun.verb`: `tenant.create`, `credential.reveal`.
            target: to what, for people: a name or an id.
            tenant: serial number of the tenant that the deed concerns, for the tenant's own history page.
            arguments: how; masked by key (password, token, secret...) and by type.

        Raises:
            Later: the history cannot be written (the disk is full); the block did not run.
        """
        ...

    def summary(
        self, actor: Actor, verb: str, target: str, *, count: int, tenant: int | None = None, **details: object
    ) -> None:
        """Write one record for `count` deeds of the data plane (queries, lines taken in) that were done."""

    def refusal(self, actor: Actor, verb: str, target: str, reason: str, *, tenant: int | None = None) -> None:
        """Write down that a request was refused before it became a deed; repeats are counted, not listed."""


class Result(StrEnum):
    """How an action ended. `running` has not; `unknown` never will: its process died first."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the history as people read it: an `asked` and its `ended` together.

    `file`, `line`, `before` and `hash` tell where the `asked` record stands in which chain. `count` is more
    than 1 for summaries of the data plane.
    """

    id: UUID
    at: datetime
    actor: str
    role: str
    door: str
    origin: str
    verb: str
    target: str
    tenant: int | None
    result: Result
    duration_ms: float | None
    request_id: str
    error: str = ""
    count: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)
    ending: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    line: int = 0
    before: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a file had come: how many lines, and the hash of the last of them."""

    lines: int
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where the record is not whole: a file, a line in it (0 for the file itself) and what is wrong there."""

    file: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk over every line of every file found.

    `head` is one hash over all files' heads: noted elsewhere, it proves later that nothing before it changed
    (`heads` holds what it was made of). `repairs` counts torn last lines that were noted openly.
    """

    ok: bool
    count: int
    records: int
    files: int
    head: str
    heads: Mapping[str, Head]
    breaks: tuple[Break, ...]
    repairs: int
    anchors: int
    checked_at: datetime
    duration_ms: float

    @property
    def broken_at(self) -> Break | None:
        """The first place where the record is not whole."""
        return self.breaks[0] if self.breaks else None


class Anchors(Protocol):
    """A place apart from the files that remembers how far each had come, so that a cut tail or a removed file shows."""

    def read(self) -> Mapping[str, Head]:
        """Return what is remembered, by file name."""

    def write(self, file: str, head: Head) -> None:
        """Remember how far `file` has come, and tell open pages that there are new actions."""
