"""How much a user's home holds, counted once and kept in step while files come and go.

What is not here: what is done when it is full (`home.py` refuses the write). One object serves all sessions of a user
in one process, its threads included; a home that others fill too is counted again after a while.
"""

import os
import stat
from threading import Lock
from typing import Final

from belvedere.intake.sftp.wire import Refused, Status
from belvedere.kernel.clock import monotonic_s

RECOUNT_S: Final = 600.0
"""After so long a count is not trusted any more: reading moves files, and other doors bring some."""


class Quota:
    """A limit of bytes and one of files; 0 is none."""

    def __init__(self, most_bytes: int, most_files: int) -> None:
        """Take the limits; nothing is counted yet."""
        self.most_bytes = most_bytes
        self.most_files = most_files
        self._bytes = 0
        self._files = 0
        self._counted_at: float | None = None
        self._lock = Lock()

    @property
    def is_due(self) -> bool:
        """Whether the home has to be counted before something is added."""
        if not self.most_bytes and not self.most_files:
            return False
        return self._counted_at is None or monotonic_s() - self._counted_at > RECOUNT_S

    @property
    def used(self) -> tuple[int, int]:
        """Bytes and files as far as known."""
        return self._bytes, self._files

    def count(self, home: int) -> None:
        """Count what lies below a home, given by its descriptor; links are counted as themselves. Takes a while."""
        found = measured(home)
        with self._lock:
            self._bytes, self._files = found
            self._counted_at = monotonic_s()

    def grow(self, size: int) -> None:
        """Add bytes.

        Raises:
            Refused: there is no room for them; nothing was added.
        """
        with self._lock:
            if self.most_bytes and size > 0 and self._bytes + size > self.most_bytes:
                message = f"The quota of {self.most_bytes} bytes is used up."
                raise Refused(Status.FAILURE, message)
            self._bytes += size

    def add_file(self) -> None:
        """Add a file.

        Raises:
            Refused: there is no room for one more.
        """
        with self._lock:
            if self.most_files and self._files + 1 > self.most_files:
                message = f"The quota of {self.most_files} files is used up."
                raise Refused(Status.FAILURE, message)
            self._files += 1

    def give_back(self, size: int, files: int) -> None:
        """Take away what was removed."""
        with self._lock:
            self._bytes = max(0, self._bytes - size)
            self._files = max(0, self._files - files)


def measured(home: int, *, besides: str = "") -> tuple[int, int]:
    """Return the bytes and the files below a folder; `besides` is a folder in it that is not counted."""
    total, files = 0, 0
    for place, below, names, folder in os.fwalk(".", dir_fd=home, follow_symlinks=False):
        if place == "." and besides in below:
            below.remove(besides)
        for name in names:
            try:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue  # It was moved meanwhile.
            if stat.S_ISREG(found.st_mode):
                total += found.st_size
                files += 1
    return total, files
