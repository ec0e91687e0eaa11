"""A person, a membership, an invitation; pure values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Place:
    """One tenant that a person belongs to, and the role there."""

    tenant: int
    slug: str
    name: str
    role: Role

    def is_called(self, reference: str) -> bool:
        """Tell whether an address means this tenant: by its number, its slug, or its name without case."""
        folded = reference.casefold()
        return folded in {str(self.tenant), self.slug.casefold(), self.name.casefold()}


@dataclass(frozen=True, slots=True)
class Person:
    """An account of somebody who belongs to tenants. `email` is unique without regard to case, and signs in.

    `login` is what it is called outside (the history, Grafana): the address that it was made with. `places` are the
    tenants that it may enter, by name; without one it cannot sign in.
    """

    id: UUID
    login: str
    name: str
    email: str
    must_change_password: bool
    password_set_at: datetime
    last_sign_in_at: datetime | None
    created_at: datetime
    created_by: str
    places: tuple[Place, ...] = ()

    def actor(self, *, door: str, origin: str, request_id: str = "", place: Place | None = None) -> Actor:
        """Return this person as the services see it in one of its tenants; in the first one, if none is named.

        Raises:
            ValueError: it belongs to no tenant.
        """
        if not self.places:
            message = f"{self.login} belongs to no tenant"
            raise ValueError(message)
        chosen = place or self.places[0]
        return Actor(
            name=self.login, role=chosen.role, tenant=chosen.tenant, door=door, origin=origin, request_id=request_id,
            person=self.id,
        )  # fmt: skip


class Source(StrEnum):
    """How somebody became a member."""

    INVITATION = "invitation"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Member:
    """A person in one tenant. `id` and `login` are the person's, the same in every tenant.

    `active` is false while the membership is suspended: the person then does not see the tenant at all.
    """

    id: UUID
    name: str
    email: str
    login: str
    role: Role
    active: bool
    source: Source
    seen_at: datetime | None
    joined_at: datetime
    joined_by: str


@dataclass(frozen=True, slots=True)
class Added:
    """A member that an operator added; the password is there when the account is new, and is shown once."""

    member: Member
    password: Secret | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that lets one person join, once, until it expires. `email` is whom it is for; None: whoever has it."""

    id: UUID
    tenant: int
    email: str | None
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invited:
    """An open invitation as who was invited sees it."""

    invitation: Invitation
    tenant: str
    slug: str
