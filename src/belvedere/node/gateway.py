"""The gateway part: granian serves the ASGI application of `gateway/asgi.py`.

Granian's worker imports `application` from here. What is not here: what is served (`gateway/`).
"""

from typing import TYPE_CHECKING

from belvedere.kernel.settings import Settings, load

if TYPE_CHECKING:
    from belvedere.gateway.asgi import Application


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "belvedere.node.gateway:application",
        factory=True,
        address=settings.gateway_host,
        port=settings.gateway_port,
        interface=Interfaces.ASGI,
        workers=1,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
    ).serve()


def application() -> "Application":
    """Make the application of granian's worker process, with logging of its own."""
    from belvedere.app import build
    from belvedere.gateway.asgi import Application
    from belvedere.kernel.logging import configure
    from belvedere.node.parts import supervised

    settings = load()
    configure(settings, part="gateway", screen=settings.debug or not supervised())
    return Application(build(settings).gateway())
