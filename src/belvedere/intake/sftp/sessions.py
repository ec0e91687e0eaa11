"""Signing in over SSH, and who is or was connected: for the server that asks, and for doors that show.

A session stands in the history from its first moment to its last, with what it carried. What is not here: users
(`service.py`), SSH itself (`server.py`).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from belvedere.audit.model import Ending, History
from belvedere.identity.members.rules import manages
from belvedere.identity.passwords import Passwords
from belvedere.identity.throttle import Throttle
from belvedere.intake.sftp import store
from belvedere.intake.sftp.model import Known, Session, State, Traffic, User
from belvedere.intake.sftp.service import TOPIC
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import NotFound
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.kernel.secret import Secret
from belvedere.tenants.names import name_key

SILENT: Final = timedelta(seconds=90)
"""After so long without a word of its server a session is lost."""

KEPT: Final = timedelta(days=90)
"""How long ended sessions are listed; the history keeps them for good."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An open session, and its open record in the history."""

    id: UUID
    user: User
    ending: Ending
    record: ExitStack


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session is now."""

    id: UUID
    state: State
    traffic: Traffic


class SftpSessions:
    """Who is let in, and who is there."""

    def __init__(
        self, *, database: Database, history: History, now: Now = utc_now, passwords: Passwords | None = None
    ) -> None:
        """Take the collaborators; `passwords` only differs in tests."""
        self._database = database
        self._history = history
        self._now = now
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(database)

    # --- for the server ---

    def find(self, name: str) -> Known | None:
        """Return who would sign in by a name.

        Raises:
            Later: the control database is away.
        """
        with self._database.transaction() as connection:
            return store.for_sign_in(connection, name_key(name) if name.isprintable() else "")

    def check(self, known: Known | None, name: str, password: Secret, origin: str) -> bool:
        """Tell whether a password is right; it takes as long whether or not there is such a user.

        Raises:
            TooMany: too many failures of this name or from this address; carries how long to wait.
            Later: the control database is away.
        """
        # The prefix keeps a tenant's login apart from an operator's of the same name; addresses count together.
        counted = f"sftp:{name}"
        self._throttle.count(counted, origin, self._now())
        if not self._passwords.matches(known.password_hash if known else None, password):
            return False
        with self._database.transaction() as connection:
            self._throttle.forgive(connection, counted, origin)
        return True

    def refused(self, known: Known | None, origin: str, why: str) -> None:
        """Write down that somebody was not let in. Only a name that exists is: people type passwords as names."""
        name = known.user.name if known else "unknown name"
        actor = Actor(name=name, role=Role.VIEWER, door="sftp", origin=origin)
        self._history.refusal(actor, "sftp.sign-in", name, why, tenant=known.user.tenant if known else None)

    def begin(self, user: User, *, origin: str, client: str, method: str, server: str) -> Begun:
        """Open a session.

        Args:
            user: who signed in.
            origin: the address it came from.
            client: what the client calls itself.
            method: `password`, or the key's fingerprint.
            server: which server serves it.

        Raises:
            Later: the control database or the history is away; nobody is let in then.
        """
        ident, now, said = new_id(), self._now(), "".join(one for one in client if one.isprintable())[:100]
        actor = Actor(name=user.name, role=Role.EDITOR, tenant=user.tenant, door="sftp", origin=origin)
        with ExitStack() as opening:
            ending = opening.enter_context(self._history.action(
                actor, "sftp.session", user.name, tenant=user.tenant, client=said, method=method, session=ident,
            ))  # fmt: skip
            with self._database.transaction() as connection:
                store.begin_session(connection, {
                    "id": ident, "tenant": user.tenant, "user": user.id, "name": user.name, "origin": origin,
                    "client": said, "method": method, "server": server, "now": now,
                })  # fmt: skip
                store.touch_user(connection, user.id, now)
                signal(connection, TOPIC, f"tenant.{user.tenant}")
            return Begun(ident, user, ending, opening.pop_all())

    def keep(self, standing: Sequence[Standing]) -> None:
        """Keep how sessions are: open ones as they go, ended ones for good.

        Raises:
            Later: the control database is away; keep them and come again.
        """
        if not standing:
            return
        kept = [
            (one.id, str(one.state), one.traffic.files_up, one.traffic.files_down, one.traffic.bytes_up,
             one.traffic.bytes_down, one.traffic.error[:400]) for one in standing
        ]  # fmt: skip
        with self._database.transaction(flushed=False) as connection:
            tenants = store.save_sessions(connection, kept, self._now())
            signal(connection, TOPIC, *(f"tenant.{one}" for one in sorted(tenants)))

    def record(self, begun: Begun, state: State, traffic: Traffic) -> None:
        """End a session's record in the history."""
        begun.ending.note(
            state=state, files_up=traffic.files_up, files_down=traffic.files_down, bytes_up=traffic.bytes_up,
            bytes_down=traffic.bytes_down, last_error=traffic.error,
        )
        begun.record.close()

    def to_end(self, server: str) -> dict[UUID, str]:
        """Return the sessions of a server that must end, with the reason, and give up those of servers that died."""
        now = self._now()
        with self._database.transaction(flushed=False) as connection:
            lost = store.lose_sessions(connection, now - SILENT, now)
            if lost:
                signal(connection, TOPIC, *(f"tenant.{one}" for one in sorted(lost)))
            return store.to_end(connection, server)

    def forget_old(self) -> int:
        """Forget sessions that ended long ago; return how many."""
        with self._database.transaction(flushed=False) as connection:
            return store.forget_sessions(connection, self._now() - KEPT)

    # --- for doors ---

    def list(
        self, actor: Actor, *, tenant: int | None = None, is_open: bool = False, after: str | None = None,
        limit: int = 50,
    ) -> Page[Session]:
        """Return sessions, the newest first: a tenant's, or all for operators.

        Raises:
            NotFound: the actor is confined to another tenant.
        """
        scope = actor.tenant if tenant is None else tenant
        actor.must(Role.VIEWER, scope)
        with self._database.for_actor(actor) as connection:
            found = store.sessions(
                connection, tenant=scope, is_open=is_open, before=_key(after) if after else None, limit=limit + 1
            )
        shown = found[:limit]
        return Page(shown, str(shown[-1].id) if len(found) > limit else None)

    def count_open(self, actor: Actor) -> int:
        """Count the open sessions that the actor may see."""
        actor.must(Role.VIEWER, actor.tenant)
        with self._database.for_actor(actor) as connection:
            return store.count_open(connection)

    def end(self, actor: Actor, key: str, *, tenant: int | None = None) -> Session:
        """End a session: its server cuts it off within seconds. Twice does no harm.

        Raises:
            NotFound: there is none, or it is not the actor's to see, or not that tenant's.
            Forbidden: the actor may not manage users of its tenant.
        """
        with self._history.action(actor, "sftp-session.end", key, tenant=tenant) as ending:
            with self._database.for_actor(actor) as connection:
                found = store.session(connection, _key(key))
                if found is None or tenant not in {None, found.tenant}:
                    message = "There is no such session."
                    raise NotFound(message)
                manages(actor, found.tenant)
                store.ask_end(connection, found.id, actor.name)
                signal(connection, TOPIC, f"tenant.{found.tenant}")
            ending.note(user=found.user, state=found.state)
        return found


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "There is no such session."
        raise NotFound(message) from None
