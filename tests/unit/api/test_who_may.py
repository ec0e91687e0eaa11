"""Every route of the table, called by nobody, by a stranger and by a viewer."""

import re
from http import HTTPStatus
from types import SimpleNamespace
from uuid import uuid4

import msgspec
import pytest
from tests.unit.api.conftest import ADMIN, Caller, application

from belvedere.api.model import Route
from belvedere.api.routes import ROUTES
from belvedere.app import build
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.settings import Settings

OPERATORS_ONLY = {
    "jobs.list", "jobs.overview", "jobs.try", "status.get", "settings.list", "history.verify",
}
"""Routes that are no tenant's at all."""

OWN = {
    "users.list", "tenants.list", "dashboards.list", "deliveries.list", "me.get", "tokens.list", "flash.list",
    "history.list", "campaigns.list", "uploads.list",
}
"""Lists that show a tenant what is its own."""


def _named(route: Route) -> str:
    return f"{route.method} {route.path}"


def _path(route: Route) -> str:
    """Fill a path with alice, and with ids that are not the caller's."""
    fill = {"id": "1", "tenant": "alice", "key": "DB_HOST", "form": "gif", "job": "1", "token": str(uuid4())}
    query = {"uploads.begin": "?user=alice", "uploads.append": "?offset=0&checksum=crc32:00000000"}
    return re.sub(r"{(\w+)}", lambda found: fill.get(found[1], str(uuid4())), route.path) + query.get(route.name, "")


def _body(route: Route) -> dict[str, object]:
    bodies: dict[str, dict[str, object]] = {
        "users.create": {"username": "new"}, "tenants.create": {"name": "new"},
        "credentials.put": {"keyName": "DB_HOST", "keyValue": "x"}, "credentials.change": {"keyValue": "x"},
        "credentials.reveal": {"reason": "curiosity, only"}, "dashboards.create": {"username": "alice"},
        "dashboards.override": {"template": "x", "reason": "because"},
        "members.add": {"email": "eve@example.org"}, "members.change": {"role": "viewer"},
        "tokens.create": {"name": "x", "role": "admin", "tenant": "alice"},
        "tenants.move": {"tier": "viewer"}, "workspaces.resolve": {"choice": "theirs"},
        "uploads.begin": {"campaign": "c", "name": "n", "size": 1}, "campaigns.rename": {"name": "x"},
        "campaigns.make": {"user": "alice", "name": "x"}, "sftp-users.add-key": {"key": "x"},
        "templates.import": {"dashboard": {}}, "templates.choose": {"name": "x"},
        "flash.create": {"level": "info", "text": "x", "audience": "tenant:1"},
    }
    return bodies.get(route.name, {})


def test_every_open_route_has_a_reason() -> None:
    assert {route.name for route in ROUTES if route.open} == {
        "index.get", "index.openapi", "index.health", "keys.validate",
    }


@pytest.fixture(scope="module")
def refused(cluster, tmp_path_factory):
    """Alice, Charlie and an operator who may only look, for all of whose requests nothing changes."""
    with cluster.control() as database:
        settings = Settings(home=str(tmp_path_factory.mktemp("home")), database_url=database.url, pool_size=6)
        services = build(settings)
        _, viewer = services.tokens.create(ADMIN, name="viewer", role=Role.VIEWER)
        _, alice = services.tenants.create(ADMIN, "alice")
        _, charlie = services.tenants.create(ADMIN, "charlie")
        client = application(services).test_client()
        yield SimpleNamespace(
            services=services, client=client, viewer=Caller(client, viewer.reveal()),
            alice=Caller(client, alice.reveal()), charlie=Caller(client, charlie.reveal()),
        )
        assert {one.name for one in services.tenants.list(SYSTEM).items} == {"alice", "charlie"}
        services.close()


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.open], ids=_named)
def test_nobody_is_let_in(refused, route: Route) -> None:
    # Wrong keys are counted by application.
    anyone = Caller(application(refused.services).test_client())
    answer = anyone(route.method, _path(route), json=_body(route))
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = anyone(route.method, _path(route), json=_body(route), headers={"X-Api-Key": "0" * 40})
    assert wrong.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.open and route.name not in OWN], ids=_named)
def test_another_tenant_does_not_even_learn_that_it_exists(refused, route: Route) -> None:
    charlie = refused.charlie
    answer = charlie(route.method, _path(route), json=_body(route))
    assert answer.status_code == HTTPStatus.NOT_FOUND, answer.text
    missing = charlie(
        route.method, _path(route).replace("alice", "zelda").replace("/users/1", "/users/99"),
        json=msgspec.json.decode(msgspec.json.encode(_body(route)).replace(b"alice", b"zelda")),
    )
    assert missing.json["type"] == answer.json["type"]
    said = answer.json["detail"].replace("alice", "zelda").replace("tenant 1 ", "tenant 99 ")
    assert missing.json["detail"] == said, "what is there and what is not are told in the same words"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.name in OWN - {"me.get"}], ids=_named)
def test_lists_show_a_tenant_its_own_alone(refused, route: Route) -> None:
    answer = refused.charlie(route.method, _path(route))
    assert answer.status_code == HTTPStatus.OK
    assert "alice" not in answer.text


@pytest.mark.parametrize("route", [route for route in ROUTES if route.mutates], ids=_named)
def test_a_viewer_changes_nothing(refused, route: Route) -> None:
    answer = refused.viewer(route.method, _path(route), json=_body(route))
    assert answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}, answer.text


def test_wrong_keys_are_counted_by_address(anyone, alice) -> None:
    statuses = [anyone("GET", "/me", headers={"X-Api-Key": f"{number:040x}"}).status_code for number in range(40)]
    assert statuses[0] == HTTPStatus.UNAUTHORIZED
    assert statuses[-1] == HTTPStatus.TOO_MANY_REQUESTS
    assert alice("GET", "/me").json == {"name": "alice", "role": "operator", "tenant": 1}, "a right key is let in"


def test_a_browser_needs_the_pages_token_to_change_something(services, flask, alice) -> None:
    operator = services.accounts.sign_in("admin", services.accounts.first(), origin="127.0.0.1")
    cookie = services.sessions.open(operator, origin="127.0.0.1")
    client = flask.test_client()
    client.set_cookie("belvedere_session", cookie.reveal())
    session = services.sessions.find(cookie)
    assert client.get("/api/v1/users").status_code == HTTPStatus.OK
    bare = client.post("/api/v1/users", json={"username": "bob"})
    assert bare.status_code == HTTPStatus.FORBIDDEN
    assert bare.json["type"] == "/problems/csrf"
    headers = {"X-CSRF-Token": session.csrf}
    assert client.post("/api/v1/users", json={"username": "bob"}, headers=headers).status_code == HTTPStatus.CREATED


def test_a_token_of_a_tenant_is_confined_to_it(services, anyone, alice, charlie) -> None:
    made = charlie("POST", "/tokens", json={"name": "ci", "role": "viewer"})
    assert made.status_code == HTTPStatus.CREATED, made.text
    anyone.token = made.json["token"]
    assert anyone("GET", "/me").json == {"name": "token:ci", "role": Role.VIEWER, "tenant": 2}
    assert [one["username"] for one in anyone("GET", "/users").json] == ["charlie"]
    assert anyone("GET", "/users/1").status_code == HTTPStatus.NOT_FOUND
