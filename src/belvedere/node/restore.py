"""`belvedere restore`: an installation from a backup, in a home that holds none.

Logins and databases of tenants are made by the same plan that made them first, with the passwords that the sealed
credentials hold; then each database is filled as its writer. So nothing of a backup runs with more than its
tenant's own rights. Folders go straight into their places, and the rows of their files are told (`unpacking.py`).
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from belvedere.credentials.vault import Vault
from belvedere.intake.names import OURS
from belvedere.intake.sftp import hostkeys
from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.control import EMBEDDED, read_control, source
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.migrate import migrate, shipped
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
    Contents,
    DatabaseEntry,
    Manifest,
    Say,
    database_url,
    folders_of,
    own_url,
    program,
    read_manifest,
    run,
)
from belvedere.node.database import CONTROL as CONTROL_DATABASE
from belvedere.node.database import initialise
from belvedere.node.home import FIRST_START, Home, disk_errors, write_private
from belvedere.node.postgres import EmbeddedPostgres
from belvedere.node.reset import erase, erase_below
from belvedere.node.unpacking import Target, fit, unpack
from belvedere.stores.model import StoreKind
from belvedere.stores.series.model import DUMPED

if TYPE_CHECKING:
    from belvedere.app import Services

_MARK: Final = f"{OURS}restoring"
"""Stands in the folder of tenants' folders while a restore fills it."""

@dataclass(frozen=True, slots=True)
class Source:
    """What to restore from. `keys` None: the key comes from the settings. `files`: tenants' folders too."""

    file: Path
    keys: Path | None = None
    files: bool = True


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and of when. `unread` has files that the backup could not read, with the reason."""

    made_at: str
    databases: int
    files: int
    unread: dict[str, str]


def restore(settings: Settings, origin: Source, actor: Actor, say: Say = lambda _: None) -> Restored:
    """Make an installation from a backup; it is not running afterwards.

    Raises:
        Rejected: the home, the control database or the folder of tenants' folders holds something, the file is no
            backup, or the keys are missing.
        Conflict: the server has databases of the same names.
        Stuck: a part could not be read back.
    """
    manifest = read_manifest(origin.file)
    newest = shipped()[-1].number
    if manifest.steps and max(manifest.steps) > newest:
        message = f"The backup's schema is newer than this program: step {max(manifest.steps)} against {newest}."
        raise Rejected(message, hint=f"restore it with Belvedere {manifest.version}", code="newer-backup")
    home = Home(settings.home_path)
    _must_be_new(settings)
    places = _places(settings, origin, manifest)
    made_here = not home.path.exists()
    # As the supervisor makes it: what comes back without rights of its own is for our user alone.
    os.umask(0o077)
    home.prepare()
    home.lock()
    try:
        with disk_errors(home.path), tempfile.TemporaryDirectory(prefix=".restore-", dir=home.path) as scratch:
            _begin(places)
            target = Target(Path(scratch), places, manifest.began_ns)
            contents = _unpack(settings, origin, manifest, target, say)
            with _server(settings, say) as superuser:
                url = initialise(settings, superuser, say)
                tool = _fill_control(settings, url, (manifest, contents), target, say)
                _fill_tenants(settings, (manifest, contents), _Tool(tool, target.scratch), actor, say)
        if DATA in places:
            (places[DATA] / _MARK).unlink(missing_ok=True)
        for mark in FIRST_START:
            (home.path / "run" / mark).touch(mode=0o600)
    except BaseException:
        if DATA in places:
            erase_below(places[DATA])
        if made_here:
            erase(settings)
        raise
    finally:
        home.unlock()
    return Restored(
        made_at=manifest.made_at, databases=len(contents.databases),
        files=sum(one.files for name, one in contents.folders.items() if name in places),
        unread={place: why for one in contents.folders.values() for place, why in one.unread.items()},
    )


def _must_be_new(settings: Settings) -> None:
    if settings.home_path.is_dir() and any(settings.home_path.glob(".restore-*")):
        message = f"A restore into the home {settings.home_path} was cut off."
        raise Rejected(message, hint="belvedere reset, then the same again", code="home-taken")
    if read_control(settings) is not None or (settings.home_path / "postgres").exists():
        message = f"The home {settings.home_path} holds an installation already."
        hint = "restore into another one: BELVEDERE_HOME=folder belvedere restore FILE"
        raise Rejected(message, hint=hint, code="home-taken")


def _places(settings: Settings, origin: Source, manifest: Manifest) -> dict[str, Path]:
    """Return where folders of the backup go; tenants' folders only to where there are none.

    Raises:
        Rejected: there are some.
    """
    places = {name: place for name, place in folders_of(settings).items() if name in manifest.folders}
    if not origin.files:
        places.pop(DATA, None)
    place = places.get(DATA)
    if place is None or not place.is_dir() or (place / _MARK).exists():
        return places
    if any(one.name != "lost+found" for one in place.iterdir()):
        message = f"The folder of tenants' folders, {place}, is not empty."
        hint = "set BELVEDERE_DATA_ROOT to another one, or keep what lies there: belvedere restore FILE --without-files"
        raise Rejected(message, hint=hint, code="home-taken")
    return places


def _begin(places: dict[str, Path]) -> None:
    """Make the folder of tenants' folders, without what a restore left in it that was cut off."""
    if DATA in places:
        erase_below(places[DATA])
        places[DATA].mkdir(mode=0o700, parents=True, exist_ok=True)
        (places[DATA] / _MARK).touch(mode=0o600)


def _unpack(settings: Settings, origin: Source, manifest: Manifest, target: Target, say: Say) -> Contents:
    """Bring keys and folders into their places, and return what else the backup holds."""
    keys = settings.path("keys")
    if origin.keys is not None:
        (target.scratch / "keys").mkdir()
        unpack(origin.keys, Target(target.scratch / "keys", {}))
        for name in KEYS:
            write_private(keys / name, (target.scratch / "keys" / name).read_bytes())
    elif not settings.master_key and not settings.master_key_command and not (keys / KEYS[0]).exists():
        message = "Credentials in the backup are sealed, and the key is not here."
        hint = "belvedere restore FILE --keys KEYFILE, or set BELVEDERE_MASTER_KEY"
        raise Rejected(message, hint=hint, code="no-keys")
    unpack(origin.file, target, say)
    say("files")
    sealed = target.scratch / HOST_KEYS
    if sealed.exists():
        text = Vault.of(settings).open(sealed.read_bytes(), tenant=0, key=HOST_KEYS, version=FORMAT)
        hostkeys.bring_back(settings.home_path, msgspec.json.decode(text.reveal(), type=dict[str, str]))
        say("host keys of the SFTP server")
    failpoint("node.restore.unpacked")
    if manifest.format == 1:
        return Contents(databases=manifest.databases, missing=manifest.missing)
    try:
        return msgspec.json.decode((target.scratch / CONTENTS).read_bytes(), type=Contents)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        message = f"The file {origin.file} is cut off: its end is missing."
        raise Rejected(message, hint="copy it once more from where it came", code="no-backup") from error


@contextmanager
def _server(settings: Settings, say: Say) -> Iterator[Secret | None]:
    if source(settings) != EMBEDDED:
        yield None
        return
    server = EmbeddedPostgres(settings.home_path, programs=settings.postgres_binaries)
    try:
        server.start(say)
        yield server.superuser_url(CONTROL_DATABASE)
    finally:
        server.stop()


def _fill_control(
    settings: Settings, url: Secret, what: tuple[Manifest, Contents], target: Target, say: Say
) -> list[str | Path]:
    """Fill the control database, tell it by what files are known now, and return the program that reads dumps back."""
    manifest, contents = what
    database = Database(url, size=2)
    with database.session() as connection:
        version = connection.info.server_version
        if not store.is_empty(connection):
            message = "The control database holds an installation already."
            raise Rejected(message, hint="name another one; it is made when missing", code="database-taken")
        taken = store.standing(connection, [entry.database for entry in contents.databases])
        if taken:
            message = f"The server has databases of the same names, such as {taken[0]}."
            hint = "restore onto a server that does not serve the original"
            raise Conflict(message, hint=hint, code="database-taken")
        store.add_member_role(connection, manifest.member_role)
    found = program("pg_restore", settings.postgres_binaries, version)
    tool: list[str | Path] = [found, "--no-owner", "--exit-on-error"]
    run([*tool, target.scratch / CONTROL], url, "Reading the control database back")
    migrate(database)
    with database.session() as connection:
        store.forget_database_oids(connection)
        store.look_at_all(connection)
    say("control database")
    if DATA in target.places:
        with database.session() as connection, connection.transaction():
            back = fit(connection, target)
        say(f"tenants' files{f', {back:,} of them to be read once more' if back else ''}")
    return tool


@dataclass(frozen=True, slots=True)
class _Tool:
    """The program that reads dumps back, and where the dumps are."""

    argv: list[str | Path]
    folder: Path

    def fill(self, entry: DatabaseEntry, url: Secret, only: Sequence[str] = ()) -> None:
        chosen = [f"--schema={name}" for name in only]
        run([*self.argv, "--no-privileges", *chosen, self.folder / entry.file], url, f"Reading {entry.database} back")


def _fill_tenants(
    settings: Settings, what: tuple[Manifest, Contents], tool: _Tool, actor: Actor, say: Say
) -> None:
    from belvedere.app import build

    manifest, contents = what
    by_tenant: dict[str, list[DatabaseEntry]] = {}
    for entry in contents.databases:
        by_tenant.setdefault(entry.tenant, []).append(entry)
    services = build(settings)
    try:
        with services.history.action(actor, "installation.restore", manifest.made_at):
            for name, entries in by_tenant.items():
                _fill_tenant(services, name, entries, tool)
                say(f"databases of {name}")
    finally:
        services.close()


def _fill_tenant(services: "Services", name: str, entries: list[DatabaseEntry], tool: _Tool) -> None:
    serial = services.tenants.get(SYSTEM, name).serial
    services.stores.provision(serial)
    stores = {str(one.id): one for one in services.stores.of_tenant(serial)}
    password = services.credentials.read(serial, "DB_PASS") or Secret("")
    for entry in entries:
        one = stores[entry.store_id]
        if one.kind is StoreKind.SERIES:
            # Belvedere's own login wrote it, so that one fills it; the reader's rights come with the next plan.
            url = own_url(services.stores.server, one.database)
            services.series.fill(one.database, partial(tool.fill, entry, url, DUMPED))
            services.stores.provision(serial)
            continue
        writer = services.stores.connection_info(SYSTEM, one.id).writer
        tool.fill(entry, database_url(one.host, one.port, writer, password, one.database))
