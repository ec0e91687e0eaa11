"""The values of sending a file over HTTP."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sending:
    """A file on its way. `folder` and `name` say where it is going, as text; `done_at` when it was put there.

    `received_bytes` is how many are kept for good: whoever goes on begins there.
    """

    id: UUID
    tenant_id: int
    folder: str
    name: str
    size_bytes: int
    received_bytes: int
    begun_by: str
    begun_at: datetime
    touched_at: datetime
    done_at: datetime | None

    @property
    def path(self) -> str:
        """Where it is going, below the tenant's folder."""
        return f"{self.folder}/{self.name}"

    @property
    def is_complete(self) -> bool:
        """Tell whether every byte is here, if not yet in its place."""
        return self.received_bytes == self.size_bytes


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a tenant's folder may hold; 0 is no limit."""

    most_bytes: int = 0
    most_files: int = 0

    def __bool__(self) -> bool:
        """Tell whether there is a limit at all."""
        return bool(self.most_bytes or self.most_files)


@dataclass(frozen=True, slots=True)
class Account:
    """What a tenant's folder holds as far as known, and what is on its way to it.

    `number` are the files on their way, `coming_bytes` what is still to come of them. `bytes` and `files` are what was
    counted with all that came or began since; `counted_at` is None before the first count.
    """

    number: int
    coming_bytes: int
    bytes: int
    files: int
    counted_at: datetime | None
    good_until: datetime | None
    counting_until: datetime | None
