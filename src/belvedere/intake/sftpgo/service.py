"""Keeping an SFTPGo's users as ours are: plan, apply, what doors ask of it.

It does nothing where no SFTPGo is set. What is not here: who may send files (`intake/sftp/`), SFTPGo's own words
(`api.py`, `shape.py`).
"""

from collections.abc import Sequence
from typing import Final, Protocol

from belvedere.audit.model import History
from belvedere.intake.sftp.model import Known
from belvedere.intake.sftpgo import store
from belvedere.intake.sftpgo.api import SftpGo
from belvedere.intake.sftpgo.model import Deed, Difference, Look, SftpGoStep
from belvedere.intake.sftpgo.plan import is_ours, plan
from belvedere.intake.sftpgo.shape import body_of, wanted_of
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Conflict, Later, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan, Sign

TOPIC: Final = "drift"
JOB: Final = "sftpgo.provision"
_MOST_SHOWN: Final = 200
_VERBS: Final = {Sign.CREATE: "sftpgo.make-user", Sign.CHANGE: "sftpgo.change-user", Sign.REMOVE: "sftpgo.remove-user"}
_ENDS_SESSIONS: Final = frozenset({"state", "home", "permissions", "keys", "password"})
"""Fields whose change ends the sessions of a user: they would go on with what they had."""


class Users(Protocol):
    """Where our users stand."""

    def everybody(self) -> Sequence[Known]:
        """Return all users of tenants that stay, with what is kept of their passwords."""
        ...


class SftpGoUsers:
    """The users of the installation's SFTPGo."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, users: Users, server: SftpGo | None,
        root: str, now: Now = utc_now,
    ) -> None:
        """Take what it needs; `server` is None where none is set, `root` is where SFTPGo sees tenants' folders."""
        self._database = database
        self._history = history
        self._queue = queue
        self._users = users
        self._server = server
        self.root = root
        self._now = now

    @property
    def there(self) -> bool:
        """Whether an SFTPGo is set."""
        return self._server is not None

    def close(self) -> None:
        """Close the connections."""
        if self._server is not None:
            self._server.close()

    def plan(self, actor: Actor, serial: int | None = None) -> Plan[Deed]:
        """Compare SFTPGo's users with ours, now: of one tenant, or all.

        Raises:
            Rejected: no SFTPGo is set.
            Later: it does not answer.
            Stuck: it does not let us.
        """
        actor.must(Role.VIEWER, serial)
        return self._plan(self.reached(), serial)

    def apply(self, actor: Actor, serial: int | None = None) -> Plan[Deed]:
        """Make SFTPGo's users as ours are, and return what was done. Again does nothing.

        Raises:
            Rejected: no SFTPGo is set, or it refuses a user.
            Later: it does not answer, or a user changed there meanwhile.
            Stuck: it does not let us.
        """
        actor.must(Role.OPERATOR, serial)
        if actor is SYSTEM:  # The timer's own look is none of the history's; what it does is.
            return self._apply(actor, serial)
        with self._history.action(actor, "sftpgo.apply", "SFTPGo", tenant=serial):
            return self._apply(actor, serial)

    def ask(self, actor: Actor) -> None:
        """Have all users made as they should be, by a runner.

        Raises:
            Rejected: no SFTPGo is set.
        """
        actor.must(Role.OPERATOR)
        with self._history.action(actor, "sftpgo.apply", "SFTPGo"):
            self.reached()
            with self._database.transaction() as connection:
                self._queue.enqueue(connection, JOB, "")

    def provision(self, key: str) -> None:
        """Make the users of one tenant, or of all where the key is empty, as they should be: the job."""
        if self._server is not None:
            self.apply(SYSTEM, int(key) if key else None)

    def look(self, actor: Actor) -> Look:
        """Return how the last look at SFTPGo ended, for operators."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.look(connection)

    def differences(self, actor: Actor, *, settled: bool = False, limit: int = _MOST_SHOWN) -> Sequence[Difference]:
        """Return what differed at the last look, or what was repaired since a week; for operators."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.differences(connection, settled=settled, limit=limit)

    def _apply(self, actor: Actor, serial: int | None) -> Plan[Deed]:
        server = self.reached()
        try:
            found = self._plan(server, serial)
            self._note(found, serial)
            refused: list[BelvedereError] = []
            for step in found.steps:
                try:
                    self._take(server, actor, step)
                except Rejected as error:  # One that is refused keeps nobody else waiting.
                    refused.append(error)
            if refused:
                raise refused[0]
        except BelvedereError as error:
            self._ended(error)
            raise
        if serial is None:
            self._ended(None)
        return found

    def reached(self) -> SftpGo:
        """Return the SFTPGo.

        Raises:
            Rejected: none is set.
        """
        if self._server is None:
            message = "No SFTPGo is set."
            hint = "set BELVEDERE_SFTPGO_URL, BELVEDERE_SFTPGO_USER and BELVEDERE_SFTPGO_PASSWORD"
            raise Rejected(message, hint=hint, code="sftpgo-unset")
        return self._server

    def _plan(self, server: SftpGo, serial: int | None) -> Plan[Deed]:
        wanted = [wanted_of(one, self.root) for one in self._users.everybody()]
        return plan(wanted, server.users(), self.installation(), tenant=serial)

    def installation(self) -> str:
        """Return our number, which stands in every mark."""
        with self._database.transaction() as connection:
            return store.installation(connection)

    def _take(self, server: SftpGo, actor: Actor, step: SftpGoStep) -> None:
        """Take one step, in the history. The user is read again first: what somebody did meanwhile is not undone."""
        deed, wanted = step.deed, step.deed.wanted
        said = {change.field: f"{change.old} -> {change.new}" for change in step.changes}
        with self._history.action(actor, _VERBS[step.sign], deed.name, tenant=deed.tenant or None, changes=said):
            failpoint("intake.sftpgo.before-step")
            installation = self.installation()
            seen = server.user(deed.name)
            if seen is not None and not is_ours(seen, installation):
                message = f"SFTPGo's user {deed.name} is not ours any more."
                raise Conflict(message, code="sftpgo-changed")
            if wanted is None:
                server.remove(deed.name)
            else:
                body = body_of(wanted, installation, seen)
                ends = any(change.field in _ENDS_SESSIONS for change in step.changes)
                if seen is None:
                    server.make(body)
                elif not server.change(deed.name, body, disconnect=ends):
                    message = f"SFTPGo's user {deed.name} went while it was changed."
                    raise Later(message, retry_in_s=2.0, code="sftpgo-changed")
                if wanted.quota_bytes or wanted.quota_files:
                    server.count_again(deed.name)
            failpoint("intake.sftpgo.taken")
        with self._database.transaction() as connection:
            store.settle(connection, deed.name, self._now())

    def _note(self, found: Plan[Deed], serial: int | None) -> None:
        """Write down what differs before it is repaired, and users that stand in the way."""
        lines = [
            (step.deed.tenant, step.deed.name, str(step.sign), step.title, step.changes) for step in found.steps
        ]
        wanted = {one.user.name: one.user.tenant for one in self._users.everybody()} if found.kept else {}
        for kept in found.kept:
            name = kept.removeprefix("user ")
            lines.append((wanted.get(name, 0), name, "=", "is there and not ours", ()))
        with self._database.transaction() as connection:
            store.note(connection, lines, tenant=serial, now=self._now())
            if lines:
                signal(connection, TOPIC)

    def _ended(self, error: BelvedereError | None) -> None:
        with self._database.transaction() as connection:
            if error is None:
                store.looked(connection, self._now(), "", "", "")
            else:
                store.looked(connection, None, error.detail, error.problem, error.hint or "")
            signal(connection, TOPIC)
