"""The web part: granian serves `belvedere.live:application`, the event stream beside the pages and the API.

What is not here: what is served (`live.py`, `web/`, `api/`).
"""

from belvedere.kernel.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "belvedere.node.asgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=1,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        process_name="belvedere-web" if _titled() else None,
    ).serve()


def _titled() -> bool:
    import importlib.util

    return importlib.util.find_spec("setproctitle") is not None
