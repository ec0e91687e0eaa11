"""The wiring: settings to adapters to services. The one file that names every vendor.

Doors ask `Services` for what they call; services get their collaborators here and nowhere else.
"""

from dataclasses import dataclass

from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door may call, made once per process."""

    settings: Settings
    database: Database

    def close(self) -> None:
        """Give back what is open."""
        self.database.close()


def build(settings: Settings) -> Services:
    """Make the services for one process. The control database must be there and migrated."""
    database = Database(
        settings.database_url, size=settings.pool_size, timeout_s=settings.pool_timeout_s, idle_s=settings.pool_idle_s
    ).open()
    return Services(settings=settings, database=database)
