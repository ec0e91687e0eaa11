"""Folders into a backup while they are in use: every file that lies in its place is in it, none that is half written.

Files are streamed, not linked: a second link would change when a file was changed last, by which the intake knows it.
A file that is moved from where it came to `parsed/` or `error/` beside it is found in one of the two places: first the
folder is read, then these, and all of it again until nothing is new. With each file and folder goes what it was known
by, so that the rows of the control database find it again (`unpacking.py`). No link is followed.
"""

import os
import stat
import tarfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from belvedere.intake.files import being_written, ident
from belvedere.intake.names import DELETED, DONE, KEPT, OURS, text_of
from belvedere.intake.resumable.parts import FOLDER as ON_THEIR_WAY
from belvedere.node.archive import CHANGED, KNOWN_BY, Archive, Packed
from belvedere.node.progress import Progress

MOST_NAMED: Final = 50
"""Files that are named one by one where they could not be taken; the others are counted."""

_HOLDING: Final = (ON_THEIR_WAY, DELETED, KEPT)
"""Folders of ours that hold what is a tenant's."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ROUNDS: Final = 5
_TRIES: Final = 3
_DEEPEST: Final = 100



@dataclass(frozen=True, slots=True)
class Rule:
    """What of a folder is packed.

    `whole`: without what somebody writes just now; else each file as far as it goes. `only`: the folders of these names
    right in it; None: all that is in it. `skipped`: folders that are packed otherwise, by what they are known by.
    `without`: how names of files end that stay out.
    """

    whole: bool = False
    only: Collection[str] | None = None
    skipped: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()


class _Unreadable(Exception):
    """What is under way cannot be read to its end: a bad disk, or a file that went away on another host."""


class _Counted:
    """A file that is read, with its bytes counted."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        """Read, and count."""
        try:
            data = self._file.read(size)
        except OSError as error:
            raise _Unreadable((error.strerror or str(error)).lower()) from error
        self._progress.add(len(data))
        return data


class Packer:
    """Packs folders into an open archive."""

    def __init__(self, archive: Archive, progress: Progress) -> None:
        """Take the archive, which must be written to a plain file, and whom to tell how far it is."""
        self._archive = archive
        self._progress = progress
        self._within = ""
        self._rule = Rule()
        self._tally = Packed()
        self._known: set[int] = set()
        self._folders: set[str] = set()
        self._writing: set[str] = set()

    def add(self, name: str, folder: Path, rule: "Rule") -> Packed:
        """Pack a folder as `files/NAME`; one that is missing is an empty one."""
        self._within, self._rule, self._tally = f"files/{name}", rule, Packed()
        self._known, self._folders, self._writing = set(), set(rule.skipped), set()
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._tally
        try:
            for _ in range(_ROUNDS if rule.whole else 1):
                if not self._folder(descriptor, "", rule.only):
                    break
        finally:
            os.close(descriptor)
        self._tally.writing = len(self._writing)
        return self._tally

    def _folder(self, descriptor: int, at: str, only: Collection[str] | None = None) -> bool:
        """Pack of a folder and all below it what was not packed yet; tell whether there was something."""
        news = self._member(f"{self._within}/{at}" if at else self._within, os.fstat(descriptor))
        files, folders = _names(descriptor)
        if only is None:
            for name in files:
                news = self._file(descriptor, name, f"{at}/{name}" if at else name) or news
        # Those of files that are done come last: files move from here to there.
        for name in sorted(folders, key=lambda name: (name in DONE, name)):
            if (only is None or name in only) and (name.startswith(_HOLDING) or not name.startswith(OURS)):
                news = self._below(descriptor, name, f"{at}/{name}" if at else name) or news
        return news

    def _below(self, parent: int, name: str, at: str) -> bool:
        if at.count("/") >= _DEEPEST:
            return self._unread(at, f"it lies deeper than {_DEEPEST} folders")
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError as error:
            return self._unread(at, (error.strerror or str(error)).lower())
        try:
            if ident(os.fstat(descriptor)) in self._rule.skipped:
                return False
            return self._folder(descriptor, at)
        finally:
            os.close(descriptor)

    def _file(self, folder: int, name: str, place: str) -> bool:
        """Pack one entry that is no folder, unless it was packed; tell whether there is something new."""
        if name.startswith(OURS) or name.endswith(self._rule.without):
            return False
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            return self._new_file(folder, name, place, found)
        except FileNotFoundError:
            return True  # It lies elsewhere by now.

    def _new_file(self, folder: int, name: str, place: str, found: os.stat_result) -> bool:
        key = _key(found, place)
        if key in self._known:
            return False
        if not stat.S_ISREG(found.st_mode):
            self._known.add(key)
            self._tally.odd += 1
            return False
        try:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError:
            raise
        except OSError as error:
            return self._unread(place, (error.strerror or str(error)).lower())
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            try:
                return self._pack(file, place)
            except _Unreadable as error:
                return self._unread(place, str(error))

    def _pack(self, file: IO[bytes], place: str) -> bool:
        """Pack an open file; False if somebody writes it, which is no news: it is looked at again as long as any is."""
        # What came of a file that is sent over HTTP grows; the control database knows how much of it counts.
        whole = self._rule.whole and place.split("/")[1:2] != [ON_THEIR_WAY]
        if not (whole and being_written(file.fileno())):
            for _ in range(_TRIES):
                if self._copied(file, place, whole=whole):
                    self._writing.discard(place)
                    return True
        self._writing.add(place)
        return False

    def _copied(self, file: IO[bytes], place: str, *, whole: bool) -> bool:
        """Write one file into the archive; False, and nothing in it, where it changed under our hands."""
        archive, begin = self._archive, self._archive.offset
        file.seek(0)
        found = os.fstat(file.fileno())
        member = _described(f"{self._within}/{place}", found)
        try:
            archive.addfile(member, _Counted(file, self._progress))
        except OSError as error:
            if error.errno is not None:
                raise
            changed = True  # It has become shorter.
        except _Unreadable:
            archive.forget()
            archive.cut_at(begin)
            raise
        else:
            after = os.fstat(file.fileno())
            changed = whole and (after.st_size, after.st_mtime_ns) != (found.st_size, found.st_mtime_ns)
        archive.forget()
        if changed:
            archive.cut_at(begin)
            return False
        self._known.add(_key(found, place))
        self._tally.files += 1
        self._tally.bytes += found.st_size
        return True

    def _member(self, name: str, found: os.stat_result) -> bool:
        """Pack a folder itself; tell whether it was not packed yet."""
        if ident(found) in self._folders:
            return False
        self._folders.add(ident(found))
        member = _described(name, found)
        member.type, member.size = tarfile.DIRTYPE, 0
        self._archive.addfile(member)
        self._archive.forget()
        return True

    def _unread(self, place: str, why: str) -> bool:
        """Note what could not be read; it is no news."""
        if len(self._tally.unread) < MOST_NAMED:
            self._tally.unread[text_of(place)] = why
        return False


def _key(found: os.stat_result, place: str) -> int:
    """Return by what a file is known that was packed: one that was moved since is the same.

    One with several names is packed under each.
    """
    return hash((ident(found), found.st_size, found.st_mtime_ns, place if found.st_nlink > 1 else ""))


def measured(folder: Path) -> int:
    """Return about how many bytes the files below a folder have; what is missing or cannot be seen counts nothing."""
    total = 0
    # A part that never ran has made no folder; where the folder itself is a link, what it leads to is packed.
    with suppress(FileNotFoundError):
        for _, _, names, descriptor in os.fwalk(folder.resolve(), follow_symlinks=False):
            for name in names:
                with suppress(OSError):
                    total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_size
    return total


def _described(name: str, found: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = found.st_size, found.st_mtime_ns / 1e9, stat.S_IMODE(found.st_mode)
    member.uid, member.gid = found.st_uid, found.st_gid
    member.pax_headers = {KNOWN_BY: ident(found), CHANGED: str(found.st_ctime_ns)}
    return member


def _names(descriptor: int) -> tuple[list[str], list[str]]:
    """Return the names of what is in a folder: what is no folder, and folders."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
    return sorted(files), folders
