"""What to do about a dashboard's picture, from what is wanted and what is there. Pure.

What is not here: doing it (`service.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from belvedere.previews.model import Preview

QUIET_S: Final = 1.0
"""A dashboard that changed is captured once it has been still for so long."""

MOST_PATIENCE_S: Final = 10.0
"""A dashboard that never is still is captured after so long all the same."""

MOST_ATTEMPTS: Final = 4
MOST_STARTS: Final = 8
"""Tries that nobody ended count too: a page that kills its runner each time is given up after so many."""

_PAUSES_S: Final = (10.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class Nothing:
    """The picture is there, or nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Open:
    """A new round has to be opened first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: look again after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Capture:
    """Take the picture of this round now."""

    preview: Preview


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Too many tries of this round were never ended."""

    preview: Preview


Deed = Nothing | Open | Wait | Capture | GiveUp


def decide(latest: Preview | None, version: datetime, now: datetime) -> Deed:
    """Say what to do about a dashboard whose last change was at `version`, given its latest round."""
    if latest is None:
        return Open()
    if latest.state in {"captured", "failed"}:
        return Open() if latest.version < version else Nothing()
    if latest.next_try_at is not None and latest.next_try_at > now:
        return Wait((latest.next_try_at - now).total_seconds())
    if latest.attempts >= MOST_STARTS:
        return GiveUp(latest)
    fresh = latest.attempts == 0 and latest.next_try_at is None
    still_s = (now - version).total_seconds()
    waited_s = (now - latest.requested_at).total_seconds()
    if fresh and still_s < QUIET_S and waited_s < MOST_PATIENCE_S:
        return Wait(min(QUIET_S, QUIET_S - still_s))
    return Capture(latest)


def next_try(attempts: int, now: datetime) -> datetime | None:
    """Say when to try again after so many tries, or None when it is enough."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return now + timedelta(seconds=_PAUSES_S[min(attempts, len(_PAUSES_S)) - 1])
