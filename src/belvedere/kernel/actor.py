"""Who asks. Every service method that reads or changes something takes an `Actor` first.

What is not here: how somebody proves who they are (`identity/`), and what the doors do about it.
"""

from dataclasses import dataclass
from enum import StrEnum

from belvedere.kernel.errors import Forbidden, NotFound


class Role(StrEnum):
    """What an operator may do: viewers look, operators run, admins change the installation."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role includes the needed one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token or Belvedere itself, as one door saw them for one request or job.

    `tenant` is the serial number of the one tenant that the actor is confined to; `None` means an
    operator of the installation. `origin` is the address, terminal or runner it came from.
    """

    name: str
    role: Role
    tenant: int | None = None
    door: str = "job"
    origin: str = ""
    request_id: str = ""

    def may(self, needed: Role, tenant: int | None = None) -> bool:
        """Tell whether this actor has `needed` over `tenant` (or over the installation, if None)."""
        confined = self.tenant is not None and self.tenant != tenant
        return not confined and self.role.covers(needed)

    def must(self, needed: Role, tenant: int | None = None) -> None:
        """Refuse unless `may`.

        Raises:
            NotFound: the actor is confined to another tenant; it must not learn what exists.
            Forbidden: the actor may see this but its role does not cover the deed.
        """
        if self.tenant is not None and self.tenant != tenant:
            raise NotFound
        if not self.role.covers(needed):
            message = f"Only an {needed} can do this; you are {self.role}."
            raise Forbidden(message)


SYSTEM = Actor(name="Belvedere", role=Role.ADMIN, door="job")
"""Belvedere itself, when a timer or a reaction and no person started the work."""
