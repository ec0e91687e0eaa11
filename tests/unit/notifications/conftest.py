"""The notifications room on a real database, with the real queue and history and a local Slack."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret
from belvedere.notifications.model import Announcement, Delivery
from belvedere.notifications.service import Notifications
from belvedere.notifications.slack import slack
from belvedere.reactions import REACTIONS
from fake_slack import FakeSlack

ALICE = 1


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_s(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Room:
    """The service and what surrounds it."""

    def __init__(self, database: Database, folder: Path, workspace: FakeSlack, *, patience_s: float = 30) -> None:
        self.database = database
        self.workspace = workspace
        self.clock = Clock()
        self.pictures = folder / "previews"
        self.pictures.mkdir()
        (self.pictures / "p.gif").write_bytes(b"GIF89a" + b"moving" * 1000)
        (self.pictures / "p.png").write_bytes(b"\x89PNG" + b"still" * 1000)
        self.credentials = {
            (ALICE, "SLACK_BOT_TOKEN"): Secret(workspace.token), (ALICE, "SLACK_CHANNEL_ID"): Secret("C0ALICE")
        }
        self.history = FileHistory(folder / "history")
        self.queue = JobQueue(database, REACTIONS)
        self.service = Notifications(
            database=database, queue=self.queue, history=self.history, pictures=self.pictures,
            read_credential=lambda serial, key: self.credentials.get((serial, key)),
            open_slack=slack(workspace.url, timeout_s=patience_s),
            slack_token=Secret(""), slack_channel="", now=self.clock,
        )

    def announce(
        self, tenant: int = ALICE, *, again: bool = False, dashboard_id: UUID | None = None, **more: object
    ) -> UUID:
        dashboard_id = dashboard_id or new_id()
        given = {
            "title": "Timing of cpu", "url": "http://127.0.0.1/d/1", "creator": "alice", "gif_path": "p.gif",
            "png_path": "p.png", **more,
        }
        with self.database.transaction() as connection:
            self.service.announce(
                connection, Announcement(tenant=tenant, dashboard_id=dashboard_id, **given), again=again  # type: ignore[arg-type]
            )
        return dashboard_id

    def run(self) -> int:
        """Run what is due on the queue, once each; return how many jobs that were."""
        with self.database.transaction() as connection:
            due = connection.execute(
                "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo' "
                "AND task_name LIKE 'notifications.%%' "
                "AND coalesce(scheduled_at, now()) <= now() + make_interval(secs => %s) "
                "RETURNING task_name, args->>'key' AS key",
                [self.clock.ahead.total_seconds()],
            ).fetchall()
        work = {"notifications.deliver": self.service.deliver, "notifications.check": self.service.check}
        for job in due:
            work[job["task_name"]](job["key"])
        return len(due)

    def settle(self, hours: float = 30) -> None:
        """Run the queue until nothing waits, with the clock running ahead."""
        while self.clock.ahead < timedelta(hours=hours):
            self.run()
            if not self.waiting():
                return
            self.clock.pass_s(30 if self.clock.ahead < timedelta(minutes=30) else 1800)

    def waiting(self) -> list[Delivery]:
        return self.service.list(SYSTEM, state="waiting").items

    def to_slack(self) -> list[Delivery]:
        return [one for one in self.service.list(SYSTEM).items if one.channel_kind == "slack"]

    def only(self) -> Delivery:
        (found,) = self.to_slack()
        return found


@pytest.fixture
def workspace() -> Iterator[FakeSlack]:
    made = FakeSlack()
    yield made
    made.close()


@pytest.fixture
def room(database: Database, tmp_path: Path, workspace: FakeSlack) -> Iterator[Room]:
    made = Room(database, tmp_path, workspace)
    yield made
    made.history.close()


@pytest.fixture
def hasty_room(database: Database, tmp_path: Path, workspace: FakeSlack) -> Iterator[Room]:
    """A room that does not wait long for an answer."""
    made = Room(database, tmp_path, workspace, patience_s=1)
    yield made
    made.history.close()


@pytest.fixture
def quiet(workspace: FakeSlack) -> Callable[[], list[str]]:
    return lambda: workspace.wrongs
