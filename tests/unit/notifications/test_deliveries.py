"""Deliveries: announced once, seen by their tenant only, sent again when a person asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Forbidden, NotFound
from belvedere.kernel.secret import Secret

ALICE, CHARLIE = 1, 3


def test_a_tenant_without_chat_finds_its_message_in_the_outbox(room) -> None:
    room.announce(CHARLIE)
    room.settle()
    (only,) = room.service.list(SYSTEM, tenant=CHARLIE).items
    assert (only.channel_kind, only.state, only.fallback) == ("outbox", "sent", None)


def test_a_tenant_with_chat_has_both(room) -> None:
    room.announce()
    room.settle()
    assert sorted(one.channel_kind for one in room.service.list(SYSTEM).items) == ["outbox", "slack"]


def test_the_installations_own_slack_serves_tenants_without_one(room) -> None:
    room.service._common = type(room.service._common)(Secret(room.workspace.token), "C0ALICE")
    room.announce(CHARLIE)
    room.settle()
    assert room.only().state == "sent"


def test_a_dashboard_is_announced_once(room, workspace) -> None:
    dashboard = room.announce()
    room.settle()
    room.announce(dashboard_id=dashboard)
    room.settle()
    assert len(workspace.posted) == 1


def test_a_newer_picture_replaces_the_one_that_still_waits(room, workspace) -> None:
    dashboard = room.announce(gif_path=None, reason="No browser.")
    room.announce(dashboard_id=dashboard)
    room.settle()
    assert room.only().fallback is None
    assert len(workspace.shared) == 1


def test_sending_again_makes_a_new_delivery_and_leaves_the_old(room, workspace) -> None:
    room.announce()
    room.settle()
    room.service.send_again(SYSTEM, room.only().id)
    room.settle()
    assert [one.state for one in room.to_slack()] == ["sent", "sent"]
    assert len(workspace.posted) == 2


def test_an_outbox_message_reaches_slack_once_chat_is_there(room, workspace) -> None:
    room.announce(CHARLIE)
    room.settle()
    (old,) = room.service.list(SYSTEM, tenant=CHARLIE).items
    room.credentials[CHARLIE, "SLACK_BOT_TOKEN"] = Secret(workspace.token)
    room.credentials[CHARLIE, "SLACK_CHANNEL_ID"] = Secret("C0ALICE")
    room.service.send_again(SYSTEM, old.id)
    room.settle()
    assert len(workspace.posted) == 1


def test_mended_credentials_send_what_failed(room, workspace) -> None:
    right, workspace.token = workspace.token, "xoxb-new"
    room.announce()
    room.settle()
    assert (room.only().state, room.only().code) == ("failed", "slack-token")
    workspace.token = right
    room.service.check("1")
    room.settle()
    assert room.only().state == "sent"


def test_a_dashboard_that_goes_takes_its_waiting_message_along(room, workspace) -> None:
    dashboard = room.announce()
    with room.database.transaction() as connection:
        room.service.forget_dashboard(connection, dashboard)
    room.settle()
    assert (room.only().state, room.only().error) == ("failed", "The dashboard is gone; nothing was sent.")
    assert workspace.posted == []


def test_a_stranger_sees_nothing_and_a_viewer_sends_nothing(room) -> None:
    room.announce()
    room.settle()
    charlie = Actor("charlie", Role.ADMIN, tenant=CHARLIE)
    bob = Actor("bob", Role.VIEWER, tenant=ALICE)
    assert room.service.list(charlie).items == []
    with pytest.raises(NotFound):
        room.service.list(charlie, tenant=ALICE)
    with pytest.raises(NotFound):
        room.service.send_again(charlie, room.only().id)
    assert len(room.service.list(bob).items) == 2
    with pytest.raises(Forbidden):
        room.service.send_again(bob, room.only().id)
    alice = Actor("alice", Role.OPERATOR, tenant=ALICE)
    room.service.send_again(alice, room.only().id)
    room.settle()
    assert len(room.to_slack()) == 2


def test_a_long_list_comes_in_pages(room) -> None:
    for _ in range(5):
        room.announce(CHARLIE)
    first = room.service.list(SYSTEM, limit=3)
    assert (len(first.items), first.total) == (3, 5)
    second = room.service.list(SYSTEM, limit=3, after=first.next)
    assert (len(second.items), second.next) == (2, None)
    assert not {one.id for one in first.items} & {one.id for one in second.items}


def test_waiting_messages_can_be_hurried(room, workspace) -> None:
    workspace.fail("chat.postMessage", "status", status=503)
    room.announce()
    room.run()
    assert room.service.send_waiting(SYSTEM) == 1
    room.run()
    assert room.only().state == "sent"


STEPS = [f"notifications.slack.step-{place}:{step}" for place in ("begun", "done", "written") for step in (1, 2, 3, 4)]
PLACES = [
    "notifications.deliver.begun", *STEPS, "notifications.deliver.delivered", "notifications.deliver.before-commit",
]


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_is_sent_once(room, workspace, place) -> None:
    room.announce()
    key = str(room.only().id)
    script = Path(__file__).with_name("deliver_process.py")
    done = subprocess.run(
        [sys.executable, script, room.database.url.reveal(), str(room.pictures), workspace.url, workspace.token, key],
        env={**os.environ, "BELVEDERE_FAILPOINT": place}, check=False, timeout=60,
    )
    assert done.returncode == 86
    room.service.deliver(key)
    room.settle()
    sent = room.only()
    assert sent.state == "sent"
    assert len(workspace.posted) == 1
    # Begun and not done: nobody can know about the picture, so it is stated and not sent again.
    in_doubt = place == "notifications.slack.step-begun:4"
    assert (len(workspace.shared), bool(sent.doubt)) == ((0, True) if in_doubt else (1, False))
    assert workspace.wrongs == []
