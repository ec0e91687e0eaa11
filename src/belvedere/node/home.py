"""The home: the one folder that holds all state of an installation, its lock, and what its supervisor says of itself.

What is not here: how that is read (`kernel/running.py`), what the parts keep in their own folders below the home.
"""

import errno
import fcntl
import os
import pwd
import time
from pathlib import Path
from typing import Final

import msgspec

from belvedere import __version__
from belvedere.kernel.errors import Conflict, Rejected, Stuck
from belvedere.kernel.running import State, read_state, running
from belvedere.kernel.settings import Settings

FORMAT: Final = 1
"""The layout of the home that this program writes."""


FIRST_START: Final = ("first-account", "sample-loaded")
"""Files in `run/` that say what a first start has done once and for all."""

OURS: Final = (
    "browsers", "history", "home.json", ".home.json.new", "keys", "logs", "postgres", "previews", "run", "sftp",
)
"""What stands in a home. Anything else in the folder is somebody else's and is left alone."""

_HARMLESS: Final = frozenset({".env", "lost+found"})
"""What a folder may hold before it becomes a home, besides parts of a home such as copied keys."""

_TRIES: Final = 4
_BETWEEN_TRIES_S: Final = 0.05


class _Made(msgspec.Struct):
    format: int
    made_by: str


class Home:
    """The folder, prepared and locked by one supervisor."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is touched yet."""
        self.path = path
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the folder and what it needs, or refuse it.

        Raises:
            Rejected: it belongs to somebody else, cannot be made, was written by a newer program, or is no home and
                not empty either.
            Stuck: the disk is full.
        """
        with disk_errors(self.path):
            if not self.path.exists():
                self.path.mkdir(parents=True, mode=0o711)
            self._must_be_ours()
            self._must_be_a_home_or_empty()
            # The unprivileged user of the embedded server passes through, and can list nothing.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for name in ("keys", "run", "logs"):
                (self.path / name).mkdir(mode=0o700, exist_ok=True)
            self._check_format()

    def _must_be_ours(self) -> None:
        owner = self.path.stat().st_uid
        if owner == os.geteuid():
            return
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"user {owner}"
        message = f"The home {self.path} belongs to {name}."
        raise Rejected(message, hint=f"run as {name}, or choose another folder with BELVEDERE_HOME", code="home-owner")

    def _must_be_a_home_or_empty(self) -> None:
        if (self.path / "home.json").exists():
            return
        others = sorted({one.name for one in self.path.iterdir()} - {*OURS, *_HARMLESS})
        if not others:
            return
        message = f"The folder {self.path} is no home of Belvedere and not empty: it holds {others[0]}."
        raise Rejected(message, hint="name a new or empty folder with BELVEDERE_HOME", code="home")

    def _check_format(self) -> None:
        file = self.path / "home.json"
        try:
            made = msgspec.json.decode(file.read_bytes(), type=_Made)
        except FileNotFoundError:
            write_private(file, msgspec.json.encode(_Made(format=FORMAT, made_by=__version__)))
            return
        except msgspec.DecodeError as error:
            message = f"The file {file} is damaged."
            hint = "restore a backup into another home: belvedere restore FILE"
            raise Stuck(message, hint=hint, code="home") from error
        if made.format > FORMAT:
            message = f"The home {self.path} was written by a newer Belvedere, {made.made_by}; this is {__version__}."
            raise Rejected(message, hint="start the newer program, or choose another BELVEDERE_HOME", code="newer-home")
        if made.format < FORMAT:
            message = f"The home {self.path} was written by Belvedere {made.made_by}, which kept it in another form."
            hint = "make a backup with that version, then: belvedere restore FILE"
            raise Rejected(message, hint=hint, code="older-home")

    def lock(self) -> None:
        """Become the supervisor of this home until the process ends.

        Raises:
            Conflict: another one has it.
        """
        descriptor = os.open(self.path / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # It may be `locked()` of another command, which holds the lock for an instant.
                time.sleep(_BETWEEN_TRIES_S)
            else:
                self._lock = descriptor
                return
        os.close(descriptor)
        other = read_state(self.path)
        where = f" at {other.url}" if other and other.url else ""
        message = f"The installation in {self.path} runs already{where}."
        raise Conflict(message, hint="belvedere status, or belvedere down to stop it", code="running")

    def unlock(self) -> None:
        """Give the home back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write_state(self, state: State) -> None:
        """Publish what the supervisor says of itself, whole or not at all."""
        write_private(self.path / "run" / "state.json", msgspec.json.encode(state))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, flushed and renamed into place: whole, or as it was before."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


class disk_errors:  # noqa: N801  (a context manager, read as a verb)
    """Turn what the file system says into one sentence with the next step."""

    def __init__(self, path: Path) -> None:
        """Name the place that is being written."""
        self._path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate.

        Raises:
            Stuck: the disk is full.
            Rejected: the place may not be written.
        """
        if not isinstance(error, OSError):
            return
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = f"The disk that holds {self._path} is full."
            raise Stuck(message, hint=f"free some space (df -h {self._path.parent}), then the same again",
                        code="disk-full") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            message = f"The folder {self._path} cannot be written: {os.strerror(error.errno or 0).lower()}."
            raise Rejected(message, hint="choose a folder of your own with BELVEDERE_HOME", code="home") from error


def status(settings: Settings) -> State:
    """Return the state of this home for people: as its supervisor says it, or stopped."""
    found = running(settings)
    if found is not None:
        return found
    last = read_state(settings.home_path)
    return State(
        state="stopped", version=last.version if last else __version__, url=last.url if last else settings.url,
        home=str(settings.home_path),
    )
