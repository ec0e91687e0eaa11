"""What every test may ask for: a PostgreSQL server of its own worker, a migrated control database per test.

The cast: Alice owns, Bob is a member, Charlie is a stranger.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import argon2
import flask
import jinja2
import psycopg
import pytest
from werkzeug.routing import Rule

from belvedere.identity import passwords
from belvedere.kernel.db import Database
from belvedere.kernel.migrate import migrate
from belvedere.kernel.secret import Secret
from belvedere.node.binaries import find, within_reach
from belvedere.node.children import end, spawn
from belvedere.node.postgres import unprivileged

LEAVING_S = 5.0
"""How long a test's own processes may take to end after it."""


def _fastest() -> Path | None:
    """Prefer memory: a database per test is copied ten times faster there."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000
    return memory if roomy else None


def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory: they write much, wait for the disk each time, and keep nothing.

    The controller makes the folder; its workers and every program that a test starts find it in TMPDIR.
    """
    memory = _fastest()
    if memory is None or hasattr(config, "workerinput"):
        return
    folder = tempfile.mkdtemp(prefix="bvt-", dir=memory)
    # Servers that tests start run under an unprivileged user and have to pass.
    Path(folder).chmod(0o755)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


class Cluster:
    """A throw-away PostgreSQL server on loopback, with a superuser and a provisioning login.

    It ends with this process, whatever ends that. BELVEDERE_TEST_POSTGRES_BIN names other programs than the newest
    installed ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        login = unprivileged()
        self.user: str | None = login.name if login else None
        if self.user:
            shutil.chown(folder, self.user)
        data = folder / "data"
        binaries = within_reach(find(os.environ.get("BELVEDERE_TEST_POSTGRES_BIN", ""), data), login, folder)
        self._run(
            binaries.program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8",
            "--no-sync",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (data / "postgresql.auto.conf").write_text(
            f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories='{folder}'\nfsync=off\n"
            "synchronous_commit=off\nfull_page_writes=off\nmax_connections=200\nautovacuum=off\ntemp_file_limit=1GB\n"
            "wal_level=minimal\nmax_wal_senders=0\nlog_min_messages=fatal\n"
        )
        with (folder / "log").open("wb") as log:
            self.process: subprocess.Popen[bytes] = spawn(
                [binaries.program("postgres"), "-D", data], on_parents_death=signal.SIGQUIT, login=login, output=log
            )
        self.superuser = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._wait()
        with psycopg.connect(self.superuser, autocommit=True) as connection:
            connection.execute("CREATE ROLE belvedere LOGIN CREATEDB CREATEROLE PASSWORD 'belvedere'")
            connection.execute("CREATE DATABASE control_template OWNER belvedere")
        template = Database(Secret(self.url("control_template")), size=2)
        migrate(template)
        # A new connection costs the server a third of what a copy does.
        self._standing = psycopg.connect(self.superuser, autocommit=True)

    def _wait(self) -> None:
        while True:
            try:
                psycopg.connect(self.superuser, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
            else:
                return

    def _run(self, *argv: object) -> None:
        subprocess.run([str(a) for a in argv], check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL)

    def url(self, name: str, user: str = "belvedere") -> str:
        return f"postgresql://{user}:{user}@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def copied(self) -> Iterator[str]:
        """Give the name of a control database that is copied from the migrated template, and remove it."""
        name = f"control_{uuid4().hex[:12]}"
        self._standing.execute(f"CREATE DATABASE {name} TEMPLATE control_template OWNER belvedere STRATEGY file_copy")  # type: ignore[arg-type]
        try:
            yield name
        finally:
            self._standing.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]

    @contextmanager
    def control(self) -> Iterator[Database]:
        """Give such a control database, opened."""
        with self.copied() as name:
            made = Database(Secret(self.url(name)), size=8).open()
            yield made
            made.close()

    def stop(self) -> None:
        self._standing.close()
        # Nothing of it is kept, so it need not be left clean.
        end(self.process, by=signal.SIGQUIT, patience_s=20)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash at the least cost, where half of a page test's time went. Programs that tests start hash at the full one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COST", argon2.profiles.CHEAPEST)
        yield


class Compiled(jinja2.BytecodeCache):
    """Templates as the first test compiled them."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        if kept := self.kept.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self.kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Compile templates and routes once for all applications, where a third of a page test's time went.

    What werkzeug compiles for a rule depends on its pieces and defaults alone; everything else it finds on the rule.
    """
    compile_builder, kept = Rule._compile_builder, {}

    def remembered(rule: Rule, append_unknown: bool = True):  # noqa: FBT001, FBT002  (werkzeug's own signature)
        key = (append_unknown, repr(rule.defaults), *rule._trace)
        if key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", remembered)
        patch.setitem(flask.Flask.jinja_options, "bytecode_cache", Compiled())
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="belvedere-test-pg-", dir=_fastest()))
    folder.chmod(0o755)
    try:
        running = Cluster(folder)
        yield running
        running.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A control database of this test alone."""
    with cluster.control() as made:
        yield made


def children() -> set[int]:
    """Return the processes that this one has started, those included that nobody has collected."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        try:
            found |= {int(number) for number in (thread / "children").read_text().split()}
        except OSError:
            # A thread may end between being listed and being read; a kernel that does not tell is no thread's end.
            if thread.exists():
                raise
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a process running: autouse and first, so it looks after every other fixture's end."""
    before = children()
    yield
    deadline = time.monotonic() + LEAVING_S
    while left := children() - before:
        if time.monotonic() > deadline:
            names = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in left]
            pytest.fail(f"left behind: {names}")
        time.sleep(0.02)  # between two looks at what is still ending
