"""One installation at all its doors, whose Grafana is the twin behind a socket, or the real one; a runner on demand."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from tests.rules.test_history import _clean, _dashboard
from werkzeug.test import TestResponse

from belvedere.app import Services, build
from belvedere.cli.main import run
from belvedere.jobs.runner import run as work_off
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE
from belvedere.workspaces.grafana import requests
from grafana_server import Server
from grafana_world import access_of

Json = dict[str, Any]
Command = Callable[..., tuple[int, str, str]]

_ROOMS: Final = ("stores", "workspaces", "dashboards", "tenants")
"""Whose jobs a test's runner does. No picture is taken, so nothing is sent by itself either."""


@dataclass
class Somebody:
    """A member's browser."""

    client: FlaskClient
    csrf: str
    person: UUID

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, data={"csrf": self.csrf, **form})


@dataclass
class World:
    """Alice has a dashboard in Grafana; `meddle` does what people do there."""

    services: Services
    server: Server
    client: FlaskClient
    csrf: str
    bearer: str
    dashboard: UUID
    home: Path
    database: str
    environment: dict[str, str]

    @property
    def alice(self) -> int:
        return self.services.tenants.get(SYSTEM, "alice").serial

    @property
    def organisation(self) -> int:
        return self.services.drift.state(SYSTEM, self.alice).organisation

    def work(self) -> None:
        """Do what a runner would for alice's workspace."""
        self.services.workspaces.provision(self.alice)

    def work_when_asked(self) -> None:
        """Wait for the order, as a runner does, and do it."""
        asked: list[Any] = []
        with self.services.database.transaction() as connection:
            connection.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'workspaces.provision'")
        while not asked:
            listed = self.services.queue.list(SYSTEM, state="waiting", limit=50).items
            asked = [one for one in listed if one.name == "workspaces.provision"]
        self.work()

    @contextmanager
    def runner(self) -> Iterator[None]:
        """Work the queue off as `belvedere jobs` does, for as long as the block lasts."""
        stop = threading.Event()
        jobs = [one for one in self.services.jobs if one.name.partition(".")[0] in _ROOMS]
        thread = threading.Thread(target=work_off, args=(jobs, self.services.database, stop), kwargs={"threads": 2})
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> Any:
        """Return the first truthy answer."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.05)  # between two looks at a condition
        return answer

    def is_settled(self, name: str = "alice") -> bool:
        """Tell whether a tenant stands where it should, complete, and does not move."""
        serial = self.services.tenants.get(SYSTEM, name).serial
        moves = self.services.moves.under_way(SYSTEM, serial)
        return moves is None and self.services.drift.state(SYSTEM, serial).word == "ready"

    def join(self, email: str, role: Role) -> "Somebody":
        """Make a member of alice's by hand, and sign them in."""
        made = self.services.members.add(SYSTEM, self.alice, email, role=role)
        assert made.password is not None
        account = self.services.accounts.sign_in(email, made.password, "127.0.0.1")
        cookie = self.services.sessions.open(account, origin="127.0.0.1")
        session = self.services.sessions.find(cookie)
        assert session is not None
        client = self.client.application.test_client()
        client.set_cookie(SESSION_COOKIE, cookie.reveal())
        return Somebody(client, session.csrf, made.member.id)

    def ask(self, request: Any, *accept: int, organisation: int | None = None) -> Any:
        grafana = self.services.workspaces.grafana
        assert grafana is not None
        here = self.organisation if organisation is None else organisation
        return grafana.grafana.ask(request, *accept, organisation=here).body

    def meddle(self, title: str = "Mine now") -> None:
        uid = f"b{self.dashboard.hex}"
        document = self.ask(requests.board(uid))["dashboard"]
        self.ask(requests.put_board({**document, "title": title}, "", "by hand"))

    def rename_source(self, name: str = "other") -> None:
        [source] = [one for one in self.ask(requests.sources()) if one["name"].endswith("-timing_report")]
        self.ask(requests.change_source(source["uid"], {**source, "name": name}))

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, data={"csrf": self.csrf, **form})

    def api(self, method: str, path: str, body: Json | None = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.bearer}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=sent)


@contextmanager
def doors(cluster: Any, folder: Path, name: str, url: str = "", **settings: Any) -> Iterator[World]:
    """Build all services over a control database of their own, with a table of alice's shown in Grafana.

    Args:
        cluster: the tests' PostgreSQL.
        folder: where the home is made.
        name: tells the control database from those of other tests.
        url: a real Grafana's address with login and password; without one the twin is started.
        settings: what is set besides; read by commands too.
    """
    server = Server()
    access = access_of(url or server.url)
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE control_template OWNER belvedere STRATEGY file_copy")
    database, home = cluster.url(name), folder / "home"
    services = build(Settings(
        home=str(home), database_url=Secret(database), pool_size=8, grafana_url=access.url, grafana_user=access.user,
        grafana_password=access.password, **settings,
    ))
    try:
        dashboard = _dashboard(services)
        client, csrf = _signed_in(services)
        _, bearer = services.tokens.create(SYSTEM, name="doors", role=Role.ADMIN)
        environment = {
            "BELVEDERE_HOME": str(home), "BELVEDERE_DATABASE_URL": database, "GRAFANA_BASE_URL": access.url,
            "GRAFANA_USER": access.user, "GRAFANA_PASSWORD": access.password.reveal(),
            "BELVEDERE_PUBLIC_URL": services.settings.public_url,
            "BELVEDERE_GRAFANA_SHARED": services.settings.grafana_shared,
        }
        world = World(services, server, client, csrf, bearer.reveal(), dashboard, home, database, environment)
        world.work()
        yield world
        if url:
            _clear(services)
    finally:
        services.close()
        server.close()
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        _clean(cluster)


def _clear(services: Services) -> None:
    """Leave a real Grafana as it was."""
    grafana, shared = services.workspaces.grafana, services.workspaces.shared_organisation()
    for one in services.tenants.list(SYSTEM).items:
        if not one.deleting:
            services.tenants.delete(SYSTEM, one.serial, confirm=one.name)
        services.workspaces.remove_tenant(one.serial)
    if shared and grafana is not None:
        grafana.grafana.ask(requests.delete_organisation(shared), 404)


def _signed_in(services: Services) -> tuple[FlaskClient, str]:
    made = services.accounts.create(SYSTEM, "dana", Role.ADMIN)
    with services.database.transaction() as connection:
        connection.execute("UPDATE operator SET must_change_password = false")
    cookie = services.sessions.open(made.operator, origin="127.0.0.1")
    session = services.sessions.find(cookie)
    assert session is not None
    client = create_app(services).test_client()
    client.set_cookie(SESSION_COOKIE, cookie.reveal())
    return client, session.csrf


def commands(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command of this installation: exit code, stdout and stderr."""
    monkeypatch.chdir(world.home.parent)
    for key in [one for one in os.environ if one.startswith("BELVEDERE_TEST_")]:
        monkeypatch.delenv(key)  # A command takes an unknown name for a misspelt setting.
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(arguments))
        return code, *capfd.readouterr()

    return call
