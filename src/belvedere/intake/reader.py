"""The runner's side of reading: a child process that lives long, and is ended when it hangs.

What is not here: the child itself (`reading.py`), and which files it gets (`take.py`).
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

import msgspec

from belvedere.intake.model import Outcome, Place
from belvedere.intake.reading import HEAD, LENGTH
from belvedere.kernel.errors import Later

MOST_PART: Final = 1 << 30
"""Largest part of a file that is taken over from the child, in bytes."""


class ReaderLost(Exception):
    """The child died, or made no progress in time, while it read a file. It holds why, as a sentence."""


class Reading:
    """One file being read: its hash at once, its parts one by one, its outcome at the end."""

    def __init__(self, reader: "Reader") -> None:
        """Wait for the hash."""
        self._reader = reader
        self.outcome: Outcome | None = None
        kind, data = reader.frame()
        self.sha256 = data if kind == b"H" else b""
        if kind == b"E":
            self.outcome = msgspec.json.decode(data, type=Outcome)

    def parts(self) -> Iterator[bytes]:
        """Give the parts; after the last one `outcome` is there."""
        while self.outcome is None:
            kind, data = self._reader.frame()
            if kind == b"E":
                self.outcome = msgspec.json.decode(data, type=Outcome)
            else:
                yield data

    def end(self) -> Outcome:
        """Skip what is left and return what the file was."""
        for _ in self.parts():
            pass
        return self.outcome or Outcome()


class Reader:
    """One child process. Not for two threads at one time; see `Readers`."""

    def __init__(self, *, memory_bytes: int, timeout_s: float) -> None:
        """Start it. It gets none of our environment but where programs are: it reads what strangers sent."""
        ours, its = socket.socketpair()
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "TMPDIR")
                if name in os.environ}
        with its:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "belvedere.intake.reading", str(its.fileno()), str(memory_bytes)],
                    pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/",
                    # One thread and one arena: more take address space, which is what the limit counts.
                    env={**kept, "POLARS_MAX_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONUTF8": "1"},
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                message = "The program that reads files could not be started."
                raise Later(message, retry_in_s=10.0, code="reader") from error
        self.lost = False
        self.busy = False
        self._line = ours
        self._line.settimeout(timeout_s)
        self._timeout_s = timeout_s

    def read(self, reader: str, options: Mapping[str, str], place: Place, descriptor: int, size: int) -> Reading:
        """Have an open file read from its beginning; up to the end of its `parts` the child does nothing else.

        Raises:
            ReaderLost: the child died or hung; this object is of no more use.
        """
        order = json.dumps({"reader": reader, "options": dict(options), "place": asdict(place), "size": size}).encode()
        self.busy = True
        try:
            socket.send_fds(self._line, [LENGTH.pack(len(order)) + order], [descriptor])
        except OSError:
            raise self._lost() from None
        return Reading(self)

    def frame(self) -> tuple[bytes, bytes]:
        """Return the child's next frame: its kind and its content."""
        try:
            kind, length = HEAD.unpack(self._exactly(HEAD.size))
            if length > MOST_PART:
                message = "Reading it gave a part that is too large; this is a fault of Belvedere."
                raise self._lost(message)
            self.busy = kind != b"E"
            return kind, self._exactly(length)
        except TimeoutError:
            message = f"Reading it made no progress for {self._timeout_s:.0f} s and was ended."
            raise self._lost(message) from None
        except OSError:
            raise self._lost() from None

    def _exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            count = self._line.recv_into(view)
            if not count:
                raise ConnectionResetError
            view = view[count:]
        return bytes(data)

    def _lost(self, why: str = "") -> ReaderLost:
        self.lost = True
        if why:
            return ReaderLost(why)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.returncode
        signal = f" (signal {-code})" if code is not None and code < 0 else ""
        return ReaderLost(f"Reading it ended the program that reads files{signal}.")

    def close(self) -> None:
        """End it."""
        self._line.close()
        self._process.kill()
        self._process.wait()


class Readers:
    """The children of this process: made when needed, kept for the next files, one user at a time each."""

    def __init__(self, *, memory_bytes: int, timeout_s: float) -> None:
        """Take the limits of each; none is started yet."""
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._idle: list[Reader] = []
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[Reader]:
        """Lend a child; one that is lost, or in the middle of a file when the block ends, is ended."""
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = Reader(memory_bytes=self._memory_bytes, timeout_s=self._timeout_s)
        try:
            yield reader
        finally:
            if reader.lost or reader.busy:
                reader.close()
            else:
                with self._lock:
                    self._idle.append(reader)

    def close(self) -> None:
        """End those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()
