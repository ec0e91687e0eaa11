"""What every channel promises, over the outbox and over Slack."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from belvedere.kernel.secret import Secret
from belvedere.notifications.model import Channel, Message
from belvedere.notifications.outbox import Outbox
from belvedere.notifications.slack import slack
from belvedere.notifications.testing import MemoryLedger
from fake_slack import FakeSlack

HOSTILE = "<!channel> *b* & <https://evil.example|click>\n> <@U1> | `x`\x00"


@dataclass
class Case:
    channel: Channel
    workspace: FakeSlack | None

    def messages(self) -> int | None:
        return None if self.workspace is None else len(self.workspace.posted)


@pytest.fixture(params=["outbox", "slack"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    if request.param == "outbox":
        yield Case(Outbox(), None)
        return
    workspace = FakeSlack()
    yield Case(slack(workspace.url)(Secret(workspace.token), "C0ALICE"), workspace)
    assert workspace.wrongs == []
    workspace.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "film.gif"
    path.write_bytes(b"GIF89a" + bytes(range(256)) * 300)
    return path


def message(**more: object) -> Message:
    given = {"key": "01", "title": "Timing of cpu", "url": "http://127.0.0.1/d/1", "creator": "alice", **more}
    return Message(**given)  # type: ignore[arg-type]


def test_it_has_a_name(case: Case) -> None:
    assert case.channel.name


def test_a_message_with_its_picture_goes_out_in_full(case: Case, picture: Path) -> None:
    outcome = case.channel.deliver(message(picture=picture), MemoryLedger())
    assert (outcome.fallback, outcome.doubt) == (None, None)


def test_sending_again_with_the_same_ledger_sends_nothing(case: Case, picture: Path) -> None:
    ledger = MemoryLedger()
    first = case.channel.deliver(message(picture=picture), ledger)
    sent, counts = case.messages(), dict(ledger.counts)
    assert case.channel.deliver(message(picture=picture), ledger) == first
    assert (case.messages(), ledger.counts) == (sent, counts)


def test_without_a_picture_the_reason_is_told(case: Case) -> None:
    outcome = case.channel.deliver(message(reason="Not ready after 60 s."), MemoryLedger())
    assert outcome.fallback == "Text instead of a preview: Not ready after 60 s."


def test_a_still_says_why_it_does_not_move(case: Case, picture: Path) -> None:
    still = picture.rename(picture.with_suffix(".png"))
    outcome = case.channel.deliver(message(picture=still, reason="Not ready after 60 s."), MemoryLedger())
    assert outcome.fallback == "A still instead of a preview: Not ready after 60 s."


def test_a_moving_picture_with_a_flaw_says_which(case: Case, picture: Path) -> None:
    outcome = case.channel.deliver(message(picture=picture, reason="A panel is in error."), MemoryLedger())
    assert outcome.fallback == "Look at the preview with care: A panel is in error."


def test_hostile_names_are_told_as_they_are(case: Case, picture: Path) -> None:
    hostile = message(title=HOSTILE * 40, creator=HOSTILE * 9, url="http://127.0.0.1/d/1?a=<b>|c&d", picture=picture)
    assert case.channel.deliver(hostile, MemoryLedger()).doubt is None


def test_the_connection_can_be_tried(case: Case) -> None:
    checks = case.channel.check()
    assert checks
    assert all(check.ok and check.text for check in checks)
