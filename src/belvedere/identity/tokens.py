"""API tokens: `bvd_<prefix>_<secret>`, shown once, found by their prefix, kept as a hash.

A request costs one lookup by a unique index and no cache, so a revoked token is refused by the next request.
What is not here: the tenants' own API keys (`tenants/`), what a role may do (each service).
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Final

from belvedere.audit.model import History
from belvedere.identity import store
from belvedere.identity.model import Token
from belvedere.kernel.actor import OPERATOR_ROLES, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Forbidden, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id, opaque
from belvedere.kernel.secret import Secret

TOKEN_ROLES: Final = (Role.VIEWER, Role.EDITOR, Role.OPERATOR, Role.ADMIN)
"""The roles of tokens that are confined to a tenant; those of the installation's are the operators'."""

_PREFIX_LENGTH: Final = 10
_SECRET_LENGTH: Final = 40
_FORM: Final = re.compile(r"bvd_(?P<prefix>[a-z2-7]{10})_(?P<secret>[a-z2-7]{40})")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,80}")
_TOUCH_EVERY: Final = timedelta(minutes=1)


class Tokens:
    """Make, list, revoke and recognise API tokens."""

    def __init__(self, *, database: Database, history: History, now: Now = utc_now) -> None:
        """Take the collaborators."""
        self._database = database
        self._history = history
        self._now = now

    def create(
        self, actor: Actor, *, name: str, role: Role, tenant: int | None = None, expires_at: datetime | None = None
    ) -> tuple[Token, Secret]:
        """Make a token that may at most what its maker may.

        Args:
            actor: who makes it. A person's token acts for that person: it ends with the account and never may
                more than the person does. One made on the host stands for itself.
            name: what it is for; it stands in the history as `token:<name>`.
            role: what it may do. No token is an owner, and only a tenant's is an editor.
            tenant: serial number of the one tenant that it is confined to; an actor confined to a tenant makes
                tokens for that tenant only, and must be an admin of it, or its own key.
            expires_at: when it ends; never, if absent.

        Returns:
            The token and its secret, which nobody can show again.

        Raises:
            Rejected: the name is empty or too long, or the end is in the past.
            Forbidden: the role is more than the maker's own.
        """
        scope = actor.tenant if tenant is None else tenant
        with self._history.action(
            actor, "token.create", name, tenant=scope, role=role, expires_at=expires_at
        ) as ending:
            actor.must(Role.VIEWER if actor.tenant is None else Role.OPERATOR, scope)
            self._check(actor, name, role, scope, expires_at)
            secret, now = opaque(_SECRET_LENGTH), self._now()
            made = Token(
                id=new_id(), prefix=opaque(_PREFIX_LENGTH), name=name.strip(), role=role, tenant=scope, created_at=now,
                created_by=actor.name, expires_at=expires_at, last_used_at=None, last_origin=None, revoked_at=None,
            )  # fmt: skip
            with self._database.for_actor(actor) as connection:
                if actor.tenant is None:
                    owner = actor.name if actor.door == "portal" else None
                    store.add_token(connection, made, _hash(secret), owner=owner)
                else:
                    store.add_fenced_token(connection, made, _hash(secret), person=actor.person)
                failpoint("identity.token.before-commit")
            ending.note(id=made.id, prefix=made.prefix)
        return made, Secret(f"bvd_{made.prefix}_{secret}")

    def actor(self, bearer: Secret, origin: str = "", *, door: str = "api", request_id: str = "") -> Actor | None:
        """Return who a token stands for, or None when it is none of ours, revoked or expired.

        Its use is noted once a minute.
        """
        found = _FORM.fullmatch(bearer.reveal())
        if found is None:
            return None
        now = self._now()
        with self._database.transaction() as connection:
            row = store.token_by_prefix(connection, found["prefix"])
            if row is None or not hmac.compare_digest(row["secret_hash"], _hash(found["secret"])):
                return None
            if row["revoked_at"] or row["owner_disabled_at"] or (row["expires_at"] and row["expires_at"] <= now):
                return None
            if row["last_used_at"] is None or now - row["last_used_at"] >= _TOUCH_EVERY:
                store.touch_token(connection, row["id"], now, origin)
        role = Role(row["role"])
        if row["owner_role"] and not Role(row["owner_role"]).covers(role):
            role = Role(row["owner_role"])
        return Actor(f"token:{row['name']}", role, row["tenant_id"], door=door, origin=origin, request_id=request_id)

    def own(self, actor: Actor) -> list[Token]:
        """Return the tokens that act for this person."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.tokens_of(connection, actor.name)

    def list(self, actor: Actor, *, tenant: int | None = None) -> list[Token]:
        """Return the tokens of a tenant, or all of the installation's, the newest first, revoked ones too.

        Raises:
            Forbidden: only operators see all tokens.
        """
        scope = actor.tenant if tenant is None else tenant
        actor.must(Role.OPERATOR, scope)
        with self._database.for_actor(actor) as connection:
            return store.tokens(connection, tenant=scope)

    def revoke(self, actor: Actor, key: str) -> Token:
        """Switch a token off for good, from the next request on. Twice does no harm.

        Args:
            actor: its owner, an admin, or an admin of its tenant.
            key: its id or its prefix.

        Raises:
            NotFound: there is none, or it is not the actor's to see.
            Forbidden: it is somebody else's, and the actor is no admin.
        """
        with self._history.action(actor, "token.revoke", key) as ending:
            with self._database.for_actor(actor) as connection:
                token = store.find_token(connection, key)
                if token is None:
                    raise NotFound
                is_own = actor.tenant is None and store.is_token_owned(connection, token.id, actor.name)
                if not is_own:
                    actor.must(Role.ADMIN, token.tenant if actor.tenant is not None else None)
                store.revoke_token(connection, token.id, self._now())
            ending.note(name=token.name, id=token.id)
        return token

    def _check(
        self, actor: Actor, name: str, role: Role, scope: int | None, expires_at: datetime | None
    ) -> None:
        if _NAME.fullmatch(name.strip()) is None:
            message = "Say in 1 to 80 characters what the token is for."
            raise Rejected(message, field="name")
        if expires_at is not None and expires_at <= self._now():
            message = "That end is in the past."
            raise Rejected(message, field="expires_at")
        if role not in (OPERATOR_ROLES if scope is None else TOKEN_ROLES):
            message = f"No token is {role} {'of the installation' if scope is None else 'of a tenant'}."
            raise Rejected(message, field="role")
        if not actor.role.covers(role):
            message = f"You are {actor.role}; a token of yours cannot be {role}."
            raise Forbidden(message, field="role")


def _hash(secret: str) -> bytes:
    # 200 random bits: nothing to guess, so one round is enough and a request costs microseconds.
    return hashlib.sha256(secret.encode("ascii")).digest()
