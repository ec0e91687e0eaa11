"""Search over names and ids: tenants, dashboards, templates, pages, settings, actions."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from flask import Blueprint, Response, current_app, request, url_for

from belvedere.app import Services
from belvedere.dashboards.template import catalogue
from belvedere.kernel.actor import Actor
from belvedere.kernel.settings import described
from belvedere.web import context
from belvedere.web.access import MEMBERS
from belvedere.web.navigation import sections
from belvedere.web.words import deed

blueprint = Blueprint("search", __name__)

_MOST_EACH: Final = 8
_MORE_PAGES: Final = (
    ("New tenant", "tenants.new", "plus"), ("Connections", "settings.connection_list", "sliders"),
    ("Health", "health.health", "tick"), ("Help", "help.help_page", "page"), ("First run", "home.first_run", "list"),
    ("My settings", "accounts.me", "people"), ("Operators", "accounts.operators", "people"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found: what it is, what it is called, where it is."""

    kind: str
    icon: str
    title: str
    text: str
    href: str


@blueprint.get("/search")
def search() -> Response:
    """Answer: where is it?"""
    text = request.args.get("q", "").strip()
    hits = list(_hits(context.services(), context.actor(), text)) if text else []
    if context.is_fragment():
        return context.page("search_hits.html", text=text, hits=hits)
    return context.page("search.html", text=text, hits=hits)


def _hits(services: Services, actor: Actor, text: str) -> Iterator[Hit]:
    folded = text.lower()
    yield from _pages(actor, folded)
    for tenant in services.tenants.list(actor, text=text, limit=_MOST_EACH).items:
        yield Hit("Tenant", "people", tenant.name, str(tenant.state), url_for("tenant.overview", slug=tenant.slug))
    found = (
        one
        for one in services.dashboards.list(actor, limit=500).items
        if folded in f"{one.title} {one.table} {one.database} {one.id}".lower()
    )
    for one in islice(found, _MOST_EACH):
        href = url_for("dashboards.view", slug=one.slug, dashboard_id=one.id)
        yield Hit("Dashboard", "chart", one.title, f"{one.database}.{one.table}", href)
    for template in catalogue() if actor.tenant is None else ():
        if folded in f"{template.template} {template.family} {template.title}".lower():
            yield Hit(
                "Template",
                "squares",
                template.family,
                template.template,
                url_for("catalogue.template", name=template.template),
            )
    known = described() if actor.tenant is None else ()
    settings = (one for one in known if folded in " ".join((one.name, *one.aliases)).lower())
    for setting in islice(settings, _MOST_EACH):
        yield Hit("Setting", "sliders", setting.name, setting.help, url_for("settings.settings", q=setting.name))
    for action in services.history.search(actor, text=text, limit=_MOST_EACH).items:
        said, target = deed(action.verb, action.target)
        yield Hit(
            "Action",
            "history",
            f"{action.actor} {said} {target}".strip(),
            f"{action.at:%Y-%m-%d %H:%M} UTC",
            f"/history/{action.id}",
        )


def _pages(actor: Actor, folded: str) -> Iterator[Hit]:
    slug = context.slug_here()
    for place in (place for _, places in sections(actor) for place in places):
        if folded in place.label.lower():
            yield Hit("Page", place.icon, place.label, "", place.href(slug))
    for label, endpoint, icon in _MORE_PAGES:
        seen = actor.tenant is None or endpoint in MEMBERS
        if seen and folded in label.lower() and endpoint in current_app.view_functions:
            yield Hit("Page", icon, label, "", url_for(endpoint))
