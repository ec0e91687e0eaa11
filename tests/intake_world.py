"""Files in with everything real but the store of points: a data root, a control database, the child that reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from belvedere.audit.service import FileHistory
from belvedere.intake.meter_files import MeterFiles
from belvedere.intake.model import Happening, Upload, Via
from belvedere.intake.reader import Readers
from belvedere.intake.wire import Files, files_of
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.clock import utc_now
from belvedere.kernel.db import Database, rows
from belvedere.kernel.settings import Settings
from belvedere.reactions import REACTIONS
from belvedere.stores.testing import TwinPoints
from belvedere.tenants.service import Tenants

HEADER = "02001084\t02001084\t02001084\nMV_T302_V002\tPh 1 V\tVoie1 W\n"


def meter(rows: int = 3, *, first: int = 0, value: float = 230.0) -> str:
    """Return a meter file with a row a minute and two channels."""
    lines = [
        f"05/01/26 {(first + n) // 60 % 24:02d}:{(first + n) % 60:02d}:00\t{value + n}\t{n}" for n in range(rows)
    ]
    return HEADER + "\n".join(lines) + "\n"


@dataclass
class Clock:
    """The time, which a test may put forward."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return utc_now() + self.ahead


@dataclass
class World:
    """A tenant, its folder, and the services of this room."""

    files: Files
    database: Database
    tenants: Tenants
    points: TwinPoints
    root: Path
    serial: int
    reports: Path
    clock: Clock

    @property
    def home(self) -> Path:
        return self.root / "acme"

    def put(self, path: str, text: str | bytes, *, told: bool = True) -> Path:
        """Send a file, with a notice that it is complete."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        if told:
            self.files.intake.notice("acme", path, Happening.CLOSED, via=Via.SFTP)
        return file

    def take(self) -> None:
        self.files.intake.take(str(self.serial))

    def look(self) -> None:
        self.files.intake.look(str(self.serial))

    def uploads(self, **filters: Any) -> list[Upload]:
        """Return the uploads, the oldest first."""
        return list(reversed(self.files.uploads.list(SYSTEM, tenant=self.serial, limit=200, **filters).items))

    def states(self) -> dict[str, str]:
        return {one.path: str(one.state) for one in self.uploads()}

    def lying(self) -> list[str]:
        """Return every file in the tenant's folder."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if not path.is_dir())

    def jobs(self) -> list[tuple[str, str]]:
        with self.database.transaction() as connection:
            found = rows(connection, "SELECT task_name, args->>'key' AS key FROM procrastinate_jobs ORDER BY id")
        return [(row["task_name"], row["key"]) for row in found]


@contextmanager
def make_world(
    database: Database, tmp_path: Path, readers: Readers, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Iterator[World]:
    """Make a tenant `acme` whose folder is there."""
    monkeypatch.setattr("belvedere.intake.wire.Readers", lambda **_: readers)
    history = FileHistory(tmp_path / "history")
    queue = JobQueue(database, REACTIONS, history)
    tenants = Tenants(database=database, history=history, queue=queue)
    points, clock = TwinPoints(), Clock()
    given = Settings(home=str(tmp_path), **settings)
    files = files_of(
        given, database=database, history=history, queue=queue, tenants=tenants, takers=[MeterFiles(points)],
        summaries=points.meta, now=clock.now,
    )
    tenant, _ = tenants.create(SYSTEM, "acme")
    files.intake.make_home(str(tenant.serial))
    world = World(files, database, tenants, points, tmp_path / "data", tenant.serial, tmp_path / "reports", clock)

    yield world
    history.close()
