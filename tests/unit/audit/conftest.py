"""A history in a folder of its own, and a clock that stands still until a test moves it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import Actor, Role

ALICE = Actor(name="alice", role=Role.ADMIN, door="portal", origin="198.51.100.7", request_id="r-1")


class Clock:
    """A clock for tests; every look moves it by a microsecond, so that no two moments are the same."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=1)
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.fixture
def history(folder: Path, clock: Clock) -> Iterator[FileHistory]:
    made = FileHistory(folder, clock)
    yield made
    made.close()


def chains(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))
