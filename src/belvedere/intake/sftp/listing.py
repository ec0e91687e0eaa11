"""Folders as a client sees them over SFTP."""

import os
import time
from collections.abc import Iterator
from typing import Final

from belvedere.intake.sftp import wire
from belvedere.intake.sftp.home import BEING_WRITTEN, HIDDEN, is_there

_NAMES_AT_ONCE: Final = 64


class Listing:
    """A folder that is being listed."""

    def __init__(self, descriptor: int) -> None:
        """Take an open folder."""
        self.descriptor = descriptor
        self.entries: Iterator[os.DirEntry[str]] = os.scandir(descriptor)

    def close(self) -> None:
        """Let go of it."""
        self.entries.close()  # type: ignore[attr-defined]  # scandir's iterator has it
        os.close(self.descriptor)


def shown(found: os.stat_result) -> bytes:
    """Write what lies somewhere as its attributes."""
    return wire.attributes(found.st_size, found.st_mode, found.st_atime, found.st_mtime)


def some(owner: str, listing: Listing) -> list[bytes]:
    """Write the next lines of a listing; none at its end. A thread may do it."""
    now, found = time.time(), list[bytes]()
    for entry in listing.entries:
        line = _line(owner, listing.descriptor, entry, now)
        if line is not None:
            found.append(line)
            if len(found) >= _NAMES_AT_ONCE:
                break
    return found


def _line(owner: str, folder: int, entry: os.DirEntry[str], now: float) -> bytes | None:
    """Write one line of a listing; None for what does not show.

    What a cut upload left shows under the name that it is to have, unless a file has it.
    """
    name = os.fsencode(entry.name)
    if name.startswith(HIDDEN):
        if not name.startswith(BEING_WRITTEN) or is_there(folder, name[len(BEING_WRITTEN) :]) is not None:
            return None
        name = name[len(BEING_WRITTEN) :]
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # It went while the folder was read.
    line = wire.long_name(name, owner, found, now)
    return wire.string(name) + wire.string(line) + shown(found)
