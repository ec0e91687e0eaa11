"""A member as Grafana should know it, and what was written down about it. Pure values.

What is not here: the steps that lead there (`plan.py`), and doing them (`users.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from belvedere.kernel.actor import Role

_ROLES: Final = {Role.OWNER: "Admin", Role.ADMIN: "Admin", Role.EDITOR: "Editor", Role.VIEWER: "Viewer"}


@dataclass(frozen=True, slots=True)
class WantedMember:
    """Somebody who should be in the tenant's organisation.

    `login` is the account's, lower case; `role` is Grafana's word. `number` is the user's in that Grafana where it is
    on record, else 0; `joined` says that the membership is on record as well.
    """

    login: str
    email: str
    name: str
    role: str
    number: int = 0
    joined: bool = False

    def is_called(self, *words: str) -> bool:
        """Tell whether one of these logins or addresses is this member's."""
        return bool({self.login, self.email.lower()} & {word.lower() for word in words if word})


@dataclass(frozen=True, slots=True)
class JoinedMember:
    """Somebody who was put into the tenant's organisation. `left_at` is set while leaving is being checked.

    The number is 0 for a user that was being made, of whom it is not known whether it is there.
    """

    login: str
    number: int
    role: str
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenMember:
    """Somebody who is in an organisation."""

    id: int
    login: str
    role: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user of a Grafana who stands for a person. `number` is 0 while a tenant, `maker`, is having it made."""

    login: str
    number: int
    made: bool
    maker: int = 0
    handed_at: datetime | None = None


def role_of(role: Role) -> str:
    """Return Grafana's role for a member's: owners and admins are Admin, editors Editor, viewers Viewer."""
    return _ROLES[role]
