"""Every route and every command that changes something writes its two records, and nothing is left out of this list."""

import base64
import hashlib
import io
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click
import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg import sql

from belvedere.app import Services, build
from belvedere.cli.main import NOUNS, run
from belvedere.intake.model import Happening, Via
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.stores.watch import ServerWatch
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE
from grafana_server import Server

BYTE: Final = b"x"
PASSWORD: Final = "a fine november password"
SSH_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5Gh3rT0c2vQ4mMy8mFz1r3S9qhE0yB4ZlXmVb0l8Yk"
SSH_FINGERPRINT: Final = "SHA256:" + base64.b64encode(
    hashlib.sha256(base64.b64decode(SSH_KEY.split()[1])).digest()
).decode().rstrip("=")
UNRECORDED: Final = {
    "home.theme": "light or dark is a cookie of the browser; nothing on the server changes",
    "accounts.preferences": "as home.theme",
    "settings.test": "looks at every part once more; nothing changes",
}
"""Endpoints and commands that change something but not the installation, each with its reason."""

LOOKS: Final = {
    "up", "down", "status", "init-db", "web", "jobs run", "settings", "doctor", "backup", "restore", "reset",
    "completion", "gateway run", "sftp run", "sftp host-key", "intake run", "intake check",
}  # fmt: skip
"""Commands about the processes and the home itself; they run before or without a control database."""

_READS: Final = re.compile(r".* (list|show|why|plan|export|verify|inventory|list-orgs)$")


@dataclass
class World:
    """An installation with a tenant, a dashboard, a delivery, a job, a token, a session: something for every deed."""

    services: Services
    client: FlaskClient
    csrf: str
    bearer: str
    dashboard: UUID
    delivery: UUID
    grafana: Server
    failures: list[str] = field(default_factory=list)

    @property
    def job(self) -> int:
        return int(self.services.queue.list(SYSTEM, state="waiting").items[0].id)

    def flash(self) -> UUID:
        return self.services.flash.create(SYSTEM, "info", "hello").id

    def token(self) -> str:
        return self.services.tokens.create(SYSTEM, name="x", role=Role.VIEWER)[0].prefix

    def operator(self) -> str:
        name = f"op{time.monotonic_ns()}"
        self.services.accounts.create(SYSTEM, name, Role.VIEWER)
        return name

    def session(self) -> UUID:
        dana = self.services.accounts.get(SYSTEM, "dana")
        return self.services.sessions.find(self.services.sessions.open(dana, origin="203.0.113.9")).id

    def member(self) -> UUID:
        """Add an owner to alice if she has none, then a member."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        for _ in range(2):
            made = self.services.members.add(SYSTEM, alice, f"m{time.monotonic_ns()}@example.org")
        return made.member.id

    def invitation(self) -> UUID:
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        return self.services.invitations.create(SYSTEM, alice)[0].id

    def link(self) -> str:
        """Return the last part of a link, for whoever has it."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        return self.services.invitations.create(SYSTEM, alice)[1].reveal()

    def key(self) -> str:
        """Return the prefix of a token of alice's."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        return self.services.tokens.create(SYSTEM, name="x", role=Role.VIEWER, tenant=alice)[0].prefix

    def sftp_user(self, *, key: bool = False) -> UUID:
        """Make an SFTP user of alice's, with a key if asked for."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        made = self.services.sftp.add(SYSTEM, alice, name=f"alice-{time.monotonic_ns()}")
        if key:
            self.services.sftp.add_key(SYSTEM, alice, str(made.user.id), SSH_KEY)
        return made.user.id

    def sftp_login(self, *, key: bool = False) -> str:
        """Return the login of a new SFTP user of alice's."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        return self.services.sftp.get(SYSTEM, alice, str(self.sftp_user(key=key))).name

    def sftp_session(self) -> UUID:
        """Open an SFTP session of alice's."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        user = self.services.sftp.get(SYSTEM, alice, str(self.sftp_user()))
        begun = self.services.sftp_sessions.begin(user, origin="", client="", method="password", server="rules")
        begun.record.close()
        return begun.id

    def export(self) -> dict[str, Any]:
        """Return alice's dashboard as Grafana exports it."""
        return dict(self.services.templates.export(SYSTEM, self.dashboard))

    def campaign(self) -> UUID:
        """Make a folder and return the campaign that it becomes."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        home = self.services.intake.root.path / "alice"
        (home / f"c{time.monotonic_ns()}").mkdir(parents=True)
        self.services.intake.look(str(alice))
        return self.services.campaigns.list(SYSTEM, tenant=alice).items[0].id

    def upload(self) -> UUID:
        """Put a file there that nobody reads, and return its upload."""
        alice = self.services.tenants.get(SYSTEM, "alice").serial
        folder = self.services.campaigns.get(SYSTEM, self.campaign()).name
        (self.services.intake.root.path / "alice" / folder / "x.bin").write_bytes(b"x")
        self.services.intake.notice("alice", f"{folder}/x.bin", Happening.CLOSED, via=Via.SFTP)
        self.services.intake.take(str(alice))
        return self.services.uploads.list(SYSTEM, tenant=alice).items[0].id

    def sending(self) -> UUID:
        """Begin to send a file of one byte."""
        return self.services.resumable.begin(
            SYSTEM, tenant="alice", campaign="sent", device="", name=f"f{time.monotonic_ns()}.bin", size=1
        ).id

    def template(self) -> str:
        """Bring a template and return its name."""
        data = json.dumps(self.export()).encode()
        return self.services.templates.bring(SYSTEM, data, name=f"t{time.monotonic_ns()}").name

    def differs(self) -> None:
        """Leave something to repair."""
        with self.services.database.transaction() as connection:
            connection.execute(
                "INSERT INTO workspace_difference (tenant_id, key, sign, title, target) "
                "SELECT serial, 'x', '~', 'x', 'x' FROM tenant WHERE name = 'alice'"
            )

    def organisation(self, name: str) -> str:
        """Open a tenant's workspace and return the number of its organisation."""
        serial = self.services.tenants.get(SYSTEM, name).serial
        self.services.workspaces.provision(serial)
        return str(self.services.drift.state(SYSTEM, serial).organisation)

    def left_behind(self) -> str:
        """Make an organisation as the cost monitor left it, and return its number."""
        number = time.monotonic_ns() % 10**12
        return str(self.grafana.organisation(f"Tenant {number} - left{number}"))

    def tenant(self) -> str:
        name = f"t{time.monotonic_ns()}"
        self.services.tenants.create(SYSTEM, name)
        return name

    def is_recorded(self, deed: Callable[[], object]) -> bool:
        """Tell whether a deed left at least one action, and none open."""
        before = {one.id for one in self.services.history.search(SYSTEM, limit=500).items}
        deed()
        new = [one for one in self.services.history.search(SYSTEM, limit=500).items if one.id not in before]
        by_a_door = [one for one in new if one.door in {"portal", "api", "cli"}]
        return bool(by_a_door) and all(one.result != "running" for one in new)


@pytest.fixture
def world(database: Database, cluster: Any, tmp_path: Path) -> Iterator[World]:
    server = Server()
    services = build(Settings(
        home=str(tmp_path / "home"), database_url=database.url, pool_size=8, grafana_url=server.bare,
        grafana_user="admin", grafana_password=Secret("admin"),
    ))
    made = services.accounts.create(SYSTEM, "dana", Role.ADMIN, password=Secret(PASSWORD))
    with database.transaction() as connection:
        connection.execute("UPDATE operator SET must_change_password = false")
    cookie = services.sessions.open(made.operator, origin="127.0.0.1")
    client = create_app(services).test_client()
    client.set_cookie(SESSION_COOKIE, cookie.reveal())
    _, secret = services.tokens.create(SYSTEM, name="rules", role=Role.ADMIN)
    dashboard = _dashboard(services)
    services.workspaces.provision(services.tenants.get(SYSTEM, "alice").serial)
    services.previews.send(SYSTEM, dashboard)
    delivery = services.notifications.list(SYSTEM).items[0].id
    csrf = services.sessions.find(cookie).csrf
    yield World(services, client, csrf, secret.reveal(), dashboard, delivery, server)
    services.close()
    server.close()
    _clean(cluster)


def _dashboard(services: Services) -> UUID:
    """Bring a table of the tenant alice to a dashboard, as the jobs would."""
    tenant, _ = services.tenants.create(SYSTEM, "alice")
    jobs = {job.name: job for job in services.jobs}
    jobs["stores.provision"].run(str(tenant.serial))
    jobs["workspaces.provision"].run(str(tenant.serial))
    names = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS"}
    login = {name: services.credentials.read(tenant.serial, key).reveal() for name, key in names.items()}
    with psycopg.connect(**login, dbname="alice-QOR", autocommit=True) as flow:
        flow.execute("CREATE TABLE notes (at timestamptz, value float8)")
        flow.execute("INSERT INTO notes SELECT now() - i * interval '1 hour', i FROM generate_series(1, 20) i")
    watch = ServerWatch(
        database=services.database, queue=services.queue, server=services.stores.server, interval_s=0.1,
        full_every_s=3600,
    )
    store = next(one for one in services.stores.list(SYSTEM, tenant.serial) if one.database == "alice-QOR")
    deadline = time.monotonic() + 30
    while not services.stores.stable_relations(store.id):
        assert time.monotonic() < deadline
        watch.look()
    watch.close()
    services.dashboards.reconcile(store.id)
    return services.dashboards.list(SYSTEM).items[0].id


def _clean(cluster: Any) -> None:
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%-%'").fetchall():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for (name,) in connection.execute(r"SELECT rolname FROM pg_roles WHERE rolname LIKE 't\_%'").fetchall():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def of_pages(world: World) -> dict[str, tuple[str, dict[str, str]]]:
    """Return for every endpoint of the pages that changes something an address and a form that it takes."""
    here = f"/tenants/alice/dashboards/{world.dashboard}"
    world.differs()
    return {
        "operations.send_again": (f"/deliveries/{world.delivery}/again", {}),
        "operations.send_waiting": ("/deliveries/send-waiting", {}),
        "operations.try_now": (f"/jobs/{world.job}/try", {}),
        "home.dismiss": (f"/flashes/{world.flash()}/dismiss", {"back": "/"}),
        "history.verify": ("/history/verify", {}),
        "accounts.change_password": ("/me/password", {"old_password": PASSWORD, "new_password": PASSWORD + "s"}),
        "accounts.end_session": (f"/me/sessions/{world.session()}/end", {}),
        "accounts.end_others": ("/me/sessions/end-others", {}),
        "accounts.create_token": ("/me/tokens", {"name": "ci", "role": "viewer"}),
        "accounts.revoke_token": (f"/me/tokens/{world.token()}/revoke", {}),
        "accounts.create_operator": ("/settings/operators", {"name": "eve", "role": "viewer"}),
        "accounts.disable": (f"/settings/operators/{world.operator()}/disable", {}),
        "accounts.enable": (f"/settings/operators/{world.operator()}/enable", {}),
        "accounts.reset_password": (f"/settings/operators/{world.operator()}/password", {}),
        "accounts.set_role": (f"/settings/operators/{world.operator()}/role", {"role": "operator"}),
        "credentials.add": ("/tenants/alice/credentials", {"key": "MY_KEY", "value": "my-value"}),
        "credentials.change": ("/tenants/alice/credentials/DB_PORT/change", {"value": "5433"}),
        "credentials.reveal": ("/tenants/alice/credentials/DB_PASS/reveal", {"reason": "the rules ask"}),
        "credentials.delete": ("/tenants/alice/credentials/DB_PORT/delete", {}),
        "credentials.test": ("/tenants/alice/credentials/test", {}),
        "dashboards.capture_now": (f"{here}/capture", {}),
        "dashboards.send": (f"{here}/send", {}),
        "dashboards.override": (f"{here}/why", {"template": "", "reason": ""}),
        "tenant_data.send_again": (f"/tenants/alice/deliveries/{world.delivery}/again", {}),
        "keys.rotate": ("/tenants/alice/keys/rotate", {}),
        "keys.create": ("/tenants/alice/keys/tokens", {"name": "ci", "role": "viewer"}),
        "keys.revoke": (f"/tenants/alice/keys/tokens/{world.key()}/revoke", {}),
        "members.invite": ("/tenants/alice/members/invite", {"email": "bob@example.org"}),
        "members.set_role": (f"/tenants/alice/members/{world.member()}/role", {"role": "editor"}),
        "members.suspend": (f"/tenants/alice/members/{world.member()}/suspend", {}),
        "members.resume": (f"/tenants/alice/members/{world.member()}/resume", {}),
        "members.remove": (f"/tenants/alice/members/{world.member()}/remove", {}),
        "members.password": (f"/tenants/alice/members/{world.member()}/password", {}),
        "members.withdraw": (f"/tenants/alice/members/invitations/{world.invitation()}/withdraw", {}),
        "invitations.join": (f"/invitations/{world.link()}/join", {}),
        "sftp.add": ("/tenants/alice/sftp/users", {"name": "alice-by-page"}),
        "sftp.password": (f"/tenants/alice/sftp/users/{world.sftp_user()}/password", {}),
        "sftp.disable": (f"/tenants/alice/sftp/users/{world.sftp_user()}/disable", {}),
        "sftp.enable": (f"/tenants/alice/sftp/users/{world.sftp_user()}/enable", {}),
        "sftp.remove": (f"/tenants/alice/sftp/users/{world.sftp_user()}/remove", {}),
        "sftp.add_key": (f"/tenants/alice/sftp/users/{world.sftp_user()}/keys", {"public_key": SSH_KEY}),
        "sftp.remove_key": (f"/tenants/alice/sftp/users/{world.sftp_user(key=True)}/keys/remove",
                            {"fingerprint": SSH_FINGERPRINT}),
        "sftp.end": (f"/tenants/alice/sftp/sessions/{world.sftp_session()}/end", {}),
        "sftp.end_any": (f"/sftp/sessions/{world.sftp_session()}/end", {}),
        "campaigns.rename": (
            f"/tenants/alice/campaigns/{world.campaign()}/rename", {"name": f"r{time.monotonic_ns()}"}),
        "campaigns.delete": (
            f"/tenants/alice/campaigns/{(doomed := world.campaign())}/delete",
            {"confirm": world.services.campaigns.get(SYSTEM, doomed).name}),
        "campaigns.send": ("/tenants/alice/campaigns/send", {
            "campaign": "by-form", "device": "", "file": (io.BytesIO(b"x"), "x.bin")}),
        "uploads.again": (f"/tenants/alice/uploads/{world.upload()}/again", {}),
        "uploads.cancel": (f"/tenants/alice/uploads/{world.sending()}/cancel", {}),
        "tenant.retry": ("/tenants/alice/retry", {}),
        "workspaces.apply": ("/tenants/alice/workspace/apply", {}),
        "workspaces.apply_all": ("/drift/apply", {}),
        "sftpgo.apply": ("/drift/sftpgo", {}),
        "fleet.apply": ("/uploads/fleet/apply", {}),
        "workspaces.password": ("/tenants/alice/workspace/password", {}),
        "workspaces.resolve": (f"/tenants/alice/workspace/dashboards/{world.dashboard}", {"choice": "ours"}),
        "tenants.create": ("/tenants/new", {"name": "made-by-page"}),
        "adoption.take": ("/settings/adoption/take", {"organisation": world.left_behind(), "name": "", "shape": ""}),
        "adoption.take_all": ("/settings/adoption/take-all", {"of": world.left_behind()}),
        "catalogue.bring": ("/templates", {"file": (io.BytesIO(json.dumps(world.export()).encode()), "a.json")}),
        "catalogue.remove": (f"/templates/{world.template()}/remove", {}),
        "tenant.delete": (f"/tenants/{(name := world.tenant())}/delete", {"confirm": name}),
        "accounts.sign_in_post": ("/sign-in", {"name": "dana", "password": PASSWORD + "s"}),
        "invitations.accept": (f"/invitations/{world.link()}", {
            "name": "Bob", "email": "bob@example.org", "password": PASSWORD, "again": PASSWORD}),
    }


def of_api(world: World) -> dict[str, tuple[str, dict[str, Any] | bytes]]:
    """Return for every route of the API that changes something a path and a body that it takes."""
    dashboard, slack = f"/dashboards/{world.dashboard}", "/users/alice/credentials"
    doomed, other, sftp = world.tenant(), world.tenant(), "/tenants/alice/sftp-users"
    return {
        "users.create": ("/users", {"username": "made-by-api"}),
        "users.delete": (f"/users/{world.services.tenants.get(SYSTEM, doomed).serial}", {}),
        "credentials.put": (slack, {"keyName": "MY_OTHER", "keyValue": "my-value"}),
        "credentials.change": (f"{slack}/MY_OTHER", {"keyValue": "another"}),
        "credentials.reveal": (f"{slack}/DB_PASS/reveal", {"reason": "the rules ask"}),
        "credentials.delete": (f"{slack}/MY_OTHER", {}),
        "members.add": ("/tenants/alice/members", {"email": "carol@example.org"}),
        "members.change": (f"/tenants/alice/members/{world.member()}", {"role": "editor"}),
        "members.remove": (f"/tenants/alice/members/{world.member()}", {}),
        "members.password": (f"/tenants/alice/members/{world.member()}/password", {}),
        "sftp-users.add": (sftp, {"name": "alice-by-api"}),
        "sftp-users.change": (f"{sftp}/{world.sftp_user()}", {"quota_files": 3}),
        "sftp-users.remove": (f"{sftp}/{world.sftp_user()}", {}),
        "sftp-users.password": (f"{sftp}/{world.sftp_user()}/password", {}),
        "sftp-users.no-password": (f"{sftp}/{world.sftp_user(key=True)}/password", {}),
        "sftp-users.add-key": (f"{sftp}/{world.sftp_user()}/keys", {"key": SSH_KEY}),
        "sftp-users.remove-key": (
            f"{sftp}/{world.sftp_user(key=True)}/keys/" + SSH_FINGERPRINT.replace("+", "-").replace("/", "_"), {}),
        "sftp-sessions.end": (f"/tenants/alice/sftp-sessions/{world.sftp_session()}/end", {}),
        "invitations.create": ("/tenants/alice/invitations", {"role": "viewer"}),
        "invitations.withdraw": (f"/tenants/alice/invitations/{world.invitation()}", {}),
        "campaigns.make": ("/campaigns", {"user": "alice", "name": "made-by-api"}),
        "campaigns.rename": (f"/campaigns/{world.campaign()}", {"name": f"r{time.monotonic_ns()}"}),
        "campaigns.delete": (
            f"/campaigns/{(gone := world.campaign())}?confirm={world.services.campaigns.get(SYSTEM, gone).name}", {}),
        "fleet.apply": ("/fleet/apply", {"restore": False}),
        "uploads.begin": ("/uploads?user=alice", {"campaign": "sent", "name": "by-api.bin", "size": 1}),
        "uploads.append": (f"/uploads/{world.sending()}?offset=0&checksum=crc32:{zlib.crc32(BYTE):08x}", BYTE),
        "uploads.cancel": (f"/uploads/{world.sending()}", {}),
        "uploads.try-again": (f"/uploads/{world.upload()}/try-again", {}),
        "tenants.create": ("/tenants", {"name": "made-by-api-too"}),
        "tenants.delete": (f"/tenants/{other}?confirm={other}", {"confirm": other}),
        "tenants.retry": ("/tenants/alice/retry", {}),
        "tenants.rotate-key": ("/tenants/alice/key", {}),
        "tenants.move": (f"/tenants/{world.tenant()}/move", {"tier": "viewer"}),
        "templates.import": ("/templates", {"dashboard": world.export(), "name": "by-api"}),
        "templates.remove": (f"/templates/{world.template()}", {}),
        "templates.choose": (f"{dashboard}/template", {"name": world.template()}),
        "templates.theirs": (f"{dashboard}/template/theirs", {"name": "theirs-by-api"}),
        "workspaces.apply": ("/tenants/alice/workspace/apply", {}),
        "workspaces.password": ("/tenants/alice/workspace/password", {}),
        "workspaces.resolve": (f"{dashboard}/resolve", {"choice": "ours"}),
        "adoption.take": ("/adoption", {"organisation": int(world.left_behind())}),
        "dashboards.create": ("/dashboards/create", {"username": "alice", "tableName": "notes", "dbName": "alice-QOR"}),
        "dashboards.override": (f"{dashboard}/override", {"template": "", "reason": ""}),
        "dashboards.capture": (f"{dashboard}/previews", {}),
        "dashboards.send": (f"{dashboard}/send", {}),
        "deliveries.send": (f"/deliveries/{world.delivery}/send", {}),
        "deliveries.test": ("/tenants/alice/deliveries/test", {}),
        "jobs.try": (f"/jobs/{world.job}/try", {}),
        "tokens.create": ("/tokens", {"name": "ci", "role": "viewer"}),
        "tokens.revoke": (f"/tokens/{world.token()}", {}),
        "flash.create": ("/flash", {"level": "info", "text": "hello"}),
        "flash.dismiss": (f"/flash/{world.flash()}", {}),
    }


def test_every_route_that_changes_something_writes_two_records(world: World) -> None:
    from belvedere.api.routes import ROUTES

    rules = world.client.application.url_map.iter_rules()
    pages = {
        rule.endpoint for rule in rules
        if rule.methods and rule.methods & {"POST", "PUT", "PATCH", "DELETE"} and not rule.rule.startswith("/api/")
    }  # fmt: skip
    known = of_pages(world)
    signed = {"accounts.sign_out"}
    assert pages - set(known) - signed - set(UNRECORDED) == set(), "say how to call it, or excuse it with a reason"
    for endpoint, (path, form) in known.items():
        if endpoint in pages and not world.is_recorded(lambda p=path, f=form: _post(world, p, f)):
            world.failures.append(endpoint)
    mutating = {route.name: route for route in ROUTES if route.mutates}
    calls = of_api(world)
    assert set(mutating) - set(calls) == set(), "say how to call it"
    for name, route in mutating.items():
        path, body = calls[name]
        if not world.is_recorded(lambda m=route.method, p=path, b=body: _call(world, m, p, b)):
            world.failures.append(f"api {name}")
    cookie = world.services.sessions.open(world.services.accounts.get(SYSTEM, "dana"), origin="")
    world.client.set_cookie(SESSION_COOKIE, cookie.reveal())
    world.csrf = world.services.sessions.find(cookie).csrf
    if not world.is_recorded(lambda: _post(world, "/sign-out", {})):
        world.failures.append("accounts.sign_out")
    assert world.failures == []
    assert world.services.history.verify().ok


def _post(world: World, path: str, form: dict[str, str]) -> None:
    answer = world.client.post(path, data={"csrf": world.csrf, **form})
    for line in answer.headers.getlist("Set-Cookie"):
        if line.startswith(f"{SESSION_COOKIE}=") and (value := line.partition("=")[2].partition(";")[0]):
            world.csrf = world.services.sessions.find(Secret(value)).csrf


def _call(world: World, method: str, path: str, body: dict[str, Any] | bytes) -> None:
    sent = {"data": body} if isinstance(body, bytes) else {"json": body or None}
    world.client.open(
        f"/api/v1{path}", method=method, **sent,
        # Nobody works the queue off here, so there is nothing to wait for.
        headers={"Authorization": f"Bearer {world.bearer}", "Prefer": "wait=0"},
    )


def leaves() -> Iterator[str]:
    """Yield every command that can be run."""
    for name, noun in NOUNS.items():
        module, _, attribute = noun.target.partition(":")
        command = getattr(import_module(module), attribute, None)
        yield from _below(name, command)


def _below(name: str, command: click.Command | None) -> Iterator[str]:
    if isinstance(command, click.Group):
        for below, found in command.commands.items():
            yield from _below(f"{name} {below}", found)
    else:
        yield name


def test_every_command_that_changes_something_writes_two_records(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELVEDERE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BELVEDERE_DATABASE_URL", database.url.reveal())
    monkeypatch.setattr("sys.stdin", io.StringIO("my-value\n"))  # For the command that reads a secret from there.
    doomed, dashboard = world.tenant(), str(world.dashboard)
    alice = world.services.tenants.get(SYSTEM, "alice").serial
    monkeypatch.setenv("GRAFANA_BASE_URL", world.grafana.bare)
    monkeypatch.setenv("GRAFANA_USER", "admin")
    monkeypatch.setenv("GRAFANA_PASSWORD", "admin")
    left = world.grafana.organisation("Tenant 99 - left-behind")
    file = tmp_path / "export.json"
    file.write_text(json.dumps(world.export()))
    public = tmp_path / "id.pub"
    public.write_text(SSH_KEY)
    to_send = tmp_path / "by-hand.bin"
    to_send.write_bytes(BYTE)
    doomed_campaign = world.campaign()
    commands: dict[str, list[str]] = {
        "campaign rename": [str(world.campaign()), "renamed-by-hand"],
        "campaign delete": [
            str(doomed_campaign), "--confirm", world.services.campaigns.get(SYSTEM, doomed_campaign).name],
        "upload cancel": [str(world.sending())],
        "upload retry": [str(world.upload())],
        "upload put": [str(to_send), "--tenant", "alice", "--campaign", "by-hand"],
        "tenant create": ["made-by-hand", "--wait", "0"],
        "tenant apply": ["alice", "--wait", "0"],
        "tenant key": ["alice"],
        "tenant delete": [doomed, "--confirm", doomed, "--wait", "0"],
        "member add": ["alice", "carol@example.org"],
        "member invite": ["alice", "dave@example.org"],
        "member role": ["alice", str(world.member()), "editor"],
        "member suspend": ["alice", str(world.member())],
        "member resume": ["alice", str(world.member())],
        "member remove": ["alice", str(world.member())],
        "member withdraw": ["alice", str(world.invitation())],
        "sftp user add": ["alice", "--name", "alice-by-hand"],
        "sftp user change": ["alice", world.sftp_login(), "--files", "3"],
        "sftp user password": ["alice", world.sftp_login()],
        "sftp user no-password": ["alice", world.sftp_login(key=True)],
        "sftp user disable": ["alice", world.sftp_login()],
        "sftp user enable": ["alice", world.sftp_login()],
        "sftp user remove": ["alice", world.sftp_login()],
        "sftp user add-key": ["alice", world.sftp_login(), str(public)],
        "sftp user remove-key": ["alice", world.sftp_login(key=True), SSH_FINGERPRINT],
        "sftp session end": [str(world.sftp_session())],
        "credential set": ["alice", "MY_KEY"],
        "credential reveal": ["alice", "DB_PASS", "--reason", "the rules ask"],
        "credential delete": ["alice", "DB_PORT"],
        "delivery send": [str(world.delivery)],
        "preview capture": [dashboard],
        "job try": [str(world.job)],
        "jobs try": [str(world.job)],
        "token create": ["--name", "ci", "--role", "viewer"],
        "token revoke": [world.token()],
        "operator create": ["eve", "--role", "viewer"],
        "operator role": [world.operator(), "operator"],
        "operator disable": [world.operator()],
        "operator enable": [world.operator()],
        "operator password": [world.operator()],
        "sample load": [],
        "tenant move": [world.tenant(), "--tier", "viewer", "--wait", "0"],
        "member take-password": ["alice", str(world.member())],
        "template import": [str(file), "--name", "by-hand"],
        "template remove": [world.template()],
        "template use": [world.template(), dashboard],
        "template take": [dashboard, "--name", "theirs-by-hand"],
        "workspace adopt": ["--organisation", str(left)],
        "workspace apply": ["alice", "--wait", "0"],
        "workspace password": ["alice"],
        "workspace resolve": [dashboard, "--restore-ours"],
        "grafana create-org": ["--tenant-id", str(alice), "--tenant-name", "alice", "--wait", "0"],
        "grafana sync-all": [],
        "grafana add-user": ["--org-id", world.organisation("alice"), "--email", "frank@example.org"],
        "grafana delete-org": ["--org-id", world.organisation(world.tenant())],
        "gateway link": ["user:12", "alice", "--member", "bob"],
        "gateway unlink": ["user:12"],
        "gateway secret": [],
        "store token": ["alice"],
        "hook secret": ["--reason", "the rules ask"],
        "hook install": [str(tmp_path / "on-upload.sh")],
        "sftp apply": [],
        "fleet apply": [],
        "sftp adopt": [],
    }
    changing = [leaf for leaf in leaves() if leaf not in LOOKS and not _READS.match(leaf)]
    assert set(changing) - set(commands) == set(), "say how to run it, or name it among those that only look"
    for leaf in changing:
        capfd.readouterr()
        words = [*leaf.split(), *commands[leaf]]
        if not world.is_recorded(partial(run, words)):
            world.failures.append(f"{leaf}: {capfd.readouterr().err[-300:]}")
    assert world.failures == []


def test_the_list_of_excuses_holds_only_what_is_there(world: World) -> None:
    endpoints = {rule.endpoint for rule in world.client.application.url_map.iter_rules()}
    assert set(UNRECORDED) <= endpoints


