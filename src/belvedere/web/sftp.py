"""Who sends a tenant's files over SSH, and how: users, keys, command lines; and who is connected.

What is not here: the files (`uploads.py`), the same users at an SFTPGo (`sftpgo.py`).
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, request

from belvedere.intake.sftp import hostkeys
from belvedere.intake.sftp.model import ALL, User
from belvedere.intake.sftp.rules import size
from belvedere.intake.sftp.service import SftpUsers
from belvedere.intake.sftp.where import where
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.tenant import find, page

blueprint = Blueprint("sftp", __name__)

_AT: Final = "/tenants/<slug>/sftp"
_USER: Final = _AT + "/users/<uuid:sftp_user_id>"


@blueprint.get(_AT)
def users(slug: str) -> Response:
    """Answer: how do files get here, and who may send them?"""
    return _page(find(slug))


@blueprint.post(_AT + "/users")
def add(slug: str) -> Response:
    """Let somebody send files; a password that was made is on the answer's page, this once."""
    tenant, form = find(slug), request.form
    try:
        made = context.services().sftp.add(
            context.actor(), tenant.serial, name=form.get("name", ""), key=form.get("public_key", ""),
            folder=form.get("folder", ""), permissions=form.getlist("may") or ALL,
            quota_bytes=size(form.get("quota", "")),
        )  # fmt: skip
    except Rejected as error:
        if error.field is None:
            raise
        return _page(tenant, error)
    if made.password is None:
        return context.done(f"{made.user.name} can send files now.", "sftp.users", slug=slug)
    return context.secret_page(_page(tenant, made=(made.user.name, made.password)))


@blueprint.post(_USER + "/password")
def password(slug: str, sftp_user_id: UUID) -> Response:
    """Give a user another password; it is on the answer's page, this once."""
    tenant = find(slug)
    made = context.services().sftp.reset_password(context.actor(), tenant.serial, str(sftp_user_id))
    shown = made.password or Secret("")
    return context.secret_page(_page(tenant, made=(made.user.name, shown)))


@blueprint.post(_USER + "/disable")
def disable(slug: str, sftp_user_id: UUID) -> Response:
    """Keep a user out."""
    return _deed(slug, lambda service, actor, serial: service.set_disabled(
        actor, serial, str(sftp_user_id), disabled=True), "{name} cannot sign in any more.")  # fmt: skip


@blueprint.post(_USER + "/enable")
def enable(slug: str, sftp_user_id: UUID) -> Response:
    """Let a user in again."""
    return _deed(slug, lambda service, actor, serial: service.set_disabled(
        actor, serial, str(sftp_user_id), disabled=False), "{name} can sign in again.")  # fmt: skip


@blueprint.post(_USER + "/remove")
def remove(slug: str, sftp_user_id: UUID) -> Response:
    """Forget a user."""
    return _deed(slug, lambda service, actor, serial: service.remove(actor, serial, str(sftp_user_id)),
                 "{name} is gone; its files are there.")  # fmt: skip


@blueprint.post(_USER + "/keys")
def add_key(slug: str, sftp_user_id: UUID) -> Response:
    """Let a user in by one more key."""
    text = request.form.get("public_key", "")
    return _deed(slug, lambda service, actor, serial: service.add_key(actor, serial, str(sftp_user_id), text),
                 "{name} comes in by that key too.")  # fmt: skip


@blueprint.post(_USER + "/keys/remove")
def remove_key(slug: str, sftp_user_id: UUID) -> Response:
    """Take a key from a user."""
    fingerprint = request.form.get("fingerprint", "")
    return _deed(slug, lambda service, actor, serial: service.remove_key(
        actor, serial, str(sftp_user_id), fingerprint), "{name} does not come in by that key any more.")  # fmt: skip


@blueprint.post(_AT + "/sessions/<uuid:sftp_session_id>/end")
def end(slug: str, sftp_session_id: UUID) -> Response:
    """Cut a session of this tenant off."""
    serial = find(slug).serial
    found = context.services().sftp_sessions.end(context.actor(), str(sftp_session_id), tenant=serial)
    return context.done(f"The session of {found.user} ends.", "sftp.users", slug=slug)


@blueprint.get("/sftp")
def sessions() -> Response:
    """Answer: who is connected, and what do they send?"""
    services, actor = context.services(), context.actor()
    is_open, after = request.args.get("open") == "1", request.args.get("after", "")
    found = services.sftp_sessions.list(actor, is_open=is_open, after=after or None)
    return context.page(
        "sftp_sessions.html", found=found, is_open=is_open, after=after, count=services.sftp_sessions.count_open(actor),
        runs=services.settings.sftp, address=_address(),
    )


@blueprint.post("/sftp/sessions/<uuid:sftp_session_id>/end")
def end_any(sftp_session_id: UUID) -> Response:
    """Cut any session off."""
    found = context.services().sftp_sessions.end(context.actor(), str(sftp_session_id))
    return context.done(f"The session of {found.user} ends.", "sftp.sessions")


def _page(tenant: Tenant, error: Rejected | None = None, *, made: tuple[str, Secret] | None = None) -> Response:
    services, actor = context.services(), context.actor()
    host, port = _address()
    return page(
        "tenant_sftp.html", tenant, error.status if error else 200, users=services.sftp.list(actor, tenant.serial),
        sessions=services.sftp_sessions.list(actor, tenant=tenant.serial, limit=10).items, runs=services.settings.sftp,
        host=host, port=port, permissions=ALL, form=request.form if error else {},
        host_keys=[(one.split()[0], hostkeys.fingerprint(one)) for one in hostkeys.public(services.settings.home_path)],
        made=(made[0], made[1].reveal()) if made else None, problems={error.field or "": error.detail} if error else {},
        allowed=actor.may(Role.ADMIN if actor.tenant is not None else Role.OPERATOR, tenant.serial),
    )  # fmt: skip


def _address() -> tuple[str, int]:
    """Return where senders find the server: as set, else on the host of this page."""
    there = where(context.services().settings, request.host.rpartition(":")[0] or request.host)
    return there.host, there.port


def _deed(slug: str, deed: Callable[[SftpUsers, Actor, int], User], said: str) -> Response:
    user = deed(context.services().sftp, context.actor(), find(slug).serial)
    return context.done(said.format(name=user.name), "sftp.users", slug=slug)
