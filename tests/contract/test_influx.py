"""An InfluxDB as the home of measured values: the twin always, a real 2.7 when BELVEDERE_TEST_INFLUX_URL is given."""

import gzip
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.unit.stores.conftest import World, installation

from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.plan import Sign
from belvedere.kernel.secret import Secret
from belvedere.stores.influx import store
from belvedere.stores.influx.api import Influx, InfluxAway
from belvedere.stores.influx.hardening import reaches_others
from belvedere.stores.influx.model import Access, Purpose
from belvedere.stores.influx.testing import TwinInflux
from belvedere.stores.points import Written
from belvedere.tenants.model import Tenant
from influx_world import ORG, SERVERS, InfluxWorld, batch, drop_meta, influx_of, points_of

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with installation(cluster, tmp_path_factory.mktemp("influx")) as made:
        yield made


@pytest.fixture(scope="module", params=SERVERS)
def rig(request: pytest.FixtureRequest, world: World) -> Iterator[InfluxWorld]:
    made = points_of(world, request.param)
    yield made
    for tenant in made.made:
        made.points.remove_tenant(tenant.serial, keep_data=False)
    drop_meta(made.points)
    made.points.close()


@pytest.fixture
def tenant(world: World, rig: InfluxWorld) -> Tenant:
    made, _ = world.tenants.create(world.operator, f"acme-{uuid4().hex[:8]}")
    rig.made.append(made)
    return made


def test_a_tenant_gets_its_bucket_and_two_tokens_and_planning_again_finds_nothing_to_do(world, rig, tenant):
    points = rig.points
    assert not points.plan(world.operator, tenant.serial).steps
    points.prepare(tenant.serial, "spring")
    assert not points.plan(world.operator, tenant.serial).steps
    assert points.influx.bucket(tenant.name).mark.endswith(f"tenant {tenant.serial}")
    read, write = points.token(tenant.serial), points.token(tenant.serial, Purpose.WRITE)
    assert points.influx.write(tenant.name, read, b"m v=1 1\n", packed=False).status == 403
    assert points.influx.write(tenant.name, write, b"m v=1 1\n", packed=False).status == 204
    assert points.influx.query(f'from(bucket: "{tenant.name}") |> range(start: 0)', read)[0] == 200
    assert points.influx.query(f'from(bucket: "{tenant.name}") |> range(start: 0)', write)[0] in {200, 403, 404}
    with world.database.transaction() as connection:
        assert store.home(connection, tenant.serial)["state"] == "ready"


def test_a_bucket_that_another_job_works_on_is_waited_for_and_then_told_as_busy(world, rig, tenant, monkeypatch):
    failures = []

    def provision() -> None:
        try:
            rig.points.provision(tenant.serial)
        except Later as error:
            failures.append(error)

    waiting = threading.Thread(target=provision)
    with world.database.session() as other:
        assert store.hold(other, tenant.serial)
        waiting.start()
        asked = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"
        while waiting.is_alive() and not other.execute(asked, [tenant.serial]).fetchone():
            pass  # It comes to wait.
        assert waiting.is_alive()
    waiting.join(20)
    assert failures == []
    monkeypatch.setattr(store, "_PATIENCE", "10ms")
    with world.database.session() as other:
        assert store.hold(other, tenant.serial)
        provision()
    assert [(one.problem, one.detail) for one in failures] == [
        ("points-busy", "Another job works on this tenant's bucket."),
    ]  # fmt: skip


def test_points_are_written_once_and_the_later_value_wins(rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "spring")
    first = batch({"U1": {moment: moment / 10 for moment in range(100, 220)}, "U2": {100: -0.0, 101: None}})
    again = batch({"U1": {150: 7.5}})
    assert points.write(tenant.serial, "spring", [first, again]) == Written(122)
    assert points.write(tenant.serial, "spring", iter([first, again])).points == 122
    seen = rig.seen(tenant.serial, "spring")
    assert len(seen) == 121
    assert seen["M7_U1_W", 150] == 7.5
    assert seen["M7_U1_W", 100] == 10.0
    with pytest.raises(NotFound):
        points.write(tenant.serial, "autumn", [first])


def test_what_the_server_refuses_in_part_is_counted_and_the_rest_stands(rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "spring")
    taken = points.influx.write(
        tenant.name, points.token(tenant.serial, Purpose.WRITE), b"electrical,campaign=spring M7_U3_W=1i 5\n",
        packed=False)
    assert taken.status == 204
    written = points.write(tenant.serial, "spring", [batch({"U1": {1: 1.0, 2: 2.0}, "U3": {5: 1.0}})])
    assert (written.points, written.refused) == (2, 1)
    assert "conflict" in written.why
    assert ("M7_U1_W", 2) in rig.seen(tenant.serial, "spring")


def test_answers_are_told_apart(rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "spring")
    influx, write = points.influx, points.token(tenant.serial, Purpose.WRITE)
    packed = gzip.compress(b"m v=1 1\n")
    assert influx.write(tenant.name, write, packed, packed=True).status == 204
    assert influx.write(tenant.name, write, b"", packed=False).status == 204
    wrong = influx.write(tenant.name, write, b"m v=1 1\nm v= 2\nm v=3 3\n", packed=False)
    assert wrong.status == 400
    assert wrong.message
    assert influx.write(tenant.name, write, b"m v=NaN 1\n", packed=False).status == 400
    assert influx.write("no such bucket", write, b"m v=1 1\n", packed=False).status == 404
    assert influx.write(tenant.name, Secret("wrong"), b"m v=1 1\n", packed=False).status == 401
    with pytest.raises(InfluxAway):
        influx.write(tenant.name, write, packed[:-9], packed=True)


def test_a_token_that_somebody_deleted_and_a_bucket_that_went_are_made_again_while_writing(world, rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "spring")
    with world.database.transaction() as connection:
        numbers = store.tokens(connection, tenant.serial)
    points.influx.drop_token(numbers[Purpose.WRITE])
    plan = points.plan(world.operator, tenant.serial)
    assert [step.key for step in plan.steps] == ["influx.token.write"]
    assert points.write(tenant.serial, "spring", [batch({"U1": {1: 1.0}})]).points == 1
    points.influx.drop_bucket(points.influx.bucket(tenant.name).number)
    plan = points.plan(world.operator, tenant.serial)
    assert {step.key for step in plan.steps} == {
        "influx.bucket", "influx.token.read", "influx.token.write", "influx.map"}
    assert points.write(tenant.serial, "spring", [batch({"U1": {1: 1.0, 2: 2.0}})]).points == 2
    assert len(rig.seen(tenant.serial, "spring")) == 2
    assert not points.plan(world.operator, tenant.serial).steps


def test_a_bucket_of_today_is_taken_over_with_its_points_and_one_of_others_never(world, rig, tenant):
    points = rig.points
    points.influx.make_bucket(tenant.name, "")
    points.prepare(tenant.serial, "spring")
    assert points.influx.bucket(tenant.name).mark
    assert points.influx.make_bucket(tenant.name, "again") is None, "a name that is taken is no error"
    points.influx.mark_bucket(points.influx.bucket(tenant.name).number, "belvedere 1-2 tenant 9")
    with pytest.raises(Stuck, match="belongs to another"):
        points.provision(tenant.serial)
    points.remove_tenant(tenant.serial, keep_data=False)
    assert points.influx.bucket(tenant.name) is not None, "what is not ours is never deleted"
    points.influx.mark_bucket(points.influx.bucket(tenant.name).number, "")
    points.provision(tenant.serial)


def test_a_campaign_gets_another_name_and_a_new_one_of_the_old_name_shares_no_point_with_it(rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "old, name=1")
    points.write(tenant.serial, "old, name=1", [batch({"U1": {1: 1.0}}, campaign="old, name=1")])
    points.rename_campaign(tenant.serial, "old, name=1", "new")
    points.write(tenant.serial, "new", [batch({"U1": {2: 2.0}}, campaign="old, name=1")])
    points.prepare(tenant.serial, "old, name=1")
    points.write(tenant.serial, "old, name=1", [batch({"U1": {3: 3.0}}, campaign="old, name=1")])
    assert rig.seen(tenant.serial, "new") == {("M7_U1_W", 1): 1.0, ("M7_U1_W", 2): 2.0}
    assert rig.seen(tenant.serial, "old, name=1") == {("M7_U1_W", 3): 3.0}


def test_a_forgotten_campaign_keeps_its_points_and_a_deleted_one_does_not(rig, tenant):
    points, name = rig.points, 'it\'s "b\\c"'
    for campaign in (name, "other"):
        points.prepare(tenant.serial, campaign)
        points.write(tenant.serial, campaign, [batch({"U1": {1: 1.0}}, campaign="x")])
    points.forget_campaign(tenant.serial, name)
    with pytest.raises(NotFound):
        points.write(tenant.serial, name, [])
    points.prepare(tenant.serial, name)
    points.write(tenant.serial, name, [batch({"U2": {1: 1.0}}, campaign=name)])
    assert len(rig.seen(tenant.serial, name)) == 2
    points.forget_campaign(tenant.serial, name, keep_data=False)
    points.prepare(tenant.serial, name)
    assert rig.seen(tenant.serial, name) == {}
    assert len(rig.seen(tenant.serial, "other")) == 1


def test_a_tenant_that_goes_takes_its_tokens_along_and_its_bucket_unless_the_data_are_kept(world, rig, tenant):
    points = rig.points
    points.prepare(tenant.serial, "spring")
    points.write(tenant.serial, "spring", [batch({"U1": {1: 1.0}})])
    value = points.token(tenant.serial)
    for _ in range(2):
        points.remove_tenant(tenant.serial, keep_data=True)
    assert points.influx.query("buckets()", value)[0] == 401
    assert points.influx.bucket(tenant.name) is not None
    with pytest.raises(NotFound):
        points.token(tenant.serial)
    points.prepare(tenant.serial, "spring")
    assert points.provision(tenant.serial) is None
    assert len(rig.seen(tenant.serial, "spring")) == 1
    points.remove_tenant(tenant.serial, keep_data=False)
    assert points.influx.bucket(tenant.name) is None
    removal = points.plan(world.operator, tenant.serial)
    assert all(step.sign is Sign.CREATE for step in removal.steps)


def test_the_token_of_todays_name_reads_and_writes_and_is_the_same_each_time(world, rig, tenant):
    value, made = rig.points.token_of_today(world.operator, tenant.serial)
    assert made
    assert rig.points.token_of_today(world.operator, tenant.serial) == (value, False)
    assert rig.points.influx.write(tenant.name, value, b"m v=1 1\n", packed=False).status == 204
    assert rig.points.influx.query(f'from(bucket: "{tenant.name}") |> range(start: 0)', value)[0] == 200
    other, made = rig.points.token_of_today(world.operator, tenant.serial, anew=True)
    assert made
    assert rig.points.influx.write(tenant.name, value, b"m v=1 1\n", packed=False).status == 401
    assert rig.points.influx.write(tenant.name, other, b"m v=1 1\n", packed=False).status == 204
    [named] = rig.points.influx.tokens_called(f"powerview_token_for_bucket_{tenant.name}")
    assert {one.action for one in named.permissions} == {"read", "write"}


def test_no_tenants_token_reaches_another_bucket(world, rig, tenant):
    other, _ = world.tenants.create(world.operator, f"other-{uuid4().hex[:8]}")
    rig.made.append(other)
    for one in (tenant, other):
        rig.points.prepare(one.serial, "spring")
    influx = rig.points.influx
    for purpose in (Purpose.READ, Purpose.WRITE):
        token = rig.points.token(tenant.serial, purpose)
        assert influx.write(other.name, token, b"m v=1 1\n", packed=False).status in {403, 404}
        status, answer = influx.query(f'from(bucket: "{other.name}") |> range(start: 0)', token)
        assert (status, "could not find bucket" in answer or "unauthorized" in answer) != (200, False)
        assert other.name not in influx.query("buckets()", token)[1].replace(f'"{other.name}"', "")


def test_points_about_files_go_to_the_bucket_of_the_installation(rig):
    lines = b"tsv_parser_run,status=success duration_s=0.5 1764000000000000000\n"
    rig.points.meta(lines)
    rig.points.meta(lines)
    assert rig.points.influx.bucket(rig.points._meta_bucket) is not None


def test_no_tenant_gets_the_bucket_of_the_installation_by_its_name(rig, tenant, monkeypatch):
    monkeypatch.setattr(rig.points, "_meta_bucket", tenant.name)
    rig.points.meta(b"tsv_parser_run,status=success duration_s=0.5 1764000000000000000\n")
    try:
        with pytest.raises(Stuck, match="belongs to another"):
            rig.points.provision(tenant.serial)
        with pytest.raises(NotFound):
            rig.points.token(tenant.serial)
    finally:
        rig.points.influx.drop_bucket(rig.points.influx.bucket(tenant.name).number)


def test_a_bucket_is_found_though_a_list_would_not_show_it(world, rig):
    names = [f"page-{uuid4().hex[:6]}" for _ in range(25)]
    made = [rig.points.influx.make_bucket(name, "") for name in names]
    try:
        assert all(rig.points.influx.bucket(name) is not None for name in names)
    finally:
        for one in made:
            rig.points.influx.drop_bucket(one.number)


def test_a_server_that_is_hardened_is_told_from_one_that_is_not(rig):
    assert not reaches_others(rig.points.influx)
    open_one = Influx(
        Access("http://influx.test", ORG, Secret("admin-token")), transport=TwinInflux(org=ORG, hardened=False))
    assert reaches_others(open_one)


@pytest.mark.parametrize("answer", [(429, {"Retry-After": "1"}), (503, {}), (500, {}), httpx2.ConnectError("x")])
def test_what_passes_is_tried_again_a_few_times_and_then_later(answer):
    influx, twin = influx_of("twin")
    waits: list[float] = []
    influx._pause = waits.append
    twin.add_bucket("acme")
    twin.trouble = [answer] * 3
    assert influx.write("acme", Secret("admin-token"), b"m v=1 1\n", packed=False).status == 204
    assert len(waits) == 3
    assert waits[-1] > waits[0] > 0
    twin.trouble = [answer] * 4
    with pytest.raises(Later):
        influx.write("acme", Secret("admin-token"), b"m v=1 1\n", packed=False)
    assert len(twin.calls) == 8


def test_a_server_that_asks_for_minutes_is_not_waited_for():
    influx, twin = influx_of("twin")
    twin.trouble = [(503, {"Retry-After": "120"})]
    with pytest.raises(Later) as raised:
        influx.write("acme", Secret("admin-token"), b"m v=1 1\n", packed=False)
    assert raised.value.retry_in_s == 120
    assert len(twin.calls) == 1


def test_a_body_that_is_too_large_is_cut_in_halves(world):
    rig = points_of(world, "twin")
    tenant, _ = world.tenants.create(world.operator, f"large-{uuid4().hex[:8]}")
    rig.points.prepare(tenant.serial, "spring")
    rig.twin.most_body = 700
    assert rig.points.write(tenant.serial, "spring", [batch({"U1": dict.fromkeys(range(90), 1.0)})]) == Written(90)
    assert len(rig.seen(tenant.serial, "spring")) == 90
