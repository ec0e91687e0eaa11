"""Slack as a channel, against a local Slack that checks every request."""

import pytest

from belvedere.kernel.actor import SYSTEM

FULL = ["files.getUploadURLExternal", "upload", "chat.postMessage", "files.completeUploadExternal"]


def test_the_picture_goes_byte_for_byte_and_each_step_once_in_order(room, workspace) -> None:
    room.announce()
    room.settle()
    assert workspace.order() == FULL
    (file,) = workspace.files.values()
    assert file["bytes"] == (room.pictures / "p.gif").read_bytes()
    assert workspace.shared[0]["channel_id"] == "C0ALICE"
    assert workspace.shared[0]["files"] == [{"id": "F000000000", "title": "Dashboard GIF"}]
    header, section = workspace.posted[0]["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "New Dashboard Created by alice", "emoji": False}
    assert "<http://127.0.0.1/d/1|Timing of cpu>" in section["text"]["text"]
    sent = room.only()
    assert (sent.state, sent.fallback, sent.doubt, sent.attempts) == ("sent", None, None, 1)
    assert workspace.wrongs == []


@pytest.mark.parametrize("method", FULL)
def test_a_server_error_is_tried_again_and_doubles_nothing(room, workspace, method) -> None:
    workspace.fail(method, "status", status=503)
    room.announce()
    room.settle()
    assert room.only().state == "sent"
    assert (len(workspace.posted), len(workspace.shared)) == (1, 1)
    assert workspace.wrongs == []


@pytest.mark.parametrize("method", FULL)
def test_slack_asking_to_wait_is_obeyed_to_the_second(room, workspace, method) -> None:
    workspace.fail(method, "status", status=429, headers={"Retry-After": "37"})
    room.announce()
    room.run()
    waits = room.only()
    assert waits.state == "waiting"
    assert 35 < (waits.next_try_at - room.clock()).total_seconds() <= 37
    calls = len(workspace.calls)
    room.clock.pass_s(30)
    room.run()
    assert len(workspace.calls) == calls
    room.clock.pass_s(8)
    room.run()
    assert room.only().state == "sent"
    assert (len(workspace.posted), len(workspace.shared)) == (1, 1)


@pytest.mark.parametrize("method", FULL)
def test_a_reset_before_slack_took_it_ends_sent_once(room, workspace, method) -> None:
    workspace.fail(method, "reset")
    room.announce()
    room.settle()
    sent = room.only()
    assert sent.state == "sent"
    assert len(workspace.posted) == 1
    # Whether the picture was taken cannot be seen: it is stated and never sent twice.
    assert len(workspace.shared) == (0 if method == "files.completeUploadExternal" else 1)
    assert bool(sent.doubt) == (method == "files.completeUploadExternal")


@pytest.mark.parametrize("method", FULL)
def test_a_reset_after_slack_took_it_doubles_nothing(room, workspace, method) -> None:
    workspace.fail(method, "reset", after=True)
    room.announce()
    room.settle()
    sent = room.only()
    assert (sent.state, sent.doubt) == ("sent", None)
    assert (len(workspace.posted), len(workspace.shared)) == (1, 1)
    assert workspace.wrongs == []


@pytest.mark.parametrize("method", FULL)
@pytest.mark.parametrize("after", [False, True], ids=["not-taken", "taken"])
def test_an_answer_that_comes_too_late_doubles_nothing(hasty_room, workspace, method, after) -> None:
    late = workspace.fail(method, "late", after=after)
    hasty_room.announce()
    hasty_room.run()
    assert hasty_room.only().state == "waiting" or method == "upload"
    late.hold.set()
    hasty_room.settle()
    assert hasty_room.only().state == "sent"
    assert (len(workspace.posted), len(workspace.shared)) == (1, 1)


def test_where_slack_cannot_be_asked_the_doubt_is_stated(room, workspace) -> None:
    workspace.scopes -= {"channels:history", "files:read"}
    workspace.fail("chat.postMessage", "reset", after=True)
    room.announce()
    room.settle()
    sent = room.only()
    assert sent.state == "sent"
    assert sent.doubt.startswith("Slack may have the text already")
    assert (len(workspace.posted), len(workspace.shared)) == (1, 1)


def test_a_text_alone_in_doubt_needs_a_person(room, workspace) -> None:
    workspace.scopes -= {"channels:history"}
    workspace.fail("chat.postMessage", "reset", after=True)
    room.announce(gif_path=None, png_path=None, reason="There is no browser.")
    room.settle()
    failed = room.only()
    assert (failed.state, failed.code) == ("failed", "delivery-doubt")
    assert "Slack may have the text already" in failed.doubt
    assert "Look in the channel" in failed.hint
    assert len(workspace.posted) == 1


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("invalid_auth", "token"), ("account_inactive", "deleted"), ("token_revoked", "revoked"),
        ("channel_not_found", "channel"), ("is_archived", "archived"), ("a_new_word", "a_new_word"),
    ],
)
def test_a_refusal_names_the_next_step_and_is_not_repeated(room, workspace, error, word) -> None:
    workspace.fail("chat.postMessage", "error", error=error)
    room.announce()
    room.settle()
    failed = room.only()
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert word in failed.error
    assert failed.hint
    assert workspace.posted == []


def test_a_missing_scope_for_pictures_leads_to_text(room, workspace) -> None:
    workspace.scopes -= {"files:write"}
    room.announce()
    room.settle()
    sent = room.only()
    assert sent.state == "sent"
    assert "`files:write`" in sent.fallback
    assert "files:write" in workspace.posted[0]["blocks"][2]["elements"][0]["text"]


def test_an_upload_that_never_works_leads_to_text(room, workspace) -> None:
    for _ in range(20):
        workspace.fail("upload", "status", status=502)
    room.announce()
    room.settle()
    sent = room.only()
    assert sent.state == "sent"
    assert "502" in sent.fallback
    assert len(workspace.posted) == 1


def test_a_stale_upload_address_is_replaced(room, workspace) -> None:
    workspace.fail("upload", "status", status=410)
    room.announce()
    room.settle()
    assert (room.only().state, room.only().fallback) == ("sent", None)
    assert workspace.order().count("files.getUploadURLExternal") == 2


def test_pictures_go_to_https_or_loopback_only(room, workspace) -> None:
    workspace.upload_base = "http://files.example.com"
    room.announce()
    room.settle()
    assert "not https" in room.only().fallback
    assert "upload" not in workspace.order()


def test_a_public_channel_is_entered_when_the_bot_is_not_in_it(room, workspace) -> None:
    workspace.channels["C0ALICE"]["is_member"] = False
    room.announce()
    room.settle()
    assert room.only().state == "sent"
    assert "conversations.join" in workspace.order()


def test_a_private_channel_asks_for_an_invitation(room, workspace) -> None:
    workspace.channels["C0ALICE"]["is_member"] = False
    workspace.scopes -= {"channels:join"}
    room.announce()
    room.settle()
    assert room.only().state == "failed"
    assert "/invite" in room.only().hint


def test_what_is_no_slack_is_said(room, workspace) -> None:
    workspace.fail("files.getUploadURLExternal", "status", status=404)
    room.announce()
    room.settle()
    assert room.only().state == "failed"
    assert "BELVEDERE_SLACK_API_URL" in room.only().hint


def test_slack_away_for_good_is_given_up_after_ten_tries(room, workspace) -> None:
    for _ in range(40):
        workspace.fail("chat.postMessage", "status", status=500)
    room.announce()
    room.settle()
    failed = room.only()
    assert (failed.state, failed.attempts) == ("failed", 10)
    assert failed.error.startswith("Given up after 10 tries.")


def test_an_unreachable_slack_waits_with_its_next_try(room, workspace) -> None:
    workspace.close()
    room.announce()
    room.run()
    assert room.only().state == "waiting"
    assert room.only().next_try_at is not None
    assert "cannot be reached" in room.only().error


def test_the_token_stands_in_no_error_and_no_row(room, workspace) -> None:
    workspace.fail("chat.postMessage", "error", error="invalid_auth")
    room.announce()
    room.settle()
    with room.database.transaction() as connection:
        kept = str(connection.execute("SELECT d, s FROM delivery d LEFT JOIN delivery_step s ON true").fetchall())
    assert workspace.token not in kept


def test_the_upload_address_is_forgotten_once_it_is_of_no_use(room, workspace) -> None:
    room.announce()
    room.settle()
    with room.database.transaction() as connection:
        kept = str(connection.execute("SELECT result FROM delivery_step").fetchall())
    assert "/upload/v1/" not in kept


def test_the_connection_test_says_each_thing_in_a_sentence(room, workspace) -> None:
    assert [check.name for check in room.service.test(SYSTEM, 1)] == ["auth.test", "conversations.info"]
    workspace.scopes -= {"files:write"}
    workspace.channels["C0ALICE"]["is_member"] = False
    checks = {check.name: check for check in room.service.test(SYSTEM, 1)}
    assert not checks["files:write"].ok
    assert checks["conversations.join"].text == "The bot entered #alice-dashboards."
    workspace.token = "xoxb-other"
    (only,) = room.service.test(SYSTEM, 1)
    assert (only.name, only.ok) == ("auth.test", False)
    assert "SLACK_BOT_TOKEN" in only.hint
