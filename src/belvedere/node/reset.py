"""`belvedere reset`: what a home holds, and its end. Databases on a server that is not ours stay, and are named."""

import shutil
from pathlib import Path

from belvedere.kernel.control import EMBEDDED, source
from belvedere.kernel.errors import Rejected
from belvedere.kernel.settings import Settings
from belvedere.node.home import OURS


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
    lines = [f"{home}: history, keys, pictures, reports, logs"]
    data = settings.path(settings.data_root)
    if data.is_dir() and any(data.iterdir()):
        inside = data.is_relative_to(home)
        lines.append(f"{data}: files of tenants" if inside else f"(files of tenants stay in {data}; delete them there)")
    outside = _outside(home)
    if source(settings) == EMBEDDED:
        lines.append(f"{outside or home / 'postgres'}: the embedded PostgreSQL with every tenant's databases")
    else:
        lines.append(f"(the databases on {source(settings)} stay; drop them there)")
    return lines


def erase(settings: Settings) -> list[str]:
    """Delete the home and, where it stands outside, the embedded server's folder.

    Returns:
        What stays in the folder, because Belvedere did not put it there; empty when the folder is gone too.
    """
    home = settings.home_path
    outside = _outside(home)
    if outside is not None:
        shutil.rmtree(outside)
    for name in _own_names(settings):
        one = home / name
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
    left = sorted(one.name for one in home.iterdir())
    if not left:
        home.rmdir()
    return left


def erase_below(folder: Path) -> None:
    """Delete all that is in a folder, which stays, and a disk's `lost+found`; links are removed, never followed."""
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name == "lost+found":
            continue
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)


def _own_names(settings: Settings) -> list[str]:
    """Return what is ours at the top of the home; `home.json` last, so that a reset which broke off can go on."""
    home = settings.home_path
    inside = {
        place.relative_to(home).parts[0]
        for place in (
            settings.path(settings.capture_dir), settings.path(settings.log_file or "logs"),
            settings.path(settings.data_root), settings.path(settings.tsv_report_dir), settings.path(settings.hook_dir),
        )
        if place.is_relative_to(home) and place != home and ".." not in place.parts
    }
    scratch = {one.name for one in home.glob(".restore-*")}
    return [*sorted({*OURS, *inside, *scratch} - {"home.json"}), "home.json"]


def _outside(home: Path) -> Path | None:
    link = home / "postgres"
    if not link.is_symlink():
        return None
    target = link.resolve()
    note = target / "home"
    return target if note.exists() and note.read_text() == str(home) else None
