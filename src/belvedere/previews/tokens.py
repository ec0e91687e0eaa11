"""Capture tokens: how the browser that takes a picture may open one dashboard, once.

`issue` makes a token that is good once, for a minute, for one dashboard of one tenant. The web door redeems it at
`GET /capture/<token>` and sets the session that comes back as a cookie; with it the browser sees that dashboard and its
panels and nothing else, until the capture ends. Only hashes are stored. What is not here: the door.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound
from belvedere.kernel.secret import Secret
from belvedere.previews import store

TOKEN_S: Final = 60.0
"""How long a token waits to be redeemed, in seconds."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a redeemed token opens: this dashboard of this tenant, until then."""

    tenant: int
    dashboard_id: UUID
    expires_at: datetime

    def actor(self, origin: str = "") -> Actor:
        """Return whom the browser acts as: a viewer confined to the tenant. The door checks the dashboard."""
        return Actor("Belvedere preview", Role.VIEWER, tenant=self.tenant, door="capture", origin=origin)


class CaptureTokens:
    """Issues and redeems capture tokens."""

    def __init__(self, *, database: Database, session_s: float = 90.0, now: Now = utc_now) -> None:
        """`session_s` is how long a session lasts at most; a capture ends its own as soon as it is over."""
        self._database = database
        self._session_s = session_s
        self._now = now

    def issue(self, tenant: int, dashboard_id: UUID) -> Secret:
        """Make a token for one dashboard."""
        token = secrets.token_urlsafe(32)
        with self._database.transaction() as connection:
            store.drop_old_tokens(connection, self._now())
            until = self._now() + timedelta(seconds=TOKEN_S)
            store.add_token(connection, _digest(token), tenant, dashboard_id, until)
        return Secret(token)

    @contextmanager
    def issued(self, tenant: int, dashboard_id: UUID) -> Iterator[Secret]:
        """Issue a token for as long as the block lasts; its session ends with the block."""
        token = self.issue(tenant, dashboard_id)
        try:
            yield token
        finally:
            with self._database.transaction() as connection:
                store.drop_token(connection, _digest(token.reveal()))

    def redeem(self, token: str) -> tuple[Secret, Grant]:
        """Turn a token into a session, once.

        Returns:
            The value of the session's cookie, and what it opens.

        Raises:
            NotFound: the token is unknown, used or too old.
        """
        session = secrets.token_urlsafe(32)
        now = self._now()
        with self._database.transaction() as connection:
            until = now + timedelta(seconds=self._session_s)
            row = store.redeem_token(connection, _digest(token), _digest(session), now=now, until=until)
        if row is None:
            raise NotFound
        return Secret(session), Grant(row["tenant_id"], row["dashboard_id"], row["expires_at"])

    def grant(self, session: str) -> Grant | None:
        """Return what a session's cookie opens, or None when it is over."""
        with self._database.transaction() as connection:
            row = store.session(connection, _digest(session), self._now())
        return Grant(row["tenant_id"], row["dashboard_id"], row["expires_at"]) if row else None


def _digest(token: str) -> bytes:
    # 256 random bits need no salt and no slow hash: there is nothing to guess.
    return hashlib.sha256(token.encode()).digest()
