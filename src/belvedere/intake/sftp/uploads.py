"""Files on their way in: written under a hidden name beside the final one, and renamed when their writer closes them.

Nobody sees half a file under its final name. What a cut connection leaves stays under the hidden name, where the same
client goes on with it (`reput`): the size that it asks for is the size of what is there. Who begins the same file anew
takes the name over; the older writer is told so when it writes or closes.

What is not here: reading, listing, renaming (`home.py`), the protocols (`requests.py`, `scp.py`).
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

from belvedere.intake.model import Happening
from belvedere.intake.names import OURS
from belvedere.intake.sftp.home import BEING_WRITTEN, Home, Parts, is_there, temporary
from belvedere.intake.sftp.model import Permission
from belvedere.intake.sftp.wire import Flag, Refused, Status, Wish, deny, fail
from belvedere.intake.sftp.writers import WRITERS
from belvedere.kernel.failpoints import failpoint

KEPT_S: Final = 86_400.0
"""How long what a cut upload left can be gone on with."""

MOST_GAP: Final = 64 * 1024 * 1024
"""How far behind the end of a file a write may begin: clients send out of order, but not by more than they hold."""

_MODE: Final = 0o600
_COPY: Final = 16 * 1024 * 1024
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AGAIN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC

_OTHER: Final = "Another connection goes on with this upload."
_NEWER: Final = "Another upload took the place of this one."


class Upload:
    """One file being written. It is used by one thread at a time; what others of the process may do is under `lock`."""

    def __init__(
        self, home: Home, parts: Parts, folder: int, descriptor: int, *, appends: bool, replaces: bool
    ) -> None:
        """Take an open temporary file; `begin` makes one. `replaces`: a file has the final name, and counts already."""
        found = os.fstat(descriptor)
        self._home = home
        self._parts = parts
        self._folder = folder
        self._found = found
        self.lock = Lock()
        self._appends = appends
        self._broken = ""
        self._files = 0 if replaces else 1
        self.descriptor = descriptor
        self.size = found.st_size
        WRITERS.enter(found, self)

    def give_up(self, why: str) -> None:
        """Let no more be written, and never give the file its final name."""
        self._broken = self._broken or why

    def write(self, offset: int, data: memoryview | bytes) -> None:
        """Write bytes at an offset; where the file was opened for appending, at its end.

        Raises:
            Refused: the quota is used up, the offset is absurd, or another connection has the file.
            OSError: the disk refuses: it is full, or worse. The file never gets its final name then.
        """
        if self._broken:
            raise Refused(Status.FAILURE, self._broken)
        at = self.size if self._appends else offset
        end = at + len(data)
        try:
            if at > self.size + MOST_GAP:
                fail("That is too far behind the end of the file.")
            if end > self.size:
                self._home.quota.grow(end - self.size)
                self.size = end
            done = os.pwrite(self.descriptor, data, at)
            while done < len(data):
                done += os.pwrite(self.descriptor, data[done:], at + done)
        except OSError as error:
            self.give_up(said(error))
            raise
        except Refused as error:
            self.give_up(error.text)
            raise

    def cut_to(self, size: int) -> None:
        """Set the size.

        Raises:
            Refused: there is no room, or it is absurd.
        """
        if self._broken or size > self.size + MOST_GAP:
            raise Refused(Status.FAILURE, self._broken or "That is too far behind the end of the file.")
        self._home.quota.grow(size - self.size)
        os.ftruncate(self.descriptor, size)
        self.size = size

    def set(self, wish: Wish) -> None:
        """Set size and times; owners and permissions are passed over."""
        if wish.size is not None:
            self.cut_to(wish.size)
        if wish.times is not None:
            os.utime(self.descriptor, times=wish.times)

    def publish(self, *, flush: bool) -> Callable[[], os.stat_result | None]:
        """Return what gives the file its final name, for a thread: its writer says that it is whole.

        Args:
            flush: wait until the disk has it.
        """
        WRITERS.closes(self._found)
        return partial(self._publish, flush=flush)

    def published(self, work: Callable[[], os.stat_result | None]) -> None:
        """Take what the thread did: let go of the file, and tell of it.

        Raises:
            Refused: something was not written, or the name was taken over; nothing has changed under the final name.
            OSError: the disk refused.
        """
        try:
            before = work()
        finally:
            self._let_go()
        if before is not None:
            self._home.quota.give_back(before.st_size, self._files)
        self._home.tell(Happening.CLOSED, self._parts)

    def _publish(self, *, flush: bool) -> os.stat_result | None:
        """Give the file its final name; return what had it."""
        if flush and not self._broken:
            os.fsync(self.descriptor)
        name = self._parts[-1]
        with self.lock:
            if not self._broken and not self._is_mine():
                self._broken = _NEWER
            elif self._broken:
                self._drop()
            if self._broken:
                raise Refused(Status.FAILURE, self._broken)
            before = is_there(self._folder, name)
            if before is not None and not stat.S_ISREG(before.st_mode):
                fail("Something that is no file has that name.")
            failpoint("intake.sftp-upload.before-rename")
            os.rename(temporary(name), name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        failpoint("intake.sftp-upload.after-rename")
        if flush:
            _flush(self._folder)
        return before

    def cut(self) -> None:
        """End without a final name: the connection is gone. What is there stays for who goes on with it."""
        try:
            with self.lock:
                if self._broken or not self.size:
                    self._drop()
        finally:
            self._let_go()

    def _is_mine(self) -> bool:
        there = is_there(self._folder, temporary(self._parts[-1]))
        return there is not None and os.path.samestat(there, self._found) and WRITERS.has(there, self)

    def _drop(self) -> None:
        if self._is_mine():
            os.unlink(temporary(self._parts[-1]), dir_fd=self._folder)
            self._home.quota.give_back(self.size, self._files)

    def _let_go(self) -> None:
        WRITERS.leave(self._found, self)
        os.close(self.descriptor)
        os.close(self._folder)


Later = Callable[[], Upload]
"""Work that takes a while (a file is copied, a home is counted) and ends in an upload; a thread does it."""


def begin(home: Home, path: bytes, flags: int) -> Upload | Later:
    """Open a file for writing.

    Without `TRUNCATE` it goes on: with what a cut upload left, else with a copy of what has the name now, so that the
    file that is there stays whole until the new one is.

    Raises:
        Refused: the user may not, the name is a folder's or a link's, or `EXCLUSIVE` was asked for and it is taken.
        OSError: the folder is missing, or the disk refuses.
    """
    home.must(Permission.UPLOAD)
    parts = home.parts(path)
    if home.quota.is_due or _is_closing(home, parts):
        return lambda: _counted(home, parts, flags)
    return _begin(home, parts, flags)


def _is_closing(home: Home, parts: Parts) -> bool:
    """Tell whether a thread gives the same file its final name right now: then it is begun by a thread as well."""
    if not WRITERS.are_closing:
        return False
    with home.within(parts) as folder:
        there = is_there(folder, temporary(parts[-1]))
    return there is not None and WRITERS.is_closing(there)


def _counted(home: Home, parts: Parts, flags: int) -> Upload:
    if home.quota.is_due:
        home.quota.count(home.descriptor)
    found = _begin(home, parts, flags)
    return found if isinstance(found, Upload) else found()


class _Published(Exception):
    """The file that was there under the hidden name got its final one meanwhile."""


def _begin(home: Home, parts: Parts, flags: int) -> Upload | Later:
    while True:
        with suppress(_Published):
            return _begun(home, parts, flags)


def _begun(home: Home, parts: Parts, flags: int) -> Upload | Later:
    appends = bool(flags & Flag.APPEND)
    with home.within(parts) as folder:
        before = is_there(folder, parts[-1])
        if before is not None and not stat.S_ISREG(before.st_mode):
            if stat.S_ISDIR(before.st_mode):
                fail("That is a folder.")
            deny("That is no file.")
        if flags & Flag.EXCLUSIVE and before is not None:
            fail("Something has that name already.")
        own = os.dup(folder)
    try:
        if not flags & Flag.TRUNCATE:
            kept = _left(home, own, temporary(parts[-1]))
            if kept is not None:
                return Upload(home, parts, own, kept, appends=appends, replaces=before is not None)
            if before is not None:
                return lambda: _copied(home, parts, own, appends=appends)
        if before is None and not flags & Flag.CREATE:
            _missing()
        made = _fresh(home, own, temporary(parts[-1]), replaces=before is not None)
        return Upload(home, parts, own, made, appends=appends, replaces=before is not None)
    except BaseException:
        os.close(own)
        raise


def _fresh(home: Home, folder: int, name: bytes, *, replaces: bool) -> int:
    if not replaces:
        home.quota.add_file()
    try:
        return os.open(name, _NEW, _MODE, dir_fd=folder)
    except FileExistsError:
        pass
    # Begun anew: what an earlier try left has no use any more, and who still writes it has lost the name.
    try:
        size = _taken_over(folder, name, _NEWER, lambda: os.unlink(name, dir_fd=folder))
    except _Published:
        if not replaces:
            home.quota.give_back(0, 1)
        raise
    home.quota.give_back(size, 0 if replaces else 1)
    return os.open(name, _NEW, _MODE, dir_fd=folder)


def _left(home: Home, folder: int, name: bytes) -> int | None:
    """Open what a cut upload left, unless it is too old or no plain file."""
    left = is_there(folder, name)
    if left is None:
        return None
    if stat.S_ISREG(left.st_mode) and left.st_nlink == 1 and left.st_ctime > time.time() - KEPT_S:
        opened: list[int] = []
        _taken_over(folder, name, _OTHER, lambda: opened.append(os.open(name, _AGAIN, dir_fd=folder)))
        return opened[0]
    os.unlink(name, dir_fd=folder)
    home.quota.give_back(left.st_size, 1)
    return None


def _taken_over(folder: int, name: bytes, why: str, deed: Callable[[], None]) -> int:
    """Do something with what lies under a hidden name, after its writer lost it; return its size.

    Raises:
        _Published: it has its final name now.
    """
    left = is_there(folder, name)
    if left is None:
        raise _Published
    with WRITERS.taken(left, why):
        now = is_there(folder, name)
        if now is None or not os.path.samestat(now, left):
            raise _Published
        deed()
    return left.st_size


def _copied(home: Home, parts: Parts, folder: int, *, appends: bool) -> Upload:
    """Begin with a copy of the file that has the name now; a file system that can shares its blocks."""
    try:
        source = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            size = os.fstat(source).st_size
            home.quota.grow(size)
            made = _made(home, folder, temporary(parts[-1]))
            try:
                _copy(source, made, size)
            except BaseException:
                os.close(made)
                os.unlink(temporary(parts[-1]), dir_fd=folder)
                home.quota.give_back(size, 0)
                raise
        finally:
            os.close(source)
        return Upload(home, parts, folder, made, appends=appends, replaces=True)
    except BaseException:
        os.close(folder)
        raise


def _made(home: Home, folder: int, name: bytes) -> int:
    while True:
        with suppress(_Published):
            return _fresh(home, folder, name, replaces=True)


def _copy(source: int, target: int, size: int) -> None:
    done = 0
    while done < size:
        try:
            moved = os.copy_file_range(source, target, min(size - done, _COPY), done, done)
        except OSError:
            moved = os.pwrite(target, os.pread(source, min(size - done, _COPY), done), done)
        if not moved:
            break
        done += moved


def _missing() -> NoReturn:
    message = "There is no such file."
    raise Refused(Status.NO_SUCH_FILE, message)


def _flush(folder: int) -> None:
    # A descriptor that only names the folder cannot be flushed: it is opened once more.
    with suppress(OSError):
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def said(error: OSError) -> str:
    """Return what is wrong as a sentence without the name of a file."""
    return f"{(error.strerror or 'The disk refuses').rstrip('.')}."


def forget_old(root: Path, now: float) -> int:
    """Remove what cut uploads left longer than `KEPT_S` ago, below all homes; return how many. No link is followed."""
    removed = 0
    for _, _, names, folder in os.fwalk(root, follow_symlinks=False):
        for name in names:
            if not name.startswith(OURS) or not os.fsencode(name).startswith((BEING_WRITTEN, b".belvedere-long-")):
                continue
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if found.st_ctime < now - KEPT_S and found not in WRITERS:
                    os.unlink(name, dir_fd=folder)
                    removed += 1
    return removed
