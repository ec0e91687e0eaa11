"""What a page view needs at hand: the services, who asks, and one way to render a page or a live part of it.

What is not here: who may come in (`access.py`), what stands in the navigation (`navigation.py`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from flask import Response, current_app, g, make_response, redirect, request, url_for
from jinja2 import Template
from markupsafe import Markup

from belvedere.app import Services
from belvedere.identity.model import Session
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import NotFound, Unauthenticated
from belvedere.tenants.model import Tenant

SESSION_COOKIE: Final = "belvedere_session"
"""The cookie of a person's session. Its value is random; the database keeps its hash."""

CAPTURE_COOKIE: Final = "belvedere_capture"
"""The cookie of our own browser while it takes the picture of one dashboard."""

THEME_COOKIE: Final = "belvedere_theme"
SHORTCUTS_COOKIE: Final = "belvedere_shortcuts"
_TOAST_COOKIE: Final = "belvedere_toast"
_MOST_TOAST: Final = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page: an actor, what its forms must carry, and the one dashboard it may see, if confined."""

    actor: Actor
    session: Session | None = None
    dashboard: UUID | None = None

    @property
    def csrf(self) -> str:
        """What a form of this visitor carries."""
        return self.session.csrf if self.session else ""


def services() -> Services:
    """Return the services of this process."""
    return cast("Services", current_app.extensions["belvedere"])


def visitor() -> Visitor | None:
    """Return who asks, or None on pages that anybody may see."""
    return cast("Visitor | None", g.get("visitor"))


def actor() -> Actor:
    """Return who asks.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    found = visitor()
    if found is None:
        raise Unauthenticated
    return found.actor


def may(role: str) -> bool:
    """Tell a template whether the person may do what needs `role` where they are, so that it can say who can instead.

    For a member that is the tenant that they act in; pages of the installation show them no deeds.
    """
    found = visitor()
    return found is not None and found.actor.may(Role(role), found.actor.tenant)


def is_member() -> bool:
    """Tell whether the visitor is confined to a tenant, so that pages show no way to the installation's own."""
    found = visitor()
    return found is not None and found.actor.tenant is not None


def slug_here() -> str:
    """Return the slug of the tenant that a member acts in; an empty text for operators."""
    found = visitor()
    place = found.session.place if found and found.session else None
    return place.slug if place else ""


def crumbs(tenant: Tenant | None = None) -> list[tuple[str, str]]:
    """Return the way to a page of a tenant: the list of all for operators, then the tenant, if its page is above."""
    above = [] if is_member() else [("Tenants", url_for("tenants.all_tenants"))]
    return [*above, (tenant.name, url_for("tenant.overview", slug=tenant.slug))] if tenant else above


def is_fragment() -> bool:
    """Tell whether the page asks for a part of itself, not for a whole page."""
    return request.headers.get("HX-Request") == "true"


def wants_json() -> bool:
    """Tell whether the client asked for JSON rather than for a page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return (
        best is not None
        and best != "text/html"
        and request.accept_mimetypes[best] > request.accept_mimetypes["text/html"]
    )


def page(template: str, /, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  (a template takes anything)
    """Render a page; asked for a live part of it, render that part alone, with a mark: an equal one is 304.

    A part is a block of the template; its name is the id of its element, which the page sends as `HX-Target`.
    """
    part = request.headers.get("HX-Target", "") if is_fragment() and request.method == "GET" else ""
    found = current_app.jinja_env.get_template(template)
    current_app.update_template_context(values)
    text = _block(found, part.replace("-", "_"), values) if part else None
    if text is None:
        return private(make_response(found.render(values), status))
    mark = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    response = private(make_response(text, status))
    response.set_etag(mark)
    response.make_conditional(request)
    return response


def _block(template: Template, name: str, values: dict[str, Any]) -> str | None:
    """Render one block of a template or of those that it extends; None when there is none of that name."""
    about = template.new_context(values)
    # The first piece of the page is made after the templates that this one extends were found.
    next(iter(template.root_render_func(about)), None)
    blocks = about.blocks.get(name)
    return "".join(blocks[0](about)) if blocks else None


def private(response: Response) -> Response:
    """Keep an answer out of shared caches; the browser asks again before it shows it."""
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.headers["Vary"] = "Cookie, HX-Request, HX-Target"
    return response


def secret_page(response: Response) -> Response:
    """Keep an answer that holds a secret out of every cache."""
    response.headers["Cache-Control"] = "no-store"
    return response


def done(text: str, endpoint: str, **values: Any) -> Response:  # noqa: ANN401  (`url_for`'s own)
    """Go to another page after a deed, and say there what was done."""
    response = cast("Response", redirect(url_for(endpoint, **values), 303))
    response.set_cookie(
        _TOAST_COOKIE, quote(text[:_MOST_TOAST]), max_age=30, httponly=True, samesite="Lax", secure=request.is_secure
    )
    return response


def take_toast(response: Response) -> Response:
    """Forget the sentence about the last deed once a page has shown it."""
    if g.get("toast_shown"):
        response.delete_cookie(_TOAST_COOKIE)
    return response


def toast() -> str:
    """Return the sentence about the last deed, once."""
    text = unquote(request.cookies.get(_TOAST_COOKIE, ""))[:_MOST_TOAST]
    if text:
        g.toast_shown = True
    return text


def live(topics: str, at: str = "") -> Markup:
    """Return the attributes of an element that renews itself when one of the topics moves.

    It comes from this page's address; `at` is another one, for an answer to a form whose address takes no GET.
    """
    return Markup(
        'hx-get="{}" hx-trigger="moved" hx-target="this" hx-swap="morph" hx-ext="morph" data-topics="{}"'
    ).format(at or here(), topics)


def here(**changed: str | None) -> str:
    """Return the address of this page, with some of its query changed or (None) taken out."""
    query: Mapping[str, str] = {**request.args.to_dict(), **changed}  # type: ignore[dict-item]
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    # Beside the way, and not among `url_for`'s own arguments: an address could name those.
    way = url_for(request.endpoint or "home.home", **(request.view_args or {}))
    return f"{way}?{urlencode(kept)}" if kept else way


def uuid_or_404(text: str) -> UUID:
    """Read an id from an address.

    Raises:
        NotFound: it has not the shape of one, so there is no such thing.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def in_order(after: str) -> dict[str, str | None]:
    """Return the pager's links of a list that is paged by key."""
    return {"after": after or None}
