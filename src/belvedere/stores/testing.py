"""The twin of a point store: everything in memory. For tests alone; it passes the contract of the real ones."""

from collections.abc import Iterable
from typing import Final

from belvedere.kernel.errors import NotFound
from belvedere.stores.points import CAMPAIGN, PointBatch, PointChannel, Written

Series = tuple[str, str, tuple[tuple[str, str], ...]]
"""Measurement, field, tags."""


class TwinPoints:
    """Points by tenant, campaign, series and time. Set `trouble` to have the next calls raise it."""

    kind: Final = "twin"

    def __init__(self) -> None:
        """Start empty."""
        self.points: dict[tuple[int, str], dict[Series, dict[int, float]]] = {}
        self.kept: dict[tuple[int, str], dict[Series, dict[int, float]]] = {}
        self.about: list[bytes] = []
        self.trouble: Exception | None = None

    def prepare(self, serial: int, campaign: str) -> None:
        """Open a campaign, with what was kept of it."""
        self._fail()
        place = (serial, campaign)
        self.points.setdefault(place, self.kept.pop(place, {}))

    def write(self, serial: int, campaign: str, batches: Iterable[PointBatch]) -> Written:
        """Write points; the later value of a place wins."""
        self._fail()
        if (serial, campaign) not in self.points:
            message = "This campaign has no place for points."
            raise NotFound(message)
        there, count = self.points[serial, campaign], 0
        for batch in batches:
            times = batch.frame.get_column("time").to_list()
            for channel, column in zip(batch.channels, batch.frame.columns[1:], strict=True):
                values = batch.frame.get_column(column).to_list()
                one = there.setdefault(_series(batch.measurement, channel), {})
                for moment, value in zip(times, values, strict=True):
                    if value is not None:
                        one[moment] = value
                        count += 1
        return Written(count)

    def meta(self, lines: bytes) -> None:
        """Keep what was said about the reading of files."""
        self._fail()
        self.about.append(lines)

    def rename_campaign(self, serial: int, campaign: str, to: str) -> None:
        """Call a campaign by another name."""
        self._fail()
        if (serial, campaign) in self.points:
            self.points[serial, to] = self.points.pop((serial, campaign))

    def forget_campaign(self, serial: int, campaign: str, *, keep_data: bool = True) -> None:
        """Take a campaign out of sight."""
        self._fail()
        found = self.points.pop((serial, campaign), None)
        if found is not None and keep_data:
            self.kept[serial, campaign] = found
        if not keep_data:
            self.kept.pop((serial, campaign), None)

    def remove_tenant(self, serial: int, *, keep_data: bool) -> None:
        """Take a tenant's points away, or out of sight."""
        for place in [one for one in {**self.points, **self.kept} if one[0] == serial]:
            self.forget_campaign(*place, keep_data=keep_data)

    def seen(self, serial: int, campaign: str) -> dict[tuple[str, int], float]:
        """Return what a reader sees, by field and time."""
        there = self.points.get((serial, campaign), {})
        return {(one[1], moment): value for one, values in there.items() for moment, value in values.items()}

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def _series(measurement: str, channel: PointChannel) -> Series:
    return measurement, channel.field, tuple(sorted((k, v) for k, v in channel.tags.items() if k != CAMPAIGN))
