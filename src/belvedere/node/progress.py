"""How far a long piece of work is, for people who wait for it."""

import time
from collections.abc import Callable
from typing import Final

_SAY_EVERY_S: Final = 5.0


class Progress:
    """Says every few seconds how far it is, and how long it will take."""

    def __init__(self, what: str, total: int, say: Callable[[str], None]) -> None:
        """Begin; `total` is in bytes."""
        self._what = what
        self._total = total
        self._say = say
        self._began = self._told = time.monotonic()
        self._done = 0

    def add(self, number: int) -> None:
        """Count bytes."""
        self._done += number
        now = time.monotonic()
        if now - self._told < _SAY_EVERY_S:
            return
        self._told = now
        spent = now - self._began
        left = max(0, self._total - self._done) * spent / max(1, self._done)
        self._say(f"{self._what}: {amount(self._done)} of {amount(self._total)} in {spent:.0f} s, {left:.0f} s to go")


def amount(size: int) -> str:
    """Return a size for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1e3:,.0f} kB"
