"""The event stream beside the pages: the one asynchronous file, so that a thousand open pages cost no threads.

`application` is an ASGI application. `GET /events?topics=...` is served here, from one connection that listens to the
control database; `/hooks/sftpgo` by `intake/hooks/asgi.py`; everything else goes to Flask on a pool of threads. An
event names a topic and holds no data: the page fetches what moved by itself, with its own rights. Under a WSGI server
there is no stream and pages poll.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, cast
from urllib.parse import parse_qs
from uuid import UUID

import psycopg
from a2wsgi import WSGIMiddleware

from belvedere.app import Services, build
from belvedere.intake.hooks.asgi import HookDoor
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import CHANNEL
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.logging import logger
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import load
from belvedere.web.app import LIVE_POSITION, create_app
from belvedere.web.context import SESSION_COOKIE

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEARTBEAT_S: Final = 15.0
"""How often a quiet stream says that it lives, so that no proxy takes it for dead."""

RECHECK_S: Final = 60.0
"""How often a stream asks whether its session still holds."""

BODY_S: Final = 30.0
"""How long a request's body may be on its way."""

MOST_STREAMS: Final = 4096
MOST_TOPICS: Final = 32
_REMEMBERED: Final = 4096
_FOR_OPERATORS: Final = frozenset({
    "attention", "tenants", "actions", "jobs", "deliveries", "setup", "drift", "uploads", "campaigns",
    "sftp",
})
_PAUSE_S: Final = {
    "attention": 2.0, "tenants": 2.0, "actions": 1.0, "jobs": 1.0, "deliveries": 1.0, "drift": 1.0, "uploads": 1.0,
    "campaigns": 1.0,
}
_OTHER_PAUSE_S: Final = 0.25
_LOG = logger(__name__)


class Stream:
    """One open page: the topics that it may hear, and those that moved and were not sent yet.

    What waits is a set, so a page that reads slowly costs no more memory than it has topics.
    """

    def __init__(self, topics: frozenset[str]) -> None:
        """Take the topics that were granted."""
        self.topics = topics
        self.wake = asyncio.Event()
        self._waiting: set[str] = set()
        self._sent_at: dict[str, float] = {}

    def tell(self, topics: Iterable[str]) -> None:
        """Note that topics moved."""
        heard = self.topics.intersection(topics)
        if heard:
            self._waiting |= heard
            self.wake.set()

    def take(self, now: float) -> tuple[list[str], float | None]:
        """Return what may be sent now, and in how many seconds the next may be."""
        due, later = [], None
        for topic in sorted(self._waiting):
            wait = self._sent_at.get(topic, -1e9) + _PAUSE_S.get(topic, _OTHER_PAUSE_S) - now
            if wait <= 0:
                due.append(topic)
            else:
                later = wait if later is None else min(later, wait)
        for topic in due:
            self._waiting.discard(topic)
            self._sent_at[topic] = now
        return due, later


class Hub:
    """Listens to the control database once and tells every stream. Positions are `<epoch>-<count>`.

    An epoch is one connection's life: what moved between two of them nobody heard, so a position of an earlier one
    means that everything may have moved.
    """

    def __init__(self, url: Secret) -> None:
        """Take where to listen."""
        self._url = url
        self._past: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self.streams: set[Stream] = set()
        self.begin()

    def begin(self) -> None:
        """Begin an epoch, and tell every page to look again."""
        self._epoch = os.urandom(4).hex()
        self._count = 0
        self._past.clear()
        for stream in self.streams:
            stream.tell(stream.topics)

    def position(self) -> str:
        """Tell how far it is; pages carry this, so that nothing is lost between their making and their stream."""
        return f"{self._epoch}-{self._count}"

    def moved(self, topic: str) -> None:
        """Remember that a topic moved, and tell."""
        self._count += 1
        self._past.append((self._count, topic))
        for stream in self.streams:
            stream.tell((topic,))

    def missed(self, since: str, topics: frozenset[str]) -> set[str]:
        """Return which topics moved after a position; all of them when that cannot be known."""
        epoch, _, count = since.partition("-")
        if epoch != self._epoch or not count.isdigit():
            return set(topics) if since else set()
        first = self._past[0][0] if self._past else self._count + 1
        if int(count) + 1 < first and int(count) < self._count:
            return set(topics)
        return {topic for at, topic in self._past if at > int(count)} & topics

    async def listen(self) -> None:
        """Listen until cancelled; after a break, every page is told to look again."""
        pause = 0.2
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._url.reveal(), autocommit=True, application_name="belvedere live", connect_timeout=10
                )
                async with connection:
                    await connection.execute("LISTEN " + CHANNEL)
                    pause = 0.2
                    self.begin()
                    async for notice in connection.notifies():
                        self.moved(notice.payload)
            except (psycopg.Error, OSError) as error:
                _LOG.warning("the event stream lost the control database", reason=str(error).strip())
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


class Portal:
    """The ASGI application: the stream, and Flask for everything else. Made whole when the server starts it."""

    def __init__(self, make: Callable[[], Services]) -> None:
        """Take how to make the services of this process."""
        self._make = make
        self._lock = asyncio.Lock()
        self._services: Services | None = None
        self._pages: Any = None
        self._hub: Hub | None = None
        self._hooks: HookDoor | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        await self._start()
        if scope["type"] == "http" and scope["path"] == "/events":
            await self._events(scope, receive, send)
        elif self._hooks is not None and HookDoor.serves(scope):
            await self._hooks(scope, receive, send)
        elif scope["type"] == "http":
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to Flask when its body is here: a few that dawdle would otherwise hold every thread."""
        most = self._services.settings.max_body_bytes if self._services else 0
        try:
            async with asyncio.timeout(BODY_S):
                taken = await _taken(receive, most) if _length(scope) <= most else deque()
        except TimeoutError:
            await _plain(send, 408)
            return
        await self._pages(scope, _from(taken, receive), send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        if self._listening is not None:
            return
        async with self._lock:
            if self._services is not None:
                return
            services = await asyncio.to_thread(self._make)
            hub = Hub(services.database.url)
            app = create_app(services)
            app.config[LIVE_POSITION] = hub.position
            self._pages = WSGIMiddleware(cast("Any", app.wsgi_app), workers=services.settings.web_threads)
            self._services, self._hub = services, hub
            self._hooks = HookDoor(services.hooks(), trusted_proxies=services.settings.trusted_proxies)
            self._listening = asyncio.create_task(hub.listen())

    async def stop(self) -> None:
        """End the streams and give back what is open."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        if self._hooks is not None:
            await self._hooks.close()
        if self._services is not None:
            await asyncio.to_thread(self._services.close)

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._services is None or self._hub is None:  # pragma: no cover  (started before any request)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        cookie = _cookie(headers.get("cookie", ""))
        asked = frozenset(",".join(query.get("topics", [])).split(",")[:MOST_TOPICS])
        status, topics = await self._grant(scope, headers, cookie, asked)
        if cookie is None or not topics:
            await _plain(send, status)
            return
        stream = Stream(topics)
        stream.tell(self._hub.missed(headers.get("last-event-id") or query.get("since", [""])[0], topics))
        self._hub.streams.add(stream)
        try:
            await self._serve(stream, cookie, receive, send)
        finally:
            self._hub.streams.discard(stream)

    async def _grant(
        self, scope: Scope, headers: dict[str, str], cookie: Secret | None, asked: frozenset[str]
    ) -> tuple[int, frozenset[str]]:
        """Return the answer's status and the topics that this person may hear."""
        nothing: frozenset[str] = frozenset()
        if scope["method"] != "GET":
            return 405, nothing
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return 403, nothing
        if self._hub is not None and len(self._hub.streams) >= MOST_STREAMS:
            return 204, nothing
        actors = await asyncio.to_thread(self._actors, cookie) if cookie else ()
        if not actors:
            return 401, nothing
        granted = await asyncio.to_thread(self._allowed, actors, asked)
        return 200 if granted else 204, granted

    def _actors(self, cookie: Secret) -> tuple[Actor, ...]:
        """Return who a cookie stands for: an operator, or a member in each of their tenants; nobody, if it ended."""
        if self._services is None:  # pragma: no cover
            return ()
        try:
            session = self._services.sessions.find(cookie)
        except BelvedereError:
            return ()
        return session.actors if session else ()

    def _allowed(self, actors: tuple[Actor, ...], asked: frozenset[str]) -> frozenset[str]:
        return frozenset(topic for topic in asked if any(self._may_hear(one, topic) for one in actors))

    def _may_hear(self, actor: Actor, topic: str) -> bool:
        kind, _, key = topic.partition(".")
        if kind == "tenant" and key.isascii() and key.isdigit() and len(key) < 19:  # noqa: PLR2004  (fits a bigint)
            return actor.may(Role.VIEWER, int(key))
        if kind in {"dashboard", "campaign"} and self._services is not None:
            room = self._services.dashboards if kind == "dashboard" else self._services.campaigns
            try:
                room.get(actor, UUID(key))
            except (ValueError, BelvedereError):
                return False
            return True
        return topic in _FOR_OPERATORS and actor.tenant is None

    async def _serve(self, stream: Stream, cookie: Secret, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _say(send, "at", "", self._position())
        gone = asyncio.create_task(_disconnected(receive))
        checked = time.monotonic()
        try:
            while not gone.done():
                due, later = stream.take(time.monotonic())
                for topic in due:
                    await _say(send, "moved", topic, self._position())
                quiet = await _wait(stream, gone, HEARTBEAT_S if later is None else later)
                if time.monotonic() - checked > RECHECK_S:
                    checked = time.monotonic()
                    actors = await asyncio.to_thread(self._actors, cookie)
                    stream.topics = await asyncio.to_thread(self._allowed, actors, stream.topics)
                    if not actors:
                        await _say(send, "bye", "signed out", self._position())
                        return
                elif quiet and later is None and not gone.done():
                    await send({"type": "http.response.body", "body": b": alive\n\n", "more_body": True})
        except OSError:
            pass  # The page went away while it was told.
        finally:
            gone.cancel()
            with contextlib.suppress(Exception):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _position(self) -> str:
        return self._hub.position() if self._hub else ""


_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'"),
]


async def _wait(stream: Stream, gone: "asyncio.Task[None]", seconds: float) -> bool:
    """Wait until something moved or the page went; tell whether neither happened in time."""
    waking = asyncio.create_task(stream.wake.wait())
    done, _ = await asyncio.wait({waking, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waking.cancel()
    stream.wake.clear()
    return not done


def _length(scope: Scope) -> int:
    """Return the length that a request says its body has; one that is too long is refused before it is sent."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() else 0


async def _taken(receive: Receive, most: int) -> deque[Any]:
    """Take in a body. What is longer than `most` bytes is left where it is: the application refuses it."""
    taken: deque[Any] = deque()
    size = 0
    while True:
        event = await receive()
        taken.append(event)
        size += len(event.get("body", b""))
        if not event.get("more_body") or size > most:
            return taken


def _from(taken: deque[Any], receive: Receive) -> Receive:
    """Give what was taken, then what the server has; granian's `receive` returns a future, a2wsgi needs a coroutine."""

    async def received() -> Any:  # noqa: ANN401  (an ASGI event)
        return taken.popleft() if taken else await receive()

    return received


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, event: str, data: str, position: str) -> None:
    body = f"event: {event}\nid: {position}\ndata: {data}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _plain(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"cache-control", b"no-store")]})
    await send({"type": "http.response.body", "body": b""})


def _cookie(header: str) -> Secret | None:
    try:
        found = SimpleCookie(header).get(SESSION_COOKIE)
    except CookieError:
        return None
    return Secret(found.value) if found and found.value else None


application = Portal(lambda: build(load()))
"""What `belvedere web` serves."""
