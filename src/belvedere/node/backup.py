"""`belvedere backup`: the running installation into one file, without stopping it.

The control database is dumped first, so that every row in it finds its file; what came later is in the files and does
no harm. A tenant's database is dumped, read-only, by a login with the rights of that tenant's writer, which sees the
few catalogue views that pg_dump asks for and lives as long as the backup. Our own rights never read a tenant's object.
"""

import io
import tarfile
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from belvedere import __version__
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import iso, utc_now
from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.node import store
from belvedere.node.archive import (
    CONTROL,
    FORMAT,
    KEYS,
    MANIFEST,
    DatabaseEntry,
    Manifest,
    program,
    run,
    writing,
)
from belvedere.node.dumper import Dumper
from belvedere.stores.model import DATABASE_KINDS

if TYPE_CHECKING:
    from belvedere.app import Services

_PAGE: Final = 200
_LEFT_OUT: Final = (".lock", ".sqlite", ".sqlite-wal", ".sqlite-shm")
"""Files beside the history that are made anew from it."""

@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a backup. `tenants` None: the databases of all; empty: of none."""

    file: Path
    keys: Path | None = None
    tenants: Collection[str] | None = None


def backup(services: "Services", actor: Actor, choice: Choice, say: Callable[[str], None] = lambda _: None) -> Manifest:
    """Write a backup and return what is in it.

    Raises:
        Rejected: a named tenant does not exist, or the file cannot be written.
        Stuck: the control database cannot be dumped; no file was left. A tenant's database that cannot be dumped is in
            the manifest's `missing` with its reason.
    """
    actor.must(Role.ADMIN)
    if not choice.file.parent.is_dir():
        message = f"There is no folder {choice.file.parent}."
        raise Rejected(message, code="no-folder")
    with services.history.action(actor, "installation.backup", choice.file.name, keys=bool(choice.keys)) as ending:
        with tempfile.TemporaryDirectory(prefix="belvedere-backup-", dir=choice.file.parent) as folder:
            manifest = _write(services, choice, Path(folder), say)
        if choice.keys is not None:
            _write_keys(services, choice.keys)
            say(f"keys -> {choice.keys}; keep it elsewhere than the backup")
        ending.note(databases=len(manifest.databases), missing=sorted(manifest.missing))
    return manifest


def _write(services: "Services", choice: Choice, scratch: Path, say: Callable[[str], None]) -> Manifest:
    settings = services.settings
    with services.database.transaction() as connection:
        version, steps, member = connection.info.server_version, store.steps(connection), store.member_role(connection)
    dump: list[str | Path] = [program("pg_dump", settings.postgres_binaries, version), "--format=custom", "--no-owner"]
    run([*dump, f"--file={scratch / CONTROL}"], services.database.url, "Dumping the control database")
    say("control database")
    entries, missing = _dump_tenants(services, choice, scratch, dump, say)
    folders = {"history": settings.path("history"), "pictures": settings.path(settings.capture_dir)}
    manifest = Manifest(
        format=FORMAT, version=__version__, made_at=iso(utc_now()), steps=steps, member_role=member,
        folders=sorted(folders), databases=entries, missing=missing,
    )
    with writing(choice.file) as archive:
        _add_bytes(archive, MANIFEST, msgspec.json.encode(manifest))
        for name in (CONTROL, *(entry.file for entry in entries)):
            archive.add(scratch / name, name)
        for name, folder in folders.items():
            if folder.is_dir():
                archive.add(folder, f"files/{name}", filter=_kept)
                say(name)
    return manifest


def _dump_tenants(
    services: "Services", choice: Choice, scratch: Path, dump: list[str | Path], say: Callable[[str], None]
) -> tuple[list[DatabaseEntry], dict[str, str]]:
    """Dump what was chosen; a database that cannot be dumped is named with its reason and keeps no other from it."""
    (scratch / "databases").mkdir()
    wanted = _tenants(services, choice.tenants)
    entries: list[DatabaseEntry] = []
    missing: dict[str, str] = {}
    with Dumper(services) as dumper:
        for serial, name in wanted.items():
            for one in services.stores.of_tenant(serial):
                if one.kind not in DATABASE_KINDS:
                    continue
                entry = DatabaseEntry(f"databases/{len(entries)}.dump", name, str(one.id), one.database)
                try:
                    dumper.dump(one, [*dump, f"--file={scratch / entry.file}"])
                except (Stuck, Later, Rejected) as error:
                    missing[one.database] = error.detail
                    say(f"{one.database}: {error.detail}")
                else:
                    entries.append(entry)
                    say(one.database)
    return entries, missing


def _tenants(services: "Services", chosen: Collection[str] | None) -> dict[int, str]:
    if chosen is not None:
        return {tenant.serial: tenant.name for tenant in (services.tenants.get(SYSTEM, name) for name in chosen)}
    found: dict[int, str] = {}
    after: str | None = None
    while True:
        page = services.tenants.list(SYSTEM, after=after, limit=_PAGE)
        found |= {tenant.serial: tenant.name for tenant in page.items}
        after = page.next
        if after is None:
            return found


def _write_keys(services: "Services", path: Path) -> None:
    folder = services.settings.path("keys")
    found = [folder / name for name in KEYS if (folder / name).exists()]
    if not found:
        message = "The sealing key is not kept in this home: it comes from BELVEDERE_MASTER_KEY or a command."
        raise Stuck(message, hint="keep that one safe; the backup itself is written", code="no-keys")
    with writing(path) as archive:
        for file in found:
            archive.add(file, file.name)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    if name.endswith(_LEFT_OUT) or not (member.isfile() or member.isdir()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(content))
