"""SFTP users through the pages, the API and the command line."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from belvedere.app import Services, build
from belvedere.intake.sftp import hostkeys
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5Gh3rT0c2vQ4mMy8mFz1r3S9qhE0yB4ZlXmVb0l8Yk alice@laptop"


@pytest.fixture
def services(database: Database, tmp_path) -> Iterator[Services]:
    (tmp_path / "home").mkdir()
    made = build(Settings(home=str(tmp_path / "home"), database_url=database.url, pool_size=4))
    made.tenants.create(SYSTEM, "acme")
    yield made
    made.close()


@pytest.fixture
def portal(services: Services) -> tuple[FlaskClient, str]:
    made = services.members.add(SYSTEM, 1, "alice@example.org", role=Role.OWNER)
    assert made.password is not None
    account = services.accounts.sign_in("alice@example.org", made.password, "127.0.0.1")
    cookie = services.sessions.open(account, origin="127.0.0.1")
    client = create_app(services).test_client()
    client.set_cookie(SESSION_COOKIE, cookie.reveal())
    session = services.sessions.find(cookie)
    assert session is not None
    return client, session.csrf


def test_the_page_makes_users_shows_a_password_once_and_says_how_to_send(services, portal):
    client, csrf = portal
    hostkeys.provide(services.settings.home_path)

    def post(path: str, **form: Any) -> Any:
        return client.post(f"/tenants/acme/sftp{path}", data={"csrf": csrf, **form})

    assert "Nobody can send files by SFTP yet" in client.get("/tenants/acme/sftp").text
    made = post("/users", quota="2G")
    assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
    assert "Password of acme" in made.text
    page = client.get("/tenants/acme/sftp").text
    assert "Password of acme" not in page and "sftp -P 8022 acme@" in page
    assert hostkeys.fingerprint(hostkeys.public(services.settings.home_path)[0]) in page
    assert "is no name of a folder" in post("/users", name="acme-lab", folder="..").text
    user = services.sftp.get(SYSTEM, 1, "acme")
    assert user.quota_bytes == 2 * 10**9
    post(f"/users/{user.id}/keys", public_key=ED)
    key = services.sftp.get(SYSTEM, 1, "acme").keys[0].fingerprint
    assert key in client.get("/tenants/acme/sftp").text
    post(f"/users/{user.id}/keys/remove", fingerprint=key)
    assert "Password of acme" in post(f"/users/{user.id}/password").text
    post(f"/users/{user.id}/disable")
    assert services.sftp.get(SYSTEM, 1, "acme").disabled_at is not None
    post(f"/users/{user.id}/enable")
    begun = services.sftp_sessions.begin(user, origin="127.0.0.1", client="x", method="password", server="s")
    assert "127.0.0.1" in client.get("/tenants/acme/sftp").text
    post(f"/sessions/{begun.id}/end")
    assert services.sftp_sessions.to_end("s")[begun.id] == "ended by alice@example.org"
    begun.record.close()
    assert client.get("/sftp").status_code == 404
    post(f"/users/{user.id}/remove")
    assert services.sftp.list(SYSTEM, 1) == []


def test_the_api_does_the_same(services):
    client = create_app(services).test_client()
    _, secret = services.tokens.create(SYSTEM, name="t", role=Role.ADMIN)

    def call(method: str, path: str, body: object = None) -> Any:
        return client.open(f"/api/v1/tenants/acme{path}", method=method, json=body,
                           headers={"Authorization": f"Bearer {secret.reveal()}"})  # fmt: skip

    made = call("POST", "/sftp-users", {"folder": "lab", "permissions": ["upload"]})
    assert made.status_code == 201 and made.json["password"] and made.json["home"] == "acme/lab"
    assert call("POST", "/sftp-users", {}).status_code == 409
    added = call("POST", "/sftp-users/acme/keys", {"key": ED})
    assert added.status_code == 201
    assert call("DELETE", "/sftp-users/acme/password").json["has_password"] is False
    fingerprint = added.json["keys"][0]["fingerprint"].replace("+", "-").replace("/", "_")
    assert call("DELETE", f"/sftp-users/acme/keys/{fingerprint}").status_code == 409
    assert call("POST", "/sftp-users/acme/password", {}).json["password"]
    assert call("DELETE", f"/sftp-users/acme/keys/{fingerprint}").status_code == 204
    changed = call("PUT", "/sftp-users/acme", {"quota_files": 7, "active": False})
    assert (changed.json["quota_files"], changed.json["active"]) == (7, False)
    assert call("PUT", "/sftp-users/acme", {}).status_code == 400
    assert [one["name"] for one in call("GET", "/sftp-users").json] == ["acme"]
    assert call("GET", "/sftp-users/acme").json["quota_files"] == 7
    assert call("GET", "/sftp-sessions?open=1").json == []
    assert call("DELETE", "/sftp-users/acme").status_code == 204
    assert call("GET", "/sftp-users/acme").status_code == 404
