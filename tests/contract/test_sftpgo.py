"""What keeping an SFTPGo's users in step promises: on the twin, and on the real one that the environment names.

BELVEDERE_TEST_SFTPGO_URL is the address of an SFTPGo whose administrator is admin/admin and whose users may be made and
removed. Users of other names than these tests' are let be.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from belvedere.audit.service import FileHistory
from belvedere.identity.passwords import Passwords
from belvedere.intake.sftp.model import ALL, Key, Known, Permission, User
from belvedere.intake.sftpgo.api import SftpGo
from belvedere.intake.sftpgo.model import Seen
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.testing import TwinSftpGo
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.reactions import REACTIONS

URL = os.environ.get("BELVEDERE_TEST_SFTPGO_URL", "")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk0C7nYJmXlcO8g3wFhXkq1z1G3V2JXxHMJx4d0wq0N"
OF_ANOTHER = 'belvedere {"installation":"another","tenant":7,"user":""}'
NOW = datetime(2026, 11, 22, tzinfo=UTC)

pytestmark = pytest.mark.contract


@dataclass
class World:
    """An SFTPGo, and the users that should be on it."""

    server: SftpGo
    twin: TwinSftpGo | None
    tag: str = field(default_factory=lambda: f"t{uuid4().hex[:10]}")
    known: list[Known] = field(default_factory=list)
    service: SftpGoUsers = field(init=False)

    def everybody(self) -> list[Known]:
        return self.known

    def want(self, name: str, *, tenant: int = 7, password: str = "", **more: Any) -> Known:
        """Let a user be wanted, in place of one of the same name."""
        user = User(**({
            "id": UUID(int=len(self.known) + 1), "tenant": tenant, "tenant_name": f"tenant {tenant}",
            "name": self.named(name), "folder": "", "permissions": ALL, "quota_bytes": 0, "quota_files": 0,
            "source": "embedded", "has_password": bool(password), "keys": (), "disabled_at": None, "created_at": NOW,
            "created_by": "root", "changed_at": NOW, "seen_at": None,
        } | more))  # fmt: skip
        made = Known(user, Passwords().hash(Secret(password)) if password else None)
        self.known = [one for one in self.known if one.user.name != user.name] + [made]
        return made

    def named(self, name: str) -> str:
        return f"{self.tag} {name}"

    def seen(self, name: str) -> Seen | None:
        return self.server.user(self.named(name))

    def steps(self, tenant: int | None = 7) -> list[tuple[str, str]]:
        """Plan, and return sign and name of each step that is about a user of this test."""
        found = self.service.plan(SYSTEM, tenant).steps
        return [(step.sign, step.deed.name.removeprefix(f"{self.tag} ")) for step in found if self.tag in step.key]

    def apply(self, tenant: int = 7) -> None:
        self.service.apply(SYSTEM, tenant)

    def by_hand(self, name: str, **changes: Any) -> None:
        """Change a user as a person does on SFTPGo's own pages."""
        seen = self.seen(name)
        assert seen is not None
        assert self.server.change(seen.name, dict(seen.whole) | changes, disconnect=False)

    def signs_in(self, name: str, password: str) -> bool:
        """Tell whether a user gets in; the twin knows no passwords, so it tells whether there is one."""
        if self.twin is not None:
            return bool(self.twin.users[self.named(name)].get("has_password"))
        answer = httpx2.get(f"{URL}/api/v2/user/token", auth=(self.named(name), password))
        return answer.status_code == 200


@pytest.fixture(params=["twin", "real"])
def world(request: pytest.FixtureRequest, database: Database, tmp_path: Any) -> Iterator[World]:
    if request.param == "real" and not URL:
        pytest.skip("BELVEDERE_TEST_SFTPGO_URL names no SFTPGo")
    twin = TwinSftpGo() if request.param == "twin" else None
    server = SftpGo(
        URL or "http://sftpgo.test", "admin", Secret("admin"), transport=twin, pause=lambda _: None
    )
    history = FileHistory(tmp_path / "history")
    made = World(server, twin)
    made.service = SftpGoUsers(
        database=database, history=history, queue=JobQueue(database, REACTIONS), users=made, server=server,
        root=str(tmp_path / "data"),
    )
    yield made
    for one in list(server.users()):
        if made.tag in one.name:
            server.remove(one.name)
    history.close()
    server.close()


def test_a_user_is_made_once_and_as_it_should_be(world: World, tmp_path: Any) -> None:
    world.want("a", password="a fine password", keys=(Key(KEY, 256, "SHA256:x"),), quota_bytes=10**9, quota_files=50)
    assert world.steps() == [("+", "a")]
    world.apply()
    assert world.steps() == []
    seen = world.seen("a")
    assert seen is not None and seen.enabled and seen.has_password and seen.keys == (KEY,)
    assert (seen.home, seen.quota_bytes, seen.quota_files) == (str(tmp_path / "data" / "tenant 7"), 10**9, 50)
    assert set(seen.permissions["/"]) == {
        "list", "download", "upload", "overwrite", "create_dirs", "rename", "delete",
    }  # fmt: skip
    assert seen.mark is not None and seen.mark.tenant == 7
    assert world.signs_in("a", "a fine password")
    world.apply()
    assert world.steps() == []


def test_what_changes_here_changes_there(world: World) -> None:
    world.want("a", password="a fine password")
    world.apply()
    one = world.known[0]
    for user, hashed in (
        (replace(one.user, permissions=(Permission.READ,), folder="sub"), one.password_hash),
        (replace(one.user, keys=(Key(KEY, 256, "SHA256:x"),), quota_files=3), one.password_hash),
        (replace(one.user, keys=(Key(KEY, 256, "SHA256:x"),)), None),
        (replace(one.user, disabled_at=NOW), one.password_hash),
        (one.user, Passwords().hash(Secret("another password"))),
    ):
        world.known = [Known(user, hashed)]
        assert world.steps() == [("~", "a")]
        world.apply()
        assert world.steps() == []
    assert world.signs_in("a", "another password")


@pytest.mark.parametrize("change", [
    {"status": 0}, {"home_dir": "/tmp/elsewhere"}, {"permissions": {"/": ["list"]}}, {"quota_size": 5},
    {"permissions": {"/": ["list", "download", "upload", "overwrite", "create_dirs", "rename", "delete"],
                     "/locked": ["list"]}},
    {"public_keys": [KEY]}, {"password": "set by hand"}, {"password": ""},
])  # fmt: skip
def test_what_is_changed_by_hand_is_seen_and_set_back(world: World, change: dict[str, Any]) -> None:
    world.want("a", password="a fine password")
    world.apply()
    world.by_hand("a", **change)
    assert world.steps() == [("~", "a")]
    world.apply()
    assert world.steps() == []
    assert world.signs_in("a", "a fine password")


def test_what_is_not_ours_to_say_stays_through_a_change(world: World) -> None:
    world.want("a", password="a fine password")
    world.apply()
    world.by_hand("a", email="ops@example.org", filters={"allowed_ip": ["10.0.0.0/8"]}, max_sessions=4)
    assert world.steps() == []
    world.want("a", password="a fine password", quota_files=9)
    world.apply()
    seen = world.seen("a")
    assert seen is not None
    assert (seen.whole["email"], seen.whole["max_sessions"]) == ("ops@example.org", 4)
    assert seen.whole["filters"]["allowed_ip"] == ["10.0.0.0/8"]


def test_a_user_that_is_not_ours_is_never_touched(world: World) -> None:
    theirs = {"username": world.named("a"), "status": 1, "home_dir": "/tmp/theirs", "permissions": {"/": ["list"]},
              "filesystem": {"provider": 0}, "additional_info": OF_ANOTHER}
    world.server.make(theirs)
    world.server.make(theirs | {"username": world.named("b"), "additional_info": "belvedere"})
    world.want("a", password="a fine password")
    found = world.service.plan(SYSTEM, 7)
    assert f"user {world.named('a')}" in found.kept and not found
    world.apply()
    seen = world.seen("a")
    assert seen is not None and seen.home == "/tmp/theirs"
    assert [one.name for one in world.service.differences(SYSTEM) if one.foreign] == [world.named("a")]
    world.known = []
    world.apply()
    assert world.seen("a") is not None and world.seen("b") is not None


def test_users_go_with_their_tenant_and_nobody_elses_do(world: World) -> None:
    world.want("a")
    world.want("b")
    world.want("c", tenant=8)
    for tenant in (7, 8):
        world.apply(tenant)
    world.known = world.known[1:2]
    assert world.steps() == [("-", "a")]
    world.apply()
    assert (world.seen("a"), world.seen("b") is not None, world.seen("c") is not None) == (None, True, True)
    assert ("-", "c") in world.steps(None)
    world.known = []
    world.apply()
    assert world.seen("b") is None


def test_a_refused_user_keeps_nobody_else_waiting(world: World) -> None:
    world.want("a/x")
    world.want("b")
    with pytest.raises(Rejected, match="SFTPGo refuses"):
        world.apply()
    assert world.seen("b") is not None
    assert world.service.look(SYSTEM).problem_type == "sftpgo-refused"


def test_a_name_that_is_taken_is_told_and_an_absent_one_is_no_error(world: World) -> None:
    world.want("a")
    world.apply()
    seen = world.seen("a")
    assert seen is not None
    with pytest.raises(Conflict):
        world.server.make(seen.whole)
    assert world.server.user(world.named("nobody")) is None
    assert not world.server.change(world.named("nobody"), seen.whole | {"username": "x"}, disconnect=True)
    world.server.remove(world.named("nobody"))
    world.server.count_again(world.named("nobody"))
    assert world.server.version()


def test_a_wrong_password_is_stuck_and_in_no_message(world: World) -> None:
    wrong = SftpGo(URL or "http://sftpgo.test", "admin", Secret("not the password"), transport=world.twin)
    with pytest.raises(Stuck) as caught:
        wrong.version()
    assert caught.value.problem == "sftpgo-login" and "not the password" not in str(caught.value)
    wrong.close()


def test_a_token_that_ended_early_is_renewed(world: World) -> None:
    world.server.version()
    if world.twin is not None:
        world.twin.valid.clear()
    else:
        assert world.server._token is not None
        token = world.server._token[0].reveal()
        httpx2.get(f"{URL}/api/v2/logout", headers={"Authorization": f"Bearer {token}"})
    assert world.server.version()
