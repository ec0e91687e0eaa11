"""The services of identity over a database and a history of the test's own; Alice is the admin."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.accounts import Accounts
from belvedere.identity.flash import Flashes
from belvedere.identity.model import Operator
from belvedere.identity.sessions import Sessions
from belvedere.identity.tokens import Tokens
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret

PASSWORD = Secret("correct horse battery")


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[FileHistory]:
    made = FileHistory(tmp_path / "history")
    yield made
    made.close()


@pytest.fixture
def accounts(database: Database, history: FileHistory, clock: Clock) -> Accounts:
    return Accounts(database=database, history=history, now=clock)


@pytest.fixture
def sessions(database: Database, history: FileHistory, clock: Clock) -> Sessions:
    return Sessions(database=database, history=history, now=clock)


@pytest.fixture
def tokens(database: Database, history: FileHistory, clock: Clock) -> Tokens:
    return Tokens(database=database, history=history, now=clock)


@pytest.fixture
def flashes(database: Database, history: FileHistory, clock: Clock) -> Flashes:
    return Flashes(database=database, history=history, now=clock)


@pytest.fixture
def alice(accounts: Accounts) -> Operator:
    return accounts.create(SYSTEM, "alice", Role.ADMIN, email="alice@example.org", password=PASSWORD).operator


@pytest.fixture
def alices(alice: Operator) -> Actor:
    return alice.actor(door="portal", origin="198.51.100.7")
