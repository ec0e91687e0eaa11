"""`/tenants/{tenant}/members` and `/invitations`: who belongs to a tenant, and links by which people join."""

from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.api.parts import FirstPassword, uuid_of
from belvedere.identity.members.model import Invitation, Member
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import Rejected

MemberRole = Literal["viewer", "editor", "admin", "owner"]
"""What a member may do, each what those before it may: look; send, capture, choose templates; manage; own."""


class MemberView(msgspec.Struct, frozen=True):
    """A person in one tenant; `id` and `login` are the same in every tenant of theirs."""

    id: UUID
    name: str
    email: str
    login: str
    role: str
    active: bool
    source: str
    last_seen_at: datetime | None
    joined_at: datetime
    joined_by: str


class NewMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody whom an operator adds. Without a role the first member is the owner and others are viewers."""

    email: str
    name: str = ""
    role: MemberRole | None = None


class AddedMember(MemberView, frozen=True):
    """A new member; `password` is there when the account is new, and is shown this once."""

    password: str | None


class MemberChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change: the role, or whether the member may enter."""

    role: MemberRole | None = None
    active: bool | None = None


class InvitationView(msgspec.Struct, frozen=True):
    """An open invitation without its link. `email` is whom it is for; null: whoever has the link."""

    id: UUID
    tenant: int
    email: str | None
    role: str
    created_at: datetime
    created_by: str
    expires_at: datetime


class NewInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to invite. Without a role the first one invited is to be the owner and others viewers."""

    email: str = ""
    role: MemberRole | None = None
    expires_at: datetime | None = None


class MadeInvitation(InvitationView, frozen=True):
    """A new invitation with its link, which is shown this once and works once."""

    url: str


def _member(one: Member) -> dict[str, Any]:
    return {
        "id": one.id, "name": one.name, "email": one.email, "login": one.login, "role": one.role, "active": one.active,
        "source": one.source, "last_seen_at": one.seen_at, "joined_at": one.joined_at, "joined_by": one.joined_by,
    }


def view_member(one: Member) -> MemberView:
    """Render a member."""
    return MemberView(**_member(one))


def _invitation(one: Invitation) -> dict[str, Any]:
    return {
        "id": one.id, "tenant": one.tenant, "email": one.email, "role": one.role, "created_at": one.created_at,
        "created_by": one.created_by, "expires_at": one.expires_at,
    }


def view_invitation(one: Invitation) -> InvitationView:
    """Render an open invitation."""
    return InvitationView(**_invitation(one))


def invitation_url(portal: str, token: str) -> str:
    """Return the address that lets somebody join.

    Args:
        portal: the portal's own address.
        token: the last part of the link.
    """
    return f"{portal.rstrip('/')}/invitations/{quote(token)}"


def members(call: Call[NoQuery, None]) -> Answer:
    """List a tenant's members by name."""
    found = call.services.members.list(call.actor, call.serial())
    return Answer([view_member(one) for one in found], total=len(found))


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one member; the path takes the id, the login or the address."""
    return Answer(view_member(call.services.members.get(call.actor, call.serial(), call.path["member"])))


def add(call: Call[NoQuery, NewMember]) -> Answer:
    """Make somebody a member by hand."""
    body, serial = call.body, call.serial()
    role = Role(body.role) if body.role else None
    made = call.services.members.add(call.actor, serial, body.email, name=body.name, role=role)
    password = made.password.reveal() if made.password else None
    return Answer(AddedMember(**_member(made.member), password=password), 201)


def change(call: Call[NoQuery, MemberChange]) -> Answer:
    """Change a member's role, keep them out, or let them in again."""
    body, serial, key = call.body, call.serial(), call.path["member"]
    services = call.services
    if (body.role is None) == (body.active is None):
        services.members.get(call.actor, serial, key)
        message = "Send either `role` or `active`."
        raise Rejected(message, field="role")
    if body.role is not None:
        member = services.members.set_role(call.actor, serial, key, Role(body.role))
    else:
        member = services.members.suspend(call.actor, serial, key, suspended=not body.active)
    return Answer(view_member(member))


def remove(call: Call[NoQuery, None]) -> Answer:
    """Take somebody out of the tenant."""
    call.services.members.remove(call.actor, call.serial(), call.path["member"])
    return Answer(None, 204)


def password(call: Call[NoQuery, None]) -> Answer:
    """Hand over login and first password of a member's user in Grafana, once: to that member, or to an operator."""
    login, found = call.services.people.take_password(call.actor, call.serial(), call.path["member"])
    return Answer(FirstPassword(login, found.reveal()))


def invitations(call: Call[NoQuery, None]) -> Answer:
    """List a tenant's open invitations, the newest first."""
    found = call.services.invitations.list(call.actor, call.serial())
    return Answer([view_invitation(one) for one in found], total=len(found))


def invite(call: Call[NoQuery, NewInvitation]) -> Answer:
    """Make a link by which one person joins."""
    body, services = call.body, call.services
    made, token = services.invitations.create(
        call.actor, call.serial(), role=Role(body.role) if body.role else None, email=body.email,
        expires_at=body.expires_at,
    )
    url = invitation_url(services.settings.url, token.reveal())
    return Answer(MadeInvitation(**_invitation(made), url=url), 201)


def withdraw(call: Call[NoQuery, None]) -> Answer:
    """End a link that nobody has used."""
    call.services.invitations.withdraw(call.actor, call.serial(), uuid_of(call.path["invitation"]))
    return Answer(None, 204)


_MEMBERS: Final = "/tenants/{tenant}/members"
_INVITATIONS: Final = "/tenants/{tenant}/invitations"

ROUTES: Final = (
    Route("GET", _MEMBERS, "members.list", "Who belongs to a tenant", members, list[MemberView], refusals=(404,)),
    Route("POST", _MEMBERS, "members.add", "Add a member by hand", add, AddedMember, body=NewMember, status=201,
          refusals=(400, 403, 404, 409), secret=True),
    Route("GET", _MEMBERS + "/{member}", "members.get", "One member", one, MemberView, refusals=(404,)),
    Route("PUT", _MEMBERS + "/{member}", "members.change", "Change a role, keep out, let in", change, MemberView,
          body=MemberChange, refusals=(400, 403, 404, 409)),
    Route("DELETE", _MEMBERS + "/{member}", "members.remove", "Take somebody out", remove, None, status=204,
          refusals=(403, 404, 409)),
    Route("POST", _MEMBERS + "/{member}/password", "members.password", "Hand over a member's password in Grafana",
          password, FirstPassword, refusals=(403, 404, 409, 503), secret=True),
    Route("GET", _INVITATIONS, "invitations.list", "Open invitations", invitations, list[InvitationView],
          refusals=(403, 404)),
    Route("POST", _INVITATIONS, "invitations.create", "Make a link to join", invite, MadeInvitation,
          body=NewInvitation, status=201, refusals=(400, 403, 404, 409), secret=True),
    Route("DELETE", _INVITATIONS + "/{invitation}", "invitations.withdraw", "End an open link", withdraw, None,
          status=204, refusals=(403, 404)),
)
