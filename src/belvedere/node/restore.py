"""`belvedere restore`: an installation from a backup, in a home that holds none.

Logins and databases of tenants are made by the same plan that made them first, with the passwords that the sealed
credentials hold; then each database is filled as its writer. So nothing of a backup runs with more than its
tenant's own rights.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.control import EMBEDDED, read_control, source
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Rejected
from belvedere.kernel.migrate import migrate, shipped
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node import store
from belvedere.node.archive import (
    CONTROL,
    KEYS,
    DatabaseEntry,
    Manifest,
    database_url,
    own_url,
    program,
    read_manifest,
    run,
    unpack,
)
from belvedere.node.database import CONTROL as CONTROL_DATABASE
from belvedere.node.database import initialise
from belvedere.node.home import FIRST_START, Home, disk_errors, write_private
from belvedere.node.postgres import EmbeddedPostgres
from belvedere.node.reset import erase
from belvedere.stores.model import StoreKind

if TYPE_CHECKING:
    from belvedere.app import Services

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What to restore from. `keys` None: the key comes from the settings."""

    file: Path
    keys: Path | None = None


def restore(settings: Settings, origin: Source, actor: Actor, say: Say = lambda _: None) -> Manifest:
    """Make an installation from a backup; it is not running afterwards.

    Raises:
        Rejected: the home or the control database holds something, the file is no backup, or the keys are missing.
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
    made_here = not home.path.exists()
    home.prepare()
    home.lock()
    try:
        with disk_errors(home.path), tempfile.TemporaryDirectory(prefix=".restore-", dir=home.path) as scratch:
            _unpack(settings, origin, manifest, Path(scratch))
            say("files")
            with _server(settings, say) as superuser:
                url = initialise(settings, superuser, say)
                tool = _fill_control(settings, url, manifest, Path(scratch))
                say("control database")
                _fill_tenants(settings, manifest, _Tool(tool, Path(scratch)), actor, say)
        for mark in FIRST_START:
            (home.path / "run" / mark).touch(mode=0o600)
    except BaseException:
        if made_here:
            erase(settings)
        raise
    finally:
        home.unlock()
    return manifest


def _must_be_new(settings: Settings) -> None:
    if read_control(settings) is not None or (settings.home_path / "postgres").exists():
        message = f"The home {settings.home_path} holds an installation already."
        hint = "restore into another one: BELVEDERE_HOME=folder belvedere restore FILE"
        raise Rejected(message, hint=hint, code="home-taken")


def _unpack(settings: Settings, origin: Source, manifest: Manifest, scratch: Path) -> None:
    unpack(origin.file, scratch)
    keys = settings.path("keys")
    if origin.keys is not None:
        (scratch / "keys").mkdir()
        unpack(origin.keys, scratch / "keys")
        for name in KEYS:
            write_private(keys / name, (scratch / "keys" / name).read_bytes())
    elif not settings.master_key and not settings.master_key_command and not (keys / KEYS[0]).exists():
        message = "Credentials in the backup are sealed, and the key is not here."
        hint = "belvedere restore FILE --keys KEYFILE, or set BELVEDERE_MASTER_KEY"
        raise Rejected(message, hint=hint, code="no-keys")
    places = {"history": settings.path("history"), "pictures": settings.path(settings.capture_dir)}
    for name in manifest.folders:
        found = scratch / "files" / name
        if found.is_dir() and name in places:
            shutil.copytree(found, places[name], dirs_exist_ok=True)


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


def _fill_control(settings: Settings, url: Secret, manifest: Manifest, scratch: Path) -> list[str | Path]:
    """Fill the control database, and return the program that reads dumps back."""
    database = Database(url, size=2)
    with database.session() as connection:
        version = connection.info.server_version
        if not store.is_empty(connection):
            message = "The control database holds an installation already."
            raise Rejected(message, hint="name another one; it is made when missing", code="database-taken")
        taken = store.standing(connection, [entry.database for entry in manifest.databases])
        if taken:
            message = f"The server has databases of the same names, such as {taken[0]}."
            hint = "restore onto a server that does not serve the original"
            raise Conflict(message, hint=hint, code="database-taken")
        store.add_member_role(connection, manifest.member_role)
    found = program("pg_restore", settings.postgres_binaries, version)
    tool: list[str | Path] = [found, "--no-owner", "--exit-on-error"]
    run([*tool, scratch / CONTROL], url, "Reading the control database back")
    migrate(database)
    with database.session() as connection:
        store.forget_database_oids(connection)
        store.look_at_all(connection)
    return tool


@dataclass(frozen=True, slots=True)
class _Tool:
    """The program that reads dumps back, and where the dumps are."""

    argv: list[str | Path]
    folder: Path

    def fill(self, entry: DatabaseEntry, url: Secret) -> None:
        dump = self.folder / entry.file
        run([*self.argv, "--no-privileges", dump], url, f"Reading {entry.database} back")


def _fill_tenants(settings: Settings, manifest: Manifest, tool: _Tool, actor: Actor, say: Say) -> None:
    from belvedere.app import build

    by_tenant: dict[str, list[DatabaseEntry]] = {}
    for entry in manifest.databases:
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
            tool.fill(entry, own_url(services.stores.server, one.database))
            services.stores.provision(serial)
            continue
        writer = services.stores.connection_info(SYSTEM, one.id).writer
        tool.fill(entry, database_url(one.host, one.port, writer, password, one.database))
