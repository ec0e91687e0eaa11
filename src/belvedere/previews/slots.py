"""How many browsers may run on one host: lock files that the kernel gives back however their holder ends.

What is not here: who comes next when a slot is free (`service.py`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Slots:
    """`count` places, shared by every process of this installation on this host."""

    def __init__(self, place: Path, count: int) -> None:
        """Keep the lock files in `place`."""
        self._place = place
        self._count = max(1, count)

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a place for as long as the block lasts, if one is free; say whether. Never waits."""
        self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = None
        for number in range(self._count):
            descriptor = os.open(self._place / f"slot-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            held = descriptor
            break
        try:
            yield held is not None
        finally:
            if held is not None:
                os.close(held)
