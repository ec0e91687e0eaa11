"""The intake part: one process a host that watches tenants' folders and serves the local door of the command hook.

What is not here: what is done with files; runners do that (`intake/`).
"""

import threading
from pathlib import Path

import structlog

from belvedere.app import Services, build
from belvedere.intake.watching import Watching
from belvedere.kernel.errors import BelvedereError, Conflict
from belvedere.kernel.running import Trouble, tell_trouble
from belvedere.kernel.settings import Settings
from belvedere.node.stopping import on_stop

_AGAIN_S = 30.0

_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Watch until told to stop by SIGTERM or Ctrl-C."""
    stop = threading.Event()
    on_stop(stop.set)
    services = build(settings)
    try:
        door = threading.Thread(target=_serve_door, args=[services, stop], name="hook-door", daemon=True)
        door.start()
        watching = Watching(services.intake.root, services.intake.notice_all)
        while not stop.is_set():
            try:
                watching.run(stop)
            except OSError as error:
                # The folder of all tenants cannot be read now; the timer's look tells operators so.
                _log.warning("not_watching", why=str(error))
                stop.wait(_AGAIN_S)
        door.join(5)
    finally:
        services.close()


class _Open(threading.Event):
    """Set when the local door is open, which ends what was said of it."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home

    def set(self) -> None:
        tell_trouble(self._home, "intake", None)
        super().set()


def _serve_door(services: Services, stop: threading.Event) -> None:
    home = services.settings.home_path
    while not stop.is_set():
        try:
            services.hook_door().run(stop, _Open(home))
        except BelvedereError as error:
            # Another process of this host serves it, or its folder is not ours alone: said, and tried again.
            level = _log.info if isinstance(error, Conflict) else _log.warning
            level("no_hook_door", why=error.detail, hint=error.hint)
            said = f"does not hear the command hook. {error.detail} It is tried again by itself, each {_AGAIN_S:.0f} s."
            tell_trouble(home, "intake", Trouble(said, error.hint or ""))
            stop.wait(_AGAIN_S)
