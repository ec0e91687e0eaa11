"""Members and invitations over the API, as operators and as a tenant's own people call it."""

from http import HTTPStatus

import pytest
from flask.testing import FlaskClient

from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM, Role

PASSWORD = "a fine november password"


def test_members_are_added_changed_and_removed(dana, alice) -> None:
    made = dana("POST", "/tenants/alice/members", json={"email": "Olga@example.org", "name": "Olga"})
    assert made.status_code == HTTPStatus.CREATED, made.text
    olga = made.json
    assert (olga["role"], olga["login"], olga["source"], olga["active"]) == ("owner", "olga@example.org", "hand", True)
    assert len(olga["password"]) > 20
    bob = dana("POST", "/tenants/alice/members", json={"email": "bob@example.org", "role": "editor"}).json
    assert bob["name"] == "bob"
    path = f"/tenants/alice/members/{bob['id']}"
    assert dana("PUT", path, json={"role": "viewer"}).json["role"] == "viewer"
    assert dana("PUT", path, json={"active": False}).json["active"] is False
    assert dana("PUT", path, json={"active": True}).json["active"] is True
    for body in ({}, {"role": "admin", "active": True}, {"role": "operator"}):
        assert dana("PUT", path, json=body).status_code == HTTPStatus.BAD_REQUEST
    assert dana("GET", "/tenants/alice/members/BOB@example.org").json["id"] == bob["id"]
    listed = dana("GET", "/tenants/1/members")
    assert [one["email"] for one in listed.json] == ["bob@example.org", "Olga@example.org"]
    assert listed.headers["X-Total-Count"] == "2"
    assert dana("DELETE", path).status_code == HTTPStatus.NO_CONTENT
    gone = dana("DELETE", f"/tenants/alice/members/{olga['id']}")
    assert (gone.status_code, gone.json["type"]) == (HTTPStatus.CONFLICT, "/problems/last-owner")


def test_an_account_that_is_there_gets_no_new_password(dana, alice, charlie) -> None:
    body = {"email": "olga@example.org"}
    first = dana("POST", "/tenants/alice/members", json=body).json
    second = dana("POST", "/tenants/charlie/members", json=body).json
    assert first["id"] == second["id"]
    assert second["password"] is None
    again = dana("POST", "/tenants/charlie/members", json=body)
    assert (again.status_code, again.json["type"]) == (HTTPStatus.CONFLICT, "/problems/exists")


def test_the_same_request_twice_makes_one_link(dana, alice) -> None:
    headers = {"Idempotency-Key": "once"}
    first = dana("POST", "/tenants/alice/invitations", json={"email": "olga@example.org"}, headers=headers)
    second = dana("POST", "/tenants/alice/invitations", json={"email": "olga@example.org"}, headers=headers)
    assert first.status_code == HTTPStatus.CREATED
    assert first.json == second.json
    assert first.json["role"] == "owner"
    [listed] = dana("GET", "/tenants/alice/invitations").json
    assert "url" not in listed
    assert dana("DELETE", f"/tenants/alice/invitations/{listed['id']}").status_code == HTTPStatus.NO_CONTENT
    assert dana("DELETE", f"/tenants/alice/invitations/{listed['id']}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("end", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_link_ends_and_not_too_late(dana, alice, end: str) -> None:
    answer = dana("POST", "/tenants/alice/invitations", json={"expires_at": end})
    assert (answer.status_code, answer.json["field"]) == (HTTPStatus.BAD_REQUEST, "expires_at")


def test_a_tenant_is_made_with_the_link_of_its_owner(services: Services, dana) -> None:
    made = dana("POST", "/tenants", json={"name": "globex", "first_member": "olga@example.org"}).json
    token = made["invitation"].rpartition("/invitations/")[2]
    assert made["invitation"].startswith(services.settings.url)
    invited = services.invitations.open(token)
    assert (invited.slug, invited.invitation.role, invited.invitation.email) == (
        "globex", Role.OWNER, "olga@example.org",
    )  # fmt: skip
    wrong = dana("POST", "/tenants", json={"name": "initech", "first_member": "olga"})
    assert (wrong.status_code, wrong.json["field"]) == (HTTPStatus.BAD_REQUEST, "email")
    assert dana("GET", "/tenants/initech").status_code == HTTPStatus.NOT_FOUND
    assert dana("POST", "/tenants", json={"name": "initech"}).json["invitation"] is None


def test_a_tenants_key_sees_members_and_manages_none(alice, dana) -> None:
    dana("POST", "/tenants/alice/members", json={"email": "olga@example.org"})
    assert [one["email"] for one in alice("GET", "/tenants/alice/members").json] == ["olga@example.org"]
    for method, path, body in (
        ("POST", "/tenants/alice/members", {"email": "eve@example.org"}), ("GET", "/tenants/alice/invitations", None),
        ("POST", "/tenants/alice/invitations", {}), ("DELETE", "/tenants/alice/members/olga@example.org", None),
    ):  # fmt: skip
        assert alice(method, path, json=body).status_code == HTTPStatus.FORBIDDEN, path


def test_an_operator_who_looks_adds_nobody(viewer, alice) -> None:
    answer = viewer("POST", "/tenants/alice/members", json={"email": "eve@example.org"})
    assert answer.status_code == HTTPStatus.FORBIDDEN


def test_a_member_acts_in_the_tenant_that_the_path_names(services: Services, flask, alice, charlie) -> None:
    first = services.members.add(SYSTEM, 1, "olga@example.org")
    services.members.add(SYSTEM, 2, "nick@example.org")
    services.members.add(SYSTEM, 2, "olga@example.org", role=Role.VIEWER)
    account = services.accounts.sign_in("olga@example.org", first.password, "127.0.0.1")
    cookie = services.sessions.open(account, origin="127.0.0.1")
    client: FlaskClient = flask.test_client()
    client.set_cookie("belvedere_session", cookie.reveal())
    headers = {"X-CSRF-Token": services.sessions.find(cookie).csrf}

    def invite(tenant: str) -> int:
        return client.post(f"/api/v1/tenants/{tenant}/invitations", json={}, headers=headers).status_code

    assert invite("alice") == invite("1") == HTTPStatus.CREATED
    assert invite("charlie") == invite("2") == HTTPStatus.FORBIDDEN
    assert client.get("/api/v1/users/2").json["username"] == "charlie"
    assert client.get("/api/v1/me").json == {"name": "olga@example.org", "role": "owner", "tenant": 1}
