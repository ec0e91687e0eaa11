"""The rules of the hook doors: who may tell, whose folder is meant, what is kept, what is written down.

Events are kept as notices (`Intake.notice_all`) before anybody is answered; the tenant's job looks later. What is not
here: HTTP (`asgi.py`), the local socket and the spool folder (`local.py`).
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

from belvedere.audit.model import History
from belvedere.credentials.derived import is_one_of
from belvedere.credentials.service import LEAST_REASON
from belvedere.intake.hooks.event import Event
from belvedere.intake.hooks.meaning import Home, folder_of, meaning
from belvedere.intake.model import Noted, Notice, Via
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import BelvedereError, Forbidden, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret

HEADER: Final = "X-Belvedere-Hook"
"""The header in which SFTPGo sends the secret."""

VERB: Final = "hook.take"
PATH: Final = "/hooks/sftpgo"

_REMEMBER_S: Final = 5.0
_MOST_REMEMBERED: Final = 10_000
_SUMMARY_S: Final = 60.0
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as a door heard it: from where, and by which door."""

    event: Event
    origin: str
    via: Via = Via.SFTPGO


class Noticing(Protocol):
    """As much of the room as this needs."""

    def notice_all(self, notices: Sequence[Notice]) -> Noted:
        """Keep notices in one transaction. Raises Later when nothing was kept."""
        ...


class Homes(Protocol):
    """Whose folder a user's is."""

    def of(self, users: Sequence[str]) -> Mapping[str, Home]:
        """Return each user's home; users of nobody are left out.

        A user that is nobody's but has a tenant's name is that tenant's, as in installations of today.
        """
        ...


class Hooks:
    """What SFTPGo tells, taken in. Safe to be called from several threads."""

    def __init__(
        self, *, intake: Noticing, homes: Homes, history: History, secrets: Sequence[Secret],
        roots: Sequence[str],
    ) -> None:
        """Take what it needs; `roots` are the names of the folder of tenants' folders that SFTPGo may see."""
        self._intake = intake
        self._homes = homes
        self._history = history
        self._secrets = secrets
        self._roots = roots
        self._known: dict[str, tuple[float, Home | None]] = {}
        self._taken: Counter[tuple[str, int, Via]] = Counter()
        self._since = time.monotonic()
        self._lock = Lock()

    def is_sftpgo(self, given: str) -> bool:
        """Tell whether a request proves that it is SFTPGo's."""
        return is_one_of(given, self._secrets)

    def reveal(self, actor: Actor, reason: str) -> Secret:
        """Return the secret to set in SFTPGo, for an admin who says why; it stands in the history.

        Raises:
            Rejected: no reason is given.
            Forbidden: only an admin may.
        """
        actor.must(Role.ADMIN)
        if len(reason.strip()) < LEAST_REASON:
            message = f"Say why, in at least {LEAST_REASON} characters; it goes to the history."
            raise Rejected(message, field="reason")
        with self._history.action(actor, "hook.reveal-secret", HEADER, reason=reason.strip()[:_SHOWN]):
            return self._secrets[0]

    def stranger(self, origin: str, door: str = "http") -> None:
        """Write down that somebody came without the secret; a flood of it makes a line a minute and address."""
        self._history.refusal(_actor("stranger", origin, door), VERB, PATH, "It did not prove that it is SFTPGo.")

    def unreadable(self, origin: str, error: BelvedereError, via: Via = Via.SFTPGO) -> None:
        """Write down that SFTPGo's own message was none."""
        self._history.refusal(_actor("SFTPGo", origin, _door(via)), VERB, PATH, error.detail)

    def take(self, heard: Sequence[Heard]) -> list[BelvedereError | None]:
        """Keep what events mean, all of them in one transaction, and say of each whether it was refused.

        An event of a user that no tenant has is let pass: SFTPGo may have users that are not ours, and would delete
        their files if a hook that it waits for refused them. It stands in the history.

        Raises:
            Later: the control database is away; nothing was kept.
        """
        homes = self._look_up({one.event.user for one in heard if one.event.user})
        ends: list[BelvedereError | None] = []
        notices: list[Notice] = []
        counts: Counter[tuple[str, int, Via]] = Counter()
        for one in heard:
            try:
                meant, serial = self._meant(one, homes)
            except Rejected as error:
                ends.append(error)
                continue
            ends.append(None)
            notices += meant
            if meant:
                counts[meant[0].company, serial, one.via] += 1
        if notices:
            failpoint("intake.hook.before-keep")
            noted = self._intake.notice_all(notices)
            failpoint("intake.hook.kept")
            for name in noted.strangers:
                self._nobody(name, "", notices[0].via)
        self._count(counts)
        return ends

    def close(self) -> None:
        """Write down what is only counted."""
        self._write_counts()

    def _meant(self, one: Heard, homes: Mapping[str, Home | None]) -> tuple[list[Notice], int]:
        event = one.event
        home = homes.get(event.user) if event.user else Home(0, self._folder(one))
        if home is None:
            self._nobody(event.user, one.origin, one.via)
            return [], 0
        try:
            return meaning(event, home, self._roots, one.via), home.serial
        except Forbidden as error:
            self._refused(one, home, error)
            raise

    def _folder(self, one: Heard) -> str:
        """Return the folder that is meant where no user is named: that of the path.

        Raises:
            Forbidden: it does not lie below the root.
            Rejected: there is no path either, so nobody's folder is meant.
        """
        if not one.event.path:
            message = "The event names neither a user nor a path."
            error = Rejected(message, code="hook-event")
            self.unreadable(one.origin, error, one.via)
            raise error
        try:
            return folder_of(one.event.path, self._roots)
        except Forbidden as error:
            self._refused(one, Home(0, ""), error)
            raise

    def _look_up(self, users: set[str]) -> Mapping[str, Home | None]:
        """Find users' folders; what was found is remembered for some seconds, also that there is none."""
        now = time.monotonic()
        with self._lock:
            known = {user: self._known[user][1] for user in users if user in self._known and self._known[user][0] > now}
        missing = [user for user in users if user not in known]
        if missing:
            found = self._homes.of(missing)
            fresh = {user: found.get(user) for user in missing}
            with self._lock:
                if len(self._known) + len(fresh) > _MOST_REMEMBERED:
                    self._known.clear()
                self._known.update({user: (now + _REMEMBER_S, home) for user, home in fresh.items()})
            known |= fresh
        return known

    def _refused(self, one: Heard, home: Home, error: BelvedereError) -> None:
        actor = _actor(one.event.user or "SFTPGo", one.origin, _door(one.via))
        # Not the path: it is somebody's else, or of another machine's files.
        self._history.refusal(actor, VERB, _short(home.company) or PATH, error.detail, tenant=home.serial or None)

    def _nobody(self, user: str, origin: str, via: Via) -> None:
        actor = _actor(user, origin, _door(via))
        self._history.refusal(actor, VERB, PATH, "No tenant has an SFTP user of this name.")

    def _count(self, counts: Counter[tuple[str, int, Via]]) -> None:
        with self._lock:
            self._taken.update(counts)
            due = time.monotonic() - self._since >= _SUMMARY_S
        if due:
            self._write_counts()

    def _write_counts(self) -> None:
        with self._lock:
            taken, self._taken, self._since = self._taken, Counter(), time.monotonic()
        for (company, serial, via), count in taken.items():
            actor = _actor("SFTPGo", "", _door(via))
            self._history.summary(actor, VERB, _short(company), count=count, tenant=serial or None)


def _actor(name: str, origin: str, door: str) -> Actor:
    return Actor(name=_short(name), role=Role.VIEWER, door=door, origin=origin)


def _door(via: Via) -> str:
    return "command" if via is Via.COMMAND else "http"


def _short(text: str) -> str:
    """Make text of anybody's fit for a line of the history."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "…"
