"""Reading a file whole: its points and its summary."""

from collections.abc import Callable
from io import BytesIO

import pytest

import meter_files
from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.model import Header, Place, Summary
from belvedere.intake.meters.parse import open_file

FORMATS = Formats.load()
PLACE = Place("acme", "roof", "02001171")


class Whole:
    """A file that was read to its end."""

    def __init__(self, data: bytes, place: Place = PLACE, formats: Formats = FORMATS, *, block: int = 1 << 22) -> None:
        reading = open_file(BytesIO(data), place, formats, block=block)
        self.header: Header = reading.header
        self.batches = list(reading.batches())
        self.lines = b"".join(piece for batch in self.batches for piece in batch.lines())
        self.points = meter_files.points_of_lines(self.lines)
        self.summary: Summary = reading.summary()

    def values(self, channel: int = 0) -> list[float]:
        """Return the values of a channel as they are written, in the order of the lines."""
        field = self.header.channels[channel].field
        return [value for (key, _), value in self.points.items() if key.endswith(f" {field}")]

    def skipped(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Return what was skipped: how often, and in which lines first."""
        summary = self.summary
        every = (*summary.rows_skipped, *summary.values_skipped, *filter(None, [summary.extra_cells]))
        return {str(one.reason): (one.total, one.first_lines) for one in every}


@pytest.fixture
def whole() -> Callable[..., Whole]:
    """Read a file whole."""
    return Whole


@pytest.fixture
def by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read even a few rows by columns."""
    monkeypatch.setattr("belvedere.intake.meters.parse.FEW", 1)
