"""A client of SFTP version 3 that says whatever it is told to, over the requests' object alone."""

import struct
from collections.abc import Callable
from pathlib import Path

from belvedere.intake.model import Happening
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.model import ALL, Permission
from belvedere.intake.sftp.quota import Quota
from belvedere.intake.sftp.requests import Requests
from belvedere.intake.sftp.wire import Flag, Kind, Status

NEW = Flag.WRITE | Flag.CREATE | Flag.TRUNCATE
ON = Flag.WRITE | Flag.CREATE


class Answer(Exception):
    """A status that is not OK."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(f"{status.name} {text}")
        self.status = status


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class Speaker:
    """One channel into a home."""

    def __init__(
        self, root: Path, *, folder: str = "", permissions: tuple[Permission, ...] = ALL, quota: Quota | None = None
    ) -> None:
        self.told: list[tuple[Happening, str]] = []
        self.sent = bytearray()
        self.home = Home(
            root, "acme", folder, permissions=frozenset(permissions), quota=quota or Quota(0, 0),
            tell=lambda what, path: self.told.append((what, path)),
        )
        self.requests = Requests(self.home, self.sent.extend, flush=False)
        self.number = 0
        self.requests.feed(struct.pack(">IBI", 5, Kind.INIT, 3))
        self.packet()

    def close(self) -> None:
        self.requests.lost()
        self.home.close()

    def packet(self) -> tuple[int, bytes]:
        (size,) = struct.unpack_from(">I", self.sent)
        kind, body = self.sent[4], bytes(self.sent[5 : 4 + size])
        del self.sent[: 4 + size]
        return kind, body

    def begin(self, kind: int, body: bytes) -> Callable[[], tuple[int, bytes]]:
        """Send a request; what is returned does what threads do of it, and returns its answer as `ask` does."""
        self.number += 1
        self.requests.feed(struct.pack(">IBI", len(body) + 5, kind, self.number) + body)
        return self._end

    def ask(self, kind: int, body: bytes) -> tuple[int, bytes]:
        """Send a request and return its answer's kind and body without the number."""
        return self.begin(kind, body)()

    def _end(self) -> tuple[int, bytes]:
        while self.requests.long is not None:
            self.requests.finish(self.requests.long)
        answered, found = self.packet()
        assert struct.unpack_from(">I", found) == (self.number,)
        if answered == Kind.STATUS:
            status, size = struct.unpack_from(">II", found, 4)
            if status != Status.OK:
                raise Answer(Status(status), found[12 : 12 + size].decode())
        return answered, found[4:]

    def open(self, path: bytes, flags: int = NEW) -> bytes:
        return self.ask(Kind.OPEN, text(path) + struct.pack(">II", flags, 0))[1][4:]

    def write(self, handle: bytes, offset: int, data: bytes) -> None:
        self.ask(Kind.WRITE, text(handle) + struct.pack(">Q", offset) + text(data))

    def shut(self, handle: bytes) -> None:
        self.ask(Kind.CLOSE, text(handle))

    def put(self, path: bytes, data: bytes) -> None:
        handle = self.open(path)
        self.write(handle, 0, data)
        self.shut(handle)

    def get(self, path: bytes) -> bytes:
        handle = self.open(path, Flag.READ)
        try:
            return self.ask(Kind.READ, text(handle) + struct.pack(">QI", 0, 1 << 20))[1][4:]
        finally:
            self.shut(handle)

    def size(self, path: bytes) -> int:
        return int(struct.unpack_from(">IQ", self.ask(Kind.STAT, text(path))[1])[1])

    def list(self, path: bytes) -> list[bytes]:
        handle, names = self.ask(Kind.OPENDIR, text(path))[1][4:], []
        try:
            while True:
                _, body = self.ask(Kind.READDIR, text(handle))
                at = 4
                for _ in range(struct.unpack(">I", body[:4])[0]):
                    (size,) = struct.unpack_from(">I", body, at)
                    names.append(body[at + 4 : at + 4 + size])
                    at += 4 + size
                    at += 4 + struct.unpack_from(">I", body, at)[0] + 24
        except Answer as error:
            assert error.status is Status.EOF
        self.shut(handle)
        return sorted(names)
