"""The words of this room: what is announced, the message, the delivery, and the port that every channel implements.

A delivery holds plain values that upper rooms hand in: this room knows no dashboard and takes no picture.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec

from belvedere.kernel.errors import Later, Stuck


@dataclass(frozen=True, slots=True)
class Announcement:
    """A dashboard of which its tenant is to hear. Paths are relative to the folder of the pictures.

    `reason` says why there is no moving picture, or what is wrong with what it shows.
    """

    tenant: int
    dashboard_id: UUID
    title: str
    url: str
    creator: str
    gif_path: str | None = None
    png_path: str | None = None
    reason: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message about a dashboard to one channel.

    `state` is waiting, sent or failed. `fallback` says what went out instead of the picture, and why; `doubt` says what
    the other side may have although nobody knows; `hint` is the next step for a person.
    """

    id: UUID
    tenant_id: int
    dashboard_id: UUID
    channel_kind: str
    channel: str
    title: str
    url: str
    creator: str
    state: str
    attempts: int
    created_at: datetime
    gif_path: str | None = None
    png_path: str | None = None
    reason: str | None = None
    next_try_at: datetime | None = None
    error: str | None = None
    hint: str | None = None
    code: str | None = None
    fallback: str | None = None
    doubt: str | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is to say. `key` is the same at every try, so that the other side can be asked for it.

    `picture` is the moving one, or the still of a page that was not ready; then `reason` says why.
    """

    key: str
    title: str
    url: str
    creator: str
    picture: Path | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a message went out: in full, or with something instead of the picture, or with a doubt."""

    fallback: str | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a connection test looked at, as a sentence, with the next step where it is not well."""

    name: str
    ok: bool
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of a step: how often it was begun, when last, and its result if it came to its end."""

    tries: int
    begun_at: datetime
    result: dict[str, Any] | None


class Ledger(Protocol):
    """What one delivery has done so far. Each call is stored before it returns."""

    def entry(self, step: str) -> Entry | None:
        """Return what is known of a step; None when it was never begun."""
        ...

    def tries(self, step: str) -> int:
        """Return how often a step was begun, also when it was undone since."""
        ...

    def begin(self, step: str) -> None:
        """Say that a step is about to be done."""
        ...

    def finish(self, step: str, result: dict[str, Any]) -> None:
        """Say what a step led to: it is never done again."""
        ...

    def undo(self, step: str) -> None:
        """Say that a step certainly did nothing: it may be done again."""
        ...


class Channel(Protocol):
    """Where messages go. `name` is what people see: `outbox`, `C0123456789`."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def deliver(self, message: Message, ledger: Ledger) -> Outcome:
        """Send what the ledger does not know as sent. Sending again with the same ledger sends nothing.

        Raises:
            Later: try again; RateLimited when the other side said when.
            Stuck: a person must act; the hint says how.
        """
        ...

    def check(self) -> list[Check]:
        """Try the connection without sending anything; never raises."""
        ...


class RateLimited(Later):
    """The channel asked to wait. The message goes out by itself after that."""

    code = "rate-limited"


class Doubtful(Stuck):
    """The other side may have the message already. Look there; send it again only if it is missing."""

    code = "delivery-doubt"
