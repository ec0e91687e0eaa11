"""SFTPGo: two users made there, one taken over; events told by HTTP and by a command while nobody listened."""

from contextlib import suppress
from typing import Any

from belvedere.intake.hooks import spool
from belvedere.intake.hooks.event import of_json
from belvedere.intake.hooks.service import Heard
from belvedere.intake.sftpgo.adoption import SftpGoAdoption
from belvedere.intake.sftpgo.api import SftpGo
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.testing import TwinSftpGo
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Conflict
from belvedere.kernel.secret import Secret

COVERS = (
    "intake.hook.before-keep", "intake.hook.kept", "intake.spool.taken", "intake.sftpgo.before-step",
    "intake.sftpgo.taken", "intake.sftpgo.adopted",
)


def act(world: Any) -> None:
    """Bring about the end state from wherever a crash left it: SFTPGo tells again what was not answered."""
    services = world.services
    with suppress(Conflict):
        services.tenants.create(SYSTEM, "acme")
    serial = services.tenants.get(SYSTEM, "acme").serial
    for name in ("acme-night", "acme-day"):
        with suppress(Conflict):
            services.sftp.add(SYSTEM, serial, name=name, password=Secret("violet kettle 93"))
    users = SftpGoUsers(
        database=services.database, history=services.history, queue=services.queue, users=services.sftp, root="/srv",
        server=SftpGo("http://sftpgo.test", "admin", Secret("admin"), transport=TwinSftpGo(world.home / "twin.json")),
    )
    world.once("by-hand", lambda: users.reached().make({
        "username": "by-hand", "status": 1, "home_dir": "/srv/acme", "permissions": {"/": ["*"]}, "password": "theirs",
    }))  # fmt: skip
    SftpGoAdoption(history=services.history, users=services.sftp, kept=users).take(SYSTEM)
    users.provision("")
    root = services.settings.path(services.settings.data_root)
    body = (
        f'{{"action":"upload","username":"acme","path":"{root}/acme/c/a.tsv","virtual_path":"/c/a.tsv","status":1,'
        '"session_id":"SFTP_1","timestamp":1795252416338930491}'
    )
    services.hooks().take([Heard(of_json(body.encode()), "127.0.0.1")])
    folder = services.settings.path(services.settings.hook_dir)
    spool.prepare(folder)
    world.once("kept", lambda: _keep(folder, root))
    services.hook_door().drain()


def _keep(folder: Any, root: Any) -> None:
    name = f"{1:020}-1-{'a' * 12}"
    said = f"NUMBER={name}\0SFTPGO_ACTION=mkdir\0SFTPGO_ACTION_PATH={root}/acme/d\0"
    (folder / "spool" / f"{name}.event").write_text(said)


def check(world: Any) -> None:
    """Everything is there, once."""
    services = world.services
    twin = TwinSftpGo(world.home / "twin.json")
    wanted = {one.user.name for one in services.sftp.everybody()}
    assert set(twin.users) == wanted >= {"acme-night", "acme-day", "by-hand"}
    kept = twin.users["by-hand"]
    assert (kept["permissions"], kept["has_password"]) == ({"/": ["*"]}, True)
    assert kept["additional_info"].startswith("belvedere {")
    with services.database.transaction() as connection:
        noted = connection.execute("SELECT path, what FROM intake_event WHERE via IN ('sftpgo', 'command')").fetchall()
    assert sorted((row["path"], row["what"]) for row in noted) == [("c/a.tsv", "closed"), ("d", "made")]
    assert list((services.settings.path(services.settings.hook_dir) / "spool").iterdir()) == []
