"""What stands in a tenant's series database: campaigns, sources, channels. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SCHEMA: Final = "belvedere"
"""Where the tables stand. Tenants see the views in `public` alone."""

MOST_COLUMNS: Final = 500
"""Channels of one source's table; PostgreSQL ends at 1,600 columns, and a row has to fit into one page."""


CHUNKS: Final = "_timescaledb_internal"
"""Where TimescaleDB keeps the chunks of all hypertables."""

DUMPED: Final = (SCHEMA, "public", CHUNKS)
"""The schemas that a dump of a series database holds: tables, views, and chunks as the plain tables that they are."""

CHUNK: Final = "180 days"
"""What one chunk of a hypertable covers: a row a second of six channels is 1.6 GB, one in ten seconds a tenth. A year
has two or three, a lost clock adds one, and the whole range of times that are taken has no more than 610. A view has a
branch for each channel, and planning looks at each branch's chunks: that is why they are few."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a tenant's values are kept: tables, those of them in chunks, all chunks, and TimescaleDB's version there."""

    tables: int
    chunked: int
    chunks: int
    version: str | None

    @property
    def text(self) -> str:
        """For people."""
        tables = f"{self.tables} table{'s' if self.tables != 1 else ''}"
        if not self.chunked:
            return f"PostgreSQL, {tables}"
        plain = f", {self.tables - self.chunked} of them plain" if self.tables > self.chunked else ""
        return f"TimescaleDB {self.version}, {tables}{plain}, {self.chunks} chunk{'s' if self.chunks != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Series:
    """What names one series within a campaign: measurement, field and tags, those of the campaign left out."""

    measurement: str
    field: str
    tags: tuple[tuple[str, str], ...]

    @property
    def meter(self) -> str:
        """The serial number of the device whose clock stamps its rows; empty where no tag tells it."""
        return dict(self.tags).get("device_master_sn", "")


@dataclass(frozen=True, slots=True)
class Channel:
    """One series and where its values stand: a column of its source's table."""

    id: int
    source: int
    series: Series

    @property
    def column(self) -> str:
        """The column of its values."""
        return f"c_{self.id}"


@dataclass(frozen=True, slots=True)
class Source:
    """What stamps rows with one clock: a meter with what hangs on it. One table, one row for each time."""

    id: int
    measurement: str
    meter: str
    channels: int

    @property
    def table(self) -> str:
        """The name of its table."""
        return f"w_{self.id}"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign's place. `extras` are the columns that its view has beside the common ones, in their order."""

    id: int
    name: str
    extras: tuple[str, ...]
    open: bool
    shown: bool


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a unit measures: the column that its values have in the view, and by what they are multiplied there."""

    column: str
    factor: float


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "W": Quantity("power_w", 1), "kW": Quantity("power_w", 1e3), "mW": Quantity("power_w", 1e-3),
    "MW": Quantity("power_w", 1e6),
    "V": Quantity("voltage_v", 1), "kV": Quantity("voltage_v", 1e3), "mV": Quantity("voltage_v", 1e-3),
    "A": Quantity("current_a", 1), "mA": Quantity("current_a", 1e-3), "kA": Quantity("current_a", 1e3),
    "Hz": Quantity("frequency_hz", 1), "VA": Quantity("apparent_va", 1), "kVA": Quantity("apparent_va", 1e3),
    "var": Quantity("reactive_var", 1), "VAR": Quantity("reactive_var", 1), "kvar": Quantity("reactive_var", 1e3),
    "Wh": Quantity("meter_kwh", 1e-3), "kWh": Quantity("meter_kwh", 1),
    "°C": Quantity("temperature_c", 1), "degC": Quantity("temperature_c", 1),
}
"""By the unit as files write it."""

OTHER: Final = "other"
"""The column of values whose unit is none of these."""

ENERGY: Final = "energy_kwh"
"""The column of a power's energy: over how long its row stands."""

GAP: Final = "gap_s"
"""The column of the seconds without any row before this one; only campaigns that have gaps have it."""
