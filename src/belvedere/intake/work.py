"""What the steps of a run hand on to each other: files that are claimed, read, put off. Values only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from belvedere.intake.files import Seen
from belvedere.intake.model import Outcome, UploadState


@dataclass(frozen=True, slots=True)
class Run:
    """What is taken in one go, with one report at the end."""

    id: UUID
    tenant_id: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file that a run has. `seen` is the file as it was noted; `refused` is said of one that is read already.

    `moved_to` is where one that is tried again may still lie, as the file system has it.
    """

    id: UUID
    campaign_id: UUID | None
    folder: str
    name: str
    seen: Seen
    received_at: datetime
    kind: str = ""
    run: UUID | None = None
    failures: int = 0
    refused: bool = False
    moved_to: str = ""

    @property
    def path(self) -> str:
        """Where it came, as text, below the tenant's folder."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class Stream(Protocol):
    """A file that is being read."""

    def parts(self) -> Iterator[bytes]:
        """Give its parts one by one."""
        ...

    def end(self) -> Outcome:
        """Return what it was, after its last part."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: its content's hash, what it was, and what it handed over to be stored.

    A large one is read while it is stored: `stream` gives its parts, and at their end what it was.
    """

    file: Claimed
    sha256: bytes
    outcome: Outcome = field(default_factory=Outcome)
    parts: list[bytes] = field(default_factory=list, repr=False)
    stream: Stream | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A file whose data are stored, or that is refused; it is moved next."""

    file: Claimed
    kind: str
    sha256: bytes
    outcome: Outcome
    version: int = 1
    same_as: UUID | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that a run lets go of.

    `anew`: it must be still again; `now` is the file as it is meanwhile, if it is another. `failed` counts against it.
    """

    file: Claimed
    state: UploadState
    error: str = ""
    code: str = ""
    again_at: datetime | None = None
    anew: bool = False
    failed: bool = False
    now: Seen | None = None
