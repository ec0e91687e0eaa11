"""Two hostile Viewers of two tenants in one organisation of a real Grafana, their values in one real InfluxDB.

Behind the real gateway neither reads a point of the other, by Flux, by InfluxQL, by the data-source proxy, and neither
writes or deletes anything. Needs BELVEDERE_TEST_INFLUX_URL and BELVEDERE_TEST_GRAFANA_URL with the toggle idForwarding.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.test_gateway import HEADERS

from belvedere.kernel.actor import SYSTEM
from grafana_world import REAL, says_who_asks
from influx_grafana import Both, both, chosen
from influx_world import URL

pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(600),
    pytest.mark.skipif(not (REAL and URL), reason="BELVEDERE_TEST_INFLUX_URL and _GRAFANA_URL are not given"),
]
OWN = {"alice": "12345.625", "bob": "98765.375"}


@pytest.fixture(scope="module", params=["flux", "influxql"])
def teams(request: pytest.FixtureRequest, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    says_who_asks()
    port = 18962 if request.param == "flux" else 18963
    home = tmp_path_factory.mktemp("teams")
    powers = {name: float(text) for name, text in OWN.items()}
    with both(cluster, home, tier="team", language=request.param, port=port, **powers) as made:
        yield made


def is_flux(teams: Both) -> bool:
    return teams.services.settings.influx_language == "flux"


def questions(teams: Both, name: str) -> list[str]:
    """Ask for everything of a tenant's bucket, and for more than that."""
    bucket = teams.tenants[name].name
    if not is_flux(teams):
        return [
            'SELECT * FROM "electrical"', f'SELECT * FROM "{bucket}".."electrical"',
            f'SELECT * FROM "{bucket}"."autogen"."electrical"', "SELECT * FROM /.*/", "SHOW DATABASES",
            "SHOW TAG VALUES WITH KEY = campaign", f'SHOW FIELD KEYS ON "{bucket}"', 'DROP MEASUREMENT "electrical"',
            'DELETE FROM "electrical"', f'SELECT * INTO "{bucket}".."x" FROM "electrical"',
            f'SELECT 1; SELECT * FROM "{bucket}".."electrical"',
        ]
    rows = f'from(bucket: "{bucket}") |> range(start: -7d)'
    return [
        rows, f'{rows} |> to(bucket: "{bucket}")', "buckets()", f'import "sql"\n{rows}',
        f'from(bucket: "{bucket}", host: "{URL}", token: "", org: "belvedere") |> range(start: -7d)',
        f'import "influxdata/influxdb/schema"\nschema.tagValues(bucket: "{bucket}", tag: "campaign")',
        f"union(tables: [{rows}, {rows}])",
        f'import "influxdata/influxdb"\ninfluxdb.cardinality(bucket: "{bucket}", start: -7d)',
    ]


def target(teams: Both, who: str, text: str) -> dict[str, Any]:
    uid = teams.source(who)["uid"]
    return {"datasource": {"type": "influxdb", "uid": uid}, "query": text, "rawQuery": True, "resultFormat": "table"}


@pytest.mark.parametrize(("who", "other"), [("alice", "bob"), ("bob", "alice")])
def test_a_viewer_reads_the_own_points_and_never_anothers(teams, who, other):
    own, foreign, sent = OWN[who], OWN[other], 0
    power = next(one for one in teams.board(who)["panels"] if one["title"] == "Power by channel")["targets"][0]
    asked = {**power, "query": chosen(power["query"])}
    assert own in teams.ask(who, asked).text
    uids = [teams.source(name)["uid"] for name in (who, other)]
    for uid, text, headers in itertools.product(uids, questions(teams, other), HEADERS):
        sneaky = {**target(teams, who, text), "datasource": {"type": "influxdb", "uid": uid}}
        answer = teams.ask(who, sneaky, headers).text
        sent += 1
        assert foreign not in answer, (text, headers)
    assert own in teams.ask(who, asked).text
    assert sent == 2 * 10 * len(questions(teams, other))


@pytest.mark.parametrize(("who", "other"), [("alice", "bob")])
def test_by_the_proxy_path_nothing_is_written_deleted_or_read_of_another(teams, who, other):
    own, foreign = OWN[who], OWN[other]
    bucket, theirs = teams.tenants[who].name, teams.tenants[other].name
    serial = teams.tenants[who].serial
    before = teams.services.influx.influx.query(f'from(bucket: "{bucket}") |> range(start: -7d) |> count()')[1]
    body = {"query": f'from(bucket: "{theirs}") |> range(start: -7d)', "type": "flux"}
    paths: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"write?db={bucket}", {"content": b"electrical v=1 1"}),
        ("POST", f"api/v2/write?bucket={bucket}&org=belvedere", {"content": b"electrical v=1 1"}),
        ("POST", f"api/v2/delete?bucket={bucket}&org=belvedere",
         {"json": {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}}),
        ("GET", "api/v2/buckets", {}), ("GET", "api/v2/authorizations", {}), ("GET", "api/v2/orgs", {}),
        ("POST", "api/v2/query?org=belvedere", {"json": body}), ("POST", f"api/v2/query?org={theirs}", {"json": body}),
        ("POST", f"api/v2/query?org={bucket}", {"json": body}), ("DELETE", f"query?db={bucket}", {}),
        ("GET", f"query?db={theirs}&q=SELECT+*+FROM+electrical", {}), ("GET", "metrics", {}),
        ("GET", f"query?db={bucket}&q=DROP+MEASUREMENT+electrical", {}),
        ("GET", f"query/..%2fapi/v2/buckets?db={bucket}", {}), ("GET", "debug/pprof/", {}),
    ]
    for name, headers, (method, path, more) in itertools.product((who, other), HEADERS, paths):
        uid = teams.source(name)["uid"]
        answer = teams.call(method, f"/api/datasources/proxy/uid/{uid}/{path}", who, headers, **more)
        assert foreign not in answer.text, (method, path, headers)
        if not path.startswith(("query", "api/v2/query")):
            assert answer.status_code >= 400, (method, path)
    after = teams.services.influx.influx.query(f'from(bucket: "{bucket}") |> range(start: -7d) |> count()')[1]
    assert [line.split(",")[5:] for line in after.splitlines()] == [line.split(",")[5:] for line in before.splitlines()]
    refusals = [one for one in teams.services.history.search(SYSTEM, verb="gateway.query", limit=500).items
                if one.tenant == serial]
    assert refusals
    plain = target(teams, who, f'from(bucket: "{bucket}") |> range(start: -7d)' if is_flux(teams) else
                   'SELECT * FROM "electrical"')
    assert own in teams.ask(who, plain).text


def test_the_data_source_of_the_own_bucket_is_well_and_anothers_is_not(teams):
    uid = teams.source("alice")["uid"]
    said = teams.call("GET", f"/api/datasources/uid/{uid}/health", "alice").json()
    assert said["status"] == "OK", said
    uid = teams.source("bob")["uid"]
    assert teams.call("GET", f"/api/datasources/uid/{uid}/health", "alice").status_code == 400


def test_who_leaves_reads_nothing_from_the_next_question_on(teams):
    serial = teams.tenants["bob"].serial
    found = teams.services.identities.of_tenant(SYSTEM, serial)
    subject = next(one.subject for one in found if one.subject.startswith("user:") and one.member != "previews")
    teams.services.identities.unlink(SYSTEM, subject, serial)
    text = 'SELECT * FROM "electrical"'
    if is_flux(teams):
        text = f'from(bucket: "{teams.tenants["bob"].name}") |> range(start: -7d)'
    assert "You have no tenant here" in teams.ask("bob", target(teams, "bob", text)).text
