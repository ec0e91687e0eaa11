"""Two tenants as teams of one organisation of a real Grafana, behind the real gateway: a hostile Viewer sees no row.

Needs BELVEDERE_TEST_GRAFANA_URL (admin/admin) with the toggle idForwarding. The gateway runs as it is run; places,
people and links are made by the product alone.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.contract.test_gateway import HEADERS, PATHS, QUERY, SECRET
from tests.unit.gateway.conftest import TABLE
from tests.unit.stores.conftest import World as StoreWorld
from tests.unit.stores.conftest import installation

from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.settings import load
from belvedere.node.parts import answers
from grafana_world import REAL, access_of, says_who_asks

pytestmark = [
    pytest.mark.contract, pytest.mark.skipif(not REAL, reason="BELVEDERE_TEST_GRAFANA_URL is not given"),
    pytest.mark.timeout(600),
]


@dataclass
class Teams:
    """The installation, and each tenant's own Viewer."""

    services: Services
    stores: StoreWorld
    http: httpx2.Client
    people: dict[str, tuple[str, str]]

    @property
    def organisation(self) -> int:
        return self.services.workspaces.shared_organisation()

    def call(self, method: str, path: str, who: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        sent = {"X-Grafana-Org-Id": str(self.organisation)} | (headers or {})
        return self.http.request(method, path, auth=self.people[who], headers=sent, **more)

    def query(self, who: str, uid: str, text: str, headers: dict[str, str] | None = None) -> str:
        asked = {"refId": "A", "datasource": {"uid": uid}, "rawQuery": True, "query": text, "resultFormat": "table"}
        body = {"from": "now-1h", "to": "now", "queries": [asked]}
        trick = f"?targetOrgId={self.organisation}" if "X-Grafana-Org-Id" in (headers or {}) else ""
        return str(self.call("POST", f"/api/ds/query{trick}", who, headers, json=body).text)


@pytest.fixture(scope="module")
def teams(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    says_who_asks()
    home: Path = tmp_path_factory.mktemp("teams")
    access = access_of(REAL)
    port = "18951"
    with installation(cluster, home) as stores:
        environment = {
            "BELVEDERE_HOME": str(home), "BELVEDERE_DATABASE_URL": stores.database.url.reveal(),
            "BELVEDERE_GATEWAY": "1", "BELVEDERE_GATEWAY_SECRET": SECRET, "BELVEDERE_GATEWAY_PORT": port,
            "GRAFANA_BASE_URL": access.url, "GRAFANA_USER": access.user, "GRAFANA_PASSWORD": access.password.reveal(),
            "BELVEDERE_GRAFANA_SHARED": f"Teams {uuid4().hex[:8]}", "BELVEDERE_WORKSPACE_TIER": "team",
            "BELVEDERE_SUPERVISED": "1",
        }
        services = build(load(environment))
        process = subprocess.Popen(
            [sys.executable, "-m", "belvedere.cli.main", "gateway"], env={**os.environ, **environment})
        try:
            made = Teams(services, stores, httpx2.Client(base_url=access.url, timeout=60), {})
            for name in ("alice", "bob"):
                tenant = stores.tenant(name)
                with stores.writer(tenant) as connection:
                    connection.execute(TABLE.format(name=name))  # type: ignore[arg-type]
                services.workspaces.provision(tenant.serial)
                login, password = services.workspaces.take_password(SYSTEM, tenant.serial)
                made.people[name] = (login, password.reveal())
            while not answers("127.0.0.1", int(port)):
                assert process.poll() is None
                time.sleep(0.05)  # between two looks at a server that starts
            yield made
        finally:
            process.terminate()
            process.wait(20)
            for name in ("alice", "bob"):
                services.tenants.delete(SYSTEM, name, confirm=name)
                services.workspaces.remove_tenant(services.tenants.get(SYSTEM, name).serial)
            made.http.request("DELETE", f"/api/orgs/{made.organisation}", auth=("admin", "admin"))
            made.http.close()
            services.close()


def source(teams: Teams, name: str) -> str:
    tenant = teams.services.tenants.get(SYSTEM, name)
    return next(f"b{one.id.hex}" for one in teams.services.stores.list(SYSTEM, tenant.serial) if one.kind == "QOR")


@pytest.mark.parametrize(("who", "other"), [("alice", "bob"), ("bob", "alice")])
def test_a_viewer_of_one_team_sees_the_own_rows_and_no_row_folder_or_dashboard_of_another(teams, who, other):
    secret, wrong, sent = f"SECRET OF {who}", f"SECRET OF {other}", 0
    mine, foreign = source(teams, who), source(teams, other)
    assert secret in teams.query(who, mine, QUERY)
    texts = (QUERY, f'SELECT * FROM "{other}-QOR".public.runs', "SELECT note FROM runs; SELECT 1", "DELETE FROM runs")
    for uid, text, headers in itertools.product((mine, foreign), texts, HEADERS):
        assert wrong not in teams.query(who, uid, text, headers)
        sent += 1
    for uid, headers, (method, path), db in itertools.product(
        (mine, foreign), HEADERS, PATHS, ("QOR", f"{other}-QOR")
    ):
        answer = teams.call(method, f"/api/datasources/proxy/uid/{uid}/{path.format(db=db)}", who, headers)
        assert wrong not in answer.text
        sent += 1
    for uid, path in itertools.product((mine, foreign), ("", "query?db=QOR", "ping")):
        assert wrong not in teams.call("GET", f"/api/datasources/uid/{uid}/resources/{path}", who).text
        sent += 1
    folders = teams.call("GET", "/api/folders", who).json()
    assert other not in {one["title"] for one in folders}
    assert other not in {one["title"] for one in teams.call("GET", "/api/search", who).json()}
    assert secret in teams.query(who, mine, QUERY)
    assert sent > 400


def test_who_leaves_the_tenant_sees_nothing_from_the_next_query_on(teams):
    serial = teams.services.tenants.get(SYSTEM, "alice").serial
    subjects = teams.services.identities.of_tenant(SYSTEM, serial)
    user = next(one.subject for one in subjects if one.subject.startswith("user:") and one.member != "previews")
    teams.services.identities.unlink(SYSTEM, user, serial)
    assert "You have no tenant here" in teams.query("alice", source(teams, "alice"), QUERY)
    assert user in str(teams.services.workspaces.plan(SYSTEM, serial).steps)
    teams.services.workspaces.provision(serial)
    assert "SECRET OF alice" in teams.query("alice", source(teams, "alice"), QUERY)


def refused(teams: Teams, subject: str) -> int:
    found = teams.services.history.search(SYSTEM, limit=500).items
    return sum(one.verb == "gateway.query" and one.actor == f"Grafana {subject}" for one in found)


def test_the_image_renderer_sees_the_tenants_rows_although_grafana_calls_it_a_user(teams):
    teams.people["admin"] = ("admin", "admin")
    if not teams.call("GET", "/api/frontend/settings", "admin").json()["rendererAvailable"]:
        pytest.skip("the Grafana for tests has no image renderer")
    serial = teams.services.tenants.get(SYSTEM, "alice").serial
    asked = {"refId": "A", "datasource": {"type": "influxdb", "uid": source(teams, "alice")}, "rawQuery": True,
             "query": QUERY, "resultFormat": "table"}
    panel = {"id": 1, "type": "table", "title": "Notes", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
             "datasource": asked["datasource"], "targets": [asked]}
    board = {"uid": "rendered", "title": "Rendered", "schemaVersion": 39, "panels": [panel]}
    teams.call("POST", "/api/dashboards/db", "admin", json={"dashboard": board}).raise_for_status()

    def rendered() -> None:
        made = teams.services.workspaces.capture_pass(serial, for_s=90)
        assert made is not None
        answer = teams.http.get(
            f"/render/d/rendered?orgId={teams.organisation}&kiosk&theme=light&width=640&height=360&timeout=40",
            headers={"Authorization": f"Bearer {made.token.reveal()}"})
        teams.services.workspaces.end_pass(made)
        assert answer.headers["Content-Type"] == "image/png"

    [user] = [
        one.subject for one in teams.services.identities.of_tenant(SYSTEM, serial)
        if one.member == "previews" and one.subject.startswith("user:")
    ]
    rendered()
    assert refused(teams, user) == 0
    teams.services.identities.unlink(SYSTEM, user, serial)
    rendered()
    assert refused(teams, user) == 1, "so it was asked as that user"
    teams.services.workspaces.look_again(serial)
    teams.services.workspaces.provision(serial)
    rendered()
    assert refused(teams, user) == 1
