"""The bytes of files on their way: kept in a hidden folder of the tenant's own, renamed into place when all are there.

What is not here: who may send what (`service.py`). Folders are opened by descriptors alone, and no link is followed.
"""

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

_PART: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
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

    def write(self, tenant: str, one: UUID, offset: int, data: bytes) -> None:
        """Keep bytes from an offset on; they are on the disk when this returns.

        Raises:
            Gone: what came before is not there any more.
            Later: they cannot be kept now; what was before is as it was.
        """
        with _told(), self._aside(tenant) as aside:
            part = os.open(str(one), _PART, 0o600, dir_fd=aside.descriptor)
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

    def place(self, tenant: str, sending: Sending) -> bool:
        """Put a whole file where it belongs, never over another; tell whether its bytes were there to be put.

        Raises:
            Conflict: another file lies there.
            Later: it cannot be put there now.
        """
        with _told(), self._root.made_home(tenant) as home, self._aside(tenant) as aside:
            if aside.stat(str(sending.id)) is None:
                return False
            part = os.open(str(sending.id), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=aside.descriptor)
            try:
                os.ftruncate(part, sending.size_bytes)
                os.fsync(part)
            finally:
                os.close(part)
            with _made(home, name_of(sending.folder)) as target:
                try:
                    rename_folder(aside, str(sending.id), target, name_of(sending.name))
                except FileExistsError:
                    raise _taken(sending.name) from None
                os.fsync(target.descriptor)
        return True

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

    def forget(self, tenant: str, one: UUID) -> None:
        """Remove what came of a file that nobody goes on with."""
        with _told(), self._aside(tenant) as aside, suppress(FileNotFoundError):
            os.unlink(str(one), dir_fd=aside.descriptor)

    @contextmanager
    def home(self, tenant: str) -> Iterator[int]:
        """Give the descriptor of a tenant's folder, to count what it holds."""
        with _told(), self._root.made_home(tenant) as home:
            yield home.descriptor

    @contextmanager
    def _aside(self, tenant: str) -> Iterator[Folder]:
        with self._root.made_home(tenant) as home, home.made(FOLDER) as aside:
            yield aside


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
