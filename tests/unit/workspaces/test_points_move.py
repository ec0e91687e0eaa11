"""A tenant whose measured values are in InfluxDB moves to where those cannot be read, and back, at the doors."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.testing import TwinInflux
from grafana_doors import World, doors
from influx_world import batch


@pytest.fixture
def world(
    cluster: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    twin = partial(Influx, transport=TwinInflux(org="acme"), pause=lambda _s: None)
    monkeypatch.setattr("belvedere.stores.influx.wire.Influx", twin)
    with doors(
        cluster, tmp_path_factory.mktemp("points"), "control_points_move", influxdb_host="http://influx.test",
        influxdb_org="acme", influxdb_admin_token=Secret("admin-token"),
    ) as made:
        yield made


def published(world: World) -> int:
    return len(world.services.history.search(SYSTEM, verb="dashboard.publish").items)


def test_a_move_to_the_viewer_ends_and_says_what_cannot_be_seen_there_until_the_tenant_is_back(world: World) -> None:
    points = world.services.points
    points.prepare(world.alice, "spring")
    points.write(world.alice, "spring", [batch({"U1": {1_760_000_000: 230.0}}, unit="V")])

    def campaign(state: str) -> dict[str, Any]:
        listed = world.api("GET", "/dashboards?user=alice").json
        return next((one for one in listed if one["table"] == "spring" and one["state"] == state), {})

    with world.runner():
        grafana = world.until(lambda: campaign("ready"), "the campaign's dashboard in Grafana")
        assert "orgId=" in grafana["url"]
        told = "The built-in viewer does not read InfluxDB: the campaign spring cannot be seen there."
        assert told not in world.get("/tenants/alice/workspace").text
        planned = world.api("POST", "/tenants/alice/move", {"tier": "viewer", "dry_run": True}).json
        assert [one for one in planned["warnings"] if one.startswith(told)], planned
        assert world.api("POST", "/tenants/alice/move", {"tier": "viewer"}).status_code == 202
        world.until(world.is_settled, "the move to the viewer")
        held = world.until(lambda: campaign("needs you"), "what the viewer cannot show")
        assert "the built-in viewer does not read InfluxDB" in held["message"]
        assert "orgId=" not in held["url"]
        assert told in world.get("/tenants/alice/workspace").text
        others = [one for one in world.api("GET", "/dashboards?user=alice").json if one["table"] != "spring"]
        assert {one["state"] for one in others} == {"ready"}
        assert "does not read InfluxDB" in world.get(f"/tenants/alice/dashboards/{held['id']}").text

    # A further look finds nothing new to say.
    tried = published(world)
    for one in world.services.stores.of_tenant(world.alice):
        world.services.dashboards.reconcile(one.id)
    assert tried and (campaign("needs you"), published(world)) == (held, tried)

    with world.runner():
        assert world.api("POST", "/tenants/alice/move", {"tier": "org"}).status_code == 202
        world.until(world.is_settled, "the move back")
        again = world.until(lambda: campaign("ready"), "the campaign's dashboard in Grafana again")
    assert (again["id"], again["message"]) == (held["id"], "")
    assert "orgId=" in again["url"]
