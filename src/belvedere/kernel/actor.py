"""Who asks. Every service method that reads or changes something takes an `Actor` first.

What is not here: how somebody proves who they are (`identity/`), and what the doors do about it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.kernel.errors import Forbidden, NotFound


class Role(StrEnum):
    """What somebody may do, each role what those before it may: one ladder for operators and for members.

    Operators of the installation are viewers (look), operators (run) or admins (change the installation). Members
    of a tenant are viewers (look), editors (also capture, send, choose templates), admins (also credentials,
    tokens, members) or owners (also name owners and delete the tenant). A tenant's own API key is an operator there.
    """

    VIEWER = "viewer"
    EDITOR = "editor"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role includes the needed one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


OPERATOR_ROLES: Final = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""The roles of who runs the installation."""

MEMBER_ROLES: Final = (Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER)
"""The roles of a tenant's members."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token or Belvedere itself, as one door saw them for one request or job.

    `tenant` is the serial number of the one tenant that the actor is confined to; `None` means an
    operator of the installation. `origin` is the address, terminal or runner it came from. `person` is the account
    of a signed-in member; tokens, keys and operators have none.
    """

    name: str
    role: Role
    tenant: int | None = None
    door: str = "job"
    origin: str = ""
    request_id: str = ""
    person: UUID | None = None

    def may(self, needed: Role, tenant: int | None = None) -> bool:
        """Tell whether this actor has `needed` over `tenant` (or over the installation, if None)."""
        confined = self.tenant is not None and self.tenant != tenant
        return not confined and self.role.covers(self._meant(needed))

    def must(self, needed: Role, tenant: int | None = None) -> None:
        """Refuse unless `may`.

        Raises:
            NotFound: the actor is confined to another tenant; it must not learn what exists.
            Forbidden: the actor may see this but its role does not cover the deed.
        """
        if self.tenant is not None and self.tenant != tenant:
            raise NotFound
        if not self.role.covers(self._meant(needed)):
            shown = Role.ADMIN if self.person is not None and needed is Role.OPERATOR else self._meant(needed)
            message = f"Only an {shown} can do this; you are {self.role}."
            raise Forbidden(message)

    def _meant(self, needed: Role) -> Role:
        # Owners are a tenant's: what one may do to it, an admin of the installation may.
        return Role.ADMIN if self.tenant is None and needed is Role.OWNER else needed


SYSTEM = Actor(name="Belvedere", role=Role.ADMIN, door="job")
"""Belvedere itself, when a timer or a reaction and no person started the work."""
