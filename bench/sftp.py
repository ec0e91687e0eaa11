"""Files over SSH against OpenSSH's own server: one of 200 MB, and 2,000 small ones; the same client, cipher and disk.

Both servers run on loopback with throw-away keys. Ours is the product's: users in the control database, uploads under a
hidden name that are renamed, each file told to the intake. Rounds take turns; what counts is the median.
"""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from server import installation, server

from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM

SIZE = 200_000_000
FILES = 2000
ROUNDS = 5
CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com")
MOST = {"one file": 1.0, "small files": 3.0}


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a server says its version."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


class Peer:
    """OpenSSH's server on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.root = free_port(), folder / "peer"
        self.root.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host"], check=True)
        shutil.copy(folder / "id.pub", folder / "authorized")
        configuration = folder / "sshd_config"
        configuration.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\n"
            f"PidFile {folder}/sshd.pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            "Subsystem sftp internal-sftp\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [shutil.which("sshd", path="/usr/sbin:/usr/bin") or "sshd", "-D", "-e", "-f", configuration],
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port)
        self.user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()

    def folder(self, name: str) -> Path:
        found = self.root / name
        found.mkdir(exist_ok=True)
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Ours:
    """The product's server in a process of its own, over a control database of its own."""

    def __init__(self, folder: Path, services: Services) -> None:
        self.port, self.root = free_port(), services.settings.path(services.settings.data_root) / "acme"
        environment = {
            **os.environ, "BELVEDERE_HOME": services.settings.home, "BELVEDERE_SFTP_PORT": str(self.port),
            "BELVEDERE_DATABASE_URL": services.settings.database_url.reveal(),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "belvedere.cli.main", "sftp"], env=environment, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_for(self.port)
        self.user = "acme"

    def folder(self, name: str) -> Path:
        return Path("/", name)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def client(folder: Path, server: Peer | Ours, cipher: str, batch: str) -> float:
    """Run OpenSSH's client over a batch of commands and return how long it took, in seconds."""
    began = time.perf_counter()
    subprocess.run(
        ["sftp", "-q", "-P", str(server.port), "-i", folder / "id", "-c", cipher, "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-b", "-", f"{server.user}@127.0.0.1"],
        input=batch, text=True, check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return time.perf_counter() - began


def large(folder: Path, server: Peer | Ours, cipher: str) -> float:
    return client(folder, server, cipher, f"put large {server.folder('large')}/{uuid4().hex}\n")


def small(folder: Path, server: Peer | Ours, cipher: str) -> float:
    name = server.folder("x").parent / uuid4().hex
    return client(folder, server, cipher, f"put -r small {name}\n")


def measure(folder: Path, servers: tuple[Ours, Peer], cipher: str, work: Callable[..., float]) -> tuple[float, float]:
    """Return the medians of ours and of the peer's; the first round of either warms up."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for one, times in zip(servers, taken, strict=True):
            seconds = work(folder, one, cipher)
            if number:
                times.append(seconds)
    return statistics.median(taken[0]), statistics.median(taken[1])


def prepare(folder: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True)
    (folder / "large").write_bytes(os.urandom(SIZE))
    (folder / "small").mkdir()
    for number in range(FILES):
        (folder / "small" / f"{number:05}.tsv").write_bytes(os.urandom(4000))


def main() -> int:
    """Print the figures; return 1 when a promise is broken."""
    broken = False
    with (
        tempfile.TemporaryDirectory(prefix="belvedere-bench-") as made, server() as superuser,
        installation(superuser) as services,
    ):
        folder = Path(made)
        prepare(folder)
        tenant, _ = services.tenants.create(SYSTEM, "acme")
        services.sftp.add(SYSTEM, tenant.serial, key=(folder / "id.pub").read_text())
        ours, peer = Ours(folder, services), Peer(folder)
        try:
            (ours.root / "large").mkdir(parents=True, exist_ok=True)
            for cipher in CIPHERS:
                for what, work in (("one file", large), ("small files", small)):
                    mine, theirs = measure(folder, (ours, peer), cipher, work)
                    ratio = mine / theirs
                    verdict = "ok" if ratio <= MOST[what] else "TOO SLOW"
                    broken |= ratio > MOST[what]
                    print(f"{what:12} {cipher:30} {mine:6.2f} s, OpenSSH {theirs:6.2f} s: {ratio:.2f}x {verdict}")
        finally:
            ours.stop()
            peer.stop()
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
