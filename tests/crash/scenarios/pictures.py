"""A preview by a real browser from a real portal, whose runner may die while it is taken; then one that fails."""

import shutil
import signal
import sys
from typing import Any

from life import dashboard, ensure, write

from belvedere.kernel.actor import SYSTEM
from belvedere.node.children import end, spawn
from belvedere.node.parts import answers

COVERS = (
    "previews.browser.started", "previews.capture.ready", "previews.capture.filmed", "previews.capture.encoded",
    "previews.capture.failure-before-commit",
)
NEEDS = "chromium"
ENVIRONMENT = {
    "BELVEDERE_PREVIEWS": "1", "CAPTURE_WIDTH": "800", "CAPTURE_HEIGHT": "600", "CAPTURE_FRAMES": "3",
    "CAPTURE_FRAME_DELAY": "50", "CAPTURE_TIMEOUT": "20000",
}


def act(world: Any) -> None:
    """Have a dashboard captured while the portal is up, then ask for a capture while it is down."""
    assert shutil.which(NEEDS)
    previews = world.services.previews
    settings = world.services.settings
    # It ends with this process, also when that dies at a failpoint.
    portal = spawn([sys.executable, "-m", "belvedere.cli.main", "web"], on_parents_death=signal.SIGTERM)
    try:
        world.wait(lambda: answers(settings.host, settings.port), "the portal")
        with world.working():
            alice = ensure(world, "alice")
            world.once("table", lambda: write(world, alice, "runs"))
            kept = world.wait(lambda: dashboard(world, alice, "runs"), "a dashboard")
            world.wait(lambda: previews.picture(SYSTEM, kept.id), "a picture")
    finally:
        end(portal, by=signal.SIGTERM, patience_s=20)

    def failed() -> bool:
        return any(one.outcome == "failed" for one in _attempts(world, kept.id))

    with world.working():
        world.once("ask", lambda: previews.request(SYSTEM, kept.id))
        world.wait(failed, "a capture that failed")


def _attempts(world: Any, dashboard: Any) -> list[Any]:
    """Return every try of every round: a round that failed is tried again, and has a picture once the portal is up."""
    previews = world.services.previews
    return [attempt for one in previews.list(SYSTEM, dashboard) for attempt in previews.attempts(SYSTEM, one.id)]


def check(world: Any) -> None:
    """One picture of each round that could be taken, one message, and the failure stated."""
    services = world.services
    alice = services.tenants.get(SYSTEM, "alice")
    (kept,) = services.dashboards.list(SYSTEM, tenant=alice.serial).items
    asked, first = services.previews.list(SYSTEM, kept.id)
    assert str(first.state) == "captured"
    assert str(asked.state) == "captured" or asked.error
    assert any(one.outcome == "failed" and one.error for one in _attempts(world, kept.id))
    for form in ("gif", "png"):
        assert services.previews.file(SYSTEM, first.id, form).stat().st_size > 500
    assert len(services.notifications.list(SYSTEM, tenant=alice.serial).items) == 1
