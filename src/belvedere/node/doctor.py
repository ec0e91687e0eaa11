"""`belvedere doctor`: what this machine and this home lack, each with the next step."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from belvedere.kernel.control import EMBEDDED, source
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.misspelt import misspelt
from belvedere.kernel.running import running
from belvedere.kernel.settings import Settings
from belvedere.node.finding import Finding

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LEAST_FREE_BYTES: Final = 1_000_000_000
_SNAP_STUB_BYTES: Final = 20_000


def examine(settings: Settings) -> list[Finding]:
    """Check everything; a check that fails says so and stops no other."""
    answers = _asked(settings)
    checks = (
        _python, _names, _home, _disk, _server, _isolation, _measured, _timescale, _files, _browser, _port, _doors)
    return [*(finding for check in checks for finding in check(settings)), *answers()]


def _asked(settings: Settings) -> Callable[[], list[Finding]]:
    """Begin to ask the servers that the settings name; each brings much code along."""
    if not (settings.grafana_url or settings.influxdb_host or settings.sftpgo_url or settings.points == "influxdb"):
        return list
    from belvedere.node.neighbours import neighbours

    return neighbours(settings)


def browser(chosen: str = "") -> Path | None:
    """Return the Chromium that can capture previews: the chosen one, else one on the path that is no snap stub."""
    for name in (chosen,) if chosen else BROWSERS:
        found = shutil.which(name)
        if found and not _is_snap_stub(Path(found)):
            return Path(found)
    return None


def _is_snap_stub(path: Path) -> bool:
    """Tell Ubuntu's chromium-browser, a script that sends the reader to snap, from a browser."""
    try:
        return path.stat().st_size < _SNAP_STUB_BYTES and b"snap install" in path.read_bytes()
    except OSError:
        return False


def _python(_settings: Settings) -> Iterator[Finding]:
    yield Finding("python", "ready", sys.version.split()[0])


def _names(_settings: Settings) -> Iterator[Finding]:
    for sentence in misspelt():
        yield Finding("settings", "partial", sentence)


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home_path
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if os.access(place, os.W_OK | os.X_OK):
        yield Finding("home", "ready", str(home) if home.exists() else f"{home} (made at first start)")
    else:
        yield Finding("home", "needs you", f"{place} cannot be written by {_user()}",
                      "choose another folder with BELVEDERE_HOME")


def _disk(settings: Settings) -> Iterator[Finding]:
    place = next(folder for folder in (settings.home_path, *settings.home_path.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    enough = free >= _LEAST_FREE_BYTES
    yield Finding("disk", "ready" if enough else "needs you", f"{free / 1e9:.1f} GB free",
                  "" if enough else f"free some space on the disk of {place}")


def _server(settings: Settings) -> Iterator[Finding]:
    if source(settings) != EMBEDDED:
        yield from _tried("postgresql", lambda: f"server {source(settings)}")
        return
    from belvedere.node.binaries import find

    def programs() -> str:
        found = find(settings.postgres_binaries, settings.home_path / "postgres" / "data")
        return f"PostgreSQL {found.major}, {found.folder}"

    yield from _tried("postgresql", programs)


def _isolation(settings: Settings) -> Iterator[Finding]:
    """Say what stays open between tenants; a server that is away, or not made yet, has nothing to say."""
    from belvedere.kernel.control import control_url
    from belvedere.stores.postgres import open_facts
    from belvedere.stores.wire import server_of

    try:
        facts = open_facts(server_of(settings, control_url(settings)))
    except BelvedereError:
        return
    if not facts:
        yield Finding("isolation", "ready", "tenants' databases are closed to each other")
    for fact in facts:
        hint = "belvedere init-db with a superuser's URL; docs/explanation/isolation.md says why"
        yield Finding("isolation", "partial", fact, hint)


def _measured(settings: Settings) -> Iterator[Finding]:
    """Say where measured values stand on PostgreSQL; nothing while there are none."""
    import psycopg

    from belvedere.kernel.control import control_url
    from belvedere.stores.series.service import standing
    from belvedere.stores.wire import server_of

    try:
        control = control_url(settings)
        found, missing = standing(control, server_of(settings, control))
    except (BelvedereError, psycopg.Error):
        return
    if found:
        size = sum(found.values()) / 1e6
        yield Finding("measured values", "ready", f"PostgreSQL, databases of {len(found)} tenants, {size:,.0f} MB")
    for name in missing:
        yield Finding("measured values", "needs you", f"the database {name} is gone",
                      "restore it from a backup; provisioning makes an empty one")


def _timescale(settings: Settings) -> Iterator[Finding]:
    """Say what TimescaleDB on the tenants' server is used for; nothing where there is none."""
    from belvedere.kernel.control import control_url
    from belvedere.stores.timescale.service import look
    from belvedere.stores.wire import server_of

    try:
        there = look(server_of(settings, control_url(settings)), settings.series_timescale)
    except BelvedereError:
        return
    if there is not None:
        yield Finding("timescaledb", there.state, there.found, there.hint)


def _files(settings: Settings) -> Iterator[Finding]:
    """Say whether tenants' folders can be used, and which belong to no tenant; nothing where no server answers."""
    import psycopg

    from belvedere.intake.notices.store import strangers
    from belvedere.kernel.control import control_url

    root = settings.path(settings.data_root)
    if not settings.intake:
        yield Finding("files in", "ready", "switched off")
        return
    if root.exists() and not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("files in", "needs you", f"{root} cannot be used by {_user()}", "chown it, or set "
                      "BELVEDERE_DATA_ROOT to another folder")
        return
    try:
        found = strangers(control_url(settings))
    except (BelvedereError, psycopg.Error):
        return
    yield Finding("files in", "ready", str(root))
    for path, error in found:
        yield Finding("files in", "partial", f"{root / path}: {error}", f"belvedere tenant create {path}")


def _browser(settings: Settings) -> Iterator[Finding]:
    if not settings.capture_enabled:
        yield Finding("browser", "ready", "not needed: previews are switched off")
        return
    found = browser(settings.browser)
    if found is not None:
        yield Finding("browser", "ready", str(found))
        return
    yield Finding("browser", "partial", "no Chromium: everything works but previews",
                  "apt-get install chromium (Debian), or name a Chromium or Chrome with BELVEDERE_BROWSER")


def _port(settings: Settings) -> Iterator[Finding]:
    from belvedere.node.ports import Door

    if running(settings) is not None:
        yield Finding("port", "ready", f"{settings.url} is served by this home")
        return

    def free() -> str:
        Door(settings.host, settings.port).must_be_free()
        return f"{settings.host}:{settings.port} is free"

    yield from _tried("port", free)


def _doors(settings: Settings) -> Iterator[Finding]:
    """Say of each door that the installation can do without whether it is open, or could be."""
    from belvedere.node.ports import gateway_door, sftp_door

    found = running(settings)
    for name, door, wanted in (
        ("sftp", sftp_door(settings), settings.sftp), ("gateway", gateway_door(settings), settings.gateway),
    ):
        refusal = door.refusal() if wanted and found is None else None
        if refusal is not None:
            yield Finding(name, "partial", f"could not listen. {refusal.detail} The rest would start",
                          refusal.hint or "")
        elif wanted and found is None:
            yield Finding(name, "ready", f"{door.host}:{door.port} is free")
    for part in found.parts if found else ():
        if part.state in {"running", "done", "starting"}:
            yield Finding(part.name, "ready", part.state)
        else:
            yield Finding(part.name, "needs you", part.note or part.state, part.hint)


def _tried(name: str, check: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield Finding(name, "ready", check())
    except BelvedereError as error:
        yield Finding(name, "needs you", error.detail, error.hint or "")


def _user() -> str:
    return f"uid {os.geteuid()}"
