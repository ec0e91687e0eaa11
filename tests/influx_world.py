"""An installation whose measured values stand in an InfluxDB: the twin, or a real one when its URL is given.

BELVEDERE_TEST_INFLUX_URL, with BELVEDERE_TEST_INFLUX_ORG and BELVEDERE_TEST_INFLUX_TOKEN (one that may do everything).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import polars as pl

from belvedere.kernel.secret import Secret
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.influx.model import Access
from belvedere.stores.influx.testing import TwinInflux
from belvedere.tenants.model import Tenant

URL = os.environ.get("BELVEDERE_TEST_INFLUX_URL", "").rstrip("/")
ORG = os.environ.get("BELVEDERE_TEST_INFLUX_ORG", "belvedere")
TOKEN = os.environ.get("BELVEDERE_TEST_INFLUX_TOKEN", "")
SERVERS = ["twin", *(["real"] if URL else [])]


@dataclass
class Channel:
    field: str
    tags: Mapping[str, str]


@dataclass
class Batch:
    """Points as a reader of files makes them."""

    measurement: str
    channels: Sequence[Channel]
    frame: pl.DataFrame

    def lines(self, at_most: int) -> Iterator[bytes]:
        made: list[str] = []
        times = self.frame.get_column("time").to_list()
        for channel, column in zip(self.channels, self.frame.columns[1:], strict=True):
            tags = "".join(f",{key}={_escaped(value)}" for key, value in sorted(channel.tags.items()))
            values = self.frame.get_column(column).to_list()
            made += [
                f"{self.measurement}{tags} {_escaped(channel.field)}={value!r} {moment}\n"
                for moment, value in zip(times, values, strict=True) if value is not None
            ]
        for start in range(0, len(made), at_most):
            yield "".join(made[start : start + at_most]).encode()


def batch(values: Mapping[str, Mapping[int, float | None]], *, campaign: str = "spring", unit: str = "W") -> Batch:
    """Make a batch of channels of one meter: channel to moment to value."""
    moments = sorted({moment for one in values.values() for moment in one})
    columns = {name: [one.get(moment) for moment in moments] for name, one in values.items()}
    channels = [
        Channel(f"M7_{name}_{unit}", {
            "campaign": campaign, "channel_id": f"M7_{name}", "channel_label": name, "channel_name": f"Ph {name}",
            "channel_unit": unit, "device": "MV2", "device_master_sn": "7", "device_sn": "7",
            "device_subtype": "tri", "device_type": "master",
        }) for name in values
    ]
    frame = pl.DataFrame({"time": moments, **columns}, schema={"time": pl.Int64, **dict.fromkeys(values, pl.Float64)})
    return Batch("electrical", channels, frame)


def _escaped(text: str) -> str:
    return text.replace(",", r"\,").replace("=", r"\=").replace(" ", r"\ ")


@dataclass
class Rooms:
    """The rooms that the store needs."""

    database: Any
    history: Any
    queue: Any
    tenants: Any
    credentials: Any

    @classmethod
    def of(cls, stores: Any) -> "Rooms":
        return cls(stores._database, stores._history, stores._queue, stores._tenants, stores._credentials)


def drop_meta(points: InfluxPoints) -> None:
    """Take away the bucket of the installation, of which only a test has one of its own."""
    found = points.influx.bucket(points._meta_bucket)
    if found is not None:
        points.influx.drop_bucket(found.number)


@dataclass
class InfluxWorld:
    """The store under test; `seen` reads points with the tenant's own read token."""

    points: InfluxPoints
    twin: TwinInflux | None
    made: list[Tenant] = field(default_factory=list)

    def seen(self, serial: int, campaign: str) -> dict[tuple[str, int], float]:
        """Return a campaign's points by field and time, as a reader sees them."""
        known = (self.points.campaigns(serial) or (None, {}))[1].get(campaign)
        tags = known.tags if known else ()
        bucket = self.points._tenants.find(serial).name
        if not tags or self.points.influx.bucket(bucket) is None:
            return {}
        if self.twin is not None:
            from belvedere.stores.influx.testing import tags_of

            found = self.twin.bucket_named(bucket)
            return {
                (place[1], place[2]): value for place, value in (found.points if found else {}).items()
                if dict(tags_of(place[0])).get("campaign") in tags
            }
        listed = " or ".join(f"r.campaign == {_flux(tag)}" for tag in tags) or "false"
        text = (f'from(bucket: "{bucket}") |> range(start: 0, stop: 2200-01-01T00:00:00Z) '
                f'|> filter(fn: (r) => {listed}) '
                '|> toFloat() |> keep(columns: ["_time", "_value", "_field"]) |> group()')
        status, answer = self.points.influx.query(text, self.points.token(serial))
        assert status == 200, answer
        return read(answer)


def _flux(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read(answer: str) -> dict[tuple[str, int], float]:
    from datetime import datetime

    made: dict[tuple[str, int], float] = {}
    head: list[str] = []
    for line in answer.splitlines():
        cells = line.split(",")
        if "_value" in cells:
            head = cells
        elif head and len(cells) == len(head):
            row = dict(zip(head, cells, strict=True))
            moment = int(datetime.fromisoformat(row["_time"]).timestamp())
            made[row["_field"], moment] = float(row["_value"])
    return made


def influx_of(server: str, **more: Any) -> tuple[Influx, TwinInflux | None]:
    """Return the adapter on the twin or on the real server."""
    if server == "twin":
        twin = TwinInflux(org=ORG)
        access = Access("http://influx.test", ORG, Secret("admin-token"))
        return Influx(access, transport=twin, pause=lambda _s: None), twin
    return Influx(Access(URL, ORG, Secret(TOKEN)), **more), None


def points_of(world: Any, server: str) -> InfluxWorld:
    """Make the store over an installation's rooms (`tests/unit/stores/conftest.py`)."""
    influx, twin = influx_of(server)
    points = InfluxPoints(
        influx=influx, database=world.database, history=world.history, queue=world.queue, tenants=world.tenants,
        credentials=world.credentials, meta_bucket=f"meta {uuid4().hex[:8]}", lines=50,
    )
    return InfluxWorld(points, twin)
