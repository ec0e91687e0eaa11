"""The query gateway beside a data source of its own database: the same queries, through the same Grafana.

The peer is Grafana's PostgreSQL data source on the tenant's database, with the tenant's reader login. Promise: the
gateway adds at most 5 ms to the median of a query, and streams 100 MB without holding them: a client that stops reading
for a while finds the gateway no larger. BELVEDERE_TEST_GRAFANA_URL names a Grafana of 10.4 or later for tests, with the
toggle idForwarding and admin/admin; without it the gateway is measured alone, with tokens of its own making, against
psycopg on the same database.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from server import installation, server, working

from belvedere.app import Services
from belvedere.gateway.model import IDENTITY_HEADER, PROOF_HEADER
from belvedere.gateway.testing import Mint
from belvedere.kernel.actor import SYSTEM
from belvedere.stores.model import Store

SAMPLES = 200
MOST_ADDED_MS = 5.0
MOST_GROWTH_MB = 64
STREAMED_BYTES = 100_000_000
QUERY = "SELECT run_at AS time, wns, tns FROM public.runs ORDER BY run_at"
LARGE = "SELECT repeat('0123456789', 1000) AS x FROM generate_series(1, 12000)"
TABLE = """
CREATE TABLE runs (run_at timestamptz, design text, wns float8, tns float8);
INSERT INTO runs SELECT now() - n * interval '1 hour', 'gcd', -0.01 * n, -1.5 * n FROM generate_series(1, 200) n
"""


@contextmanager
def gateway(services: Services, superuser: str, *, grafana: str, organisation: int) -> Iterator[tuple[str, int]]:
    """Run `belvedere gateway` as it is run; give its address and process number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "BELVEDERE_HOME": services.settings.home, "GRAFANA_BASE_URL": grafana,
        "BELVEDERE_DATABASE_URL": superuser.removesuffix("/postgres") + "/control", "BELVEDERE_SUPERVISED": "1",
        "BELVEDERE_GATEWAY_ORGANISATION": str(organisation), "BELVEDERE_GATEWAY_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "belvedere.cli.main", "gateway"], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: httpx2.get(f"{address}/health").status_code == 200)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, for a minute at most."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    message = "nothing answers"
    raise SystemExit(message)


@contextmanager
def published(mint: Mint) -> Iterator[str]:
    """Serve a mint's keys where Grafana's would be."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(mint.published()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def memory_mb(pid: int) -> float:
    """Return what a process and its children hold, in megabytes."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                lines = (folder / "status").read_text().splitlines()
            except OSError:
                continue
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            if folder.name == str(pid) or status.get("PPid", "").strip() == str(pid):
                total += int(status.get("VmRSS", "0 kB").split()[0])
    return total / 1024


def timed(**calls: Callable[[], object]) -> float:
    """Time two calls in turn, so that what else goes on meets both; return by how many ms the second is slower."""
    taken: dict[str, list[float]] = {label: [] for label in calls}
    for turn in range(SAMPLES + 20):
        for label, call in calls.items():
            began = time.perf_counter()
            call()
            if turn >= 20:
                taken[label].append((time.perf_counter() - began) * 1000)
    for label, each in taken.items():
        print(f"{label:<12} p50 {statistics.median(each):7.2f} ms   p95 {statistics.quantiles(each, n=20)[-1]:7.2f} ms")
    direct, through = (statistics.median(each) for each in taken.values())
    return through - direct


def tenant(services: Services) -> Store:
    """Make a tenant with a table, and return its store."""
    with working(services, watch=False):
        made, _ = services.tenants.create(SYSTEM, "alice")
        services.tenants.wait(SYSTEM, made.serial, most_s=150)
    read = {
        word: services.credentials.read(made.serial, name).reveal()  # type: ignore[union-attr]
        for word, name in {
            "host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS", "dbname": "DB_NAME_QOR",
        }.items()
    }
    with psycopg.connect(**read, autocommit=True) as connection:
        connection.execute(TABLE)
    return next(one for one in services.stores.of_tenant(made.serial) if one.kind == "QOR")


def streamed(address: str, headers: dict[str, str], pid: int) -> float:
    """Take a large answer in two halves with a pause between; return by how much the gateway grew, in megabytes."""
    before = memory_mb(pid)
    most, size, began = 0.0, 0, time.perf_counter()
    with httpx2.stream(
        "POST", f"{address}/query", params={"db": "QOR"}, data={"q": LARGE}, headers=headers, timeout=60
    ) as answer:
        paused = 0.0
        for piece in answer.iter_raw():
            if not size:
                time.sleep(3)  # who stops reading must not make the gateway read on
                paused = 3.0
                most = max(most, memory_mb(pid))
            if size // 5_000_000 != (size + len(piece)) // 5_000_000:
                most = max(most, memory_mb(pid))
            size += len(piece)
    took = time.perf_counter() - began - paused
    assert size > STREAMED_BYTES, size
    speed = size / 1e6 / took
    print(f"{size / 1e6:.0f} MB in {took:.1f} s ({speed:.0f} MB/s); the gateway grew by {most - before:.0f} MB")
    return most - before


class Grafana:
    """A running Grafana with the two data sources in one shared organisation."""

    def __init__(self, url: str) -> None:
        """Make the organisation and a Viewer."""
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=60)
        name = f"gateway bench {time.time():.0f}"
        self.organisation = self.call("POST", "/api/orgs", {"name": name})["orgId"]
        self.login = f"viewer{self.organisation}"
        made = {"login": self.login, "password": "secret1", "OrgId": self.organisation}
        self.user = self.call("POST", "/api/admin/users", made)["id"]
        self.call("PATCH", f"/api/orgs/{self.organisation}/users/{self.user}", {"role": "Viewer"})

    def call(self, method: str, path: str, body: dict[str, Any], who: tuple[str, str] = ("admin", "admin")) -> Any:  # noqa: ANN401
        headers = {"X-Grafana-Org-Id": str(self.organisation)} if hasattr(self, "organisation") else {}
        answer = self.http.request(method, path, json=body, auth=who, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def source(self, uid: str, **more: object) -> None:
        self.call("POST", "/api/datasources", {"name": uid, "uid": uid, "access": "proxy", **more})

    def query(self, uid: str, **more: object) -> None:
        asked = {"refId": "A", "datasource": {"uid": uid}, "intervalMs": 60_000, "maxDataPoints": 1000, **more}
        body = {"from": "now-30d", "to": "now", "queries": [asked]}
        found = self.call("POST", "/api/ds/query", body, (self.login, "secret1"))
        assert len(found["results"]["A"]["frames"][0]["data"]["values"][0]) == 200

    def close(self) -> None:
        self.http.request("DELETE", f"/api/orgs/{self.organisation}", auth=("admin", "admin"))
        self.http.request("DELETE", f"/api/admin/users/{self.user}", auth=("admin", "admin"))


def against_grafana(services: Services, superuser: str, url: str) -> tuple[float, float]:
    """Measure on a real Grafana: the time added, and the growth while streaming by the data-source proxy."""
    store, grafana = tenant(services), Grafana(url)
    role, password = services.stores.reader_login(store.id)
    proof = services.gateway_secrets()[0].reveal()
    try:
        with gateway(services, superuser, grafana=url, organisation=grafana.organisation) as (address, pid):
            services.identities.link(SYSTEM, f"user:{grafana.user}", "alice", member="viewer")
            grafana.source(
                "direct", type="postgres", url=f"{store.host}:{store.port}", user=role,
                jsonData={"database": store.database, "sslmode": "disable"},
                secureJsonData={"password": password.reveal()},
            )
            grafana.source(
                "gateway", type="influxdb", url=address,
                jsonData={"dbName": "QOR", "httpMode": "POST", "httpHeaderName1": PROOF_HEADER},
                secureJsonData={"httpHeaderValue1": proof},
            )
            added = timed(
                direct=lambda: grafana.query("direct", rawSql=QUERY, format="table"),
                gateway=lambda: grafana.query("gateway", rawQuery=True, query=QUERY, resultFormat="table"),
            )
            authorised = httpx2.BasicAuth(grafana.login, "secret1")
            signed = next(authorised.auth_flow(httpx2.Request("GET", url))).headers["Authorization"]
            proxy = f"{url}/api/datasources/proxy/uid/gateway"
            headers = {"Authorization": signed, "X-Grafana-Org-Id": str(grafana.organisation)}
            return added, streamed(proxy, headers, pid)
    finally:
        grafana.close()


def alone(services: Services, superuser: str) -> tuple[float, float]:
    """Measure the gateway without a Grafana: against a connection that is kept open."""
    store, mint = tenant(services), Mint(organisation=19)
    role, password = services.stores.reader_login(store.id)
    services.identities.link(SYSTEM, "user:12", "alice", member="viewer")
    with published(mint) as url:
        mint.issuer = url
        headers = {PROOF_HEADER: services.gateway_secrets()[0].reveal(), IDENTITY_HEADER: mint.token("user:12")}
        with (
            gateway(services, superuser, grafana=url, organisation=19) as (address, pid),
            httpx2.Client(headers=headers, timeout=60) as http,
            psycopg.connect(host=store.host, port=store.port, user=role, password=password.reveal(),
                            dbname=store.database, autocommit=True) as connection,
        ):
            asked = {"params": {"db": "QOR"}, "data": {"q": QUERY}}
            added = timed(
                psycopg=lambda: connection.execute(QUERY).fetchall(),
                gateway=lambda: http.post(f"{address}/query", **asked).raise_for_status().json(),
            )
            return added, streamed(address, headers, pid)


def main() -> int:
    """Measure; return 1 when a promise is not kept."""
    url = os.environ.get("BELVEDERE_TEST_GRAFANA_URL", "").rstrip("/")
    with server() as superuser, installation(superuser) as services:
        added, growth = against_grafana(services, superuser, url) if url else alone(services, superuser)
    kept = added <= MOST_ADDED_MS and growth <= MOST_GROWTH_MB
    print(f"added {added:.2f} ms (at most {MOST_ADDED_MS:.0f}), growth {growth:.0f} MB (at most {MOST_GROWTH_MB})")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
