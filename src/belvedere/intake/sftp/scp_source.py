"""Sending files by the old protocol of `scp`, as `scp -f` does. One object a channel."""

import os
import stat
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

from belvedere.intake.names import OURS
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.model import Permission
from belvedere.intake.sftp.scp import DEEPEST, Command, Long
from belvedere.intake.sftp.uploads import said
from belvedere.intake.sftp.wire import Malformed, Refused

_PIECE: Final = 262_144
_END_OF_LINE: Final = 10

Steps = Generator[bool | Long, Any, None]
"""What is sent, step by step: whether an answer must come before the next; or work for a thread, which it is given."""


class Source:
    """Sends files, as `scp -f` does."""

    def __init__(self, home: Home, send: Callable[[bytes], None], wanted: Command) -> None:
        """Wait for the other side's first byte."""
        self._home = home
        self._send = send
        self._wanted = wanted
        self._steps = self._all()
        self._waits = True
        self._says = False
        self._is_refused = False
        self.failures = 0
        self.held = False
        self.is_done = False
        self.long: Long | None = None

    def feed(self, data: bytes) -> None:
        """Take the other side's answers: a zero goes on, a one with a line says what it cannot take, all else ends.

        Raises:
            Malformed: it ends.
        """
        for one in data:
            if self._says:
                self._says = one != _END_OF_LINE
                if self._says:
                    continue
                self.failures += 1
                self._is_refused = True
            elif one == 1:
                self._says = True
                continue
            elif one:
                raise Malformed
            self._waits = False
            self.go_on()

    def go_on(self) -> None:
        """Send on, until an answer is due or what was sent is not fetched."""
        while not self._waits and not self.held and not self.is_done and self.long is None:
            self._step(partial(next, self._steps))

    def finish(self, work: Long) -> None:
        """Go on with what a thread found."""
        self.long = None
        try:
            found = work()
        except OSError as error:
            self._step(partial(self._steps.throw, error))
        else:
            self._step(partial(self._steps.send, found))

    def lost(self) -> None:
        """End in the middle."""
        self._steps.close()

    def _step(self, go: Callable[[], bool | Long]) -> None:
        try:
            found = go()
        except StopIteration:
            self.is_done = True
            return
        if isinstance(found, bool):
            self._waits = found
        else:
            self.long = found

    def ended(self) -> int:
        """Return the exit code."""
        return 1 if self.failures else 0

    def _all(self) -> Steps:
        """Send everything."""
        yield from self._one(self._wanted.path, 0)

    def _one(self, path: bytes, depth: int) -> Steps:
        try:
            found = self._home.look(path)
            if stat.S_ISDIR(found.st_mode):
                if not self._wanted.recursive or depth > DEEPEST:
                    yield self._complain("That is a folder; ask for it with -r.")
                    return
                yield from self._folder(path, found, depth)
            else:
                yield from self._file(path)
        except Refused as error:
            yield self._complain(error.text)
        except OSError as error:
            yield self._complain(said(error))

    def _folder(self, path: bytes, found: os.stat_result, depth: int) -> Steps:
        self._home.must(Permission.READ)
        opened = self._home.open_folder(path)
        try:
            names = yield partial(_names, opened)
        finally:
            os.close(opened)
        yield from self._stamp(found)
        self._is_refused = False
        self._send(b"D0755 0 " + _name(path) + b"\n")
        yield True
        if self._is_refused:
            return
        for name in names:
            yield from self._one(path + b"/" + name, depth + 1)
        self._send(b"E\n")
        yield True

    def _file(self, path: bytes) -> Steps:
        opened = self._home.open_file(path)
        try:
            found = os.fstat(opened)
            yield from self._stamp(found)
            self._is_refused = False
            self._send(f"C0644 {found.st_size} ".encode() + _name(path) + b"\n")
            yield True
            if self._is_refused:
                return
            left, at = found.st_size, 0
            while left:
                data = os.pread(opened, min(left, _PIECE), at)
                if not data:  # It became shorter meanwhile: the promised length is filled up, and said to be wrong.
                    data, self.failures = bytes(min(left, _PIECE)), self.failures + 1
                self._send(data)
                self._home.meter.bytes_down += len(data)
                left, at = left - len(data), at + len(data)
                yield False
        finally:
            os.close(opened)
        self._home.meter.files_down += 1
        self._send(b"\0")
        yield True

    def _stamp(self, found: os.stat_result) -> Steps:
        if self._wanted.times:
            self._send(f"T{max(0, int(found.st_mtime))} 0 {max(0, int(found.st_atime))} 0\n".encode())
            yield True

    def _complain(self, text: str) -> bool:
        self.failures += 1
        self._home.meter.error = text
        self._send(b"\x01scp: " + text.encode("utf-8", "replace") + b"\n")
        return False  # The other side does not answer this.


def _names(folder: int) -> list[bytes]:
    """Return what is in a folder, in order."""
    listed = os.listdir(folder)
    return sorted(os.fsencode(one) for one in listed if not one.startswith(OURS))


def _name(path: bytes) -> bytes:
    name = path.rstrip(b"/").rpartition(b"/")[2]
    return b"home" if name in {b"", b".", b".."} else name.replace(b"\n", b"_")
