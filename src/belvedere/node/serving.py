"""The web server of the parts that serve something: granian, with one worker process.

What is not here: what is served (`web.py`, `asgi.py`).
"""

from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from belvedere.node.stopping import deafen


class Server(MPServer):
    """Granian, which stops as well when it is told so several times."""

    def signal_handler_interrupt(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  (granian's own)
        """Stop at the first signal."""
        deafen()
        super().signal_handler_interrupt(*arguments, **named)  # type: ignore[no-untyped-call]


def serve(target: str, host: str, port: int, *, title: str = "", factory: bool = False) -> None:
    """Serve an ASGI application from one worker process until told to stop.

    `target` names it, `module:attribute`; with `factory` the attribute is a function that makes it.
    """
    Server(
        target, address=host, port=port, interface=Interfaces.ASGI, workers=1, websockets=False,
        log_level=LogLevels.warning, log_access=False, respawn_failed_workers=True, workers_kill_timeout=5,
        process_name=title or None, factory=factory,
    ).serve()
