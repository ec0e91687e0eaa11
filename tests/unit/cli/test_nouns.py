"""The commands of tenants, credentials and jobs, on a home of the test's own and a real database."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from belvedere.cli.main import NOUNS
from belvedere.kernel.db import Database


def test_a_tenant_is_created_listed_and_shown(belvedere) -> None:
    code, out, _ = belvedere("tenant", "create", "alice", "--wait", "0", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["name"] == "alice"
    assert len(made["api_key"]) == 40
    code, out, _ = belvedere("tenants")
    assert code == 0
    assert out.splitlines()[0].startswith("TENANT")
    assert out.splitlines()[1].startswith("alice")
    code, out, _ = belvedere("tenant", "show", "alice", "--json")
    assert json.loads(out)["slug"] == "alice"
    assert made["api_key"] not in out
    code, out, _ = belvedere("tenant", "key", "alice")
    assert code == 0
    assert out.strip() != made["api_key"]


def test_errors_are_three_lines_and_exit_codes_can_be_relied_on(belvedere) -> None:
    code, out, err = belvedere("tenant", "create", "a" * 60)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert belvedere("tenant", "show", "nobody")[0] == 2
    code, _, err = belvedere("tenant", "create", "")
    assert code == 2


def test_a_command_that_would_wait_says_that_nobody_works(belvedere) -> None:
    code, _, err = belvedere("tenant", "create", "alice")
    assert code == 0
    assert "belvedere jobs" in err


def test_a_credential_comes_from_a_pipe_and_goes_out_with_a_reason(belvedere, monkeypatch, tmp_path: Path) -> None:
    belvedere("tenant", "create", "alice", "--wait", "0")
    value = tmp_path / "value"
    value.write_text("xoxb-12345-abcdef\n", encoding="utf-8")
    with value.open(encoding="utf-8") as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        code, out, _ = belvedere("credential", "set", "alice", "slack_bot_token")
    assert code == 0
    assert "xoxb" not in out
    assert "SLACK_BOT_TOKEN" in belvedere("credential", "list", "alice")[1]
    assert belvedere("credential", "reveal", "alice", "SLACK_BOT_TOKEN", "--reason", "short")[0] == 2
    code, out, _ = belvedere("credential", "reveal", "alice", "SLACK_BOT_TOKEN", "--reason", "rotation day")
    assert out == "xoxb-12345-abcdef\n"
    assert belvedere("credential", "delete", "alice", "SLACK_BOT_TOKEN")[0] == 0


def test_jobs_can_be_listed_and_tried(belvedere) -> None:
    belvedere("tenant", "create", "alice", "--wait", "0")
    code, out, err = belvedere("jobs", "list", "--json")
    assert code == 0
    items = json.loads(out)["items"]
    assert [(one["name"], one["state"]) for one in items] == [
        ("intake.make-home", "waiting"), ("stores.provision", "waiting")]
    assert "0 runners" in err
    assert belvedere("job", "try", str(items[0]["id"]))[0] == 0
    assert belvedere("job", "try", "999999")[0] == 2


def test_deletion_asks_for_the_name(belvedere) -> None:
    belvedere("tenant", "create", "alice", "--wait", "0")
    code, _, err = belvedere("tenant", "delete", "alice", "--confirm", "bob", "--wait", "0")
    assert code == 2
    assert "alice" in err
    code, out, _ = belvedere("tenant", "delete", "alice", "--confirm", "alice", "--wait", "0", "--json")
    assert json.loads(out)["state"] == "deleting"


@pytest.mark.parametrize("noun", ["tenant", "credential", "store", "dashboard", "delivery", "preview", "job"])
def test_every_command_has_help_with_an_example(noun: str) -> None:
    from belvedere.cli.main import belvedere as top

    group = top.get_command(None, noun)  # type: ignore[arg-type]
    assert noun in NOUNS
    for name in group.commands:  # type: ignore[union-attr]
        shown = CliRunner().invoke(top, [noun, name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Example: " in shown.output


def test_a_schema_of_another_program_is_not_worked_on(belvedere, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO schema_step (number, name) VALUES (9999, 'from the future')")
    code, out, err = belvedere("tenant", "list")
    assert (code, out) == (1, "")
    assert "newer Belvedere (its schema has step 9999" in err
    with database.transaction() as connection:
        connection.execute(
            "DELETE FROM schema_step WHERE number IN (9999, (SELECT max(number) FROM schema_step WHERE number < 9999))"
        )
    code, _, err = belvedere("tenant", "create", "alice")
    assert code == 1
    assert "older than this program" in err


def test_nothing_is_deleted_where_there_is_nobody_to_ask(belvedere) -> None:
    belvedere("tenant", "create", "alice", "--wait", "0")
    code, _, err = belvedere("tenant", "delete", "alice")
    assert code == 2
    assert "--confirm 'alice'" in err
    assert belvedere("tenant", "show", "alice")[0] == 0
