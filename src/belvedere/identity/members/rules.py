"""What makes an address, a name and a role acceptable, and who may manage a tenant's members; no I/O."""

import re
from typing import Final

from belvedere.kernel.actor import MEMBER_ROLES, Actor, Role
from belvedere.kernel.errors import Rejected

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")
_LONGEST_NAME: Final = 80


def check_email(email: str) -> str:
    """Return an address without blanks around it.

    Raises:
        Rejected: it has not the shape of one.
    """
    trimmed = email.strip()
    if _EMAIL.fullmatch(trimmed) is None or not trimmed.isprintable():
        message = "That is no e-mail address. Write one like `bob@example.org`."
        raise Rejected(message, field="email")
    return trimmed


def check_name(name: str) -> str:
    """Return a person's name without blanks around it.

    Raises:
        Rejected: it is empty, over 80 characters, or holds what cannot be printed.
    """
    trimmed = " ".join(name.split())
    if not 0 < len(trimmed) <= _LONGEST_NAME or not trimmed.isprintable():
        message = f"Write a name of 1 to {_LONGEST_NAME} characters."
        raise Rejected(message, field="name")
    return trimmed


def member_role(role: Role | str) -> Role:
    """Return a role as one that members have.

    Raises:
        Rejected: members have no such role.
    """
    if role not in MEMBER_ROLES:
        message = f"Choose {', '.join(MEMBER_ROLES[:-1])} or {MEMBER_ROLES[-1]}."
        raise Rejected(message, field="role")
    return Role(role)


def manages(actor: Actor, serial: int, *roles: Role) -> None:
    """Refuse unless the actor may manage members of a tenant who have, or would get, these roles.

    Operators run tenants, so they manage all members. Inside a tenant admins do, and only owners touch owners.

    Raises:
        NotFound: the actor is confined to another tenant.
        Forbidden: its role does not cover this.
    """
    if actor.tenant is None:
        actor.must(Role.OPERATOR, serial)
    else:
        actor.must(Role.OWNER if Role.OWNER in roles else Role.ADMIN, serial)
