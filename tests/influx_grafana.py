"""A whole installation on a real Grafana and a real InfluxDB, with campaigns of two tenants. For contract tests."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from tests.unit.stores.conftest import World as StoreWorld
from tests.unit.stores.conftest import installation

from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.settings import load
from belvedere.node.parts import answers
from belvedere.tenants.model import Tenant
from grafana_world import REAL, access_of
from influx_world import ORG, TOKEN, URL, batch

SECRET = "what only Grafana knows"
HOUR = 3600


@dataclass
class Both:
    """The installation, and each tenant's own Viewer."""

    services: Services
    stores: StoreWorld
    http: httpx2.Client
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    start: int = 0

    def organisation(self, who: str) -> int:
        from belvedere.workspaces.grafana import store
        from belvedere.workspaces.grafana.model import Seat
        from belvedere.workspaces.tiers import Tier

        tier = self.services.workspaces.tier(self.tenants[who].serial)
        if tier is Tier.TEAM:
            return self.services.workspaces.shared_organisation()
        with self.services.database.transaction() as connection:
            known = store.place(connection, Seat(self.tenants[who].serial, tier))
        return known.organisation if known else 0

    def call(self, method: str, path: str, who: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        sent = ({} if who == "admin" else {"X-Grafana-Org-Id": str(self.organisation(who))}) | (headers or {})
        return self.http.request(method, path, auth=self.people[who], headers=sent, **more)

    def board(self, who: str) -> dict[str, Any]:
        [one] = self.services.dashboards.list(SYSTEM, tenant=self.tenants[who].serial).items
        assert one.state == "ready", one.message
        answer = self.call("GET", f"/api/dashboards/uid/b{one.id.hex}", who)
        return dict(answer.json()["dashboard"])

    def ask(self, who: str, target: dict[str, Any], headers: dict[str, str] | None = None, **more: Any) -> Any:
        asked = {"refId": "A", "intervalMs": 600_000, "maxDataPoints": 500, **target}
        body = {"from": str((self.start - HOUR) * 1000), "to": str((self.start + 30 * HOUR) * 1000), "queries": [asked]}
        return self.call("POST", "/api/ds/query", who, headers, json=body | more)

    def source(self, who: str) -> dict[str, Any]:
        uid = next(f"b{one.id.hex}" for one in self.services.stores.of_tenant(self.tenants[who].serial)
                   if one.kind == "influxdb")
        return dict(self.call("GET", f"/api/datasources/uid/{uid}", "admin", headers=self.as_admin(who)).json())

    def as_admin(self, who: str) -> dict[str, str]:
        return {"X-Grafana-Org-Id": str(self.organisation(who))}


def chosen(text: str, **values: str) -> str:
    """Put into a question what Grafana's page would."""
    named = {"meter": "7", "device": ".*", "channel": ".*"} | values
    for name, value in named.items():
        text = text.replace(f"${{{name}:regex}}", value)
    return text.replace("$__interval", "10m")


@contextmanager
def both(
    cluster: Any, home: Path, *, tier: str, language: str = "flux", port: int = 18961, alice: float = 100.0,
    bob: float = 7777.0,
) -> Iterator[Both]:
    """Run it; each tenant has campaign `spring` with a day of power and voltage, a gap of four hours in it."""
    access, powers = access_of(REAL), {"alice": alice, "bob": bob}
    with installation(cluster, home) as stores:
        environment = {
            "BELVEDERE_HOME": str(home), "BELVEDERE_DATABASE_URL": stores.database.url.reveal(),
            "BELVEDERE_GATEWAY": "1" if tier == "team" else "0", "BELVEDERE_GATEWAY_SECRET": SECRET,
            "BELVEDERE_GATEWAY_PORT": str(port), "GRAFANA_BASE_URL": access.url, "GRAFANA_USER": access.user,
            "GRAFANA_PASSWORD": access.password.reveal(), "BELVEDERE_WORKSPACE_TIER": tier,
            "BELVEDERE_GRAFANA_SHARED": f"Points {uuid4().hex[:8]}", "BELVEDERE_SUPERVISED": "1",
            "INFLUXDB_HOST": URL, "INFLUXDB_ORG": ORG, "INFLUXDB_ADMIN_TOKEN": TOKEN,
            "INFLUXDB_QUERY_LANGUAGE": language, "TSV_META_BUCKET": f"meta {uuid4().hex[:8]}",
        }
        services = build(load(environment, home / ".env"))
        process = None
        made = Both(services, stores, httpx2.Client(base_url=access.url, timeout=60))
        try:
            if tier == "team":
                process = subprocess.Popen(
                    [sys.executable, "-m", "belvedere.cli.main", "gateway"], env={**os.environ, **environment})
            made.start = (int(time.time()) // HOUR - 48) * HOUR
            made.people["admin"] = ("admin", "admin")
            mark = uuid4().hex[:6]
            for name in ("alice", "bob"):
                made.tenants[name] = tenant = stores.tenant(f"{name}-{mark}")
                fill(made, tenant, powers[name])
                services.workspaces.provision(tenant.serial)
                services.dashboards.reconcile_tenant(tenant.serial)
                for one in services.stores.of_tenant(tenant.serial):
                    services.dashboards.reconcile(one.id)
                login, password = services.workspaces.take_password(SYSTEM, tenant.serial)
                made.people[name] = (login, password.reveal())
            while process is not None and not answers("127.0.0.1", port):
                assert process.poll() is None
                time.sleep(0.05)  # between two looks at a server that starts
            yield made
        finally:
            if process is not None:
                process.terminate()
                process.wait(20)
            for tenant in made.tenants.values():
                services.tenants.delete(SYSTEM, tenant.name, confirm=tenant.name)
                services.workspaces.remove_tenant(tenant.serial)
                services.points.remove_tenant(tenant.serial, keep_data=False)
            if tier == "team":
                number = services.workspaces.shared_organisation()
                made.http.request("DELETE", f"/api/orgs/{number}", auth=("admin", "admin"))
            made.http.close()
            services.close()


def fill(made: Both, tenant: Tenant, power: float) -> None:
    """Write a day in steps of ten minutes; of four hours there is nothing."""
    rows = [made.start + 600 * place for place in range(144) if not 48 <= place < 72]
    made.services.points.prepare(tenant.serial, "spring")
    watts = batch({"Ch1": dict.fromkeys(rows, power), "Ch2": dict.fromkeys(rows, power * 2)})
    volts = batch({"U1": dict.fromkeys(rows, 230.0)}, unit="V")
    made.services.points.write(tenant.serial, "spring", [watts, volts])
