"""What doors do with files that come in: note that something happened.

A notice is kept and the tenant's job asked for in one transaction; the folder is looked at by the job.
"""

from collections.abc import Sequence
from datetime import datetime

from belvedere.intake.model import Happening, Noted, Notice, Via
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database


class Intake:
    """Files that come in."""

    def __init__(self, *, database: Database, now: Now = utc_now) -> None:
        """Take what it needs."""
        self._database = database
        self._now = now

    def notice(
        self, company: str, path: str, what: Happening, *, via: Via, key: str = "", at: datetime | None = None
    ) -> Noted:
        """Keep one notice; see `notice_all`."""
        return self.notice_all([Notice(company, path, what, via, key, at)])

    def notice_all(self, notices: Sequence[Notice]) -> Noted:
        """Keep notices and ask for a look at their tenants' folders, in one transaction and one round trip.

        Paths are only looked at below the tenant's folder; what a path says is not believed. A folder of no tenant is
        named in the answer, and nothing is kept of it.

        Raises:
            Later: the control database is away; nothing was kept.
        """
        raise NotImplementedError
