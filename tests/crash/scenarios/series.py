"""Measured values on PostgreSQL: written twice, a campaign renamed, one forgotten, a tenant's taken away."""

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import polars as pl

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Conflict
from belvedere.stores.series.service import SeriesPoints

COVERS = (
    "stores.series.asked", "stores.series.prepare.before-commit", "stores.series.source-made", "stores.series.copied",
    "stores.series.shown", "stores.series.write.before-commit", "stores.series.rename.before-commit",
    "stores.series.forget.before-commit", "stores.series.remove.before-commit",
)
START = 1_760_000_000


def act(world: Any) -> None:
    """Bring about the end state from wherever a crash left it."""
    services = world.services
    serials = []
    with world.working():
        for name in ("alice", "bob"):
            with suppress(Conflict):
                services.tenants.create(SYSTEM, name)
            serial = services.tenants.get(SYSTEM, name).serial
            world.wait(lambda serial=serial: services.tenants.get(SYSTEM, serial).state == "ready", f"{name} is ready")
            serials.append(serial)
    points = _points(world)
    for serial, campaign in ((serials[0], "site"), (serials[0], "old"), (serials[1], "site")):
        points.prepare(serial, campaign)
        for _ in range(2):
            points.write(serial, campaign, [_batch()])
    try:
        points.rename_campaign(serials[0], "site", "house")
    except Conflict:
        # The crash came after it: what was written again goes.
        points.forget_campaign(serials[0], "site", keep_data=False)
    points.forget_campaign(serials[0], "old", keep_data=False)
    points.remove_tenant(serials[1], keep_data=False)


def check(world: Any) -> None:
    """The renamed campaign has its points, once, and the only dashboard."""
    services = world.services
    with world.working():
        world.wait(lambda: _tables(world) == ["house"], "a dashboard of the campaign")
    for name, wanted in (("alice", {"house": 2}), ("bob", {})):
        serial = services.tenants.get(SYSTEM, name).serial
        assert not services.stores.plan(SYSTEM, serial).steps
        store = next(one for one in services.stores.of_tenant(serial) if one.kind == "series")
        with services.stores.reader(store.id) as connection:
            views = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
            assert {row["relname"] for row in views} == set(wanted)
            for view, count in wanted.items():
                assert view == "house"
                assert connection.execute("SELECT count(*) AS n FROM public.house").fetchone() == {"n": count}


def _points(world: Any) -> SeriesPoints:
    services = world.services
    return SeriesPoints(database=services.database, stores=services.stores, tenants=services.tenants)


def _batch() -> Any:
    channels = [SimpleNamespace(field="M1_U1_V", tags={"channel_id": "M1_U1", "channel_unit": "V"})]
    frame = pl.DataFrame({"time": [START, START + 60], "a": [230.0, 231.0]})
    return SimpleNamespace(measurement="electrical", channels=channels, frame=frame)


def _tables(world: Any) -> list[str]:
    return [one.table for one in world.services.dashboards.list(SYSTEM).items]
