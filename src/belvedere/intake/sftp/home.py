"""One user's home: every path stays in it, whatever a client asks, and no link is ever followed.

A path is taken apart by its bytes: `.` and `..` are worked out on paper and never go above the home; then each folder
is opened from the one before it (`O_NOFOLLOW`), and the last name is used in that folder's descriptor alone. So nobody
who swaps a folder for a link meanwhile changes where a deed lands. Names are bytes and stay as they come: no Unicode
form is folded, so none turns into dots or slashes.

What is not here: files that are being written (`uploads.py`), the protocol (`requests.py`).
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from belvedere.intake.model import Happening
from belvedere.intake.names import OURS
from belvedere.intake.sftp.model import Permission, Traffic
from belvedere.intake.sftp.quota import Quota
from belvedere.intake.sftp.wire import Refused, Status, Wish
from belvedere.intake.sftp.writers import WRITERS

Parts = tuple[bytes, ...]
Tell = Callable[[Happening, str], None]
"""Hears what happened, with the path below the tenant's folder as the file system gives it."""

FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
HIDDEN: Final = OURS.encode()
BEING_WRITTEN: Final = HIDDEN + b"up-"
_LONG: Final = HIDDEN + b"long-"
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 4096
_DEEPEST: Final = 64
_AS_MADE: Final = 0o700


class Meter:
    """What went over one session so far; `read` gives it as a value."""

    __slots__ = ("bytes_down", "bytes_up", "error", "files_down", "files_up")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.files_up = self.files_down = self.bytes_up = self.bytes_down = 0
        self.error = ""

    def read(self) -> Traffic:
        """Return it as it is now."""
        return Traffic(self.files_up, self.files_down, self.bytes_up, self.bytes_down, self.error)


class Home:
    """The files of one user, for one session. Paths are bytes, absolute or not; both begin at the home."""

    def __init__(
        self, root: Path, tenant: str, folder: str, *, permissions: frozenset[Permission], quota: Quota, tell: Tell,
        owner: str = "",
    ) -> None:
        """Open a home, and make it where it is missing.

        Args:
            root: the folder of all tenants' folders.
            tenant: the name of the tenant's folder.
            folder: the home below it, with slashes; empty for all of it.
            permissions: what may be done.
            quota: how much it may hold.
            tell: hears of what happened.
            owner: whom listings name.

        Raises:
            OSError: it cannot be opened: a link or a file stands in its place, or a right is missing.
        """
        self._below = folder
        self.permissions = permissions
        self.quota = quota
        self.tenant = tenant
        self.owner = owner or tenant
        self.meter = Meter()
        self._tell = tell
        parts = [tenant, *(part for part in folder.split("/") if part)]
        descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, _AS_MADE, dir_fd=descriptor)
            below, descriptor = descriptor, -1
            try:
                descriptor = os.open(part, FOLDER, dir_fd=below)
            finally:
                os.close(below)
        self.descriptor = descriptor
        self._threads = 0
        self._is_left = False

    def close(self) -> None:
        """Let go of the folder, when no thread works in it any more.

        Its number may be another home's at once, and a thread that still holds it would work there.
        """
        self._is_left = True
        if self.descriptor >= 0 and not self._threads:
            os.close(self.descriptor)
            self.descriptor = -1

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the folder open while a thread works in it, for the block."""
        self._threads += 1
        try:
            yield
        finally:
            self._threads -= 1
            if self._is_left:
                self.close()

    def parts(self, path: bytes) -> Parts:
        """Take a path apart; `..` at the top stays at the top.

        Raises:
            Refused: it is no path, or one of Belvedere's own files.
        """
        if len(path) > _LONGEST_PATH or b"\0" in path:
            message = "That is no path."
            raise Refused(Status.FAILURE, message)
        found: list[bytes] = []
        for part in path.split(b"/"):
            if part == b"..":
                if found:
                    found.pop()
            elif part not in {b"", b"."}:
                if part.startswith(HIDDEN):
                    message = "There is no such file."
                    raise Refused(Status.NO_SUCH_FILE, message)
                found.append(part)
        if len(found) > _DEEPEST:
            message = f"A path has at most {_DEEPEST} folders."
            raise Refused(Status.FAILURE, message)
        return tuple(found)

    def must(self, permission: Permission) -> None:
        """Refuse what this user may not do.

        Raises:
            Refused: always in that case.
        """
        if permission not in self.permissions:
            message = f"This user may not {_VERBS[permission]} here."
            raise Refused(Status.PERMISSION_DENIED, message)

    @contextmanager
    def within(self, parts: Parts) -> Iterator[int]:
        """Give the descriptor of the folder that a path's last name lies in, for the block.

        Raises:
            OSError: there is no such folder, or a link or a file stands in the way.
            Refused: the path is the home itself.
        """
        if not parts:
            message = "That is the home itself."
            raise Refused(Status.FAILURE, message)
        folder = self.enter(parts[:-1])
        try:
            yield folder
        finally:
            os.close(folder)

    def enter(self, parts: Parts) -> int:
        """Open a folder; the caller closes it.

        Raises:
            OSError: as for `within`.
        """
        folder = os.open(".", FOLDER, dir_fd=self.descriptor)
        for part in parts:
            before = folder
            try:
                folder = os.open(part, FOLDER, dir_fd=before)
            finally:
                os.close(before)
        return folder

    def tell(self, what: Happening, parts: Parts) -> None:
        """Say what happened to a path."""
        path = os.fsdecode(b"/".join(parts))
        self._tell(what, f"{self._below}/{path}" if self._below and path else self._below or path)

    # --- what clients ask besides reading and writing ---

    def look(self, path: bytes) -> os.stat_result:
        """Return what lies at a path, links as themselves; of a file that is being written, what is there of it.

        Raises:
            OSError: nothing does.
        """
        parts = self.parts(path)
        if not parts:
            return os.fstat(self.descriptor)
        with self.within(parts) as folder:
            return looked(folder, parts[-1])

    def open_folder(self, path: bytes) -> int:
        """Open a folder for listing; the caller closes it."""
        self.must(Permission.READ)
        parts = self.parts(path)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        if not parts:
            return os.open(".", flags, dir_fd=self.descriptor)
        with self.within(parts) as folder:
            return os.open(parts[-1], flags, dir_fd=folder)

    def open_file(self, path: bytes) -> int:
        """Open a file for reading; the caller closes it.

        Raises:
            Refused: it is no plain file, or it is not all there yet.
        """
        self.must(Permission.READ)
        parts = self.parts(path)
        with self.within(parts) as folder:
            try:
                # O_NONBLOCK: a pipe would wait for its other end.
                found = os.open(
                    parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
                )
            except FileNotFoundError:
                if is_there(folder, temporary(parts[-1])):
                    message = "It is not all there yet: its upload goes on, or was cut off."
                    raise Refused(Status.FAILURE, message) from None
                raise
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            message = "That is no file."
            raise Refused(Status.FAILURE, message)
        return found

    def make_folder(self, path: bytes) -> None:
        """Make a folder; the mode that a client asks for is not taken."""
        self.must(Permission.CREATE)
        parts = self.parts(path)
        with self.within(parts) as folder:
            os.mkdir(parts[-1], _AS_MADE, dir_fd=folder)
        self.tell(Happening.MADE, parts)

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder; what cut uploads left in it goes too."""
        self.must(Permission.DELETE)
        parts = self.parts(path)
        with self.within(parts) as folder:
            try:
                os.rmdir(parts[-1], dir_fd=folder)
            except OSError:
                if not self._sweep(folder, parts[-1]):
                    raise
                os.rmdir(parts[-1], dir_fd=folder)
        self.tell(Happening.REMOVED, parts)

    def remove_file(self, path: bytes) -> Parts:
        """Remove a file, and what a cut upload of that name left; return what to `tell` of. A large one takes a while.

        A thread may do it.
        """
        self.must(Permission.DELETE)
        parts = self.parts(path)
        with self.within(parts) as folder:
            found = looked(folder, parts[-1])
            if stat.S_ISDIR(found.st_mode):
                message = "That is a folder."
                raise Refused(Status.FAILURE, message)
            left = is_there(folder, temporary(parts[-1]))
            if left is not None:
                with WRITERS.taken(left, "It was removed."), suppress(FileNotFoundError):
                    os.unlink(temporary(parts[-1]), dir_fd=folder)
            with suppress(FileNotFoundError):
                os.unlink(parts[-1], dir_fd=folder)
        if stat.S_ISREG(found.st_mode):
            self.quota.give_back(found.st_size, 1)
        return parts

    def rename(self, old: bytes, new: bytes, *, over: bool) -> None:
        """Rename a file or a folder; with `over` a file may take another one's place.

        Raises:
            Refused: what is renamed is neither, or something has the new name.
        """
        self.must(Permission.RENAME)
        source, target = self.parts(old), self.parts(new)
        with self.within(source) as here, self.within(target) as there:
            found = os.stat(source[-1], dir_fd=here, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
                message = "Only files and folders are renamed."
                raise Refused(Status.PERMISSION_DENIED, message)
            taken = is_there(there, target[-1])
            if taken is not None and (not over or not stat.S_ISREG(taken.st_mode)):
                message = "Something has that name already."
                raise Refused(Status.FAILURE, message)
            os.rename(source[-1], target[-1], src_dir_fd=here, dst_dir_fd=there)
        if taken is not None:
            self.quota.give_back(taken.st_size, 1)
        self.tell(Happening.REMOVED, source)
        # A file that bears a name here came whole, so under its new name it is complete too.
        self.tell(Happening.CLOSED if stat.S_ISREG(found.st_mode) else Happening.RENAMED, target)

    def set_times(self, path: bytes, wish: Wish) -> None:
        """Set times; owners and permissions that a client sends are passed over.

        Raises:
            Refused: it wants another size: that is a write.
        """
        self.must(Permission.UPLOAD)
        parts = self.parts(path)
        if wish.size is not None:
            message = "Open the file to change its size."
            raise Refused(Status.UNSUPPORTED, message)
        if wish.times is None:
            self.look(path)
            return
        with self.within(parts) as folder:
            name = temporary(parts[-1]) if is_there(folder, temporary(parts[-1])) else parts[-1]
            os.utime(name, times=wish.times, dir_fd=folder, follow_symlinks=False)

    def _sweep(self, folder: int, name: bytes) -> bool:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            left = os.listdir(inner)  # noqa: PTH208  (of a descriptor)
            if not left or not all(one.startswith(OURS) for one in left):
                return False
            for one in left:
                os.unlink(one, dir_fd=inner)
        finally:
            os.close(inner)
        return True


_VERBS: Final = {
    Permission.READ: "read or list", Permission.UPLOAD: "send files", Permission.CREATE: "make folders",
    Permission.RENAME: "rename", Permission.DELETE: "delete",
}


def temporary(name: bytes) -> bytes:
    """Return the hidden name under which a file is written until it is whole."""
    if len(BEING_WRITTEN) + len(name) <= _LONGEST_NAME:
        return BEING_WRITTEN + name
    import hashlib  # noqa: PLC0415  (names this long are rare)

    return _LONG + hashlib.sha256(name).hexdigest()[:40].encode()


def is_there(folder: int, name: bytes) -> os.stat_result | None:
    """Return what bears a name in a folder; None if nothing does."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def looked(folder: int, name: bytes) -> os.stat_result:
    """Return what bears a name in a folder; what is being written under it goes before what was there.

    Raises:
        OSError: nothing does.
    """
    return is_there(folder, temporary(name)) or os.stat(name, dir_fd=folder, follow_symlinks=False)
