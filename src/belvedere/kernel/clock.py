"""The time, in one place, so that tests can hold it still. All times are UTC and aware."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""What a service takes when it needs the time."""


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 with a `Z`, to the millisecond, as the API and the history do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
