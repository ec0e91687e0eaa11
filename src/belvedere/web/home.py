"""Home, the first-run checklist, and two small deeds that every page has: the theme, dismissing a message."""

from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for

from belvedere.app import Services
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import utc_now
from belvedere.tenants.model import TenantState
from belvedere.web import context
from belvedere.web.attention import needs
from belvedere.web.formats import duration, plural
from belvedere.web.health import parts

blueprint = Blueprint("home", __name__)

_YEAR_S: Final = 31_536_000
_LAST_ACTIONS: Final = 8
_NEWEST: Final = 6


@dataclass(frozen=True, slots=True)
class Card:
    """One area of the home page: a figure and what it is made of."""

    label: str
    icon: str
    href: str
    figure: int
    text: str


@blueprint.get("/")
def home() -> Response:
    """Answer: does anything need me?"""
    services, actor = context.services(), context.actor()
    newest = services.dashboards.list(actor, limit=_NEWEST).items
    member = actor.tenant is not None
    return context.page(
        "home.html", needs=needs(services, actor), now=utc_now(), dashboards=newest,
        cards=_member_cards(services, actor, context.slug_here()) if member else _cards(services, actor),
        actions=services.history.search(actor, limit=_LAST_ACTIONS).items if member
        else services.history.tail(actor, _LAST_ACTIONS),
        previews=services.previews.latest_of(actor, [one.id for one in newest]),
        own_topic=f"tenant.{actor.tenant}" if member else "",
    )  # fmt: skip


def _member_cards(services: Services, actor: Actor, slug: str) -> list[Card]:
    """Return what a member's tenant has, each with the way to its page."""
    serial = actor.tenant or 0
    sent = services.notifications.counts(actor, tenant=serial)
    dashboards = services.dashboards.list(actor, tenant=serial, limit=1).total or 0
    stores = services.stores.list(actor, serial)
    tables = sum(len(services.stores.relations(actor, store.id)) for store in stores)
    keys = len(services.credentials.list(actor, serial))
    members = services.members.list(actor, serial)
    owners = sum(one.role is Role.OWNER for one in members)
    to = partial(url_for, slug=slug)
    return [
        Card("Dashboards", "chart", to("tenant_data.dashboards"), dashboards, f"in {plural(len(stores), 'database')}"),
        Card("Tables", "store", to("tenant_data.stores"), tables, "watched; a new one shows within seconds"),
        Card("Deliveries", "message", to("tenant_data.deliveries"), sent.get("sent", 0), _waiting(sent)),
        Card("Credentials", "key", to("credentials.credentials"), keys, "sealed; who shows one says why"),
        Card("Members", "people", to("members.members"), len(members), plural(owners, "owner")),
    ]


def _cards(services: Services, actor: Actor) -> list[Card]:
    overview = services.queue.overview(actor)
    sent = services.notifications.counts(actor)
    tenants = _tenant_states(services, actor)
    dashboards = services.dashboards.list(actor, limit=1).total or 0
    stores = services.stores.overview(actor)
    actions = services.history.search(actor, limit=1).total or 0
    checked = services.history.last_check()
    said = (
        f"chain verified {checked.at:%Y-%m-%d %H:%M}"
        if checked and checked.ending.get("ok")
        else "chain not verified yet"
    )
    oldest = f", oldest {duration(utc_now() - overview.oldest_waiting_at)}" if overview.oldest_waiting_at else ""
    return [
        Card("Tenants", "people", "/tenants", sum(tenants.values()), _listed(tenants) or "none yet"),
        Card("Dashboards", "chart", "/dashboards", dashboards, f"in {plural(stores.databases, 'database')}"),
        Card("Tables", "store", "/tenants", stores.tables, "watched; a new one shows within seconds"),
        Card("Deliveries", "message", "/deliveries", sent.get("sent", 0), _waiting(sent)),
        Card(
            "Jobs",
            "list",
            "/jobs",
            overview.waiting + overview.working,
            f"in the queue{oldest}; {plural(overview.runners, 'runner')}",
        ),
        Card("History", "history", "/history", actions, f"actions, {said}"),
    ]


def _tenant_states(services: Services, actor: Actor) -> dict[str, int]:
    counted = {str(state): services.tenants.list(actor, state=state, limit=1).total or 0 for state in TenantState}
    return {state: number for state, number in counted.items() if number}


def _listed(counted: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in counted.items())


def _waiting(sent: dict[str, int]) -> str:
    waiting, failed = sent.get("waiting", 0), sent.get("failed", 0)
    return ", ".join(["sent", *([f"{waiting:,} wait"] if waiting else []), *([f"{failed:,} failed"] if failed else [])])


@blueprint.get("/first-run")
def first_run() -> Response:
    """Answer: what is running, what can I connect?"""
    services, actor = context.services(), context.actor()
    tenants = services.tenants.list(actor, limit=2)
    dashboards = services.dashboards.list(actor, limit=1)
    found = context.visitor()
    return context.page(
        "first_run.html", tenants=tenants, dashboards=dashboards, settings=services.settings, parts=parts(services),
        session=found.session if found else None,
    )  # fmt: skip


@blueprint.get("/events")
def events() -> Response:
    """Say that this server has no stream, so that pages poll; under `live.py` this is never reached."""
    return Response(status=204)


@blueprint.post("/theme")
def theme() -> Response:
    """Change between light and dark; the scripts do it without this."""
    now = request.cookies.get(context.THEME_COOKIE)
    response = redirect(_own(request.form.get("back", "/")), 303)
    response.set_cookie(
        context.THEME_COOKIE,
        "light" if now == "dark" else "dark",
        max_age=_YEAR_S,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response  # type: ignore[return-value]  # werkzeug's own response class


@blueprint.post("/flashes/<uuid:flash_id>/dismiss")
def dismiss(flash_id: UUID) -> Response:
    """Take a message from the top of this person's pages."""
    context.services().flash.dismiss(context.actor(), flash_id)
    return redirect(_own(request.form.get("back", "/")), 303)  # type: ignore[return-value]


def _own(address: str) -> str:
    """Return an address of ours to go back to, never somebody else's."""
    parts_of = urlsplit(address)
    safe = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if safe and not parts_of.scheme and not parts_of.netloc else "/"
