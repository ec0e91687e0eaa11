"""Who of this process writes which file, so that a name has one writer and nobody's half of a file gets a final name.

A file gets its final name in a thread, and meanwhile another connection may begin the same file anew, go on with it or
remove it. Both sides hold the writer's lock for the moment in which they look and act.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol


class Writer(Protocol):
    """Whoever writes a file."""

    lock: Lock

    def give_up(self, why: str) -> None:
        """Never give the file its final name."""


class Writers:
    """The writers of a process by device and inode of what they write."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[tuple[int, int], Writer] = {}
        self._closing: set[tuple[int, int]] = set()

    def __contains__(self, found: os.stat_result) -> bool:
        """Tell whether somebody writes a file."""
        return (found.st_dev, found.st_ino) in self._known

    def enter(self, found: os.stat_result, writer: Writer) -> None:
        """Count a writer as the one of a file."""
        self._known[found.st_dev, found.st_ino] = writer

    def leave(self, found: os.stat_result, writer: Writer) -> None:
        """Count it out."""
        if self.has(found, writer):
            del self._known[found.st_dev, found.st_ino]
            self._closing.discard((found.st_dev, found.st_ino))

    def has(self, found: os.stat_result, writer: Writer) -> bool:
        """Tell whether it is the one."""
        return self._known.get((found.st_dev, found.st_ino)) is writer

    def closes(self, found: os.stat_result) -> None:
        """Note that a thread gives a file its final name from now on, until its writer leaves."""
        self._closing.add((found.st_dev, found.st_ino))

    @property
    def are_closing(self) -> bool:
        """Whether a thread gives any file its final name right now."""
        return bool(self._closing)

    def is_closing(self, found: os.stat_result) -> bool:
        """Tell whether a thread gives this file its final name: who wants it has to wait, in a thread too."""
        return (found.st_dev, found.st_ino) in self._closing

    @contextmanager
    def taken(self, found: os.stat_result, why: str) -> Iterator[None]:
        """Take a file from whoever writes it; for the block it gets no final name, and by that writer never more."""
        writer = self._known.get((found.st_dev, found.st_ino))
        if writer is None:
            yield
            return
        with writer.lock:
            writer.give_up(why)
            yield


WRITERS = Writers()
"""Those of this process."""
