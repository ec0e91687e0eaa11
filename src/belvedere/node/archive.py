"""The form of a backup: one tar file with a manifest, the control database, folders, tenants' databases.

    manifest.json          which program wrote it, and when
    control.dump           the control database, as `pg_dump --format=custom` writes it
    files/NAME/...         history, pictures, reports, events of the command hook, tenants' folders (`data`)
    host-keys.sealed       the SFTP server's own keys, sealed as credentials are
    databases/NUMBER.dump  one tenant's database each, dumped with that tenant's rights
    contents.json          what is in it, written when all of it was there

Folders come after the control database, so that every row of it finds its file, and tenants' databases after the
folders, so that of every file that lies in `parsed/` the values are there.

Keys are apart, in a file of their own: whoever has only the backup can open no credential. What is not here: making one
(`backup.py`), and making an installation from one (`restore.py`).
"""

import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from psycopg.conninfo import conninfo_to_dict

from belvedere.kernel.errors import Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node.binaries import find
from belvedere.stores.model import Server

FORMAT: Final = 2
"""1 had tenants' databases first, all of the contents in the manifest, and neither tenants' folders nor host keys."""

MANIFEST: Final = "manifest.json"
CONTENTS: Final = "contents.json"
CONTROL: Final = "control.dump"
HOST_KEYS: Final = "host-keys.sealed"
DATA: Final = "data"
"""The folder of tenants' folders, as it is called in the archive."""

KNOWN_BY: Final = "BELVEDERE.file"
"""Name of the extended header that keeps device and number of a file in its old file system."""

CHANGED: Final = "BELVEDERE.changed"
"""Name of the one that keeps when it was changed or moved last, in nanoseconds, by the old file system's clock."""

KEYS: Final = ("master",)
"""Files of `keys/` that open credentials. Passwords of this home's own server belong to the home, not to a backup."""

Say = Callable[[str], None]


class DatabaseEntry(msgspec.Struct, frozen=True):
    """One tenant's database in the archive."""

    file: str
    tenant: str
    store_id: str
    database: str


class Packed(msgspec.Struct):
    """What of one folder is in an archive.

    `writing` counts files that somebody was writing, `odd` links, pipes and devices; `unread` has files that could not
    be read, with the reason.
    """

    files: int = 0
    bytes: int = 0
    writing: int = 0
    odd: int = 0
    unread: dict[str, str] = {}


class Contents(msgspec.Struct, frozen=True):
    """What an archive holds, as it is known at its end. `missing` has databases that could not be dumped, and why."""

    databases: list[DatabaseEntry]
    missing: dict[str, str] = {}
    folders: dict[str, Packed] = {}


class Manifest(msgspec.Struct, frozen=True):
    """What stands at the head of an archive; of a first form also what it holds.

    `began_ns` is when the control database began to be dumped: what moved since is ahead of its row.
    """

    format: int
    version: str
    made_at: str
    steps: list[int]
    member_role: str
    folders: list[str]
    databases: list[DatabaseEntry] = []
    missing: dict[str, str] = {}
    began_ns: int = 0


class Archive(tarfile.TarFile):
    """A tar file that does not hold what it went over: it may have millions of members."""

    members: list[tarfile.TarInfo]

    def forget(self) -> None:
        """Forget what it went over."""
        self.members.clear()

    def cut_at(self, offset: int) -> None:
        """Take back what was written from an offset on. It must be written to a plain file."""
        assert self.fileobj is not None  # noqa: S101  (it is open)
        self.fileobj.seek(offset)
        self.fileobj.truncate()  # type: ignore[attr-defined]
        self.offset = offset


def folders_of(settings: Settings) -> dict[str, Path]:
    """Return the folders that go into a backup, by their names in it."""
    return {
        "history": settings.path("history"), "pictures": settings.path(settings.capture_dir),
        "reports": settings.path(settings.tsv_report_dir), "hook-events": settings.path(settings.hook_dir) / "spool",
        DATA: settings.path(settings.data_root),
    }


def read_manifest(path: Path) -> Manifest:
    """Read what an archive holds.

    Raises:
        Rejected: it is no backup, or a newer program wrote it.
    """
    try:
        with tarfile.open(path) as archive:
            # It stands first; looking for it by its name would go over the whole file.
            first = archive.next()
            member = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
            manifest = msgspec.json.decode(member.read() if member else b"", type=Manifest)
    except FileNotFoundError:
        message = f"There is no file {path}."
        raise Rejected(message, code="no-backup") from None
    except (tarfile.TarError, KeyError, msgspec.DecodeError) as error:
        message = f"The file {path} is no backup of Belvedere, or it is damaged."
        hint = "check where it came from; belvedere backup writes one"
        raise Rejected(message, hint=hint, code="no-backup") from error
    if manifest.format > FORMAT:
        message = f"The backup was written by a newer Belvedere, {manifest.version}."
        raise Rejected(message, hint="restore it with that version", code="newer-backup")
    return manifest


def program(name: str, chosen: str, server_version: int) -> Path:
    """Find `pg_dump` or `pg_restore` that understands a server of this version (as libpq writes it: 150004).

    Raises:
        Stuck: the newest that is here is older than the server.
    """
    found = find(chosen, Path(os.devnull))
    if found.major < server_version // 10_000 or not found.program(name).exists():
        major = server_version // 10_000
        message = f"The server is PostgreSQL {major}, and this machine has no {name} of that version."
        raise Stuck(message, hint=f"apt-get install postgresql-client-{major}, and name its folder with "
                    "BELVEDERE_POSTGRES_BIN", code="no-postgresql")
    return found.program(name)


def run(argv: Sequence[str | Path], url: Secret, what: str) -> None:
    """Run a PostgreSQL client program on a database; the password goes by the environment, which only we can read.

    Raises:
        Stuck: it failed; its last words are in the message.
    """
    parts = urlsplit(url.reveal())
    login, _, password = parts.netloc.rpartition("@")[0].partition(":")
    where = parts.netloc.rpartition("@")[2]
    plain = f"postgresql://{login}@{where}{parts.path}" if login else f"postgresql://{where}{parts.path}"
    done = subprocess.run(
        [*map(str, argv), f"--dbname={plain}", "--no-password"], capture_output=True, text=True, check=False, cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "PGPASSWORD": unquote(password)},
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        message = f"{what} failed. {next((line for line in lines if 'error' in line), '') or (lines or [''])[-1]}"
        raise Stuck(message, code="backup")


def database_url(host: str, port: int, login: str, password: Secret, database: str) -> Secret:
    """Put a URL together from what a store tells."""
    place = f"[{host}]" if ":" in host else host
    word = quote(password.reveal(), safe="")
    return Secret(f"postgresql://{quote(login, safe='')}:{word}@{place}:{port}/{quote(database, safe='')}")


def own_url(server: Server, database: str) -> Secret:
    """Return where Belvedere's own login finds a database of a tenants' server."""
    parts = conninfo_to_dict(server.url.reveal())
    host = str(parts.get("host") or "").partition(",")[0]
    port = str(parts.get("port") or server.port).partition(",")[0]
    # A socket's folder has no place in a URL.
    return database_url(
        server.host if not host or host.startswith("/") else host, int(port), str(parts.get("user") or ""),
        Secret(str(parts.get("password") or "")), database,
    )


@contextmanager
def writing(path: Path) -> Iterator[Archive]:
    """Write an archive that only its owner reads: whole under its name, or not at all."""
    fresh = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with Archive.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
