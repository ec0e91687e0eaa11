"""`belvedere token`, `operator` and `history` on a home of the test's own and a real database."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_token_is_printed_as_one_json_member_and_nowhere_else(belvedere, home: Path) -> None:
    code, out, _ = belvedere("token", "create", "--name", "ci", "--role", "operator", "--json")
    assert code == 0
    made = json.loads(out)
    assert list(made) == ["token"]
    secret = made["token"].rpartition("_")[2]
    assert all(secret.encode() not in path.read_bytes() for path in home.rglob("*") if path.is_file())
    code, out, _ = belvedere("token", "list", "--json")
    [listed] = json.loads(out)["items"]
    assert (listed["name"], listed["role"], listed["state"], listed["tenant"]) == ("ci", "operator", "ready", None)
    assert secret not in out


def test_a_token_is_confined_ends_and_is_revoked(belvedere) -> None:
    serial = json.loads(belvedere("tenant", "create", "alice", "--wait", "0", "--json")[1])["id"]
    arguments = ("token", "create", "--name", "ci", "--role", "viewer", "--tenant", "alice", "--expires", "90d")
    code, out, _ = belvedere(*arguments)
    assert code == 0
    prefix = out.split("_")[1]
    [listed] = json.loads(belvedere("tokens", "--tenant", "alice", "--json")[1])["items"]
    assert listed["tenant"] == serial and listed["expires_at"]
    assert belvedere("token", "revoke", prefix)[0] == 0
    [listed] = json.loads(belvedere("tokens", "--json")[1])["items"]
    assert listed["state"] == "off"


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "create", "--name", "ci"),
        ("token", "create", "--name", "", "--role", "viewer"),
        ("token", "create", "--name", "ci", "--role", "king"),
        ("token", "create", "--name", "ci", "--role", "viewer", "--expires", "soon"),
        ("token", "create", "--name", "ci", "--role", "viewer", "--tenant", "nobody"),
        ("token", "revoke", "nothing"),
        ("operator", "create", "Not A Name", "--role", "viewer"),
        ("operator", "disable", "nobody"),
        ("history", "list", "--since", "yesterday"),
    ],
)
def test_what_is_wrong_is_said_and_exits_2(belvedere, arguments: tuple[str, ...]) -> None:
    code, out, err = belvedere(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_operators_are_made_changed_and_closed(belvedere) -> None:
    code, out, _ = belvedere("operator", "create", "charlie", "--role", "admin", "--json")
    assert code == 0 and len(json.loads(out)["password"]) > 20
    assert belvedere("operator", "disable", "charlie")[0] == 2, "the last admin stays"
    belvedere("operator", "create", "dana", "--role", "admin")
    assert belvedere("operator", "role", "charlie", "viewer")[0] == 0
    first = belvedere("operator", "password", "charlie")[1]
    assert first != belvedere("operator", "password", "charlie")[1]
    assert belvedere("operator", "disable", "charlie")[0] == 0
    states = {one["name"]: one["state"] for one in json.loads(belvedere("operators", "--json")[1])["items"]}
    assert states == {"charlie": "closed", "dana": "password to change"}
    assert belvedere("operator", "enable", "charlie")[0] == 0


def test_the_history_lists_exports_and_verifies(belvedere, home: Path, tmp_path: Path) -> None:
    belvedere("operator", "create", "charlie", "--role", "admin")
    belvedere("operator", "create", "charlie", "--role", "admin")
    [refused, made] = json.loads(belvedere("history", "list", "--verb", "operator", "--json")[1])["items"]
    assert (refused["result"], made["result"]) == ("refused", "succeeded")
    assert made["door"] == "cli" and made["actor"]
    assert belvedere("history", "list", "--since", "1h", "--result", "refused", "--jsonl")[1].count("\n") == 1
    lines = belvedere("history", "export", "--verb", "operator")[1].splitlines()
    assert [json.loads(line)["id"] for line in lines] == [refused["id"], made["id"]]
    code, out, _ = belvedere("history", "verify", "--json")
    assert code == 0 and json.loads(out)["ok"]
    anchor = tmp_path / "anchor.json"
    anchor.write_text(out)
    assert belvedere("history", "verify", "--anchor", str(anchor))[0] == 0
    assert belvedere("history", "list", "--verb", "history.verify", "--json")[1].count('"history.verify"') == 2


def test_a_changed_byte_is_named_and_exits_1(belvedere, home: Path) -> None:
    belvedere("operator", "create", "charlie", "--role", "admin")
    [path] = home.glob("history/*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"charlie", b"mallory"))
    code, out, _ = belvedere("history", "verify")
    assert code == 1
    assert f"the chain is broken at {path.name}, line 2" in out


def test_the_history_is_read_and_verified_while_the_installation_is_down(
    belvedere, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    belvedere("operator", "create", "charlie", "--role", "admin")
    monkeypatch.setenv("BELVEDERE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    monkeypatch.setenv("BELVEDERE_POOL_TIMEOUT_S", "0.2")
    code, out, err = belvedere("history", "verify")
    assert code == 0 and "whole" in out and "anchors are not compared" in err
    assert json.loads(belvedere("history", "list", "--json")[1])["items"][-1]["target"] == "charlie"
