"""The brake on guessing passwords: failures are counted in the database, and each one makes the next wait longer.

Three counters, so that neither one stranger can lock a person out for long nor many strangers can share the
work: the pair of name and origin (5 free tries), the name (20), the origin (50). Past the free tries the wait
doubles from 1 s to 15 min. An hour without a failure forgets.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from belvedere.identity import store
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import TooMany

LONGEST_S: Final = 900
FORGET: Final = timedelta(hours=1)
_FREE: Final = {"pair": 5, "name": 20, "origin": 50}
_MOST_DOUBLINGS: Final = 20


def wait_s(failures: int, free: int) -> int:
    """Return how long the next try has to wait after so many failures, in seconds."""
    over = failures - free
    return 0 if over < 0 else min(LONGEST_S, 1 << min(over, _MOST_DOUBLINGS))


class Throttle:
    """Counts tries before they are made: of a hundred at the same moment, ninety-five find the door closed."""

    def __init__(self, database: Database) -> None:
        """Take the database in which all processes count together."""
        self._database = database

    def count(self, name: str, origin: str, now: datetime) -> None:
        """Count one try as failed before its password is looked at; `forgive` takes it back.

        Raises:
            TooMany: it is too early for another try; this one was not counted.
        """
        keys = _keys(name, origin)
        with self._database.transaction() as connection:
            for counter in store.lock_counters(connection, sorted(keys), now):
                # Below the free tries nobody waits; of two at the same moment the later one may hold the earlier time.
                if counter.failures >= _FREE[keys[counter.key]] and counter.blocked_until > now:
                    seconds = max(1, round((counter.blocked_until - now).total_seconds()))
                    message = f"Too many failed sign-ins. Try again in {seconds} s."
                    raise TooMany(message, retry_in_s=float(seconds))
                failures = 1 if counter.last_at <= now - FORGET else counter.failures + 1
                wait = timedelta(seconds=wait_s(failures, _FREE[keys[counter.key]]))
                store.set_counter(connection, counter.key, failures, now, now + wait)

    def forgive(self, connection: Connection, name: str, origin: str) -> None:
        """Forget the failures of a person who came in. The origin's stay: others may be guessing from there."""
        keys = _keys(name, origin)
        store.forget_counters(connection, [key for key, kind in keys.items() if kind != "origin"])
        store.take_back(connection, [key for key, kind in keys.items() if kind == "origin"])


def _keys(name: str, origin: str) -> dict[str, str]:
    folded = hashlib.sha256(name.strip().casefold().encode("utf-8", "replace")).hexdigest()[:32]
    return {f"pair:{folded}:{origin}": "pair", f"name:{folded}": "name", f"origin:{origin}": "origin"}
