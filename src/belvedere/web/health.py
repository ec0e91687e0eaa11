"""Whether the installation is well: each part with its state, as a page and as JSON for load balancers."""

from dataclasses import dataclass, replace
from typing import Final

import msgspec
from flask import Blueprint, Response

from belvedere import __version__
from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.running import running
from belvedere.web import assets, context

blueprint = Blueprint("health", __name__)

_WITHOUT_A_PART: Final = ("sample",)
"""What of a supervisor the installation does without for good."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the installation. `state` is a word of the design's list; only `failed` makes the whole unwell."""

    name: str
    state: str
    text: str
    hint: str = ""


@blueprint.get("/health")
def health() -> Response:
    """Say which parts are well: a page for those signed in, JSON for machines; 503 when a part failed."""
    visitor = context.visitor()
    found = parts(context.services(), whole=visitor is None or visitor.actor.tenant is None)
    status = 503 if any(part.state == "failed" for part in found) else 200
    if visitor is None or visitor.dashboard is not None or context.wants_json():
        state = "ready" if status == 200 else "failed"  # noqa: PLR2004  (the usual status)
        known = visitor is not None and visitor.dashboard is None
        body = msgspec.json.encode(
            {
                "state": state,
                "version": __version__,
                "parts": [
                    {"name": part.name, "state": part.state, **({"text": part.text} if known else {})} for part in found
                ],
            }
        )
        return Response(body, status, content_type="application/json", headers={"Cache-Control": "no-store"})
    return context.page("health.html", status, parts=found)


def parts(services: Services, *, whole: bool = True) -> list[Part]:
    """Look at every part. None takes long. Members see less than the `whole`: nothing of the host's files."""
    told = lacking(services)
    if not whole:
        told = [replace(one, text="Whoever runs this installation sees why.", hint="") for one in told]
    return [_database(services), _runners(services), _camera(services), _history(services), _assets(), *told]


def lacking(services: Services) -> list[Part]:
    """Return the parts of this host's supervisor that do not all that they should; none where there is no supervisor.

    The word for one that waits for its port is `needs you`: it goes on by itself only when somebody frees the port.
    """
    found = running(services.settings)
    words = {"waiting": "needs you", "partial": "partial", "restarting": "partial", "failed": "failed"}
    return [
        Part(one.name, words[one.state], f"{one.name.capitalize()} {one.note}".replace("Sftp ", "SFTP "), one.hint)
        for one in (found.parts if found else ()) if one.state in words and one.name not in _WITHOUT_A_PART
    ]


def _database(services: Services) -> Part:
    try:
        with services.database.transaction() as connection:
            version = connection.info.server_version // 10_000
    except BelvedereError as error:
        return Part("database", "failed", error.detail, "Look at the server's own log.")
    kind = "the user's own" if services.settings.database_url or services.settings.master_db_host else "embedded"
    return Part("database", "ready", f"PostgreSQL {version}, {kind}.")


def _runners(services: Services) -> Part:
    try:
        overview = services.queue.overview(SYSTEM)
    except BelvedereError as error:
        return Part("jobs", "unknown", error.detail)
    if not overview.runners:
        return Part("jobs", "needs you", "Nobody works off the queue.", "belvedere jobs")
    return Part("jobs", "ready", f"{overview.runners} running, {overview.waiting} waiting, {overview.failed} failed.")


def _camera(services: Services) -> Part:
    if not services.settings.capture_enabled:
        return Part("previews", "off", "Turned off by BELVEDERE_PREVIEWS.")
    camera = services.previews.camera()
    return Part("previews", "ready" if camera.ready else "needs you", camera.text, camera.hint)


def _history(services: Services) -> Part:
    checked = services.history.last_check()
    if checked is None:
        return Part("history", "ready", "Written. Not verified yet.", "belvedere history verify")
    if checked.ending.get("ok") is False:
        return Part("history", "needs you", "The chain is broken. The history's page says where.")
    return Part(
        "history", "ready", f"Verified {checked.at:%Y-%m-%d %H:%M} UTC, {checked.ending.get('count', 0):,} actions."
    )


def _assets() -> Part:
    if assets.manifest():
        return Part("pages", "ready", "Styles and scripts are built.")
    return Part(
        "pages",
        "needs you",
        "Styles and scripts were not built.",
        "cd frontend && npm ci --ignore-scripts && npm run build",
    )
