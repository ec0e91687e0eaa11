"""One line of the history: how it is written, hashed, checked and read; how its files are named.

Pure. A line is a JSON object that ends in the hash of the line before it and in its own:

    {"n":17,"kind":"asked",...,"before":"<64 hex digits>","hash":"<64 hex digits>"}

`hash` is SHA-256 over the very bytes of the line with `,"hash":"..."` left out, so anybody can check a file
with `sha256sum` and no key. `n` counts the lines of one file from 1. What is not here: files, clocks, threads.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

GENESIS: Final = "0" * 64
"""What stands as `before` in the first line of a chain."""

FORMAT: Final = 1
"""Version of the line format; it stands in the first record of every file."""

_HEX: Final = 64
_TAIL: Final = len(f',"hash":"{GENESIS}"}}')
_BEFORE: Final = len(f',"before":"{GENESIS}"')
_NAME: Final = re.compile(r"(?P<chain>\d{8}T\d{6}Z-\d+-[a-z2-7]{8})\.(?P<sequence>\d{4,})\.jsonl")
_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class FileName:
    """Which file of which chain: `20261120T143000Z-4242-k3j5m7qa.0001.jsonl`.

    The chain is named after the start of its process, the process id and eight random characters.
    """

    chain: str
    sequence: int

    def __str__(self) -> str:
        """Return the name of the file."""
        return f"{self.chain}.{self.sequence:04d}.jsonl"

    @property
    def following(self) -> "FileName":
        """The file in which this chain goes on after it."""
        return FileName(self.chain, self.sequence + 1)


def stamp(moment: datetime) -> str:
    """Write a moment to the microsecond, so that the actions of one process sort as they happened."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def first_file(started: datetime, process: int, random: str) -> FileName:
    """Name the first file of a process's chain."""
    return FileName(f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{process}-{random}", 1)


def file_name(name: str) -> FileName | None:
    """Read a file's name, or None when it is not a file of the history."""
    found = _NAME.fullmatch(name)
    return FileName(found["chain"], int(found["sequence"])) if found else None


def seal(record: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Write a record as a line that follows the line with hash `before`.

    Returns:
        The line with its newline, and its hash.
    """
    body = msgspec.json.encode(record)[:-1] + f',"before":"{before}"'.encode()
    own = hashlib.sha256(body + b"}").hexdigest()
    return body + f',"hash":"{own}"}}\n'.encode(), own


def checked(line: bytes, number: int, before: str) -> str | None:
    """Check one line, without its newline, against its place in the file.

    Returns:
        Its hash, or None when a byte of it, its number or the hash before it is not what it was.
    """
    body, tail = line[:-_TAIL], line[-_TAIL:]
    own = hashlib.sha256(body + b"}").hexdigest()
    if tail != f',"hash":"{own}"}}'.encode() or not body.endswith(f',"before":"{before}"'.encode()):
        return None
    return own if body.startswith(f'{{"n":{number},"kind":'.encode()) else None


def hashes(line: bytes) -> tuple[str, str] | None:
    """Read `before` and `hash` of a line, without its newline, without checking them."""
    before, own = line[-_TAIL - _BEFORE : -_TAIL][-_HEX - 1 : -1], line[-_HEX - 2 : -2]
    if _DIGEST.fullmatch(before) is None or _DIGEST.fullmatch(own) is None:
        return None
    return before.decode(), own.decode()


def read(line: bytes) -> dict[str, Any] | None:
    """Read a line as its members, or None when it is not one of ours."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("kind"), str) else None


def kind(line: bytes) -> str:
    """Read a line's kind without decoding it, for the walk over all lines."""
    start = line.find(b'"kind":"', 0, 32)
    return line[start + 8 : line.find(b'"', start + 8)].decode("ascii", "replace") if start > 0 else ""
