"""The tenants room on a real database, with the real history and queue."""

from pathlib import Path

import pytest

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.reactions import REACTIONS
from belvedere.tenants.service import Tenants


@pytest.fixture
def operator() -> Actor:
    return Actor(name="charlie", role=Role.ADMIN, door="test", origin="127.0.0.1")


@pytest.fixture
def history(tmp_path: Path) -> FileHistory:
    return FileHistory(tmp_path / "history")


@pytest.fixture
def tenants(database: Database, history: FileHistory) -> Tenants:
    return Tenants(database=database, history=history, queue=JobQueue(database, REACTIONS))
