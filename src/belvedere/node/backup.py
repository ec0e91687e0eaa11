"""`belvedere backup`: the running installation into one file, without stopping it.

The control database is dumped first, so that every row in it finds its file; what came later is in the files and does
no harm. Folders follow (`packing.py`), then tenants' databases: of every file in `parsed/` they hold the values. A
tenant's database is dumped, read-only, by a login with the rights of that tenant's writer, which sees the few catalogue
views that pg_dump asks for and lives as long as the backup. Our own rights never read a tenant's object.

What other servers keep is not in it, and said: an InfluxDB's buckets, a Grafana's own database.
"""

import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from belvedere import __version__
from belvedere.intake.files import ident
from belvedere.intake.sftp import hostkeys
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import iso, utc_now
from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node import store
from belvedere.node.archive import (
    CONTENTS,
    CONTROL,
    DATA,
    FORMAT,
    HOST_KEYS,
    KEYS,
    MANIFEST,
    Archive,
    Contents,
    DatabaseEntry,
    Manifest,
    Packed,
    Say,
    folders_of,
    program,
    run,
    writing,
)
from belvedere.node.dumper import Dumper
from belvedere.node.packing import Packer, Rule, measured
from belvedere.node.progress import Progress, amount
from belvedere.stores.model import DATABASE_KINDS
from belvedere.workspaces.grafana.problems import shown_address

if TYPE_CHECKING:
    from belvedere.app import Services

_PAGE: Final = 200
_COARSE_NS: Final = 1_000_000_000
"""How far the clock by which a file system tells changes may be behind, with room to spare."""

_LEFT_OUT: Final = (".lock", ".sqlite", ".sqlite-wal", ".sqlite-shm")
"""Files beside the history that are made anew from it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a backup. `tenants` None: all; else the folders of these. `databases`: those of these tenants."""

    file: Path
    keys: Path | None = None
    tenants: Collection[str] | None = None
    databases: bool = True
    files: bool = True


def backup(services: "Services", actor: Actor, choice: Choice, say: Say = lambda _: None) -> Contents:
    """Write a backup and return what is in it.

    Raises:
        Rejected: a named tenant does not exist, or the file cannot be written where it should be.
        Stuck: the control database cannot be dumped, or there is too little room; no file was left. A tenant's database
            that cannot be dumped is in `missing` with its reason, a file that cannot be read in its folder's `unread`.
    """
    actor.must(Role.ADMIN)
    _must_be_elsewhere(services.settings, choice)
    with services.history.action(
        actor, "installation.backup", choice.file.name, keys=bool(choice.keys), files=choice.files
    ) as ending:
        with tempfile.TemporaryDirectory(prefix="belvedere-backup-", dir=choice.file.parent) as folder:
            contents = _write(services, choice, Path(folder), say)
        if choice.keys is not None:
            _write_keys(services, choice.keys)
            say(f"keys -> {choice.keys}; keep it elsewhere than the backup")
        ending.note(
            databases=len(contents.databases), missing=sorted(contents.missing),
            files=sum(one.files for one in contents.folders.values()),
            unread=sum(len(one.unread) for one in contents.folders.values()),
        )
    return contents


def not_in_it(settings: Settings) -> list[str]:
    """Return, as sentences, what other servers keep and how that is backed up."""
    said = []
    if settings.influxdb_host:
        said.append(
            f"InfluxDB's buckets are not in it: influx backup FOLDER --host {shown_address(settings.influxdb_host)}, "
            "after this one"
        )
    if settings.grafana_url:
        said.append(
            "Grafana's own database is not in it: back it up as its manual says; what Belvedere made there is made anew"
        )
    return said


def _must_be_elsewhere(settings: Settings, choice: Choice) -> None:
    folder = choice.file.parent
    if not folder.is_dir():
        message = f"There is no folder {folder}."
        raise Rejected(message, code="no-folder")
    for one in folders_of(settings).values():
        if folder.resolve().is_relative_to(one.resolve()):
            message = f"The folder {one} goes into the backup, so the backup cannot lie in it."
            raise Rejected(message, hint="name a file elsewhere", code="no-folder")


def _write(services: "Services", choice: Choice, scratch: Path, say: Say) -> Contents:
    settings = services.settings
    tenants = _tenants(services, choice.tenants)
    with services.database.transaction() as connection:
        version, steps, member = connection.info.server_version, store.steps(connection), store.member_role(connection)
    dump: list[str | Path] = [program("pg_dump", settings.postgres_binaries, version), "--format=custom", "--no-owner"]
    folders = folders_of(settings)
    if not choice.files:
        del folders[DATA]
    total = _must_fit(choice, folders, tenants, say)
    began_ns = time.time_ns() - _COARSE_NS
    run([*dump, f"--file={scratch / CONTROL}"], services.database.url, "Dumping the control database")
    say(f"control database, {amount((scratch / CONTROL).stat().st_size)}")
    head = Manifest(
        format=FORMAT, version=__version__, made_at=iso(utc_now()), steps=steps, member_role=member,
        folders=sorted(folders), began_ns=began_ns,
    )
    with writing(choice.file) as archive:
        _add_bytes(archive, MANIFEST, msgspec.json.encode(head))
        archive.add(scratch / CONTROL, CONTROL, filter=_ours)
        _add_host_keys(services, archive)
        packed = _pack(Packer(archive, Progress("files", total, say)), folders, tenants, choice, say)
        entries, missing = _dump_tenants(services, tenants if choice.databases else {}, scratch, (archive, dump), say)
        contents = Contents(databases=entries, missing=missing, folders=packed)
        _add_bytes(archive, CONTENTS, msgspec.json.encode(contents))
    return contents


def _must_fit(choice: Choice, folders: dict[str, Path], tenants: dict[int, str], say: Say) -> int:
    """Return how many bytes the folders have; refuse to begin what cannot end."""
    places = list(folders.values())
    if choice.tenants is not None and DATA in folders:
        places = [one for name, one in folders.items() if name != DATA]
        places += [folders[DATA] / name for name in tenants.values()]
    total = sum(measured(place) for place in places)
    say(f"folders: {amount(total)}")
    free = shutil.disk_usage(choice.file.parent).free
    if total > free:
        message = f"The backup needs {amount(total)} for files alone; {amount(free)} are free on {choice.file.parent}."
        raise Stuck(message, hint="name a file on another disk, or --without-files", code="disk-full")
    return total


def _pack(
    packer: Packer, folders: dict[str, Path], tenants: dict[int, str], choice: Choice, say: Say
) -> dict[str, Packed]:
    """Pack what of folders is there; tenants' folders last, for they take the longest."""
    known = {name: ident(folder.stat()) for name, folder in folders.items() if folder.is_dir()}
    packed = {}
    for name in sorted(folders, key=lambda name: (name == DATA, name)):
        rule = Rule(without=_LEFT_OUT if name == "history" else ())
        if name == DATA:
            only = None if choice.tenants is None else set(tenants.values())
            rule = Rule(whole=True, only=only, skipped=frozenset(known.values()) - {known.get(DATA, "")})
        packed[name] = one = packer.add(name, folders[name], rule)
        say(f"{name}: {one.files:,} files, {amount(one.bytes)}{_left_out(one)}")
        for place, why in one.unread.items():
            say(f"  {place}: {why}")
    return packed


def _left_out(packed: Packed) -> str:
    words = []
    if packed.writing:
        words.append(f"{packed.writing:,} that are being written")
    if packed.odd:
        words.append(f"{packed.odd:,} links, pipes or devices")
    if packed.unread:
        words.append(f"{len(packed.unread):,} that cannot be read:")
    return f"; without {', '.join(words)}" if words else ""


def _add_host_keys(services: "Services", archive: Archive) -> None:
    """Add the SFTP server's own keys, sealed: who has only the backup can take nobody in."""
    found = hostkeys.kept(services.settings.home_path)
    if found:
        text = Secret(msgspec.json.encode(found).decode())
        _add_bytes(archive, HOST_KEYS, services.vault.seal(text, tenant=0, key=HOST_KEYS, version=FORMAT))


def _dump_tenants(
    services: "Services", tenants: dict[int, str], scratch: Path, into: tuple[Archive, list[str | Path]], say: Say
) -> tuple[list[DatabaseEntry], dict[str, str]]:
    """Dump tenants' databases; one that cannot be dumped is named with its reason and keeps no other from it."""
    archive, dump = into
    entries: list[DatabaseEntry] = []
    missing: dict[str, str] = {}
    file = scratch / "tenant.dump"
    with Dumper(services) as dumper:
        for serial, name in tenants.items():
            for one in services.stores.of_tenant(serial):
                if one.kind not in DATABASE_KINDS:
                    continue
                entry = DatabaseEntry(f"databases/{len(entries)}.dump", name, str(one.id), one.database)
                try:
                    dumper.dump(one, [*dump, f"--file={file}"])
                except (Stuck, Later, Rejected) as error:
                    missing[one.database] = error.detail
                    say(f"{one.database}: {error.detail}")
                else:
                    archive.add(file, entry.file, filter=_ours)
                    entries.append(entry)
                    say(f"{one.database}, {amount(file.stat().st_size)}")
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
            archive.add(file, file.name, filter=_ours)


def _ours(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _add_bytes(archive: Archive, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(content))
