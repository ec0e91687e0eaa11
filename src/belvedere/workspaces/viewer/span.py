"""Time ranges as people write them in an address: ISO 8601, or `now-6h`. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from belvedere.kernel.errors import Rejected

_RELATIVE: Final = re.compile(r"now(?:-(\d{1,6})(s|m|h|d|w|M|y))?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_CENTURY_S: Final = 3_155_760_000


def parse(text: str | None, now: datetime) -> datetime | None:
    """Read a moment; nothing means no bound.

    Raises:
        Rejected: it is neither ISO 8601 nor `now`, `now-90m`, `now-7d`.
    """
    if not text:
        return None
    relative = _RELATIVE.fullmatch(text)
    if relative:
        seconds = int(relative[1] or 0) * _UNITS[relative[2] or "s"]
        return now - timedelta(seconds=min(seconds, _CENTURY_S))
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"`{text[:40]}` is no time. Use 2026-11-20T14:00Z or now-6h."
        raise Rejected(message, field="from") from None


def shown(moment: datetime) -> str:
    """Write a moment as pages do: minutes, zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
