"""Two hostile Viewers of two tenants in one organisation of a real Grafana: neither sees a row of the other.

Needs a Grafana for tests, BELVEDERE_TEST_GRAFANA_URL (admin/admin), with the toggle idForwarding. Its twin is the
signing of `gateway/testing.py`, which `tests/unit/gateway` runs the gateway on.
"""

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from tests.unit.gateway.conftest import TABLE
from tests.unit.stores.conftest import World, installation

from belvedere.gateway.identities import LinkedIdentities
from belvedere.node.parts import answers
from grafana_world import REAL, access_of, says_who_asks

URL = access_of(REAL).url if REAL else ""
SECRET = "what only Grafana knows"
QUERY = "SELECT note FROM runs"
HEADERS: list[dict[str, str]] = [
    {}, {"X-Grafana-Org-Id": "1"}, {"X-Grafana-Id": "x.y.z"}, {"X-Grafana-Id": ""}, {"X-Grafana-User": "alice"},
    {"X-Belvedere-Gateway": "wrong"}, {"Connection": "X-Grafana-Id"}, {"Connection": "X-Belvedere-Gateway"},
    {"X-DS-Authorization": "Token x"}, {"X-Forwarded-User": "alice"},
]
ASKED = f"?db={{db}}&q={quote(QUERY)}"
PATHS = [
    ("GET", f"query{ASKED}"), ("POST", f"query{ASKED}"), ("POST", "write?db={db}"), ("GET", ""),
    ("POST", "api/v2/delete?bucket={db}"), ("GET", "ping"), ("DELETE", f"query{ASKED}"),
    ("GET", f"query%2f..%2fquery{ASKED}"), ("GET", f"query/../query{ASKED}"),
]
pytestmark = [
    pytest.mark.contract, pytest.mark.skipif(not URL, reason="BELVEDERE_TEST_GRAFANA_URL is not given"),
    pytest.mark.timeout(600),
]


@dataclass
class Shared:
    """One organisation with a data source for each name of a database, and a Viewer for each tenant."""

    world: World
    organisation: int = 0
    people: dict[str, tuple[int, tuple[str, str]]] = field(default_factory=dict)
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(base_url=URL, timeout=60))

    def call(self, method: str, path: str, who: str = "", headers: dict[str, str] | None = None, **more: Any) -> Any:
        auth = self.people[who][1] if who else ("admin", "admin")
        sent = {"X-Grafana-Org-Id": str(self.organisation)} if self.organisation else {}
        return self.http.request(method, path, auth=auth, headers=sent | (headers or {}), **more)

    def query(self, who: str, uid: str, text: str, headers: dict[str, str] | None = None) -> str:
        asked = {"refId": "A", "datasource": {"uid": uid}, "rawQuery": True, "query": text, "resultFormat": "table"}
        body = {"from": "now-1h", "to": "now", "queries": [asked]}
        trick = f"?targetOrgId={self.organisation}" if "X-Grafana-Org-Id" in (headers or {}) else ""
        return str(self.call("POST", f"/api/ds/query{trick}", who, headers, json=body).text)


@pytest.fixture(scope="module")
def shared(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    says_who_asks()
    home = tmp_path_factory.mktemp("contract")
    with installation(cluster, home) as world:
        made = Shared(world)
        made.organisation = made.call("POST", "/api/orgs", json={"name": f"shared {time.time()}"}).json()["orgId"]
        identities = LinkedIdentities(database=world.database, history=world.history, tenants=world.tenants)
        for name in ("alice", "bob"):
            with world.writer(world.tenant(name)) as connection:
                connection.execute(TABLE.format(name=name))  # type: ignore[arg-type]
            login = f"{name}{made.organisation}"
            body = {"login": login, "password": "secret1", "OrgId": made.organisation}
            user = made.call("POST", "/api/admin/users", json=body).json()["id"]
            made.call("PATCH", f"/api/orgs/{made.organisation}/users/{user}", json={"role": "Viewer"})
            made.people[name] = (user, (login, "secret1"))
            identities.link(world.operator, f"user:{user}", name, member=name)
        with serving(world, home, made.organisation) as address:
            for uid, database in (("gw", "QOR"), ("gw-alice", "alice-QOR"), ("gw-bob", "bob-QOR")):
                made.call("POST", "/api/datasources", json={
                    "name": uid, "uid": uid, "type": "influxdb", "access": "proxy", "url": address,
                    "jsonData": {"dbName": database, "httpMode": "POST", "httpHeaderName1": "X-Belvedere-Gateway"},
                    "secureJsonData": {"httpHeaderValue1": SECRET},
                }).raise_for_status()
            yield made
        made.call("DELETE", f"/api/orgs/{made.organisation}", headers={"X-Grafana-Org-Id": "1"})
        for user, _ in made.people.values():
            made.call("DELETE", f"/api/admin/users/{user}", headers={"X-Grafana-Org-Id": "1"})
        made.http.close()


@contextmanager
def serving(world: World, home: Path, organisation: int) -> Iterator[str]:
    """Run `belvedere gateway`, as it is run, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {
        **os.environ, "BELVEDERE_HOME": str(home), "BELVEDERE_DATABASE_URL": world.database.url.reveal(),
        "BELVEDERE_GATEWAY_SECRET": SECRET, "BELVEDERE_GATEWAY_PORT": port, "GRAFANA_BASE_URL": URL,
        "BELVEDERE_GATEWAY_ORGANISATION": str(organisation), "BELVEDERE_SUPERVISED": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "belvedere.cli.main", "gateway"], env=environment)
    try:
        while not answers("127.0.0.1", int(port)):
            assert process.poll() is None
            time.sleep(0.05)  # between two looks at a server that starts
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(("who", "other"), [("alice", "bob"), ("bob", "alice")])
def test_a_viewer_gets_the_own_rows_and_never_anothers(shared, who, other):
    secret, wrong = f"SECRET OF {who}", f"SECRET OF {other}"
    assert secret in shared.query(who, "gw", QUERY)
    sources = ("gw", "gw-alice", "gw-bob")
    texts = (QUERY, f'SELECT * FROM "{other}-QOR".public.runs', "SELECT note FROM runs; SELECT 1", "DELETE FROM runs")
    for uid, text, headers in itertools.product(sources, texts, HEADERS):
        assert wrong not in shared.query(who, uid, text, headers)
    for uid, headers, (method, path), db in itertools.product(sources, HEADERS, PATHS, ("QOR", f"{other}-QOR")):
        answer = shared.call(method, f"/api/datasources/proxy/uid/{uid}/{path.format(db=db)}", who, headers)
        assert wrong not in answer.text
        if method == "DELETE" or "write" in path or "api/v2" in path:
            assert answer.status_code >= 400
    for uid, path in itertools.product(sources, ("", "query?db=QOR", "ping")):
        assert wrong not in shared.call("GET", f"/api/datasources/uid/{uid}/resources/{path}", who).text
    assert shared.call("GET", "/api/datasources/uid/gw/health", who).json()["status"] == "OK"
    assert shared.call("GET", f"/api/datasources/uid/gw-{other}/health", who).status_code == 400
    assert secret in shared.query(who, "gw", QUERY)


def test_who_is_nobodys_member_gets_nothing(shared):
    answer = shared.query("", "gw", QUERY)
    assert "You have no tenant here" in answer
    assert "SECRET" not in answer


def test_grafanas_own_words_for_the_time_range_are_understood(shared):
    assert '"values":[[3]]' in shared.query("alice", "gw", "/* $timeFilter */ SELECT count(*) FROM runs")
    assert '"values":[[0]]' in shared.query("alice", "gw", "SELECT count(*) AS n FROM runs WHERE $timeFilter")
