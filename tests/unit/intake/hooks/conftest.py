"""Two tenants that send files, and the doors by which SFTPGo tells of them."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from belvedere.app import Services, build
from belvedere.audit.service import FileHistory
from belvedere.intake.hooks.asgi import HookDoor
from belvedere.intake.hooks.homes import UserHomes
from belvedere.intake.hooks.local import LocalDoor
from belvedere.intake.hooks.service import HEADER, PATH, VERB, Hooks
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

SECRET = "what only SFTPGo knows"
ROOT = "/srv/data"
SESSION = "SFTP_" + "ab" * 32 + "_1"


@dataclass
class Rig:
    """The doors as SFTPGo meets them."""

    database: Database
    history: FileHistory
    hooks: Hooks
    folder: Path
    moment: int = 1_795_252_416_338_930_491

    def local(self) -> LocalDoor:
        """Make the door of the command hook."""
        return LocalDoor(self.hooks, self.folder)

    def ask(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx2.Response]:
        """Send requests at once, each a method, an address and what httpx2 takes besides."""

        async def run() -> list[httpx2.Response]:
            door = HookDoor(self.hooks)
            transport = httpx2.ASGITransport(app=door, raise_app_exceptions=True)
            async with httpx2.AsyncClient(transport=transport, base_url="http://belvedere.test") as client:
                found = await asyncio.gather(*(client.request(*one[:2], **one[2]) for one in requests))
            await door.close()
            return list(found)

        return asyncio.run(run())

    def tell(self, *events: dict[str, Any], secret: str = SECRET) -> list[int]:
        """Post events as SFTPGo does, all at once, and return the answers' statuses."""
        headers = {HEADER: secret, "Content-Type": "application/json"}
        sent = [("POST", PATH, {"content": json.dumps(event).encode(), "headers": headers}) for event in events]
        return [one.status_code for one in self.ask(*sent)]

    def event(self, action: str, path: str, **more: Any) -> dict[str, Any]:
        """Make an event of acme's as SFTPGo 2.7.5 tells it."""
        self.moment += 1
        return {
            "action": action, "username": "acme", "path": f"{ROOT}/acme{path}", "virtual_path": path, "fs_provider": 0,
            "status": 1, "protocol": "SFTP", "ip": "127.0.0.1", "session_id": SESSION, "timestamp": self.moment, **more,
        }

    def rename(self, old: str, new: str) -> dict[str, Any]:
        return self.event("rename", old, target_path=f"{ROOT}/acme{new}", virtual_target_path=new)

    def noted(self) -> list[tuple[str, str, str]]:
        """Return what was kept, as tenant, path and what happened."""
        with self.database.transaction() as connection:
            found = connection.execute(
                "SELECT tenant.name, path, what FROM intake_event JOIN tenant ON serial = intake_event.tenant_id"
            ).fetchall()
        return sorted((row["name"], row["path"], row["what"]) for row in found)

    def refused(self) -> list[tuple[str, str, int]]:
        """Return who was refused, why and how often, oldest first."""
        self.history.close()
        found = self.history.search(SYSTEM, verb=VERB, result="refused").items
        return [(one.actor, one.error, one.count) for one in reversed(found)]

    def forget(self) -> None:
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM intake_event")


def rig_of(services: Services, folder: Path) -> Rig:
    """Doors of a test's own, with a history of its own."""
    history = FileHistory(folder / "history")
    hooks = Hooks(
        intake=services.intake, homes=UserHomes(services.database), history=history, secrets=[Secret(SECRET)],
        roots=[ROOT],
    )
    return Rig(services.database, history, hooks, folder / "hook")


@pytest.fixture(scope="module")
def installed(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """An installation with the tenants acme and globex, for a module's tests."""
    with cluster.control() as database:
        home = tmp_path_factory.mktemp("home")
        services = build(Settings(home=str(home), database_url=database.url, pool_size=6))
        for name in ("acme", "globex"):
            services.tenants.create(SYSTEM, name)
        yield services
        services.close()


@pytest.fixture
def rig(installed: Services, tmp_path: Path) -> Iterator[Rig]:
    made = rig_of(installed, tmp_path)
    made.forget()
    yield made
    made.history.close()
