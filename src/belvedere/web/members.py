"""A tenant's members: who they are, inviting, changing roles, keeping out, removing.

What is not here: the page behind an invitation's link (`invitations.py`).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from belvedere.identity.members.model import Member
from belvedere.kernel.actor import MEMBER_ROLES, Actor, Role
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import BelvedereError, Conflict, Later, NotFound, Rejected
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.tenant import find, page

blueprint = Blueprint("members", __name__, url_prefix="/tenants/<slug>/members")

LIVES: Final = {"1 day": timedelta(days=1), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
"""How long a link may work, as the form offers it."""


@blueprint.get("")
def members(slug: str) -> Response:
    """Answer: who belongs here?"""
    return _page(find(slug))


@blueprint.post("/invite")
def invite(slug: str) -> Response:
    """Make a link by which one person joins; it is on the answer's page, this once."""
    tenant, form = find(slug), request.form
    role = form.get("role", "")
    try:
        invitation, token = context.services().invitations.create(
            context.actor(), tenant.serial, role=_role(role) if role else None, email=form.get("email", ""),
            expires_at=utc_now() + LIVES.get(form.get("life", ""), timedelta(days=7)),
        )  # fmt: skip
    except Rejected as error:
        if error.field is None:
            raise
        return _page(tenant, error)
    return context.secret_page(_page(tenant, made=(link(token), invitation.email or "")))


@blueprint.post("/<uuid:member_id>/role")
def set_role(slug: str, member_id: UUID) -> Response:
    """Change what a member may do."""
    role = _role(request.form.get("role", ""))
    return _deed(
        slug, lambda actor, serial: context.services().members.set_role(actor, serial, str(member_id), role),
        f"{{name}} is {role} now.",
    )  # fmt: skip


@blueprint.post("/<uuid:member_id>/suspend")
def suspend(slug: str, member_id: UUID) -> Response:
    """Keep a member out."""
    return _deed(
        slug,
        lambda actor, serial: context.services().members.suspend(actor, serial, str(member_id), suspended=True),
        "{name} cannot enter any more.",
    )


@blueprint.post("/<uuid:member_id>/resume")
def resume(slug: str, member_id: UUID) -> Response:
    """Let a member in again."""
    return _deed(
        slug,
        lambda actor, serial: context.services().members.suspend(actor, serial, str(member_id), suspended=False),
        "{name} can enter again.",
    )


@blueprint.post("/<uuid:member_id>/remove")
def remove(slug: str, member_id: UUID) -> Response:
    """Take somebody out of the tenant; somebody who takes themselves out goes home, where the rest of theirs is."""
    tenant, actor = find(slug), context.actor()
    gone = context.services().members.remove(actor, tenant.serial, str(member_id))
    if gone.id == actor.person:
        return context.done(f"You left {tenant.name}.", "home.home")
    return context.done(f"{gone.name} is no member any more.", "members.members", slug=slug)


@blueprint.post("/<uuid:member_id>/password")
def password(slug: str, member_id: UUID) -> Response:
    """Hand over a member's first password in Grafana; it is on the answer's page, this once."""
    tenant, services, actor = find(slug), context.services(), context.actor()
    member = services.members.get(actor, tenant.serial, str(member_id))
    try:
        login, secret = services.people.take_password(actor, tenant.serial, str(member.id))
    except (NotFound, Conflict, Later) as error:
        return _page(tenant, trouble=error)
    return context.secret_page(_page(tenant, taken=(login, secret.reveal())))


@blueprint.post("/invitations/<uuid:invitation_id>/withdraw")
def withdraw(slug: str, invitation_id: UUID) -> Response:
    """End a link that nobody has used."""
    context.services().invitations.withdraw(context.actor(), find(slug).serial, invitation_id)
    return context.done("That link works no more.", "members.members", slug=slug)


def link(token: Secret) -> str:
    """Return the address that lets somebody join."""
    path = url_for("invitations.invitation", token=token.reveal())
    return f"{context.services().settings.url.rstrip('/')}{path}"


def _page(
    tenant: Tenant, error: Rejected | None = None, *, made: tuple[str, str] | None = None,
    taken: tuple[str, str] | None = None, trouble: BelvedereError | None = None,
) -> Response:
    services, actor = context.services(), context.actor()
    allowed = _manages(actor, tenant.serial, Role.ADMIN)
    members, wrong = services.members.list(actor, tenant.serial), error or trouble
    waiting = services.people.first_passwords(actor, tenant.serial).members
    return page(
        "members.html", tenant, wrong.status if wrong else 200, members=members, taken=taken, trouble=trouble,
        waiting=[one for one in members if one.id in waiting and (allowed or one.id == actor.person)],
        runs=actor.may(Role.OPERATOR),
        invitations=services.invitations.list(actor, tenant.serial) if allowed else [], allowed=allowed, made=made,
        roles=_roles(actor, tenant.serial), owns=_manages(actor, tenant.serial, Role.OWNER), me=actor.person,
        lives=list(LIVES), problems={error.field or "": error.detail} if error else {},
        form=request.form if error else {},
    )  # fmt: skip


def _manages(actor: Actor, serial: int, role: Role) -> bool:
    return actor.may(role if actor.tenant is not None else Role.OPERATOR, serial)


def _roles(actor: Actor, serial: int) -> list[Role]:
    """Return the roles that this person may give."""
    return [one for one in MEMBER_ROLES if one is not Role.OWNER or _manages(actor, serial, Role.OWNER)]


def _role(text: str) -> Role:
    if text not in MEMBER_ROLES:
        message = "Choose viewer, editor, admin or owner."
        raise Rejected(message, field="role")
    return Role(text)


def _deed(slug: str, deed: Callable[[Actor, int], Member], said: str) -> Response:
    member = deed(context.actor(), find(slug).serial)
    return context.done(said.format(name=member.name), "members.members", slug=slug)
