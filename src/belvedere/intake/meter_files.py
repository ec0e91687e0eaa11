"""Who takes meter files: read by `meters/` in a child process, stored as points.

What is not here: the formats and the rows (`meters/`), and where points go (`stores/points.py`).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from belvedere.intake.meters import model as meters
from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.report import file_report
from belvedere.intake.model import Hand, Outcome, Place, Sent, Stored
from belvedere.kernel.errors import Rejected

if TYPE_CHECKING:
    from belvedere.stores.points import PointBatch, PointStore

_DEPTH: Final = 2


class MeterFiles:
    """Takes the files of meters."""

    kind: Final = "meter"
    reader: Final = "belvedere.intake.meter_files:read"

    def __init__(self, points: "PointStore", *, formats: Path | None = None) -> None:
        """Take the store of the points, and a folder of further formats."""
        self._points = points
        self._formats_folder = formats
        self.options: Mapping[str, str] = {"formats": str(formats or "")}

    def recognises(self, _name: str, head: bytes) -> bool:
        """Tell by its first bytes whether it is a meter's, also of an unknown version."""
        return _formats(self.options["formats"]).looks_like(head)

    def claims(self, name: str) -> bool:
        """Refuse what is called as a meter's file and is none."""
        return name.lower().endswith(".tsv")

    def misplaced(self, place: Place) -> str | None:
        """Say why a file cannot be taken here: campaign and device are named by its folders."""
        if place.folder.count("/") + 1 >= _DEPTH and place.folder:
            return None
        return "Invalid path structure: a meter's file lies in <campaign>/<device>/. Send it there."

    def store(self, serial: int, campaign: str, parts: Iterator[tuple[Sent, bytes]]) -> Stored:
        """Store points."""
        from belvedere.intake.meters.packing import unpack  # noqa: PLC0415 (it brings the columns with it)

        def batches() -> "Iterator[PointBatch]":
            for _, part in parts:
                yield unpack(part)

        written = self._points.write(serial, campaign, batches())
        return Stored(written.refused, written.why)

    def prepare(self, serial: int, campaign: str) -> None:
        """Make the place of the points ready."""
        self._points.prepare(serial, campaign)

    def renamed(self, serial: int, campaign: str, to: str) -> None:
        """Let the points stand under another name."""
        self._points.rename_campaign(serial, campaign, to)

    def forgotten(self, serial: int, campaign: str) -> None:
        """Take the points out of sight; they stay."""
        self._points.forget_campaign(serial, campaign, keep_data=True)


def read(place: Place, file: BinaryIO, hand: Hand, *, formats: str = "") -> Outcome:
    """Read a meter's file: the function that runs in the child process."""
    from belvedere.intake.meters.packing import pack  # noqa: PLC0415 (columns: for the child and for checks alone)
    from belvedere.intake.meters.parse import open_file  # noqa: PLC0415

    where = meters.Place(place.tenant, place.campaign, place.device)
    path = f"{place.folder}/{place.name}" if place.folder else place.name
    header = None
    try:
        reading = open_file(file, where, _formats(formats))
        header = reading.header
        for batch in reading.batches():
            hand(pack(batch))
        summary = reading.summary()
    except Rejected as refused:
        said = f"{refused.detail} {refused.hint}" if refused.hint else refused.detail
        return Outcome(error=said, code=refused.problem, report=file_report(path, where, header=header, error=said))
    return Outcome(
        points=summary.points, rows=summary.rows_stored, skipped=summary.rows_read - summary.rows_stored,
        first_at=_moment(summary.measured_start), last_at=_moment(summary.measured_end),
        report=file_report(path, where, header=header, summary=summary),
    )


@cache
def _formats(folder: str) -> Formats:
    return Formats.load(Path(folder) if folder else None)


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
