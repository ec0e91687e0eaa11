"""The command line on a home of the test's own and a real database."""

from pathlib import Path

import pytest

from belvedere.cli.main import run
from belvedere.kernel.db import Database


@pytest.fixture
def belvedere(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run a command; return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELVEDERE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BELVEDERE_DATABASE_URL", database.url.reveal())

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(arguments))
        return code, *capfd.readouterr()

    return call
