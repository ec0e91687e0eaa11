"""Tells the anchors, apart from the deed's own path, how far this process's chain has come.

One thread, begun at the first record when there are anchors at all. It coalesces: however many records are
written, the anchors hear of it a few times a second.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from belvedere.audit.model import Anchors, Head
from belvedere.kernel.errors import BelvedereError

_LOG: Final = logging.getLogger(__name__)
_QUIET_S: Final = 0.25
_AWAY_S: Final = 5.0


class Bell:
    """`ring()` costs nothing; within a second the anchors know."""

    def __init__(self, anchors: Anchors | None, position: Callable[[], tuple[str, Head] | None]) -> None:
        """Take the anchors, or None when there are none, and where to ask how far the chain has come."""
        self._anchors = anchors
        self._position = position
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def ring(self) -> None:
        """Say that there is a new record."""
        if self._anchors is None:
            return
        self._changed.set()
        if self._process != os.getpid():
            self._begin()

    def close(self) -> None:
        """Tell the anchors once more, and end the thread."""
        if self._thread is None or self._process != os.getpid():
            return
        self._stop.set()
        self._changed.set()
        self._thread.join(_AWAY_S)
        self._thread, self._process = None, 0
        self._stop = threading.Event()
        atexit.unregister(self.close)

    def _begin(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._stop, self._changed = threading.Event(), threading.Event()
            self._changed.set()
            self._thread = threading.Thread(target=self._run, name="history-bell", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def _run(self) -> None:
        stop, changed = self._stop, self._changed
        while not stop.is_set():
            changed.wait()
            changed.clear()
            pause = _QUIET_S if self._tell() else _AWAY_S
            if stop.wait(pause):
                self._tell()

    def _tell(self) -> bool:
        position = self._position()
        if position is None or self._anchors is None:
            return True
        try:
            self._anchors.write(*position)
        except BelvedereError as error:
            _LOG.info("the anchors of the history are not told: %s", error.detail)
            self._changed.set()
            return False
        except Exception:  # noqa: BLE001  (the thread must outlive whatever one try meets)
            _LOG.exception("the anchors of the history are not told")
        return True
