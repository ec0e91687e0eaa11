"""The local door of the command hook: a socket for events, and the folder of those that came while nobody listened.

The folder holds `socket`, `spool/` and `lock`. Who may write in it may tell: the kernel asks the folder's and the
socket's modes, and each caller's user is looked at besides. One thread serves it. Events that come together are kept in
one transaction. What is not here: any rule (`service.py`), the program that calls (`belvedere_hook.py`).
"""

import fcntl
import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Final

from belvedere.intake.hooks import spool
from belvedere.intake.hooks.event import of_environment
from belvedere.intake.hooks.service import Heard, Hooks
from belvedere.intake.model import Via
from belvedere.kernel.errors import BelvedereError, Conflict, Later, Rejected, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.logging import logger

_MOST_CALLERS: Final = 256
_PATIENCE_S: Final = 5.0
_LOOK_S: Final = 1.0
_SPOOL_S: Final = 5.0
_OTHERS: Final = 0o007
_LOG = logger(__name__)


@dataclass(slots=True)
class _Caller:
    """One connection: who it is, until when it may talk, what it said so far."""

    line: socket.socket
    uid: int
    until: float
    said: bytearray = field(default_factory=bytearray)


class LocalDoor:
    """The door, from `run` until its flag is set."""

    def __init__(self, hooks: Hooks, folder: Path) -> None:
        """Take the rules and the folder; nothing is made yet."""
        self._hooks = hooks
        self._folder = folder
        self._callers: dict[int, _Caller] = {}
        self._rests_until = 0.0

    def run(self, stop: Flag, ready: Flag | None = None) -> None:
        """Serve until `stop` is set; `ready` is set when callers can come.

        Raises:
            Stuck: anybody on this machine may write in the folder, or it cannot be made.
            Conflict: another process serves it.
        """
        with self._alone(), self._listening() as door, selectors.DefaultSelector() as waiting:
            if ready is not None:
                ready.set()
            due = 0.0
            while not stop.is_set():
                if time.monotonic() >= due:
                    self.drain()
                    due = time.monotonic() + _SPOOL_S
                self._serve(door, waiting)
            for caller in self._callers.values():
                caller.line.close()
            self._hooks.close()

    def drain(self) -> int:
        """Take up what came while nobody listened, in order; return how many. What cannot be kept now stays."""
        taken = 0
        for batch in spool.batches(self._folder / "spool", self._allowed):
            heard = []
            for one in batch:
                try:
                    heard.append(_heard(one.said, one.uid))
                except Rejected as error:
                    self._hooks.unreadable(f"uid {one.uid}", error, Via.COMMAND)
            try:
                self._hooks.take(heard)
            except Later:
                return taken
            except Exception:  # noqa: BLE001  (new events still come in; these stay where they are)
                _LOG.exception("%d events that were kept could not be taken up", len(heard))
                return taken
            failpoint("intake.spool.taken")
            spool.remove(self._folder / "spool", batch)
            taken += len(batch)
        return taken

    def _serve(self, door: socket.socket, waiting: selectors.DefaultSelector) -> None:
        """Hear who has something to say, keep what is complete, and answer."""
        self._open_or_close(door, waiting)
        complete: list[_Caller] = []
        for key, _ in waiting.select(_LOOK_S):
            if key.fileobj is door:
                self._admit(door, waiting)
                continue
            caller = self._callers[key.fd]
            if (end := _hear(caller)) is not None:
                self._let_go(caller, waiting)
                if end:
                    complete.append(caller)
                else:
                    caller.line.close()
        for caller in [one for one in self._callers.values() if one.until < time.monotonic()]:
            self._let_go(caller, waiting)
            caller.line.close()
        if complete:
            self._answer(complete)

    def _open_or_close(self, door: socket.socket, waiting: selectors.DefaultSelector) -> None:
        """Look for callers only while there is room for one; whoever comes meanwhile waits in the socket's queue."""
        has_room = len(self._callers) < _MOST_CALLERS and time.monotonic() >= self._rests_until
        if has_room and door not in waiting.get_map():
            waiting.register(door, selectors.EVENT_READ)
        elif not has_room and door in waiting.get_map():
            waiting.unregister(door)

    def _admit(self, door: socket.socket, waiting: selectors.DefaultSelector) -> None:
        with suppress(BlockingIOError):
            while len(self._callers) < _MOST_CALLERS:
                try:
                    line, _ = door.accept()
                except BlockingIOError:
                    raise
                except OSError as error:  # No more files may be open here; it passes when others are closed.
                    _LOG.warning("a caller of the command hook has to wait", reason=error.strerror)
                    self._rests_until = time.monotonic() + _LOOK_S
                    return
                line.setblocking(False)  # noqa: FBT003  (the socket's own)
                uid, gid = _peer(line)
                if not self._allowed(uid, gid):
                    self._hooks.stranger(f"uid {uid}", "command")
                    line.close()
                    continue
                self._callers[line.fileno()] = _Caller(line, uid, time.monotonic() + _PATIENCE_S)
                waiting.register(line, selectors.EVENT_READ)

    def _let_go(self, caller: _Caller, waiting: selectors.DefaultSelector) -> None:
        waiting.unregister(caller.line)
        self._callers.pop(caller.line.fileno(), None)

    def _answer(self, complete: list[_Caller]) -> None:
        """Keep what callers said and tell them; one that gets no answer keeps the event itself."""
        heard: list[tuple[_Caller, Heard]] = []
        for caller in complete:
            try:
                heard.append((caller, _heard(bytes(caller.said), caller.uid)))
            except Rejected as error:
                self._hooks.unreadable(f"uid {caller.uid}", error, Via.COMMAND)
                _say(caller, b"refused\n")
        try:
            ends = self._hooks.take([one for _, one in heard])
        except BelvedereError:
            ends = []
        except Exception:  # noqa: BLE001  (those who wait keep the event; the door stays)
            _LOG.exception("%d events of the command hook could not be kept", len(heard))
            ends = []
        for (caller, _), refused in zip(heard, ends, strict=False):
            _say(caller, b"kept\n" if refused is None else b"refused\n")
        for caller in complete:
            caller.line.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make the folder and hold its lock."""
        try:
            spool.prepare(self._folder)
            if self._folder.stat().st_mode & _OTHERS:
                message = f"Everybody on this machine can reach the folder of the command hook, {self._folder}."
                raise Stuck(message, hint=f"chmod o= {self._folder}", code="hook-folder")
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"The folder of the command hook, {self._folder}, cannot be used: {error.strerror}."
            raise Stuck(message, hint="set BELVEDERE_HOOK_DIR", code="hook-folder") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            message = f"Another process serves {self._folder}."
            raise Conflict(message, code="hook-folder") from None
        finally:
            os.close(lock)

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        """Make the socket in place of one that a dead process left."""
        place = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # By the folder's descriptor: an address of a socket has at most 107 bytes.
        near = Path(f"/proc/self/fd/{place}") if Path("/proc/self/fd").is_dir() else self._folder
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door, suppress(FileNotFoundError):
                with suppress(FileNotFoundError):
                    (near / ".socket").unlink()
                door.bind(str(near / ".socket"))
                (near / ".socket").chmod(self._folder.stat().st_mode & 0o660 | 0o600)
                door.listen(_MOST_CALLERS)
                door.setblocking(False)  # noqa: FBT003  (the socket's own)
                (near / ".socket").replace(near / "socket")
                yield door
                (near / "socket").unlink()
        finally:
            os.close(place)

    def _allowed(self, uid: int, gid: int) -> bool:
        """Tell whether a user may tell: root, ours, the folder's owner, and its group where that may write in it."""
        found = self._folder.stat()
        if uid in {0, os.geteuid(), found.st_uid, -1}:
            return True
        return bool(found.st_mode & 0o020) and (gid == found.st_gid or found.st_gid in _groups(uid))


def _heard(said: bytes, uid: int) -> Heard:
    """Read what the program says: `NAME=VALUE`, each with a zero byte behind it.

    Raises:
        Rejected: it is not that.
    """
    pairs = [part.partition(b"=") for part in said.split(b"\0") if part]
    given = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    number = given.pop("NUMBER", "")
    return Heard(of_environment(given, number), f"uid {uid}", Via.COMMAND)


def _hear(caller: _Caller) -> bool | None:
    """Take in what a caller says; True at its end, False when it broke off or says too much, None if more comes."""
    try:
        while piece := caller.line.recv(65_536):
            caller.said += piece
            if len(caller.said) > spool.MOST_BYTES:
                return False
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True


def _say(caller: _Caller, answer: bytes) -> None:
    with suppress(OSError):
        caller.line.send(answer)


def _peer(line: socket.socket) -> tuple[int, int]:
    """Return user and group of the other end; -1 where the system does not say: then the modes alone decide."""
    if not hasattr(socket, "SO_PEERCRED"):
        return -1, -1
    raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(raw[4:8], "little"), int.from_bytes(raw[8:12], "little")


def _groups(uid: int) -> list[int]:
    import pwd  # noqa: PLC0415  (only where a group shares the folder)

    try:
        login = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(login.pw_name, login.pw_gid)
