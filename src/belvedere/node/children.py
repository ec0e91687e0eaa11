"""Child processes that never outlive their parent, not even after kill -9.

Linux sends the chosen signal to a child when the thread that made it ends, so children are made by the
main thread only. On other systems a killed supervisor leaves its children running; the next start finds and names them.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Login:
    """A system user to run a child as."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str | Path],
    *,
    on_parents_death: signal.Signals,
    login: Login | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | str = "/",
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C at the terminal reaches the supervisor only.

    Args:
        argv: program and arguments; never a shell.
        on_parents_death: what the child gets when this process ends without having stopped it.
        login: run as this user, without further groups; as ourselves when None.
        environment: the whole environment; ours when None.
        folder: where it starts.
        output: where stdout and stderr go.
    """
    return subprocess.Popen(
        [str(part) for part in argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        env=dict(environment) if environment is not None else None,
        start_new_session=True,
        user=login.uid if login else None,
        group=login.gid if login else None,
        extra_groups=[] if login else None,
        # Runs after the change of user, which would clear the death signal, and before the program.
        preexec_fn=_tied(on_parents_death, os.getpid()),  # noqa: PLW1509  (the supervisor has one thread)
    )


def _tied(on_parents_death: signal.Signals, parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(on_parents_death), 0, 0, 0)
            if os.getppid() != parent:
                # The parent died between the fork and the line above: no signal will come.
                os._exit(1)

    return prepare


def ended(child: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has ended, and collect it if so."""
    return child.poll() is not None


def end(child: subprocess.Popen[bytes], *, by: signal.Signals, patience_s: float) -> None:
    """Ask a child to end, wait, and kill its whole session when it does not."""
    if child.poll() is None:
        child.send_signal(by)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
    sweep(child)
    if child.poll() is None:
        child.kill()
        child.wait()


def sweep(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's process group: workers that it did not take with it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
