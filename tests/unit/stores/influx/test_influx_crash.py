"""Dying between any two steps about a bucket leaves nothing behind that the next run does not mend."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.unit.stores.conftest import World, installation

from belvedere.kernel import failpoints
from belvedere.stores.influx.model import Purpose
from influx_world import batch, points_of

PLACES = [
    "stores.influx.step.before", "stores.influx.step.after", "stores.influx.token-made", "stores.influx.token-kept",
    "stores.influx.ready.before-commit", "stores.influx.campaign.before-commit", "stores.influx.note.before-commit",
    "stores.influx.rename.before-commit", "stores.influx.forget.before-commit", "stores.influx.remove.before-commit",
    "stores.remove.points-gone",
]


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with installation(cluster, tmp_path_factory.mktemp("influx")) as made:
        yield made


@pytest.mark.parametrize("place", PLACES)
def test_dying_here_is_mended_by_the_next_run(world, place, monkeypatch):
    rig = points_of(world, "twin")
    monkeypatch.setattr(world.stores, "_points", [rig.points])
    tenant, _ = world.tenants.create(world.operator, f"acme-{uuid4().hex[:8]}")

    def life() -> None:
        if "summer" not in (rig.points.campaigns(tenant.serial) or (None, {}))[1]:
            rig.points.prepare(tenant.serial, "spring")
            rig.points.write(tenant.serial, "spring", [batch({"U1": {1: 1.0}})])
            rig.points.rename_campaign(tenant.serial, "spring", "summer")
        rig.points.prepare(tenant.serial, "summer")
        rig.points.forget_campaign(tenant.serial, "summer", keep_data=False)

    def death() -> None:
        world.tenants.delete(world.operator, tenant.name, confirm=tenant.name)
        world.stores.remove_tenant(tenant.serial)

    def die(_code: int) -> None:
        raise Died

    monkeypatch.setattr(failpoints.os, "_exit", die)
    monkeypatch.setenv("BELVEDERE_FAILPOINT", place)
    with pytest.raises(Died):
        life()
        death()
    monkeypatch.delenv("BELVEDERE_FAILPOINT")
    if not world.tenants.find(tenant.serial).deleting:
        life()
        kept = {one.description for one in rig.twin.tokens.values()} - {"operator"}
        assert len(kept) == len(rig.twin.tokens) - 1 == 2, "a token that was left half-made is taken away"
        assert rig.points.token(tenant.serial, Purpose.WRITE)
    death()
    assert rig.twin.buckets == {}
    assert set(rig.twin.tokens) == {"t0"}
    assert rig.points.campaigns(tenant.serial) is None
