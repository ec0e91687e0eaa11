r"""The values of this room: notices, campaigns, uploads, and the port of those who take a kind of file.

Paths are below a tenant's folder, without a slash at either end, as `names.text_of` writes them: what is not UTF-8 and
what controls a terminal stands as `\xNN`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Happening(StrEnum):
    """What a notice says. Each only causes a look; `closed` also says that the file is complete."""

    CLOSED = "closed"
    MADE = "made"
    RENAMED = "renamed"
    REMOVED = "removed"
    LOOK = "look"


class Via(StrEnum):
    """By which door a file or a notice came."""

    SFTP = "sftp"
    SFTPGO = "sftpgo"
    HTTP = "http"
    FOLDER = "folder"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice of one door.

    `company` is the name of the tenant's folder, `path` what lies below it (empty: all of it), both as the file system
    gives them (`os.fsdecode`). `key` makes a notice that comes twice count once; empty: it counts each time. `at` is
    when it happened, by the door's clock; none: now.
    """

    company: str
    path: str
    what: Happening
    via: Via
    key: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of notices: how many were new, how many had been noted before, and folders that no tenant has."""

    new: int
    again: int
    strangers: tuple[str, ...] = ()


class UploadState(StrEnum):
    """How far a file is.

    `received`: seen, perhaps still being written. `reading`: a runner has it. `stored`: its points are in the store, it
    still lies where it came. `parsed` and `refused` are ends: it lies in `parsed/` or `error/`. `waiting`: tried again
    by itself at `again_at`. `left`: nobody here reads this kind; it stays where it is. `gone`: somebody took it away.
    """

    RECEIVED = "received"
    READING = "reading"
    STORED = "stored"
    PARSED = "parsed"
    REFUSED = "refused"
    WAITING = "waiting"
    LEFT = "left"
    GONE = "gone"


class CampaignState(StrEnum):
    """A deleted campaign keeps its data; its folder is gone or out of the way."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A named series of uploads of one tenant: the folder of that name in the tenant's folder.

    `prepared_at` is when the store was made ready for its points; `error` says why it is not yet. The counts are of
    its uploads, `points` of all of them.
    """

    id: UUID
    tenant_id: int
    name: str
    state: CampaignState
    made_at: datetime
    made_by: str
    prepared_at: datetime | None = None
    deleted_at: datetime | None = None
    error: str | None = None
    uploads: int = 0
    parsed: int = 0
    refused: int = 0
    open: int = 0
    points: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that came in. `path` is where it came, `moved_to` where it is now (none: still there).

    `same_as` is the earlier upload with this content in this folder: it was seen and not stored again. `version` counts
    the different contents that this name had. `first_at` and `last_at` are the times of the data, but for
    `lost_clock` rows that carry the date of a device that lost its clock. `report` is the full
    account of what was read; lists leave it out. `error` is a sentence for people, `code` its kind. `skipped_why` has
    how many rows were skipped for each reason.
    """

    id: UUID
    tenant_id: int
    campaign_id: UUID | None
    campaign: str
    device: str
    folder: str
    name: str
    kind: str
    size_bytes: int
    sha256: str
    version: int
    state: UploadState
    via: Via
    received_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    points: int
    rows: int
    skipped: int
    first_at: datetime | None
    last_at: datetime | None
    error: str | None
    code: str | None
    same_as: UUID | None
    moved_to: str | None
    failures: int
    again_at: datetime | None
    report: Mapping[str, Any] | None = None
    skipped_why: tuple[tuple[str, int], ...] = ()
    lost_clock: int = 0

    @property
    def path(self) -> str:
        """Where it came, below the tenant's folder."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


@dataclass(frozen=True, slots=True)
class Totals:
    """How many uploads stand where, and what they brought.

    `again` are uploads whose content had come before, whose points and rows count once. `per_minute` is how many ended
    in the last minute.
    """

    by_state: Mapping[UploadState, int]
    files: int
    points: int
    rows: int
    skipped: int
    size_bytes: int
    again: int
    per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a place, until a look finds it right. `tenant_id` is none for a folder of no tenant."""

    tenant_id: int | None
    path: str
    code: str
    error: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: the tenant's name, the parts of its path below the tenant's folder, its name, all as text.

    `campaign` is the first part, `device` the second; each is empty when the file lies above that depth.
    """

    tenant: str
    folder: str
    name: str

    @property
    def campaign(self) -> str:
        """The folder in the tenant's folder."""
        return self.folder.split("/")[0]

    @property
    def device(self) -> str:
        """The folder below the campaign's, the master's serial number by custom."""
        return [*self.folder.split("/"), ""][1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a taker read from one file, besides what it handed over to be stored.

    `report` is JSON; `error` none means that it was read, else why it is refused, as a sentence.
    """

    points: int = 0
    rows: int = 0
    skipped: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    error: str | None = None
    code: str = "refused"
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """Whose part something is: where its file came, as text below the tenant's folder, and the time of its data.

    `at` is the first time in the file where that is known before it is stored, else when the file came.
    """

    path: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store made of what it was given: how many points it refused, and why, as a sentence."""

    refused: int = 0
    why: str = ""


Hand = Callable[[bytes], None]
"""Hands one part of what was read over to be stored; it waits while the store is behind."""


class Taker(Protocol):
    """Who takes one kind of file. `reader` runs in a child process, everything else in the runner.

    What passes between them are bytes, so that a reader that dies takes nothing with it.
    """

    @property
    def kind(self) -> str:
        """Tell the kind, in a word for people: `meter`, `report`."""
        ...

    @property
    def reader(self) -> str:
        """Name the function that reads, `module:function`: `read(place: Place, file: BinaryIO, hand: Hand, **options)`.

        It returns an `Outcome`. A file that cannot be read is an outcome with an `error`; any exception counts as a
        defect of the reader and refuses this file alone.
        """
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """What the reader gets besides, by keyword."""
        ...

    def recognises(self, name: str, head: bytes) -> bool:
        """Tell by its name and first bytes (at most 4096) whether a file is of this kind. Quick: it runs for each."""
        ...

    def claims(self, name: str) -> bool:
        """Tell whether a file of this name, which nobody recognises, is this one's to refuse with a reason."""
        ...

    def misplaced(self, place: Place) -> str | None:
        """Say why a file of this kind cannot be taken where it lies; None if it can."""
        ...

    def store(self, serial: int, campaign: str, parts: Iterator[tuple[Sent, bytes]]) -> Stored:
        """Store what was handed over of files of one campaign, in order; the same again changes nothing.

        `campaign` is empty for files above all campaigns.

        Raises:
            Later: the store is away; nothing is lost, all of it comes again.
            Rejected: the store refuses it.
        """
        ...

    def prepare(self, serial: int, campaign: str) -> None:
        """Make everything ready that files of this kind need before they come. Idempotent."""
        ...

    def renamed(self, serial: int, campaign: str, to: str) -> None:
        """Let what is stored of a campaign stand under another name. Idempotent."""
        ...

    def forgotten(self, serial: int, campaign: str) -> None:
        """Take a campaign out of sight; what is stored stays. Idempotent."""
        ...
