"""The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) as bytes. Pure.

What is not here: what a request does (`requests.py`) and files (`home.py`).
"""

import os
import stat
import struct
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NoReturn

VERSION: Final = 3
MOST_PACKET: Final = 262_144
"""Longest packet that is taken, in bytes without its length."""

MOST_DATA: Final = MOST_PACKET - 1024
"""Most bytes of one read or write."""

_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">IBI")
_STATUS: Final = struct.Struct(">IBIII")
_DATA: Final = struct.Struct(">IBII")


class Kind(IntEnum):
    """What a packet is."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """How a request ended; version 3 has no others, so a full disk and a quota are a `FAILURE` with a sentence."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    UNSUPPORTED = 8


class Flag(IntEnum):
    """How a file is opened."""

    READ = 1
    WRITE = 2
    APPEND = 4
    CREATE = 8
    TRUNCATE = 16
    EXCLUSIVE = 32


class Refused(Exception):
    """A request is answered with a status and a sentence for people."""

    def __init__(self, status: Status, text: str) -> None:
        """Say how."""
        super().__init__(text)
        self.status = status
        self.text = text


def fail(text: str) -> NoReturn:
    """Answer with `FAILURE`."""
    raise Refused(Status.FAILURE, text)


def deny(text: str) -> NoReturn:
    """Answer with `PERMISSION_DENIED`."""
    raise Refused(Status.PERMISSION_DENIED, text)


class Malformed(Exception):
    """A packet does not say what its kind must say."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Attributes that a client sets. Owners and permissions are read over; times are seconds since 1970."""

    size: int | None = None
    times: tuple[int, int] | None = None


class Reader:
    """Takes one packet apart from its front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        """Take a packet without its length and kind."""
        self._data = memoryview(data)
        self._at = 0

    def number(self) -> int:
        """Take 32 bits."""
        try:
            (value,) = _U32.unpack_from(self._data, self._at)
        except struct.error:
            raise Malformed from None
        self._at += 4
        return int(value)

    def long(self) -> int:
        """Take 64 bits."""
        try:
            (value,) = _U64.unpack_from(self._data, self._at)
        except struct.error:
            raise Malformed from None
        self._at += 8
        return int(value)

    def text(self) -> bytes:
        """Take a string."""
        return bytes(self.view())

    def view(self) -> memoryview:
        """Take a string without copying it; it is good until the packet goes."""
        size = self.number()
        end = self._at + size
        if end > len(self._data):
            raise Malformed
        found = self._data[self._at : end]
        self._at = end
        return found

    def wish(self) -> Wish:
        """Take attributes."""
        flags = self.number()
        size = self.long() if flags & 1 else None
        if flags & 2:
            self.long()
        if flags & 4:
            self.number()
        times = (self.number(), self.number()) if flags & 8 else None
        return Wish(size, times)

    def release(self) -> None:
        """Let go of the packet, so that its buffer can shrink."""
        self._data.release()


def string(value: bytes) -> bytes:
    """Write a string."""
    return _U32.pack(len(value)) + value


def packet(kind: Kind, number: int, body: bytes) -> bytes:
    """Write an answer to request `number`."""
    return _HEAD.pack(len(body) + 5, kind, number) + body


def status(number: int, code: Status, text: str = "") -> bytes:
    """Write how a request ended."""
    said = text.encode("utf-8", "replace")[:400]
    return _STATUS.pack(len(said) + 17, Kind.STATUS, number, code, len(said)) + said + b"\0\0\0\0"


def data(number: int, content: bytes) -> bytes:
    """Write what was read."""
    return _DATA.pack(len(content) + 9, Kind.DATA, number, len(content)) + content


def version() -> bytes:
    """Write what we speak, and which extensions."""
    extensions = {
        b"posix-rename@openssh.com": b"1", b"fsync@openssh.com": b"1", b"lsetstat@openssh.com": b"1",
        b"limits@openssh.com": b"1", b"statvfs@openssh.com": b"2",
    }  # fmt: skip
    body = _U32.pack(VERSION) + b"".join(string(name) + string(value) for name, value in extensions.items())
    return _U32.pack(len(body) + 1) + bytes([Kind.VERSION]) + body


def limits(number: int, handles: int) -> bytes:
    """Write how large packets, reads and writes may be, and how many handles are open at most."""
    return packet(Kind.EXTENDED_REPLY, number, struct.pack(">QQQQ", MOST_PACKET, MOST_DATA, MOST_DATA, handles))


def space(number: int, block: int, blocks: tuple[int, int], files: tuple[int, int]) -> bytes:
    """Write how much room there is (statvfs@openssh.com): blocks of `block` bytes and files, each in all and free."""
    numbers = (block, block, blocks[0], blocks[1], blocks[1], files[0], files[1], files[1], 0, 2, 255)
    return packet(Kind.EXTENDED_REPLY, number, struct.pack(">11Q", *numbers))


def attributes(size: int, mode: int, accessed: float, modified: float) -> bytes:
    """Write a file's size, mode and times."""
    times = (min(max(int(accessed), 0), 2**32 - 1), min(max(int(modified), 0), 2**32 - 1))
    return struct.pack(">IQIII", 13, size, mode, *times)


def long_name(name: bytes, owner: str, found: os.stat_result, now: float) -> bytes:
    """Write a line as `ls -l` does."""
    modified = found.st_mtime
    form = "%b %d %H:%M" if now - 15_552_000 < modified <= now + 3600 else "%b %d  %Y"
    who = owner.encode("utf-8", "replace")
    mode = stat.S_IFMT(found.st_mode) | (0o755 if stat.S_ISDIR(found.st_mode) else 0o644)
    left = f"{stat.filemode(mode)}    1 ".encode()
    right = f"{found.st_size:>12} {time.strftime(form, time.gmtime(modified))} ".encode("ascii", "replace")
    return left + who + b" " + who + right + name
