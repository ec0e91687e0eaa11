"""The pages on the real services and a real database, through Flask's own client. Dana is an admin."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE

ADMIN = Actor(name="dana", role=Role.ADMIN, door="portal")


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Iterator[Services]:
    made = build(Settings(home=str(tmp_path), database_url=database.url, pool_size=6, max_body_bytes=1_000_000))
    yield made
    made.close()


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@dataclass
class Browser:
    """Somebody's browser: its forms carry what forms of its session carry."""

    client: FlaskClient
    csrf: str = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def part(self, path: str, target: str, **headers: str) -> TestResponse:
        return self.get(path, HX_Request="true", HX_Target=target, **headers)

    def post(self, path: str, *, follow: bool = False, **form: str) -> TestResponse:
        return self.client.post(path, data={"csrf": self.csrf, **form}, follow_redirects=follow)


def browser(app: Flask, services: Services, name: str, role: Role) -> Browser:
    """Sign somebody in, with a password of their own."""
    made = services.accounts.create(SYSTEM, name, role)
    with services.database.transaction() as connection:
        connection.execute("UPDATE operator SET must_change_password = false")
    cookie = services.sessions.open(made.operator, origin="127.0.0.1")
    session = services.sessions.find(Secret(cookie.reveal()))
    assert session is not None
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, cookie.reveal())
    return Browser(client, session.csrf)


@pytest.fixture
def nobody(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def dana(app: Flask, services: Services) -> Browser:
    """An admin."""
    return browser(app, services, "dana", Role.ADMIN)


@pytest.fixture
def vera(app: Flask, services: Services) -> Browser:
    """Only looks."""
    return browser(app, services, "vera", Role.VIEWER)
