"""What a log line holds, and what it never holds."""

import json
import logging
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.kernel.logging import SharedFileHandler, bound, configure, logger
from belvedere.kernel.redact import Redactor, is_secret_name
from belvedere.kernel.secret import MASK, Secret
from belvedere.kernel.settings import Settings

VALUES = st.text(string.ascii_letters + string.digits + "-_!$%*+.", min_size=12, max_size=40).filter(
    lambda v: not any(word in v.lower() for word in ("pass", "secret", "token", "key"))
)
NAMES = st.sampled_from(
    ["password", "DB_PASS", "db_pass", "SLACK_BOT_TOKEN", "token", "secret", "client_secret", "api_key", "apiKey",
     "X-Api-Key", "Authorization", "cookie", "Set-Cookie", "GRAFANA_API_KEY", "MASTER_DB_PASSWORD", "key_value"]
)


@pytest.fixture
def settings(tmp_path: Path):
    yield Settings(home=str(tmp_path), master_db_pass=Secret("known-only-by-value"))
    configure(Settings(home=str(tmp_path), log_file=""), part="test", screen=False)


def lines(settings: Settings) -> list[dict[str, object]]:
    return [json.loads(line) for line in settings.path(settings.log_file).read_text().splitlines()]


def test_a_line_carries_time_level_part_and_the_bound_ids(settings):
    configure(settings, part="web", screen=False)
    with bound(request_id="r-1"), bound(job_id="7"):
        logger("belvedere.test").error("it broke", tenant=4)
        logging.getLogger("library").warning("old %s", "style")
    first, second = lines(settings)
    assert first["level"] == "ERROR" and first["event"] == "it broke" and first["part"] == "web"
    assert first["request_id"] == "r-1" and first["job_id"] == "7" and first["tenant"] == 4
    assert second["event"] == "old style" and second["level"] == "WARNING" and second["request_id"] == "r-1"
    assert str(first["at"]).endswith("Z")


def test_an_exceptions_text_and_trace_are_masked(settings):
    configure(settings, part="jobs", screen=False)
    error = ValueError("connection to postgresql://bob:hunter22hunter@db/x failed, known-only-by-value")
    logger("t").error("failed", exc_info=error)
    text = settings.path(settings.log_file).read_text()
    assert "ERROR" in text and "ValueError" in text
    assert "hunter22hunter" not in text and "known-only-by-value" not in text


def test_human_lines_show_the_level_word(settings, capsys):
    configure(Settings(home=settings.home, log_format="human", log_file=""), part="web")
    logger("t").error("it broke", tenant=4)
    assert " ERROR   web        it broke  tenant=4" in capsys.readouterr().err


def test_debug_lines_stand_only_with_debug(settings):
    configure(settings, part="web", screen=False)
    logger("t").debug("no")
    configure(Settings(home=settings.home, debug=True), part="web", screen=False)
    logger("t").debug("yes")
    assert [line["event"] for line in lines(settings)] == ["yes"]


def test_a_full_file_is_put_aside_and_several_handlers_share_it(tmp_path):
    path = tmp_path / "app.log"
    two = [SharedFileHandler(path, largest_bytes=2_000, kept=3) for _ in range(2)]
    for number in range(200):
        two[number % 2].handle(logging.makeLogRecord({"msg": f"line {number:04} " + "x" * 40}))
    for one in two:
        one.close()
    assert path.exists() and (tmp_path / "app.log.1").exists() and (tmp_path / "app.log.3").exists()
    assert not (tmp_path / "app.log.4").exists()
    assert path.stat().st_size < 2_100 and path.stat().st_mode & 0o077 == 0
    assert "line 0199" in path.read_text()


@pytest.mark.parametrize("name", ["password", "DB_PASS", "apiKey", "X-Api-Key", "Set-Cookie", "reset_token", "csrf"])
def test_secret_names_are_known(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["tenant", "key", "token_id", "compass", "passed", "cookie_count", "event"])
def test_ordinary_names_are_left_alone(name):
    assert not is_secret_name(name)


@given(NAMES, VALUES)
def test_no_secret_leaks_from_under_its_name_at_any_depth(name, value):
    shown = Redactor().value("event", {"outer": [{name: value}, {"more": {name: [value]}}]})
    assert value not in str(shown) and MASK in str(shown)


@given(NAMES, VALUES, st.sampled_from(["{}={}", "{}: {}", '"{}": "{}"', "{} = '{}'", "?{}={}&next=1", "--{}={}"]))
def test_no_secret_leaks_from_inside_a_text(name, value, shape):
    assert value not in Redactor().text(f"before {shape.format(name, value)} after")


@given(VALUES, st.text(string.ascii_lowercase, max_size=8))
def test_no_url_password_leaks(value, user):
    assert value not in Redactor().text(f"cannot reach postgresql://{user}:{value}@host:5432/db?x=1")


@given(VALUES, st.text(max_size=20), st.text(max_size=20))
def test_no_known_value_leaks_from_any_text(value, before, after):
    assert value not in Redactor([Secret(value)]).text(before + value + after)


@given(VALUES)
def test_no_bearer_and_no_sql_password_leaks(value):
    word = "".join(letter for letter in value if letter not in "!$%*") + "a" * 6
    assert word not in Redactor().text(f"sent Bearer {word}")
    assert value not in Redactor().text(f"ALTER ROLE x PASSWORD '{value}'")


ANYTHING = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(ANYTHING)
def test_redaction_takes_anything_and_gives_plain_values(value):
    json.dumps(Redactor().value("event", value))
