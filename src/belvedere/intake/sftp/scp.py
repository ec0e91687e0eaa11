"""The old protocol of `scp` (`scp -O`): files one after another, each with a line in front. One object a channel.

`scp -t` on this side takes files in, `scp -f` sends them. It starts no program: the command line is only read for its
letters and its path. What is not here: SSH (`server.py`).
"""

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from belvedere.intake.names import OURS
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.model import Permission
from belvedere.intake.sftp.uploads import Later, Upload, begin, said
from belvedere.intake.sftp.wire import Flag, Malformed, Refused, Wish

_LONGEST_LINE: Final = 8192
_DEEPEST: Final = 32
_PIECE: Final = 262_144
_END_OF_LINE: Final = 10
_LETTERS: Final = re.compile(r"-[vrpdtf]+")
_FILE: Final = re.compile(rb"[CD]([0-7]{4,5}) (\d{1,19}) ([^/\0]+)")
_TIMES: Final = re.compile(rb"T(\d{1,10}) \d{1,6} (\d{1,10}) \d{1,6}")
_NEW: Final = Flag.WRITE | Flag.CREATE | Flag.TRUNCATE


@dataclass(frozen=True, slots=True)
class Command:
    """What an `scp` command line asks of this side: take in or send, with folders, with times, into a folder."""

    takes: bool
    path: bytes
    recursive: bool
    times: bool
    into_folder: bool


def command(line: str) -> Command | None:
    """Read a command line; None for everything that is not `scp` with one path."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or words[0] not in {"scp", "/usr/bin/scp"}:
        return None
    letters = ""
    paths: list[str] = []
    for number, word in enumerate(words[1:], 1):
        if word == "--" and not paths:
            paths += words[number + 1 :]
            break
        if word.startswith("-") and not paths:
            if _LETTERS.fullmatch(word) is None:
                return None
            letters += word[1:]
        else:
            paths.append(word)
    if len(paths) != 1 or ("t" in letters) is ("f" in letters):
        return None
    return Command("t" in letters, os.fsencode(paths[0]), "r" in letters, "p" in letters, "d" in letters)


class Sink:
    """Takes files in, as `scp -t` does."""

    def __init__(self, home: Home, send: Callable[[bytes], None], wanted: Command, *, flush: bool) -> None:
        """Say that it is ready."""
        self._home = home
        self._send = send
        self._wanted = wanted
        self._flush = flush
        self._input = bytearray()
        self._folders: list[bytes] = []
        self._into = wanted.into_folder or self._is_folder(wanted.path)
        self._upload: Upload | None = None
        self._opening: Later | None = None
        self._left = -1
        self._at = 0
        self._times: tuple[int, int] | None = None
        self._wrong = ""
        self.failures = 0
        self.held = False
        send(b"\0")

    @property
    def long(self) -> Callable[[], object] | None:
        """What a thread must do first."""
        return self._opening

    def feed(self, data: bytes) -> None:
        """Take bytes.

        Raises:
            Malformed: that is not this protocol.
        """
        self._input += data
        self.go_on()

    def go_on(self) -> None:
        """Do what is whole."""
        while self._input and self._opening is None:
            if self._left >= 0:
                self._content()
            else:
                end = self._input.find(b"\n", 0, _LONGEST_LINE)
                if end < 0:
                    if len(self._input) >= _LONGEST_LINE:
                        raise Malformed
                    return
                line = bytes(self._input[:end])
                del self._input[: end + 1]
                self._line(line)

    def finish(self, work: Callable[[], object]) -> None:
        """Go on with what a thread opened."""
        self._opening = None
        self._guarded(lambda: self._opened(work()))
        self._send(b"\0")

    def lost(self) -> None:
        """End in the middle."""
        if self._upload is not None:
            self._upload.cut()
            self._upload = None

    def ended(self) -> int:
        """Return the exit code after the client's last byte."""
        self.lost()
        return 1 if self.failures else 0

    def _line(self, line: bytes) -> None:
        kind = line[:1]
        if kind == b"T" and (found := _TIMES.fullmatch(line)):
            self._times = (int(found[2]) & 0xFFFFFFFF, int(found[1]) & 0xFFFFFFFF)
            self._send(b"\0")
        elif kind == b"E" and self._folders:
            self._folders.pop()
            self._send(b"\0")
        elif kind in {b"C", b"D"} and (found := _FILE.fullmatch(line)) and found[3] not in {b".", b".."}:
            if kind == b"D":
                self._enter(found[3])
            else:
                self._begin(found[3], int(found[2]))
        elif kind in {b"\x01", b"\x02"}:
            self.failures += 1
        else:
            raise Malformed

    def _place(self, name: bytes) -> bytes:
        if self._folders:
            return self._folders[-1] + b"/" + name
        return self._wanted.path + b"/" + name if self._into else self._wanted.path

    def _enter(self, name: bytes) -> None:
        if not self._wanted.recursive or len(self._folders) >= _DEEPEST:
            raise Malformed
        place = self._place(name)
        if not self._is_folder(place):
            self._guarded(lambda: self._home.make_folder(place))
        self._folders.append(place)
        self._times = None
        if self._wrong:
            self._complain()
        else:
            self._send(b"\0")

    def _begin(self, name: bytes, size: int) -> None:
        place, self._left, self._at = self._place(name), size, 0
        found = self._guarded(lambda: begin(self._home, place, _NEW))
        if self._wrong:
            self._left = -1
            self._complain()
        elif isinstance(found, Upload):
            self._opened(found)
            self._send(b"\0")
        elif callable(found):
            self._opening = found

    def _opened(self, found: object) -> None:
        if isinstance(found, Upload):
            self._upload = found

    def _content(self) -> None:
        """Take the file's bytes, then the one byte after them that says that the other side could read it all."""
        if self._left > 0:
            size = min(self._left, len(self._input))
            with memoryview(self._input) as whole, whole[:size] as data:
                self._guarded(lambda: self._write(data))
            del self._input[:size]
            self._left -= size
            return
        whole_there = self._input[0] == 0
        del self._input[:1]
        self._left = -1
        upload, self._upload = self._upload, None
        if upload is not None:
            if not whole_there:
                upload.give_up("The sender could not read it all.")
            self._guarded(lambda: self._publish(upload))
        self._times = None
        if self._wrong:
            self._complain()
        else:
            self._send(b"\0")

    def _write(self, data: memoryview) -> None:
        if self._upload is not None and not self._wrong:
            self._upload.write(self._at, data)
            self._at += len(data)
            self._home.meter.bytes_up += len(data)

    def _publish(self, upload: Upload) -> None:
        if self._times is not None:
            upload.set(Wish(times=self._times))
        upload.publish(flush=self._flush)
        self._home.meter.files_up += 1

    def _complain(self) -> None:
        self._send(b"\x01scp: " + self._wrong.encode("utf-8", "replace") + b"\n")
        self._wrong = ""
        self.failures += 1

    def _guarded(self, work: Callable[[], object]) -> object:
        try:
            return work()
        except Refused as error:
            self._wrong = self._wrong or error.text
        except (OSError, OverflowError) as error:
            self._wrong = self._wrong or (said(error) if isinstance(error, OSError) else "That is out of range.")
        self._home.meter.error = self._wrong
        return None

    def _is_folder(self, path: bytes) -> bool:
        try:
            return stat.S_ISDIR(self._home.look(path).st_mode)
        except (OSError, Refused):
            return False


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

    long = None

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
        while not self._waits and not self.held and not self.is_done:
            try:
                self._waits = next(self._steps)
            except StopIteration:
                self.is_done = True

    def finish(self, work: Callable[[], object]) -> None:
        """Nothing here takes long."""

    def lost(self) -> None:
        """End in the middle."""
        self._steps.close()  # type: ignore[attr-defined]  # a generator

    def ended(self) -> int:
        """Return the exit code."""
        return 1 if self.failures else 0

    def _all(self) -> Iterator[bool]:
        """Send everything; each step says whether an answer must come before the next."""
        yield from self._one(self._wanted.path, 0)

    def _one(self, path: bytes, depth: int) -> Iterator[bool]:
        try:
            found = self._home.look(path)
            if stat.S_ISDIR(found.st_mode):
                if not self._wanted.recursive or depth > _DEEPEST:
                    yield self._complain("That is a folder; ask for it with -r.")
                    return
                yield from self._folder(path, found, depth)
            else:
                yield from self._file(path)
        except Refused as error:
            yield self._complain(error.text)
        except OSError as error:
            yield self._complain(said(error))

    def _folder(self, path: bytes, found: os.stat_result, depth: int) -> Iterator[bool]:
        self._home.must(Permission.READ)
        opened = self._home.open_folder(path)
        try:
            listed = os.listdir(opened)  # noqa: PTH208  (of a descriptor)
        finally:
            os.close(opened)
        names = sorted(os.fsencode(one) for one in listed if not one.startswith(OURS))
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

    def _file(self, path: bytes) -> Iterator[bool]:
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

    def _stamp(self, found: os.stat_result) -> Iterator[bool]:
        if self._wanted.times:
            self._send(f"T{max(0, int(found.st_mtime))} 0 {max(0, int(found.st_atime))} 0\n".encode())
            yield True

    def _complain(self, text: str) -> bool:
        self.failures += 1
        self._home.meter.error = text
        self._send(b"\x01scp: " + text.encode("utf-8", "replace") + b"\n")
        return False  # The other side does not answer this.


def _name(path: bytes) -> bytes:
    name = path.rstrip(b"/").rpartition(b"/")[2]
    return b"home" if name in {b"", b".", b".."} else name.replace(b"\n", b"_")
