"""Bring the control database to this program's schema: numbered SQL files, once each, one node at a time.

The files stand in `belvedere/migrations/NNNN_room.sql`. A file that has landed is never changed; a change
is a new file. What is not here: making the database itself and its roles (`node/database.py`).
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final, LiteralString, cast

import procrastinate.schema

from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint

_LOCK: Final = 0x62656C76


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number orders it, its name says which room it belongs to."""

    number: int
    name: str
    statements: str


def shipped() -> list[Migration]:
    """Return the migrations of this program in order; the queue's own schema is number 1."""
    found = [Migration(1, "0001_queue", procrastinate.schema.SchemaManager.get_schema())]
    for entry in files("belvedere.migrations").iterdir():
        if entry.name.endswith(".sql"):
            number = int(entry.name.split("_")[0])
            found.append(Migration(number, entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(database: Database) -> list[str]:
    """Apply what is missing, each file in a transaction of its own, under an advisory lock.

    Two nodes may start at once: the second waits, then finds nothing to do.

    Returns:
        The names of the files applied now.

    Raises:
        Stuck: the schema is newer than this program.
    """
    applied = []
    with database.session() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            done = _done(connection)
            known = shipped()
            _refuse_newer(done, known)
            for migration in known:
                if migration.number not in done:
                    _apply(connection, migration)
                    applied.append(migration.name)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return applied


def must_fit(database: Database) -> None:
    """Let a command work on a control database only if its schema is this program's.

    Raises:
        Stuck: the schema is newer, older, or there is none.
    """
    with database.transaction() as connection:
        there = connection.execute("SELECT FROM pg_class WHERE oid = to_regclass('schema_step')").fetchone()
        done = (
            {row["number"] for row in connection.execute("SELECT number FROM schema_step")}
            if there is not None else set()
        )
    known = shipped()
    _refuse_newer(done, known)
    if any(migration.number not in done for migration in known):
        message = "The control database is older than this program." if done else "The control database is empty."
        raise Stuck(message, hint="belvedere up, or belvedere init-db for a server of your own", code="older-schema")


def _refuse_newer(done: set[int], known: list[Migration]) -> None:
    unknown = done - {migration.number for migration in known}
    if unknown:
        message = (
            f"The database was written by a newer Belvedere (its schema has step {max(unknown)}, this "
            f"program ends at {known[-1].number})."
        )
        raise Stuck(message, hint="Start the newer program, or restore a backup made by this one.", code="newer-schema")


def _done(connection: Connection) -> set[int]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_step (number int PRIMARY KEY, name text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return {row["number"] for row in connection.execute("SELECT number FROM schema_step")}


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        # The files are part of this package, so their text is as trusted as its code.
        connection.execute(cast("LiteralString", migration.statements))
        connection.execute("INSERT INTO schema_step (number, name) VALUES (%s, %s)", [migration.number, migration.name])
        failpoint("kernel.migrate.before-commit")
