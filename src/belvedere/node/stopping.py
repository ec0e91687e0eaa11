"""How a part learns that it is to stop: once, however many signals come.

Several come in a row when the supervisor and the system both send one, when somebody presses Ctrl-C twice, or when a
parent with threads dies: Linux sends its death signal anew each time that the child passes to another of its threads
(prctl(2), PR_SET_PDEATHSIG). A handler that wakes a waiting thread holds that thread's lock for a moment; interrupted
there by itself it would wait for itself for ever.
"""

import signal
from collections.abc import Callable
from typing import Final

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def on_stop(act: Callable[[], None]) -> None:
    """Call `act` at the first SIGTERM or Ctrl-C, and at no other. To be called by the main thread."""

    def handle(*_: object) -> None:
        deafen()
        act()

    for number in _STOPPING:
        signal.signal(number, handle)


def deafen() -> None:
    """Let no further signal interrupt what the first one began."""
    # A handler that does nothing: Python complains aloud about a signal that came and is ignored by then.
    for number in _STOPPING:
        signal.signal(number, _nothing)


def _nothing(*_: object) -> None:
    pass
