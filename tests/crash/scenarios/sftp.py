"""SFTP: a user made, one removed, and a file sent over the protocol alone."""

import struct
from contextlib import suppress
from typing import Any

from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.model import ALL
from belvedere.intake.sftp.quota import Quota
from belvedere.intake.sftp.uploads import begin
from belvedere.intake.sftp.wire import Flag
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Conflict, NotFound

COVERS = (
    "intake.sftp-user.before-commit", "intake.sftp-user.before-remove", "intake.sftp-upload.before-rename",
    "intake.sftp-upload.after-rename",
)


def act(world: Any) -> None:
    """Bring about the end state from wherever a crash left it: a client sends again what was not confirmed."""
    services = world.services
    with suppress(Conflict):
        services.tenants.create(SYSTEM, "acme")
    serial = services.tenants.get(SYSTEM, "acme").serial
    with suppress(Conflict):
        services.sftp.add(SYSTEM, serial)
    world.once("leaver", lambda: services.sftp.add(SYSTEM, serial, name="acme-leaver"))
    with suppress(NotFound):
        services.sftp.remove(SYSTEM, serial, "acme-leaver")
    root = services.settings.path(services.settings.data_root)
    root.mkdir(parents=True, exist_ok=True)
    home = Home(root, "acme", "", permissions=frozenset(ALL), quota=Quota(0, 0), tell=lambda *_: None)
    upload: Any = begin(home, b"m.tsv", Flag.WRITE | Flag.CREATE | Flag.TRUNCATE)
    upload.write(0, struct.pack(">I", 7))
    upload.published(upload.publish(flush=True))
    home.close()


def check(world: Any) -> None:
    """One user is there, once; the file is whole and nothing lies beside it."""
    services = world.services
    assert [one.user.name for one in services.sftp.everybody()] == ["acme"]
    folder = services.settings.path(services.settings.data_root) / "acme"
    assert [(one.name, one.read_bytes()) for one in folder.iterdir()] == [("m.tsv", struct.pack(">I", 7))]
