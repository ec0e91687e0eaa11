"""Where a campaign's values stand in an InfluxDB: roles of the model as tags, quantities as units. Pure.

Each channel is a series of its own, with one field; its tags say what PostgreSQL's view has in columns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from belvedere.workspaces.model import Measure, Model, Panel, Query

TAGS: Final = {
    "device": "device_sn", "kind": "device_type", "meter": "device_master_sn", "channel": "channel_id",
    "channel_id": "channel_id", "name": "channel_name", "unit": "channel_unit",
}
"""The tag that plays a role. A channel is chosen by its id, and shown as device and label."""

UNITS: Final[dict[str, dict[str, float]]] = {
    "power": {"W": 1.0, "kW": 1e3, "mW": 1e-3, "MW": 1e6},
    "voltage": {"V": 1.0, "kV": 1e3, "mV": 1e-3},
    "current": {"A": 1.0, "mA": 1e-3, "kA": 1e3},
    "frequency": {"Hz": 1.0},
    "temperature": {"°C": 1.0, "degC": 1.0},
    "reading": {"kWh": 1.0, "Wh": 1e-3},
}
"""The units of a quantity as files write them, with what their values are multiplied by."""

ENERGY: Final = "energy"
GAP: Final = "gap"
OTHER: Final = "other"
UNITS[ENERGY] = UNITS["power"]

KNOWN_UNITS: Final = tuple(unit for role, units in UNITS.items() if role != ENERGY for unit in units)
"""What is none of these is another quantity."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_ \-]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a campaign's points are: its bucket, and the values of its tag."""

    bucket: str
    tags: Sequence[str]


def panels_of(model: Model) -> list[Panel]:
    """Return a model's panels in order."""
    return [panel for row in model.rows for panel in row.panels]


def first_of(query: Query) -> Measure | None:
    """Return the figure that a panel is about."""
    return query.measures[0] if query.measures else None


def quoted(text: str) -> str:
    """Write a text for Flux, or a pattern of just it: whatever Grafana or Flux would read in it stands as a code."""
    return "".join(sign if _PLAIN.fullmatch(sign) else f"\\x{ord(sign):02x}" for sign in text)
