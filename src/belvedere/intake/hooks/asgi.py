"""The HTTP door for SFTPGo's hooks: `POST /hooks/sftpgo` for events, `GET` for ends of sessions.

It is served beside the event stream, without Flask and without a thread for each request. Events that come while the
ones before them are being stored are stored together, so a burst costs few transactions. SFTPGo takes nothing but 200
for success. What is not here: any rule (`service.py`).
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import parse_qsl

from belvedere.intake.hooks.event import Event, of_json, of_query
from belvedere.intake.hooks.service import HEADER, PATH, Heard, Hooks
from belvedere.kernel.errors import BelvedereError, Rejected, TooMany, Unauthenticated
from belvedere.kernel.logging import logger

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY: Final = 262_144
"""Longest body in bytes: four paths of 4,096 bytes, each written as six characters of JSON, and some more."""

_BODY_S: Final = 10.0
_MOST_TOGETHER: Final = 256
_MOST_WAITING: Final = 4_096
_SECRET: Final = HEADER.lower().encode()
_PROXIED: Final = b"x-forwarded-for"
_LOG = logger(__name__)


class HookDoor:
    """The door as a part of an ASGI application."""

    def __init__(self, hooks: Hooks, *, trusted_proxies: int = 0) -> None:
        """Take the rules, and how many proxies in front may say where a request comes from."""
        self._hooks = hooks
        self._proxies = trusted_proxies
        self._waiting: deque[tuple[Heard, asyncio.Future[BelvedereError | None]]] = deque()
        self._storing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hooks")

    @staticmethod
    def serves(scope: Scope) -> bool:
        """Tell whether a request is for this door."""
        return bool(scope["type"] == "http" and scope["path"] == PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            event, origin = await self._event(scope, receive)
            refused = await self._kept(Heard(event, origin))
            if refused is not None:
                raise refused
        except BelvedereError as error:
            await _reply(send, error.status, json.dumps({"error": error.detail}).encode())
        else:
            await _reply(send, 200, b'{"message":"kept"}')

    async def close(self) -> None:
        """Store what waits and give back what is open."""
        while self._storing is not None:
            await self._storing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._hooks.close)
        self._thread.shutdown(wait=False)

    async def _event(self, scope: Scope, receive: Receive) -> tuple[Event, str]:
        """Read what is told, after who tells it has proved itself.

        Raises:
            Rejected: it has not, or this is no event; it stands in the history.
        """
        given = [value for name, value in scope["headers"] if name == _SECRET]
        origin = self._origin(scope)
        if len(given) != 1 or not self._hooks.is_sftpgo(given[0].decode("latin-1")):
            # Nothing of a stranger's is read.
            await asyncio.to_thread(self._hooks.stranger, origin)
            message = f"This door is for SFTPGo. The header {HEADER} is missing or wrong."
            raise Unauthenticated(message)
        try:
            return await _read(scope, receive), origin
        except Rejected as error:
            await asyncio.to_thread(self._hooks.unreadable, origin, error)
            raise

    def _origin(self, scope: Scope) -> str:
        """Return where a request comes from: what the last trusted proxy says, else the other end's address."""
        if self._proxies:
            said = b",".join(value for name, value in scope["headers"] if name == _PROXIED).split(b",")
            if len(said) >= self._proxies and said[-self._proxies].strip():
                return said[-self._proxies].strip().decode("latin-1")[:64]
        return str((scope.get("client") or ("",))[0])

    async def _kept(self, heard: Heard) -> BelvedereError | None:
        """Wait until an event is stored, and return why it was refused, if it was.

        Raises:
            TooMany: more wait than can be told.
            Later: the control database is away.
        """
        if len(self._waiting) >= _MOST_WAITING:
            message = "More events wait than can be kept."
            raise TooMany(message, retry_in_s=2.0)
        loop = asyncio.get_running_loop()
        end: asyncio.Future[BelvedereError | None] = loop.create_future()
        self._waiting.append((heard, end))
        if self._storing is None:
            self._storing = loop.create_task(self._store())
        return await end

    async def _store(self) -> None:
        """Store what waits, all that has come meanwhile at a time, until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            together = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
            try:
                ends = await loop.run_in_executor(self._thread, self._hooks.take, [heard for heard, _ in together])
            except BelvedereError as error:
                _end(together, error)
            except Exception:  # noqa: BLE001  (whatever it is, those who wait must be answered)
                _LOG.exception("%d events of SFTPGo could not be kept", len(together))
                _end(together, BelvedereError())
            else:
                for (_, end), refused in zip(together, ends, strict=True):
                    if not end.done():
                        end.set_result(refused)
        self._storing = None


def _end(together: list[tuple[Heard, "asyncio.Future[BelvedereError | None]"]], error: BelvedereError) -> None:
    for _, end in together:
        if not end.done():
            end.set_result(error)


async def _read(scope: Scope, receive: Receive) -> Event:
    """Read an event.

    Raises:
        Rejected: it is none.
    """
    if scope["method"] == "GET":
        return of_query(dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)))
    if scope["method"] != "POST":
        message = "This door takes POST, and GET for the end of a session."
        raise Rejected(message, code="hook-event")
    return of_json(await _body(scope, receive))


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Take in a body.

    Raises:
        Rejected: it is longer than an event can be, or does not come.
    """
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                _bounded(int(said) if said.isdigit() else 0)
                message = await receive()
                body += message.get("body", b"")
                _bounded(len(body))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        text = f"The body did not come within {_BODY_S:.0f} s."
        raise Rejected(text, code="hook-event") from None


def _bounded(size: int) -> None:
    if size > MOST_BODY:
        message = f"The body has more than {MOST_BODY:,} bytes; no event has."
        raise Rejected(message, code="hook-event")


async def _reply(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
