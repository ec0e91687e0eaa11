"""Where a batch's columns go, and what a campaign's view shows. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from belvedere.stores.points import CAMPAIGN, PointBatch
from belvedere.stores.series.model import ENERGY, GAP, OTHER, QUANTITIES, Channel, Quantity, Series

_LONGEST: Final = 63
"""Bytes of a name in PostgreSQL."""

COMMON: Final = (
    "time", "device", "device_type", "device_subtype", "meter", "channel", "channel_id", "channel_label",
    "channel_name", "unit", "value",
)
"""The columns that every campaign's view has, in their order."""


def series_of(batch: PointBatch) -> list[Series]:
    """Name the series of a batch's columns."""
    return [
        Series(batch.measurement, one.field, tuple(sorted((k, v) for k, v in one.tags.items() if k != CAMPAIGN)))
        for one in batch.channels
    ]


def view_name(campaign: str) -> str:
    """Return the name of a campaign's view: its own, shortened with a check sum where PostgreSQL would cut it."""
    plain = campaign.replace("\0", "")
    if len(plain.encode("utf-8", "surrogatepass")) <= _LONGEST:
        return plain
    mark = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = plain.encode("utf-8", "surrogatepass")[: _LONGEST - len(mark) - 1]
    return f"{kept.decode('utf-8', 'ignore')}~{mark}"


def facts(series: Series) -> dict[str, str]:
    """Return what the view says of a series, by column; what no tag tells is empty."""
    tags: Mapping[str, str] = dict(series.tags)
    meter = tags.get("device_master_sn", "")
    device = tags.get("device_sn", "") or meter or tags.get("device", "")
    label = tags.get("channel_label", "") or tags.get("channel_id", "") or series.field
    return {
        "device": device, "device_type": tags.get("device_type", ""),
        "device_subtype": tags.get("device_subtype", ""), "meter": meter or device,
        "channel": f"{device} {label}".strip(), "channel_id": tags.get("channel_id", "") or series.field,
        "channel_label": label, "channel_name": tags.get("channel_name", ""), "unit": tags.get("channel_unit", ""),
    }


def quantity(series: Series) -> Quantity:
    """Tell the column that a series has of its own in the view."""
    return QUANTITIES.get(dict(series.tags).get("channel_unit", ""), Quantity(OTHER, 1))


def extras(there: Sequence[str], channels: Iterable[Channel], *, gaps: bool) -> tuple[str, ...]:
    """Return the columns beside the common ones: those there are keep their place, new ones come behind."""
    wanted: dict[str, None] = dict.fromkeys(there)
    for channel in sorted(channels, key=lambda one: one.id):
        column = quantity(channel.series).column
        wanted.setdefault(column)
        if column == "power_w":
            wanted.setdefault(ENERGY)
    if gaps:
        wanted.setdefault(GAP)
    return tuple(wanted)
