"""How a Grafana is reached, and how many calls to it are under way at a time.

What is not here: the calls themselves (`api.py`), and which settings say this (`wire.py`).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana.requests import Request

_NOTHING: Final = Secret("")
_ASKS: Final = "/api/ds/query"
"""It sends a question through a data source: nothing is written, and a database that hangs makes it last."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a Grafana: address without a slash at the end, and an administrator's login or a token.

    `workers` calls are under way at a time, of which `writers` change something.
    """

    url: str
    user: str = ""
    password: Secret = _NOTHING
    token: Secret = _NOTHING
    ca_file: str = ""
    timeout_s: float = 20.0
    workers: int = 4
    writers: int = 1


class Turns:
    """Whose turn it is to call one Grafana from this process.

    Seen on 11.0.0 with SQLite: of two writes at the same moment one sleeps in steps of up to 100 ms, or is refused
    with 500. One after the other both are done sooner, while other tenants' records are written here.
    """

    def __init__(self, access: Access) -> None:
        """Open the doors: `workers` of them, `writers` for those who change something."""
        self._calls = threading.BoundedSemaphore(access.workers)
        self._writes = threading.BoundedSemaphore(access.writers)

    @contextmanager
    def turn(self, request: Request) -> Iterator[None]:
        """Wait for a turn and keep it. Every call ends within its own time-out, so every wait does."""
        if request.method == "GET" or request.path == _ASKS:
            with self._calls:
                yield
            return
        # The narrow door first: who waits there takes no call away from those who read.
        with self._writes, self._calls:
            yield
