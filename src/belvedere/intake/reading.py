"""The program that reads tenants' files: a child of a runner, without its secrets and with little memory.

It gets one file after the other as an open descriptor with an order in JSON, and answers with frames:
the hash of the content, the parts to be stored, and at the end what it was. Whatever a file makes of it, the runner
lives; this program ends with its runner. What is not here: the runner's side (`reader.py`), and any format.
"""

import hashlib
import importlib
import io
import json
import os
import resource
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import msgspec

from belvedere.intake.model import Hand, Outcome, Place

IN_MEMORY: Final = 32 << 20
"""A file up to this size, in bytes, is read once, into memory: what is hashed is what is parsed."""

HEAD: Final = struct.Struct("!cQ")
"""Each frame: `H` hash, `P` part or `E` end, then how many bytes follow."""

LENGTH: Final = struct.Struct("!I")
"""Before each order: how many bytes of JSON follow."""

Reading = Callable[..., Outcome]
"""What reads a kind of file: `read(place, file, hand, **options)`."""

_PIECE: Final = 1 << 20


def main(descriptor: int, memory: int) -> None:
    """Answer orders until the runner is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    line = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with_runner, args=[line], daemon=True).start()
    readers: dict[str, Reading] = {}
    while order := _order(line):
        what, file = order
        try:
            _answer(line, what, file, readers)
        finally:
            os.close(file)


def _end_with_runner(line: socket.socket) -> None:
    poll = select.poll()
    poll.register(line, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def _order(line: socket.socket) -> tuple[dict[str, Any], int] | None:
    data, files, _, _ = socket.recv_fds(line, 1 << 16, 1)
    if not data:
        return None
    while len(data) < LENGTH.size or len(data) < LENGTH.size + LENGTH.unpack_from(data)[0]:
        data += line.recv(1 << 16)
    return json.loads(data[LENGTH.size :]), files[0]


def _answer(line: socket.socket, what: dict[str, Any], file: int, readers: dict[str, Reading]) -> None:
    outcome = None
    try:
        name = str(what["reader"])
        if name not in readers:
            module, _, function = name.partition(":")
            readers[name] = getattr(importlib.import_module(module), function)
        digest, stream = _opened(file, int(what["size"]))
        _send(line, b"H", digest)
        outcome = readers[name](Place(**what["place"]), stream, _hand(line), **what["options"])
    except MemoryError:
        said = "Reading it needs more memory than BELVEDERE_INTAKE_MEMORY_BYTES allows."
        outcome = Outcome(error=said, code="memory")
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (a file must never end the program; the runner refuses this one)
        sys.stderr.write(f"{type(error).__name__} while reading\n")
        said = f"Reading it failed unexpectedly ({type(error).__name__}); this is a fault of Belvedere."
        outcome = Outcome(error=said, code="reader")
    _send(line, b"E", msgspec.json.encode(outcome))


def _hand(line: socket.socket) -> Hand:
    def hand(part: bytes) -> None:
        _send(line, b"P", part)

    return hand


def _opened(file: int, size: int) -> tuple[bytes, BinaryIO]:
    """Return the hash of a file as big as it was when it was noted, and the file at its beginning."""
    digest = hashlib.sha256()
    if size <= IN_MEMORY:
        data = bytearray()
        while len(data) < size and (piece := os.pread(file, size - len(data), len(data))):
            data += piece
        digest.update(data)
        return digest.digest(), io.BytesIO(data)
    at = 0
    while at < size and (piece := os.pread(file, min(_PIECE, size - at), at)):
        digest.update(piece)
        at += len(piece)
    os.lseek(file, 0, os.SEEK_SET)
    return digest.digest(), io.BufferedReader(io.FileIO(file, closefd=False), _PIECE)


def _send(line: socket.socket, kind: bytes, data: bytes) -> None:
    line.sendall(HEAD.pack(kind, len(data)))
    line.sendall(data)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
