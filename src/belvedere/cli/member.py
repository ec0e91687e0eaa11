"""`belvedere member VERB`: who belongs to a tenant. TENANT is a tenant's name, slug or number.

What is not here: the rules (`identity/members/`), the accounts of operators (`people.py`).
"""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.people import life_of
from belvedere.cli.tenant import of_tenant, serial_of
from belvedere.kernel.actor import MEMBER_ROLES, Role
from belvedere.kernel.errors import Rejected

if TYPE_CHECKING:
    from belvedere.identity.members.model import Member

_ROLES = click.Choice([str(one) for one in MEMBER_ROLES])
_ROLE = click.option(
    "--role", type=_ROLES, default=None,
    help="What they may do. Absent: owner for the first member, viewer for others.",
)  # fmt: skip


@click.group()
def member() -> None:
    """Members: the people of a tenant. MEMBER is an e-mail address, a login or an id."""


@member.command(epilog="Example: belvedere member add alice bob@example.org --role editor")
@click.argument("tenant")
@click.argument("email")
@click.option("--name", default="", help="What people call them. Absent: the first part of the address.")
@_ROLE
def add(tenant: str, email: str, name: str, role: str | None) -> None:
    """Make somebody a member by hand; a new account's password is printed, to be changed at the first sign-in."""
    from belvedere.api.members import AddedMember, view_member

    with services() as built:
        made = built.members.add(
            actor(), serial_of(built, tenant), email, name=name, role=Role(role) if role else None
        )
    view, password = view_member(made.member), made.password.reveal() if made.password else None
    shown = AddedMember(
        **{name: getattr(view, name) for name in view.__struct_fields__}, password=password
    )
    output.show(shown, password or f"{made.member.email} is {made.member.role} now, with the account that was there.")


@member.command(epilog="Example: belvedere member invite alice bob@example.org --role editor --expires 2d")
@click.argument("tenant")
@click.argument("email", default="")
@_ROLE
@click.option("--expires", default="7d", show_default=True, metavar="DURATION", help="When it ends: 12h, 7d, 4w.")
def invite(tenant: str, email: str, role: str | None, expires: str) -> None:
    """Print a link by which one person joins, once. With EMAIL only that address can use it."""
    from belvedere.api.members import MadeInvitation, invitation_url, view_invitation
    from belvedere.kernel.clock import utc_now

    with services() as built:
        made, token = built.invitations.create(
            actor(), serial_of(built, tenant), role=Role(role) if role else None, email=email,
            expires_at=utc_now() + (life_of(expires) or timedelta()),
        )
        url = invitation_url(built.settings.url, token.reveal())
    view = view_invitation(made)
    output.show(MadeInvitation(**{name: getattr(view, name) for name in view.__struct_fields__}, url=url), url)


@member.command("take-password", epilog="Example: belvedere member take-password alice bob@example.org")
@of_tenant("member")
def take_password(tenant: str, member: str) -> None:
    """Print login and first password of a member in Grafana, once. It is made now and kept nowhere."""
    with services() as built:
        login, password = built.people.take_password(actor(), serial_of(built, tenant), member)
    output.show({"login": login, "password": password.reveal()}, f"{login}  {password.reveal()}")


@member.command("list", epilog="Example: belvedere member list alice")
@click.argument("tenant")
@click.option("--invitations", is_flag=True, help="List open invitations in place of members.")
def listed(tenant: str, *, invitations: bool) -> None:
    """List a tenant's members by name, or its open invitations."""
    from belvedere.api.members import view_invitation, view_member

    with services() as built:
        serial = serial_of(built, tenant)
        if invitations:
            output.show_list(
                built.invitations.list(actor(), serial),
                {
                    "INVITATION": lambda one: one.id, "FOR": lambda one: one.email or "whoever has the link",
                    "ROLE": lambda one: one.role, "ENDS": lambda one: one.expires_at, "BY": lambda one: one.created_by,
                },
                empty=f"None is open. Make one: belvedere member invite {tenant} EMAIL", value=view_invitation,
            )  # fmt: skip
            return
        output.show_list(
            built.members.list(actor(), serial),
            {
                "MEMBER": lambda one: one.email, "NAME": lambda one: one.name, "ROLE": lambda one: one.role,
                "STATE": _state, "SOURCE": lambda one: one.source, "LAST SEEN": lambda one: one.seen_at,
            },
            empty=f"Nobody yet. Invite the owner: belvedere member invite {tenant} EMAIL", value=view_member,
        )  # fmt: skip


@member.command("role", epilog="Example: belvedere member role alice bob@example.org admin")
@of_tenant("member")
@click.argument("role", type=_ROLES)
def set_role(tenant: str, member: str, role: str) -> None:
    """Change what a member may do, from the next request on."""
    with services() as built:
        found = built.members.set_role(actor(), serial_of(built, tenant), member, Role(role))
    _say(found, f"{found.email} is {found.role} now.")


@member.command(epilog="Example: belvedere member suspend alice bob@example.org")
@of_tenant("member")
def suspend(tenant: str, member: str) -> None:
    """Keep a member out of the tenant, from the next request on."""
    with services() as built:
        found = built.members.suspend(actor(), serial_of(built, tenant), member, suspended=True)
    _say(found, f"{found.email} cannot enter any more.")


@member.command(epilog="Example: belvedere member resume alice bob@example.org")
@of_tenant("member")
def resume(tenant: str, member: str) -> None:
    """Let a suspended member in again."""
    with services() as built:
        found = built.members.suspend(actor(), serial_of(built, tenant), member, suspended=False)
    _say(found, f"{found.email} can enter again.")


@member.command(epilog="Example: belvedere member remove alice bob@example.org")
@of_tenant("member")
def remove(tenant: str, member: str) -> None:
    """Take somebody out of the tenant; an account without another tenant is forgotten."""
    with services() as built:
        found = built.members.remove(actor(), serial_of(built, tenant), member)
    output.show({"removed": found.id, "email": found.email}, f"{found.email} is no member any more.")


@member.command(epilog="Example: belvedere member withdraw alice 0199f3c2-...")
@click.argument("tenant")
@click.argument("invitation")
def withdraw(tenant: str, invitation: str) -> None:
    """End a link that nobody has used. INVITATION is its id: belvedere member list TENANT --invitations."""
    try:
        key = UUID(invitation)
    except ValueError:
        message = f"`{invitation}` is no id of an invitation."
        raise Rejected(message, field="invitation") from None
    with services() as built:
        found = built.invitations.withdraw(actor(), serial_of(built, tenant), key)
    output.show({"withdrawn": found.id, "email": found.email}, "That link works no more.")


def _say(found: "Member", text: str) -> None:
    from belvedere.api.members import view_member

    output.show(view_member(found), text)


def _state(one: "Member") -> str:
    return "ready" if one.active else "suspended"
