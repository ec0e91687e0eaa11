"""Who may send data and call the API for a tenant: its one API key, and tokens with a role and an end.

What is not here: tokens of the installation (`accounts.py`), the people of a tenant (`members.py`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, request

from belvedere.identity.tokens import TOKEN_ROLES
from belvedere.kernel.actor import Role
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.tenant import find, page

blueprint = Blueprint("keys", __name__, url_prefix="/tenants/<slug>/keys")

_LIVES: Final[Mapping[str, timedelta | None]] = {
    "30 days": timedelta(days=30), "90 days": timedelta(days=90), "1 year": timedelta(days=365), "never": None,
}  # fmt: skip


@blueprint.get("")
def keys(slug: str) -> Response:
    """Answer: who may send data? No key and no token is shown again."""
    return _page(find(slug))


@blueprint.post("/rotate")
def rotate(slug: str) -> Response:
    """Make a new API key; it is on the answer's page, this once."""
    tenant = find(slug)
    api_key = context.services().tenants.rotate_key(context.actor(), tenant.serial)
    return context.secret_page(context.page(
        "tenant_made.html", tenant=tenant, api_key=api_key.reveal(), made=False, link="", invited=""
    ))


@blueprint.post("/tokens")
def create(slug: str) -> Response:
    """Make a token of this tenant; its value is on the answer's page, this once."""
    tenant, form = find(slug), request.form
    # Operators who only look make tokens for themselves, in their settings; this page is the tenant's.
    context.actor().must(Role.OPERATOR, tenant.serial)
    life = _LIVES.get(form.get("life", ""), timedelta(days=30))
    try:
        _, secret = context.services().tokens.create(
            context.actor(), name=form.get("name", ""), role=_role(form.get("role", "")), tenant=tenant.serial,
            expires_at=utc_now() + life if life else None,
        )
    except Rejected as error:
        if error.field is None:
            raise
        return _page(tenant, error)
    return context.secret_page(_page(tenant, made=secret))


@blueprint.post("/tokens/<prefix>/revoke")
def revoke(slug: str, prefix: str) -> Response:
    """Switch a token of this tenant off, for good."""
    tenant, services, actor = find(slug), context.services(), context.actor()
    if prefix not in {one.prefix for one in services.tokens.list(actor, tenant=tenant.serial)}:
        raise NotFound
    token = services.tokens.revoke(actor, prefix)
    return context.done(f"Token {token.name} is off.", "keys.keys", slug=slug)


def _page(tenant: Tenant, error: Rejected | None = None, *, made: Secret | None = None) -> Response:
    services, actor = context.services(), context.actor()
    allowed = actor.may(Role.OPERATOR, tenant.serial)
    return page(
        "tenant_keys.html", tenant, error.status if error else 200, allowed=allowed,
        tokens=services.tokens.list(actor, tenant=tenant.serial) if allowed else [],
        example=f"{services.settings.url}/api/v1/users", now=utc_now(), lives=list(_LIVES),
        roles=[one for one in TOKEN_ROLES if actor.role.covers(one)], made=made.reveal() if made else "",
        revokes=actor.may(Role.ADMIN, tenant.serial), problems={error.field or "": error.detail} if error else {},
        form=request.form if error else {},
    )


def _role(text: str) -> Role:
    if text not in TOKEN_ROLES:
        message = "Choose viewer, editor, operator or admin."
        raise Rejected(message, field="role")
    return Role(text)
