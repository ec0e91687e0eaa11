"""Runners as real processes: killed, busy, stopped, two at a time."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from belvedere.jobs.model import JobRow
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database


def until(true: Callable[[], object], within_s: float = 30.0) -> float:
    """Wait for a condition; return how long it took, in seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < within_s, "it did not come true"
        time.sleep(0.02)
    return time.monotonic() - started


class Stage:
    """A queue, its runners, and the journal that their jobs write."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.queue = JobQueue(database, {})
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.touch()
        self.processes: list[subprocess.Popen[bytes]] = []

    def ask(self, job: str, key: str) -> None:
        with self.database.transaction() as connection:
            self.queue.enqueue(connection, job, key)

    def runner(self, name: str = "r", grace_s: float = 5.0, **environment: str) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("runner_process.py")
        with (self.folder / f"log-{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, program, self.database.url.reveal(), self.journal, name, str(grace_s)],
                env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def lines(self, word: str, key: str = "") -> list[list[str]]:
        found = [line.split() for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [line for line in found if line[1] == word and (not key or line[2] == key)]

    def job(self, key: str) -> JobRow:
        return next(job for job in self.queue.list(SYSTEM, limit=200).items if job.key == key)


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(database, tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_a_job_starts_because_of_its_commit_and_waits_for_no_look(stage: Stage) -> None:
    stage.runner("woken")
    until(lambda: stage.queue.overview(SYSTEM).runners)
    stage.ask("test.short", "warm")
    until(lambda: stage.lines("end", "warm"))
    stage.ask("test.short", "a")
    until(lambda: stage.lines("begin", "a"))
    until(lambda: stage.job("a").state == "succeeded")


def test_the_work_of_a_killed_runner_is_taken_up_again(stage: Stage) -> None:
    first = stage.runner("first")
    stage.ask("test.hold", "a")
    until(lambda: stage.lines("begin", "a"))
    stage.runner("second")
    until(lambda: stage.queue.overview(SYSTEM).runners == 2)
    first.kill()
    took = until(lambda: len(stage.lines("begin", "a")) == 2, 15)
    assert took < 8
    assert stage.lines("begin", "a")[1][3] == "second"
    assert stage.job("a").attempts == 0, "a death costs no attempt"
    (stage.folder / "release").touch()
    until(lambda: stage.job("a").state == "succeeded")


def test_a_runner_that_holds_the_interpreter_is_not_taken_for_dead(stage: Stage) -> None:
    stage.runner("other")
    stage.runner("busy")
    until(lambda: stage.queue.overview(SYSTEM).runners == 2)
    # Five times as long as the dead are left alone, and the other runner looks on.
    stage.ask("test.busy", "3")
    until(lambda: stage.lines("end", "3"))
    assert len(stage.lines("begin", "3")) == 1
    until(lambda: stage.job("3").state == "succeeded")


def test_a_broken_session_is_regained_without_a_second_run(stage: Stage, cluster) -> None:
    stage.runner("patient-first")
    stage.runner("patient-second")
    until(lambda: stage.queue.overview(SYSTEM).runners == 2)
    stage.ask("test.hold", "a")
    until(lambda: stage.lines("begin", "a"))
    with psycopg.connect(cluster.superuser, autocommit=True) as server:
        ended = [pid for (pid,) in server.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'belvedere%%' "
            "AND datname = %s AND pg_terminate_backend(pid)",
            [psycopg.conninfo.conninfo_to_dict(stage.database.url.reveal())["dbname"]],
        )]
        # Until they are gone a pool may hand out a session that ends under whoever asks for it.
        until(lambda: not server.execute("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [ended]).fetchall())
    assert len(ended) >= 4
    stage.ask("test.short", "b")
    until(lambda: stage.lines("end", "b"))
    until(lambda: stage.queue.overview(SYSTEM).runners == 2)
    until(lambda: stage.queue.list(SYSTEM, state="working").items)
    (stage.folder / "release").touch()
    until(lambda: stage.job("a").state == "succeeded")
    assert len(stage.lines("begin", "a")) == 1


def test_two_runners_never_work_on_one_key_at_once(stage: Stage) -> None:
    stage.runner("one")
    stage.runner("two")
    for round_number in range(12):
        for key in "abc":
            stage.ask("test.short", key)
        until(lambda wanted=round_number: len(stage.lines("begin")) > wanted * 2)
    until(lambda: stage.queue.overview(SYSTEM).waiting + stage.queue.overview(SYSTEM).working == 0)
    for key in "abc":
        journal = sorted((float(line[0]), line[1]) for word in ("begin", "end") for line in stage.lines(word, key))
        assert [word for _, word in journal] == ["begin", "end"] * (len(journal) // 2)
        assert len(journal) >= 4


def test_later_comes_again_stuck_stays_with_its_sentence_and_a_crash_is_bounded(stage: Stage) -> None:
    stage.runner()
    for name in ("later", "stuck", "crash"):
        stage.ask(f"test.{name}", name)
    until(lambda: stage.job("later").state == "succeeded")
    assert len(stage.lines("begin", "later")) == 3
    until(lambda: stage.job("stuck").state == "failed")
    assert stage.job("stuck").error == "Slack does not know the channel. Invite the bot."
    until(lambda: stage.job("crash").state == "failed")
    assert len(stage.lines("begin", "crash")) == 2
    error = stage.job("crash").error or ""
    assert "ValueError" in error
    assert "hunter2" not in error
    stage.queue.try_now(SYSTEM, stage.job("stuck").id)
    until(lambda: len(stage.lines("begin", "stuck")) == 2)


def test_a_job_that_kills_every_runner_is_ended(stage: Stage) -> None:
    stage.ask("test.die", "a")
    while stage.queue.overview(SYSTEM).failed == 0:
        process = stage.runner()
        until(lambda running=process: running.poll() is not None or stage.queue.overview(SYSTEM).failed)
        assert len(stage.processes) < 8
    assert "died 3 times" in (stage.job("a").error or "")


def test_a_stopped_runner_finishes_what_ends_in_time_and_gives_back_the_rest(stage: Stage) -> None:
    process = stage.runner(grace_s=1.0)
    stage.ask("test.hold", "a")
    stage.ask("test.busy", "1")
    until(lambda: len(stage.lines("begin")) == 2)
    process.terminate()
    assert process.wait(10) == 0
    assert stage.job("1").state == "succeeded"
    assert stage.job("a").state == "waiting"
    assert stage.job("a").attempts == 0
    (stage.folder / "release").touch()
    stage.runner()
    until(lambda: stage.job("a").state == "succeeded")


def test_many_runners_start_a_timers_job_once_each_time(stage: Stage) -> None:
    for number in range(3):
        stage.runner(f"timer{number}")
    until(lambda: len(stage.lines("begin")) >= 4)
    begins = [float(line[0]) for line in stage.lines("begin")]
    assert all(later - earlier > 0.3 for earlier, later in itertools.pairwise(begins))


def test_one_queue_may_be_bounded_below_the_threads(stage: Stage) -> None:
    stage.runner()
    for key in "abcd":
        stage.ask("test.one-browser", key)
    stage.ask("test.short", "free")
    until(lambda: len(stage.lines("end")) == 5)
    journal = [line.split() for line in stage.journal.read_text(encoding="utf-8").splitlines() if " free " not in line]
    assert [line[1] for line in journal] == ["begin", "end"] * 4


def test_a_job_with_no_worker_at_all_is_rescued(stage: Stage) -> None:
    stage.ask("test.short", "a")
    with stage.database.transaction() as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")
    assert stage.job("a").state == "waiting"
    stage.runner()
    until(lambda: stage.lines("end", "a"))


@pytest.mark.parametrize("place", ["jobs.runner.taken", "jobs.runner.before-end", "jobs.runner.end-before-commit"])
def test_a_runner_that_dies_at_a_boundary_loses_nothing(stage: Stage, place: str) -> None:
    stage.ask("test.short", "a")
    dying = stage.runner(BELVEDERE_FAILPOINT=place)
    assert dying.wait(30) == 86
    stage.runner()
    until(lambda: stage.job("a").state == "succeeded")


def test_a_runner_that_dies_while_it_rescues_leaves_the_rescue_to_another(stage: Stage) -> None:
    stage.ask("test.short", "a")
    assert stage.runner("first", BELVEDERE_FAILPOINT="jobs.runner.taken").wait(30) == 86
    assert stage.runner("second", BELVEDERE_FAILPOINT="jobs.rescue.before-commit").wait(30) == 86
    stage.runner("third")
    until(lambda: stage.job("a").state == "succeeded")


def test_a_paused_runner_keeps_its_jobs(stage: Stage) -> None:
    paused = stage.runner("paused")
    stage.ask("test.hold", "a")
    until(lambda: stage.lines("begin", "a"))
    stage.runner("other")
    until(lambda: stage.queue.overview(SYSTEM).runners == 2)
    os.kill(paused.pid, signal.SIGSTOP)
    stage.ask("test.short", "1")
    until(lambda: stage.lines("end", "1"))
    # A second at the least, in which the other looks more often than the dead are left alone.
    for key in map(str, range(2, 22)):
        stage.ask("test.short", key)
        until(lambda wanted=key: stage.lines("end", wanted))
    os.kill(paused.pid, signal.SIGCONT)
    (stage.folder / "release").touch()
    until(lambda: stage.job("a").state == "succeeded")
    assert len(stage.lines("begin", "a")) == 1
