"""The REST door on the real services and a real database, called through Flask's own client."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Map, Rule
from werkzeug.test import TestResponse

from belvedere.api.blueprint import blueprint
from belvedere.api.routes import ROUTES
from belvedere.app import Services, build
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings

ADMIN = Actor(name="dana", role=Role.ADMIN, door="cli")


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Iterator[Services]:
    made = build(Settings(home=str(tmp_path), database_url=database.url, pool_size=6, max_body_bytes=1_000_000))
    yield made
    made.close()


def application(services: Services) -> Flask:
    app = Flask(__name__)
    app.register_blueprint(blueprint(services))
    return app


@pytest.fixture
def flask(services: Services) -> Flask:
    return application(services)


@dataclass
class Caller:
    """Somebody with a token."""

    client: FlaskClient
    token: str = ""

    def __call__(self, method: str, path: str, **arguments: object) -> TestResponse:
        headers = dict(arguments.pop("headers", {}))  # type: ignore[call-overload]
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self.client.open(f"/api/v1{path}", method=method, headers=headers, **arguments)
        _fits(method, path, answer)
        return answer


_RULES = Map([Rule(route.path.replace("{", "<").replace("}", ">"), methods=[route.method], endpoint=route.name)
              for route in ROUTES])


def _fits(method: str, path: str, answer: TestResponse) -> None:
    """Hold every answer that a test sees against its type in the table, from which the description is made."""
    if answer.content_type == "application/problem+json":
        assert set(answer.json) >= {"type", "title", "status", "detail", "error", "request_id"}
        assert answer.json["status"] == answer.status_code
    elif answer.content_type == "application/json" and method != "HEAD":
        name, _ = _RULES.bind("").match(path.partition("?")[0] or "/", method=method)
        kind = next(route.answer for route in ROUTES if route.name == name)
        assert msgspec.to_builtins(msgspec.json.decode(answer.data, type=kind)) == answer.json


@pytest.fixture
def anyone(flask: Flask) -> Caller:
    return Caller(flask.test_client())


@pytest.fixture
def dana(services: Services, anyone: Caller) -> Caller:
    """An admin of the installation."""
    _, secret = services.tokens.create(ADMIN, name="dana", role=Role.ADMIN)
    return Caller(anyone.client, secret.reveal())


@pytest.fixture
def viewer(services: Services, anyone: Caller) -> Caller:
    """An operator who may only look."""
    _, secret = services.tokens.create(ADMIN, name="viewer", role=Role.VIEWER)
    return Caller(anyone.client, secret.reveal())


@pytest.fixture
def alice(services: Services, anyone: Caller) -> Caller:
    """The tenant alice, by its own key."""
    _, key = services.tenants.create(ADMIN, "alice")
    return Caller(anyone.client, key.reveal())


@pytest.fixture
def charlie(services: Services, anyone: Caller) -> Caller:
    """Another tenant, a stranger to alice."""
    _, key = services.tenants.create(ADMIN, "charlie")
    return Caller(anyone.client, key.reveal())
