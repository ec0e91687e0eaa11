"""What a campaign looks like to the dashboards room: the columns of PostgreSQL's view of the same points. Pure.

What stands in them is written by `dashboards/points/` in InfluxDB's languages.
"""

from typing import Final

from belvedere.stores.model import Column

_TEXTS: Final = (
    "device", "device_type", "device_subtype", "meter", "channel", "channel_id", "channel_label", "channel_name",
    "unit",
)
_NUMBERS: Final = ("value", "power_w", "energy_kwh", "voltage_v", "current_a", "gap_s")

COLUMNS: Final = (
    Column("time", "timestamp with time zone", nullable=False),
    *(Column(name, "text") for name in _TEXTS),
    *(Column(name, "double precision") for name in _NUMBERS),
)
