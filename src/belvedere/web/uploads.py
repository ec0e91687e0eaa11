"""Files that came in: of one tenant, of all tenants, and one with everything that is known of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from flask import Blueprint, Response, request

from belvedere.api.uploads import whole
from belvedere.intake.model import Upload, UploadState
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.strips import Sketch, numbers, sketch
from belvedere.web.tenant import find, page
from belvedere.web.upload_words import CLOCK_LOST, DOORS, head_lines, left_out, next_step, result, way

blueprint = Blueprint("uploads", __name__)

_HEAD_BYTES = 4096
_COMING = 20


@blueprint.get("/uploads")
def all_uploads() -> Response:
    """Answer: what comes in, over all tenants, and what is stuck?"""
    services, actor = context.services(), context.actor()
    found, common = _listed(None)
    return context.page(
        "campaigns/uploads.html", names=_tenants(found.items), found=found,
        troubles=services.intake.troubles(actor), topics="uploads attention", **common,
    )


@blueprint.get("/tenants/<slug>/uploads")
def of_tenant(slug: str) -> Response:
    """Answer: which files came, and what became of each?"""
    tenant = find(slug)
    found, common = _listed(tenant.serial)
    services, actor = context.services(), context.actor()
    return page(
        "campaigns/tenant_uploads.html", tenant, names=None, found=found,
        troubles=services.intake.troubles(actor, tenant=tenant.serial),
        coming=services.resumable.list(actor, tenant=tenant.serial, limit=_COMING),
        sends=actor.may(Role.EDITOR, tenant.serial), **common,
    )


@blueprint.post("/tenants/<slug>/uploads/<uuid:upload_id>/cancel")
def cancel(slug: str, upload_id: UUID) -> Response:
    """Drop a file on its way over HTTP."""
    tenant, services, actor = find(slug), context.services(), context.actor()
    found = services.resumable.get(actor, upload_id)
    if found.tenant_id != tenant.serial:
        raise NotFound
    services.resumable.cancel(actor, upload_id)
    return context.done(f"{found.name} is dropped.", "uploads.of_tenant", slug=slug)


def _listed(serial: int | None) -> tuple[Any, dict[str, Any]]:
    services, actor = context.services(), context.actor()
    state, text, after = (request.args.get(name, "") for name in ("state", "q", "after"))
    totals = services.uploads.totals(actor, tenant=serial)
    found = services.uploads.list(actor, tenant=serial, state=state, text=text, after=after or None)
    return found, {
        "state": state, "text": text, "after": after, "totals": totals,
        "results": {one.id: result(one) for one in found.items},
        "states": [(one, totals.by_state[one]) for one in UploadState if totals.by_state.get(one)],
    }  # fmt: skip


def _tenants(found: list[Upload]) -> Mapping[int, Tenant]:
    services, actor = context.services(), context.actor()
    return {serial: services.tenants.get(actor, serial) for serial in {one.tenant_id for one in found}}


def _one(slug: str, upload_id: UUID) -> tuple[Tenant, Upload]:
    tenant = find(slug)
    found = context.services().uploads.get(context.actor(), upload_id)
    if found.tenant_id != tenant.serial:
        raise NotFound
    return tenant, found


@blueprint.get("/tenants/<slug>/uploads/<uuid:upload_id>")
def upload(slug: str, upload_id: UUID) -> Response:
    """Answer: what happened to this file?"""
    return _upload(*_one(slug, upload_id))


def _upload(tenant: Tenant, found: Upload, error: Rejected | None = None) -> Response:
    services, actor = context.services(), context.actor()
    report = found.report or {}
    return context.page(
        "campaigns/upload.html", error.status if error else 200, tenant=tenant, upload=found, result=result(found),
        way=way(found), next=next_step(found), report=report, left=left_out(report), clock_lost=CLOCK_LOST,
        door=DOORS.get(found.via, ""),
        channels=_channels(report), head=head_lines(services.uploads.head(actor, found.id, _HEAD_BYTES)),
        same=services.uploads.get(actor, found.same_as) if found.same_as else None, error=error,
        again=found.state in {UploadState.REFUSED, UploadState.WAITING, UploadState.LEFT},
        allowed=actor.may(Role.EDITOR, tenant.serial),
    )  # fmt: skip


def _channels(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], Sketch | None]]:
    width = report.get("picture_width_s") or 1
    return [
        (name, one, sketch(numbers(one.get("picture")), width))
        for name, one in (report.get("channels") or {}).items()
    ]


@blueprint.get("/tenants/<slug>/uploads/<uuid:upload_id>/report")
def report(slug: str, upload_id: UUID) -> Response:
    """Send all that is known of an upload, as JSON."""
    tenant, found = _one(slug, upload_id)
    body = msgspec.json.format(msgspec.json.encode(whole(found, tenant.name)), indent=2)
    answer = context.private(Response(body, content_type="application/json"))
    answer.headers["Content-Disposition"] = f'attachment; filename="upload-{found.id}.json"'
    return answer


@blueprint.post("/tenants/<slug>/uploads/<uuid:upload_id>/again")
def again(slug: str, upload_id: UUID) -> Response:
    """Have a file read again."""
    tenant, found = _one(slug, upload_id)
    try:
        context.services().uploads.try_again(context.actor(), upload_id)
    except Rejected as error:
        if error.status != 409 and error.problem not in {"state", "gone"}:  # noqa: PLR2004  (a conflict)
            raise
        return _upload(tenant, found, error)
    return context.done("It is read again.", "uploads.upload", slug=slug, upload_id=upload_id)
