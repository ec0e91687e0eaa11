"""What a file would give, read here and stored nowhere: `belvedere intake check`, the dry run of `tsv_parser.py`."""

from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from belvedere.cli import output

_HEAD: Final = 4096
_LINES: Final = 5


def checked(file: Path, *, tenant: str = "", campaign: str = "", device: str = "", lines: int = 0) -> dict[str, Any]:
    """Read a file as the intake would, and return its report, with the first lines of what would be written.

    Tenant, campaign and device are the three folders above the file where they are not given.

    Raises:
        Rejected: it would be refused; the sentence says why.
    """
    from belvedere.intake.meters.formats import Formats
    from belvedere.intake.meters.model import Place
    from belvedere.intake.meters.parse import open_file
    from belvedere.intake.meters.report import file_report

    above = [*(one.name for one in file.resolve().parents), "", "", ""]
    place = Place(tenant or above[2], campaign or above[1], device or above[0])
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        if not Formats.load().looks_like(head) and (found := _report(file, head, stream)) is not None:
            return found
        reading = open_file(stream, place, Formats.load())
        first: list[str] = []
        for batch in reading.batches():
            if len(first) < lines:
                for piece in batch.lines(1000):
                    first += (one.decode() for one in islice(piece.splitlines(), lines - len(first)))
                    break
        return file_report(str(file), place, header=reading.header, summary=reading.summary()) | {"lines": first}


def _report(file: Path, head: bytes, stream: Any) -> dict[str, Any] | None:  # noqa: ANN401  (an open file)
    """Read a report or table, if it is one."""
    from belvedere.intake.model import Place
    from belvedere.intake.reports.recognise import kind_of
    from belvedere.intake.reports.taker import read
    from belvedere.kernel.errors import Rejected

    if kind_of(file.name, head) is None:
        return None
    outcome = read(Place("", "", file.name), stream, lambda _part: None)
    if outcome.error:
        raise Rejected(outcome.error, code="report")
    return {"file_path": str(file), "status": "success", "nb_rows": outcome.rows, "nb_points": outcome.points,
            **outcome.report}


@click.command(epilog="Example: belvedere intake check T302_251024_204336.tsv --json | jq .skipped_rows")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--tenant", default="", help="Whose it would be. Else the third folder above the file.")
@click.option("--campaign", default="", help="Its campaign. Else the second folder above.")
@click.option("--device", default="", help="Its device. Else the folder that it lies in.")
def check(file: Path, tenant: str, campaign: str, device: str) -> None:
    """Show what a file would give: header, channels, first lines, counts, what is skipped. Nothing is written.

    Ends with 2 when the file would be refused. It needs no installation.
    """
    report = checked(file, tenant=tenant, campaign=campaign, device=device, lines=_LINES)
    output.show(report, lambda: _print(report))


def _print(report: dict[str, Any]) -> None:
    from belvedere.cli.upload import print_channels

    output.facts({
        "file": report["file_path"], "format": report.get("format") or report.get("kind"),
        "rows": report["nb_rows"], "points": report["nb_points"], "from": report.get("time_start"),
        "to": report.get("time_end"), "seconds a row": report.get("usual_step_s"),
        "gaps": report.get("nb_gaps"), **(report.get("file_header_meta") or {}),
    })
    print_channels(report)
    for note in report.get("notes") or []:
        click.echo(f"note: {note}")
    if report.get("tables"):
        click.echo()
        output.table(["TABLE", "DATABASE", "ROWS"],
                     [[one["table"], one["database"], one["rows"]] for one in report["tables"]])
    if report.get("lines"):
        click.echo("\nfirst lines that would be written:")
        for line in report["lines"]:
            click.echo(f"  {line}")
