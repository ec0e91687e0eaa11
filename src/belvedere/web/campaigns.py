"""A tenant's campaigns: the list, one campaign with its uploads, sending files to it, renaming and deleting it."""

import zlib
from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from belvedere.dashboards.model import Dashboard
from belvedere.intake.model import Campaign, CampaignState, UploadState
from belvedere.intake.sftp.where import where
from belvedere.intake.uploads.measured import days_of
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.tenants.model import Tenant
from belvedere.web import context
from belvedere.web.formats import plural
from belvedere.web.strips import strips
from belvedere.web.tenant import find, page
from belvedere.web.upload_words import result

blueprint = Blueprint("campaigns", __name__, url_prefix="/tenants/<slug>/campaigns")

_DASHBOARDS = 500


@blueprint.get("")
def campaigns(slug: str) -> Response:
    """Answer: which campaigns are there, and did their files arrive?"""
    return _list(find(slug))


def _list(tenant: Tenant, problem: str = "", status: int = 200) -> Response:
    services, actor = context.services(), context.actor()
    state, after = request.args.get("state", "active"), request.args.get("after", "")
    found = services.campaigns.list(actor, tenant=tenant.serial, state=state, after=after or None)
    return page(
        "campaigns/campaigns.html", tenant, status, found=found, after=after, state=state,
        dashboards={one.table: one for one in _dashboards(tenant)}, login=sftp_login(tenant),
        deleted=services.campaigns.list(actor, tenant=tenant.serial, state="deleted", limit=1).items,
        troubles=services.intake.troubles(actor, tenant=tenant.serial), sends=actor.may(Role.EDITOR, tenant.serial),
        problem=problem, sending=limits(),
    )  # fmt: skip


def limits() -> dict[str, int]:
    """Return what the script that sends files must know."""
    return {"most": context.services().resumable.most_bytes, "chunk": context.services().resumable.chunk_bytes}


def sftp_login(tenant: Tenant) -> str:
    """Return the line that signs in by SFTP, if the tenant has a user for it."""
    services = context.services()
    if not services.settings.sftp:
        return ""
    users = [one for one in services.sftp.list(context.actor(), tenant.serial) if one.disabled_at is None]
    if not users:
        return ""
    host = request.host.rpartition(":")[0] or request.host
    return where(services.settings, host).command(users[0].name)


def _dashboards(tenant: Tenant) -> Sequence[Dashboard]:
    return context.services().dashboards.list(context.actor(), tenant=tenant.serial, limit=_DASHBOARDS).items


def _one(slug: str, campaign_id: UUID) -> tuple[Tenant, Campaign]:
    tenant = find(slug)
    found = context.services().campaigns.get(context.actor(), campaign_id)
    if found.tenant_id != tenant.serial:
        raise NotFound
    return tenant, found


@blueprint.get("/<uuid:campaign_id>")
def campaign(slug: str, campaign_id: UUID) -> Response:
    """Answer: did my files arrive?"""
    return _campaign(*_one(slug, campaign_id))


def _campaign(
    tenant: Tenant, found: Campaign, error: Rejected | None = None, *, status: int = 200, told: str = ""
) -> Response:
    services, actor = context.services(), context.actor()
    state, after = request.args.get("state", ""), request.args.get("after", "")
    uploads = services.uploads.list(actor, tenant=tenant.serial, campaign=found.id, state=state, after=after or None)
    spans = services.uploads.measured(actor, found.id)
    totals = services.uploads.totals(actor, tenant=tenant.serial, campaign=found.id)
    dashboard = next((one for one in _dashboards(tenant) if one.table == found.name), None)
    return context.page(
        "campaigns/campaign.html", error.status if error else status, tenant=tenant, campaign=found, totals=totals,
        uploads=uploads, results={one.id: result(one) for one in uploads.items}, state=state, after=after,
        spans=spans, days=days_of(spans), strips=strips(spans), dashboard=dashboard, problem=error, told=told,
        devices=sorted({one.device for one in uploads.items if one.device}), login=sftp_login(tenant),
        states=[(one, totals.by_state[one]) for one in UploadState if totals.by_state.get(one)],
        active=found.state is CampaignState.ACTIVE, sends=actor.may(Role.EDITOR, tenant.serial), sending=limits(),
        manages=actor.may(Role.OPERATOR, tenant.serial), form=request.form if error else {},
    )  # fmt: skip


@blueprint.post("/<uuid:campaign_id>/rename")
def rename(slug: str, campaign_id: UUID) -> Response:
    """Call a campaign otherwise."""
    tenant, found = _one(slug, campaign_id)
    try:
        made = context.services().campaigns.rename(context.actor(), campaign_id, request.form.get("name", ""))
    except Rejected as error:
        if error.field is None:
            raise
        return _campaign(tenant, found, error)
    return context.done(
        f"It is called {made.name} now; its dashboard follows.", "campaigns.campaign", slug=slug,
        campaign_id=campaign_id,
    )


@blueprint.post("/<uuid:campaign_id>/delete")
def delete(slug: str, campaign_id: UUID) -> Response:
    """Delete a campaign, if its name was typed. Its data stays."""
    tenant, found = _one(slug, campaign_id)
    try:
        context.services().campaigns.delete(context.actor(), campaign_id, confirm=request.form.get("confirm", ""))
    except Rejected as error:
        if error.field != "confirm":
            raise
        return _campaign(tenant, found, error)
    return context.done(f"{found.name} is deleted. Its data is kept.", "campaigns.campaigns", slug=slug)


@blueprint.post("/send")
def send(slug: str) -> Response:
    """Take files of a form: what browsers without scripts send in one go."""
    tenant = find(slug)
    files = [one for one in request.files.getlist("file") if one.filename]
    context.actor().must(Role.EDITOR, tenant.serial)
    if not files:
        return _list(tenant, "Choose at least one file.", 400)
    try:
        for one in files:
            _send(tenant, one)
    except Rejected as error:
        if error.field is None:
            raise
        return _list(tenant, error.detail, error.status)
    return context.done(f"{plural(len(files), 'file')} sent.", "uploads.of_tenant", slug=slug)


def _send(tenant: Tenant, file: FileStorage) -> None:
    services, actor = context.services(), context.actor()
    data = file.stream.read()
    campaign, device = request.form.get("campaign", "").strip(), request.form.get("device", "").strip()
    made = services.resumable.begin(
        actor, tenant=tenant.serial, campaign=campaign, device=device, name=(file.filename or "").rpartition("/")[2],
        size=len(data),
    )
    step = services.resumable.chunk_bytes
    for at in range(0, len(data), step):
        part = data[at : at + step]
        services.resumable.append(actor, made.id, offset=at, data=part, checksum=f"crc32:{zlib.crc32(part):08x}")
