"""The folder of events that came while nobody listened: one file an event, named so that they sort as they happened.

What is not here: who writes the files (`belvedere_hook.py`) and what an event means.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from belvedere.kernel.logging import logger

MOST_BYTES: Final = 262_144
"""Longest event: each of its values has at most 8,192 bytes."""

_TOGETHER: Final = 256
_ABANDONED_S: Final = 3600.0
_NAME: Final = re.compile(r"\d{20}-\d+-[0-9a-f]{12}\.event")
_LOG = logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One event of the folder: its file, whose it is, what it says."""

    name: str
    uid: int
    said: bytes


def prepare(folder: Path) -> None:
    """Make the folder of the socket and of kept events: ours alone, or as an administrator has made it.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / "spool"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
        place.chmod(folder.stat().st_mode & 0o2770)  # Who may tell may keep.


def batches(folder: Path, allowed: Callable[[int, int], bool]) -> Iterator[list[Kept]]:
    """Yield what is in the folder, in order. Files that are none of ours are let be, and told in the log."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return
    batch = []
    for name in names:
        if _NAME.fullmatch(name) is None:
            _tidy(folder / name)
        elif (found := _read(folder / name, allowed)) is not None:
            batch.append(found)
            if len(batch) >= _TOGETHER:
                yield batch
                batch = []
    if batch:
        yield batch


def remove(folder: Path, batch: Sequence[Kept]) -> None:
    """Take events out of the folder that are kept elsewhere now."""
    for one in batch:
        with suppress(FileNotFoundError):
            (folder / one.name).unlink()


def _read(path: Path, allowed: Callable[[int, int], bool]) -> Kept | None:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _LOG.warning("an event of the command hook cannot be read", file=path.name, reason=error.strerror)
        return None
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or not allowed(found.st_uid, found.st_gid):
            _LOG.warning("a file among the events of the command hook is none of its own", file=path.name)
            return None
        return Kept(path.name, found.st_uid, file.read(MOST_BYTES))


def _tidy(path: Path) -> None:
    """Remove what a program began and left when it was killed."""
    with suppress(OSError):
        if path.name.startswith(".") and path.lstat().st_mtime < time.time() - _ABANDONED_S:
            path.unlink()
