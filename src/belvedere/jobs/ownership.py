"""Proof that a runner lives: a database session that holds an advisory lock on the runner's id.

The server gives the lock up when the session ends, and not before, so a runner that is only busy (a C call
that holds the interpreter, a paused database) keeps it. When the session breaks, the runner asks for the
same lock again. If it gets it and its jobs are still its own, nothing happened. If not, and it works on
something, it ends its process at once: somebody else has the jobs, or soon will.

What is not here: who takes the jobs over, and after how many looks (`rescue.py`).
"""

import threading
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from belvedere.jobs import store
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Later

_PING_S: Final = 0.5
_BEAT_EVERY: Final = 10
_RETRY_S: Final = 0.2

UNSURE_S: Final = 5.0
"""How long a runner that works on something may be without its session while the server cannot be reached.
The server notices a lost peer after about 11 s (below) and rescuers wait 2 s more, so the runner is first."""

# A dead network shows on both sides without traffic of ours: on this side after 3 + 3 x 1 s, on the server's
# after 5 + 3 x 2 s. A paused server still acknowledges packets, so it does not look like a dead network.
_CLIENT_KEEPALIVE: Final = {
    "keepalives": 1, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3,
    "tcp_user_timeout": 5000, "connect_timeout": 2,
}
_SERVER_KEEPALIVE: Final = (
    "SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false), "
    "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '11000', false), "
    "set_config('application_name', 'belvedere runner', false)"
)

_log = structlog.get_logger(__name__)


class Ownership:
    """One runner's session, kept by a thread of its own."""

    def __init__(self, database: Database, *, running: Callable[[], set[int]], give_up: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            database: the control database.
            running: the ids of the jobs that this process works on at the moment of the call.
            give_up: ends the process; called when the jobs may have a second owner.
        """
        self._database = database
        self._running = running
        self._give_up = give_up
        self._closed = threading.Event()
        self._held = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="owner", daemon=True)
        self.worker = 0

    def start(self) -> None:
        """Begin to hold a session; `wait` tells when it does."""
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the session is held, at most `timeout_s` seconds; tell whether it is."""
        return self._held.wait(timeout_s)

    def close(self) -> None:
        """End the session, and the proof with it."""
        self._closed.set()
        self._thread.join(5)

    def _keep(self) -> None:
        lost_at: float | None = None
        while not self._closed.is_set():
            try:
                with self._database.session(**_CLIENT_KEEPALIVE) as connection:
                    self._hold(connection)
                return
            except (psycopg.Error, Later, OSError) as error:
                now = monotonic_s()
                # The clock starts anew with each loss: `_held` tells that there was a session in between.
                lost_at = now if lost_at is None or self._held.is_set() or _server_is_down(error) else lost_at
                if self._held.is_set():
                    _log.warning("runner_session_lost", worker=self.worker, why=type(error.__cause__ or error).__name__)
                self._held.clear()
                if self._running() and now - lost_at > UNSURE_S:
                    self._give_up("The database session of this runner broke and could not be opened again in time.")
                self._closed.wait(_RETRY_S)

    def _hold(self, connection: Connection) -> None:
        connection.execute(_SERVER_KEEPALIVE)
        self._claim(connection)
        self._held.set()
        count = 0
        while not self._closed.wait(_PING_S):
            count += 1
            if count % _BEAT_EVERY == 0:
                store.beat(connection, self.worker)
            else:
                connection.execute("SELECT")

    def _claim(self, connection: Connection) -> None:
        if self.worker:
            own = store.reopen_worker(connection, self.worker)
            running = self._running()
            if own is not None and running <= own:
                _log.info("runner_session_regained", worker=self.worker)
                return
            if running:
                self._give_up("Another runner took this one for dead and has its jobs now.")
        self.worker = store.open_worker(connection)


def _server_is_down(error: BaseException) -> bool:
    """Tell whether the server itself is away for everybody, so that nobody can take anything over."""
    text = str(error.__cause__ or error)
    return any(sign in text for sign in ("refused", "starting up", "shutting down", "recovery", "No such file"))
