"""The credentials room on a real database, with two tenants: alice owns, charlie is a stranger."""

from pathlib import Path

import pytest

from belvedere.audit.service import FileHistory
from belvedere.credentials.keys import FileKeys
from belvedere.credentials.service import Credentials
from belvedere.credentials.vault import Vault
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.reactions import REACTIONS
from belvedere.tenants.service import Tenants


@pytest.fixture
def operator() -> Actor:
    return Actor(name="root", role=Role.ADMIN, door="test", origin="127.0.0.1")


@pytest.fixture
def history(tmp_path: Path) -> FileHistory:
    return FileHistory(tmp_path / "history")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master"


@pytest.fixture
def credentials(database: Database, history: FileHistory, key_file: Path) -> Credentials:
    queue = JobQueue(database, REACTIONS)
    return Credentials(database=database, history=history, queue=queue, vault=Vault(FileKeys(key_file)))


@pytest.fixture
def tenants(database: Database, history: FileHistory) -> Tenants:
    return Tenants(database=database, history=history, queue=JobQueue(database, REACTIONS))


@pytest.fixture
def alice(tenants: Tenants, operator: Actor) -> int:
    return tenants.create(operator, "alice")[0].serial


@pytest.fixture
def charlie(tenants: Tenants, operator: Actor) -> int:
    return tenants.create(operator, "charlie")[0].serial
