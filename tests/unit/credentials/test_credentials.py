"""Named secrets: versions, masks, reasons, fences."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.audit.service import FileHistory
from belvedere.credentials.model import check_key, check_value, fold
from belvedere.credentials.service import Credentials
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Forbidden, NotFound, Rejected
from belvedere.kernel.secret import MASK, Secret

REASON = "moving the flow to host 7"


def test_a_credential_is_set_listed_revealed_and_replaced(
    credentials: Credentials, operator: Actor, alice: int
) -> None:
    first = credentials.put(operator, alice, "db_host", Secret("db.example.com"))
    assert (first.key_name, first.version, first.source, first.masked) == ("DB_HOST", 1, "hand", MASK)
    second = credentials.put(operator, alice, "DB_host", Secret("db2.example.com"))
    assert (second.id, second.version) == (first.id, 2)
    assert [kept.key_name for kept in credentials.list(operator, alice)] == ["DB_HOST"]
    assert credentials.reveal(operator, alice, "Db_Host", REASON) == Secret("db2.example.com")
    assert credentials.reveal(operator, alice, "DB_HOST", REASON, version=1) == Secret("db.example.com")
    assert [version.version for version in credentials.versions(operator, alice, "DB_HOST")] == [2, 1]
    assert credentials.read(alice, "DB_HOST") == Secret("db2.example.com")


def test_a_deleted_credential_is_gone_and_numbering_goes_on(
    credentials: Credentials, operator: Actor, alice: int
) -> None:
    credentials.put(operator, alice, "TOKEN", Secret("one"))
    credentials.delete(operator, alice, "token")
    assert credentials.list(operator, alice) == []
    assert credentials.read(alice, "TOKEN") is None
    for missing in (
        lambda: credentials.get(operator, alice, "TOKEN"),
        lambda: credentials.delete(operator, alice, "TOKEN"),
        lambda: credentials.reveal(operator, alice, "TOKEN", REASON),
    ):
        with pytest.raises(NotFound):
            missing()
    assert credentials.put(operator, alice, "TOKEN", Secret("two")).version == 2


def test_compare_and_set_lets_one_of_many_win(credentials: Credentials, operator: Actor, alice: int) -> None:
    def put(n: int) -> str:
        try:
            credentials.put(operator, alice, "TOKEN", Secret(str(n)), expect_version=0)
        except Conflict:
            return "conflict"
        return "won"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(put, range(8)))
    assert results.count("won") == 1
    with pytest.raises(Conflict):
        credentials.delete(operator, alice, "TOKEN", expect_version=7)


def test_a_reveal_needs_a_reason_and_stands_in_the_history_without_the_value(
    credentials: Credentials, operator: Actor, alice: int, history: FileHistory, tmp_path: Path
) -> None:
    credentials.put(operator, alice, "DB_PASS", Secret("hunter2-hunter2"))
    with pytest.raises(Rejected) as refused:
        credentials.reveal(operator, alice, "DB_PASS", " short ")
    assert refused.value.field == "reason"
    credentials.reveal(operator, alice, "DB_PASS", REASON)
    newest = history.search(operator).items[0]
    assert (newest.verb, newest.tenant, newest.arguments["reason"]) == ("credential.reveal", alice, REASON)
    written = b"".join(file.read_bytes() for file in (tmp_path / "history").rglob("*") if file.is_file())
    assert b"hunter2" not in written


def test_no_value_is_at_rest_in_plain(
    credentials: Credentials, operator: Actor, alice: int, database: Database
) -> None:
    credentials.put(operator, alice, "DB_PASS", Secret("hunter2-hunter2"))
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT encode(sealed, 'escape') || v::text AS everything FROM credential_version v"
        ).fetchall()
    assert rows
    assert all("hunter2" not in row["everything"] for row in rows)


def test_a_stranger_sees_nothing_and_a_viewer_only_looks(
    credentials: Credentials, operator: Actor, alice: int, charlie: int
) -> None:
    credentials.put(operator, alice, "TOKEN", Secret("value"))
    stranger = Actor(name="charlie", role=Role.OPERATOR, tenant=charlie)
    calls: list[Callable[[Actor], object]] = [
        lambda actor: credentials.list(actor, alice),
        lambda actor: credentials.get(actor, alice, "TOKEN"),
        lambda actor: credentials.put(actor, alice, "TOKEN", Secret("mine")),
        lambda actor: credentials.reveal(actor, alice, "TOKEN", REASON),
        lambda actor: credentials.delete(actor, alice, "TOKEN"),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call(stranger)
    viewer = Actor(name="bob", role=Role.VIEWER, tenant=alice)
    assert len(credentials.list(viewer, alice)) == 1
    for call in calls[2:]:
        with pytest.raises(Forbidden):
            call(viewer)
    owner = Actor(name="alice", role=Role.OPERATOR, tenant=alice)
    assert credentials.put(owner, alice, "TOKEN", Secret("new")).version == 2
    assert credentials.reveal(owner, alice, "TOKEN", REASON) == Secret("new")


def test_a_forgotten_where_shows_no_other_tenant(
    credentials: Credentials, operator: Actor, alice: int, charlie: int, database: Database
) -> None:
    for serial in (alice, charlie):
        credentials.put(operator, serial, "TOKEN", Secret("value"))
    with database.tenant_transaction(charlie) as connection:
        for query in ("SELECT tenant_id FROM credential", "SELECT tenant_id FROM credential_version"):
            assert [row["tenant_id"] for row in connection.execute(query)] == [charlie]


def test_what_belvedere_provides_never_overwrites_what_a_person_set(
    credentials: Credentials, operator: Actor, alice: int, database: Database
) -> None:
    with database.transaction() as connection:
        assert credentials.provide(connection, alice, "DB_HOST", Secret("one"))
        assert not credentials.provide(connection, alice, "DB_HOST", Secret("one"))
        assert credentials.provide(connection, alice, "DB_HOST", Secret("two"))
    credentials.put(operator, alice, "DB_HOST", Secret("three"))
    credentials.put(operator, alice, "DB_PORT", Secret("1"))
    credentials.delete(operator, alice, "DB_PORT")
    with database.transaction() as connection:
        assert not credentials.provide(connection, alice, "DB_HOST", Secret("two"))
        assert not credentials.provide(connection, alice, "DB_PORT", Secret("5432"))
    assert credentials.read(alice, "DB_HOST") == Secret("three")


def test_what_belvedere_keeps_for_itself_is_never_shown(
    credentials: Credentials, operator: Actor, alice: int, database: Database
) -> None:
    with database.transaction() as connection:
        credentials.keep(connection, alice, "_writer_password", Secret("value"))
    assert credentials.read(alice, "_writer_password") == Secret("value")
    assert credentials.list(operator, alice) == []
    with pytest.raises(NotFound):
        credentials.reveal(operator, alice, "_writer_password", REASON)
    with pytest.raises(Rejected):
        credentials.put(operator, alice, "_writer_password", Secret("mine"))


def test_rotation_seals_everything_anew_and_loses_nothing(
    credentials: Credentials, operator: Actor, alice: int
) -> None:
    for n in range(3):
        credentials.put(operator, alice, f"TOKEN_{n}", Secret(f"value {n}"))
    assert credentials.rotate(operator) == 3
    assert [credentials.read(alice, f"TOKEN_{n}") for n in range(3)] == [Secret(f"value {n}") for n in range(3)]
    with pytest.raises(Forbidden):
        credentials.rotate(Actor(name="bob", role=Role.OPERATOR))


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("DB_host", "DB_HOST"),
        ("grafana_uid_timing", "GRAFANA_UID_TIMING_REPORT"),
        ("Grafana_timing", "GRAFANA_UID_TIMING_REPORT"),
        ("slack_bot_token", "SLACK_BOT_TOKEN"),
        ("My_Own", "My_Own"),
    ],
)
def test_key_names_compare_without_case(key: str, kept: str) -> None:
    assert check_key(key) == kept
    assert fold(key.lower()) == fold(key.upper())


@pytest.mark.parametrize("key", ["", "1A", "_A", "A B", "A/B", "A=B", "Ä", "x" * 64, "A\n"])
def test_a_key_name_that_no_environment_could_hold_is_refused(key: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_key(key)
    assert refused.value.field == "keyName"


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("DB_PORT", ["1", "5432", "65535"], ["0", "65536", "x", "-1", "٣", "5432 ", "9" * 40]),
        ("DB_HOST", ["db", "10.0.0.1", "::1", "/run/postgresql".replace("/", "")], ["a b", "postgres://h", "u@h", ""]),
        (
            "GRAFANA_URL",
            ["http://127.0.0.1:3000", "https://g.example.com/sub"],
            ["g.example.com", "ftp://g", "http://", "https://a b", "http://[x"],
        ),
        ("SLACK_BOT_TOKEN", ["xoxb-1-2-abc", "xoxe.xoxb-1-abc"], ["abc", "xoxb-", "xoxb-1 2"]),
        ("SLACK_CHANNEL_ID", ["C04QOR", "C0123456789", "G0123456789"], ["#general", "general", "c0123"]),
        ("ANYTHING", ["x", "línea\ndos", "y" * 65536], ["", "a\x00b", "y" * 65537, "\ud800"]),
    ],
)
def test_known_values_are_checked_and_unknown_ones_only_bounded(key: str, right: list[str], wrong: list[str]) -> None:
    for text in right:
        assert check_value(key, Secret(text)) == Secret(text)
    for text in wrong:
        with pytest.raises(Rejected) as refused:
            check_value(key.lower(), Secret(text))
        assert refused.value.field == "keyValue"


@given(
    st.sampled_from(["DB_PORT", "DB_HOST", "GRAFANA_URL", "SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID", "OTHER"]), st.text()
)
def test_a_value_is_taken_or_refused_and_never_quoted(key: str, text: str) -> None:
    try:
        check_value(key, Secret(text))
    except Rejected as refused:
        assert len(text) < 12 or text not in refused.detail
