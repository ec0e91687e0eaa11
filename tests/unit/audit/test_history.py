"""Writing deeds down: two records each, masked, flushed before the deed, refused when the disk is full."""

import json
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from belvedere.audit import log
from belvedere.audit.model import Result
from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Later, NotFound, Rejected, Stuck
from belvedere.kernel.secret import MASK, Secret

ALICE = Actor(name="alice", role=Role.ADMIN, door="portal", origin="198.51.100.7", request_id="r-1")
BOBS_TOKEN = Actor(name="token:bob", role=Role.ADMIN, tenant=2, door="api")


def records(folder: Path, *kinds: str) -> list[dict]:
    lines = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] in (kinds or ("asked", "ended"))]


def test_a_deed_is_two_records_with_one_id(history: FileHistory, folder: Path) -> None:
    with history.action(ALICE, "tenant.create", "acme", tenant=7, kind="tables") as ending:
        asked = records(folder)
        ending.note(serial=7)
    asked_, ended = records(folder)
    assert asked == [asked_]
    assert asked_["id"] == ended["id"]
    assert (asked_["actor"], asked_["origin"], asked_["request_id"]) == ("alice", "198.51.100.7", "r-1")
    assert asked_["arguments"] == {"kind": "tables"}
    assert (ended["result"], ended["ending"]) == ("succeeded", {"serial": 7})


def test_asked_is_flushed_before_the_deed(history: FileHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: flushed.append(real(descriptor)))
    with history.action(ALICE, "tenant.create", "acme"):
        assert flushed


@pytest.mark.parametrize(
    ("error", "result", "said"),
    [
        (Rejected("No."), "refused", "No."),
        (Stuck("A human must act."), "failed", "A human must act."),
        (ValueError("quotes a password"), "failed", "ValueError"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
    ],
)
def test_an_error_ends_the_action_and_passes_on(
    history: FileHistory, folder: Path, error: BaseException, result: str, said: str
) -> None:
    with pytest.raises(type(error)), history.action(ALICE, "tenant.create", "acme"):
        raise error
    ended = records(folder, "ended")[0]
    assert (ended["result"], ended["error"]) == (result, said)


def test_no_secret_reaches_a_file(folder: Path) -> None:
    history = FileHistory(folder, known_secrets=[Secret("hunter2-hunter2")])
    with history.action(
        ALICE, "credential.put", "alice DB_PASS", key_value="a-plain-value", value=Secret("a-typed-value"),
        note="it was hunter2-hunter2", url="postgresql://alice:in-the-url@db/x", nested={"slackBotToken": "deep-down"},
    ) as ending:
        ending.note(password="in-the-end", token_name="ci")
    history.close()
    text = "".join(path.read_text() for path in folder.glob("*.jsonl"))
    for secret in ("a-plain-value", "a-typed-value", "hunter2", "in-the-url", "deep-down", "in-the-end"):
        assert secret not in text
    assert "ci" in text and MASK in text


def test_a_full_disk_refuses_the_deed_and_leaves_the_chain_whole(
    history: FileHistory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with history.action(ALICE, "tenant.create", "before"):
        pass
    real, done = os.write, []

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 100:
            return real(descriptor, data[:50])  # As the kernel does: what fits, then ENOSPC.
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log.os, "write", lambda descriptor, data: full(descriptor, data[:99] if done else data))
    done.append(1)
    with pytest.raises(Later, match="No space left"), history.action(ALICE, "tenant.create", "acme"):
        pytest.fail("the deed was done unrecorded")
    monkeypatch.undo()
    with history.action(ALICE, "tenant.create", "after"):
        pass
    assert [record["target"] for record in records(folder, "asked")] == ["before", "after"]
    assert history.verify().ok


def test_a_disk_that_is_full_from_the_start_leaves_no_half_begun_file(
    history: FileHistory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log.os, "write", full)
    with pytest.raises(Later), history.action(ALICE, "tenant.create", "acme"):
        pytest.fail("the deed was done unrecorded")
    monkeypatch.undo()
    assert not list(folder.glob("*.jsonl"))
    with history.action(ALICE, "tenant.create", "acme"):
        pass
    assert history.verify().ok


def test_an_end_that_cannot_be_written_is_written_with_the_next_record(
    history: FileHistory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with history.action(ALICE, "tenant.create", "acme"):
        monkeypatch.setattr(log.os, "write", full)
    monkeypatch.undo()
    assert history.search(SYSTEM).items[0].result is Result.RUNNING
    with history.action(ALICE, "tenant.create", "other"):
        pass
    assert {action.result for action in history.search(SYSTEM).items} == {Result.SUCCEEDED}
    assert history.verify().ok


def test_a_failed_flush_refuses_the_deed_and_begins_a_new_file(
    history: FileHistory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(log.os, "fdatasync", broken)
    with pytest.raises(Later), history.action(ALICE, "tenant.create", "acme"):
        pytest.fail("the deed was done unrecorded")
    monkeypatch.undo()
    with history.action(ALICE, "tenant.create", "other"):
        pass
    assert len(list(folder.glob("*.jsonl"))) == 2
    assert {(a.target, a.result) for a in history.search(SYSTEM).items} == {("acme", "refused"), ("other", "succeeded")}
    assert history.verify().ok


def test_threads_write_one_whole_chain_and_share_flushes(history: FileHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: flushes.append(real(descriptor)))

    def work(number: int) -> None:
        for turn in range(20):
            with history.action(ALICE, "tenant.create", f"{number}-{turn}"):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = history.verify()
    assert found.ok and found.count == 160
    assert len(flushes) <= 160
    assert history.search(SYSTEM, result="succeeded").total == 160


def test_repeated_refusals_are_counted_not_listed(history: FileHistory, clock, folder: Path) -> None:
    for _ in range(100):
        history.refusal(ALICE, "api.request", "/api/v1/users", "unknown token")
    assert len(records(folder, "summary")) == 1
    clock.forward(minutes=2)
    history.refusal(ALICE, "api.request", "/api/v1/users", "unknown token")
    counts = [record.get("count", 1) for record in records(folder, "summary")]
    assert counts == [1, 99, 1]
    assert {action.result for action in history.search(SYSTEM).items} == {Result.REFUSED}


def test_a_summary_is_one_record_with_its_count(history: FileHistory) -> None:
    history.summary(ALICE, "panel.query", "QoR history", count=12, tenant=7)
    [action] = history.search(SYSTEM).items
    assert (action.count, action.result, action.tenant) == (12, Result.SUCCEEDED, 7)


def test_search_filters_by_everything_and_pages_by_key(history: FileHistory, clock) -> None:
    for number in range(7):
        with history.action(ALICE, "tenant.create", f"t{number}", reason="Ticket 4127"):
            pass
    clock.forward(hours=2)
    with pytest.raises(Rejected), history.action(SYSTEM, "credential.reveal", "DB_PASS", tenant=3):
        raise Rejected
    first = history.search(ALICE, verb="tenant", limit=3)
    second = history.search(ALICE, verb="tenant", limit=3, after=first.next)
    third = history.search(ALICE, verb="tenant", limit=3, after=second.next)
    assert first.total == 7 and third.next is None
    assert [a.target for page in (first, second, third) for a in page.items] == [f"t{n}" for n in range(6, -1, -1)]
    assert history.search(ALICE, text="ticket 4127").total == 7
    assert history.search(ALICE, person="Belvedere").total == 1
    assert history.search(ALICE, result="refused").items[0].verb == "credential.reveal"
    assert history.search(ALICE, since=clock.moment - timedelta(hours=1)).total == 1
    assert history.search(ALICE, until=clock.moment - timedelta(hours=1)).total == 7
    assert history.search(ALICE, target="t3").total == 1
    assert history.choices(ALICE) == (["alice", "Belvedere"], ["credential.reveal", "tenant.create"])


def test_a_tenants_actor_sees_only_its_own_actions(history: FileHistory) -> None:
    with history.action(ALICE, "credential.reveal", "DB_PASS", tenant=1), history.action(BOBS_TOKEN, "key.create", "x"):
        pass
    assert [action.verb for action in history.search(BOBS_TOKEN).items] == ["key.create"]
    with pytest.raises(NotFound):
        history.search(BOBS_TOKEN, tenant=1)
    hidden = history.search(ALICE, tenant=1).items[0]
    with pytest.raises(NotFound):
        history.get(BOBS_TOKEN, hidden.id)
    assert history.choices(BOBS_TOKEN) == (["token:bob"], ["key.create"])
    with pytest.raises(NotFound):
        history.check(BOBS_TOKEN)


def test_the_detail_is_read_from_the_file(history: FileHistory, folder: Path) -> None:
    with history.action(ALICE, "tenant.create", "acme"):
        pass
    action = history.get(ALICE, history.search(ALICE).items[0].id)
    asked = records(folder, "asked")[0]
    assert (action.before, action.hash) == (asked["before"], asked["hash"])


def test_reading_makes_no_chain(history: FileHistory, folder: Path) -> None:
    assert history.search(ALICE).items == []
    assert history.verify().ok
    assert not list(folder.glob("*.jsonl"))


def test_a_lost_or_broken_index_is_built_anew(history: FileHistory, folder: Path) -> None:
    with history.action(ALICE, "tenant.create", "acme"):
        pass
    assert history.search(ALICE).total == 1
    [index] = folder.glob("index-*.sqlite")
    index.write_bytes(b"this is no database" * 1000)
    for end in ("-wal", "-shm"):
        index.with_name(index.name + end).unlink(missing_ok=True)
    with pytest.raises(Later):
        history.search(ALICE)
    assert history.search(ALICE).total == 1


def test_the_files_are_the_owners_alone(history: FileHistory, folder: Path) -> None:
    with history.action(ALICE, "tenant.create", "acme"):
        pass
    history.search(ALICE)
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.jsonl"))
