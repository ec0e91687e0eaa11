"""Where the hook's doors stand: beside the event stream, and as a program in the place of a script of today."""

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from tests.unit.intake.hooks.conftest import Rig
from tests.unit.intake.hooks.test_command import UPLOAD, spooled

from belvedere.app import Services
from belvedere.intake.hooks.install import BEFORE, install, program
from belvedere.intake.hooks.service import HEADER, PATH
from belvedere.intake.hooks.wire import roots_of
from belvedere.kernel.errors import Rejected
from belvedere.live import Portal


def test_the_portal_serves_the_hook_and_pages_as_before(installed: Services) -> None:
    secret = installed.hook_secrets()[0].reveal()
    root = roots_of(installed.settings)[0]
    body = {"action": "mkdir", "username": "acme", "path": f"{root}/acme/from-portal", "status": 1}

    async def run() -> list[int]:
        portal = Portal(lambda: installed)
        transport = httpx2.ASGITransport(app=portal, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url="http://belvedere.test") as client:
            found = [
                await client.post(PATH, json=body, headers={HEADER: secret}),
                await client.post(PATH, json=body, headers={HEADER: "wrong"}),
                await client.get("/health"),
            ]
        assert portal._hooks is not None
        await portal._hooks.close()
        assert portal._listening is not None
        portal._listening.cancel()
        return [one.status_code for one in found]

    assert asyncio.run(run())[:2] == [200, 401]
    with installed.database.transaction() as connection:
        found = connection.execute("SELECT FROM intake_event WHERE path = 'from-portal'").fetchall()
    assert len(found) == 1


def test_a_secret_that_is_set_counts_alone(installed: Services) -> None:
    derived = installed.hook_secrets()
    from belvedere.kernel.secret import Secret

    given = replace(installed, settings=replace(installed.settings, hook_secret=Secret("given")))
    assert [one.reveal() for one in given.hook_secrets()] == ["given"]
    assert derived[0] not in given.hook_secrets() and len(derived[0].reveal()) == 64


def test_the_program_takes_the_place_of_a_script_and_stands_alone(rig: Rig, tmp_path: Path) -> None:
    script = tmp_path / "on-upload.sh"
    script.write_text("#!/bin/sh\nexit 7\n")
    script.chmod(0o700)
    aside = install(script, rig.folder)
    assert aside is not None and aside.read_text().endswith("exit 7\n")
    assert rig.folder.stat().st_mode & 0o777 == 0o700
    assert subprocess.run([script], env=UPLOAD, check=False).returncode == 0
    assert len(spooled(rig)) == 1
    assert rig.local().drain() == 1
    assert rig.noted() == [("acme", "camp/a.tsv", "closed")]
    # Again: our own program is replaced, and what was put aside stays.
    assert install(script, rig.folder / "other") is None
    assert aside.read_text().endswith("exit 7\n")
    script.write_text("#!/bin/sh\nexit 8\n")
    with pytest.raises(Rejected, match=BEFORE):
        install(script, rig.folder)
    assert script.read_text().endswith("exit 8\n")


def test_a_place_that_cannot_be_written_is_said_so(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be written"):
        install(tmp_path / "no" / "such" / "folder" / "hook", rig.folder)
    assert os.access(program(rig.folder).splitlines()[0].removeprefix("#!").split()[0], os.X_OK)
