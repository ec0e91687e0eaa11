"""The parser of today, by its options: `tsv_parser.py --dataFolder DIR [--tsvFile FILE] [--dry-run]`.

Files are noted and read by the installation, as if they had come by SFTP; this waits and prints what became of each.
Where no runner works, this process does the work. A dry run reads here and writes nothing.
"""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from belvedere.cli import output
from belvedere.cli.check import checked
from belvedere.cli.local import actor, services
from belvedere.kernel.errors import BelvedereError, Later, NotFound, Rejected

if TYPE_CHECKING:
    from belvedere.app import Services
    from belvedere.intake.model import Totals, Upload

_FAILED: Final = 1
_LOOK_S: Final = 0.25
_LONGEST_S: Final = 600.0
_PATIENCE_S: Final = 60.0
_DONE: Final = ("parsed", "refused", "left", "gone")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one file."""

    path: str
    good: bool
    text: str


@click.command(epilog="Example: python tsv_parser.py --dataFolder /srv/data --tsvFile "
                      "/srv/data/acme/camp_base/02001283/T302_251024_204336.tsv",
               context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-d", "--dataFolder", "folder", required=True,
              type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of the tenants' folders: <tenant>/<campaign>/<device>/<file>.")
@click.option("-t", "--tsvFile", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="One file in it. Else all .tsv files that are not done.")
@click.option("--dry-run", is_flag=True, help="Read and count only; nothing is written or moved.")
def parse(folder: Path, file: Path | None, *, dry_run: bool) -> None:
    """Read meter files into the tenants' stores, in parallel, and print what became of each.

    Ends with 0 when every file was read, 1 when at least one was refused, 2 when the options are wrong, 75 when the
    store is away: files then wait and are read by themselves.
    """
    files = [file] if file is not None else sorted(_waiting(folder))
    if dry_run:
        lines = list(_dry(folder, files))
    else:
        with services() as built:
            lines = _read(built, folder, files)
    for line in lines:
        click.echo(f"{'OK   ' if line.good else 'ERROR'}  {line.path}  {line.text}")
    failed = sum(not line.good for line in lines)
    ending = ", nothing written" if dry_run else ""
    click.echo(f"{len(lines)} files, {len(lines) - failed} read, {failed} failed{ending}")
    if failed:
        raise click.exceptions.Exit(_FAILED)


def _waiting(folder: Path) -> Iterator[Path]:
    """Give the meter files below a folder that are not done, hidden or still being written."""
    from belvedere.intake.names import DONE, unfinished

    for above, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in DONE and not one.startswith(".")]
        yield from (Path(above, name) for name in names if name.lower().endswith(".tsv") and not unfinished(name))


def _shown(folder: Path, file: Path) -> str:
    try:
        return str(file.resolve().relative_to(folder.resolve()))
    except ValueError:
        message = f"{file} does not lie below {folder}."
        raise Rejected(message, hint="give the folder of the tenants' folders as --dataFolder") from None


def _dry(folder: Path, files: list[Path]) -> Iterator[Line]:
    """Read files here, as many at a time as there are processors."""
    def one(file: Path) -> Line:
        path = _shown(folder, file)
        try:
            report = checked(file)
        except (BelvedereError, OSError) as error:
            return Line(path, good=False, text=error.detail if isinstance(error, BelvedereError) else str(error))
        return Line(path, good=True, text=f"{report['nb_rows']} rows, {report['nb_points']} points")

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool, _bar(len(files)) as bar:
        for line in pool.map(one, files):
            bar.update(1)
            yield line


def _bar(length: int) -> Any:  # noqa: ANN401  (click's)
    return click.progressbar(length=length, label="Reading", file=sys.stderr, hidden=not sys.stderr.isatty())


def _read(built: "Services", folder: Path, files: list[Path]) -> list[Line]:
    root = built.settings.path(built.settings.data_root)
    if folder.resolve() != root.resolve():
        message = f"This installation reads files below {root}, not below {folder}."
        raise Rejected(message, hint=f"set BELVEDERE_DATA_ROOT={folder} and start it again", code="data-root")
    wanted: dict[str, dict[str, Path]] = {}
    lines: list[Line] = []
    for file in files:
        tenant, _, path = _shown(folder, file).partition("/")
        wanted.setdefault(tenant, {})[path] = file
    before = {}
    for tenant in list(wanted):
        try:
            found = built.tenants.get(actor(), tenant)
        except NotFound:
            said = "No tenant has this folder."
            lines += [Line(f"{tenant}/{path}", good=False, text=said) for path in wanted.pop(tenant)]
            continue
        before[found.serial] = built.uploads.totals(actor(), tenant=found.serial)
    _note(built, wanted)
    number = sum(map(len, wanted.values()))
    began = _now()
    with _bar(number) as bar:
        _wait(built, before, number, bar)
    for tenant, paths in wanted.items():
        lines += _results(built, built.tenants.get(actor(), tenant).serial, tenant, set(paths), began)
    return lines


def _now() -> Any:  # noqa: ANN401  (a datetime)
    from belvedere.kernel.clock import utc_now

    return utc_now()


def _note(built: "Services", wanted: dict[str, dict[str, Path]]) -> None:
    from belvedere.intake.model import Happening, Notice, Via

    notices = [
        Notice(tenant, path, Happening.CLOSED, Via.COMMAND) for tenant, paths in wanted.items() for path in paths
    ]
    for at in range(0, len(notices), 1000):
        built.intake.notice_all(notices[at : at + 1000])


def _wait(built: "Services", before: "dict[int, Totals]", number: int, bar: Any) -> None:  # noqa: ANN401  (click's)
    """Wait until as many files are done as were noted, or only wait for their store."""
    done, moved_at = 0, time.monotonic()
    while done < number:
        if not built.queue.overview(actor()).runners:
            for serial in before:
                built.intake.take(str(serial))
        now, open_ones, waiting = 0, 0, 0
        for serial, old in before.items():
            totals = built.uploads.totals(actor(), tenant=serial)
            now += sum(totals.by_state.get(one, 0) - old.by_state.get(one, 0) for one in _DONE)  # type: ignore[call-overload]
            waiting += totals.by_state.get("waiting", 0)  # type: ignore[call-overload]
            open_ones += sum(totals.by_state.get(one, 0) for one in ("received", "reading", "stored"))  # type: ignore[call-overload]
        if now != done:
            bar.update(now - done)
            done, moved_at = now, time.monotonic()
        elif waiting and not open_ones and time.monotonic() - moved_at > _PATIENCE_S:
            found = [built.uploads.list(actor(), tenant=one, state="waiting", limit=1).items for one in before]
            why = next((one.error for some in found for one in some if one.error), "Their store is away.")
            message = f"{waiting} files wait. {why} They are read by themselves."
            raise Later(message, hint="belvedere uploads --state waiting")
        elif time.monotonic() - moved_at > _LONGEST_S:
            message = "No file was done for ten minutes. They are noted and will be read."
            raise Later(message, hint="belvedere jobs list")
        else:
            time.sleep(_LOOK_S)


def _results(built: "Services", serial: int, tenant: str, paths: set[str], began: Any) -> Iterator[Line]:  # noqa: ANN401  (a datetime)
    """Say what became of files, by the newest upload of each place."""
    after = None
    while paths:
        page = built.uploads.list(actor(), tenant=serial, after=after, limit=200)
        for one in page.items:
            if one.path in paths and (one.ended_at is None or one.ended_at >= began or str(one.state) == "left"):
                paths.discard(one.path)
                yield _line(tenant, one)
        after = page.next
        if after is None:
            return


def _line(tenant: str, one: "Upload") -> Line:
    good = str(one.state) == "parsed"
    text = f"{one.rows} rows, {one.points} points, {one.skipped} skipped" if good else one.error or str(one.state)
    return Line(f"{tenant}/{one.path}", good=good, text=text)


def main() -> None:
    """Run it, and end the process as `belvedere` does."""
    try:
        sys.exit(parse.main(standalone_mode=False))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BelvedereError as error:
        output.print_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
