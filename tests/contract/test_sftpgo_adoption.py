"""What taking over an SFTPGo's own users promises: on the twin, and on the real one that the environment names.

BELVEDERE_TEST_SFTPGO_URL is the address of an SFTPGo whose administrator is admin/admin and whose users may be made and
removed. Users of other names than these tests' are let be.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import argon2
import httpx2
import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.passwords import Passwords
from belvedere.intake.sftp.model import ALL, Change, Permission
from belvedere.intake.sftp.service import SftpUsers
from belvedere.intake.sftpgo.adoption import SftpGoAdoption
from belvedere.intake.sftpgo.api import SftpGo
from belvedere.intake.sftpgo.model import Candidate, Outcome
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.testing import TwinSftpGo
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Forbidden, NotFound
from belvedere.kernel.secret import Secret
from belvedere.reactions import REACTIONS
from belvedere.tenants.service import Tenants

URL = os.environ.get("BELVEDERE_TEST_SFTPGO_URL", "")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk0C7nYJmXlcO8g3wFhXkq1z1G3V2JXxHMJx4d0wq0N"
OF_ANOTHER = 'belvedere {"installation":"another","tenant":7,"user":""}'
PASSWORD = "a password of theirs"

pytestmark = pytest.mark.contract


@dataclass
class World:
    """An SFTPGo with users of its own, and a tenant `acme` with a name that no other run has."""

    server: SftpGo
    twin: TwinSftpGo | None
    root: Path
    users: SftpUsers
    tenants: Tenants
    kept: SftpGoUsers
    adoption: SftpGoAdoption
    tag: str = field(default_factory=lambda: f"t{uuid4().hex[:10]}")

    @property
    def acme(self) -> int:
        return self.tenants.get(SYSTEM, f"{self.tag}-acme").serial

    def there(self, name: str, home: str = "", **more: Any) -> dict[str, Any]:
        """Make a user as a person or a script does."""
        self.server.make({
            "username": self.named(name), "status": 1, "home_dir": home or f"{self.root}/{self.tag}-acme",
            "permissions": {"/": ["*"]}, "password": PASSWORD, "filesystem": {"provider": 0},
        } | more)  # fmt: skip
        return self.whole(name)

    def named(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def whole(self, name: str) -> dict[str, Any]:
        """Return all that SFTPGo says of a user, but when it was changed and what it counts."""
        seen = self.server.user(self.named(name))
        assert seen is not None
        passing = {"updated_at", "last_quota_update", "used_quota_size", "used_quota_files", "last_login"}
        return {key: value for key, value in seen.whole.items() if key not in passing}

    def look(self) -> dict[str, Candidate]:
        """Return what could be taken over of this test's users."""
        found = self.adoption.look(SYSTEM)
        return {one.name.removeprefix(f"{self.tag}-"): one for one in found if one.name.startswith(self.tag)}

    def take(self) -> dict[str, Candidate]:
        found = [one for name in sorted(self.look()) for one in self.adoption.take(SYSTEM, name=self.named(name))]
        return {one.name.removeprefix(f"{self.tag}-"): one for one in found}

    def steps(self) -> list[tuple[str, str]]:
        return [(str(step.sign), step.deed.name) for step in self.kept.plan(SYSTEM, self.acme).steps]

    def signs_in(self, name: str, password: str) -> bool:
        """Tell whether a user gets in; the twin knows no passwords, so it tells whether there is one."""
        if self.twin is not None:
            return bool(self.twin.users[self.named(name)].get("has_password"))
        answer = httpx2.get(f"{URL}/api/v2/user/token", auth=(self.named(name), password))
        return answer.status_code == 200


@pytest.fixture(params=["twin", "real"])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[World]:
    if request.param == "real" and not URL:
        pytest.skip("BELVEDERE_TEST_SFTPGO_URL names no SFTPGo")
    twin = TwinSftpGo() if request.param == "twin" else None
    server = SftpGo(URL or "http://sftpgo.test", "admin", Secret("admin"), transport=twin, pause=lambda _: None)
    history, queue = FileHistory(tmp_path / "history"), JobQueue(database, REACTIONS)
    tenants = Tenants(database=database, history=history, queue=queue)
    passwords = Passwords(argon2.PasswordHasher.from_parameters(argon2.profiles.CHEAPEST))
    users = SftpUsers(database=database, history=history, queue=queue, tenants=tenants, passwords=passwords)
    root = tmp_path / "data"
    kept = SftpGoUsers(
        database=database, history=history, queue=queue, users=users, server=server, root=str(root)
    )
    made = World(
        server, twin, root, users, tenants, kept, SftpGoAdoption(history=history, users=users, kept=kept)
    )
    tenants.create(SYSTEM, f"{made.tag}-acme")
    yield made
    for one in list(server.users()):
        if made.tag in one.name:
            server.remove(one.name)
    history.close()
    server.close()


def test_a_user_is_taken_over_as_it_is(world: World) -> None:
    before = world.there(
        "lab", f"{world.root}/{world.tag}-acme/lab/", public_keys=[f"{KEY} night@lab"], quota_size=10**9,
        quota_files=50, email="lab@example.org", additional_info="made by the playbook\nin 2024", max_sessions=3,
        permissions={"/": ["*"], "/locked": ["list"]}, description="of the predecessor",
    )
    shown = world.look()["lab"]
    assert (shown.outcome, shown.tenant, shown.folder, shown.permissions, shown.has_password, len(shown.keys)) == (
        Outcome.ADOPT, world.acme, "lab", ALL, True, 1,
    )  # fmt: skip
    assert world.whole("lab") == before, "looking changes nothing"
    assert world.take()["lab"].taken
    after = world.whole("lab")
    mark, rest = after["additional_info"].split("\n", 1)
    assert mark.startswith("belvedere {") and rest == "made by the playbook\nin 2024"
    assert after | {"additional_info": rest} == before
    assert world.signs_in("lab", PASSWORD)
    assert world.steps() == [] and world.look() == {}
    user = world.users.get(SYSTEM, world.acme, world.named("lab"))
    assert (user.source, user.folder, user.quota_bytes, [one.line for one in user.keys]) == (
        "sftpgo", "lab", 10**9, [KEY],
    )  # fmt: skip


def test_what_is_changed_here_afterwards_changes_there_and_nothing_else(world: World) -> None:
    before = world.there("lab", public_keys=[f"{KEY} night@lab"], status=0, additional_info="theirs")
    world.take()
    assert world.users.get(SYSTEM, world.acme, world.named("lab")).disabled_at is not None
    world.users.set_disabled(SYSTEM, world.acme, world.named("lab"), disabled=False)
    world.users.change(SYSTEM, world.acme, world.named("lab"), Change(quota_files=9))
    assert world.steps() == [("~", world.named("lab"))]
    world.kept.apply(SYSTEM, world.acme)
    after = world.whole("lab")
    assert after["additional_info"].endswith("\ntheirs")
    assert after | {"additional_info": "theirs"} == before | {"status": 1, "quota_files": 9}
    assert world.signs_in("lab", PASSWORD)
    world.users.change(SYSTEM, world.acme, world.named("lab"), Change(permissions=(Permission.READ,)))
    world.kept.apply(SYSTEM, world.acme)
    assert world.whole("lab")["permissions"] == {"/": ["list", "download"]}
    world.users.reset_password(SYSTEM, world.acme, world.named("lab"), Secret("a password of ours"))
    world.kept.apply(SYSTEM, world.acme)
    assert world.signs_in("lab", "a password of ours") and world.steps() == []
    world.users.remove(SYSTEM, world.acme, world.named("lab"))
    world.kept.apply(SYSTEM, world.acme)
    assert world.server.user(world.named("lab")) is None


def test_a_user_that_is_to_come_in_by_its_keys_alone_loses_the_password_that_it_had_there(world: World) -> None:
    world.there("lab", public_keys=[f"{KEY} night@lab"])
    world.there("keys", public_keys=[KEY], password="")
    world.take()
    assert [one.has_password for one in world.users.list(SYSTEM, world.acme)] == [False, True]
    world.users.forget_password(SYSTEM, world.acme, world.named("lab"))
    assert world.steps() == [("~", world.named("lab"))]
    world.kept.apply(SYSTEM, world.acme)
    assert not world.signs_in("lab", PASSWORD) and world.steps() == []
    assert world.whole("lab")["public_keys"] == [f"{KEY} night@lab"]
    assert not world.users.get(SYSTEM, world.acme, world.named("lab")).has_password


def test_what_is_changed_there_by_hand_is_set_back_to_what_it_was_taken_over_as(world: World) -> None:
    world.there("lab", permissions={"/": ["list", "download", "upload", "overwrite", "chmod"]})
    world.take()
    seen = world.server.user(world.named("lab"))
    assert seen is not None
    world.server.change(seen.name, dict(seen.whole) | {"permissions": {"/": ["list"]}}, disconnect=False)
    assert world.steps() == [("~", world.named("lab"))]
    world.kept.apply(SYSTEM, world.acme)
    assert set(world.whole("lab")["permissions"]["/"]) == {"list", "download", "upload", "overwrite"}
    assert world.signs_in("lab", PASSWORD)


def test_what_cannot_be_taken_over_says_why_and_is_not_touched(world: World) -> None:
    world.users.add(SYSTEM, world.acme, name=world.named("ours"), password=Secret("violet kettle 93"))
    before = {
        "ours": world.there("ours"),
        "stray": world.there("stray", f"{world.root}/{world.tag}-nobody"),
        "another": world.there("another", additional_info=OF_ANOTHER),
        "idle": world.there("idle", permissions={"/": ["chmod"]}),
        "blank name": world.there("blank name"),
        "elsewhere": world.there("elsewhere", f"/srv/{world.tag}"),
        "the root": world.there("the root", str(world.root)),
        "beside": world.there("beside", f"{world.root}-other/{world.tag}-acme"),
    }
    taken = world.take()
    assert {name: one.outcome for name, one in taken.items()} == dict.fromkeys(
        ["another", "blank name", "idle", "ours", "stray"], Outcome.REFUSED
    )
    assert all(one.why and not one.taken for one in taken.values())
    assert f"tenant create {world.tag}-nobody" in taken["stray"].hint
    assert {name: world.whole(name) for name in before} == before
    assert [one.name for one in world.users.list(SYSTEM, world.acme)] == [world.named("ours")]
    world.kept.apply(SYSTEM, world.acme)
    assert {name: world.whole(name) for name in before} == before


def test_what_was_cut_off_is_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.there("lab")
    monkeypatch.setattr(world.server, "change", lambda *_, **__: False)
    assert world.take()["lab"].outcome is Outcome.REFUSED
    monkeypatch.undo()
    world.kept.apply(SYSTEM, world.acme)
    assert world.whole("lab") == before, "without the mark it is not ours"
    assert world.look()["lab"].outcome is Outcome.FINISH
    assert world.take()["lab"].taken and world.look() == {} and world.steps() == []


def test_operators_alone_take_over(world: World) -> None:
    world.there("lab")
    admin = Actor(name="alice", role=Role.ADMIN, tenant=world.acme, door="api")
    for who in (admin, Actor(name="vera", role=Role.VIEWER, door="api")):
        for deed in (world.adoption.look, world.adoption.take):
            with pytest.raises((Forbidden, NotFound)):
                deed(who)
    assert world.look()["lab"].outcome is Outcome.ADOPT
