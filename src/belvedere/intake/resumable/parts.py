"""The bytes of files on their way: kept in a hidden folder of the tenant's own, renamed into place when all are there.

What is not here: who may send what (`service.py`). Folders are opened by descriptors alone, and no link is followed.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from belvedere.intake.files import Folder, Root, is_absent, sentence
from belvedere.intake.moves import rename_folder
from belvedere.intake.names import OURS, name_of
from belvedere.intake.resumable.model import Sending
from belvedere.kernel.errors import Conflict, Later

FOLDER: Final = f"{OURS}http"
"""The folder in a tenant's folder where files on their way lie."""

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_RESERVE: Final = 64 << 20
"""Room that is left on the disk for everybody else, in bytes."""


class Gone(Exception):
    """What came of a file before is not there any more: it must be sent from its beginning."""


class Parts:
    """The files on their way of all tenants."""

    def __init__(self, root: Root) -> None:
        """Take the folder of tenants' folders."""
        self._root = root

    def check_room(self, tenant: str, size: int) -> None:
        """Refuse what the disk has no room for now.

        Raises:
            Later: there is none.
        """
        with _told(), self._root.made_home(tenant) as home:
            found = os.fstatvfs(home.descriptor)
            if size and found.f_bavail * found.f_frsize < size + _RESERVE:
                message = "The disk has no room for this file. Make room; then send it again."
                raise Later(message, retry_in_s=60.0, code="disk-full")

    def check_free(self, tenant: str, folder: str, name: str) -> None:
        """Refuse a place where a file lies.

        Raises:
            Conflict: one does.
        """
        with _told(), self._root.made_home(tenant) as home:
            try:
                with home.below(name_of(folder)) as target:
                    if target.stat(name_of(name)) is not None:
                        raise _taken(name)
            except OSError as error:
                if not is_absent(error):
                    raise

    def make(self, tenant: str, one: UUID) -> None:
        """Make an empty file for what will come of one.

        Raises:
            Later: it cannot be made now.
        """
        with _told(), self._aside(tenant) as aside:
            os.close(os.open(str(one), _NEW, 0o600, dir_fd=aside.descriptor))

    @contextmanager
    def held(self, tenant: str, one: UUID) -> Iterator["Part | None"]:
        """Hold what came of a file for oneself, for the block; None when nothing of it is there.

        The kernel lets go of it when the process dies, on a disk of several hosts as well; so no row and no connection
        of the database is held while a disk is waited for.

        Raises:
            Conflict: somebody else has it.
            Later: the disk refuses.
        """
        with _told(), self._root.made_home(tenant) as home, home.made(FOLDER) as aside:
            lock = _locked(aside, str(one))
            try:
                yield Part(home, aside, str(one)) if lock >= 0 else None
            finally:
                if lock >= 0:
                    os.close(lock)

    def lies_there(self, tenant: str, sending: Sending) -> bool:
        """Tell whether a file of that size lies where one was going."""
        with _told(), self._root.made_home(tenant) as home:
            try:
                with home.below(name_of(sending.folder)) as target:
                    found = target.stat(name_of(sending.name))
            except OSError as error:
                if is_absent(error):
                    return False
                raise
        return found is not None and found.st_size == sending.size_bytes

    @contextmanager
    def home(self, tenant: str) -> Iterator[int]:
        """Give the descriptor of a tenant's folder, to count what it holds."""
        with _told(), self._root.made_home(tenant) as home:
            yield home.descriptor

    @contextmanager
    def _aside(self, tenant: str) -> Iterator[Folder]:
        with self._root.made_home(tenant) as home, home.made(FOLDER) as aside:
            yield aside


class Part:
    """What came of one file, while somebody holds it."""

    def __init__(self, home: Folder, aside: Folder, name: str) -> None:
        """Take the tenant's folder, the hidden one in it, and the name there."""
        self._home = home
        self._aside = aside
        self._name = name

    def write(self, offset: int, data: bytes) -> None:
        """Keep bytes from an offset on; they are on the disk when this returns.

        Raises:
            Gone: what came before is not there any more.
            OSError: they cannot be kept now; what was before is as it was.
        """
        part = os.open(self._name, _WRITE, dir_fd=self._aside.descriptor)
        try:
            if os.fstat(part).st_size < offset:
                raise Gone
            left, at = memoryview(data), offset
            while left:
                count = os.pwrite(part, left, at)
                left, at = left[count:], at + count
            os.fdatasync(part)
        finally:
            os.close(part)

    def place(self, sending: Sending) -> None:
        """Put the whole file where it belongs, never over another.

        Raises:
            Conflict: another file lies there.
            OSError: it cannot be put there now.
        """
        # It is closed before it has its name: what is open for writing is not read yet.
        part = os.open(self._name, _WRITE, dir_fd=self._aside.descriptor)
        try:
            os.ftruncate(part, sending.size_bytes)
            os.fsync(part)
        finally:
            os.close(part)
        with _made(self._home, name_of(sending.folder)) as target:
            try:
                rename_folder(self._aside, self._name, target, name_of(sending.name))
            except FileExistsError:
                raise _taken(sending.name) from None
            os.fsync(target.descriptor)

    def remove(self) -> None:
        """Remove it: nobody goes on with it."""
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._aside.descriptor)


def _locked(aside: Folder, name: str) -> int:
    """Open a file and hold it; -1 when it is not there.

    Raises:
        Conflict: somebody else holds it.
    """
    # For reading: a file that is open for writing would not be read where it belongs.
    for flags in (_LOCK, _WRITE):
        try:
            lock = os.open(name, flags, dir_fd=aside.descriptor)
        except FileNotFoundError:
            return -1
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = aside.stat(name)
            if found is not None and os.path.samestat(found, os.fstat(lock)):
                return lock
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                message = "Another request is at work on this file right now. Try again in a moment."
                raise Conflict(message, code="busy") from None
            if error.errno != errno.EBADF or flags == _WRITE:  # NFS wants it open for writing.
                raise
        else:
            os.close(lock)
            return -1  # It was put in its place, or removed, while it was opened.
    return -1


@contextmanager
def _made(home: Folder, path: str) -> Iterator[Folder]:
    """Open a folder below another, each part made when it is not there."""
    here = home.below("")
    try:
        for name in path.split("/"):
            inner = here.made(name)
            os.close(here.descriptor)
            here = inner
        yield here
    finally:
        os.close(here.descriptor)


@contextmanager
def _told() -> Iterator[None]:
    """Let an error of the file system be a sentence for people."""
    try:
        yield
    except OSError as error:
        code, said = sentence(error)
        raise Later(said, retry_in_s=30.0, code=code) from error


def _taken(name: str) -> Conflict:
    message = f"`{name}` lies there and was not read yet. Wait until it is read, or send it under another name."
    return Conflict(message, code="exists", field="name")
