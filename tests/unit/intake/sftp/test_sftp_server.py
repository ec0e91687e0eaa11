"""The embedded server as OpenSSH's and others' clients meet it: one server for all of these tests."""

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import argon2
import asyncssh
import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.passwords import Passwords
from belvedere.intake.model import Happening, Notice
from belvedere.intake.sftp import hostkeys, scp_source
from belvedere.intake.sftp.model import Made, State
from belvedere.intake.sftp.server import Options, Server
from belvedere.intake.sftp.service import SftpUsers
from belvedere.intake.sftp.sessions import SftpSessions
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Forbidden, Later, NotFound
from belvedere.kernel.secret import Secret
from belvedere.tenants.service import Tenants

PASSWORD = "a fine november word"


@dataclass
class World:
    """A running server, its users, and what it told the intake."""

    home: Path
    users: SftpUsers
    sessions: SftpSessions
    history: FileHistory
    server: Server
    loop: asyncio.AbstractEventLoop
    port: int = 0
    told: list[Notice] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.home / "data" / "acme"

    def run(self, *words: object, text: str = "", user: str = "acme") -> subprocess.CompletedProcess[str]:
        """Run a client of OpenSSH's with the key; `{}` stands for the server."""
        program, *rest = words
        options = ["-q", "-F", "none", "-i", self.home / "id", "-P" if program != "ssh" else "-p", self.port]
        for option in ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={self.home}/known", "IdentitiesOnly=yes",
                       "PasswordAuthentication=no", "KbdInteractiveAuthentication=no"):  # fmt: skip
            options += ["-o", option]
        line = [str(word).replace("{}", f"{user}@127.0.0.1") for word in (program, *options, *rest)]
        return subprocess.run(line, input=text, text=True, capture_output=True, check=False, cwd=self.home, timeout=30)

    def sftp(self, batch: str) -> str:
        done = self.run("sftp", "-b", "-", "{}", text=batch)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def within(self, work: Callable[[], Any]) -> Any:
        """Do something in the server's loop."""

        async def do() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(10)

    def client(self, talk: Callable[[asyncssh.SSHClientConnection], Any], **options: Any) -> Any:
        """Talk to the server with another client."""

        async def go() -> Any:
            chosen = {"username": "acme", "password": PASSWORD, "client_keys": None, **options}
            async with asyncssh.connect("127.0.0.1", self.port, known_hosts=None, config=(), **chosen) as connection:
                return await talk(connection)

        return asyncio.run(asyncio.wait_for(go(), 20))


def until(condition: Callable[[], object], most_s: float = 10.0) -> None:
    deadline = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at what the server does by itself


@pytest.fixture(scope="module")
def world(cluster, tmp_path_factory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("sftp")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "id"], check=True)
    passwords = Passwords(argon2.PasswordHasher.from_parameters(argon2.profiles.CHEAPEST))
    with cluster.control() as database:
        history = FileHistory(home / "history")
        queue = JobQueue(database, {})
        tenants = Tenants(database=database, history=history, queue=queue)
        users = SftpUsers(database=database, history=history, queue=queue, tenants=tenants, passwords=passwords)
        sessions = SftpSessions(database=database, history=history, passwords=passwords)
        for name in ("acme", "charlie"):
            tenants.create(SYSTEM, name)
        users.add(SYSTEM, 1, key=(home / "id.pub").read_text(), password=Secret(PASSWORD))
        users.add(SYSTEM, 2, password=Secret(PASSWORD + "s"))
        told: list[Notice] = []
        options = Options(
            home / "data", "127.0.0.1", 0, tuple(hostkeys.provide(home)), sign_in_s=2.0, most_per_user=3
        )
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        server = Server(options, sessions, told.extend)
        port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
        known = [f"[127.0.0.1]:{port} {line}" for line in hostkeys.public(home)]
        (home / "known").write_text("\n".join(known) + "\n")
        yield World(home, users, sessions, history, server, loop, port, told)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        history.close()


def test_openssh_puts_lists_gets_renames_and_removes(world):
    (world.home / "m.tsv").write_bytes(b"rows\n" * 100_000)
    listed = world.sftp(
        "mkdir campaign\nmkdir campaign/dev\nput m.tsv campaign/dev/\nput -p m.tsv campaign/x.part\n"
        "rename campaign/x.part campaign/x.tsv\nls -l campaign\nget campaign/dev/m.tsv back\nrm campaign/x.tsv\ndf\n"
    )
    assert "x.tsv" in listed and (world.home / "back").read_bytes() == (world.home / "m.tsv").read_bytes()
    until(lambda: len(world.told) >= 7)
    assert [(one.company, one.path, one.what) for one in world.told] == [
        ("acme", "campaign", Happening.MADE), ("acme", "campaign/dev", Happening.MADE),
        ("acme", "campaign/dev/m.tsv", Happening.CLOSED), ("acme", "campaign/x.part", Happening.CLOSED),
        ("acme", "campaign/x.part", Happening.REMOVED), ("acme", "campaign/x.tsv", Happening.CLOSED),
        ("acme", "campaign/x.tsv", Happening.REMOVED),
    ]  # fmt: skip
    assert len({one.key for one in world.told}) == 7


def test_scp_of_both_kinds_goes_both_ways(world):
    folder = world.home / "tree"
    (folder / "dev").mkdir(parents=True)
    (folder / "dev" / "a b.tsv").write_bytes(b"x" * 300_000)
    (folder / "empty").touch()
    for kind, options in (("new", ["-r", "-p"]), ("old", ["-O", "-r", "-p"])):
        assert world.run("scp", *options, folder, f"{{}}:{kind}").returncode == 0
        assert (world.root / kind / "dev" / "a b.tsv").read_bytes() == b"x" * 300_000
        assert (world.root / kind / "empty").read_bytes() == b""
        assert world.run("scp", *options, f"{{}}:{kind}", f"back-{kind}").returncode == 0
        assert (world.home / f"back-{kind}" / "dev" / "a b.tsv").read_bytes() == b"x" * 300_000
    for path in ("../charlie/x", "/../../charlie/x", "none/x"):
        done = world.run("scp", "-O", folder / "empty", f"{{}}:{path}")
        assert done.returncode == 1 and "No such file" in done.stderr
    assert world.run("scp", "-O", "{}:/etc/passwd", "stolen").returncode == 1
    assert not (world.home / "data" / "charlie").exists()


def test_lftp_goes_on_with_a_cut_upload_and_a_cut_download(world):
    content = bytes(range(256)) * 8000
    (world.home / "long.tsv").write_bytes(content)

    async def cut(connection: asyncssh.SSHClientConnection) -> None:
        async with connection.start_sftp_client() as sftp:
            file = await sftp.open("long.tsv", "wb")
            await file.write(content[:1_000_000])
            connection.abort()

    with contextlib.suppress(asyncssh.Error, OSError):
        world.client(cut)
    until(lambda: not world.within(lambda: len(world.server._connections)))
    assert not (world.root / "long.tsv").exists()
    settings = (
        f"set sftp:connect-program 'ssh -a -x -F none -i {world.home}/id -o UserKnownHostsFile={world.home}/known'; "
        f"set net:max-retries 1; set cmd:fail-exit yes; open -p {world.port} -u acme, sftp://127.0.0.1; "
    )
    (world.home / "got.tsv").write_bytes(content[:500_000])
    done = subprocess.run(
        ["lftp", "--norc", "-c", settings + "debug 5; put -c long.tsv; get -c long.tsv -o got.tsv"], cwd=world.home,
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (world.root / "long.tsv").read_bytes() == content
    assert (world.home / "got.tsv").read_bytes() == content


def test_openssh_goes_on_with_reput(world):
    content = bytes(range(256)) * 4000
    (world.home / "again.tsv").write_bytes(content)

    async def cut(connection: asyncssh.SSHClientConnection) -> None:
        async with connection.start_sftp_client() as sftp:
            file = await sftp.open("again.tsv", "wb")
            await file.write(content[:300_000])
            connection.abort()

    with contextlib.suppress(asyncssh.Error, OSError):
        world.client(cut)
    until(lambda: not world.within(lambda: len(world.server._connections)))
    world.sftp("ls -l\nreput again.tsv\n")
    assert (world.root / "again.tsv").read_bytes() == content
    assert sum(one.path == "again.tsv" for one in world.told) <= 1


def test_nothing_but_files_is_served(world):
    for words in (["ssh", "{}"], ["ssh", "{}", "id"], ["ssh", "{}", "scp -t x; id"], ["ssh", "-s", "{}", "netconf"]):
        assert world.run(*words).returncode != 0
    (world.home / "tree2").mkdir()
    done = subprocess.run(
        ["rsync", "-a", "-e",
         f"ssh -q -F none -i {world.home}/id -p {world.port} -o UserKnownHostsFile={world.home}/known",
         "tree2", "acme@127.0.0.1:x"], cwd=world.home, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0

    async def forward(connection: asyncssh.SSHClientConnection) -> None:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", world.port)
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", world.port)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/run/x")

    world.client(forward)


def test_wrong_passwords_are_slowed_down_and_written_down(world):
    def tried(name: str, password: str) -> type[BaseException] | None:
        async def nothing(_connection: asyncssh.SSHClientConnection) -> None:
            return None

        try:
            world.client(nothing, username=name, password=password)
        except asyncssh.Error as error:
            return type(error)
        return None

    assert tried("charlie", PASSWORD + "s") is None
    assert {tried("charlie", f"wrong {number}") for number in range(5)} == {asyncssh.PermissionDenied}
    assert tried("charlie", PASSWORD + "s") is not None  # It is too early even for the right one.
    assert tried("nobody-of-that-name", "x") is not None
    assert tried("acme", PASSWORD) is None
    refused = world.history.search(SYSTEM, verb="sftp.sign-in", limit=50).items
    assert {one.target for one in refused} == {"charlie", "unknown name"}
    assert "nobody-of-that-name" not in str(refused)


def test_a_key_of_somebody_else_lets_nobody_in(world):
    assert world.run("sftp", "-b", "-", "{}", text="ls\n", user="charlie").returncode == 255
    other = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        world.client(lambda _: None, password=None, client_keys=[other])


def test_a_session_is_listed_stands_in_the_history_and_can_be_ended(world):
    async def stay(connection: asyncssh.SSHClientConnection) -> str:
        async with connection.start_sftp_client() as sftp:
            await sftp.put(str(world.home / "m.tsv"), "sent.tsv")
            found = await asyncio.to_thread(lambda: world.sessions.list(SYSTEM, is_open=True).items[0])
            bob = Actor("bob", Role.EDITOR, 1)
            with pytest.raises(Forbidden):
                world.sessions.end(bob, str(found.id))
            with pytest.raises(NotFound):
                world.sessions.end(Actor("eve", Role.OWNER, 2), str(found.id))
            await asyncio.to_thread(world.sessions.end, Actor("alice", Role.OWNER, 1), str(found.id))
            await asyncio.wait_for(connection.wait_closed(), 8)
            return str(found.id)

    key = world.client(stay)
    until(lambda: next(one for one in world.sessions.list(SYSTEM).items if str(one.id) == key).state is State.KILLED)
    found = next(one for one in world.sessions.list(SYSTEM, tenant=1).items if str(one.id) == key)
    assert (found.user, found.method, found.traffic.files_up) == ("acme", "password", 1)
    assert found.traffic.bytes_up == 500_000 and "alice" in found.traffic.error
    until(lambda: all(one.result != "running" for one in world.history.search(SYSTEM, verb="sftp.session").items))
    ended = world.history.search(SYSTEM, verb="sftp.session").items
    recorded = next(one for one in ended if one.ending["state"] == "killed")
    assert recorded.ending["bytes_up"] == 500_000


def test_a_user_that_is_switched_off_is_cut_off(world):
    made: Made = world.users.add(SYSTEM, 1, name="acme-off")
    assert made.password is not None

    async def stay(connection: asyncssh.SSHClientConnection) -> None:
        await asyncio.to_thread(world.users.set_disabled, SYSTEM, 1, "acme-off", disabled=True)
        await asyncio.wait_for(connection.wait_closed(), 8)

    given = {"username": "acme-off", "password": made.password.reveal()}
    world.client(stay, **given)
    with pytest.raises(asyncssh.PermissionDenied):
        world.client(stay, **given)


def test_a_user_has_a_few_sessions_and_no_more(world):
    async def another(left: int) -> int:
        async with asyncssh.connect(
            "127.0.0.1", world.port, known_hosts=None, config=(), username="acme", client_keys=[str(world.home / "id")]
        ) as connection, connection.start_sftp_client():
            return 1 + await another(left - 1) if left else 1

    with pytest.raises((asyncssh.Error, OSError)):
        asyncio.run(another(3))
    until(lambda: not world.within(lambda: len(world.server._connections)))
    assert asyncio.run(another(2)) == 3


def test_who_says_nothing_is_sent_away(world):
    with socket.create_connection(("127.0.0.1", world.port), 10) as slow:
        assert slow.recv(100).startswith(b"SSH-2.0-Belvedere")
        slow.sendall(b"SSH-2.0-slow\r\n")
        while slow.recv(4096):
            pass
    with socket.create_connection(("127.0.0.1", world.port), 10) as odd:
        odd.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        until(lambda: not odd.recv(4096))


def test_while_the_database_is_away_nobody_signs_in_and_who_is_there_goes_on(world, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise Later

    async def go_on(connection: asyncssh.SSHClientConnection) -> None:
        async with connection.start_sftp_client() as sftp:
            monkeypatch.setattr(world.sessions, "find", away)
            monkeypatch.setattr(world.sessions, "keep", away)
            monkeypatch.setattr(world.server, "_tell", away)
            await sftp.put(str(world.home / "m.tsv"), "meanwhile.tsv")
            with pytest.raises(asyncssh.DisconnectError, match="Nobody can sign in right now"):
                await asyncssh.connect("127.0.0.1", world.port, known_hosts=None, config=(), username="acme",
                                       password=PASSWORD, client_keys=None)  # fmt: skip

    world.client(go_on)
    assert (world.root / "meanwhile.tsv").exists()
    until(lambda: not world.within(lambda: len(world.server._notices)))
    monkeypatch.undo()
    world.sftp("ls\n")


def test_an_idle_session_ends(world, monkeypatch):
    async def wait(connection: asyncssh.SSHClientConnection) -> None:
        def long_ago() -> None:
            for one in world.server._connections:
                one.active_at -= 601

        await asyncio.to_thread(until, lambda: world.within(lambda: len(world.server._connections)))
        await asyncio.to_thread(world.within, long_ago)
        await asyncio.wait_for(connection.wait_closed(), 8)

    world.client(wait)
    until(lambda: world.sessions.list(SYSTEM).items[0].state is State.IDLE)


def test_a_disk_that_hangs_keeps_other_tenants_files_and_folders_going(world, monkeypatch):
    hung, goes_on, rename, listdir = threading.Semaphore(0), threading.Event(), os.rename, scp_source.os.listdir

    def wait() -> None:
        hung.release()
        assert goes_on.wait(10)

    def renamed(source: bytes, target: bytes, **folders: int) -> None:
        if target.startswith(b"slow"):
            wait()
        rename(source, target, **folders)

    def listed(folder: int) -> list[str]:
        found = listdir(folder)
        if "slow-list" in found:
            wait()
        return found

    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "listdir", listed)
    (world.root / "many").mkdir(parents=True)
    (world.root / "many" / "slow-list").touch()

    async def put(sftp: asyncssh.SFTPClient, name: str) -> None:
        async with sftp.open(name, "wb") as file:
            await file.write(b"x")

    async def talk(connection: asyncssh.SSHClientConnection) -> None:
        async with connection.start_sftp_client() as sftp, connection.start_sftp_client() as beside, \
                asyncssh.connect("127.0.0.1", world.port, known_hosts=None, config=(), username="charlie",
                                 password=PASSWORD + "s", client_keys=None) as others:  # fmt: skip
            listing = asyncio.create_task(asyncio.to_thread(world.run, "scp", "-O", "-r", "{}:many", "many"))
            slow = [asyncio.create_task(put(one, f"slow{number}")) for number, one in enumerate((sftp, beside))]
            for _ in range(3):
                assert await asyncio.to_thread(hung.acquire, timeout=10)
            async with others.start_sftp_client() as charlie:
                await put(charlie, "m.tsv")
                assert "m.tsv" in await charlie.listdir(".")
            assert not any(one.done() for one in [listing, *slow])
            goes_on.set()
            await asyncio.gather(*slow)
            assert (await listing).returncode == 0

    world.client(talk)
    assert (world.home / "data" / "charlie" / "m.tsv").read_bytes() == b"x"
    assert (world.root / "slow0").read_bytes() == b"x"
    assert (world.home / "many" / "slow-list").exists()


def test_host_keys_are_made_once_and_nobody_else_reads_them(world):
    before = hostkeys.public(world.home)
    assert [line.split()[0] for line in before] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]
    assert {path.stat().st_mode & 0o777 for path in hostkeys.provide(world.home)} == {0o600}
    assert hostkeys.public(world.home) == before
    shown = subprocess.run(["ssh-keygen", "-lf", world.home / "sftp" / "host_ed25519.pub"], capture_output=True,
                           text=True, check=True).stdout  # fmt: skip
    assert hostkeys.fingerprint(before[0]) in shown
    key = hostkeys.paths(world.home)[0]
    key.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        hostkeys.provide(world.home)
    key.chmod(0o600)
