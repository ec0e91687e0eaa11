"""Rounds: one change, one picture, one message, whatever happens on the way."""

import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Forbidden, NotFound
from belvedere.previews.model import CaptureFailed, NoBrowser

ALICE, CHARLIE = 1, 3
NOT_READY = "Not ready after 60 s: 1 of 2 panels is not drawn: p2."


def test_a_changed_dashboard_is_captured_and_announced_once(room, camera) -> None:
    dashboard = room.dashboard()
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    assert (made.state, made.attempts, made.frames) == ("captured", 1, 2)
    with Image.open(room.service.file(SYSTEM, made.id, "gif")) as gif:
        assert gif.n_frames == 2
    assert room.service.file(SYSTEM, made.id, "png").is_file()
    (told,) = room.messages.list(SYSTEM).items
    assert (told.state, told.fallback, told.gif_path) == ("sent", None, made.gif_path)
    assert len(camera.seen) == 1
    assert list(room.root.glob("*/.work*")) == []


def test_running_the_job_again_does_nothing(room, camera) -> None:
    dashboard = room.dashboard()
    room.settle()
    room.service.capture(str(dashboard))
    assert (len(camera.seen), room.told()) == (1, 1)


def test_many_changes_in_a_short_time_are_one_capture(room, camera) -> None:
    dashboard = room.dashboard(age_s=0)
    for _ in range(10):
        room.change(dashboard)
        room.run()
    assert camera.seen == []
    room.pass_s(2)
    room.settle()
    assert len(camera.seen) == 1


def test_a_dashboard_that_is_never_still_is_captured_all_the_same(room, camera) -> None:
    dashboard = room.dashboard(age_s=0)
    for _ in range(13):
        room.run()
        room.pass_s(0.9)
        room.change(dashboard)
    assert len(camera.seen) == 1


def test_a_change_during_a_capture_leads_to_another(room, camera) -> None:
    dashboard = room.dashboard()
    camera.before = lambda _: room.change(dashboard, age_s=-1) if len(camera.seen) == 1 else None
    room.settle()
    assert len(camera.seen) == 2
    assert [one.state for one in room.service.list(SYSTEM, dashboard)] == ["captured", "captured"]
    assert room.told() == 1


def test_tenants_take_turns(room, camera) -> None:
    for _ in range(5):
        room.dashboard(ALICE)
    for _ in range(2):
        room.dashboard(CHARLIE)
    room.settle()
    with room.database.transaction() as connection:
        found = connection.execute("SELECT tenant_id FROM preview ORDER BY captured_at").fetchall()
    assert [row["tenant_id"] for row in found] == [ALICE, CHARLIE, ALICE, CHARLIE, ALICE, ALICE, ALICE]


def test_capture_now_takes_a_picture_of_an_unchanged_dashboard(room, camera) -> None:
    dashboard = room.dashboard()
    room.settle()
    asked = room.service.request(SYSTEM, dashboard)
    assert asked.state == "waiting"
    room.settle()
    assert len(camera.seen) == 2
    assert room.told() == 1


def test_a_failed_capture_is_tried_again_with_growing_pauses(room, camera) -> None:
    def fail(_: str) -> None:
        raise CaptureFailed(NOT_READY)

    camera.before = fail
    dashboard = room.dashboard()
    room.run()
    waits = room.service.latest(SYSTEM, dashboard)
    assert (waits.state, waits.attempts) == ("waiting", 1)
    assert waits.next_try_at > room.now()
    assert room.told() == 0
    room.settle()
    failed = room.service.latest(SYSTEM, dashboard)
    assert (failed.state, failed.attempts) == ("failed", 4)
    tries = room.service.attempts(SYSTEM, failed.id)
    assert [one.outcome for one in tries] == ["failed"] * 4
    pauses = [later.started_at - earlier.started_at for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    (told,) = room.messages.list(SYSTEM).items
    assert told.fallback == f"Text instead of a preview: {NOT_READY}"


def test_the_still_of_a_failed_capture_is_kept_and_sent(room, camera) -> None:
    def fail(_: str) -> None:
        (desk,) = room.root.glob("*/.work-*")
        still = desk / "frame.png"
        Image.new("RGB", (8, 8)).save(still)
        raise CaptureFailed(NOT_READY, still=still)

    camera.before = fail
    dashboard = room.dashboard()
    room.settle()
    failed = room.service.latest(SYSTEM, dashboard)
    assert room.service.file(SYSTEM, failed.id, "png").is_file()
    (told,) = room.messages.list(SYSTEM).items
    assert told.fallback == f"A still instead of a preview: {NOT_READY}"


def test_without_a_browser_the_message_goes_out_as_text_at_once(room, camera) -> None:
    def fail(_: str) -> None:
        raise NoBrowser

    camera.before = fail
    dashboard = room.dashboard()
    room.settle()
    assert room.service.latest(SYSTEM, dashboard).attempts == 1
    assert room.told() == 1
    camera.before = lambda _: None
    room.service.tidy("")
    room.settle()
    assert room.service.latest(SYSTEM, dashboard).state == "captured"
    assert room.told() == 1


def test_while_the_browser_is_taken_others_wait_on_the_queue_and_are_waked(room, camera) -> None:
    first, second = room.dashboard(), room.dashboard()
    with room.slots.take() as free:
        assert free
        room.run()
    assert camera.seen == []
    assert {room.service.latest(SYSTEM, one).state for one in (first, second)} == {"waiting"}
    room.service.capture(str(first))
    assert len(camera.seen) == 1
    # The one that ended brought the other forward: it is due now, with the clock where it was.
    room.run()
    assert len(camera.seen) == 2


def test_a_dashboard_that_is_gone_is_not_captured(room, camera) -> None:
    dashboard = room.dashboard()
    del room.dashboards[dashboard]
    room.settle()
    assert camera.seen == []


def test_a_tenants_end_takes_its_pictures_and_messages(room) -> None:
    alices, charlies = room.dashboard(ALICE), room.dashboard(CHARLIE)
    room.settle()
    gone = room.service.file(SYSTEM, room.service.latest(SYSTEM, alices).id, "gif")
    room.service.remove_tenant(str(ALICE))
    room.service.remove_tenant(str(ALICE))
    assert not gone.parent.exists()
    assert room.service.latest(SYSTEM, alices) is None
    assert room.service.file(SYSTEM, room.service.latest(SYSTEM, charlies).id, "gif").is_file()
    assert [one.tenant_id for one in room.messages.list(SYSTEM).items] == [CHARLIE]


def test_a_dashboards_end_takes_its_pictures(room) -> None:
    dashboard = room.dashboard()
    room.settle()
    gone = room.service.file(SYSTEM, room.service.latest(SYSTEM, dashboard).id, "gif")
    room.service.forget(str(dashboard))
    assert not gone.exists()
    assert room.service.list(SYSTEM, dashboard) == []


def test_old_rounds_go_with_their_files(room) -> None:
    dashboard = room.dashboard()
    for _ in range(13):
        room.settle()
        room.pass_s(100)
        room.change(dashboard, age_s=30)
    room.settle()
    kept = room.service.list(SYSTEM, dashboard)
    assert len(kept) == 10
    assert len(list(room.root.glob("*/*.gif"))) == 10


def test_a_stranger_sees_no_picture_and_a_viewer_asks_for_none(room) -> None:
    dashboard = room.dashboard()
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    charlie = Actor("charlie", Role.ADMIN, tenant=CHARLIE)
    bob = Actor("bob", Role.VIEWER, tenant=ALICE)
    assert room.service.latest(charlie, dashboard) is None
    assert room.service.list(charlie, dashboard) == []
    for ask in (
        lambda: room.service.file(charlie, made.id, "gif"),
        lambda: room.service.request(charlie, dashboard),
        lambda: room.service.send(charlie, dashboard),
    ):
        with pytest.raises(NotFound):
            ask()
    assert room.service.file(bob, made.id, "gif").is_file()
    with pytest.raises(Forbidden):
        room.service.request(bob, dashboard)
    alice = Actor("alice", Role.OPERATOR, tenant=ALICE)
    room.service.request(alice, dashboard)
    room.service.send(alice, dashboard)
    room.settle()
    assert room.told() == 2


def test_the_folder_tells_nothing_about_the_tenant(room) -> None:
    room.dashboard()
    room.settle()
    (folder,) = room.root.iterdir()
    assert "alice" not in folder.name
    assert len(folder.name) == 20


def test_a_capture_token_opens_one_dashboard_once(room) -> None:
    dashboard = room.dashboard()
    token = room.service.tokens.issue(ALICE, dashboard)
    session, grant = room.service.tokens.redeem(token.reveal())
    assert (grant.tenant, grant.dashboard_id) == (ALICE, dashboard)
    assert room.service.tokens.grant(session.reveal()) == grant
    assert (grant.actor().role, grant.actor().tenant, grant.actor().door) == (Role.VIEWER, ALICE, "capture")
    with pytest.raises(NotFound):
        room.service.tokens.redeem(token.reveal())
    assert room.service.tokens.grant(token.reveal()) is None
    room.pass_s(91)
    assert room.service.tokens.grant(session.reveal()) is None


def test_a_capture_token_goes_stale_and_stands_nowhere_in_plain(room) -> None:
    token = room.service.tokens.issue(ALICE, room.dashboard())
    with room.database.transaction() as connection:
        assert token.reveal() not in str(connection.execute("SELECT * FROM capture_token").fetchall())
    room.pass_s(61)
    with pytest.raises(NotFound):
        room.service.tokens.redeem(token.reveal())


def test_a_session_ends_with_its_capture(room, camera) -> None:
    sessions = []

    def redeem(url: str) -> None:
        sessions.append(room.service.tokens.redeem(url.rpartition("/")[2])[0])

    camera.before = redeem
    room.dashboard()
    room.settle()
    assert room.service.tokens.grant(sessions[0].reveal()) is None


def test_a_full_disk_is_a_reason_and_not_a_crash(room, camera) -> None:
    def fail(_: str) -> None:
        raise OSError(28, "No space left on device")

    camera.before = fail
    dashboard = room.dashboard()
    room.run()
    assert "No space left on device" in room.service.latest(SYSTEM, dashboard).error


def test_a_runner_that_was_taken_for_dead_does_not_announce_a_second_time(room, camera) -> None:
    dashboard = room.dashboard()

    def overtake(_: str) -> None:
        if len(camera.seen) == 1:
            # As the rescue does: the same job, from another runner, while this one still works.
            with room.database.transaction() as connection:
                from belvedere.previews import store

                store.start(connection, store.latest(connection, dashboard), room.now(), room.now())

    camera.before = overtake
    room.service.capture(str(dashboard))
    assert room.told() == 0
    assert room.service.latest(SYSTEM, dashboard).state == "working"
    room.service.capture(str(dashboard))
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    assert (made.state, room.told()) == ("captured", 1)
    assert len(list(room.root.glob("*/*.gif"))) == 1


def test_a_page_that_kills_its_runner_each_time_is_given_up(room, camera) -> None:
    dashboard = room.dashboard()

    class PowerCut(BaseException):
        pass

    def die(_: str) -> None:
        raise PowerCut

    camera.before = die
    for _ in range(8):
        with pytest.raises(PowerCut):
            room.service.capture(str(dashboard))
    room.settle()
    failed = room.service.latest(SYSTEM, dashboard)
    assert (failed.state, room.told()) == ("failed", 1)
    assert "8 tries were begun" in failed.error


PLACES = [
    "previews.capture.begun", "previews.capture.taken", "previews.pictures.before-rename:1",
    "previews.pictures.before-rename:2", "previews.capture.half-placed", "previews.capture.placed",
    "previews.capture.before-commit", "previews.capture.committed",
]


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_ends_captured_once_and_told_once(room, place) -> None:
    dashboard = room.dashboard()
    script = Path(__file__).with_name("capture_process.py")
    done = subprocess.run(
        [sys.executable, script, room.database.url.reveal(), str(room.folder), str(dashboard)],
        env={**os.environ, "BELVEDERE_FAILPOINT": place}, check=False, timeout=60,
    )
    assert done.returncode == 86
    # What the rescue does: the job that nobody ended is run again.
    room.service.capture(str(dashboard))
    room.settle()
    (made,) = room.service.list(SYSTEM, dashboard)
    assert (made.state, room.told()) == ("captured", 1)
    assert room.service.file(SYSTEM, made.id, "gif").is_file()
    assert room.service.file(SYSTEM, made.id, "png").is_file()
    assert len(list(room.root.glob("*/*.gif"))) == 1
    room.pass_s(1000)
    room.service.tidy("")
    assert list(room.root.glob("*/.work*")) == []
    lost = [one.outcome for one in room.service.attempts(SYSTEM, made.id)]
    assert lost == (["captured"] if place == "previews.capture.committed" else ["lost", "captured"])


@pytest.mark.parametrize("place", ["previews.remove-tenant.forgotten", "previews.remove-tenant.files-gone"])
def test_a_tenants_end_that_is_killed_is_finished_by_the_next_run(room, place) -> None:
    room.dashboard()
    room.settle()
    script = Path(__file__).with_name("capture_process.py")
    done = subprocess.run(
        [sys.executable, script, room.database.url.reveal(), str(room.folder), "remove"],
        env={**os.environ, "BELVEDERE_FAILPOINT": place}, check=False, timeout=60,
    )
    assert done.returncode == 86
    room.service.remove_tenant(str(ALICE))
    assert list(room.root.iterdir()) == []


def test_tidying_wakes_a_round_that_nobody_works_on(room) -> None:
    dashboard = room.dashboard(age_s=4000)
    with room.slots.take():
        room.run()
    with room.database.transaction() as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    room.ahead += timedelta(hours=1)
    room.service.tidy("")
    assert room.queued() == [str(dashboard)]
