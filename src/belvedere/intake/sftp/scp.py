"""The old protocol of `scp` (`scp -O`): files one after another, each with a line in front. One object a channel.

`scp -t` on this side takes files in. It starts no program: the command line is only read for its letters and its path.
What is not here: sending them, as `scp -f` does (`scp_source.py`), SSH (`server.py`).
"""

import os
import re
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.uploads import Upload, begin, said
from belvedere.intake.sftp.wire import Flag, Malformed, Refused, Wish

_LONGEST_LINE: Final = 8192
DEEPEST: Final = 32
_LETTERS: Final = re.compile(r"-[vrpdtf]+")
_FILE: Final = re.compile(rb"[CD]([0-7]{4,5}) (\d{1,19}) ([^/\0]+)")
_TIMES: Final = re.compile(rb"T(\d{1,10}) \d{1,6} (\d{1,10}) \d{1,6}")
_NEW: Final = Flag.WRITE | Flag.CREATE | Flag.TRUNCATE

Long = Callable[[], Any]
"""Work for a thread; `finish` gets it done: it returns its result, or raises what went wrong."""


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
        self._long: tuple[Long, Callable[[Long], None]] | None = None
        self._left = -1
        self._at = 0
        self._times: tuple[int, int] | None = None
        self._wrong = ""
        self.failures = 0
        self.held = False
        send(b"\0")

    @property
    def long(self) -> Long | None:
        """What a thread must do first."""
        return self._long[0] if self._long else None

    def feed(self, data: bytes) -> None:
        """Take bytes.

        Raises:
            Malformed: that is not this protocol.
        """
        self._input += data
        self.go_on()

    def go_on(self) -> None:
        """Do what is whole."""
        while self._input and self._long is None:
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

    def finish(self, work: Long) -> None:
        """Go on after what a thread did."""
        if self._long is not None:
            (_, then), self._long = self._long, None
            self._guarded(lambda: then(work))
            if self._upload is None:
                self._left = -1  # What could not be opened is not sent.
            self._answer()

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
        if not self._wanted.recursive or len(self._folders) >= DEEPEST:
            raise Malformed
        place = self._place(name)
        if not self._is_folder(place):
            self._guarded(lambda: self._home.make_folder(place))
        self._folders.append(place)
        self._times = None
        self._answer()

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
            self._long = (found, lambda work: self._opened(work()))

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
        if upload is None:
            self._times = None
            self._answer()
            return
        if not whole_there:
            upload.give_up("The sender could not read it all.")
        times, self._times = self._times, None
        if times is not None:
            self._guarded(lambda: upload.set(Wish(times=times)))
            if self._wrong:
                upload.give_up(self._wrong)
        self._long = (upload.publish(flush=self._flush), partial(self._published, upload))

    def _write(self, data: memoryview) -> None:
        if self._upload is not None and not self._wrong:
            self._upload.write(self._at, data)
            self._at += len(data)
            self._home.meter.bytes_up += len(data)

    def _published(self, upload: Upload, work: Long) -> None:
        upload.published(work)
        self._home.meter.files_up += 1

    def _answer(self) -> None:
        """Say that the last request went well, or what went wrong since the last answer."""
        if self._wrong:
            self._complain()
        else:
            self._send(b"\0")

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
