"""The Flask application: blueprints, templates, guards. The one place where the pages are put together."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from flask import Blueprint, Flask, current_app, request
from jinja2 import StrictUndefined

from belvedere import __version__
from belvedere.app import Services
from belvedere.web import access, assets, context, failures, words
from belvedere.web.attention import needs
from belvedere.web.formats import FILTERS, NONE, duration, plural
from belvedere.web.navigation import Counts, is_current, sections
from belvedere.web.upload_words import campaign_state, measured, upload_word

_PAGES: Final = (
    "home",
    "accounts",
    "tenants",
    "tenant",
    "tenant_data",
    "campaigns",
    "uploads",
    "fleet",
    "workspaces",
    "sftpgo",
    "sftp",
    "keys",
    "members",
    "invitations",
    "credentials",
    "dashboards",
    "operations",
    "history",
    "catalogue",
    "settings",
    "adoption",
    "search",
    "help",
    "health",
)
"""Modules of this package that have a `blueprint`, or a function `blueprint(services)`."""

LIVE_POSITION: Final = "BELVEDERE_LIVE_POSITION"
"""Configuration key under which `live.py` leaves a function that tells how far the event stream is."""


def create_app(services: Services) -> Flask:
    """Make the application that serves the pages and, when it is there, the API under `/api/v1`."""
    app = Flask("belvedere.web", static_folder=None)
    app.extensions["belvedere"] = services
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = services.settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(FILTERS, sentence=words.sentence, codes=words.codes)
    _globals(app, services)
    access.install(app, trusted_proxies=services.settings.trusted_proxies)
    failures.install(app)
    app.after_request(context.take_toast)
    app.register_blueprint(assets.blueprint)
    for name in _PAGES:
        if find_spec(f"belvedere.web.{name}") is not None:
            _register(app, services, f"belvedere.web.{name}")
    if find_spec("belvedere.api.blueprint") is not None:
        _register(app, services, "belvedere.api.blueprint")
    return app


def _register(app: Flask, services: Services, module: str) -> None:
    made: Blueprint | Callable[[Services], Blueprint] = import_module(module).blueprint
    app.register_blueprint(made if isinstance(made, Blueprint) else made(services))


def _globals(app: Flask, services: Services) -> None:
    counts = Counts(services, lambda known, actor: len(needs(known, actor)))
    app.jinja_env.globals.update(
        asset=assets.asset,
        here=context.here,
        live=context.live,
        look=words.look,
        deed=words.deed,
        may=context.may,
        is_member=context.is_member,
        crumbs=context.crumbs,
        plural=plural,
        duration=duration,
        campaign_state=campaign_state,
        upload_word=upload_word,
        measured=measured,
        NONE=NONE,
        version=__version__,
        csrf=_csrf,
        toast=context.toast,
        is_current=is_current,
        view_functions=app.view_functions,
        live_position=_position,
    )
    app.jinja_env.globals["ui"] = app.jinja_env.get_template("ui.html").module

    @app.context_processor
    def _about_visitor() -> dict[str, Any]:
        found = context.visitor()
        theme = request.cookies.get(context.THEME_COOKIE, "")
        return {
            "visitor": found,
            "sections": sections(found.actor) if found else [],
            "place": found.session.place if found and found.session else None,
            "theme": theme if theme in {"light", "dark"} else "",
            "kiosk": bool(found and found.dashboard) or request.args.get("kiosk") == "1",
            "nav_counts": counts.read(found.actor) if found and found.dashboard is None else {},
            "flashes": services.flash.visible(found.actor) if found and found.dashboard is None else [],
        }


def _position() -> str:
    """Tell how far the event stream is; nothing where the server has none."""
    return str(current_app.config.get(LIVE_POSITION, str)())


def _csrf() -> str:
    found = context.visitor()
    return found.csrf if found else ""
