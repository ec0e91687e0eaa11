"""What it costs to store measured values, against psql copying the same rows into the same keyed table.

One meter file of 112,930 rows with 6 channels, as the parser hands it over. The peer gets the rows as text in a file,
and a table of the same columns with the same key. The two take turns in one run. Promises: the first load of a free
range takes at most 1.1 times as long, the same file again at most 4 times. And the first view of a long campaign reads
a bounded part of it: the panels of 15 days of rows, one a second, are timed with what `most_values` shows first.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import psycopg
from psycopg.conninfo import make_conninfo
from server import installation, server

from belvedere.app import Services
from belvedere.dashboards.look import look
from belvedere.kernel.actor import SYSTEM
from belvedere.stores.model import Store
from belvedere.workspaces.dialect import Values
from belvedere.workspaces.postgres import compose
from belvedere.workspaces.viewer import span, store

RUNS = 5
ROWS = 112_930
CHANNELS = 6
PIECE = 25_000
LONG_ROWS = 1_300_000
START = 1_760_000_000
COLUMNS = ", ".join(f"c_{n} float8" for n in range(1, CHANNELS + 1))


def made(rows: int, start: int) -> pl.DataFrame:
    """Make rows, one a second."""
    values = [place * 7919 % 25_000 / 100 for place in range(10_000)]
    columns = {f"v{n}": (values * (rows // len(values) + 1))[n : rows + n] for n in range(CHANNELS)}
    return pl.DataFrame({"time": pl.int_range(start, start + rows, eager=True), **columns})


def batches(frame: pl.DataFrame) -> Iterator[Any]:
    """Hand rows over as the parser does: a few at a time."""
    units = ["V", "V", "V", "W", "W", "W"]
    channels = [
        SimpleNamespace(field=f"M1_C{n}_{unit}", tags={
            "channel_id": f"M1_C{n}", "channel_unit": unit, "channel_label": f"Ch{n}", "device_master_sn": "1"})
        for n, unit in enumerate(units)
    ]
    for part in frame.iter_slices(PIECE):
        yield SimpleNamespace(measurement="electrical", channels=channels, frame=part)


def timed(deed: Callable[[], object]) -> float:
    """Return the seconds that a deed takes."""
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    frame = made(ROWS, START)
    with server() as superuser, installation(superuser) as services, tempfile.TemporaryDirectory() as folder:
        tenant, _ = services.tenants.create(SYSTEM, "alice")
        services.points.prepare(tenant.serial, "warm")
        services.points.write(tenant.serial, "warm", batches(frame.head(1000)))
        place = next(one for one in services.stores.of_tenant(tenant.serial) if one.kind == "series")
        inside = make_conninfo(superuser, dbname=place.database)
        text = Path(folder) / "rows.csv"
        ours, theirs, again = [], [], []
        for turn in range(RUNS):
            name = f"c{turn}"
            services.points.prepare(tenant.serial, name)
            write = lambda name=name: services.points.write(tenant.serial, name, batches(frame))  # noqa: E731
            ours.append(timed(write))
            with psycopg.connect(inside, autocommit=True) as connection:
                if not turn:
                    command = f"\\copy (SELECT * FROM belvedere.w_2) TO '{text}' csv"
                    subprocess.run(["psql", "-qX", inside, "-c", command], check=True)
                connection.execute("DROP TABLE IF EXISTS peer")
                connection.execute(
                    f"CREATE TABLE peer (time timestamptz PRIMARY KEY, step real, gap bigint, {COLUMNS})")
            copy = ["psql", "-qX", inside, "-c", f"\\copy peer FROM '{text}' csv"]
            theirs.append(timed(lambda copy=copy: subprocess.run(copy, check=True)))
            again.append(timed(write))
        first = statistics.median(mine / peer for mine, peer in zip(ours, theirs, strict=True))
        second = statistics.median(mine / peer for mine, peer in zip(again, theirs, strict=True))
        print(f"psql \\copy of {ROWS:,} rows x {CHANNELS}: {shown(theirs)}")
        print(f"first load:      {shown(ours)}; x{first:.2f}, promise x1.10: {'kept' if first <= 1.1 else 'BROKEN'}")
        print(f"the same again:  {shown(again)}; x{second:.2f}, promise x4.00: {'kept' if second <= 4 else 'BROKEN'}")
        small(services, tenant.serial)
        first_view(services, tenant.serial, place)
        if first > 1.1 or second > 4:
            raise SystemExit(1)


def small(services: Services, serial: int) -> None:
    """Time small files: one call each, and many in one call."""
    services.points.prepare(serial, "small")
    parts = [made(40, START + 2400 * n) for n in range(400)]
    each = [timed(lambda part=part: services.points.write(serial, "small", batches(part))) for part in parts[:50]]
    together = timed(lambda: services.points.write(serial, "small", (one for part in parts for one in batches(part))))
    print(f"a file of 40 rows: {shown(each)} alone; {together / len(parts) * 1000:.2f} ms of 400 in one call")


def first_view(services: Services, serial: int, place: Store) -> None:
    """Time what the first look at a long campaign costs."""
    services.points.prepare(serial, "long")
    took = timed(lambda: services.points.write(serial, "long", batches(made(LONG_ROWS, START))))
    columns = (
        ("time", "timestamp with time zone"), *((name, "text") for name in (
            "device", "device_type", "device_subtype", "meter", "channel", "channel_id", "channel_label",
            "channel_name", "unit")),
        *((name, "double precision") for name in ("value", "voltage_v", "power_w", "energy_kwh")),
    )
    relation: Any = SimpleNamespace(
        oid=0, schema="public", name="long", kind="view", rows_estimate=None, size_bytes=0, readable=True,
        columns=tuple(SimpleNamespace(name=name, type=kind) for name, kind in columns))
    began = time.perf_counter()
    looked = look(
        services.stores.reader, relation, tenant=serial, store_id=place.id, database=place.database,
        store_kind="series", override=None, within_s=10)
    print(f"{LONG_ROWS * CHANNELS:,} values stored in {took:.1f} s; looked at in {time.perf_counter() - began:.2f} s")
    assert looked is not None
    model = looked.desired.model
    since = span.parse(model.since, datetime.now(UTC))
    print(f"shown first: {model.template}, {model.since} to {model.until}")
    with services.stores.reader(place.id) as connection:
        for row in model.rows:
            for panel in row.panels:
                if panel.query is not None:
                    statement = compose(model, panel.query, Values(since, None, {}))
                    found = 0
                    took = timed(lambda statement=statement: store.run(connection, statement))
                    print(f"  {panel.id:20} {took * 1000:6.0f} ms {found or ''}")


def shown(seconds: list[float]) -> str:
    """Write the median and the least."""
    return f"median {statistics.median(seconds) * 1000:.0f} ms, least {min(seconds) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
