"""The same request sent twice is carried out once."""

from http import HTTPStatus

from belvedere.kernel.db import Database, rows

KEY = {"Idempotency-Key": "deploy-17"}


def test_a_repeated_creation_gives_the_same_answer_with_its_secret(dana) -> None:
    first = dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    again = dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    assert first.status_code == again.status_code == HTTPStatus.CREATED
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert dana("POST", "/users", json={"username": "alice"}).status_code == HTTPStatus.CONFLICT


def test_a_key_is_for_one_request_of_one_caller(dana, viewer) -> None:
    dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    other = dana("POST", "/users", json={"username": "bob"}, headers=KEY)
    assert other.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert viewer("POST", "/users", json={"username": "alice"}, headers=KEY).status_code == HTTPStatus.FORBIDDEN


def test_a_refused_request_may_be_sent_again_with_its_key(dana) -> None:
    refused = dana("POST", "/users", json={"username": "a" * 60}, headers=KEY)
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert dana("POST", "/users", json={"username": "alice"}, headers=KEY).status_code == HTTPStatus.CREATED


def test_a_request_still_at_work_is_not_run_beside_it(dana, database: Database) -> None:
    dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    with database.transaction() as connection:
        connection.execute("UPDATE api_answer SET sealed = NULL")
    busy = dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    assert busy.status_code == HTTPStatus.CONFLICT
    assert busy.headers["Retry-After"] == "1"
    with database.transaction() as connection:
        connection.execute("UPDATE api_answer SET created_at = now() - interval '2 minutes'")
    late = dana("POST", "/users", json={"username": "alice"}, headers=KEY)
    assert late.json["type"] == "/problems/exists", "it ran again, and the service told that it is done"


def test_kept_answers_are_sealed(dana, database: Database) -> None:
    made = dana("POST", "/users", json={"username": "alice"}, headers=KEY).json["user"]["apiKey"]
    with database.transaction() as connection:
        kept = rows(connection, "SELECT sealed FROM api_answer")
    assert len(kept) == 1
    assert made.encode() not in bytes(kept[0]["sealed"])
    assert b"alice" not in bytes(kept[0]["sealed"])


def test_keys_have_a_form(dana) -> None:
    assert dana("POST", "/users", json={"username": "a"}, headers={"Idempotency-Key": "x" * 300}).status_code == 400
