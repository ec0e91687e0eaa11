"""Files that came in, what became of them, and sending them over HTTP.

A file is sent in parts: `POST /uploads` begins, `PATCH /uploads/{id}` sends one part from an offset on, `HEAD` or `GET`
of the same address tells where to go on after a break, `DELETE` drops it. `docs/how-to/send-files.md` shows it with
curl.
"""

from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, Paging, Route, paged, reference
from belvedere.api.parts import uuid_of
from belvedere.intake.model import Upload
from belvedere.intake.resumable.model import Sending
from belvedere.kernel.errors import NotFound, Rejected

RECEIVING: Final = "receiving"
"""The state of files on their way over HTTP, which are no uploads yet."""


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came in. `path` is where it came and `moved_to` where it lies now, below the tenant's folder.

    `state`: `receiving` (on its way over HTTP), `received`, `reading`, `stored`, `parsed`, `refused`, `waiting` (tried
    again at `again_at`), `left` (nobody reads this kind) or `gone`. `same_as` is the upload that brought it before.
    """

    id: UUID
    user: str
    campaign: str
    campaign_id: UUID | None
    device: str
    path: str
    name: str
    kind: str
    state: str
    via: str
    size_bytes: int
    sha256: str
    version: int
    rows: int
    skipped: int
    points: int
    first_at: datetime | None
    last_at: datetime | None
    lost_clock_rows: int = 0
    received_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    code: str | None = None
    failures: int
    again_at: datetime | None
    same_as: UUID | None
    moved_to: str | None
    url: str


class UploadWhole(UploadView, frozen=True, kw_only=True):
    """One upload with the report of what was read. While it is on its way, `offset` says how many bytes are here.

    `chunk_bytes` is the largest part that is taken then.
    """

    report: dict[str, Any] | None = None
    offset: int | None = None
    chunk_bytes: int | None = None


class UploadsQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters: one tenant by number, slug or name; one campaign by id; one state; a part of the path.

    `state=receiving` lists files on their way over HTTP, for which there are no further filters.
    """

    user: str = ""
    campaign: str = ""
    state: str = ""
    text: str = ""


class NewUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file to be sent. `device` may be several folders with slashes.

    `key` names the content, such as size and time of change: begun again with the same key, it goes on where it was.
    """

    campaign: str
    name: str
    size: int
    device: str = ""
    key: str = ""


class OfUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose it is: a tenant by number, slug or name. Tenants' own tokens and keys leave it out."""

    user: str = ""


class Part(OfUser, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the part begins, and `crc32:` or `sha256:` with the digits of its checksum in base 16."""

    offset: int
    checksum: str


def view(one: Upload, tenant: str) -> UploadView:
    """Render an upload for a list."""
    return UploadView(**_values(one, tenant))


def whole(one: Upload, tenant: str) -> UploadWhole:
    """Render an upload with its report."""
    return UploadWhole(**_values(one, tenant), report=dict(one.report) if one.report else None)


def _values(one: Upload, tenant: str) -> dict[str, Any]:
    return {
        "id": one.id, "user": tenant, "campaign": one.campaign, "campaign_id": one.campaign_id, "device": one.device,
        "path": one.path, "name": one.name, "kind": one.kind, "state": str(one.state), "via": str(one.via),
        "size_bytes": one.size_bytes, "sha256": one.sha256, "version": one.version, "rows": one.rows,
        "skipped": one.skipped, "points": one.points, "first_at": one.first_at, "last_at": one.last_at,
        "lost_clock_rows": one.lost_clock,
        "received_at": one.received_at, "started_at": one.started_at, "ended_at": one.ended_at, "error": one.error,
        "code": one.code, "failures": one.failures, "again_at": one.again_at, "same_as": one.same_as,
        "moved_to": one.moved_to, "url": f"/api/v1/uploads/{one.id}",
    }


def on_its_way(one: Sending, tenant: str, chunk_bytes: int) -> UploadWhole:
    """Render a file on its way."""
    campaign, _, below = one.folder.partition("/")
    return UploadWhole(
        id=one.id, user=tenant, campaign=campaign, campaign_id=None, device=below.partition("/")[0], path=one.path,
        name=one.name, kind="", state=RECEIVING if one.done_at is None else "received", via="http",
        size_bytes=one.size_bytes, sha256="", version=1, rows=0, skipped=0, points=0, first_at=None, last_at=None,
        received_at=one.begun_at, started_at=None, ended_at=None, error=None, failures=0, again_at=None,
        same_as=None, moved_to=None, url=f"/api/v1/uploads/{one.id}", offset=one.received_bytes,
        chunk_bytes=chunk_bytes,
    )


def _sent(call: Call[Any, Any], one: Sending, status: int = 200) -> Answer:
    tenant = call.services.tenants.get(call.actor, one.tenant_id).name
    return Answer(
        on_its_way(one, tenant, call.services.resumable.chunk_bytes), status,
        headers={"Upload-Offset": str(one.received_bytes), "Upload-Length": str(one.size_bytes)},
    )


def serial_of(call: Call[Any, Any], user: str) -> int | None:
    """Return the tenant that a query names, or the caller's own; None for all."""
    return call.services.tenants.get(call.actor, reference(user)).serial if user else call.actor.tenant


def listed(call: Call[UploadsQuery, None]) -> Answer:
    """List uploads, the newest first, without their reports."""
    asked = call.query

    @cache
    def named(serial: int) -> str:
        return call.services.tenants.get(call.actor, serial).name

    if asked.state == RECEIVING:
        coming = call.services.resumable.list(
            call.actor, tenant=serial_of(call, asked.user), after=asked.after, limit=asked.limit
        )
        return paged(coming, lambda one: on_its_way(one, named(one.tenant_id), call.services.resumable.chunk_bytes))
    page = call.services.uploads.list(
        call.actor, tenant=serial_of(call, asked.user), campaign=uuid_of(asked.campaign) if asked.campaign else None,
        state=asked.state, text=asked.text, after=asked.after, limit=asked.limit,
    )
    return paged(page, lambda one: view(one, named(one.tenant_id)))


def one(call: Call[OfUser, None]) -> Answer:
    """Return one upload with its report; of one that is on its way, how far it is."""
    ident = uuid_of(call.path["upload"])
    try:
        found = call.services.uploads.get(call.actor, ident)
    except NotFound:
        sending = call.services.resumable.get(call.actor, ident)
        became = call.services.resumable.upload_of(sending)
        if became is None:
            return _sent(call, sending)
        found = call.services.uploads.get(call.actor, became)
    return Answer(whole(found, call.services.tenants.get(call.actor, found.tenant_id).name))


def try_again(call: Call[OfUser, None]) -> Answer:
    """Have a file read again that was refused, waits or was left."""
    found = call.services.uploads.try_again(call.actor, uuid_of(call.path["upload"]))
    return Answer(whole(found, call.services.tenants.get(call.actor, found.tenant_id).name), 202)


def begin(call: Call[OfUser, NewUpload]) -> Answer:
    """Begin to send a file. An empty one is in its place at once."""
    serial = serial_of(call, call.query.user)
    if serial is None:
        message = "Say whose file it is: `?user=` with a tenant's number, slug or name."
        raise Rejected(message, code="shape", field="user")
    body = call.body
    made = call.services.resumable.begin(
        call.actor, tenant=serial, campaign=body.campaign, device=body.device, name=body.name, size=body.size,
        key=body.key,
    )
    return _sent(call, made, 201)


def append(call: Call[Part, bytes]) -> Answer:
    """Send the next part of a file; with its last one the file is put in its place, whole."""
    return _sent(call, call.services.resumable.append(
        call.actor, uuid_of(call.path["upload"]), offset=call.query.offset, data=call.body, checksum=call.query.checksum
    ))


def cancel(call: Call[OfUser, None]) -> Answer:
    """Drop a file on its way with all that came of it."""
    call.services.resumable.cancel(call.actor, uuid_of(call.path["upload"]))
    return Answer(None, 204)


_ONE: Final = "/uploads/{upload}"

ROUTES: Final = (
    Route("GET", "/uploads", "uploads.list", "Files that came in", listed, list[UploadView], query=UploadsQuery,
          refusals=(400, 404)),
    Route("POST", "/uploads", "uploads.begin", "Begin to send a file", begin, UploadWhole, query=OfUser,
          body=NewUpload, status=201, refusals=(400, 403, 404, 503)),
    Route("GET", _ONE, "uploads.get", "One of them with its report, or how far it is", one, UploadWhole, query=OfUser,
          refusals=(404,)),
    Route("PATCH", _ONE, "uploads.append", "Send a part of a file", append, UploadWhole, query=Part, body=bytes,
          refusals=(400, 403, 404, 503)),
    Route("DELETE", _ONE, "uploads.cancel", "Drop a file on its way", cancel, None, query=OfUser, status=204,
          refusals=(403, 404, 503)),
    Route("POST", _ONE + "/try-again", "uploads.try-again", "Have it read again", try_again, UploadWhole, query=OfUser,
          status=202, refusals=(400, 403, 404, 503)),
)
