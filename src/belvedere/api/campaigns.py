"""Campaigns: the folders of measurement files that tenants have."""

from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Paging, Route, paged
from belvedere.api.parts import uuid_of
from belvedere.api.uploads import OfUser, serial_of
from belvedere.intake.model import Campaign
from belvedere.kernel.errors import Rejected


class CampaignView(msgspec.Struct, frozen=True):
    """A campaign. `uploads`, `parsed`, `refused` and `open` count its files, `points` what they brought.

    `prepared_at` is when the store was made ready for it; `error` says why it is not.
    """

    id: UUID
    user: str
    name: str
    state: str
    uploads: int
    parsed: int
    refused: int
    open: int
    points: int
    last_at: datetime | None
    made_at: datetime
    made_by: str
    prepared_at: datetime | None
    deleted_at: datetime | None
    error: str | None


class CampaignsQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters: one tenant by number, slug or name; a part of the name; `active`, `deleted` or (empty) all."""

    user: str = ""
    text: str = ""
    state: str = "active"


class NewName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign is to be called."""

    name: str


class NewCampaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign to make: `user` is the tenant's number, slug or name; a tenant's own caller may leave it out."""

    name: str
    user: int | str = ""


class Confirmed(OfUser, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The campaign's name, written out."""

    confirm: str = ""


def view(one: Campaign, tenant: str) -> CampaignView:
    """Render a campaign."""
    return CampaignView(
        one.id, tenant, one.name, str(one.state), one.uploads, one.parsed, one.refused, one.open, one.points,
        one.last_at, one.made_at, one.made_by, one.prepared_at, one.deleted_at, one.error,
    )


def listed(call: Call[CampaignsQuery, None]) -> Answer:
    """List campaigns, the newest first."""
    asked = call.query
    page = call.services.campaigns.list(
        call.actor, tenant=serial_of(call, asked.user), text=asked.text, state=asked.state, after=asked.after,
        limit=asked.limit,
    )

    @cache
    def named(serial: int) -> str:
        return call.services.tenants.get(call.actor, serial).name

    return paged(page, lambda one: view(one, named(one.tenant_id)))


def one(call: Call[OfUser, None]) -> Answer:
    """Return one campaign."""
    return _answer(call, call.services.campaigns.get(call.actor, uuid_of(call.path["campaign"])))


def make(call: Call[NoQuery, NewCampaign]) -> Answer:
    """Make a campaign with its folder, its store and its dashboard; one that is there is returned."""
    asked = call.body
    serial = serial_of(call, str(asked.user) if asked.user else "")
    if serial is None:
        message = "Name the tenant."
        raise Rejected(message, field="user")
    return Answer(_view(call, call.services.campaigns.make(call.actor, serial, asked.name)), 201)


def rename(call: Call[OfUser, NewName]) -> Answer:
    """Call a campaign otherwise: its folder, its points and its dashboard follow."""
    return _answer(
        call, call.services.campaigns.rename(call.actor, uuid_of(call.path["campaign"]), call.body.name)
    )


def delete(call: Call[Confirmed, None]) -> Answer:
    """Delete a campaign. Its points and its files are kept; a folder of its name brings it back."""
    return _answer(call, call.services.campaigns.delete(
        call.actor, uuid_of(call.path["campaign"]), confirm=call.query.confirm
    ))


def _answer(call: Call[Any, Any], found: Campaign) -> Answer:
    return Answer(_view(call, found))


def _view(call: Call[Any, Any], found: Campaign) -> CampaignView:
    return view(found, call.services.tenants.get(call.actor, found.tenant_id).name)


_ONE: Final = "/campaigns/{campaign}"

ROUTES: Final = (
    Route("GET", "/campaigns", "campaigns.list", "Campaigns", listed, list[CampaignView], query=CampaignsQuery,
          refusals=(404,)),
    Route("POST", "/campaigns", "campaigns.make", "Make a campaign", make, CampaignView, body=NewCampaign, status=201,
          refusals=(400, 403, 404, 503)),
    Route("GET", _ONE, "campaigns.get", "One campaign", one, CampaignView, query=OfUser, refusals=(404,)),
    Route("PATCH", _ONE, "campaigns.rename", "Rename a campaign", rename, CampaignView, query=OfUser, body=NewName,
          refusals=(400, 403, 404, 503)),
    Route("DELETE", _ONE, "campaigns.delete", "Delete a campaign and keep its data", delete, CampaignView,
          query=Confirmed, refusals=(400, 403, 404, 503)),
)
