"""What identity is about: operators, sessions, tokens, flash messages; and the rules that need nothing but values."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.identity.members.model import Person, Place
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who runs the installation. `name` is unique without regard to case, and so is `email`."""

    id: UUID
    name: str
    email: str | None
    role: Role
    must_change_password: bool
    password_set_at: datetime
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime
    created_by: str

    def actor(self, *, door: str, origin: str, request_id: str = "") -> Actor:
        """Return this person as the services see them."""
        return Actor(name=self.name, role=self.role, door=door, origin=origin, request_id=request_id)


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser.

    `csrf` is what forms carry; it is derived from the cookie, so the database cannot give it away. `places` are the
    tenants of a member, by name; the session stands in one of them, and `actor` is confined to it.
    """

    id: UUID
    actor: Actor
    csrf: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    origin: str
    agent: str
    must_change_password: bool = False
    places: tuple[Place, ...] = ()

    @property
    def place(self) -> Place | None:
        """The tenant that a member's session stands in; None for operators."""
        return next((one for one in self.places if one.tenant == self.actor.tenant), None)

    @property
    def actors(self) -> tuple[Actor, ...]:
        """Who this session may act as: an operator, or the member in each of its tenants."""
        return tuple(self._in(one) for one in self.places) or (self.actor,)

    def acting(self, reference: str) -> Actor:
        """Return who acts at an address that names a tenant: a member acts there with the role there.

        An address of somebody else's tenant leaves the actor where it stands, and services answer that there is no
        such thing.
        """
        return next((self._in(one) for one in self.places if one.is_called(reference)), self.actor)

    def _in(self, place: Place) -> Actor:
        return replace(self.actor, tenant=place.tenant, role=place.role)

    def has_csrf(self, given: str) -> bool:
        """Tell, in constant time, whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf.encode(), given.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as lists show it. The secret itself is known only to who was shown it."""

    id: UUID
    prefix: str
    name: str
    role: Role
    tenant: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    last_origin: str | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return `ready`, `off` (revoked) or `expired`."""
        if self.revoked_at is not None:
            return "off"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "ready"


Account = Operator | Person
"""Who signs in."""


class Level(StrEnum):
    """How a flash message looks."""

    INFO = "info"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Flash:
    """A message at the top of every page of its audience, until it is dismissed or expires. Plain text."""

    id: UUID
    level: Level
    text: str
    link: str | None
    audience: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None


ONE_SIGN_IN: Final = "That name and password do not belong together. Check both."
"""The one answer to a failed sign-in, whatever was wrong: it must not tell which names exist."""


@dataclass(frozen=True, slots=True)
class Created:
    """Something made together with a secret that is shown once."""

    operator: Operator
    password: Secret
