"""The walk over every line of every file: is the record whole?

It proves that no byte of a line, no line and no file between the first and an *anchored* one was changed,
removed, added or moved. Anchors are: the first record of every newer chain, which names how far the others had
come; the control database (`postgres.py`); this process's own memory; and any result of an earlier walk that
somebody kept elsewhere. What it cannot prove stands in `docs/explanation/history.md`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from belvedere.audit import record
from belvedere.audit.log import files, lives
from belvedere.audit.model import Break, Head, Verification
from belvedere.audit.record import FileName

_ACTIONS: Final = frozenset({"asked", "summary"})
_READ: Final = frozenset({"opened", "repaired"})
_BLOCK: Final = 1024 * 1024


@dataclass(slots=True)
class _Walk:
    """What is known so far. `wanted` holds lines that an anchor names, until the walk has met them."""

    folder: Path
    own: str
    breaks: list[Break] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    torn: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    noted: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    cited: list[tuple[str, Head]] = field(default_factory=list)
    marks: dict[str, dict[int, str]] = field(default_factory=dict)
    count: int = 0
    records: int = 0

    def broken(self, file: object, line: int, why: str) -> None:
        self.breaks.append(Break(str(file), line, why))


def verify(
    folder: Path, *, anchors: Iterable[tuple[str, Head]], own: str, checked_at: datetime
) -> Verification:
    """Walk over all files. The duration is the caller's to fill in.

    Args:
        folder: where they stand.
        anchors: files and how far they had come, from places apart; taken before this call.
        own: chain of the calling process, whose lock it holds itself.
        checked_at: the present time.
    """
    found = files(folder)
    walk = _Walk(folder, own)
    given = list(anchors)
    for file, head in (*given, *_citations(folder, found)):
        walk.cited.append((file, head))
        walk.marks.setdefault(file, {})[head.lines] = ""
    for _, chain in groupby(found, key=lambda name: name.chain):
        _walk_chain(walk, list(chain))
    _check_anchors(walk)
    _check_torn(walk)
    digest = hashlib.sha256(b"".join(f"{n} {h.lines} {h.hash}\n".encode() for n, h in sorted(walk.heads.items())))
    return Verification(
        ok=not walk.breaks, count=walk.count, records=walk.records, files=len(found), head=digest.hexdigest(),
        heads=walk.heads, breaks=tuple(walk.breaks), repairs=len(walk.noted), anchors=len(walk.cited),
        checked_at=checked_at, duration_ms=0.0,
    )  # fmt: skip


def _citations(folder: Path, found: list[FileName]) -> Iterable[tuple[str, Head]]:
    for name in found:
        with (folder / str(name)).open("rb") as file:
            members = record.read(file.readline()) or {}
        yield from _cited(members)


def _cited(members: Mapping[str, Any]) -> Iterable[tuple[str, Head]]:
    heads = members.get("heads")
    for file, head in heads.items() if isinstance(heads, dict) else ():
        # Read before the line is checked, so it may hold anything.
        if isinstance(head, list) and [type(member) for member in head] == [int, str]:
            yield str(file), Head(*head)


def _walk_chain(walk: _Walk, names: list[FileName]) -> None:
    before, previous = record.GENESIS, None
    for expected, name in enumerate(names, start=1):
        if name.sequence != expected:
            walk.broken(name, 0, f"File {expected} of this chain is missing.")
            return
        head = _walk_file(walk, name, before, previous)
        if head is None:
            return
        before, previous = head.hash, (str(name), head.lines)


def _walk_file(walk: _Walk, name: FileName, before: str, previous: tuple[str, int] | None) -> Head | None:
    number, marks = 0, walk.marks.get(str(name), {})
    for line in _lines(walk, name):
        number += 1
        own = record.checked(line, number, before)
        if own is None:
            walk.broken(name, number, "This line, or the one before it, is not what was written.")
            return None
        kind = record.kind(line)
        if number == 1 and not _begins(line, name, before, previous):
            walk.broken(name, 1, "This file does not begin as it was named.")
            return None
        if kind in _READ and not _noted(walk, line):
            walk.broken(name, number, "This line cannot be read.")
            return None
        walk.count += kind in _ACTIONS
        if number in marks:
            marks[number] = own
        before = own
    walk.records += number
    walk.heads[str(name)] = Head(number, before)
    if number == 0:
        walk.torn.setdefault(str(name), (0, b""))  # Made, and not one line written: torn at its first byte.
    return walk.heads[str(name)]


def _lines(walk: _Walk, name: FileName) -> Iterable[bytes]:
    start = 0
    with (walk.folder / str(name)).open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                walk.torn[str(name)] = (start, line)
                return
            start += len(line)
            yield line[:-1]


def _begins(line: bytes, name: FileName, before: str, previous: tuple[str, int] | None) -> bool:
    members = record.read(line) or {}
    said = (members.get("kind"), members.get("chain"), members.get("sequence"))
    if said != ("opened", name.chain, name.sequence):
        return False
    named = members.get("previous")
    if previous is None:
        return named is None
    return bool(named == {"file": previous[0], "lines": previous[1], "hash": before})


def _noted(walk: _Walk, line: bytes) -> bool:
    members = record.read(line)
    if members is None:
        return False
    if members["kind"] == "repaired":
        start, length, digest = members.get("at_byte"), members.get("bytes"), members.get("sha256")
        if not isinstance(start, int) or not isinstance(length, int) or not isinstance(digest, str):
            return False
        walk.noted[str(members.get("file"))] = (start, length, digest)
    return True


def _check_anchors(walk: _Walk) -> None:
    broken = {one.file for one in walk.breaks}
    for file, head in walk.cited:
        if file in broken or head.lines == 0:
            continue
        met = walk.marks[file][head.lines]
        if file not in walk.heads:
            walk.broken(file, 0, "This file is missing.")
        elif not met:
            walk.broken(file, walk.heads[file].lines, f"The end is missing: it had {head.lines} lines.")
        elif met != head.hash:
            walk.broken(file, head.lines, "This line is not the one that was anchored.")
        else:
            continue
        broken.add(file)


def _check_torn(walk: _Walk) -> None:
    for file, (start, rest) in walk.torn.items():
        name = record.file_name(file)
        noted = walk.noted.get(file)
        if noted == (start, len(rest), hashlib.sha256(rest).hexdigest()):
            continue
        if noted is None and name is not None and lives(walk.folder, name.chain, walk.own):
            continue  # Its owner is in the middle of writing it.
        line = walk.heads[file].lines + 1 if file in walk.heads else 0
        walk.broken(file, line, "The last line is torn, and no record says so.")
    for file, (start, _, _) in walk.noted.items():
        if file in walk.heads and file not in walk.torn:
            walk.broken(file, 0, f"The torn bytes from byte {start} on, which a record names, are gone.")
