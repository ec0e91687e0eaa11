"""Chromium's DevTools protocol over the two ends of a pipe: calls, answers, and the few events that are listened to.

Messages are JSON documents that end with a NUL byte (Chromium, `--remote-debugging-pipe`). One thread, one deadline.
What is not here: which calls make a capture (`capture.py`).
"""

import os
import select
from collections.abc import Callable
from typing import Any, Final

import msgspec

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later

_CHUNK: Final = 1 << 20

Listener = Callable[[dict[str, Any]], None]


class Gone(Later):
    """The browser ended in the middle of a capture. It is captured again by itself."""

    code = "browser-gone"


class Overdue(Later):
    """The capture took longer than its deadline. It is captured again by itself."""

    code = "capture-overdue"


class DevTools:
    """One conversation with one browser, and with one page in it once `attach` was called."""

    def __init__(self, write_end: int, read_end: int, *, deadline: float) -> None:
        """Take over the two descriptors. `deadline` is a moment on the monotonic clock, in seconds."""
        self._write_end = write_end
        self._read_end = read_end
        self.deadline = deadline
        self._buffer = bytearray()
        self._number = 0
        self._session: str | None = None
        self._listeners: dict[str, Listener] = {}
        os.set_blocking(write_end, False)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._write_end)
        os.close(self._read_end)

    def listen(self, event: str, listener: Listener) -> None:
        """Call `listener` with the parameters of each such event that arrives while a call waits."""
        self._listeners[event] = listener

    def attach(self) -> None:
        """Open an empty page and speak to it from now on."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = str(self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call and wait for the answer.

        Raises:
            Gone: the browser ended.
            Overdue: no answer before the deadline.
            Later: the browser refused the call.
        """
        number = self.post(method, **parameters)
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    reason = f"The browser refused {method}: {answer['error'].get('message', 'no reason')}."
                    raise Later(reason, code="browser-refused")
                result: dict[str, Any] = answer.get("result", {})
                return result
            self._tell(answer)

    def post(self, method: str, **parameters: object) -> int:
        """Call without waiting, as a listener must, since a call waits already; return the call's number."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._send(msgspec.json.encode(message) + b"\0")
        return self._number

    def wait(self, seconds: float) -> None:
        """Let so much time pass, at most until the deadline, and tell listeners what arrives in it.

        Raises:
            Gone: the browser ended.
            Overdue: the deadline passed.
        """
        until = monotonic_s() + min(seconds, self._left_s())
        while (left := until - monotonic_s()) > 0:
            if b"\0" in self._buffer or select.select([self._read_end], [], [], left)[0]:
                self._tell(self._receive())

    def _tell(self, message: dict[str, Any]) -> None:
        listener = self._listeners.get(message.get("method", ""))
        if listener is not None:
            listener(message.get("params", {}))

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401  (a page's value is whatever its script says)
        """Run an expression in the page, wait for its promise, and return its value.

        Raises:
            Later: the expression threw.
        """
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            thrown = details.get("exception", {}).get("description") or details.get("text", "unknown")
            message = f"The page's script failed: {thrown.splitlines()[0][:200]}"
            raise Later(message, code="page-script")
        return answer.get("result", {}).get("value")

    def _left_s(self) -> float:
        left = self.deadline - monotonic_s()
        if left <= 0:
            raise Overdue
        return left

    def _send(self, message: bytes) -> None:
        view = memoryview(message)
        while view:
            if not select.select([], [self._write_end], [], self._left_s())[1]:
                raise Overdue
            try:
                view = view[os.write(self._write_end, view) :]
            except BrokenPipeError:
                raise Gone from None

    def _receive(self) -> dict[str, Any]:
        searched = 0
        while (end := self._buffer.find(b"\0", searched)) < 0:
            searched = len(self._buffer)
            if not select.select([self._read_end], [], [], self._left_s())[0]:
                raise Overdue
            chunk = os.read(self._read_end, _CHUNK)
            if not chunk:
                raise Gone
            self._buffer += chunk
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        decoded: dict[str, Any] = msgspec.json.decode(message)
        return decoded
