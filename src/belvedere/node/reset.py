"""`belvedere reset`: what a home holds, and its end. Databases on a server that is not ours stay, and are named."""

import shutil
from pathlib import Path

from belvedere.kernel.control import EMBEDDED, source
from belvedere.kernel.errors import Rejected
from belvedere.kernel.settings import Settings


def holds(settings: Settings) -> list[str]:
    """Return what would be deleted, a line each; empty when there is no home.

    Raises:
        Rejected: the folder is not a home of ours.
    """
    home = settings.home_path
    if not home.exists():
        return []
    if not (home / "home.json").exists():
        message = f"The folder {home} is no home of Belvedere."
        raise Rejected(message, hint="name the right one with BELVEDERE_HOME", code="home")
    lines = [f"{home}: history, keys, pictures, logs"]
    outside = _outside(home)
    if source(settings) == EMBEDDED:
        lines.append(f"{outside or home / 'postgres'}: the embedded PostgreSQL with every tenant's databases")
    else:
        lines.append(f"(the databases on {source(settings)} stay; drop them there)")
    return lines


def erase(settings: Settings) -> None:
    """Delete the home and, where it stands outside, the embedded server's folder."""
    home = settings.home_path
    outside = _outside(home)
    if outside is not None:
        shutil.rmtree(outside)
    shutil.rmtree(home)


def _outside(home: Path) -> Path | None:
    link = home / "postgres"
    if not link.is_symlink():
        return None
    target = link.resolve()
    note = target / "home"
    return target if note.exists() and note.read_text() == str(home) else None
