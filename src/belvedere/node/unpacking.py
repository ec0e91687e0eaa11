"""What a backup holds back on disk: dumps into a scratch folder, folders straight into their places.

The control database knows tenants' files and campaigns' folders by device and number in their file system, which are
others now: what each was known by stands in the archive, and the rows are told. A file that was moved to `parsed/`
between the dump of the rows and its turn in the backup goes back to where it came; it is read once more, which changes
no value and gives it the row that it lacks.
"""

import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from belvedere.intake.files import Folder, Root, ident
from belvedere.intake.moves import rename_folder
from belvedere.intake.names import name_of, text_of
from belvedere.kernel.db import Connection
from belvedere.kernel.errors import Rejected
from belvedere.node import store
from belvedere.node.archive import CHANGED, DATA, KNOWN_BY, Archive, Say
from belvedere.node.home import disk_errors
from belvedere.node.progress import Progress

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE: Final = 1 << 20
_PARTS_OF_A_CAMPAIGN: Final = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Where to unpack: `scratch` for what is read from there, `places` for folders by their names in the archive.

    A folder that is in no place is passed over. `began_ns` is when the control database began to be dumped.
    """

    scratch: Path
    places: Mapping[str, Path]
    began_ns: int = 0

    @property
    def notes(self) -> Path:
        """The file that says which tenants' files and folders came back, and what they were known by."""
        return self.scratch / "came-back"


def unpack(path: Path, target: Target, say: Say = lambda _: None) -> None:
    """Unpack the plain files and folders of an archive; anything that leads elsewhere is refused.

    Raises:
        Rejected: a member has a name or a kind that no backup of ours has, or the file ends in its middle.
        Stuck: a disk is full.
    """
    progress = Progress("restored", path.stat().st_size, say)
    with Archive.open(path, encoding="utf-8") as archive, target.notes.open("w", encoding="utf-8") as notes:
        while (member := _next(archive, path)) is not None:
            parts = Path(member.name).parts
            if not (member.isfile() or member.isdir()) or ".." in parts or not parts or member.name.startswith("/"):
                message = f"The file {path} holds {member.name}, which no backup of Belvedere does."
                raise Rejected(message, code="no-backup")
            top, within = (target.scratch, parts) if parts[0] != "files" else (target.places.get(parts[1]), parts[2:])
            if top is not None:
                kept = parts[:2] == ("files", DATA)
                with disk_errors(top):
                    found = _put(archive, member, top.joinpath(*within), as_it_was=kept)
                if kept and found is not None:
                    _note(notes.write, within, member, found, began_ns=target.began_ns)
            progress.add(member.size)


def _next(archive: Archive, path: Path) -> tarfile.TarInfo | None:
    try:
        member = archive.next()
    except tarfile.TarError as error:
        message = f"The file {path} is damaged, or cut off."
        raise Rejected(message, hint="copy it once more from where it came", code="no-backup") from error
    archive.forget()
    return member


def _put(archive: Archive, member: tarfile.TarInfo, place: Path, *, as_it_was: bool) -> os.stat_result | None:
    """Put one member in its place; None where something lies there, which stays.

    As it was: with its rights, and with its owner where we may give it away.
    """
    if member.isdir():
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    else:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(place, _NEW, 0o600)
        except FileExistsError:
            return None
    try:
        if member.isfile():
            _fill(archive, member, descriptor)
        if as_it_was:
            if os.geteuid() == 0:
                os.fchown(descriptor, member.uid, member.gid)
            os.fchmod(descriptor, member.mode & 0o2777 | (stat.S_IRWXU if member.isdir() else 0))
        if member.isfile():
            os.utime(descriptor, (member.mtime, member.mtime))
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _fill(archive: Archive, member: tarfile.TarInfo, descriptor: int) -> None:
    content = archive.extractfile(member)
    left = member.size
    while content is not None and left:
        piece = content.read(min(left, _PIECE))
        if not piece:
            message = f"The backup is cut off within {member.name}."
            raise Rejected(message, hint="copy it once more from where it came", code="no-backup")
        left -= len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


# --- what the control database knows files by --------------------------------------------------------------


def _note(
    write: Callable[[str], int], parts: tuple[str, ...], member: tarfile.TarInfo, found: os.stat_result, *,
    began_ns: int,
) -> None:
    """Keep what a tenant's file, or a folder that may be a campaign's, was known by and is known by now."""
    was = member.pax_headers.get(KNOWN_BY, "")
    if not was or len(parts) < _PARTS_OF_A_CAMPAIGN or (member.isdir() and len(parts) != _PARTS_OF_A_CAMPAIGN):
        return
    tenant, *folders, name = (text_of(one) for one in parts)
    late = int(member.pax_headers.get(CHANGED, "0")) >= began_ns
    row = [tenant, "/".join(folders), name, member.isdir(), late, was, ident(found), found.st_ctime_ns]
    write(json.dumps(row) + "\n")


def fit(connection: Connection, target: Target) -> int:
    """Tell the control database by what tenants' files are known now; return how many went back to their places.

    In one transaction. The tables of the intake must be as this program has them.
    """
    store.keep_came_back(connection, _rows(target.notes))
    back = 0
    with ExitStack() as folders:
        homes: dict[str, Folder | None] = {}
        for row in store.moved_since(connection):
            if row["tenant"] not in homes:
                home = Root(target.places[DATA]).home(row["tenant"])
                homes[row["tenant"]] = folders.enter_context(home) if home else None
            changed = _bring_back(homes[row["tenant"]], row["folder"], row["name"], row["into"], row["done"])
            if changed is not None:
                store.lies_again(connection, row, changed)
                back += 1
    store.fit_came_back(connection)
    return back


def _bring_back(home: Folder | None, folder: str, name: str, into: str, done: str) -> int | None:
    """Rename a file to where its row has it; return when it was changed then, or None where that cannot be."""
    if home is None:
        return None
    with suppress(OSError), home.below(name_of(folder)) as here, home.below(name_of(into)) as there:
        rename_folder(there, name_of(done), here, name_of(name))
        found = here.stat(name_of(name))
        return found.st_ctime_ns if found else None
    return None


def _rows(notes: Path) -> Iterator[list[str | int | bool]]:
    with notes.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
