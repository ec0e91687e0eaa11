"""`belvedere backup` and `restore`: all comes back, under another path, beside the first."""

import asyncio
import json
import os
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from belvedere.kernel.running import read_state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
METER = "02001084\t02001084\t02001084\nMV_T302_V002\tPh 1 V\tVoie1 W\n05/01/26 00:00:00\t230\t1\n"


def until(condition: Any, what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)  # between two looks
    return answer


def items(shell: Any, *command: str) -> list[dict[str, Any]]:
    return json.loads(shell.ok(*command, "--json"))["items"]


def serving(shell: Any, port: int) -> Any:
    shell.environment |= {"BELVEDERE_SFTP": "1", "BELVEDERE_SFTP_PORT": str(port)}
    return shell


def test_backup_and_restore_under_another_path_beside_the_first(
    shell: Any, folder: Path, free_tcp_port_factory: Any
) -> None:
    serving(shell, free_tcp_port_factory()).ok("up", "--detach")
    assert json.loads(shell.ok("tenant", "create", "alice", "--json"))["state"] == "ready"
    write_a_table(shell)
    measure(shell)
    password = json.loads(shell.ok("sftp", "user", "add", "alice", "--json"))["password"]
    send(shell, folder)
    uploads = until(lambda: ended(shell), "both files are done")
    leave_odd_things(shell.home / "data" / "alice")
    files = lying(shell.home)
    before = until(lambda: items(shell, "dashboard", "list"), "a dashboard")
    said = json.loads(shell.ok("backup", str(folder / "all.tar"), "--with-keys", str(folder / "keys.tar"), "--json"))
    assert (said["folders"]["data"]["files"], said["folders"]["data"]["odd"], said["missing"]) == (3, 1, {})
    assert (folder / "all.tar").stat().st_mode & 0o077 == 0
    with tarfile.open(folder / "all.tar") as archive:
        assert not any("belvedere-up" in name for name in archive.getnames())
    other = serving(type(shell)(folder / "elsewhere"), free_tcp_port_factory())
    try:
        refused = other.run("restore", str(folder / "all.tar"))
        assert refused.returncode == 2
        assert "the key is not here" in refused.stderr
        assert not other.home.exists()
        cut_off(other, folder)
        other.ok("restore", str(folder / "all.tar"), "--keys", str(folder / "keys.tar"))
        assert other.run("restore", str(folder / "all.tar")).returncode == 2
        assert lying(other.home) == files
        assert "password" not in other.ok("up", "--detach")
        after = items(other, "dashboard", "list")
        assert [one["id"] for one in after] == [one["id"] for one in before]
        assert rows_of_the_table(other) == 3
        assert measured(other) == [230.5]
        assert sent(other) == uploads
        assert other.run("history", "verify").returncode == 0
        the_same_server(shell, other, password)
        read_again(other, uploads)
        # Both run now, and neither touches the other.
        shell.ok("tenant", "create", "later")
        assert [one["name"] for one in items(other, "tenant", "list")] == ["alice"]
        other.ok("down")
        assert json.loads(shell.ok("status", "--json"))["state"] in {"running", "partial"}
        assert rows_of_the_table(shell) == 3
    finally:
        other.run("down")


def send(shell: Any, folder: Path) -> None:
    (folder / "good.tsv").write_text(METER)
    (folder / "bad.tsv").write_text("nothing of a meter")
    shell.ok("upload", "put", str(folder / "good.tsv"), str(folder / "bad.tsv"), "--tenant", "alice", "--campaign",
             "roof", "--device", "02001084")


def sent(shell: Any) -> list[Any]:
    """Return the uploads of both files; of the odd things one is noted sooner or later."""
    from belvedere.app import build
    from belvedere.kernel.actor import SYSTEM

    # Asked again and again: a command each time would cost a second of a processor.
    services = build(world(shell))
    try:
        found = services.uploads.list(SYSTEM, limit=200).items
    finally:
        services.close()
    return [one for one in found if one.name in {"good.tsv", "bad.tsv"}]


def ended(shell: Any) -> list[Any] | None:
    found = sent(shell)
    return found if {one.state for one in found} == {"parsed", "refused"} else None


def leave_odd_things(home: Path) -> None:
    """Put in a tenant's folder what is not its to keep or not whole, and a file of no kind with an old time."""
    (home / "roof" / ".belvedere-up-later.tsv").write_text("half")
    (home / "roof" / "link").symlink_to("/etc/passwd")
    name = home / os.fsdecode(b"caf\xe9\n.txt")
    name.write_text("letters")
    os.utime(name, (1_600_000_000, 1_600_000_000))


def lying(home: Path) -> dict[str, tuple[bytes, int]]:
    """Return the files of tenants and the reports that belong to an installation, with their content and time."""
    return {
        str(path.relative_to(home)): (path.read_bytes(), int(path.stat().st_mtime))
        for place in ("data", "reports") for path in (home / place).rglob("*")
        if path.is_file() and not path.is_symlink() and ".belvedere-" not in path.name
    }


def cut_off(other: Any, folder: Path) -> None:
    """A restore that died half way says how to begin anew."""
    restore = ("restore", str(folder / "all.tar"), "--keys", str(folder / "keys.tar"))
    assert other.run(*restore, BELVEDERE_FAILPOINT="node.restore.unpacked").returncode == 86
    again = other.run(*restore)
    assert again.returncode == 2
    assert "was cut off" in again.stderr
    assert "belvedere reset" in again.stderr
    other.ok("reset", "--yes")
    assert not other.home.exists()


def the_same_server(shell: Any, other: Any, password: str) -> None:
    """Whoever knew the first server's key and password comes in, and finds its files."""
    port = other.environment["BELVEDERE_SFTP_PORT"]
    line = f"[127.0.0.1]:{port} {(shell.home / 'sftp' / 'host_ed25519.pub').read_text()}"

    async def listed() -> list[str]:
        async with (
            asyncssh.connect("127.0.0.1", int(port), username="alice", password=password, client_keys=None, config=None,
                             known_hosts=asyncssh.import_known_hosts(line)) as connection,
            connection.start_sftp_client() as client,
        ):
            return [str(name) for name in await client.listdir("/roof/02001084/parsed")]

    until(lambda: (found := read_state(other.home)) and found.state == "running", "all parts run")
    assert "good.tsv" in asyncio.run(listed())


def read_again(other: Any, uploads: list[Any]) -> None:
    """A file that was refused is found in `error/` again, though it has another number in this file system."""
    refused = next(one.id for one in uploads if one.state == "refused")
    other.ok("upload", "retry", str(refused))
    done = until(lambda: ended(other), "it ends")
    assert next(one for one in done if one.id == refused).code == "report"


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
