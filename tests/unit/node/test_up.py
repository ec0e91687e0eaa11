"""`belvedere up`, `down`, `status` and what they do when something is in the way or dies."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
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
    until(lambda: not any(alive(pid) for pid in pids), "every process has ended")
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


def test_backup_and_restore_under_another_path_beside_the_first(shell: Any, folder: Path) -> None:
    shell.ok("up", "--detach")
    shell.ok("tenant", "create", "alice")
    until(lambda: json.loads(shell.ok("tenant", "show", "alice", "--json"))["state"] == "ready", "alice is ready")
    write_a_table(shell)
    measure(shell)
    before = until(lambda: json.loads(shell.ok("dashboard", "list", "--json"))["items"], "a dashboard")
    shell.ok("backup", str(folder / "all.tar"), "--with-keys", str(folder / "keys.tar"))
    assert (folder / "all.tar").stat().st_mode & 0o077 == 0
    other = type(shell)(folder / "elsewhere")
    try:
        refused = other.run("restore", str(folder / "all.tar"))
        assert refused.returncode == 2
        assert "the key is not here" in refused.stderr
        assert not other.home.exists()
        other.ok("restore", str(folder / "all.tar"), "--keys", str(folder / "keys.tar"))
        assert other.run("restore", str(folder / "all.tar")).returncode == 2
        assert "password" not in other.ok("up", "--detach")
        after = json.loads(other.ok("dashboard", "list", "--json"))["items"]
        assert [one["id"] for one in after] == [one["id"] for one in before]
        assert rows_of_the_table(other) == 3
        assert measured(other) == [230.5]
        assert other.run("history", "verify").returncode == 0
        # Both run now, and neither touches the other.
        shell.ok("tenant", "create", "later")
        assert [one["name"] for one in json.loads(other.ok("tenant", "list", "--json"))["items"]] == ["alice"]
        other.ok("down")
        assert state(shell)["state"] in {"running", "partial"}
        assert rows_of_the_table(shell) == 3
    finally:
        other.run("down")


def world(shell: Any) -> Any:
    from belvedere.kernel.settings import load

    return load({"BELVEDERE_HOME": str(shell.home), "PORT": str(shell.port)}, shell.home / "no.env")


def measure(shell: Any) -> None:
    """Write a value into a campaign of alice's."""
    import polars as pl

    from belvedere.app import build
    from belvedere.kernel.actor import SYSTEM

    tags = {"channel_id": "M1_U1", "channel_unit": "V", "device_master_sn": "1"}
    channels = [SimpleNamespace(field="M1_U1_V", tags=tags)]
    frame = pl.DataFrame({"time": [1_760_000_000], "a": [230.5]})
    services = build(world(shell))
    try:
        serial = services.tenants.get(SYSTEM, "alice").serial
        services.points.prepare(serial, "site")
        batch: Any = SimpleNamespace(measurement="electrical", channels=channels, frame=frame)
        services.points.write(serial, "site", [batch])
    finally:
        services.close()


def measured(shell: Any) -> list[float]:
    """Return the campaign's values as the tenant's reader sees them."""
    from belvedere.app import build
    from belvedere.kernel.actor import SYSTEM

    services = build(world(shell))
    try:
        serial = services.tenants.get(SYSTEM, "alice").serial
        store = next(one for one in services.stores.of_tenant(serial) if one.kind == "series")
        with services.stores.reader(store.id) as connection:
            return [row["voltage_v"] for row in connection.execute("SELECT voltage_v FROM public.site").fetchall()]
    finally:
        services.close()


def connect(shell: Any) -> Any:
    """Connect as alice's writer, as her credentials tell it."""
    import psycopg

    from belvedere.app import build
    from belvedere.kernel.actor import SYSTEM

    services = build(world(shell))
    try:
        serial = services.tenants.get(SYSTEM, "alice").serial
        keys = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS", "dbname": "DB_NAME_QOR"}
        read = {word: services.credentials.read(serial, key).reveal() for word, key in keys.items()}
    finally:
        services.close()
    return psycopg.connect(**read)


def write_a_table(shell: Any) -> None:
    with connect(shell) as connection:
        connection.execute(
            "CREATE TABLE runs (id bigserial PRIMARY KEY, run_date timestamptz, design text, wns_ns numeric)"
        )
        connection.execute(
            "INSERT INTO runs (run_date, design, wns_ns) SELECT now(), 'gcd', -0.1 * n FROM generate_series(1, 3) n"
        )


def rows_of_the_table(shell: Any) -> int:
    with connect(shell) as connection:
        connection.execute("INSERT INTO runs (design) VALUES ('the sequence goes on')")
        return int(connection.execute("SELECT max(id) - 1 FROM runs").fetchone()[0])
