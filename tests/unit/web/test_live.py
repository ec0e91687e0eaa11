"""The event stream: told what moved and never what, by right, without a thread a page."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from belvedere import live
from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.db import signal
from belvedere.kernel.secret import Secret
from belvedere.live import Hub, Portal, Stream
from belvedere.web.context import SESSION_COOKIE


class Listener:
    """A page that holds a stream open."""

    def __init__(self, portal: Portal, topics: str, cookie: str = "", **headers: str) -> None:
        lines = {
            "cookie": f"{SESSION_COOKIE}={cookie}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": "/events",
            "query_string": f"topics={topics}".encode(),
            "headers": [(name.encode(), text.encode()) for name, text in lines.items()],
        }
        self.status = 0
        self.text = ""
        self._moved = asyncio.Event()
        self._gone = asyncio.Event()
        self._task = asyncio.create_task(portal(self.scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.text += message.get("body", b"").decode()
        self._moved.set()

    async def until(self, condition: Callable[["Listener"], object]) -> None:
        async with asyncio.timeout(10):
            while not condition(self):
                self._moved.clear()
                await self._moved.wait()

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, 10)

    async def leave(self) -> None:
        self._gone.set()
        await self.ended()


@pytest.fixture
def cookie(services: Services) -> str:
    made = services.accounts.create(SYSTEM, "dana", Role.ADMIN)
    return services.sessions.open(made.operator, origin="").reveal()


def _run(services: Services, scene: Callable[[Portal], Awaitable[None]]) -> None:
    async def played() -> None:
        portal = Portal(lambda: build(services.settings))
        try:
            await scene(portal)
        finally:
            await portal.stop()

    asyncio.run(played())


def _tell(services: Services, *topics: str) -> None:
    with services.database.transaction() as connection:
        signal(connection, *topics)


async def _listening(services: Services, portal: Portal, cookie: str) -> None:
    """Return when the hub listens: it tells a page what moved since, or that everything may have."""
    page = Listener(portal, "jobs", cookie)
    await page.until(lambda it: "event: at" in it.text)
    await asyncio.to_thread(_tell, services, "jobs")
    await page.until(lambda it: "data: jobs" in it.text)
    await page.leave()


def test_a_page_hears_its_topics_and_no_others(services: Services, cookie: str) -> None:
    async def scene(portal: Portal) -> None:
        page = Listener(portal, "tenant.7,jobs", cookie)
        await page.until(lambda it: "event: at" in it.text)
        await asyncio.to_thread(_tell, services, "tenant.8", "deliveries", "tenant.7")
        await page.until(lambda it: "data: tenant.7" in it.text)
        assert page.status == 200
        assert "tenant.8" not in page.text
        assert "deliveries" not in page.text
        await page.leave()

    _run(services, scene)


def test_nobody_hears_anything_without_a_session_or_from_another_site(services: Services, cookie: str) -> None:
    async def scene(portal: Portal) -> None:
        for expected, headers in ((401, {}), (403, {"sec_fetch_site": "cross-site"})):
            page = Listener(portal, "jobs", "guessed" if expected == 401 else cookie, **headers)
            await page.ended()
            assert (page.status, page.text) == (expected, "")
        page = Listener(portal, "dashboard.0192c8c3-0000-7000-8000-000000000000,tenant.x,other", cookie)
        await page.ended()
        assert page.status == 204

    _run(services, scene)


def test_what_moved_while_a_page_was_away_is_told_when_it_returns(services: Services, cookie: str) -> None:
    async def scene(portal: Portal) -> None:
        await _listening(services, portal, cookie)
        page = Listener(portal, "tenant.7,tenant.8", cookie)
        await page.until(lambda it: "event: at" in it.text)
        position = page.text.split("id: ")[1].split("\n")[0]
        other = Listener(portal, "jobs", cookie)
        await page.leave()
        await other.until(lambda it: "event: at" in it.text)
        await asyncio.to_thread(_tell, services, "tenant.8", "jobs")
        await other.until(lambda it: "data: jobs" in it.text)
        back = Listener(portal, "tenant.7,tenant.8", cookie, last_event_id=position)
        await back.until(lambda it: "data: tenant.8" in it.text)
        assert "data: tenant.7" not in back.text
        restarted = Listener(portal, "tenant.7,tenant.8", cookie, last_event_id="0badcafe-3")
        await restarted.until(lambda it: "data: tenant.7" in it.text and "data: tenant.8" in it.text)
        for one in (other, back, restarted):
            await one.leave()

    _run(services, scene)


def test_a_stream_ends_when_its_session_does(services: Services, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)

    async def scene(portal: Portal) -> None:
        page = Listener(portal, "jobs", cookie)
        await page.until(lambda it: "event: at" in it.text)
        actor = services.sessions.actor(Secret(cookie))
        assert actor is not None
        await asyncio.to_thread(services.sessions.close, actor, Secret(cookie))
        await page.ended()
        assert "event: bye" in page.text

    _run(services, scene)


def test_many_open_pages_cost_no_threads(services: Services, cookie: str) -> None:
    async def scene(portal: Portal) -> None:
        first = Listener(portal, "jobs", cookie)
        await first.until(lambda it: "event: at" in it.text)
        more = [Listener(portal, "jobs", cookie) for _ in range(200)]
        for one in more:
            await one.until(lambda it: "event: at" in it.text)
        threads = threading.active_count()
        more += [Listener(portal, "jobs", cookie) for _ in range(200)]
        for one in more:
            await one.until(lambda it: "event: at" in it.text)
        assert threading.active_count() <= threads
        await asyncio.to_thread(_tell, services, "jobs")
        for one in more:
            await one.until(lambda it: "data: jobs" in it.text)
        for one in (first, *more):
            await one.leave()

    _run(services, scene)


def test_a_body_that_dawdles_holds_no_thread_and_is_given_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BODY_S", 1.0)

    async def scene(portal: Portal) -> None:
        slow = [_Sender(portal, None) for _ in range(services.settings.web_threads + 4)]
        whole = _Sender(portal, b"name=dana&password=wrong")
        assert await whole.status() == 401
        assert not any(one.is_answered for one in slow)
        assert {await one.status() for one in slow} == {408}

    _run(services, scene)


def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(services: Services) -> None:
    async def scene(portal: Portal) -> None:
        asked = _Sender(portal, None, length=services.settings.max_body_bytes + 1)
        assert await asked.status() == 413

    _run(services, scene)


class _Sender:
    """Signs in with a body that is sent at once, or begun and never ended."""

    def __init__(self, portal: Portal, body: bytes | None, *, length: int | None = None) -> None:
        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")]
        headers.append((b"content-length", str(length or len(body or b"xx")).encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/sign-in", "raw_path": b"/sign-in", "query_string": b"", "root_path": "", "headers": headers,
            "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        self._events = [{"type": "http.request", "body": body or b"x", "more_body": body is None}]
        self._answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(portal(scope, self._receive, self._send))

    @property
    def is_answered(self) -> bool:
        return self._answer.done()

    async def status(self) -> int:
        status = await asyncio.wait_for(self._answer, 10)
        await asyncio.wait_for(self._task, 10)
        return status

    async def _receive(self) -> dict[str, Any]:
        if self._events:
            return self._events.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._answer.set_result(message["status"])


def test_a_busy_topic_is_told_at_most_every_two_seconds() -> None:
    async def scene() -> None:
        stream = Stream(frozenset({"attention", "tenant.1"}))
        stream.tell(["attention", "tenant.1", "other"])
        assert stream.take(100.0) == (["attention", "tenant.1"], None)
        stream.tell(["attention", "tenant.1"])
        due, later = stream.take(100.5)
        assert due == ["tenant.1"]
        assert later == pytest.approx(1.5)
        assert stream.take(102.1) == (["attention"], None)

    asyncio.run(scene())


def test_a_position_that_is_too_old_means_that_everything_moved() -> None:
    hub = Hub(Secret("postgresql://nowhere"))
    begin = hub.position()
    topics = frozenset({"a", "b"})
    assert hub.missed(begin, topics) == set()
    hub.moved("a")
    assert hub.missed(begin, topics) == {"a"}
    assert hub.missed(hub.position(), topics) == set()
    assert hub.missed("", topics) == set()
    for _ in range(5000):
        hub.moved("c")
    assert hub.missed(begin, topics) == topics


def test_what_moved_while_nobody_listened_may_be_everything() -> None:
    hub = Hub(Secret("postgresql://nowhere"))
    topics = frozenset({"a", "b"})
    hub.moved("a")
    position = hub.position()
    hub.begin()
    assert hub.missed(position, topics) == topics
    hub.moved("b")
    assert hub.missed(position, topics) == topics
    assert hub.missed(hub.position(), topics) == set()
