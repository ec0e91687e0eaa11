"""Several processes in one folder: crashes closed openly, torn lines noted, others' actions seen at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from belvedere.audit import log
from belvedere.audit.model import Result
from belvedere.audit.service import DIED, FileHistory
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.failpoints import EXIT_CODE

DEED = """
import sys
from pathlib import Path
from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import SYSTEM
history = FileHistory(Path(sys.argv[1]), most_bytes=int(sys.argv[2]))
for turn in range(int(sys.argv[3])):
    with history.action(SYSTEM, "tenant.create", f"{turn}"):
        pass
print("done", flush=True)
sys.stdin.read()
"""

HELD = """
import sys
from pathlib import Path
from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import SYSTEM
history = FileHistory(Path(sys.argv[1]))
with history.action(SYSTEM, "tenant.create", "acme"):
    print("begun", flush=True)
    sys.stdin.readline()
print("done", flush=True)
sys.stdin.read()
"""


def process(folder: Path, *, deeds: int = 1, failpoint: str = "", most_bytes: int = 1_000_000) -> subprocess.Popen:
    environment = os.environ | {"BELVEDERE_FAILPOINT": failpoint}
    return subprocess.Popen(
        [sys.executable, "-c", DEED, str(folder), str(most_bytes), str(deeds)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )


def crash(folder: Path, failpoint: str, **more: int) -> None:
    running = process(folder, failpoint=failpoint, **more)
    running.communicate(timeout=30)
    assert running.returncode == EXIT_CODE


def test_an_action_left_open_by_a_crash_is_closed_as_unknown_by_a_new_record(folder: Path) -> None:
    crash(folder, "audit.action.asked")
    [left] = folder.glob("*.jsonl")
    before = left.read_bytes()
    history = FileHistory(folder)
    assert history.start() == 1
    [action] = history.search(SYSTEM).items
    assert (action.result, action.error) == (Result.UNKNOWN, DIED)
    assert left.read_bytes() == before
    assert history.recover() == 0
    assert history.verify().ok
    history.close()


def test_a_deed_whose_end_was_not_written_is_unknown_too(folder: Path) -> None:
    crash(folder, "audit.action.done")
    history = FileHistory(folder)
    assert [action.result for action in history.search(SYSTEM).items] == [Result.UNKNOWN]
    history.close()


PLACES = (
    "audit.chain.making", "audit.chain.making:3", "audit.chain.opened", "audit.chain.rotating", "audit.action.asked:7",
)


@pytest.mark.parametrize("place", PLACES)
def test_wherever_a_process_dies_the_chain_stays_whole(folder: Path, place: str) -> None:
    crash(folder, place, deeds=20, most_bytes=1_500)
    crash(folder, place, deeds=20, most_bytes=1_500)
    history = FileHistory(folder)
    history.start()
    assert history.verify().ok
    assert Result.RUNNING not in {action.result for action in history.search(SYSTEM).items}
    history.close()


def test_dying_while_closing_others_actions_closes_them_at_the_next_start(folder: Path) -> None:
    crash(folder, "audit.action.asked")
    crash(folder, "audit.action.asked")
    crash(folder, "audit.recover.closed")
    history = FileHistory(folder)
    history.start()
    ended = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    closed = [record["id"] for record in ended if record.get("result") == "unknown"]
    assert len(closed) == len(set(closed)) == 2
    assert history.verify().ok
    history.close()


def test_a_living_process_keeps_its_actions_running(folder: Path) -> None:
    mine = FileHistory(folder)
    with mine.action(SYSTEM, "tenant.create", "acme"):
        other = process(folder, deeds=3)
        assert other.stdout.readline() == "done\n"
        found = {(a.target, a.result) for a in mine.search(SYSTEM).items}
        assert found == {("acme", Result.RUNNING), *((str(n), Result.SUCCEEDED) for n in range(3))}
        assert mine.verify().ok
    other.communicate(timeout=30)
    mine.close()


def test_what_a_process_writes_while_others_look_whether_it_lives_is_not_taken_for_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HELD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "begun\n"
    lives = log.lives

    def ends_before_the_answer(*given: object) -> bool:
        if other.poll() is None:
            other.stdin.write("end\n")
            other.stdin.flush()
            assert other.stdout.readline() == "done\n"
            other.kill()
            other.communicate()
        return lives(*given)

    monkeypatch.setattr(log, "lives", ends_before_the_answer)
    history = FileHistory(folder)
    assert history.recover() == 0
    assert [action.result for action in history.search(SYSTEM).items] == [Result.SUCCEEDED]
    assert '"repaired"' not in "".join(path.read_text() for path in folder.glob("*.jsonl"))
    assert history.verify().ok
    history.close()


def test_killed_processes_and_many_at_once(folder: Path) -> None:
    running = [process(folder, deeds=30, most_bytes=4_000) for _ in range(4)]
    for one in running:
        assert one.stdout.readline() == "done\n"
        one.kill()
        one.communicate()
    history = FileHistory(folder)
    assert history.search(SYSTEM, result="succeeded").total == 120
    found = history.verify()
    assert found.ok and found.count == 120
    history.close()


def test_a_torn_last_line_is_noted_openly_and_left_as_it_is(folder: Path) -> None:
    one = process(folder, deeds=2)
    assert one.stdout.readline() == "done\n"
    one.kill()
    one.communicate()
    [path] = folder.glob("*.jsonl")
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    assert FileHistory(folder).verify().broken_at.why == "The last line is torn, and no record says so."
    history = FileHistory(folder)
    history.start()
    found = history.verify()
    assert found.ok and found.repairs == 1
    assert path.read_bytes() == torn
    path.write_bytes(torn + b"x")
    assert not history.verify().ok
    path.write_bytes(torn[:-1])
    assert not history.verify().ok
    history.close()


def test_a_child_made_by_fork_begins_its_own_chain(folder: Path) -> None:
    history = FileHistory(folder)
    with history.action(SYSTEM, "tenant.create", "parent"):
        pass
    child = os.fork()
    if child == 0:
        with history.action(SYSTEM, "tenant.create", "child"):
            pass
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with history.action(SYSTEM, "tenant.create", "parent again"):
        pass
    assert len(list(folder.glob("*.jsonl"))) == 2
    assert history.search(SYSTEM, result="succeeded").total == 3
    assert history.verify().ok
    history.close()
