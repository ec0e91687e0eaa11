"""The gateway part: granian serves the ASGI application of `gateway/asgi.py`.

Granian's worker imports `application` from here. What is not here: what is served (`gateway/`).
"""

from typing import TYPE_CHECKING

from belvedere.kernel.settings import Settings, load
from belvedere.node import serving

if TYPE_CHECKING:
    from belvedere.gateway.asgi import Application


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C."""
    serving.serve("belvedere.node.gateway:application", settings.gateway_host, settings.gateway_port, factory=True)


def application() -> "Application":
    """Make the application of granian's worker process, with logging of its own."""
    from belvedere.app import build
    from belvedere.gateway.asgi import Application
    from belvedere.kernel.logging import configure
    from belvedere.node.parts import supervised

    settings = load()
    configure(settings, part="gateway", screen=settings.debug or not supervised())
    return Application(build(settings).gateway())
