"""The parts of an installation as the supervisor sees them: a process, how it is started again, how it is doing.

A part that ends by itself is started again after a delay that doubles from half a second to half a minute and is
forgotten when the part has lived a minute. A part whose port is taken is not started: it waits, says so, and looks
again after a second, then less and less often, each half a minute at last. What is not here: the order in which parts
start (`supervisor.py`).
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from belvedere.kernel.clock import iso, utc_now
from belvedere.kernel.running import PartState, tell_trouble, trouble_of
from belvedere.node.children import end, spawn, sweep
from belvedere.node.ports import Door

SUPERVISED: Final = "BELVEDERE_SUPERVISED"
"""Set in the environment of a part: its supervisor has prepared the database, and keeps the screen."""

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_LONG_ENOUGH_S: Final = 60.0
_FIRST_WAIT_S: Final = 1.0
_MOST_DOUBLINGS: Final = 10
_LISTEN_S: Final = 1.0
_PATIENCE_S: Final = 20.0
_PROBE_S: Final = 2.0
_TRY_LATER: Final = 75
"""A part that ends itself with this code asks to be started again: one that is kept running at once
(`jobs.runner.LOST_EXIT_CODE`), one that runs to its end after the usual delay (what it needs was not there yet)."""


class Part:
    """One process that is kept running, or (`once`) run to its end."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        home: Path,
        environment: Mapping[str, str],
        ready: Callable[[], bool] = lambda: True,
        once: bool = False,
        door: Door | None = None,
    ) -> None:
        """Describe a part; nothing is started.

        Args:
            name: as people see it.
            arguments: what stands after `belvedere` on its command line.
            home: where its output goes (`logs/NAME.out`).
            environment: its whole environment.
            ready: whether it does its work yet; asked again and again after a start.
            once: it is expected to end, and is started again only when it asks for that.
            door: where it listens; it is started when nobody else does.
        """
        self.state = PartState(name=name, state="stopped")
        self._argv = [sys.executable, "-m", "belvedere.cli.main", *arguments]
        self._output = home / "logs" / f"{name}.out"
        self._environment = {**environment, SUPERVISED: "1"}
        self._ready = ready
        self._once = once
        self._door = door
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._again_at: float | None = None
        self._failures = 0
        self._waits = 0
        self._listened = 0.0

    @property
    def up(self) -> bool:
        """Whether it does its work."""
        return self.state.state in {"running", "done"}

    def start(self) -> None:
        """Start the process, unless somebody else listens where it would."""
        refusal = self._door.refusal() if self._door else None
        if refusal is not None:
            delay = min(_FIRST_WAIT_S * 2**self._waits, _LONGEST_DELAY_S)
            self._waits = min(self._waits + 1, _MOST_DOUBLINGS)
            self._again_at = time.monotonic() + delay
            note = f"does not listen. {refusal.detail} It is tried again by itself, in {delay:.0f} s."
            self._say("waiting", note=note, hint=refusal.hint or "")
            return
        self._waits = 0
        tell_trouble(self._home, self.state.name, None)
        with self._output.open("ab") as output:
            self._process = spawn(
                self._argv, on_parents_death=signal.SIGTERM, environment=self._environment, output=output,
                folder=Path.cwd(),
            )
        self._started = time.monotonic()
        self._again_at = None
        self._say("starting", pid=self._process.pid)

    def look(self) -> None:
        """See how it is doing: collect it when it ended, start it again when its delay is over."""
        if self._again_at is not None:
            if time.monotonic() >= self._again_at:
                self.state.restarts += self.state.state != "waiting"
                self.start()
            return
        if self._process is None:
            return
        code = self._process.poll()
        if code is not None:
            self._ended(code)
            return
        if self.state.state == "starting" and self._ready():
            self._say("running", pid=self._process.pid)
        elif self.state.state in {"running", "partial"} and time.monotonic() - self._listened > _LISTEN_S:
            self._listen()
        if self._failures and time.monotonic() - self._started > _LONG_ENOUGH_S:
            self._failures = 0

    def _listen(self) -> None:
        """Hear whether it lacks something that it can do without."""
        self._listened = time.monotonic()
        trouble = trouble_of(self._home, self.state.name)
        if trouble is not None:
            self._say("partial", pid=self.state.pid, note=trouble.note, hint=trouble.hint)
        elif self.state.state == "partial":
            self._say("running", pid=self.state.pid)

    def stop(self) -> None:
        """Ask it to end, wait, and kill what is left of it."""
        self._again_at = None
        if self._process is not None:
            self._say("stopping", pid=self._process.pid)
            end(self._process, by=signal.SIGTERM, patience_s=_PATIENCE_S)
            self._process = None
        self._say("stopped")

    def _ended(self, code: int) -> None:
        process = self._process
        self._process = None
        if process is not None:
            sweep(process)
        later = code == _TRY_LATER
        if self._once and not later:
            self._say("done" if code == 0 else "failed", note="" if code == 0 else f"{_ending(code)}; {self._output}")
            return
        delay = 0.0 if later and not self._once else min(_FIRST_DELAY_S * 2**self._failures, _LONGEST_DELAY_S)
        self._failures += 1
        self._again_at = time.monotonic() + delay
        self._say("restarting", note=f"{_ending(code)}; again in {delay:.1f} s; {self._output}")

    def _say(self, state: str, *, pid: int | None = None, note: str = "", hint: str = "") -> None:
        if self.state.state != state:
            self.state.since = iso(utc_now())
        self.state.state, self.state.pid, self.state.note, self.state.hint = state, pid, note, hint


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def answers(host: str, port: int) -> bool:
    """Tell whether something answers HTTP on an address; what it says about its health is for others to read."""
    where = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  (compared, not bound)
    connection = http.client.HTTPConnection(where, port, timeout=_PROBE_S)
    try:
        connection.request("GET", "/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def greets(host: str, port: int) -> bool:
    """Tell whether something that speaks first, as SSH does, listens on an address."""
    where = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  (compared, not bound)
    try:
        with socket.create_connection((where, port), timeout=_PROBE_S) as probe:
            return bool(probe.recv(4))
    except OSError:
        return False


def supervised() -> bool:
    """Tell whether this process is a part of a supervisor."""
    return bool(os.environ.get(SUPERVISED))
