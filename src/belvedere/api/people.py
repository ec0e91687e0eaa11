"""Who calls, API tokens, flash messages, and the history."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Paging, Route, paged, reference
from belvedere.api.parts import uuid_of
from belvedere.audit.model import Action
from belvedere.identity.model import Flash, Token
from belvedere.kernel.actor import Role
from belvedere.kernel.clock import utc_now


class Me(msgspec.Struct, frozen=True):
    """Who calls: `tenant` is the one that the caller is confined to."""

    name: str
    role: str
    tenant: int | None


class TokenView(msgspec.Struct, frozen=True):
    """A token without its secret."""

    id: UUID
    prefix: str
    name: str
    role: str
    tenant: int | None
    state: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to make: it may at most what its maker may."""

    name: str
    role: Role
    tenant: int | str | None = None
    expires_at: datetime | None = None


class MadeToken(TokenView, frozen=True):
    """A new token with its secret, which is shown this once."""

    token: str


class TokensQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filter of the list."""

    tenant: str = ""


class FlashView(msgspec.Struct, frozen=True):
    """A message at the top of pages. Plain text."""

    id: UUID
    level: str
    text: str
    link: str | None
    audience: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None


class NewFlash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message to raise: `audience` is all, operators, tenant:<number> or person:<name>."""

    level: str
    text: str
    link: str | None = None
    audience: str = "all"
    expires_at: datetime | None = None


class ActionView(msgspec.Struct, frozen=True):
    """One line of the history. Arguments are masked."""

    id: UUID
    at: datetime
    actor: str
    role: str
    door: str
    origin: str
    verb: str
    target: str
    tenant: int | None
    result: str
    duration_ms: float | None
    request_id: str
    error: str
    count: int
    arguments: dict[str, Any]
    ending: dict[str, Any]


class HistoryQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the history; `text` stands anywhere, the others are exact."""

    text: str = ""
    person: str = ""
    verb: str = ""
    target: str = ""
    result: str = ""
    tenant: str = ""
    since: datetime | None = None
    until: datetime | None = None


class VerificationView(msgspec.Struct, frozen=True):
    """What a walk over the whole record found; `broken_at` says where it is not whole."""

    ok: bool
    count: int
    records: int
    files: int
    head: str
    broken_at: str | None
    checked_at: datetime
    duration_ms: float


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id, "prefix": token.prefix, "name": token.name, "role": token.role, "tenant": token.tenant,
        "state": token.state(utc_now()), "created_at": token.created_at, "created_by": token.created_by,
        "expires_at": token.expires_at, "last_used_at": token.last_used_at,
    }


def view_flash(flash: Flash) -> FlashView:
    """Render a flash message."""
    return FlashView(flash.id, flash.level, flash.text, flash.link, flash.audience, flash.created_at,
                     flash.created_by, flash.expires_at)


def view_action(action: Action) -> ActionView:
    """Render a line of the history."""
    return ActionView(
        id=action.id, at=action.at, actor=action.actor, role=action.role, door=action.door, origin=action.origin,
        verb=action.verb, target=action.target, tenant=action.tenant, result=action.result,
        duration_ms=action.duration_ms, request_id=action.request_id, error=action.error, count=action.count,
        arguments=dict(action.arguments), ending=dict(action.ending),
    )


def me(call: Call[NoQuery, None]) -> Answer:
    """Tell who calls."""
    return Answer(Me(call.actor.name, call.actor.role, call.actor.tenant))


def tokens(call: Call[TokensQuery, None]) -> Answer:
    """List tokens, the newest first, revoked ones too."""
    asked = call.query.tenant
    tenant = call.services.tenants.get(call.actor, reference(asked)).serial if asked else None
    found = call.services.tokens.list(call.actor, tenant=tenant)
    return Answer([TokenView(**_token(token)) for token in found], total=len(found))


def create_token(call: Call[NoQuery, NewToken]) -> Answer:
    """Make a token."""
    body = call.body
    tenant = None
    if body.tenant is not None:
        tenant = call.services.tenants.get(call.actor, reference(str(body.tenant))).serial
    token, secret = call.services.tokens.create(
        call.actor, name=body.name, role=body.role, tenant=tenant, expires_at=body.expires_at
    )
    return Answer(MadeToken(**_token(token), token=secret.reveal()), 201)


def revoke_token(call: Call[NoQuery, None]) -> Answer:
    """Switch a token off for good."""
    return Answer(TokenView(**_token(call.services.tokens.revoke(call.actor, call.path["token"]))))


def flashes(call: Call[NoQuery, None]) -> Answer:
    """List the messages that the caller has not dismissed."""
    return Answer([view_flash(flash) for flash in call.services.flash.visible(call.actor)])


def create_flash(call: Call[NoQuery, NewFlash]) -> Answer:
    """Raise a message at the top of pages."""
    body = call.body
    made = call.services.flash.create(
        call.actor, body.level, body.text, body.link, body.audience, body.expires_at
    )
    return Answer(view_flash(made), 201)


def dismiss_flash(call: Call[NoQuery, None]) -> Answer:
    """Show a message to the caller no more."""
    call.services.flash.dismiss(call.actor, uuid_of(call.path["flash"]))
    return Answer(None, 204)


def history(call: Call[HistoryQuery, None]) -> Answer:
    """Search the history, the newest first."""
    query = call.query
    tenant = call.services.tenants.get(call.actor, reference(query.tenant)).serial if query.tenant else None
    page = call.services.history.search(
        call.actor, text=query.text, person=query.person, verb=query.verb, target=query.target, result=query.result,
        tenant=tenant, since=query.since, until=query.until, after=query.after, limit=query.limit,
    )
    return paged(page, view_action)


def verify(call: Call[NoQuery, None]) -> Answer:
    """Prove that the record is whole: walk over every line of every file."""
    call.actor.must(Role.VIEWER)
    found = call.services.history.verify()
    broken = found.broken_at
    where = f"{broken.file}, line {broken.line}: {broken.why}" if broken else None
    return Answer(
        VerificationView(found.ok, found.count, found.records, found.files, found.head, where, found.checked_at,
                         found.duration_ms)
    )


ROUTES: Final = (
    Route("GET", "/me", "me.get", "Who calls", me, Me),
    Route("GET", "/tokens", "tokens.list", "List API tokens", tokens, list[TokenView], query=TokensQuery,
          refusals=(403, 404)),
    Route("POST", "/tokens", "tokens.create", "Make an API token", create_token, MadeToken, body=NewToken, status=201,
          refusals=(400, 403, 404), secret=True),
    Route("DELETE", "/tokens/{token}", "tokens.revoke", "Switch a token off", revoke_token, TokenView,
          refusals=(403, 404)),
    Route("GET", "/flash", "flash.list", "Messages at the top of pages", flashes, list[FlashView]),
    Route("POST", "/flash", "flash.create", "Raise a message", create_flash, FlashView, body=NewFlash, status=201,
          refusals=(400, 403, 404)),
    Route("DELETE", "/flash/{flash}", "flash.dismiss", "Dismiss a message", dismiss_flash, None, status=204,
          refusals=(404,)),
    Route("GET", "/history", "history.list", "Search the history", history, list[ActionView], query=HistoryQuery,
          refusals=(404,)),
    Route("GET", "/history/verify", "history.verify", "Prove that the history is whole", verify, VerificationView,
          refusals=(403, 404)),
)
