"""A tenant's credentials: masked rows, adding, changing, deleting, and revealing with a reason for 30 seconds."""

from typing import Final

from flask import Blueprint, Response, request

from belvedere.credentials.model import KNOWN
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.tenant import find, page

blueprint = Blueprint("credentials", __name__, url_prefix="/tenants/<slug>/credentials")

SHOWN_S: Final = 30
"""How long a revealed value stays on the page."""


@blueprint.get("")
def credentials(slug: str) -> Response:
    """Answer: which secrets exist?"""
    return _list(find(slug))


def _list(tenant: Tenant, status: int = 200, **values: object) -> Response:
    services, actor = context.services(), context.actor()
    rows = services.credentials.list(actor, tenant.serial)
    held = {one.key_name for one in rows}
    shown: dict[str, object] = {
        "rows": rows,
        "suggested": [name for name in KNOWN if name not in held],
        "checks": None,
        "allowed": actor.may(Role.OPERATOR, tenant.serial),
        "problem": "",
        "wrong": "",
        "asked": "",
        "typed": "",
    }
    return page("credentials.html", tenant, status, **{**shown, **values})


@blueprint.get("/<key>")
def row(slug: str, key: str) -> Response:
    """Return one masked row: what a revealed one turns back into."""
    tenant = find(slug)
    kept = context.services().credentials.get(context.actor(), tenant.serial, key)
    if not context.is_fragment():
        return _list(tenant)
    return context.private(_row(tenant, kept))


def _row(tenant: Tenant, kept: object, value: str | None = None, problem: str = "", status: int = 200) -> Response:
    return context.page(
        "credential_row.html",
        status,
        tenant=tenant,
        one=kept,
        value=value,
        problem=problem,
        wrong="",
        seconds=SHOWN_S,
        allowed=context.actor().may(Role.OPERATOR, tenant.serial),
    )


@blueprint.post("")
def add(slug: str) -> Response:
    """Add a credential that is not there yet."""
    tenant, key = find(slug), request.form.get("key", "").strip()
    try:
        context.services().credentials.put(
            context.actor(), tenant.serial, key, Secret(request.form.get("value", "")), expect_version=0
        )
    except Rejected as error:
        return _list(tenant, error.status, problem=error.detail, wrong=error.field or "key", typed=key)
    return context.done(f"{key} is kept.", "credentials.credentials", slug=slug)


@blueprint.post("/<key>/change")
def change(slug: str, key: str) -> Response:
    """Set a new version of a credential."""
    tenant = find(slug)
    try:
        kept = context.services().credentials.put(
            context.actor(),
            tenant.serial,
            key,
            Secret(request.form.get("value", "")),
            expect_version=request.form.get("version", type=int),
        )
    except Rejected as error:
        return _list(tenant, error.status, problem=error.detail, wrong=key, typed="")
    return context.done(f"Saved as version {kept.version}.", "credentials.credentials", slug=slug)


@blueprint.post("/<key>/delete")
def delete(slug: str, key: str) -> Response:
    """Delete a credential; what used it finds its stand-in."""
    tenant = find(slug)
    context.services().credentials.delete(
        context.actor(), tenant.serial, key, expect_version=request.form.get("version", type=int)
    )
    return context.done(f"{key} is deleted.", "credentials.credentials", slug=slug)


@blueprint.post("/<key>/reveal")
def reveal(slug: str, key: str) -> Response:
    """Show a value for 30 seconds; who, when and why stands in the history before it leaves."""
    services, actor, tenant = context.services(), context.actor(), find(slug)
    kept = services.credentials.get(actor, tenant.serial, key)
    try:
        value = services.credentials.reveal(actor, tenant.serial, key, request.form.get("reason", "")).reveal()
    except Rejected as error:
        if error.field != "reason":
            raise
        answer = _row(tenant, kept, problem=error.detail, status=error.status)
        if context.is_fragment():
            return answer
        return _list(tenant, error.status, problem=error.detail, asked=kept.key_name)
    answer = _row(tenant, kept, value)
    return context.secret_page(
        answer
        if context.is_fragment()
        else context.page("credential_shown.html", tenant=tenant, one=kept, value=value, seconds=SHOWN_S)
    )


@blueprint.post("/test")
def test(slug: str) -> Response:
    """Try the tenant's chat connection without sending a message."""
    tenant = find(slug)
    checks = context.services().notifications.test(context.actor(), tenant.serial)
    return _list(tenant, checks=checks)
