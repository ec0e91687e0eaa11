"""How the command line looks and ends."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from belvedere.cli import output
from belvedere.cli.main import NOUNS, belvedere, run
from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.secret import Secret


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELVEDERE_HOME", str(tmp_path / "home"))
    return tmp_path


def test_every_noun_is_there_and_says_what_it_does():
    with click.Context(belvedere) as context:
        for name, noun in NOUNS.items():
            command = belvedere.get_command(context, name)
            assert command is not None and command.help, name
            assert noun.help.endswith("."), name


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, f"{path} {name}")
    else:
        yield path, command


def test_the_help_of_every_command_ends_with_an_example():
    with click.Context(belvedere) as context:
        for noun in NOUNS:
            command = belvedere.get_command(context, noun)
            assert command is not None
            for path, leaf in leaves(command, noun):
                assert (leaf.epilog or "").startswith("Example: "), path
                assert "belvedere " in (leaf.epilog or ""), path


def test_help_is_instant_because_no_noun_is_imported():
    program = "import sys; from belvedere.cli.main import run; run(['--help']); print(*sys.modules)"
    began = time.monotonic()
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert time.monotonic() - began < 5
    assert "belvedere.cli.installation" not in said.split()
    assert "psycopg" not in said.split()


def test_the_plural_of_a_noun_lists(here, capsys):
    assert run(["tenants"]) == 1
    assert "There is no installation" in capsys.readouterr().err


def test_an_unknown_noun_is_two_lines(capsys):
    assert run(["castle"]) == 2
    assert capsys.readouterr().err.splitlines() == ["error: No such command 'castle'", "  try: belvedere --help"]


@pytest.mark.parametrize(("error", "code", "lines"), [
    (NotFound("No tenant bob here. Look at the list.", hint="belvedere tenants"), 2,
     ["error: No tenant bob here", "  Look at the list.", "  try: belvedere tenants"]),
    (Later("The database is away.", retry_in_s=7), 75, ["error: The database is away", "  try: the same again in 7 s"]),
    (Stuck("It is broken."), 1, ["error: It is broken"]),
    (KeyboardInterrupt(), 130, ["interrupted"]),
])
def test_each_kind_of_error_has_its_lines_and_its_code(monkeypatch, capsys, error, code, lines):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(belvedere, "invoke", fail)
    assert run(["status"]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_a_fault_of_ours_is_a_sentence_and_not_a_trace(monkeypatch, capsys):
    def fail(*_: object) -> None:
        message = "the unexpected"
        raise ValueError(message)

    monkeypatch.delenv("DEBUG", raising=False)
    monkeypatch.setattr(belvedere, "invoke", fail)
    assert run(["status"]) == 1
    said = capsys.readouterr().err
    assert "error: Belvedere itself failed" in said and "the unexpected" in said and "Traceback" not in said


def test_status_of_nothing_is_told_in_text_and_in_json(here, capsys):
    assert run(["status"]) == 0
    assert "- stopped" in capsys.readouterr().out
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_settings_show_where_a_value_comes_from_and_no_secret(here, capsys, monkeypatch):
    monkeypatch.setenv("FRONTEND_URL", "https://portal.example")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "a-token-of-slack")
    assert run(["settings", "--changed", "--json"]) == 0
    said = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(said)["items"]}
    assert rows["BELVEDERE_PUBLIC_URL"]["read_as"] == "FRONTEND_URL"
    assert rows["BELVEDERE_PUBLIC_URL"]["value"] == "https://portal.example"
    assert "a-token-of-slack" not in said


def test_a_value_that_does_not_parse_is_a_sentence(here, capsys, monkeypatch):
    monkeypatch.setenv("PORT", "eighty")
    assert run(["status"]) == 2
    assert "PORT='eighty' (from environment) must be a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "words"), [
    ("PORT=0", "from 1 to 65535"), ("PORT=99999", "from 1 to 65535"), ("BELVEDERE_POOL_SIZE=0", "at least 2"),
    ("BELVEDERE_WATCH_INTERVAL_S=nan", "at least 0.05"), ("BELVEDERE_JOB_THREADS=-3", "at least 1"),
    ("BELVEDERE_LOG_FORMAT=xml", "auto, human or json"), ("SAMPLE=perhaps", "1 or 0"),
])
def test_a_value_that_nothing_could_work_with_is_a_sentence(here, capsys, line, words):
    Path(".env").write_text(line)
    name, _, value = line.partition("=")
    assert run(["status"]) == 2
    assert f"{name}='{value}' (from .env) must be {words}" in capsys.readouterr().err


def test_an_env_file_that_cannot_be_read_is_a_sentence(here, capsys, monkeypatch):
    def refused(_path: Path) -> dict[str, str]:
        raise PermissionError(13, "Permission denied")

    Path(".env").write_bytes(b"PORT=\xff\xfe")
    assert run(["status"]) == 2
    assert "is not text in UTF-8" in capsys.readouterr().err
    monkeypatch.setattr("belvedere.kernel.settings.dotenv_values", refused)
    assert run(["status"]) == 2
    said = capsys.readouterr().err
    assert f"The file {Path('.env').absolute()} cannot be read: permission denied" in said
    assert "Traceback" not in said


def test_a_reset_of_what_is_no_home_is_refused(here, capsys):
    Path("home").mkdir()
    Path("home/letters.txt").write_text("dear")
    assert run(["reset", "--yes"]) == 2
    assert Path("home/letters.txt").exists()
    assert "is no home of Belvedere" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(shell, capsys):
    assert run(["completion", shell]) == 0
    assert "_BELVEDERE_COMPLETE" in capsys.readouterr().out


def test_completion_knows_the_nouns():
    done = subprocess.run(
        [Path(sys.executable).with_name("belvedere")], capture_output=True, text=True, check=False,
        env={"_BELVEDERE_COMPLETE": "bash_complete", "COMP_WORDS": "belvedere st", "COMP_CWORD": "1"},
    )
    assert done.stdout.split() == ["plain,status", "plain,store"]


def test_a_table_is_plain_in_a_pipe_and_never_cut(capsys):
    long = "x" * 300
    output.table(["NAME", "N", "STATE"], [[long, 12, "ready"], ["b", 3, "failed"], ["c", None, "unheard of"]])
    head, first, second, third = capsys.readouterr().out.splitlines()
    assert "\x1b" not in head + first
    assert long in first and first.endswith("12  + ready")
    assert second.endswith(" 3  x failed") and third.endswith(" -  - unheard of")


def test_json_masks_secrets():
    assert "swordfish" not in output.json_text({"password": Secret("swordfish")})
