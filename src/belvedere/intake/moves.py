"""Where files go when they are done: moved beside themselves, never over another, never lost.

Where a name is taken, the next is `name~2`, then `name~3`. The first free one is not looked for one by one: twice as
far each time until a name is free, then half the way back, so that the ten-thousandth file of a name costs 27 looks. A
hole in the row may be taken for its end; any free name does. What is not here: which files go where (`take.py`).
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from belvedere.intake.files import Folder, Seen, ident, seen
from belvedere.intake.names import OURS
from belvedere.kernel.failpoints import failpoint

MOST_NAME_BYTES: Final = 255
_MOST_NUMBER: Final = 1 << 30
_MOST_RACES: Final = 1000
_NOREPLACE: Final = 1
_PIECE: Final = 1 << 20
_NOT_HERE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
_libc: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Changed(Exception):
    """The file was changed or replaced since it was read. It stays, to be read anew."""


def put_away(folder: Folder, file: Seen, into: str) -> str:
    """Move a file to the folder `into` beside it; return its name there, `name~2` where the name is taken.

    Done twice, as after a crash, it finds the file where it is already.

    Raises:
        Changed: it is not the file that was read any more.
        FileNotFoundError: it is neither here nor there.
        OSError: it cannot be moved; it is where it was.
    """
    with _done_folder(folder, into) as target:
        _check(folder, file)
        for _ in range(_MOST_RACES):
            name, is_it = _place(folder, target, file)
            if is_it:
                _drop(folder, file)
                return name
            try:
                _rename(folder, file.name, target, name)
            except FileExistsError:
                continue  # Somebody took the name meanwhile.
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return _copied(folder, file, target, name)
            failpoint("intake.move.renamed")
            _take_back_if_other(folder, target, name, file)
            return name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _place(folder: Folder, target: Folder, file: Seen) -> tuple[str, bool]:
    """Return a free name for a file, or the one that it has there already, and which of the two it is."""
    name = file.name
    for name, there in _search(target, file.name):
        if there is not None and _is_it(folder, target, name, there, file):
            return name, True
    here = folder.stat(file.name)
    if here is not None and here.st_nlink > 1:  # Perhaps we had linked it there already.
        for other, there in _numbered_ones(target, file.name):
            if ident(there) == file.file:
                return other, True
    return name, False


def _done_folder(folder: Folder, into: str) -> Folder:
    try:
        return folder.made(into)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        # Not to be taken for a file that is gone.
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from error


def find_done(folder: Folder, file: Seen, into: str) -> str | None:
    """Return the name that a file got in the folder `into`, when it was moved there before we could write it down."""
    try:
        with folder.below(into) as target:
            for name, found in _numbered_ones(target, file.name):
                if ident(found) == file.file:
                    return name
    except OSError:
        return None
    return None


def put_back(folder: Folder, done: str, name: str) -> None:
    """Move a file that is done (`parsed/name`) back to where it came, under its first name.

    Raises:
        FileExistsError: another file lies there now.
        OSError: it is not there, or cannot be moved.
    """
    into, _, there = done.partition("/")
    with folder.below(into) as target:
        _rename(target, there, folder, name)


def rename_folder(folder: Folder, name: str, target: Folder, to: str) -> None:
    """Rename a folder, never over another.

    Raises:
        FileExistsError: something bears the name.
        OSError: it is not there, or cannot be renamed.
    """
    if target.stat(to) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    _rename(folder, name, target, to)


def rename_free(folder: Folder, name: str, target: Folder, to: str) -> str:
    """Rename something to a name, or to that with the next free number, never over another; return the name.

    Raises:
        OSError: it is not there, or cannot be renamed.
    """
    for _ in range(_MOST_RACES):
        *_, (free, _) = _search(target, to)
        with suppress(FileExistsError):
            _rename(folder, name, target, free)
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _numbered(name: str, number: int) -> str:
    """Return `name` for 1, else `name~2`, `name~3`..., cut to what a file system bears."""
    if number == 1:
        return name
    tail = f"~{number}".encode()
    return os.fsdecode(os.fsencode(name)[: MOST_NAME_BYTES - len(tail)] + tail)


def _search(target: Folder, name: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """Give the names that are met on the way to a free one, with what bears them; at last that one, with None.

    Raises:
        FileExistsError: there is none.
    """
    taken, number, step = 0, 1, 1
    while (found := target.stat(_numbered(name, number))) is not None:
        yield _numbered(name, number), found
        if number > _MOST_NUMBER:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        taken, number, step = number, number + step, step * 2
    while number - taken > 1:
        middle = (number + taken) // 2
        found = target.stat(_numbered(name, middle))
        if found is None:
            number = middle
        else:
            yield _numbered(name, middle), found
            taken = middle
    yield _numbered(name, number), None


def _numbered_ones(target: Folder, name: str) -> Iterator[tuple[str, os.stat_result]]:
    """Give all that bear a name or that with a number: for what a way of a few looks may have passed by."""
    with os.scandir(target.descriptor) as entries:
        for entry in entries:
            digits = entry.name.rpartition("~")[2]
            number = int(digits) if digits.isascii() and digits.isdigit() else 1
            if entry.name == name or entry.name == _numbered(name, number):
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)


def _check(folder: Folder, file: Seen) -> None:
    found = folder.stat(file.name)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if not stat.S_ISREG(found.st_mode) or seen(folder.path, file.name, found) != file:
        raise Changed


def _is_it(folder: Folder, target: Folder, name: str, there: os.stat_result, file: Seen) -> bool:
    """Tell whether what bears the name already is our file: another link to it, or a whole copy on another disk."""
    if ident(there) == file.file:
        return True
    here = folder.stat(file.name)
    if here is None or here.st_dev == there.st_dev or not stat.S_ISREG(there.st_mode) or there.st_size != file.size:
        return False
    with folder.opened(file.name) as (one, _), target.opened(name) as (other, _):
        while piece := os.read(one, _PIECE):
            if os.read(other, len(piece)) != piece:
                return False
    return True


def _rename(folder: Folder, name: str, target: Folder, to: str) -> None:
    """Rename without replacing. Where the file system cannot, link and unlink, which replaces nothing either."""
    if _libc is not None and hasattr(_libc, "renameat2"):
        done = _libc.renameat2(
            folder.descriptor, os.fsencode(name), target.descriptor, os.fsencode(to), _NOREPLACE
        )
        if done == 0:
            return
        number = ctypes.get_errno()
        if number not in _NOT_HERE:
            raise OSError(number, os.strerror(number))
    os.link(name, to, src_dir_fd=folder.descriptor, dst_dir_fd=target.descriptor, follow_symlinks=False)
    failpoint("intake.move.linked")
    os.unlink(name, dir_fd=folder.descriptor)


def _take_back_if_other(folder: Folder, target: Folder, name: str, file: Seen) -> None:
    """Put back what we moved if it is not what was read: somebody replaced the file in the very last moment."""
    moved = target.stat(name)
    if moved is not None and ident(moved) == file.file:
        return
    rename_free(target, name, folder, file.name)
    raise Changed


def _copied(folder: Folder, file: Seen, target: Folder, name: str) -> str:
    """Bring a file to another disk, unless a copy of ours is there, and remove it here; return its name there."""
    here = folder.stat(file.name)
    for other, there in _numbered_ones(target, file.name):
        # A copy of ours has the times of the file, so that most others need not be read.
        if here is not None and there.st_mtime_ns == here.st_mtime_ns and _is_it(folder, target, other, there, file):
            _drop(folder, file)
            return other
    while True:
        try:
            _copy(folder, file, target, name)
        except FileExistsError:
            *_, (name, _) = _search(target, file.name)
            continue
        return name


def _copy(folder: Folder, file: Seen, target: Folder, name: str) -> None:
    """Bring a file to another disk: whole and flushed under a name of ours, then under its own, then away here."""
    part = f"{OURS}{file.file.replace(':', '-')}"
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=target.descriptor)
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target.descriptor)
    try:
        try:
            with folder.opened(file.name) as (source, now):
                if now != file:
                    raise Changed
                while piece := os.read(source, _PIECE):
                    _write(made, piece)
                found = os.fstat(source)
                if seen(folder.path, file.name, found) != file:
                    raise Changed
                os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(made)
        finally:
            os.close(made)
        failpoint("intake.move.copied")
        _rename(target, part, target, name)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=target.descriptor)
        raise
    os.fsync(target.descriptor)
    failpoint("intake.move.copy-named")
    _drop(folder, file)


def _write(descriptor: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(descriptor, left) :]


def _drop(folder: Folder, file: Seen) -> None:
    """Remove the file where it came, now that it lies elsewhere; what has taken its place meanwhile stays."""
    part = f"{OURS}{file.file.replace(':', '-')}"
    try:
        _rename(folder, file.name, folder, part)
    except FileNotFoundError:
        return
    moved = folder.stat(part)
    if moved is None or ident(moved) == file.file:
        os.unlink(part, dir_fd=folder.descriptor)
        return
    rename_free(folder, part, folder, file.name)
