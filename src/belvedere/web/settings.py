"""Settings of the installation: each with its value and where it came from; tests of the outside connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, Response, request

from belvedere.app import Services
from belvedere.kernel.actor import Role
from belvedere.kernel.settings import described
from belvedere.notifications.model import Check
from belvedere.web import context
from belvedere.web.health import parts

blueprint = Blueprint("settings", __name__)


@blueprint.get("/settings")
def settings() -> Response:
    """Answer: what is set, to what, and by whom?"""
    services = context.services()
    context.actor().must(Role.VIEWER)
    text = request.args.get("q", "").strip().lower()
    rows = [
        one for one in described()
        if not text or any(text in word.lower() for word in (one.name, one.help, *one.aliases))
    ]  # fmt: skip
    return context.page(
        "settings.html", groups=[(name, list(found)) for name, found in groupby(rows, key=lambda one: one.section)],
        values=services.settings, text=text, number=len(rows),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connection:
    """An outside system: whether it is connected, what stands in, and which settings connect it."""

    name: str
    state: str
    text: str
    settings: tuple[str, ...]


def connections(services: Services) -> list[Connection]:
    """Return the outside systems that this release can connect, with their stand-ins."""
    known = services.settings
    own = bool(known.database_url) or bool(known.master_db_host)
    slack = bool(known.slack_bot_token) and bool(known.slack_channel_id)
    browser = services.previews.camera()
    return [
        Connection(
            "PostgreSQL",
            "ready",
            "Your own server." if own else "The embedded server stands in.",
            ("BELVEDERE_DATABASE_URL", "DEFAULT_DB_HOST"),
        ),
        Connection(
            "Slack",
            "ready" if slack else "off",
            "One bot for tenants without their own."
            if slack
            else "The outbox stands in: messages wait, none is lost. A tenant connects its own by two credentials.",
            ("SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID"),
        ),
        Connection(
            "Chromium",
            "ready" if browser.ready else "needs you",
            f"{browser.text} {browser.hint}".strip(),
            ("BELVEDERE_BROWSER",),
        ),
        Connection(
            "Grafana",
            "ready" if services.workspaces.grafana else "off",
            f"New tenants get tier {services.workspaces.usual_tier} at {known.grafana_url}."
            if services.workspaces.grafana
            else "The built-in viewer stands in.",
            ("GRAFANA_BASE_URL", "GRAFANA_USER", "GRAFANA_PASSWORD"),
        ),
    ]


@blueprint.get("/settings/connections")
def connection_list() -> Response:
    """Answer: what is connected, and what stands in?"""
    return _connections(None)


@blueprint.post("/settings/connections/test")
def test() -> Response:
    """Look at every part now; chats of tenants are tested on each tenant's credentials page."""
    services = context.services()
    context.actor().must(Role.OPERATOR)
    found = [Check(part.name, part.state in {"ready", "off"}, part.text, part.hint) for part in parts(services)]
    return _connections(found)


def _connections(checks: Sequence[Check] | None) -> Response:
    context.actor().must(Role.VIEWER)
    return context.page("connections.html", connections=connections(context.services()), checks=checks)
