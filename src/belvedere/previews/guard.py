"""The small program between Belvedere and a browser: it lets no browser outlive its owner, deadline or memory.

Run by path, as `python -I -S guard.py IN OUT DEADLINE_S MEMORY_BYTES FOLDER SOCKETS -- PROGRAM ARGUMENT...`, in a
session of its own. It hands the two pipe ends IN and OUT to the browser as descriptors 3 and 4 (Chromium's
`--remote-debugging-pipe`), then watches. It ends everything below it and removes FOLDER and SOCKETS when

- its standard input closes, which happens however the owner ends, kill -9 included;
- the browser ends by itself, the deadline passes, or the processes together take more memory than allowed.

Should the guard itself be killed, the kernel kills the browser (PR_SET_PDEATHSIG). Nothing of the package is
imported here, so that it starts in milliseconds. What is not here: finding and steering browsers (`browser.py`).
"""

import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BROWSER_ENDED: Final = 0
TOO_MUCH_MEMORY: Final = 81
TOO_LATE: Final = 82
OWNER_GONE: Final = 83
NOT_STARTED: Final = 84

_LOOK_S: Final = 0.25
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_PDEATHSIG: Final = 1
_CHILD_SUBREAPER: Final = 36


def descendants(root: int) -> list[int]:
    """Return the process ids below `root`, from /proc, in no order."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.listdir("/proc"):  # noqa: PTH208  (the names are all that is needed, four times a second)
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_bytes()
        except OSError:
            continue
        # The command in brackets may hold blanks and brackets, so count from the last one.
        yield int(entry), int(stat.rpartition(b")")[2].split()[1])


def memory_bytes(processes: list[int]) -> int:
    """Return about what these processes take together: all private pages, and the largest shared part once."""
    private = shared = 0
    for pid in processes:
        try:
            pages = Path("/proc", str(pid), "statm").read_bytes().split()
        except OSError:
            continue
        private += int(pages[1]) - int(pages[2])
        shared = max(shared, int(pages[2]))
    return (private + shared) * _PAGE_BYTES


def kill_below(root: int, patience_s: float = 10.0) -> None:
    """Kill every process below `root` and wait until none is left."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        below = descendants(root)
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap()
        if not below:
            return
        time.sleep(0.005)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


def _start(program: list[str], read_end: int, write_end: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start the browser with the two pipe ends as 3 and 4, whatever numbers they have here."""
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (read_end, write_end)]
    os.close(read_end)
    os.close(write_end)
    os.dup2(high[0], 3)
    os.dup2(high[1], 4)
    with (folder / "browser.log").open("wb") as log:
        started = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(3, 4),
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (one thread only)
        )
    for descriptor in (3, 4, *high):
        os.close(descriptor)
    return started


def _watch(browser: subprocess.Popen[bytes], deadline: float, most_bytes: int) -> int:
    while True:
        readable, _, _ = select.select([0], [], [], _LOOK_S)
        if readable and not os.read(0, 64):
            return OWNER_GONE
        if browser.poll() is not None:
            return BROWSER_ENDED
        if time.monotonic() > deadline:
            return TOO_LATE
        if memory_bytes(descendants(os.getpid())) > most_bytes:
            return TOO_MUCH_MEMORY


def _tell_last_words(folder: Path) -> None:
    """Pass on what the browser wrote last, for whoever asks why it ended."""
    try:
        sys.stderr.write((folder / "browser.log").read_text(errors="replace")[-4000:])
    except OSError:
        return


def main(arguments: list[str]) -> int:
    """Guard one browser; the exit status says why it ended."""
    read_end, write_end, deadline_s, most_bytes, folder, sockets = arguments[:6]
    # Whoever loses its parent below us becomes our child, so nobody escapes by a double fork.
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(OWNER_GONE))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = time.monotonic() + float(deadline_s)
    try:
        browser = _start(arguments[7:], int(read_end), int(write_end), Path(folder))
        return _watch(browser, deadline, int(most_bytes))
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        return NOT_STARTED
    finally:
        kill_below(os.getpid())
        _tell_last_words(Path(folder))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
