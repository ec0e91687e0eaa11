"""The files of the history: this process's own chain, appended to and flushed; the others', looked at.

What a record means is `service.py`; how a line is made is `record.py`; walking over all of it is `verify.py`.

A chain belongs to one process, which holds an exclusive `flock` on the first file of it (and on the one it
writes) for as long as it lives. The kernel drops that lock however the process ends, so a lock that can be
taken proves that the owner is dead, on this host and, over NFS, on others.
"""

import errno
import fcntl
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final

from belvedere.audit import record
from belvedere.audit.model import Head
from belvedere.audit.record import FileName
from belvedere.kernel.clock import Now
from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import opaque

MOST_BYTES: Final = 16 * 1024 * 1024
"""Size at which a chain goes on in a new file."""

MOST_AGE_S: Final = 24 * 3600
"""Age at which it does."""

_TAIL_BYTES: Final = 64 * 1024
_CITED: Final = 32


@dataclass(frozen=True, slots=True)
class Written:
    """Where a record landed."""

    file: str
    head: Head


class Chain:
    """The chain that this process writes. Made at the first record; safe for threads, and after a fork.

    Threads that want their records flushed at the same time share one flush: whoever comes first flushes for
    all that have written by then.
    """

    def __init__(
        self, folder: Path, *, now: Now, about: Callable[[], Mapping[str, Any]], most_bytes: int = MOST_BYTES,
        most_age_s: float = MOST_AGE_S,
    ) -> None:
        """Prepare; nothing is made before the first record.

        Args:
            folder: where all chains of the installation stand; made when missing, for the owner only.
            now: the clock.
            about: what the first record of a file says about the process (host, version).
            most_bytes: size at which the chain goes on in a new file.
            most_age_s: age at which it does, in seconds.
        """
        self.folder = folder
        self._now = now
        self._about = about
        self._most_bytes = most_bytes
        self._most_age_s = most_age_s
        self._write_lock = RLock()
        self._flush_lock = Lock()
        self._forget()
        _chains.add(self)

    def _forget(self) -> None:
        self._descriptor: int | None = None
        self._owned: list[int] = []
        self._name: FileName | None = None
        self._head = Head(0, record.GENESIS)
        self._opened_at: datetime | None = None
        self._size = 0
        self._appended = 0
        self._flushed = 0
        self._distrusted = False

    @property
    def name(self) -> FileName | None:
        """The file that is written now, or None before the first record."""
        return self._name

    @property
    def position(self) -> Written | None:
        """How far the own chain has come, or None before the first record."""
        with self._write_lock:
            return Written(str(self._name), self._head) if self._name else None

    def append(self, body: Mapping[str, Any], *, durable: bool) -> Written:
        """Add one record; with `durable`, return only when it is on the disk.

        Raises:
            Later: it cannot be written (`history-unwritable`; what was written of it is taken back), or it may
                stand in the file but cannot be flushed (`history-unflushed`).
        """
        written: Written | None = None
        try:
            with self._write_lock:
                self._make_room()
                written = self._write(body)
                mine, descriptor = self._appended, self._descriptor
            if durable:
                self._flush(mine, descriptor)
        except OSError as error:
            message = f"The history cannot be written ({error.strerror}), so nothing is done."
            hint = f"Make room or give access: {self.folder}"
            raise Later(
                message, retry_in_s=30.0, code="history-unflushed" if written else "history-unwritable", hint=hint
            ) from error
        return written

    def close(self) -> None:
        """End the chain: say so in it, flush, give up the locks. A closed chain starts anew at the next record."""
        with self._write_lock, self._flush_lock:
            if self._descriptor is None:
                return
            with suppress(OSError):
                self._write({"kind": "closed"})
                os.fsync(self._descriptor)
            for descriptor in self._owned:
                os.close(descriptor)
            self._forget()

    def _make_room(self) -> None:
        if self._name is None:
            started = record.first_file(self._now(), os.getpid(), opaque(8))
            self._open(started, {"heads": self._cited()})
        elif self._descriptor is None or self._distrusted or self._is_due():
            self._rotate()

    def _is_due(self) -> bool:
        age_s = (self._now() - self._opened_at).total_seconds() if self._opened_at else 0.0
        return self._size >= self._most_bytes or age_s >= self._most_age_s

    def _rotate(self) -> None:
        assert self._name is not None  # noqa: S101  (only called after the first file)
        with self._flush_lock:
            previous = {"file": str(self._name), "lines": self._head.lines, "hash": self._head.hash}
            if self._descriptor is not None:
                self._leave(self._descriptor)
            self._open(self._name.following, {"previous": previous, "heads": self._cited()})
            self._distrusted = False

    def _leave(self, descriptor: int) -> None:
        if not self._distrusted:
            os.fsync(descriptor)
            self._flushed = self._appended
        failpoint("audit.chain.rotating")
        if descriptor != self._owned[0]:  # The first file's lock says that this process lives: kept to its end.
            self._owned.remove(descriptor)
            os.close(descriptor)
        self._descriptor = None

    def _open(self, name: FileName, first: Mapping[str, Any]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, before = self.folder / str(name), (self._name, self._head)
        # Under its own name only when it is locked and whole: a file that nobody holds belongs to a dead process.
        making = self.folder / f".{name}"
        descriptor = os.open(making, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with suppress(OSError):  # A file system without locks: then nobody's end is ever taken for proved.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._descriptor, self._name, self._size, self._opened_at = descriptor, name, 0, self._now()
            self._head = Head(0, self._head.hash)
            identity = {"format": record.FORMAT, "chain": name.chain, "sequence": name.sequence}
            self._write({"kind": "opened", **identity, **self._about(), **first})
            failpoint("audit.chain.making")
            making.rename(path)
            _flush_folder(self.folder)
        except OSError:
            # A file without its first record would break the chain: as if it had never been begun.
            self._descriptor, (self._name, self._head) = None, before
            os.close(descriptor)
            for one in (making, path):
                one.unlink(missing_ok=True)
            raise
        self._owned.append(descriptor)
        failpoint("audit.chain.opened")

    def _write(self, body: Mapping[str, Any]) -> Written:
        assert self._descriptor is not None  # noqa: S101  (_make_room came first)
        number = self._head.lines + 1
        stamped = {"n": number, "kind": body["kind"], "at": record.stamp(self._now()), **body}
        line, own = record.seal(stamped, self._head.hash)
        try:
            _write_whole(self._descriptor, line)
        except OSError:
            self._take_back()
            raise
        self._size += len(line)
        self._head = Head(number, own)
        self._appended += 1
        return Written(str(self._name), self._head)

    def _take_back(self) -> None:
        # Half a line must not stay: the next record would stand behind it. If not even that works, the file is
        # left as it is and the chain goes on in a new one, whose first record names the last whole line.
        try:
            os.ftruncate(self._descriptor or -1, self._size)
        except OSError:
            self._distrusted = True

    def _flush(self, mine: int, descriptor: int | None) -> None:
        with self._flush_lock:
            if self._flushed >= mine:
                return  # Another thread's flush, or that of a rotation, took this record along.
            if descriptor is None or descriptor != self._descriptor or self._distrusted:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            upto = self._appended
            try:
                os.fdatasync(descriptor)
            except OSError:
                # After a failed flush the kernel may have dropped the pages: this file's end is not trusted again.
                self._distrusted = True
                raise
            self._flushed = upto

    def _cited(self) -> dict[str, list[object]]:
        # Each new file names how far the others had come: who cuts or removes one must change this one too.
        own = self._name.chain if self._name else ""
        names = [name for name in newest(self.folder, _CITED) if name.chain != own]
        found = {str(name): head_of(self.folder / str(name)) for name in names}
        return {name: [head.lines, head.hash] for name, head in found.items() if head}

    def after_fork(self) -> None:
        """Give up what belongs to the parent: the child begins a chain of its own."""
        for descriptor in self._owned:
            with suppress(OSError):
                os.close(descriptor)
        self._write_lock, self._flush_lock = RLock(), Lock()
        self._forget()


_chains: weakref.WeakSet[Chain] = weakref.WeakSet()


def _after_fork() -> None:
    for chain in list(_chains):
        chain.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _write_whole(descriptor: int, line: bytes) -> None:
    done = os.write(descriptor, line)
    while done < len(line):
        done += os.write(descriptor, line[done:])


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files(folder: Path) -> list[FileName]:
    """Return all files of the history, the chains in the order of their start."""
    try:
        found = [record.file_name(entry.name) for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if name)


def newest(folder: Path, most: int) -> list[FileName]:
    """Return the files that were written last."""
    found: list[tuple[float, FileName]] = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            name = record.file_name(entry.name)
            if name:
                found.append((entry.stat().st_mtime, name))
    return [name for _, name in sorted(found, reverse=True)[:most]]


def head_of(path: Path) -> Head | None:
    """Read how far a file has come from its last whole line, without walking through it."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _TAIL_BYTES))
        lines = file.read().split(b"\n")[:-1]
        members = record.read(lines[-1]) if lines else None
        found = record.hashes(lines[-1]) if lines else None
        if members and found and isinstance(members.get("n"), int):
            return Head(members["n"], found[1])
    return None


def lives(folder: Path, chain: str, own: str = "") -> bool:
    """Tell whether the process of a chain may still live. Only a lock that can be taken proves the opposite."""
    if chain == own:
        return True
    names = [name for name in files(folder) if name.chain == chain]
    return any(_is_locked(folder / str(name)) for name in {*names[:1], *names[-1:]})


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def only_one(folder: Path, purpose: str) -> Iterator[bool]:
    """Run the block while no other process runs one for the same purpose; yield False if one does."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / f".{purpose}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
