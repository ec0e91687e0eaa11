"""What befalls a Grafana as a server: TLS of an own authority, a sub-path, another version, an emptied or old database.

What needs a server of its own is run where BELVEDERE_TEST_GRAFANA_START names a program that starts one and returns
when it answers: `PROGRAM PORT FOLDER [section.key=value ...]`, with its data and a file `pid` in FOLDER.
"""

import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place
from grafana_faults import Faulty, said
from grafana_world import World, access_of, make

pytestmark = pytest.mark.contract
START = os.environ.get("BELVEDERE_TEST_GRAFANA_START", "")
real = pytest.mark.skipif(not START, reason="BELVEDERE_TEST_GRAFANA_START names no program that starts a Grafana.")


class Server:
    """A real Grafana of this test alone."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder

    def start(self, *settings: str) -> None:
        subprocess.run([START, str(self.port), self.folder, *settings], check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (self.folder / "pid").unlink()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "grafana")
    yield made
    if (made.folder / "pid").exists():
        made.stop()


def world_on(database: Database, folder: Path, url: str) -> World:
    return make(database, folder, access_of(url, timeout_s=5.0))


def settled(world: World, places: list[Place]) -> None:
    """Look at all as the timer does, until nothing is left to do."""
    for _ in range(5):
        for place in places:
            try:
                world.workspaces.provision(place.tenant)
            except Later:
                continue
        if not any(world.grafana.plan(place) for place in places):
            return
    pytest.fail("never came to rest")


def ready(world: World) -> Place:
    place = world.tenant()
    world.shown[place.tenant] = [world.publication(place)]
    world.workspaces.provision(place.tenant)
    assert not world.grafana.plan(place)
    return place


@real
def test_an_emptied_and_an_old_database_are_filled_again_and_no_tenant_gets_anothers_place(
    server: Server, database: Database, tmp_path: Path
) -> None:
    server.start()
    world = world_on(database, tmp_path, f"http://admin:admin@127.0.0.1:{server.port}")
    early = ready(world)
    server.stop()
    shutil.copytree(server.folder, tmp_path / "old")
    server.start()
    late = ready(world)
    with pytest.raises(AssertionError):
        assert world.grafana.plan(early)

    server.stop()
    with pytest.raises(Later):
        world.workspaces.provision(late.tenant)
    shutil.rmtree(server.folder)
    shutil.copytree(tmp_path / "old", server.folder)
    server.start()
    settled(world, [late, early])
    server.stop()
    shutil.rmtree(server.folder)
    server.start()
    # The other way round: the numbers on record are now the other's.
    settled(world, [late, early])
    for place in (early, late):
        org = world.ask(requests.organisation_named(f"Tenant {place.tenant} - {place.name}"))["id"]
        names = [one["name"] for one in world.ask(requests.sources(), organisation=org)]
        assert all(name.startswith(f"t{place.tenant}-") for name in names)
        assert len(names) == 3
    assert len(world.ask(requests.organisations(0))) == 3
    world.close()


@real
def test_a_locked_sqlite_is_waited_for(server: Server, database: Database, tmp_path: Path) -> None:
    server.start()
    world = world_on(database, tmp_path, f"http://admin:admin@127.0.0.1:{server.port}")
    held = sqlite3.connect(server.folder / "grafana.db", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN EXCLUSIVE")
    freed = threading.Timer(4.0, lambda: held.execute("ROLLBACK"))
    freed.start()
    place = world.tenant()
    world.shown[place.tenant] = [world.publication(place)]
    settled(world, [place])
    freed.join()
    held.close()
    world.close()


@real
def test_a_grafana_under_a_sub_path_is_reached_and_its_pages_are_named_by_it(
    server: Server, database: Database, tmp_path: Path
) -> None:
    root = f"http://127.0.0.1:{server.port}/grafana"
    server.start("server.serve_from_sub_path=true", f"server.root_url={root}/")
    world = world_on(database, tmp_path, f"http://admin:admin@127.0.0.1:{server.port}/grafana/")
    place = ready(world)
    address = world.workspaces.publish(place.tenant, world.shown[place.tenant][0])
    assert address.startswith(f"{root}/d/b")
    page = httpx2.get(address, auth=("admin", "admin"), follow_redirects=True)
    assert page.status_code == 200
    assert str(page.url).startswith(f"{root}/d/b")
    world.close()


def test_a_sub_path_is_part_of_every_request() -> None:
    seen: list[str] = []
    twin = TwinGrafana()

    def under(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.path)
        inner = request.url.copy_with(path=request.url.path.removeprefix("/tools/grafana"))
        text = request.read()
        return twin.handle_request(httpx2.Request(request.method, inner, headers=request.headers, content=text))

    grafana = Grafana(access_of("http://admin:admin@host/tools/grafana/"), transport=httpx2.MockTransport(under))
    grafana.ask(requests.organisation(1))
    grafana.close()
    assert seen
    assert all(path.startswith("/tools/grafana/") for path in seen)


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Grafana behind TLS with a certificate of an authority that nobody else knows."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    ca, key, mine, wish = (tmp_path / name for name in ("ca.pem", "key.pem", "server.pem", "wish.pem"))
    more = tmp_path / "san"
    more.write_text("subjectAltName=IP:127.0.0.1\n")
    for argv in (
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         tmp_path / "ca.key", "-out", ca, "-days", "2", "-subj", "/CN=own"],
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", wish,
         "-subj", "/CN=grafana"],
        ["x509", "-req", "-in", wish, "-CA", ca, "-CAkey", tmp_path / "ca.key", "-CAcreateserial", "-out", mine,
         "-days", "2", "-extfile", more],
    ):
        subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)
    twin = TwinGrafana()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, as in `grafana_server.py`

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = httpx2.Request(
                self.command, f"http://twin{self.path}", headers=dict(self.headers.items()), content=body
            )
            made = twin.handle_request(request)
            self.send_response(made.status_code)
            for name in ("Content-Type", "Set-Cookie"):
                if name in made.headers:
                    self.send_header(name, made.headers[name])
            self.send_header("Content-Length", str(len(made.content)))
            self.end_headers()
            self.wfile.write(made.content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine, key)
    http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    http.handle_error = lambda *_: None  # type: ignore[method-assign]  (who does not trust it hangs up)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{http.server_port}", ca
    http.shutdown()
    http.server_close()
    thread.join()


def test_an_own_authority_is_trusted_when_its_file_is_named_and_asked_for_otherwise(
    certified: tuple[str, Path], tmp_path: Path
) -> None:
    url, ca = certified
    trusting = Grafana(access_of(url, ca_file=str(ca)))
    assert trusting.ask(requests.organisation(1)).status == 200
    trusting.close()
    (tmp_path / "no.pem").write_text("nothing")
    for wrong in ("", str(tmp_path / "no.pem"), str(tmp_path / "absent.pem")):
        other = Grafana(access_of(url, ca_file=wrong), pause=lambda _s: None)
        with pytest.raises(Stuck) as caught:
            other.ask(requests.organisation(1))
        assert caught.value.problem == "grafana-address"
        assert "BELVEDERE_GRAFANA_CA_FILE" in (caught.value.hint or "")
        other.close()


@pytest.mark.parametrize(("version", "plugin"), [
    ("9.3.2", "postgres"), ("10.2.8", "postgres"), ("10.4.3", "grafana-postgresql-datasource"),
    ("11.0.0", "grafana-postgresql-datasource"), ("12.3.0-pre+security", "grafana-postgresql-datasource"),
    ("13.0.1", "grafana-postgresql-datasource"),
])
def test_the_plugins_name_goes_by_the_version_that_answers(version: str, plugin: str) -> None:
    grafana = Grafana(access_of("http://grafana.test"), transport=TwinGrafana(version=version))
    assert grafana.postgres_plugin(1) == plugin


@pytest.mark.parametrize(("status", "plugin"), [(200, "grafana-postgresql-datasource"), (404, "postgres")])
def test_where_the_version_is_hidden_the_plugin_is_asked_for(status: int, plugin: str) -> None:
    def hidden(_number: int, request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path == "/api/health":
            return httpx2.Response(200, json={"database": "ok"})
        return said(status, "") if request.url.path.startswith("/api/plugins/") else None

    grafana = Grafana(access_of("http://grafana.test"), transport=Faulty(TwinGrafana(), hidden))
    assert grafana.postgres_plugin(1) == plugin


def test_a_troubled_answer_may_quote_our_secrets_and_none_comes_through() -> None:
    from belvedere.kernel.secret import Secret

    password = "quoted-admin-password"
    for status in (400, 403, 409, 429, 500, 503):
        faulty = Faulty(TwinGrafana(), fault=lambda _n, _r, s=status: said(s, f"for admin:{password}@db"))  # type: ignore[misc]
        grafana = Grafana(Access("http://g.test", "admin", Secret(password)), transport=faulty, pause=lambda _s: None)
        with pytest.raises((Later, Stuck)) as caught:
            grafana.ask(requests.mark_organisation(1, "x"))
        assert password not in f"{caught.value.detail} {getattr(caught.value, 'hint', '')} {caught.value!r}"
