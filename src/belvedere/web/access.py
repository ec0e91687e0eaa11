"""Who may come in: every route needs somebody who is signed in, unless it stands in one reviewed list.

Also here, because they guard the same door: forgery of requests, headers that browsers obey, addresses behind proxies.
What is not here: what somebody may do, which services decide.
"""

from dataclasses import replace
from typing import Final, cast
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, Response, g, redirect, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from belvedere.identity.model import Session
from belvedere.kernel.errors import Forbidden, NotFound, Unauthenticated
from belvedere.kernel.logging import logger
from belvedere.kernel.secret import Secret
from belvedere.web.context import CAPTURE_COOKIE, SESSION_COOKIE, Visitor, is_fragment, services, visitor, wants_json

PUBLIC: Final = {
    "assets.file": "styles and scripts of the sign-in page; nothing about the installation is in them",
    "accounts.sign_in": "one signs in here",
    "accounts.sign_in_post": "one signs in here",
    "invitations.invitation": "whoever has the link of an invitation may see what it invites to; nothing else is shown",
    "invitations.accept": "the link is single-use, and makes the account that it was sent for",
    "dashboards.capture": "our own browser brings a single-use token and gets a session for one dashboard",
    "dashboards.go": "links in messages lead on to a dashboard; nobody guesses one, and what is behind asks who looks",
    "help.problem": "RFC 9457 types lead here, also for API clients without a session",
    "health.health": "load balancers and `belvedere status` ask; it names parts and states, no data",
    "home.theme": "light or dark is a cookie of the browser, also before signing in",
}
"""Endpoints for everybody, each with its reason. A rules test compares this with the routes."""

OWN_AUTHENTICATION: Final = {
    "api": "tokens and tenant keys are checked by the API itself, for each request",
    "v1": "as `api`",
}
"""Blueprints that find out themselves who asks."""

MEMBERS: Final = {
    "home.home", "home.events", "home.dismiss", "home.theme", "search.search", "help.help_page", "help.problem",
    "health.health", "assets.file", "accounts.sign_in", "accounts.sign_in_post", "accounts.sign_out", "accounts.me",
    "accounts.change_password", "accounts.preferences", "accounts.end_session", "accounts.end_others",
    "dashboards.picture", "dashboards.capture", "dashboards.go", "history.action", "history.export",
    "invitations.invitation", "invitations.accept", "invitations.join",
}  # fmt: skip
"""What a member sees besides the pages of their tenants, below `/tenants/<slug>`; the rest answers 404.

It is the first of three lines: services refuse who is confined to another tenant, and the database fences rows."""

OF_A_TENANT: Final = "/tenants/<slug>"

_CAPTURE_SEES: Final = {"dashboards.view", "dashboards.panel", "assets.file"}
_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_LOG = logger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No inline script or style, nothing from elsewhere, no frame around us."""


def install(app: Flask, *, trusted_proxies: int) -> None:
    """Put the guards in front of every route of the application."""
    if trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies, x_host=trusted_proxies
        )
    app.before_request(_number_request)
    app.before_request(_let_in)
    app.before_request(_refuse_forgery)
    app.after_request(_headers)


def _number_request() -> None:
    g.request_id = uuid4().hex


def blueprint_of(endpoint: str | None) -> str:
    """Return the first part of an endpoint's name."""
    return (endpoint or "").split(".")[0]


def _let_in() -> Response | None:
    if blueprint_of(request.endpoint) in OWN_AUTHENTICATION:
        return None
    g.visitor = _recognised()
    if request.endpoint is None or request.endpoint in PUBLIC:
        return None
    found = visitor()
    if found is None:
        return _to_sign_in()
    if found.dashboard is not None and not _is_its_dashboard(found):
        raise NotFound
    if found.actor.person is not None and not is_for_members(request.endpoint, str(request.url_rule)):
        raise NotFound
    return None


def is_for_members(endpoint: str, rule: str) -> bool:
    """Tell whether members see a page at all; which tenants they see there is up to the services."""
    return endpoint in MEMBERS or rule == OF_A_TENANT or rule.startswith(OF_A_TENANT + "/")


def _recognised() -> Visitor | None:
    origin, request_id = request.remote_addr or "", g.request_id
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        session = services().sessions.find(Secret(cookie), origin=origin, request_id=request_id)
        if session is not None:
            return _visitor(session)
    capture = request.cookies.get(CAPTURE_COOKIE)
    grant = services().previews.tokens.grant(capture) if capture else None
    return Visitor(grant.actor(origin), None, grant.dashboard_id) if grant else None


def _visitor(session: Session) -> Visitor:
    """Let a member act where the address leads, if that tenant is one of theirs, and remember it for other pages."""
    acting = session.acting(str((request.view_args or {}).get("slug", "")))
    if request.method == "GET" and not is_fragment():
        services().sessions.enter(session, acting)
    return Visitor(acting, replace(session, actor=acting))


def _to_sign_in() -> Response:
    if is_fragment() or wants_json() or request.method not in _SAFE:
        raise Unauthenticated
    back = request.full_path.rstrip("?")
    return cast("Response", redirect(url_for("accounts.sign_in", next=None if back == "/" else back), 303))


def _is_its_dashboard(found: Visitor) -> bool:
    if request.endpoint not in _CAPTURE_SEES:
        return False
    asked = (request.view_args or {}).get("dashboard_id")
    return asked is None or str(asked) == str(found.dashboard)


def _refuse_forgery() -> None:
    """Refuse a form that another site made somebody's browser send."""
    if request.method in _SAFE or blueprint_of(request.endpoint) in OWN_AUTHENTICATION or request.endpoint is None:
        return
    if not _from_here():
        _LOG.warning("refused a request from another site", path=request.path, origin=request.headers.get("Origin"))
        message = "This request came from another site."
        raise Forbidden(message, hint="Open the page here and send the form from it.", code="other-site")
    found = visitor()
    if found is None:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if found.session is None or not found.session.has_csrf(given):
        message = "The form is older than your session."
        raise Forbidden(message, hint="Go back, reload the page and send the form again.", code="form-expired")


def _from_here() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["X-Request-Id"] = g.get("request_id", "")
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
