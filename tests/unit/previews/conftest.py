"""The previews room: real PostgreSQL, queue and history; pages of our own; painted pictures where enough."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret
from belvedere.notifications.service import Notifications
from belvedere.notifications.slack import slack
from belvedere.previews.model import Camera, Subject
from belvedere.previews.pictures import Pictures
from belvedere.previews.service import Previews
from belvedere.previews.sights import Sights
from belvedere.previews.slots import Slots
from belvedere.previews.testing import PaintedCamera
from belvedere.previews.tokens import CaptureTokens
from belvedere.reactions import REACTIONS
from belvedere.workspaces.grafana.passes import CapturePass

ALICE = 1


class Site:
    """A small portal: paths to pages, each a status and a document, or a function that makes them."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str] | Callable[[], tuple[int, str]]] = {}
        self.seen: list[str] = []
        self.tokens: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.append(self.path)
                site.tokens[self.path] = self.headers.get("Authorization", "")
                page = site.pages.get(self.path, (404, "not here"))
                status, text = page() if callable(page) else page
                self.send_response(status)
                if status in {302, 303}:
                    self.send_header("Location", text)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Keep tests quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A browser that is ended in the middle is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class GivenPasses:
    """Passes to a Grafana for the tenants that a test names."""

    def __init__(self) -> None:
        self.of: dict[int, CapturePass | BelvedereError] = {}
        self.ended: list[int] = []
        self.asked: list[UUID | None] = []

    def capture_pass(self, serial: int, *, for_s: int, dashboard_id: UUID | None = None) -> CapturePass | None:
        assert for_s > 0
        self.asked.append(dashboard_id)
        found = self.of.get(serial)
        if isinstance(found, BelvedereError):
            raise found
        return found

    def end_pass(self, made: CapturePass) -> None:
        self.ended.append(made.number)


class Room:
    """The service and what surrounds it, with a camera that tests choose."""

    def __init__(self, database: Database, folder: Path, camera: Camera, portal_url: str) -> None:
        self.database = database
        self.folder = folder
        self.camera = camera
        self.ahead = timedelta()
        self.dashboards: dict[UUID, Subject] = {}
        self.passes = GivenPasses()
        self.history = FileHistory(folder / "history")
        self.queue = JobQueue(database, REACTIONS)
        self.root = folder / "previews"
        self.messages = Notifications(
            database=database, queue=self.queue, history=self.history, pictures=self.root,
            read_credential=lambda _serial, _key: None, open_slack=slack("http://127.0.0.1:9/"), slack_token=Secret(""),
            slack_channel="", now=self.now,
        )
        self.slots = Slots(folder / "browsers", 1)
        tokens = CaptureTokens(database=database, now=self.now)
        self.service = Previews(
            database=database, queue=self.queue, history=self.history, camera=camera, pictures=Pictures(self.root),
            slots=self.slots, tokens=tokens, notifications=self.messages, subjects=self.dashboards.get,
            sights=Sights(tokens=tokens, portal_url=portal_url, passes=self.passes), now=self.now,
        )

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_s(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def dashboard(self, tenant: int = ALICE, *, age_s: float = 60.0, url: str = "http://127.0.0.1/d/1") -> UUID:
        """Add a dashboard that changed `age_s` ago, and say so on the queue."""
        made = new_id()
        self.change(made, tenant, age_s, url)
        return made

    def change(
        self, dashboard_id: UUID, tenant: int = ALICE, age_s: float = 0.0, url: str = "http://127.0.0.1/d/1"
    ) -> None:
        self.dashboards[dashboard_id] = Subject(
            tenant=tenant, dashboard_id=dashboard_id, title="Timing of cpu", url=url,
            link=f"http://127.0.0.1/go/{dashboard_id.hex}", creator="alice",
            changed_at=self.now() - timedelta(seconds=age_s),
        )
        with self.database.transaction() as connection:
            self.queue.emit(connection, "dashboard.changed", str(dashboard_id))

    def queued(self) -> list[str]:
        """Return the keys of the captures that wait on the queue."""
        with self.database.transaction() as connection:
            found = connection.execute(
                "SELECT args->>'key' AS key FROM procrastinate_jobs "
                "WHERE status = 'todo' AND task_name = 'previews.capture'"
            ).fetchall()
        return [row["key"] for row in found]

    def run(self) -> int:
        """Run what is due, once each, changes first; return how many."""
        work = {
            "previews.open": self.service.changed, "previews.capture": self.service.capture,
            "notifications.deliver": self.messages.deliver,
        }
        return sum(self._run(names, work) for names in (["previews.open"], [*work][1:]))

    def _run(self, names: list[str], work: dict[str, Callable[[str], None]]) -> int:
        with self.database.transaction() as connection:
            due = connection.execute(
                "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo' AND task_name = ANY(%s) "
                "AND coalesce(scheduled_at, now()) <= now() + make_interval(secs => %s) "
                "RETURNING task_name, args->>'key' AS key",
                [names, self.ahead.total_seconds()],
            ).fetchall()
        for job in due:
            work[job["task_name"]](job["key"])
        return len(due)

    def settle(self) -> None:
        """Run the queue, with the clock running ahead, until every round has ended."""
        for _ in range(100):
            if self.run() == 0 and not self.unfinished():
                return
            self.pass_s(5)

    def unfinished(self) -> int:
        with self.database.transaction() as connection:
            found = connection.execute(
                "SELECT (SELECT count(*) FROM preview WHERE state IN ('waiting', 'working')) "
                "+ (SELECT count(*) FROM delivery WHERE state = 'waiting') AS open"
            ).fetchone()
        return int(found["open"]) if found else 0

    def told(self) -> int:
        return len(self.messages.list(SYSTEM).items)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def camera() -> PaintedCamera:
    return PaintedCamera()


@pytest.fixture
def room(database: Database, tmp_path: Path, camera: PaintedCamera) -> Iterator[Room]:
    made = Room(database, tmp_path, camera, "http://127.0.0.1:9")
    yield made
    made.history.close()
