"""The gateway before tenants' buckets: the own bucket with the own read token, whatever a question says."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.unit.gateway.conftest import ALICE, BOB, CHARLIE, SECRET, Rig, rig_of
from tests.unit.stores.conftest import World

from belvedere.gateway.asgi import Application
from belvedere.gateway.model import Limits
from belvedere.gateway.points import PointAnswers
from influx_world import InfluxWorld, batch, points_of


@pytest.fixture(scope="module")
def influx(grafana_world: World, rig: Rig) -> Iterator[InfluxWorld]:
    made = points_of(grafana_world, "twin")
    for name in ("alice", "bob"):
        made.points.prepare(rig.tenants[name].serial, "spring")
        made.points.write(rig.tenants[name].serial, "spring", [batch({"U1": {1: 1.0}})])
    yield made
    made.points.close()


@pytest.fixture
def pointed(grafana_world: World, rig: Rig, influx: InfluxWorld) -> Rig:
    return with_limits(grafana_world, rig, influx)


def with_limits(world: World, rig: Rig, influx: InfluxWorld, **limits: int) -> Rig:
    made = rig_of(world)
    made.tenants = rig.tenants
    made.gateway._points = PointAnswers(influx.points, limits=replace(Limits(), **limits), longest_s=10)
    made.application = Application(made.gateway)
    return made


def flux(rig: Rig, subject: str | None, text: str, *, org: str = "alice", method: str = "POST") -> tuple[int, str]:
    """Ask as Grafana's data source does in Flux, which names the bucket as its organization."""
    headers = {"X-Belvedere-Gateway": SECRET, "Content-Type": "application/json", "Authorization": "Token forged"}
    if subject is not None:
        headers["X-Grafana-Id"] = rig.mint.token(subject)
    answer = rig.send_body(method, "/api/v2/query", {"org": org}, json.dumps({"query": text}).encode(), headers)
    return answer.status_code, answer.text


def test_flux_reaches_the_own_bucket_and_no_other(pointed):
    assert flux(pointed, ALICE, 'from(bucket: "alice") |> range(start: 0)')[0] == 200
    status, text = flux(pointed, ALICE, 'from(bucket: "bob") |> range(start: 0)')
    assert status == 404
    assert "could not find bucket" in text
    assert flux(pointed, ALICE, 'from(bucket: "bob") |> range(start: 0)', org="bob")[0] == 403
    assert flux(pointed, CHARLIE, 'from(bucket: "alice") |> range(start: 0)')[0] == 403
    assert flux(pointed, None, 'from(bucket: "alice") |> range(start: 0)')[0] == 401
    refused = [reason for _, reason, _ in pointed.refusals()]
    assert any("could not find bucket" in reason for reason in refused)
    assert any("not one of yours" in reason for reason in refused)


def test_grafanas_test_of_a_data_source_names_the_one_bucket(pointed, influx):
    for place in range(30):
        influx.twin.add_bucket(f"page{place}")
    status, text = flux(pointed, BOB, "buckets()", org="bob")
    assert status == 200
    assert ",bob," in text
    assert "alice" not in text


def test_influxql_asks_the_own_bucket_and_refuses_what_is_no_question(pointed):
    answer = pointed.ask(ALICE, "SELECT * FROM electrical", db="alice")
    assert answer.json()["results"][0]["series"][0]["name"] == "alice"
    assert pointed.ask(ALICE, "SELECT * FROM electrical", db="bob").status_code == 403
    for text in ("DROP MEASUREMENT electrical", "delete from electrical", "-- x\nCREATE DATABASE x", "", "/**/" * 1000):
        assert "Only queries" in pointed.problem(pointed.ask(ALICE, text, db="alice"))


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/api/v2/write"), ("POST", "/api/v2/delete"), ("GET", "/api/v2/buckets"), ("GET", "/api/v2/query"),
    ("POST", "/write"), ("DELETE", "/query"), ("POST", "/api/v2/query/analyze"), ("POST", "/api/v2//query"),
])
def test_every_other_path_and_method_is_refused_and_told(pointed, method, path):
    before = len(pointed.refusals())
    answer = pointed.ask(ALICE, "SELECT 1", db="alice", method=method, path=path, fields={"org": "alice"})
    assert answer.status_code == 403
    assert len(pointed.refusals()) >= before


def test_an_answer_that_is_too_large_ends_with_an_error_that_grafana_shows(grafana_world, rig, influx):
    small = with_limits(grafana_world, rig, influx, bytes=10)
    status, text = flux(small, ALICE, 'from(bucket: "alice") |> range(start: 0)')
    assert status == 200
    assert "error,reference" in text
    assert "more than 10 bytes" in text


def test_what_is_no_question_in_flux_is_rejected(pointed):
    headers = {"X-Belvedere-Gateway": SECRET, "X-Grafana-Id": pointed.mint.token(ALICE),
               "Content-Type": "application/json"}
    answer = pointed.send_body("POST", "/api/v2/query", {"org": "alice"}, b"{no json", headers)
    assert answer.status_code == 400
    assert answer.json()["message"] == "This is no question in Flux."


def test_a_token_that_was_deleted_is_said_to_come_again(pointed, influx):
    tenant = pointed.tenants["bob"]
    for one in list(influx.twin.tokens.values()):
        if one.description.endswith(f"tenant {tenant.serial} read"):
            one.status = "inactive"
    status, text = flux(pointed, BOB, 'from(bucket: "bob") |> range(start: 0)', org="bob")
    assert status == 503
    assert "made anew" in text
    influx.points.provision(tenant.serial)
    assert flux(pointed, BOB, 'from(bucket: "bob") |> range(start: 0)', org="bob")[0] == 200
