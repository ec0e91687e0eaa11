"""A whole Belvedere, started as a user starts it, in a home of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

BELVEDERE = Path(sys.executable).with_name("belvedere")


class Installation:
    """One home with its supervisor in the foreground of a child process."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.sftp_port = a_free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("BELVEDERE_", "MASTER_DB_", "PYTEST"))},
            "BELVEDERE_HOME": str(home),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "SAMPLE": "0",
            "CAPTURE_FRAME_DELAY": "100",
            "BELVEDERE_SFTP_PORT": str(self.sftp_port),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **extra: str) -> None:
        log = (self.home.parent / "up.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [BELVEDERE, "up"],
                env={**self.environment, **extra},
                cwd=self.home.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, 90, "the portal answers")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def log(self) -> str:
        return (self.home.parent / "up.log").read_text(errors="replace")[-8000:]

    def cli(self, *arguments: str) -> str:
        done = subprocess.run(
            [BELVEDERE, *arguments],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def token(self, role: str = "admin", **options: str) -> str:
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return str(
            json.loads(self.cli("token", "create", "--name", f"test-{role}", "--role", role, *words, "--json"))["token"]
        )

    def client(self, token: str) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first truthy answer; fail with what was waited for when time is up."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause)  # between two looks at a condition; the only sleep there is
        pause = min(pause * 1.5, 0.25)


@pytest.fixture(scope="session")
def installation(free_port: int) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="belvedere-journey-") as folder:
        Path(folder).chmod(0o755)
        made = Installation(Path(folder) / "home", free_port)
        try:
            made.start()
            yield made
        finally:
            made.stop()


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def free_port() -> int:
    return a_free_port()
