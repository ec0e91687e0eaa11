"""Sessions: what a browser carries after signing in. The cookie is random; the database keeps its hash.

What is not here: proving who one is (`accounts.py`), the cookie's attributes (`web/accounts.py`), the session of our
own browser while it takes a picture (`previews/tokens.py`).
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.audit.model import History
from belvedere.identity import store
from belvedere.identity.members import store as members
from belvedere.identity.members.model import Person, Place
from belvedere.identity.model import Account, Session
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret

ABSOLUTE_END: Final = timedelta(days=7)
"""A session ends then, however busy it was."""

_TOUCH_EVERY: Final = timedelta(minutes=1)
_AGENT_LENGTH: Final = 200


def cookie_hash(cookie: Secret) -> bytes:
    """Return what the database keeps of a cookie. It has 256 random bits, so a plain hash cannot be turned back."""
    return hashlib.sha256(cookie.reveal().encode("utf-8", "replace")).digest()


def csrf_token(cookie: Secret) -> str:
    """Return what the forms of a session carry: it follows from the cookie, and the cookie does not follow from it."""
    return hmac.new(cookie.reveal().encode("utf-8", "replace"), b"belvedere csrf", hashlib.sha256).hexdigest()


class Sessions:
    """Open, find and end sessions. Finding takes one indexed lookup."""

    def __init__(self, *, database: Database, history: History, idle_hours: int = 12, now: Now = utc_now) -> None:
        """Take the collaborators and after how many unused hours a session ends."""
        self._database = database
        self._history = history
        self._idle = timedelta(hours=idle_hours)
        self._now = now

    def open(self, account: Account, *, origin: str, agent: str = "", replacing: Secret | None = None) -> Secret:
        """Open a session after `Accounts.sign_in`, whose record in the history stands for this too.

        Args:
            account: who signed in: an operator, or a person, whose session stands in its first tenant.
            origin: the address that they came from.
            agent: the browser, for the list of sessions.
            replacing: the cookie that the browser had before; that session ends, so none survives a sign-in.

        Returns:
            The cookie's value.
        """
        cookie, now = Secret(secrets.token_urlsafe(32)), self._now()
        person = account if isinstance(account, Person) else None
        with self._database.transaction() as connection:
            if replacing:
                store.end_session(connection, cookie_hash(replacing))
            store.add_session(connection, {
                "id": new_id(), "cookie_hash": cookie_hash(cookie), "origin": origin,
                "operator_id": None if person else account.id, "person_id": person.id if person else None,
                "tenant_id": person.places[0].tenant if person and person.places else None,
                "agent": agent[:_AGENT_LENGTH].replace("\0", ""), "now": now, "expires_at": now + ABSOLUTE_END,
            })  # fmt: skip
        return cookie

    def find(self, cookie: Secret, *, origin: str = "", request_id: str = "") -> Session | None:
        """Return the session of a cookie, or None when there is none or it has ended.

        Its actor carries `origin` and `request_id` of this request. That it was used is noted once a minute. A
        member's session stands in the tenant that it was in last, or in another one if that is closed to it now;
        without any it is none.
        """
        now = self._now()
        with self._database.transaction() as connection:
            row = store.session(connection, cookie_hash(cookie), now, now - self._idle)
            if row is None:
                return None
            places = members.places(connection, row["person_id"]) if row["person_id"] else ()
            found = _session(row, csrf_token(cookie), origin, request_id, places)
            if found is not None and now - row["seen_at"] >= _TOUCH_EVERY:
                store.touch_session(connection, row["id"], now, origin or row["origin"])
                if found.actor.person and found.actor.tenant:
                    members.touch_member(connection, found.actor.tenant, found.actor.person, now)
        return found

    def enter(self, session: Session, actor: Actor) -> None:
        """Let a member's session stand where `Session.acting` put this actor: pages without a tenant show that one."""
        if actor.person is None or actor.tenant is None or actor.tenant == session.actor.tenant:
            return
        with self._database.transaction() as connection:
            store.move_session(connection, session.id, actor.tenant)
            members.touch_member(connection, actor.tenant, actor.person, self._now())

    def actor(self, cookie: Secret, *, origin: str = "", request_id: str = "") -> Actor | None:
        """Return only who a cookie stands for."""
        found = self.find(cookie, origin=origin, request_id=request_id)
        return found.actor if found else None

    def list(self, actor: Actor) -> list[Session]:
        """Return one's own sessions, the last used first, without what their forms carry."""
        _must_be_somebody(actor)
        now = self._now()
        with self._database.transaction() as connection:
            found = store.sessions_of(connection, actor.name, now, now - self._idle)
            places = members.places(connection, actor.person) if actor.person else ()
        shown = [_session(row, "", row["origin"], "", places) for row in found]
        return [one for one in shown if one is not None]

    def close(self, actor: Actor, cookie: Secret) -> None:
        """Sign out: end the session of this cookie. Signing out twice does no harm."""
        with self._history.action(actor, "session.end", actor.name), self._database.transaction() as connection:
            store.end_session(connection, cookie_hash(cookie))

    def end(self, actor: Actor, session_id: UUID) -> None:
        """End one of one's own sessions.

        Raises:
            NotFound: it is not one's own, or has ended.
        """
        with self._history.action(actor, "session.end", actor.name, session=session_id):
            _must_be_somebody(actor)
            with self._database.transaction() as connection:
                if not store.end_own_session(connection, actor.name, session_id):
                    raise NotFound

    def end_others(self, actor: Actor, keep: Secret | None) -> int:
        """Sign out everywhere but here; everywhere, without `keep`.

        Returns:
            How many sessions ended.
        """
        with self._history.action(actor, "session.end-others", actor.name) as ending:
            _must_be_somebody(actor)
            with self._database.transaction() as connection:
                operator = None if actor.person else store.operator(connection, actor.name)
                account_id = operator.id if operator else actor.person
                if account_id is None:
                    raise NotFound
                ended = store.end_sessions(connection, account_id, keep=cookie_hash(keep) if keep else None)
            ending.note(sessions_ended=ended)
        return ended


def _must_be_somebody(actor: Actor) -> None:
    """Refuse tokens and keys of tenants: they have no account and no sessions."""
    if actor.person is None:
        actor.must(Role.VIEWER)


def _session(
    row: DictRow, csrf: str, origin: str, request_id: str, places: tuple[Place, ...] = ()
) -> Session | None:
    if row["person_id"] is None:
        actor = Actor(row["name"], Role(row["role"]), door="portal", origin=origin, request_id=request_id)
    elif places:
        place = next((one for one in places if one.tenant == row["tenant_id"]), places[0])
        actor = Actor(
            row["name"], place.role, place.tenant, door="portal", origin=origin, request_id=request_id,
            person=row["person_id"],
        )  # fmt: skip
    else:
        return None
    return Session(
        id=row["id"], actor=actor, csrf=csrf, created_at=row["created_at"], seen_at=row["seen_at"],
        expires_at=row["expires_at"], origin=row["origin"], agent=row["agent"],
        must_change_password=row["must_change_password"], places=places,
    )  # fmt: skip
