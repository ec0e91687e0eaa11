"""The gateway's HTTP: a small ASGI application that speaks as much of InfluxDB 1's API as Grafana needs.

`/query` (GET, POST), `/ping`, and `/health` for the supervisor. Everything else is refused, with a line in the history.
Work that waits for a database runs in threads; an answer is sent piece by piece, each made when the one before has
left. What is not here: any rule (`service.py`).
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl

from belvedere.gateway.model import Answer, Asked
from belvedere.gateway.service import Gateway
from belvedere.kernel.errors import BelvedereError, Rejected, TooMany, Unauthenticated
from belvedere.kernel.logging import logger

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_THREADS: Final = 64
_MOST_BODY: Final = 4_194_304
_MOST_WAITING: Final = 64
_WAIT_S: Final = 15.0
_SEND_S: Final = 30.0
_VERSION: Final = (b"x-influxdb-version", b"1.8.10")
_LOG = logger(__name__)


class Application:
    """The gateway as an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        """Take the rules; threads are made when the first request comes."""
        self._gateway = gateway
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway")
        self._turns: dict[int, asyncio.Semaphore] = {}
        self._waiting: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's own start and stop."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        if asked.path == "/health":
            await _reply(send, 200, b'{"status":"pass"}\n')
            return
        try:
            if not self._gateway.is_grafana(asked):
                # Nothing of a stranger's is read; this writes the refusal down.
                await self._in_thread(self._gateway.admit, asked)
                raise Unauthenticated
            if asked.path == "/ping" and asked.method in {"GET", "HEAD"}:
                await _reply(send, 204, b"")
                return
            asked = await _with_form(asked, receive)
            caller = await self._in_thread(self._gateway.admit, asked)
            async with self._turn(caller.tenant):
                answer = await self._in_thread(self._gateway.answer, caller, asked)
                if answer.rest is None:
                    await _reply(send, answer.status, answer.first, answer.kind)
                elif answer.whole:
                    try:
                        await _reply(send, answer.status, answer.first, answer.kind)
                    finally:
                        await self._in_thread(answer.rest.close)
                else:
                    await self._stream(send, answer, answer.rest)
        except BelvedereError as error:
            # InfluxDB 1 says `error`, 2 says `code` and `message`; Grafana reads one or the other.
            said = {"error": error.detail, "code": error.problem, "message": error.detail}
            await _reply(send, error.status, json.dumps(said).encode() + b"\n")

    async def _stream(self, send: Send, answer: Answer, rest: Generator[bytes]) -> None:
        """Send an answer piece by piece; the next is made when the last one has been taken."""
        piece: bytes | None = answer.first
        try:
            headers = [_type(answer.kind), _VERSION]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            while piece is not None:
                message = {"type": "http.response.body", "body": piece, "more_body": True}
                await asyncio.wait_for(send(message), _SEND_S)
                piece = await self._in_thread(next, rest, None)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _LOG.warning("an answer was not taken", seconds=_SEND_S)
        except BelvedereError as error:
            # It has begun: who reads it sees that it broke off.
            _LOG.warning("an answer broke off", reason=error.detail)
        finally:
            with suppress(ValueError):  # Still at work in a thread: it ends by the reader's own time limit.
                await self._in_thread(rest.close)

    @asynccontextmanager
    async def _turn(self, tenant: int) -> AsyncIterator[None]:
        """Wait until the tenant may have one more answer made."""
        turns = self._turns.setdefault(tenant, asyncio.Semaphore(self._gateway.limits.at_once))
        message = "Too many queries of yours run at once."
        if self._waiting[tenant] >= _MOST_WAITING:
            raise TooMany(message, retry_in_s=2.0)
        self._waiting[tenant] += 1
        try:
            await asyncio.wait_for(turns.acquire(), _WAIT_S)
        except TimeoutError:
            raise TooMany(message, retry_in_s=2.0) from None
        finally:
            self._waiting[tenant] -= 1
        try:
            yield
        finally:
            turns.release()

    async def _in_thread(self, call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  (what it returns)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


def _asked(scope: Scope) -> Asked:
    """Read the head of a request. A header that comes twice is joined, so that two tokens make none."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    client = scope.get("client") or ("",)
    fields = _fields(scope.get("query_string", b""))
    return Asked(str(scope["method"]).upper(), str(scope["path"]), headers, fields, origin=str(client[0]))


async def _with_form(asked: Asked, receive: Receive) -> Asked:
    """Read the body; where it is a form, what it says wins over the address."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > _MOST_BODY:
            text = f"The request has more than {_MOST_BODY:,} bytes."
            raise Rejected(text)
        if not message.get("more_body"):
            break
    is_form = asked.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")
    if is_form:
        return replace(asked, fields=asked.fields | _fields(bytes(body)))
    return replace(asked, body=bytes(body))


def _fields(encoded: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(encoded.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


async def _reply(send: Send, status: int, body: bytes, kind: str = "application/json") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [_type(kind), _VERSION]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _type(kind: str) -> tuple[bytes, bytes]:
    return b"content-type", kind.encode("latin-1", "replace")


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop; there is nothing to do at either."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
