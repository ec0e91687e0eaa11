"""The embedded PostgreSQL: made once, started under this process, stopped with it, whatever ends it.

Everybody, the superuser too, signs in with a generated password; there is no trusted connection. As root the server
runs under an unprivileged system user. What is not here: which programs (`binaries.py`), what is made in the server
(`database.py`).
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from belvedere.kernel.errors import Conflict, Stuck
from belvedere.kernel.secret import Secret
from belvedere.node.binaries import Binaries, find, reachable, within_reach
from belvedere.node.children import Login, end, spawn
from belvedere.node.home import disk_errors, write_private

SUPERUSER: Final = "postgres"
_OUTSIDE: Final = Path("/var/lib/belvedere")
"""Where the data goes when the home stands below a folder that the server's user cannot pass, such as /root."""

_USERS: Final = ("postgres", "belvedere", "nobody")
_SHORTEST_POLL_S: Final = 0.01
_ENDING_S: Final = 60.0
_LONGEST_SOCKET_FOLDER: Final = 90
# Below the ports that the kernel gives to outgoing connections, so that nothing takes a remembered port by chance.
_FIRST_PORT: Final = 20_000
_PORTS: Final = 12_000

_LEAST_FREE_BYTES: Final = 1 << 20
"""With less no server starts; its last words ("checkpoint request failed") do not always say why."""

_CONFIGURATION: Final = """\
# Written by Belvedere at every start; your own settings go into postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 300
superuser_reserved_connections = 5
password_encryption = 'scram-sha-256'
dynamic_shared_memory_type = posix
shared_buffers = '128MB'
max_wal_size = '1GB'
checkpoint_timeout = '15min'
wal_level = minimal
max_wal_senders = 0
# Tables of many small databases change rarely: with the default of one minute the launcher alone costs 1.6 % of a core.
autovacuum_naptime = '5min'
max_locks_per_transaction = 256
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_file_mode = 0600
log_rotation_age = '1d'
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d '
# Statements may hold passwords, so none is ever written to the log.
log_statement = 'none'
log_min_error_statement = 'panic'
log_parameter_max_length_on_error = 0
"""

_RULES: Final = """\
# Written by Belvedere at every start: everybody proves a password.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


class EmbeddedPostgres:
    """One server of one home."""

    def __init__(self, home: Path, *, programs: str = "") -> None:
        """Name the home and, if wanted, the folder of the programs; nothing is touched yet."""
        self.home = home
        self._chosen = programs
        self.login = unprivileged()
        self.place = self._find_place()
        self.data = self.place / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def _find_place(self) -> Path:
        inside = self.home / "postgres"
        if inside.is_symlink():
            return inside.resolve()
        if inside.exists() or self.login is None or reachable(self.home.parent, self.login):
            return inside
        return _OUTSIDE / hashlib.sha256(str(self.home).encode()).hexdigest()[:12]

    @property
    def port(self) -> int | None:
        """The port that this home remembers, or None before the first start."""
        try:
            return int((self.home / "keys" / "postgres-port").read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def pid(self) -> int | None:
        """The server's process id while this supervisor runs it."""
        return self._process.pid if self._process else None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server's process, for the supervisor's watch."""
        return self._process

    def superuser_url(self, name: str = "postgres") -> Secret:
        """Return the superuser's URL for one database."""
        word = (self.home / "keys" / "postgres-superuser").read_text().strip()
        return Secret(f"postgresql://{SUPERUSER}:{quote(word, safe='')}@127.0.0.1:{self.port}/{name}")

    def start(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Make the server if there is none, start it, and wait until it takes connections.

        Crash recovery takes as long as it needs; `say` is told every few seconds.

        Raises:
            Stuck: no programs fit, the disk is full, or the server ended; its last words are in the message.
            Conflict: another server has the data, or another program has the port.
        """
        with disk_errors(self.place):
            self._make_place()
            binaries = within_reach(find(self._chosen, self.data), self.login, self.place)
            self._wait_for_former(say)
            if not self.data.exists():
                self._initialise(binaries)
            port = self._choose_port()
            self._configure(port)
        with (self.home / "logs" / "postgres.out").open("wb") as output:
            self._process = spawn(
                [binaries.program("postgres"), "-D", self.data],
                # SIGINT is PostgreSQL's fast shutdown: sessions are ended, the data is left clean.
                on_parents_death=signal.SIGINT, login=self.login, environment=_environment(), output=output,
            )
        self._wait_until_ready(say)

    def stop(self) -> None:
        """End the server: sessions are ended, the data is left clean."""
        if self._process is not None:
            end(self._process, by=signal.SIGINT, patience_s=_ENDING_S)
            self._process = None

    def _make_place(self) -> None:
        inside = self.home / "postgres"
        outside = self.place != inside and not inside.is_symlink()
        if outside:
            self.place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.place.parent.chmod(0o755)
        self.place.mkdir(mode=0o755, exist_ok=True)
        self.place.chmod(0o755 if self.login else 0o700)
        self._own(self.place)
        if outside:
            inside.symlink_to(self.place)
        if inside.is_symlink():
            self._claim()
        (self.place / "socket").mkdir(mode=0o700, exist_ok=True)
        self._own(self.place / "socket")

    def _claim(self) -> None:
        """Note whose data this is: a home that was copied, link and all, must not share a server with the first."""
        note = self.place / "home"
        owner = Path(note.read_text()) if note.exists() else self.home
        if owner != self.home and (owner / "postgres").is_symlink() and (owner / "postgres").resolve() == self.place:
            message = f"The database of {self.home} belongs to the home {owner}, of which this is a copy."
            hint = "belvedere backup in the first home, belvedere restore in this one"
            raise Conflict(message, hint=hint, code="home-copied")
        note.write_text(str(self.home))

    def _initialise(self, binaries: Binaries) -> None:
        """Make the data folder beside its place and rename it: a half-made one is never taken for a whole one."""
        fresh = self.place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        word_file = self.home / "keys" / "postgres-superuser"
        if not word_file.exists():
            write_private(word_file, secrets.token_urlsafe(32).encode())
        handed = self.place / "password.new"
        write_private(handed, word_file.read_bytes() + b"\n")
        self._own(handed)
        try:
            done = subprocess.run(
                [str(binaries.program("initdb")), "-D", str(fresh), "-U", SUPERUSER, "--pwfile", str(handed),
                 "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
                 "--no-instructions"],
                user=self.login.uid if self.login else None, group=self.login.gid if self.login else None,
                extra_groups=[] if self.login else None, cwd="/", env=_environment(), capture_output=True, text=True,
                check=False, umask=0o077,
            )
        finally:
            handed.unlink(missing_ok=True)
        if done.returncode != 0:
            what = "could not be made"
            raise self._failed(what, done.stderr)
        fresh.rename(self.data)

    def _configure(self, port: int) -> None:
        folder = self.place / "socket"
        short = len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER and "'" not in str(folder)
        text = _CONFIGURATION.format(port=port, socket_folder=folder if short else "")
        for name, content in (("postgresql.conf", text), ("pg_hba.conf", _RULES)):
            write_private(self.data / name, content.encode())
            self._own(self.data / name)

    def _choose_port(self) -> int:
        remembered = self.port
        if remembered is not None:
            if not _free(remembered):
                message = f"Port {remembered}, on which this home's PostgreSQL listens, is taken by another program."
                hint = f"end that program (ss -ltnp 'sport = :{remembered}'), then the same again"
                raise Conflict(message, hint=hint, code="port")
            return remembered
        start = int.from_bytes(hashlib.sha256(str(self.home).encode()).digest()[:4])
        for offset in range(_PORTS):
            port = _FIRST_PORT + (start + offset) % _PORTS
            if _free(port):
                write_private(self.home / "keys" / "postgres-port", str(port).encode())
                return port
        message = "There is no free port for the embedded PostgreSQL."
        raise Stuck(message, code="port")

    def _wait_for_former(self, say: Callable[[str], None]) -> None:
        """Wait for a server whose supervisor was killed and which is ending; drop a pid file that means nothing."""
        deadline = time.monotonic() + _ENDING_S
        said = False
        while (former := self._former()) is not None:
            if not said:
                say("the former PostgreSQL of this home is ending")
                said = True
            if time.monotonic() > deadline:
                message = f"PostgreSQL (process {former}) still runs on the data of {self.home} without a supervisor."
                raise Conflict(message, hint=f"kill -INT {former}, then the same again", code="server-left")
            time.sleep(0.1)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _former(self) -> int | None:
        """Return the process that serves this data folder now; another one with a remembered number does not."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        except PermissionError:
            pass
        try:
            return pid if Path(f"/proc/{pid}/cwd").resolve() == self.data.resolve() else None
        except OSError:
            return None if Path("/proc/self").exists() else pid

    def _wait_until_ready(self, say: Callable[[str], None]) -> None:
        process = self._process
        assert process is not None  # noqa: S101  (start() has just made it)
        began = told = time.monotonic()
        pause = _SHORTEST_POLL_S
        while not self._ready(process.pid):
            if process.poll() is not None:
                what = "did not start"
                raise self._failed(what, self._last_words())
            if time.monotonic() - told > 5:  # noqa: PLR2004  (seconds between two words of patience)
                told = time.monotonic()
                say(f"PostgreSQL recovers what a crash left, since {told - began:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def _ready(self, pid: int) -> bool:
        """Read the status line of `postmaster.pid`, line 8: see "postmaster.pid" in PostgreSQL's storage chapter."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004

    def _last_words(self) -> str:
        logs = sorted((self.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        texts = [(self.home / "logs" / "postgres.out").read_text(errors="replace")]
        texts += [logs[-1].read_text(errors="replace")] if logs else []
        lines = [line for text in texts for line in text.splitlines()[-40:]]
        return "\n".join(line for line in lines if "FATAL" in line or "PANIC" in line)

    def _failed(self, what: str, words: str) -> Stuck:
        last = next((line for line in reversed(words.strip().splitlines()) if line.strip()), "it said nothing")
        if "No space left" in words or shutil.disk_usage(self.place).free < _LEAST_FREE_BYTES:
            return Stuck(f"The disk that holds {self.place} is full.", hint="free some space, then the same again",
                         code="disk-full")
        return Stuck(f"The embedded PostgreSQL {what}. {last.strip()}", hint=f"read {self.home}/logs/postgres.out "
                     f"and {self.data}/log", code="postgresql")

    def _own(self, path: Path) -> None:
        if self.login is not None:
            os.chown(path, self.login.uid, self.login.gid)


def _environment() -> dict[str, str]:
    """Return what the server needs of our environment; PGDATA and its like of another server must not reach it."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def unprivileged() -> Login | None:
    """Return the system user of the server when we are root, which PostgreSQL refuses to run as."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Login(name, found.pw_uid, found.pw_gid)
    message = "PostgreSQL refuses to run as root, and no system user `postgres` or `nobody` exists here."
    raise Stuck(message, hint="useradd --system postgres", code="no-system-user")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL itself does: connections of a former server in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
