"""From a table to a dashboard in the real Grafana, and what a hostile Viewer of another tenant gets: nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from psycopg import sql

from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.control import control_url
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.stores.watch import ServerWatch
from belvedere.tenants.model import Tenant
from belvedere.workspaces.tiers import Tier
from grafana_world import REAL, access_of

pytestmark = [pytest.mark.contract, pytest.mark.skipif(not REAL, reason="BELVEDERE_TEST_GRAFANA_URL is not given")]


@pytest.fixture
def services(cluster: Any, database: Database, tmp_path: Path) -> Iterator[Services]:
    access = access_of(REAL)
    control = database.url.reveal().replace("belvedere:belvedere@", "postgres@")
    settings = Settings(
        home=str(tmp_path / "home"), database_url=Secret(control),
        grafana_url=access.url, grafana_user=access.user, grafana_password=access.password,
    )
    assert control_url(settings)
    made = build(settings)
    yield made
    for tenant in made.tenants.list(SYSTEM).items:
        made.tenants.delete(SYSTEM, tenant.serial, confirm=tenant.name)
        for job in ("workspaces.remove-tenant", "stores.remove-tenant"):
            run(made, job, tenant.serial)
    made.close()


def run(services: Services, job: str, key: object) -> None:
    next(one for one in services.jobs if one.name == job).run(str(key))


@pytest.fixture
def boss() -> Iterator[httpx2.Client]:
    """The administrator of the Grafana, for what others than Belvedere do there."""
    access = access_of(REAL)
    with httpx2.Client(base_url=access.url, auth=(access.user, access.password.reveal()), timeout=20) as made:
        yield made


def to_an_own_grafana(services: Services, boss: httpx2.Client, tenant: Tenant) -> tuple[int, int]:
    """Move a tenant to tier `instance` by an administrator's login of its own; return that user and organisation."""
    login, password = f"boss-{tenant.name}", uuid4().hex
    organisation = boss.post("/api/orgs", json={"name": f"home of {login}"}).json()["orgId"]
    account = {"login": login, "name": login, "password": password, "OrgId": organisation}
    user = boss.post("/api/admin/users", json=account).json()["id"]
    boss.patch(f"/api/orgs/{organisation}/users/{user}", json={"role": "Admin"}).raise_for_status()
    boss.put(f"/api/admin/users/{user}/permissions", json={"isGrafanaAdmin": True}).raise_for_status()
    for key, value in (("URL", access_of(REAL).url), ("USER", login), ("PASSWORD", password)):
        services.credentials.put(SYSTEM, tenant.serial, f"GRAFANA_{key}", Secret(value))
    services.moves.begin(SYSTEM, tenant.serial, "instance")
    for job in ("workspaces.provision", "workspaces.leave"):
        run(services, job, tenant.serial)
    assert services.moves.under_way(SYSTEM, tenant.serial) is None
    return user, organisation


def tenant_with_rows(services: Services, secret: str) -> Tenant:
    tenant, _ = services.tenants.create(SYSTEM, f"t{uuid4().hex[:8]}")
    run(services, "stores.provision", tenant.serial)
    run(services, "workspaces.provision", tenant.serial)
    names = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS"}
    login = {name: services.credentials.read(tenant.serial, key).reveal() for name, key in names.items()}
    with psycopg.connect(**login, dbname=f"{tenant.name}-QOR", autocommit=True) as flow:
        flow.execute("CREATE TABLE notes (at timestamptz, value float8, word text)")
        rows = sql.SQL("INSERT INTO notes SELECT now() - i * interval '1 hour', i, {} FROM generate_series(1, 20) i")
        flow.execute(rows.format(sql.Literal(secret)))
    return tenant


def publish(services: Services, tenant: Tenant) -> str:
    watch = ServerWatch(
        database=services.database, queue=services.queue, server=services.stores.server, interval_s=0.1,
        full_every_s=3600,
    )
    store = next(one for one in services.stores.list(SYSTEM, tenant.serial) if one.kind == "QOR")
    deadline = time.monotonic() + 30
    while not services.stores.stable_relations(store.id):
        assert time.monotonic() < deadline
        watch.look()
    watch.close()
    services.dashboards.reconcile(store.id)
    return services.dashboards.list(SYSTEM, tenant=tenant.serial).items[0].url


class Viewer:
    """The tenant's default user, who asks whatever it likes."""

    def __init__(self, services: Services, tenant: Tenant) -> None:
        login, password = services.workspaces.take_password(SYSTEM, tenant.serial)
        self.client = httpx2.Client(base_url=access_of(REAL).url, auth=(login, password.reveal()), timeout=20)

    def query(self, uid: str, text: str, organisation: int | None = None, target: str = "") -> httpx2.Response:
        headers = {} if organisation is None else {"X-Grafana-Org-Id": str(organisation)}
        query = {"refId": "A", "datasource": {"uid": uid}, "rawSql": text, "format": "table", "rawQuery": True,
                 "intervalMs": 1000, "maxDataPoints": 100}
        body = {"from": "now-7d", "to": "now", "queries": [query]}
        return self.client.post(f"/api/ds/query{target}", json=body, headers=headers)


def uid_of(services: Services, tenant: Tenant, kind: str = "QOR") -> str:
    return services.credentials.read(tenant.serial, f"GRAFANA_UID_{kind}").reveal()


def test_a_table_becomes_a_dashboard_in_grafana_with_the_tenants_rows(services: Services) -> None:
    tenant = tenant_with_rows(services, "mine")
    url = publish(services, tenant)
    assert url.startswith(f"{access_of(REAL).url}/d/b") and "?orgId=" in url
    viewer = Viewer(services, tenant)
    uid = url.rpartition("/")[2].partition("?")[0]
    board = viewer.client.get(f"/api/dashboards/uid/{uid}").json()
    asked = [one["rawSql"] for panel in board["dashboard"]["panels"] for one in panel.get("targets", [])]
    assert asked
    for text in asked:
        answer = viewer.query(uid_of(services, tenant), text)
        assert answer.status_code == 200, answer.text
        assert any(frame["data"]["values"] for frame in answer.json()["results"]["A"]["frames"]), text
    services.workspaces.check_sources(f"{tenant.serial}:again")
    viewer.client.close()


@pytest.mark.parametrize("tier", [Tier.ORG, Tier.INSTANCE])
@pytest.mark.timeout(300)
def test_a_hostile_viewer_gets_no_row_of_another_tenant(services: Services, boss: httpx2.Client, tier: Tier) -> None:
    mine, theirs = tenant_with_rows(services, "mine"), tenant_with_rows(services, "SECRET-OF-THEIRS")
    both = (mine, theirs) if tier is Tier.INSTANCE else ()
    homes = [to_an_own_grafana(services, boss, one) for one in both]
    assert [services.workspaces.tier(one.serial) for one in (mine, theirs)] == [tier, tier]
    publish(services, theirs)
    viewer = Viewer(services, mine)
    their_org = services.workspaces.capture_pass(theirs.serial, for_s=30).organisation
    own, foreign = uid_of(services, mine), uid_of(services, theirs)
    answers = [
        viewer.query(foreign, "SELECT word FROM notes"),
        viewer.query(foreign, "SELECT word FROM notes", their_org),
        viewer.query(foreign, "SELECT word FROM notes", target=f"?targetOrgId={their_org}"),
        viewer.query(foreign, "SELECT word FROM notes", their_org, target="?targetOrgId=1"),
        viewer.query(own, f'SELECT word FROM "{theirs.name}-QOR".public.notes'),
        viewer.query(own, "SELECT dblink('dbname=postgres', 'SELECT 1')"),
        viewer.query(own, "SELECT pg_read_file('/etc/passwd')"),
        viewer.query(own, "SET ROLE postgres; SELECT word FROM notes"),
        viewer.client.get("/api/datasources", headers={"X-Grafana-Org-Id": str(their_org)}),
        viewer.client.get("/api/search", headers={"X-Grafana-Org-Id": str(their_org)}),
        viewer.client.get(f"/api/datasources/proxy/uid/{foreign}/"),
        viewer.client.get("/api/orgs"),
    ]
    assert [one.status_code for one in answers if "SECRET-OF-THEIRS" in one.text] == []
    assert [one.status_code for one in answers if one.status_code < 400 and one.text != "[]"] == []
    assert "mine" in viewer.query(own, "SELECT word FROM notes").text
    viewer.client.close()
    theirs_too = Viewer(services, theirs)
    assert "SECRET-OF-THEIRS" in theirs_too.query(foreign, "SELECT word FROM notes").text
    theirs_too.client.close()
    for tenant, (user, organisation) in zip(both, homes, strict=True):
        services.tenants.delete(SYSTEM, tenant.serial, confirm=tenant.name)
        for job in ("workspaces.remove-tenant", "stores.remove-tenant"):
            run(services, job, tenant.serial)
        boss.delete(f"/api/admin/users/{user}").raise_for_status()
        boss.delete(f"/api/orgs/{organisation}").raise_for_status()
