"""Tenants and credentials in the shapes of today."""

from http import HTTPStatus
from io import BytesIO

import pytest


def test_a_user_is_made_listed_and_shown_as_today(dana) -> None:
    made = dana("POST", "/users", json={"username": "alice"})
    assert made.status_code == HTTPStatus.CREATED
    user = made.json["user"]
    assert set(user) >= {"id", "username", "apiKey"}
    assert len(user["apiKey"]) == 40
    assert made.json["message"]
    listed = dana("GET", "/users").json
    assert [(one["id"], one["username"], one["is_active"]) for one in listed] == [(user["id"], "alice", True)]
    shown = dana("GET", f"/users/{user['id']}").json
    assert shown["username"] == "alice"
    assert shown["credentials"] == []
    assert user["apiKey"] not in dana("GET", f"/users/{user['id']}").text


def test_refusals_are_problems_and_name_the_field(dana, alice) -> None:
    missing = dana("POST", "/users", json={})
    assert missing.status_code == HTTPStatus.BAD_REQUEST
    assert missing.content_type == "application/problem+json"
    assert missing.json["field"] == "username"
    assert missing.json["error"] == missing.json["detail"]
    assert missing.json["type"].startswith("/problems/")
    assert missing.json["request_id"] == missing.headers["X-Request-Id"]
    assert dana("POST", "/users", json={"username": "alice"}).status_code == HTTPStatus.CONFLICT
    assert dana("POST", "/users", json={"username": "ALICE"}).status_code == HTTPStatus.CONFLICT
    assert dana("GET", "/users/999").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b'{"username": 5}', 400, "username"),
        (b'{"username": "a\\u0000b"}', 400, "username"),
        (b'{"username": "\\ud800"}', 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"username":' + b"[" * 100_000, 400, None),
        (b'{"other":' + b'{"a":' * 100_000, 400, None),
        (b"x" * 1_000_001, 413, None),
        (b'"text"', 400, None),
        (b"null", 400, None),
        (b'{"username": "' + b"a" * 5000 + b'"}', 400, None),
    ],
)
def test_hostile_bodies_are_refused_in_one_sentence(dana, body: bytes, status: int, field: str | None) -> None:
    answer = dana("POST", "/users", data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    if field:
        assert answer.json["field"] == field


def test_a_body_in_chunks_is_read_and_bounded_too(dana) -> None:
    chunked = {"Transfer-Encoding": "chunked"}

    def send(body: bytes):
        stream = {"input_stream": BytesIO(body), "content_type": "application/json"}
        return dana("POST", "/users", headers=chunked, **stream)

    assert send(b'{"username": "alice"}').status_code == HTTPStatus.CREATED
    assert send(b'{"username": "bob"}' + b" " * 1_000_001).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_wrong_forms_of_requests_are_refused(dana) -> None:
    assert dana("POST", "/users", data={"username": "alice"}).status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert dana("GET", "/users?limit=x").json["field"] == "limit"
    assert dana("GET", "/users?colour=red").json["field"] == "colour"
    assert dana("GET", "/users/%00").status_code == HTTPStatus.BAD_REQUEST
    wrong = dana("PATCH", "/users")
    assert wrong.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert wrong.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert dana("GET", "/nothing/here").status_code == HTTPStatus.NOT_FOUND
    options = dana("OPTIONS", "/users")
    assert options.status_code == HTTPStatus.NO_CONTENT
    assert "Access-Control-Allow-Origin" not in options.headers
    head = dana("HEAD", "/users")
    assert head.status_code == HTTPStatus.OK
    assert head.data == b""


def test_credentials_are_set_masked_revealed_with_a_reason_and_deleted(dana, alice, services) -> None:
    made = alice("POST", "/users/alice/credentials", json={"keyName": "db_host", "keyValue": "db.example.org"})
    assert made.status_code == HTTPStatus.CREATED, made.text
    assert made.json["key_name"] == "DB_HOST"
    assert "example" not in made.text
    serial = services.tenants.list(services_actor(), limit=1).items[0].serial
    path = f"/users/{serial}/credentials"
    assert [one["key_name"] for one in alice("GET", path).json] == ["DB_HOST"]
    assert alice("PUT", f"{path}/DB_host", json={"keyValue": "two.example.org"}).status_code == HTTPStatus.OK
    assert alice("POST", f"{path}/DB_HOST/reveal", json={}).status_code == HTTPStatus.BAD_REQUEST
    shown = alice("POST", f"{path}/DB_HOST/reveal", json={"reason": "connecting psql"})
    assert shown.json == {"key_name": "DB_HOST", "key_value": "two.example.org"}
    assert shown.headers["Cache-Control"] == "no-store"
    assert [one["version"] for one in alice("GET", f"{path}/DB_HOST/versions").json] == [2, 1]
    assert alice("DELETE", f"{path}/DB_HOST").status_code == HTTPStatus.OK
    assert alice("GET", f"{path}/DB_HOST").status_code == HTTPStatus.NOT_FOUND
    assert alice("PUT", f"{path}/DB_HOST", json={"keyValue": "x"}).status_code == HTTPStatus.NOT_FOUND


def services_actor():
    from belvedere.kernel.actor import SYSTEM

    return SYSTEM


def test_a_key_is_validated_by_header_and_as_today_by_query(anyone, alice) -> None:
    assert anyone("GET", "/keys/validate").status_code == HTTPStatus.BAD_REQUEST
    assert anyone("GET", "/keys/validate", headers={"X-Api-Key": "wrong"}).status_code == HTTPStatus.UNAUTHORIZED
    right = anyone("GET", "/keys/validate", headers={"X-Api-Key": alice.token})
    assert right.status_code == HTTPStatus.OK
    assert right.json["message"]
    assert anyone("GET", f"/keys/validate?apiKey={alice.token}").status_code == HTTPStatus.OK


def test_a_list_is_an_array_and_the_next_page_is_a_link(dana) -> None:
    for number in range(3):
        dana("POST", "/users", json={"username": f"tenant{number}"})
    first = dana("GET", "/users?limit=2")
    assert len(first.json) == 2
    assert first.headers["X-Total-Count"] == "3"
    link = first.headers["Link"]
    assert link.endswith('rel="next"')
    path = link.split(">")[0].removeprefix("</api/v1")
    rest = dana("GET", path)
    assert [one["username"] for one in rest.json] == ["tenant2"]
    assert "Link" not in rest.headers
    assert [one["username"] for one in dana("GET", "/users?text=ant1").json] == ["tenant1"]
