"""`belvedere up`, `down`, `status` and what they do when something is in the way or dies."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

BELVEDERE = Path(sys.executable).with_name("belvedere")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def until(condition: Any, what: str, seconds: float = 60) -> Any:
    import time

    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)  # between two looks
    return answer


def state(shell: Any) -> dict[str, Any]:
    return json.loads(shell.ok("status", "--json"))


def parts(shell: Any) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in state(shell)["parts"]}


def well(shell: Any) -> dict[str, dict[str, Any]] | None:
    found = parts(shell)
    return found if {one["state"] for one in found.values()} == {"running"} and len(found) == 4 else None


def test_a_life_of_an_installation(shell: Any) -> None:
    assert state(shell)["state"] == "stopped"
    said = shell.ok("up", "--detach")
    assert "sign in as admin with the password" in said
    assert f"http://127.0.0.1:{shell.port}" in said
    now = state(shell)
    assert (now["state"], now["url"], now["version"]) == ("running", f"http://127.0.0.1:{shell.port}", "0.1.0")
    assert httpx2.get(now["url"], follow_redirects=True).status_code == 200
    # Its runner is still starting; the answer waits for it, and for the tenant.
    assert json.loads(shell.ok("tenant", "create", "dana", "--json"))["state"] == "ready"
    again = shell.run("up")
    assert again.returncode == 2
    assert "runs already" in again.stderr
    assert len(again.stderr.strip().splitlines()) <= 3
    kill_each_part(shell)
    log = (shell.home / "logs" / "app.log").read_text()
    assert "password the" not in log
    shell.ok("down")
    assert state(shell)["state"] == "stopped"
    assert "password" not in shell.ok("up", "--detach")
    kill_the_supervisor(shell)
    assert "first page ready" in shell.ok("up", "--detach")
    shell.ok("down")


def kill_each_part(shell: Any) -> None:
    """Every part that is killed comes back, and only that one."""
    for name in ("web", "jobs", "postgres"):
        before = until(lambda: well(shell), "all parts run")
        os.kill(before[name]["pid"], signal.SIGKILL)
        old = before[name]["pid"]
        until(lambda name=name, old=old: parts(shell)[name]["pid"] not in {None, old}, f"{name} is started again")
        after = until(lambda: well(shell), "all parts run again")
        assert after[name]["restarts"] == before[name]["restarts"] + 1
    until(lambda: httpx2.get(f"http://127.0.0.1:{shell.port}/health").status_code == 200, "the portal is well")


def kill_the_supervisor(shell: Any) -> None:
    """Nothing is left behind by one that is killed."""
    now = state(shell)
    pids = [now["pid"], *(part["pid"] for part in now["parts"])]
    os.kill(now["pid"], signal.SIGKILL)
    # The parts end by themselves, and who asks for it waits for them.
    shell.ok("down")
    assert not any(alive(pid) for pid in pids)
    assert state(shell)["state"] == "stopped"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_stops_it_cleanly(shell: Any) -> None:
    with subprocess.Popen(
        [BELVEDERE, "up"], env=shell.environment, cwd=shell.home.parent, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        until(lambda: "Ctrl-C stops it" in process.stdout.readline(), "the start")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "stopping" in rest
    assert "Traceback" not in rest
    assert not (shell.home / "postgres" / "data" / "postmaster.pid").exists()


def test_a_taken_port_is_one_sentence(shell: Any) -> None:
    with socket.create_server(("127.0.0.1", shell.port)):
        done = shell.run("up")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: Port {shell.port} on 127.0.0.1 is taken")
    assert f"try: PORT={shell.port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_of_an_optional_part_keeps_nothing_else_from_starting(shell: Any, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (folder / "hook").mkdir()
        (folder / "hook").chmod(0o757)
        shell.environment |= {
            "BELVEDERE_SFTP": "1", "BELVEDERE_SFTP_PORT": str(taken), "BELVEDERE_HOOK_DIR": str(folder / "hook"),
        }
        said = shell.ok("up", "--detach")
        assert f"sftp does not listen. Port {taken} on 127.0.0.1 is taken by another program." in said
        assert f"BELVEDERE_SFTP_PORT={taken + 1}" in said
        now = state(shell)
        assert now["state"] == "partial"
        sftp = next(one for one in now["parts"] if one["name"] == "sftp")
        assert sftp["state"] == "waiting"
        assert f"BELVEDERE_SFTP_PORT={taken + 1}" in sftp["hint"]
        well = httpx2.get(f"http://127.0.0.1:{shell.port}/health", headers={"Accept": "application/json"}).json()
        assert {"name": "sftp", "state": "needs you"} in well["parts"]
        away = {"GRAFANA_URL": "http://127.0.0.1:9", "GRAFANA_USER": "admin", "GRAFANA_PASSWORD": "x"}
        examined = shell.run("doctor", "--json", **away)
        found = {one["name"]: one for one in json.loads(examined.stdout)["items"]}
        assert (found["grafana"]["state"], found["grafana"]["found"]) == ("needs you", "Grafana cannot be reached.")
        assert found["sftp"]["state"] == "needs you"
        assert str(taken) in found["sftp"]["found"]
        assert examined.returncode == 1
        # The door of the command hook is refused where everybody could reach it, and the part goes on without.
        until(lambda: parts(shell)["intake"]["state"] == "partial", "the intake says what it lacks")
        assert "does not hear the command hook" in parts(shell)["intake"]["note"]
    until(lambda: parts(shell)["sftp"]["state"] == "running", "it listens when the port is free")
    pids = [state(shell)["pid"], *(one["pid"] for one in parts(shell).values())]
    assert shell.ok("down").startswith("Stopped")
    assert not any(alive(pid) for pid in pids)


def test_a_sealing_key_that_is_none_is_refused_before_anything_starts(shell: Any) -> None:
    done = shell.run("up", BELVEDERE_MASTER_KEY="hello")
    assert done.returncode == 1
    assert done.stderr.startswith("error: BELVEDERE_MASTER_KEY does not hold a sealing key")
    assert not shell.home.exists()


def test_commands_on_an_installation_that_does_not_run_say_what_to_do(shell: Any) -> None:
    done = shell.run("tenant", "list")
    assert done.returncode == 1
    assert "try: belvedere up" in done.stderr
    assert shell.ok("down").startswith("Nothing runs")
