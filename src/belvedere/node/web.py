"""The web part: granian serves `belvedere.live:application`, the event stream beside the pages and the API.

What is not here: what is served (`live.py`, `web/`, `api/`).
"""

from importlib.util import find_spec

from belvedere.kernel.settings import Settings
from belvedere.node import serving


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C."""
    title = "belvedere-web" if find_spec("setproctitle") is not None else ""
    serving.serve("belvedere.node.asgi:application", settings.host, settings.port, title=title)
