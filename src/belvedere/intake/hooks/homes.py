"""Whose folder an SFTP user's is: the port that the doors ask, over the control database."""

from collections.abc import Mapping, Sequence

from belvedere.intake.hooks import store
from belvedere.intake.hooks.meaning import Home
from belvedere.kernel.db import Database


class UserHomes:
    """The SFTP users of tenants, and tenants by their names."""

    def __init__(self, database: Database) -> None:
        """Take the control database."""
        self._database = database

    def of(self, users: Sequence[str]) -> Mapping[str, Home]:
        """Return each user's home; users of nobody are left out."""
        with self._database.pooled_session() as connection:
            return store.homes(connection, users)
