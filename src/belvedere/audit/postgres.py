"""The control database as a second memory of how far each file of the history has come, and as a bell for pages."""

from collections.abc import Mapping
from typing import final

from belvedere.audit.model import Head
from belvedere.kernel.db import Database, rows, signal


@final
class DatabaseAnchors:
    """`audit.model.Anchors` in the table `history_head`, whose rows only ever grow (a trigger sees to it)."""

    def __init__(self, database: Database) -> None:
        """Take the control database."""
        self._database = database

    def read(self) -> Mapping[str, Head]:
        """Return what is remembered, by file name."""
        with self._database.transaction() as connection:
            found = rows(connection, "SELECT file, lines, hash FROM history_head")
        return {row["file"]: Head(row["lines"], row["hash"]) for row in found}

    def write(self, file: str, head: Head) -> None:
        """Remember how far `file` has come, and ring the topic `actions`."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO history_head (file, lines, hash) VALUES (%s, %s, %s) ON CONFLICT (file) DO UPDATE "
                "SET lines = excluded.lines, hash = excluded.hash, at = now() "
                "WHERE history_head.lines < excluded.lines",
                [file, head.lines, head.hash],
            )
            signal(connection, "actions")
