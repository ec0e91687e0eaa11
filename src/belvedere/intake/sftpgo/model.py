"""What is wanted of an SFTPGo and what is seen there: pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from belvedere.intake.sftp.model import Permission
from belvedere.kernel.plan import Change, Step
from belvedere.kernel.secret import Secret

DESCRIPTION: Final = "kept by Belvedere"
"""What stands beside a user that we have made, for people. Whose it is stands in its mark."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose a user is, as written into its `additional_info`.

    `password` is a digest of the hash that was handed over, empty for none; `changed` is SFTPGo's own time of the last
    change of the password at that moment, by which a change by hand is seen.
    """

    installation: str
    tenant: int
    user: str
    password: str = ""
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A user as it should be. `password` is what is kept of it, as SFTPGo reads it too; None lets only keys in.

    A user that was taken over (`adopted`) stays as the SFTPGo has it where that means the same as what is wanted, and
    keeps the password that it has there (`theirs`) until one is made here.
    """

    name: str
    tenant: int
    user: str
    home: str
    permissions: tuple[str, ...]
    keys: tuple[str, ...] = ()
    password: Secret | None = None
    theirs: bool = False
    adopted: bool = False
    quota_bytes: int = 0
    quota_files: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A user as SFTPGo shows it. `whole` is all that it said: what is not ours is sent back as it was."""

    name: str
    enabled: bool
    home: str
    local: bool
    permissions: Mapping[str, tuple[str, ...]]
    keys: tuple[str, ...]
    has_password: bool
    password_changed: int
    quota_bytes: int
    quota_files: int
    mark: Mark | None
    whole: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deed:
    """One user to be made, changed or removed. `wanted` is None for a removal."""

    name: str
    tenant: int
    wanted: Wanted | None = None


SftpGoStep = Step[Deed]


class Outcome(StrEnum):
    """What becomes of a user that an SFTPGo had first: taken over, finished what was cut off, or nothing."""

    ADOPT = "adopt"
    FINISH = "finish"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user with a home in a tenant's folder that is not kept by Belvedere.

    `folder` is its home below the tenant's folder, `permissions` what it may do in our words; `tenant` is 0 and `why`
    says what stands in the way where it is refused.
    """

    outcome: Outcome
    name: str
    tenant_name: str
    home: str
    tenant: int = 0
    folder: str = ""
    permissions: tuple[Permission, ...] = ()
    keys: tuple[str, ...] = ()
    has_password: bool = False
    quota_bytes: int = 0
    quota_files: int = 0
    enabled: bool = True
    why: str = ""
    hint: str = ""
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One user that differs, or did. A `foreign` one has a name that is wanted and is not ours: nothing is done."""

    tenant: int | None
    name: str
    sign: str
    title: str
    changes: tuple[Change, ...]
    found_at: datetime
    foreign: bool = False
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How the last look at SFTPGo ended: what stood in the way, if anything did."""

    looked_at: datetime | None
    problem: str = ""
    problem_type: str = ""
    hint: str = ""
