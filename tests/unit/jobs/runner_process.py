"""A runner in a process of its own, with jobs that write down when they begin and end. Started by the tests."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from belvedere.jobs import ownership, rescue, runner
from belvedere.jobs.model import Job
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.secret import Secret

URL, JOURNAL, NAME, GRACE = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])


def note(word: str, key: str) -> None:
    with JOURNAL.open("a", encoding="utf-8") as journal:
        journal.write(f"{time.monotonic():.3f} {word} {key} {NAME} {os.getpid()}\n")


def short(key: str) -> None:
    note("begin", key)
    time.sleep(0.05)
    note("end", key)


def until_released(key: str) -> None:
    """Work until the test makes the file `release`."""
    note("begin", key)
    while not (JOURNAL.parent / "release").exists():
        time.sleep(0.02)
    note("end", key)


def hold_interpreter(key: str) -> None:
    """A C call that does not let the interpreter go: no other thread of this process runs for `key` seconds."""
    note("begin", key)
    ctypes.PyDLL(None).sleep(int(key))
    note("end", key)


def die(key: str) -> None:
    note("begin", key)
    os.kill(os.getpid(), signal.SIGKILL)


def later(key: str) -> None:
    note("begin", key)
    if JOURNAL.read_text(encoding="utf-8").count(f"begin {key}") < 3:
        raise Later(retry_in_s=0.1)


def stuck(key: str) -> None:
    note("begin", key)
    message = "Slack does not know the channel."
    raise Stuck(message, hint="Invite the bot.")


def crash(key: str) -> None:
    note("begin", key)
    message = "password=hunter2"
    raise ValueError(message)


JOBS = [
    Job("test.short", short, "Short."),
    Job("test.hold", until_released, "Until released."),
    Job("test.busy", hold_interpreter, "Holds the interpreter."),
    Job("test.die", die, "Kills its runner."),
    Job("test.later", later, "Twice later, then done."),
    Job("test.stuck", stuck, "Stuck."),
    Job("test.crash", crash, "Crashes.", most_attempts=2),
    Job("test.one-browser", short, "One at a time.", queue="browser", at_once=1),
    *([Job("test.timer", short, "By timer.", every_s=0.5)] if NAME.startswith("timer") else []),
]

if __name__ == "__main__":
    rescue.MOST_RESCUES = 3  # type: ignore[misc]  # five deaths take a test long
    runner._LOOK_S = 0.2  # type: ignore[misc]  # a dead runner is found in 0.6 s then, and not in 3
    if NAME.startswith("patient"):
        # A machine with much to do takes longer to open a session than a rescuer waits between its looks.
        rescue.LOOKS = 150  # type: ignore[misc]
        ownership.UNSURE_S = 30.0  # type: ignore[misc]
    if NAME == "woken":
        runner._POLL_S = 60.0  # type: ignore[misc]  # it starts jobs because it is told, not because it looks
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(Secret(URL), size=6).open()
    runner.run(JOBS, database, stop, threads=4, name=NAME, grace_s=GRACE)
    database.close()
