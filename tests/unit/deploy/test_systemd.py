"""The units for systemd: systemd understands them, and what they name is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from belvedere.cli import installation
from belvedere.cli.main import NOUNS
from belvedere.kernel.settings import described
from belvedere.node import parts, postgres

PLACE = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
PROGRAM = "/opt/belvedere/.venv/bin/belvedere"
PARTS = ("web", "jobs", "intake", "sftp", "gateway")
UNITS = sorted(PLACE.rglob("*.service")) + sorted(PLACE.rglob("*.conf"))


def values(unit: Path, key: str) -> list[str]:
    """Return what a unit says for a key."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_systemd_understands_every_unit(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    started = []
    for unit in PLACE.glob("*.service"):
        text = unit.read_text().replace(PROGRAM, str(Path(sys.executable).with_name("belvedere")))
        for part in PARTS if "@" in unit.name else ("",):
            started.append(tmp_path / unit.name.replace("@", f"@{part}"))
            started[-1].write_text(text)
    done = subprocess.run([verify, "verify", "--man=no", *started], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_names_only_settings_and_commands_that_exist(unit):
    known = {row.name for row in described()} | {"INFLUXD_HARDENING_ENABLED"}
    for line in values(unit, "Environment"):
        for pair in line.split():
            assert pair.partition("=")[0] in known
    for line in values(unit, "ExecStart"):
        program, command = line.split()
        assert program == PROGRAM
        assert set(PARTS if command == "%i" else {command}) <= set(NOUNS)


def test_influxdb_starts_hardened():
    assert values(PLACE / "influxdb.service.d" / "hardening.conf", "Environment") == ["INFLUXD_HARDENING_ENABLED=true"]


def test_nobody_is_killed_while_the_supervisor_ends_its_parts_one_after_the_other():
    longest = len(PARTS) * parts._PATIENCE_S + postgres._ENDING_S
    [patience] = values(PLACE / "belvedere.service", "TimeoutStopSec")
    assert min(float(patience), installation._STOPPING_S) > longest
