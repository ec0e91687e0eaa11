"""Whether a tenant has room for one more file: its quota, how many are on their way, and an account of what it holds.

The account is in the control database: what a walk through the folder counted, and on top of it every file begun since,
with the size that it will have. A file is looked at and noted in one step while nobody else has the account, so that
however many begin at one time, no two get the same room. What others bring and take away is seen at the next walk: once
a minute, and before somebody is refused.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from belvedere.intake.resumable import store
from belvedere.intake.resumable.model import Account, Quota
from belvedere.intake.resumable.parts import FOLDER, Parts
from belvedere.intake.sftp.quota import measured
from belvedere.kernel.clock import Now, monotonic_s
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Rejected

MOST_OPEN: Final = 1000
"""Files of one tenant that may be on their way at one time."""

GOOD: Final = timedelta(minutes=1)
"""How long a count is taken as it is, at least."""

_SHARE: Final = 20
"""A count is good for so many times as long as it took: no more than a twentieth of the time goes into counting."""

_BEFORE_REFUSING: Final = timedelta(seconds=5)
"""A count of this age is made anew before somebody is refused because of it."""

_OLDEST: Final = timedelta(hours=1)
_COUNTING: Final = timedelta(seconds=30)


class Room:
    """What tenants' folders may hold, and do."""

    def __init__(self, *, database: Database, parts: Parts, now: Now) -> None:
        """Take what it needs."""
        self._database = database
        self._parts = parts
        self._now = now

    def look(self, serial: int, tenant: str, size: int) -> None:
        """Refuse early what cannot be: too many on their way, or a disk that is full.

        Raises:
            Conflict: too many are on their way.
            Later: the disk has no room.
        """
        with self._database.transaction() as connection:
            number, coming = store.open_ones(connection, serial)
        _few(number, tenant)
        self._parts.check_room(tenant, size + coming)

    def take(self, tenant: str, values: dict[str, Any]) -> None:
        """Note that a file is on its way, if there is room for it.

        Args:
            tenant: the name of the tenant.
            values: the new row.

        Raises:
            Conflict: too many are on their way.
            Rejected: the quota is used up.
        """
        serial: int = values["tenant"]
        has_counted = False
        while True:
            with self._database.transaction() as connection:
                quota = _quota(store.quotas(connection, serial))
                account, now = store.room(connection, serial), self._now()
                _few(account.number, tenant)
                if not quota or has_counted or _is_good(account, now):
                    wrong = _over(quota, account, values["size"])
                    if wrong is None:
                        store.begin(connection, values)
                        return
                    if has_counted or not _is_old(account, now):
                        raise wrong
                number = store.begin_count(connection, serial, now + _COUNTING)
            self._count(tenant, serial, number)
            has_counted = True

    def _count(self, tenant: str, serial: int, number: int) -> None:
        """Walk through a folder, with no connection held, and keep what is there. Files on their way count by rows."""
        began = monotonic_s()
        with self._parts.home(tenant) as home:
            total, files = measured(home, besides=FOLDER)
        took, now = timedelta(seconds=monotonic_s() - began), self._now()
        with self._database.transaction() as connection:
            store.counted(connection, {
                "tenant": serial, "round": number, "bytes": total, "files": files, "now": now,
                "good_until": now + max(GOOD, took * _SHARE),
            })  # fmt: skip


def _is_good(account: Account, now: datetime) -> bool:
    """Tell whether the figures are taken as they are: they are new, or somebody counts right now."""
    if account.counted_at is None or account.good_until is None or now > account.counted_at + _OLDEST:
        return False
    return now < account.good_until or (account.counting_until is not None and now < account.counting_until)


def _is_old(account: Account, now: datetime) -> bool:
    """Tell whether to count anew before refusing: the longer a count takes, the more seldom."""
    if account.counted_at is None or account.good_until is None:
        return True
    least = max(_BEFORE_REFUSING, (account.good_until - account.counted_at) / (GOOD / _BEFORE_REFUSING))
    return now >= account.counted_at + least


def _few(number: int, tenant: str) -> None:
    if number >= MOST_OPEN:
        message = f"{number} files of {tenant} are on their way. End some of them first."
        raise Conflict(message, code="too-many-uploads")


def _over(quota: Quota, account: Account, size: int) -> Rejected | None:
    """Say why a file of that size has no room; None if it has."""
    hint = "Remove files by SFTP, or ask an operator for more room."
    if quota.most_bytes and account.bytes + size > quota.most_bytes:
        message = f"The quota of {quota.most_bytes:,} bytes is used up: {account.bytes:,} lie there or come."
        return Rejected(message, code="quota", hint=hint)
    if quota.most_files and account.files + 1 > quota.most_files:
        return Rejected(f"The quota of {quota.most_files:,} files is used up.", code="quota", hint=hint)
    return None


def _quota(found: list[dict[str, Any]]) -> Quota:
    """Return what a tenant's folder may hold: as much as its SFTP user with the most room may put there."""
    return Quota(_widest(found, "quota_bytes"), _widest(found, "quota_files"))


def _widest(found: list[dict[str, Any]], name: str) -> int:
    limits: list[int] = [row[name] for row in found]
    return 0 if 0 in limits or not limits else max(limits)
