"""The form of a backup: one tar file with a manifest, the control database, tenants' databases, history and pictures.

    manifest.json          what is in it, and which program wrote it
    control.dump           the control database, as `pg_dump --format=custom` writes it
    databases/NUMBER.dump  one tenant's database each, dumped with that tenant's rights
    files/...              folders of the home: history, pictures

Keys are apart, in a file of their own: whoever has only the backup can open no credential. What is not here: making one
(`backup.py`), and making an installation from one (`restore.py`).
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from psycopg.conninfo import conninfo_to_dict

from belvedere.kernel.errors import Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.node.binaries import find
from belvedere.stores.model import Server

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CONTROL: Final = "control.dump"
KEYS: Final = ("master",)
"""Files of `keys/` that open credentials. Passwords of this home's own server belong to the home, not to a backup."""


class DatabaseEntry(msgspec.Struct, frozen=True):
    """One tenant's database in the archive."""

    file: str
    tenant: str
    store_id: str
    database: str


class Manifest(msgspec.Struct, frozen=True):
    """What an archive holds."""

    format: int
    version: str
    made_at: str
    steps: list[int]
    member_role: str
    folders: list[str]
    databases: list[DatabaseEntry]
    missing: dict[str, str] = {}


def read_manifest(path: Path) -> Manifest:
    """Read what an archive holds.

    Raises:
        Rejected: it is no backup, or a newer program wrote it.
    """
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile(MANIFEST)
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


def unpack(path: Path, target: Path) -> None:
    """Unpack the plain files and folders of an archive below a folder; anything that leads elsewhere is refused.

    Raises:
        Rejected: a member has a name or a kind that no backup of ours has.
    """
    with tarfile.open(path) as archive:
        for member in archive:
            place = target / member.name
            if not (member.isfile() or member.isdir()) or target not in (place.parents) or ".." in place.parts:
                message = f"The file {path} holds {member.name}, which no backup of Belvedere does."
                raise Rejected(message, code="no-backup")
            if member.isdir():
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = archive.extractfile(member)
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if content is not None:
                    shutil.copyfileobj(content, file)


@contextmanager
def writing(path: Path) -> Iterator[tarfile.TarFile]:
    """Write an archive that only its owner reads: whole under its name, or not at all."""
    fresh = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
