"""What runs in a home: whether a supervisor holds it, what that says of itself and its parts, what parts say.

Read by commands and pages; `node/` writes it. Whoever holds the lock on `run/lock` is the supervisor of the home; the
kernel takes the lock back when that process ends, however it ends.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from belvedere.kernel.settings import Settings


class PartState(msgspec.Struct):
    """One part as `belvedere status` shows it.

    `state` is starting, running, partial (one of its doors is shut), waiting (its port is taken), restarting, stopping,
    done or failed; `note` says why and `hint` what to do.
    """

    name: str
    state: str
    pid: int | None = None
    restarts: int = 0
    since: str = ""
    note: str = ""
    hint: str = ""


class State(msgspec.Struct):
    """What a supervisor says of itself, in `run/state.json`."""

    state: str
    version: str
    url: str
    home: str
    pid: int | None = None
    started_at: str = ""
    parts: list[PartState] = []


class Trouble(msgspec.Struct):
    """What a part that runs lacks, in `run/NAME.trouble`, and what to do."""

    note: str
    hint: str = ""


def read_state(home: Path) -> State | None:
    """Return what a supervisor last said in this home, true or outdated."""
    try:
        return msgspec.json.decode((home / "run" / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def locked(home: Path) -> bool:
    """Tell whether a supervisor holds this home now."""
    try:
        descriptor = os.open(home / "run" / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A shared request is refused by the supervisor's exclusive lock and disturbs no other reader.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def running(settings: Settings) -> State | None:
    """Return what the supervisor of this home says, or None when there is none."""
    return read_state(settings.home_path) if locked(settings.home_path) else None


def processes(state: State | None) -> dict[str, int]:
    """Return which processes of a home are alive, by their parts, `supervisor` for itself; dead ones are left out."""
    if state is None:
        return {}
    told = {"supervisor": state.pid} | {one.name: one.pid for one in state.parts}
    return {name: pid for name, pid in told.items() if pid is not None and _alive(pid)}


def _alive(pid: int) -> bool:
    """Tell whether a process of ours lives; one that only waits to be collected, or got the number since, does not."""
    try:
        os.kill(pid, 0)
        if not Path("/proc/self").exists():
            return True
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
        named = Path(f"/proc/{pid}/cmdline").read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return not ended and (b"belvedere" in named or b"postgres" in named)


def tell_trouble(home: Path, part: str, trouble: Trouble | None) -> None:
    """Say what a part lacks, or that it lacks nothing any more. Where nobody can be told, nobody is."""
    place = home / "run" / f"{part}.trouble"
    with suppress(OSError):
        if trouble is None:
            place.unlink(missing_ok=True)
            return
        fresh = place.with_name(f".{place.name}.new")
        fresh.write_bytes(msgspec.json.encode(trouble))
        fresh.replace(place)


def trouble_of(home: Path, part: str) -> Trouble | None:
    """Return what a part says that it lacks."""
    try:
        return msgspec.json.decode((home / "run" / f"{part}.trouble").read_bytes(), type=Trouble)
    except (OSError, msgspec.DecodeError):
        return None
