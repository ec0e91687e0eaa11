"""The control database as the second memory, and as the bell that tells open pages."""

import threading
from pathlib import Path

import psycopg
import pytest

from belvedere.audit.postgres import DatabaseAnchors
from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import CHANNEL, Database


@pytest.fixture
def anchored(folder: Path, database: Database) -> FileHistory:
    history = FileHistory(folder, anchors=DatabaseAnchors(database))
    for turn in range(3):
        with history.action(SYSTEM, "tenant.create", f"{turn}"):
            pass
    history.close()
    return history


def test_a_cut_tail_of_the_only_chain_is_found(anchored: FileHistory, folder: Path) -> None:
    assert anchored.verify().ok
    [path] = folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    # All but the last two: the anchor holds what the chain had when it was closed, or a record less.
    path.write_bytes(b"".join(lines[:-2]))
    assert "end is missing" in anchored.verify().broken_at.why


def test_a_removed_history_is_found(anchored: FileHistory, folder: Path) -> None:
    for path in folder.glob("*.jsonl"):
        path.unlink()
    assert anchored.verify().broken_at.why == "This file is missing."


def test_an_anchor_is_never_taken_back(anchored: FileHistory, database: Database) -> None:
    for statement in ("UPDATE history_head SET lines = 1", "DELETE FROM history_head"):
        with pytest.raises(psycopg.errors.RaiseException), database.transaction() as connection:
            connection.execute(statement)


def test_open_pages_hear_of_an_action_within_a_second(folder: Path, database: Database) -> None:
    history = FileHistory(folder, anchors=DatabaseAnchors(database))
    with database.session() as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        with history.action(SYSTEM, "tenant.create", "acme"):
            pass
        heard = [notice.payload for notice in connection.notifies(timeout=1, stop_after=1)]
    history.close()
    assert heard == ["actions"]


def test_the_history_goes_on_while_the_database_is_away(folder: Path, database: Database, cluster) -> None:
    away = Database(database.url, timeout_s=0.1)
    history = FileHistory(folder, anchors=DatabaseAnchors(away))  # Its pool was never opened.
    with history.action(SYSTEM, "tenant.create", "acme"):
        pass
    assert history.search(SYSTEM).total == 1
    assert any(thread.name == "history-bell" for thread in threading.enumerate())
    history.close()
