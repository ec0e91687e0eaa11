"""Watching tenants' folders: the kernel says where something happened, and a notice says where to look.

Folders are watched through their open descriptors (inotify(7)), so that a link in a tenant's folder leads nowhere; a
watcher that goes down paths by itself would follow it. What is missed, because the kernel's queue ran over, too many
folders are there, or this program was down, the look by the timer finds. Linux alone; elsewhere the timer does it all.
"""

import ctypes
import errno
import os
import select
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from belvedere.intake.files import MOST_DEPTH, Folder, Root
from belvedere.intake.model import Happening, Notice, Via
from belvedere.intake.names import unfinished
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import BelvedereError

CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
FOLDER: Final = 0x40000000

GATHERED_S: Final = 0.05
"""How long happenings are gathered before they are told: a burst becomes few statements."""

MOST_PLACES: Final = 2000
"""A tenant with more places at one time is looked at as a whole."""

_MASK: Final = CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
_EVENT: Final = struct.Struct("iIII")
_POLL_S: Final = 0.5
_TRY_AGAIN_S: Final = 2.0
_BUFFER: Final = 1 << 16

Tell = Callable[[Sequence[Notice]], object]
"""Where notices go: `Intake.notice_all`."""

_log = structlog.get_logger(__name__)


class Watching:
    """Watches the folder of all tenants' folders and what is below it."""

    def __init__(self, root: Root, tell: Tell) -> None:
        """Take what to watch and whom to tell."""
        self._root = root
        self._tell = tell
        self._paths: dict[int, str] = {}
        self._told: dict[tuple[str, str], Happening] = {}
        self._full = False

    def run(self, stop: threading.Event, ready: threading.Event | None = None) -> None:
        """Watch until `stop` is set; `ready` is set once all folders are watched.

        Raises:
            OSError: the folder of all tenants' folders cannot be read.
        """
        if sys.platform != "linux":
            if ready is not None:
                ready.set()
            stop.wait()
            return
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._line = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._line < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        try:
            with self._root.open() as root:
                self._add(root, "")
            if ready is not None:
                ready.set()
            while not stop.is_set():
                if select.select([self._line], [], [], _POLL_S)[0]:
                    self._gather()
                    self._pass_on(stop)
        finally:
            os.close(self._line)

    def _add(self, folder: Folder, path: str, depth: int = MOST_DEPTH) -> None:
        """Watch a folder and what is in it. `path` begins with the tenant's folder."""
        number = self._libc.inotify_add_watch(self._line, f"/proc/self/fd/{folder.descriptor}".encode(), _MASK)
        if number < 0:
            if ctypes.get_errno() == errno.ENOSPC and not self._full:
                self._full = True
                _log.warning("too_many_folders", watched=len(self._paths), hint="raise fs.inotify.max_user_watches")
            return
        self._paths[number] = path
        if not depth:
            return
        with suppress(OSError):
            for name, _ in folder.folders():
                with suppress(OSError), folder.below(name) as inner:
                    self._add(inner, f"{path}/{name}" if path else name, depth - 1)

    def _gather(self) -> None:
        """Read what the kernel says, for a moment longer than the first word."""
        until = monotonic_s() + GATHERED_S
        while (left := until - monotonic_s()) > 0:
            with suppress(BlockingIOError):
                data = os.read(self._line, _BUFFER)
                at = 0
                while at < len(data):
                    number, mask, _, length = _EVENT.unpack_from(data, at)
                    at += _EVENT.size
                    self._happened(number, mask, os.fsdecode(data[at : at + length].rstrip(b"\0")))
                    at += length
                continue
            select.select([self._line], [], [], left)

    def _happened(self, number: int, mask: int, name: str) -> None:
        if mask & OVERFLOW:
            with suppress(OSError), self._root.open() as root:
                self._told |= {(tenant, ""): Happening.LOOK for tenant, _ in root.folders()}
            return
        if mask & IGNORED:
            self._paths.pop(number, None)
            return
        place = self._paths.get(number)
        if place is None or not name or unfinished(name):
            return
        path = f"{place}/{name}" if place else name
        if mask & FOLDER:
            self._folder(path, there=bool(mask & (CREATE | MOVED_TO)))
        elif place and mask & (CLOSE_WRITE | MOVED_TO):
            # A file that was closed may be opened again to go on, one that got its name is whole.
            self._say(path, Happening.RENAMED if mask & MOVED_TO else Happening.LOOK)

    def _folder(self, path: str, *, there: bool) -> None:
        if there:
            with suppress(OSError), self._root.open() as root, root.below(path) as folder:
                self._add(folder, path)
        if there or path.count("/") == 1:
            self._say(path, Happening.MADE if there else Happening.REMOVED)

    def _say(self, path: str, what: Happening) -> None:
        tenant, _, inner = path.partition("/")
        self._told[tenant, inner] = what

    def _pass_on(self, stop: threading.Event) -> None:
        """Tell what was gathered, as often as it takes; of too many places, the tenant's folder as a whole."""
        told, self._told = self._told, {}
        many = {tenant for tenant, places in Counter(tenant for tenant, _ in told).items() if places > MOST_PLACES}
        notices = [Notice(tenant, "", Happening.LOOK, Via.FOLDER) for tenant in sorted(many)]
        notices += [
            Notice(tenant, path, what, Via.FOLDER) for (tenant, path), what in told.items() if tenant not in many
        ]
        while notices and not stop.is_set():
            try:
                self._tell(notices)
            except BelvedereError as error:
                _log.warning("notices_wait", why=error.detail, notices=len(notices))
                stop.wait(_TRY_AGAIN_S)
            else:
                return
