"""Tenants' folders: the one module that touches them, with `moves.py`.

Everything is reached from an open folder by a descriptor, one part of a path after the other, and no link is followed:
whatever a tenant puts into its folder, nothing outside it is opened. Names are as the file system has them
(`os.fsdecode`); what other modules keep is text (`names.py`).
"""

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from belvedere.intake.names import DONE, unfinished

MOST_DEPTH: Final = 12
"""Folders deeper than this below a tenant's are not looked into."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was seen: by `file` (device and number) and `changed_ns` it is known again.

    `changed_ns` is when its content, name or rights changed last, by the file system's clock, which nobody can set.
    """

    folder: str
    name: str
    size: int
    file: str
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Odd:
    """Something that bears a file's name and is none, or a folder that cannot be read."""

    folder: str
    name: str
    what: str


def ident(found: os.stat_result) -> str:
    """Return device and number of a file or folder."""
    return f"{found.st_dev:x}:{found.st_ino:x}"


def seen(folder: str, name: str, found: os.stat_result) -> Seen:
    """Describe a file."""
    return Seen(folder, name, found.st_size, ident(found), found.st_ctime_ns)


def is_absent(error: OSError) -> bool:
    """Tell whether an error means that the thing is not there (or that a link stands in its way)."""
    return error.errno in _ABSENT


def sentence(error: OSError) -> tuple[str, str]:
    """Return an error as a code and a sentence for people, without a path."""
    if error.errno in _FULL:
        return "disk-full", "The disk is full. Make room; it goes on by itself."
    if error.errno in _DENIED:
        return "permission", "Belvedere may not read or move it. Give the user that Belvedere runs as the right to."
    if error.errno == errno.EROFS:
        return "read-only", "The folder is on a disk that is read-only. Make it writable; it goes on by itself."
    if error.errno == errno.EBUSY:
        return "blocked", "Something called `parsed` or `error` is no folder. Take it away; it goes on by itself."
    return "folder", f"The file system said: {(error.strerror or type(error).__name__).lower()}."


class Folder:
    """An open folder below the data root."""

    def __init__(self, descriptor: int, path: str = "") -> None:
        """Take an open descriptor, and the path below the tenant's folder (empty for that itself)."""
        self.descriptor = descriptor
        self.path = path

    def __enter__(self) -> Self:
        """Give the folder, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self.descriptor)

    def below(self, path: str) -> "Folder":
        """Open a folder below this one. An empty path is this one again.

        Raises:
            OSError: a part is not there, is no folder, or is a link.
        """
        here, at = os.dup(self.descriptor), self.path
        for part in [one for one in path.split("/") if one]:
            if part in {".", ".."}:
                os.close(here)
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            try:
                further = os.open(part, _FOLDER, dir_fd=here)
            finally:
                os.close(here)
            here, at = further, f"{at}/{part}" if at else part
        return Folder(here, at)

    def made(self, name: str) -> "Folder":
        """Open the folder `name` in this one, made when it is not there.

        Raises:
            OSError: it cannot be made, or something else bears the name.
        """
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.descriptor)
        return self.below(name)

    def stat(self, name: str) -> os.stat_result | None:
        """Look at one entry, never at what a link points to; None when it is not there."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as error:
            if is_absent(error):
                return None
            raise

    def remove_empty(self, name: str) -> None:
        """Remove a folder in it that is empty.

        Raises:
            OSError: it is not empty, or not there.
        """
        os.rmdir(name, dir_fd=self.descriptor)

    def folders(self) -> list[tuple[str, str]]:
        """Return the names of the real folders in it that are tenants' own, each with what it is known by."""
        with os.scandir(self.descriptor) as entries:
            return sorted(
                (entry.name, ident(entry.stat(follow_symlinks=False))) for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name not in DONE
            )

    def walk(self, depth: int = MOST_DEPTH) -> Iterator[Seen | Odd]:
        """Go over all files in it and below that may be taken, folder by folder; a folder that goes away is skipped."""
        below: list[str] = []
        try:
            yield from self._listed(below)
        except OSError as error:
            if not is_absent(error):
                yield Odd(self.path, "", sentence(error)[1])
        if below and not depth:
            yield Odd(self.path, "", f"Folders deeper than {MOST_DEPTH} levels are not looked into.")
            return
        for name in sorted(below):
            try:
                inner = self.below(name)
            except OSError as error:
                if not is_absent(error):
                    yield Odd(self.path, name, sentence(error)[1])
                continue
            with inner:
                yield from inner.walk(depth - 1)

    def _listed(self, below: list[str]) -> Iterator[Seen | Odd]:
        """Give the files in it, and add the names of the folders in it to `below`."""
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                found = self._entry(entry)
                if isinstance(found, str):
                    below.append(found)
                elif found is not None:
                    yield found

    def _entry(self, entry: "os.DirEntry[str]") -> Seen | Odd | str | None:
        """Return a file as seen, the name of a folder, what else bears a file's name, or None for nobody's business."""
        if entry.name.startswith("."):
            return None
        if entry.is_dir(follow_symlinks=False):
            return None if entry.name in DONE else entry.name
        if unfinished(entry.name):
            return None
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self.described(entry.name, found)

    def described(self, name: str, found: os.stat_result) -> Seen | Odd:
        """Describe an entry that is no folder."""
        if stat.S_ISREG(found.st_mode):
            return seen(self.path, name, found)
        what = "a link" if stat.S_ISLNK(found.st_mode) else "no file but a pipe, socket or device"
        return Odd(self.path, name, f"It is {what}. Only files are read; it stays where it is.")

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, Seen]]:
        """Open a file for reading; give its descriptor and how it was seen by it.

        Raises:
            OSError: it is not there, may not be read, or is no file (ELOOP, ENXIO).
        """
        descriptor = os.open(name, _FILE, dir_fd=self.descriptor)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            os.set_blocking(descriptor, True)
            yield descriptor, seen(self.path, name, found)
        finally:
            os.close(descriptor)


def being_written(descriptor: int) -> bool:
    """Tell whether some process on this host has the file open for writing; False also where nobody can know.

    The kernel grants a read lease on a file that nobody writes (fcntl(2), "Leases"); it is given back at once. Should
    somebody open the file in between, the signal for it is one that does nothing.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (OSError, AttributeError) as error:
        return isinstance(error, BlockingIOError)
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


class Root:
    """The folder of all tenants' folders."""

    def __init__(self, path: Path) -> None:
        """Take its path; nothing is made yet."""
        self.path = path

    def open(self) -> Folder:
        """Open it, made for our user alone when it is not there.

        Raises:
            OSError: it cannot be made or read.
        """
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700, parents=True)
        # The root is the operator's: it may be a link.
        return Folder(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def home(self, tenant: str) -> Folder | None:
        """Open a tenant's folder, whose path then is empty; None when it is not there.

        Raises:
            OSError: it cannot be read, or a link or file bears its name.
        """
        with self.open() as root:
            try:
                home = root.below(tenant)
            except FileNotFoundError:
                return None
        home.path = ""
        return home

    def made_home(self, tenant: str) -> Folder:
        """Open a tenant's folder, made when it is not there.

        Raises:
            OSError: it cannot be made or read, or a link or file bears its name.
        """
        with self.open() as root:
            home = root.made(tenant)
        home.path = ""
        return home


def remove_tree(parent: Folder, name: str) -> None:
    """Remove a folder with all that is in it; links are removed, never followed.

    Raises:
        OSError: something cannot be removed; what is left stays.
    """
    found = parent.stat(name)
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=parent.descriptor)
        return
    with parent.below(name) as folder:
        with os.scandir(folder.descriptor) as entries:
            inside = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_folder in inside:
            if is_folder:
                remove_tree(folder, inner)
            else:
                os.unlink(inner, dir_fd=folder.descriptor)
    os.rmdir(name, dir_fd=parent.descriptor)
