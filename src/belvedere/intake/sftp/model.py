"""Who sends files over SSH, with which key, how much of it and when; pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.kernel.secret import Secret

CHANGED: Final = "sftp-users.changed"
"""The event that tells, by the tenant's serial number, that its SFTP users are others now."""


class Permission(StrEnum):
    """What a user may do in its home. `read` is downloading and listing; `create` is making folders."""

    READ = "read"
    UPLOAD = "upload"
    CREATE = "create"
    RENAME = "rename"
    DELETE = "delete"


ALL: Final = tuple(Permission)
"""What a user may do unless somebody chose."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. `line` is what OpenSSH writes, without a comment; `fingerprint` is `SHA256:...`."""

    line: str
    bits: int
    fingerprint: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody, or some program, that sends a tenant's files.

    `folder` is its home below the tenant's folder, empty for all of it. A quota of 0 is none. `source` is `embedded`,
    or `sftpgo` for one that an SFTPGo had first; `password_there`: it comes in by the password that it has there.
    """

    id: UUID
    tenant: int
    tenant_name: str
    name: str
    folder: str
    permissions: tuple[Permission, ...]
    quota_bytes: int
    quota_files: int
    source: str
    has_password: bool
    keys: tuple[Key, ...]
    disabled_at: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    seen_at: datetime | None
    password_there: bool = False

    @property
    def home(self) -> str:
        """Its home below the data root."""
        return f"{self.tenant_name}/{self.folder}" if self.folder else self.tenant_name


@dataclass(frozen=True, slots=True)
class Known:
    """A user as those see it who check a sign-in: with the kept password."""

    user: User
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A new user, or one with a new password, which is shown this once; None where keys alone let it in."""

    user: User
    password: Secret | None


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a user; None leaves as it is."""

    folder: str | None = None
    permissions: Sequence[str] | None = None
    quota_bytes: int | None = None
    quota_files: int | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A user as an SFTPGo had it first, in our words."""

    name: str
    folder: str
    permissions: tuple[Permission, ...]
    keys: tuple[Key, ...]
    quota_bytes: int
    quota_files: int
    has_password: bool
    enabled: bool


class State(StrEnum):
    """How a session is: `lost` is one whose server died, `idle` one that was ended because nothing came."""

    OPEN = "open"
    ENDED = "ended"
    KILLED = "killed"
    IDLE = "idle"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over a session so far: files that came whole, files that were read, bytes of either."""

    files_up: int = 0
    files_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection that signed in. `method` is `password` or the fingerprint of the key."""

    id: UUID
    tenant: int
    tenant_name: str
    tenant_slug: str
    user: str
    origin: str
    client: str
    method: str
    state: State
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    end_asked_by: str | None
    traffic: Traffic
