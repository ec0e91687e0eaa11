"""A throw-away PostgreSQL server and an installation on it, for benchmarks. It ends with the benchmark."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from belvedere.app import Services, build
from belvedere.jobs.runner import run
from belvedere.kernel.logging import configure
from belvedere.kernel.settings import load
from belvedere.node.binaries import find, within_reach
from belvedere.node.children import end, spawn
from belvedere.node.database import prepare
from belvedere.node.home import Home
from belvedere.node.postgres import unprivileged


@contextmanager
def server() -> Iterator[str]:
    """Start a server with the defaults that a user's would have (it flushes to disk); give its superuser's URL.

    BELVEDERE_BENCH_POSTGRES_BIN names other programs than the newest, BELVEDERE_BENCH_PRELOAD libraries to load.
    """
    folder = Path(tempfile.mkdtemp(prefix="belvedere-bench-"))
    folder.chmod(0o755)
    login = unprivileged()
    if login:
        shutil.chown(folder, login.name)
    data = folder / "data"
    process = None
    try:
        programs = within_reach(find(os.environ.get("BELVEDERE_BENCH_POSTGRES_BIN", ""), data), login, folder)
        subprocess.run(
            [programs.program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8"],
            check=True, user=login.name if login else None, cwd="/", stdout=subprocess.DEVNULL,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (data / "postgresql.auto.conf").write_text(
            f"listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{folder}'\nmax_connections=200\n"
            "max_wal_size='4GB'\nlog_min_messages=fatal\n"
            f"shared_preload_libraries='{os.environ.get('BELVEDERE_BENCH_PRELOAD', '')}'\n"
        )
        with (folder / "log").open("wb") as log:
            process = spawn(
                [programs.program("postgres"), "-D", data], on_parents_death=signal.SIGQUIT, login=login, output=log
            )
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        while True:
            try:
                psycopg.connect(url, connect_timeout=2).close()
                break
            except psycopg.OperationalError:
                if process.poll() is not None:
                    raise SystemExit((folder / "log").read_text()) from None
        yield url
    finally:
        if process is not None:
            end(process, by=signal.SIGQUIT, patience_s=20)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def installation(superuser: str) -> Iterator[Services]:
    """Make an installation on that server, without its runner and its watcher."""
    home = Path(tempfile.mkdtemp(prefix="belvedere-bench-home-"))
    environment = {
        "BELVEDERE_HOME": str(home), "BELVEDERE_PREVIEWS": "0", "SAMPLE": "0", "PATH": os.environ["PATH"],
        "BELVEDERE_DATABASE_URL": superuser.removesuffix("/postgres") + "/control",
    }
    settings = load(environment, home / ".env")
    services = None
    try:
        Home(settings.home_path).prepare()
        configure(settings, part="bench", screen=False)
        prepare(settings)
        services = build(settings)
        yield services
    finally:
        if services is not None:
            services.close()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def working(services: Services, *, watch: bool = True) -> Iterator[None]:
    """Work off the queue, and watch tables, as `belvedere jobs` does, while the block runs."""
    stop = threading.Event()
    threads = [threading.Thread(target=run, args=(services.jobs, services.database, stop), kwargs={"threads": 8})]
    if watch:
        threads.append(threading.Thread(target=services.watcher().run, args=(stop,)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
