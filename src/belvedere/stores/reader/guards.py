"""Deadlines for many short pieces of work, kept by one thread.

A timer of its own for each query would make a thread for each, which costs more than many a query does.
What is not here: what is done when a deadline is missed.
"""

import heapq
import threading
from collections.abc import Callable
from itertools import count

from belvedere.kernel.clock import monotonic_s


class Guards:
    """Calls what was not dropped in time. Safe for threads; its own thread begins with the first deadline."""

    def __init__(self) -> None:
        """Begin with no deadline."""
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        self._calls: dict[int, Callable[[], object]] = {}
        self._numbers = count()
        self._thread: threading.Thread | None = None

    def set(self, within_s: float, call: Callable[[], object]) -> int:
        """Have `call` called in so many seconds, in a thread of its own, unless the number returned is dropped."""
        due = monotonic_s() + within_s
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
            heapq.heappush(self._due, (due, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="reader-guards", daemon=True)
                self._thread.start()
            elif self._due[0][1] == number:
                self._changed.notify()
        return number

    def drop(self, number: int) -> None:
        """Forget a deadline; one that was met or missed already is no error."""
        with self._changed:
            self._calls.pop(number, None)
            while self._due and self._due[0][1] not in self._calls:
                heapq.heappop(self._due)

    def close(self) -> None:
        """Forget all deadlines, and end the thread."""
        with self._changed:
            self._calls.clear()
            self._due.clear()
            self._thread = None
            self._changed.notify_all()

    def _watch(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                while self._thread is me and (not self._due or self._due[0][0] > monotonic_s()):
                    self._changed.wait(self._due[0][0] - monotonic_s() if self._due else None)
                if self._thread is not me:
                    return
                _, number = heapq.heappop(self._due)
                call = self._calls.pop(number, None)
            if call is not None:
                # What ends a session may wait for its server, and others are due meanwhile.
                threading.Thread(target=call, name="reader-guard", daemon=True).start()
