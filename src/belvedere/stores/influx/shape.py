"""What a campaign looks like to the dashboards room: the columns of PostgreSQL's view of the same points. Pure.

What stands in them is written by `dashboards/points/` in InfluxDB's languages.
"""

from collections.abc import Iterable
from typing import Final

from belvedere.stores.model import Column
from belvedere.stores.series.model import ENERGY, GAP, OTHER, QUANTITIES

_TEXTS: Final = (
    "device", "device_type", "device_subtype", "meter", "channel", "channel_id", "channel_label", "channel_name",
    "unit",
)
_POWER: Final = "power_w"


def columns_of(quantities: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of a campaign that has these quantities."""
    there = sorted(quantities)
    numbers = ["value", *there, *([ENERGY] if _POWER in there else []), *([GAP] if there else [])]
    return (
        Column("time", "timestamp with time zone", nullable=False), *(Column(name, "text") for name in _TEXTS),
        *(Column(name, "double precision") for name in numbers),
    )


def quantities_of(units: Iterable[str]) -> set[str]:
    """Return the columns that values of these units have."""
    return {QUANTITIES[unit].column if unit in QUANTITIES else OTHER for unit in units}
