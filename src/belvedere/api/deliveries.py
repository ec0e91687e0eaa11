"""Deliveries: what was said about dashboards, where, and what waits."""

from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Paging, Route, paged, reference
from belvedere.api.parts import Message, uuid_of
from belvedere.notifications.model import Delivery


class DeliveryView(msgspec.Struct, frozen=True):
    """One message to one channel; `fallback` says what went out instead of the picture, `doubt` what nobody knows."""

    id: UUID
    tenant: int
    dashboard: UUID
    title: str
    url: str
    creator: str
    channel_kind: str
    channel: str
    state: str
    attempts: int
    created_at: datetime
    next_try_at: datetime | None
    sent_at: datetime | None
    error: str | None
    hint: str | None
    fallback: str | None
    doubt: str | None


class DeliveriesQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the list: one tenant by number, slug or name; `user` is the word of today's paths for it."""

    tenant: str = ""
    user: str = ""
    state: str | None = None
    dashboard: UUID | None = None


class CheckView(msgspec.Struct, frozen=True):
    """One thing that a connection test looked at."""

    name: str
    ok: bool
    text: str
    hint: str


def view(delivery: Delivery) -> DeliveryView:
    """Render a delivery."""
    return DeliveryView(
        id=delivery.id, tenant=delivery.tenant_id, dashboard=delivery.dashboard_id, title=delivery.title,
        url=delivery.url, creator=delivery.creator, channel_kind=delivery.channel_kind, channel=delivery.channel,
        state=delivery.state, attempts=delivery.attempts, created_at=delivery.created_at,
        next_try_at=delivery.next_try_at, sent_at=delivery.sent_at, error=delivery.error, hint=delivery.hint,
        fallback=delivery.fallback, doubt=delivery.doubt,
    )


def listed(call: Call[DeliveriesQuery, None]) -> Answer:
    """List deliveries, the newest first."""
    query = call.query
    named = query.tenant or query.user
    tenant = call.services.tenants.get(call.actor, reference(named)).serial if named else None
    page = call.services.notifications.list(
        call.actor, tenant=tenant, state=query.state, dashboard_id=query.dashboard, after=query.after,
        limit=query.limit,
    )
    return paged(page, view)


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one delivery."""
    return Answer(view(call.services.notifications.get(call.actor, uuid_of(call.path["delivery"]))))


def send(call: Call[NoQuery, None]) -> Answer:
    """Send a message once more."""
    delivery = uuid_of(call.path["delivery"])
    call.services.notifications.send_again(call.actor, delivery)
    return Answer(Message("It is on its way once more."), 202)


def test(call: Call[NoQuery, None]) -> Answer:
    """Try a tenant's channels without sending a message."""
    checks = call.services.notifications.test(call.actor, call.serial())
    return Answer([CheckView(**asdict(check)) for check in checks])


ROUTES: Final = (
    Route("GET", "/deliveries", "deliveries.list", "List deliveries", listed, list[DeliveryView],
          query=DeliveriesQuery, refusals=(404,)),
    Route("GET", "/deliveries/{delivery}", "deliveries.get", "One delivery", one, DeliveryView, refusals=(404,)),
    Route("POST", "/deliveries/{delivery}/send", "deliveries.send", "Send a message once more", send, Message,
          status=202, refusals=(403, 404)),
    Route("POST", "/tenants/{tenant}/deliveries/test", "deliveries.test", "Try a tenant's channels", test,
          list[CheckView], refusals=(403, 404)),
)
