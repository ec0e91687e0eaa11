"""A tenant whose folder is there, and the program that reads, kept for all tests of a file as it is slow to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from belvedere.intake.reader import Readers
from belvedere.kernel.db import Database
from intake_world import World, make_world


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    made = Readers(memory_bytes=1 << 30, timeout_s=60.0)
    with made.one():
        pass  # started before any test counts its processes
    yield made
    made.close()


@pytest.fixture
def world(
    database: Database, tmp_path: Path, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with make_world(database, tmp_path, readers, monkeypatch) as made:
        yield made
