"""Campaigns in a real InfluxDB, seen in a real Grafana: by Flux and by InfluxQL, figures as they were written.

Needs BELVEDERE_TEST_INFLUX_URL (with _ORG and _TOKEN) and BELVEDERE_TEST_GRAFANA_URL (admin/admin, with idForwarding).
"""

from collections.abc import Iterator
from typing import Any

import pytest

from grafana_world import REAL
from influx_grafana import Both, both, chosen
from influx_world import URL

pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(600),
    pytest.mark.skipif(not (REAL and URL), reason="BELVEDERE_TEST_INFLUX_URL and _GRAFANA_URL are not given"),
]


@pytest.fixture(scope="module")
def flux(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(cluster, tmp_path_factory.mktemp("flux"), tier="org") as made:
        yield made


@pytest.fixture(scope="module")
def influxql(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(cluster, tmp_path_factory.mktemp("influxql"), tier="org", language="influxql") as made:
        yield made


def panels(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["title"]: one for one in reversed(board["panels"]) if one.get("targets")}


def frames(made: Both, who: str, panel: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for target in panel["targets"]:
        answer = made.ask(who, {**target, "query": chosen(target["query"])})
        assert answer.status_code == 200, (panel["title"], answer.text)
        found += answer.json()["results"]["A" if target["refId"] == "A" else target["refId"]]["frames"]
    return found


def values(frame: dict[str, Any], name: str = "") -> list[Any]:
    fields = [one["name"] for one in frame["schema"]["fields"]]
    place = fields.index(name) if name else len(fields) - 1
    return list(frame["data"]["values"][place])


def test_every_panel_in_flux_shows_what_was_written(flux):
    board = panels(flux.board("alice"))
    [energy] = frames(flux, "alice", board["Energy"])
    # 120 rows of ten minutes at 300 W; the first has none before it, and the gap counts nothing.
    assert values(energy) == [pytest.approx(300 * 119 / 6 / 1000)]
    [power] = frames(flux, "alice", board["Highest power"])
    assert values(power) == [200.0]
    assert values(frames(flux, "alice", board["Devices"])[0]) == [1]
    assert values(frames(flux, "alice", board["Channels"])[0]) == [3]
    drawn = frames(flux, "alice", board["Power by channel"])
    assert sorted(one["schema"]["fields"][1]["labels"]["series"] for one in drawn) == ["7 Ch1", "7 Ch2"]
    assert {value for one in drawn for value in values(one)} == {100.0, 200.0}
    assert values(frames(flux, "alice", board["Voltage by phase"])[0])[0] == 230.0
    [by_device] = frames(flux, "alice", board["Energy by device (kWh)"])
    assert values(by_device, "Energy") == [pytest.approx(300 * 119 / 6 / 1000)]
    [figures] = frames(flux, "alice", board["Lowest, mean, highest"])
    assert values(figures, "Channel") == ["7 Ch1", "7 Ch2", "7 U1"]
    assert values(figures, "Mean") == [100.0, 200.0, 230.0]
    assert values(figures, "Values") == [120.0] * 3
    listed = next(one for one in flux.board("alice")["panels"] if one["title"] == "Devices" and one["type"] == "table")
    [devices] = frames(flux, "alice", listed)
    assert (values(devices, "Device"), values(devices, "Channels")) == (["7"], [3.0])
    assert values(devices, "First") == [flux.start * 1000.0]
    [gaps] = frames(flux, "alice", board["Gaps"])
    assert (values(gaps, "Meter"), values(gaps, "Missing")) == (["7"], [4 * 3600])
    over_time = frames(flux, "alice", board["Energy over time"])
    assert sum(values(over_time[0])) == pytest.approx(300 * 119 / 6 / 1000)


def test_variables_in_flux_offer_what_there_is(flux):
    board = flux.board("alice")
    offered = {}
    for one in board["templating"]["list"]:
        target = {"datasource": one["datasource"], "query": chosen(one["query"])}
        [frame] = flux.ask("alice", target).json()["results"]["A"]["frames"]
        offered[one["name"]] = values(frame)
    assert offered == {
        "meter": ["7"], "device": ["7"], "channel": ["7 Ch1 | M7_Ch1", "7 Ch2 | M7_Ch2", "7 U1 | M7_U1"]}
    power = panels(board)["Power by channel"]
    target = {**power["targets"][0], "query": chosen(power["targets"][0]["query"], channel="M7_Ch2")}
    [frame] = flux.ask("alice", target).json()["results"]["A"]["frames"]
    assert set(values(frame)) == {200.0}


def test_planning_again_finds_nothing_to_do_and_a_new_token_reaches_grafana(flux):
    serial = flux.tenants["alice"].serial
    from belvedere.kernel.actor import SYSTEM
    from belvedere.stores.influx import store
    from belvedere.stores.influx.model import Purpose

    assert not flux.services.workspaces.plan(SYSTEM, serial).steps
    with flux.services.database.transaction() as connection:
        number = store.tokens(connection, serial)[Purpose.READ]
    flux.services.influx.influx.drop_token(number)
    flux.services.influx.provision(serial)
    assert [step.title for step in flux.services.workspaces.plan(SYSTEM, serial).steps] == ["Change the data source"]
    flux.services.workspaces.provision(serial)
    assert not flux.services.workspaces.plan(SYSTEM, serial).steps
    source = flux.source("alice")
    assert source["name"] == f"influxdb_{flux.tenants['alice'].name}"
    assert source["jsonData"]["version"] == "Flux"


def test_every_panel_in_influxql_shows_what_was_written(influxql):
    board = panels(influxql.board("alice"))
    drawn = frames(influxql, "alice", board["Power by channel"])
    assert {value for one in drawn for value in values(one) if value is not None} == {100.0, 200.0}
    energy = frames(influxql, "alice", board["Energy"])
    # Twenty hours with rows, of 24.
    assert sum(sum(values(one)) for one in energy) == pytest.approx(300 * 20)
    power = frames(influxql, "alice", board["Highest power"])
    assert max(values(one)[0] for one in power) == 200.0
    figures = frames(influxql, "alice", board["Lowest, mean, highest"])
    assert {values(one)[0] for one in figures} == {100.0, 200.0, 230.0, 120.0}
    counted = frames(influxql, "alice", board["Channels"])
    assert sorted(values(counted[0])) == ["M7_Ch1", "M7_Ch2", "M7_U1"]
    asked = next(one for one in influxql.board("alice")["templating"]["list"] if one["name"] == "channel")
    uid = influxql.source("alice")["uid"]
    answer = influxql.call(
        "GET", f"/api/datasources/proxy/uid/{uid}/query", "alice",
        params={"db": influxql.tenants["alice"].name, "q": chosen(asked["query"])})
    assert "M7_Ch2" in answer.text
    health = influxql.call("GET", f"/api/datasources/uid/{uid}/health", "alice").json()
    assert health["status"] == "OK"
