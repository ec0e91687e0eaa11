"""Homes of their own, and the command line as a person runs it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

STRANGE = ("BELVEDERE_", "MASTER_DB_", "PYTEST")
BELVEDERE = Path(sys.executable).with_name("belvedere")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's unprivileged user can pass."""
    made = Path(tempfile.mkdtemp(prefix="belvedere-node-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Shell:
    """One home and the commands run on it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(STRANGE)},
            "BELVEDERE_HOME": str(home), "PORT": str(self.port), "SAMPLE": "0", "BELVEDERE_PREVIEWS": "0",
            "BELVEDERE_SFTP": "0", **environment,
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BELVEDERE, *arguments], env={**self.environment, **environment}, cwd=self.home.parent, capture_output=True,
            text=True, check=False, timeout=100,
        )

    def ok(self, *arguments: str, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def shell(folder: Path) -> Iterator[Shell]:
    made = Shell(folder / "home")
    yield made
    made.run("down")
