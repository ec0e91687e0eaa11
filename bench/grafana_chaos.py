"""Fifty tenants made in a real Grafana while runners and Grafana are killed at random; the end must be that of peace.

Two runs on two new Grafanas: one undisturbed, one in which ten times a runner or Grafana itself is killed (SIGKILL) and
started again. Everything that stands in both at the end is exported and compared: organisations, users, data sources,
folders, dashboards, service accounts, permissions. Numbers and versions that Grafana gives are left out, and so is the
permission that Grafana writes down, in a second transaction, for the administrator who made a folder or dashboard: it
is lacking when Grafana was killed in between, and an Admin of the organisation may do all of it anyway.

BELVEDERE_TEST_GRAFANA_START names a program that starts a Grafana and returns when it answers:
`PROGRAM PORT FOLDER`, with the admin `admin`/`admin`, its data and a file `pid` in FOLDER. Without it nothing is run.
BELVEDERE_CHAOS_SEED (7) makes the choices; BELVEDERE_CHAOS_TENANTS (50) is how many.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from server import server

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from grafana import shown

from belvedere.jobs.runner import LOST_EXIT_CODE, run
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.migrate import migrate
from belvedere.kernel.secret import Secret
from belvedere.workspaces.jobs import jobs
from belvedere.workspaces.port import Place
from grafana_world import World, access_of, make

START = os.environ.get("BELVEDERE_TEST_GRAFANA_START", "")
SEED = int(os.environ.get("BELVEDERE_CHAOS_SEED", "7"))
TENANTS = int(os.environ.get("BELVEDERE_CHAOS_TENANTS", "50"))
KILLS = 10
RUNNERS = 2
LONGEST_S = 900.0
MAKER = "admin"
INSTALLATION = "00000000-0000-4000-8000-00000000c4a0"


@dataclass
class Place_:  # noqa: N801
    """One installation with a Grafana of its own."""

    folder: Path
    control: str
    port: int = 0
    runners: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address with its login."""
        return f"http://admin:admin@127.0.0.1:{self.port}"

    def start_grafana(self) -> None:
        """Start Grafana on what it had, and wait until it answers."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        subprocess.run([START, str(self.port), self.folder / "grafana"], check=True, stdout=subprocess.DEVNULL)

    def kill_grafana(self) -> None:
        """Kill it where it stands."""
        pid = int((self.folder / "grafana" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        (self.folder / "grafana" / "pid").unlink()
        while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
            time.sleep(0.02)

    def start_runner(self) -> subprocess.Popen[bytes]:
        """Start a process that works the queue off."""
        with (self.folder / "runners.log").open("ab") as log:
            argv = [sys.executable, __file__, "work", self.url, self.control, str(self.folder)]
            return subprocess.Popen(argv, stdout=log, stderr=log)

    def world(self) -> World:
        """Wire what one process needs."""
        made = make(Database(Secret(self.control), size=12).open(), self.folder, access_of(self.url))
        listed = self.folder / "tenants.json"
        for serial, name in json.loads(listed.read_text()) if listed.exists() else []:
            made.shown[serial] = shown(made, Place(serial, name, name))
        return made


def work(url: str, control: str, folder: str) -> None:
    """Work off the queue until this process is ended."""
    place = Place_(Path(folder), control, int(url.rpartition(":")[2]))
    world, stop = place.world(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(jobs(world.workspaces, world.people, world.moves), world.database, stop, threads=4)
    world.close()


def settle(place: Place_, world: World, places: list[Place], disturb: Callable[[float], None]) -> float:
    """Wait until nothing is left to do for any tenant; return the seconds. What failed is tried as the timer does."""
    began = looked = time.monotonic()
    left = list(places)
    while left:
        done = time.monotonic() - began
        assert done < LONGEST_S, f"{len(left)} tenants are not as they should be: {problems(world, left[0])}"
        disturb(1 - len(left) / len(places))
        with suppress(BelvedereError):
            while left and opened(world, left[0]) and not world.grafana.plan(left[0]):
                left.pop(0)
        for number, runner in enumerate(place.runners):
            if runner.poll() is not None:
                assert runner.returncode == LOST_EXIT_CODE, (place.folder / "runners.log").read_text()[-3000:]
                place.runners[number] = place.start_runner()
        if time.monotonic() - looked > 20:
            looked = time.monotonic()
            world.workspaces.check_all()
        time.sleep(0.05)
    return time.monotonic() - began


def opened(world: World, place: Place) -> bool:
    """Tell whether the tenant's job ended well at least once."""
    with world.database.transaction() as connection:
        row = connection.execute("SELECT kind FROM workspace WHERE tenant_id = %s", [place.tenant]).fetchone()
    return row is not None


def problems(world: World, place: Place) -> object:
    """Say what a job says of a tenant."""
    with world.database.transaction() as connection:
        asked = "SELECT problem FROM grafana_workspace WHERE tenant_id = %s"
        row = connection.execute(asked, [place.tenant]).fetchone()
    return row and row["problem"]


class Fate:
    """Kills ten times, spread over the work, whom and when by the seed."""

    def __init__(self, place: Place_) -> None:
        """Make the choices."""
        self.place = place
        choose = random.Random(SEED)  # noqa: S311
        whom = ("runner", "runner", "grafana")
        self.due = [((number + choose.random()) / KILLS * 0.95, choose.choice(whom)) for number in range(KILLS)]
        if not any(whom == "grafana" for _, whom in self.due):
            self.due[KILLS // 2] = (self.due[KILLS // 2][0], "grafana")
        self.choose = choose
        self.done: list[str] = []

    def strike(self, _share: float) -> None:
        """Kill who is next when so much of the work is done; Grafana is away for a second."""
        share = self.place_share()
        if not self.due or share < self.due[0][0]:
            return
        at, whom = self.due.pop(0)
        if whom == "grafana":
            self.place.kill_grafana()
            time.sleep(self.choose.uniform(0, 1))
            self.place.start_grafana()
        else:
            number = self.choose.randrange(RUNNERS)
            self.place.runners[number].kill()
            self.place.runners[number].wait()
            self.place.runners[number] = self.place.start_runner()
        self.done.append(f"{whom} at {at:.0%}")

    def place_share(self) -> float:
        """Return how much of the work is done: objects on record of all that there will be."""
        with psycopg.connect(self.place.control) as connection:
            row = connection.execute("SELECT count(*) FROM grafana_object").fetchone()
        return (row[0] if row else 0) / (TENANTS * 8)


@contextmanager
def playing(superuser: str, name: str) -> Iterator[tuple[Place_, World, list[Place]]]:
    """Make an installation with fifty tenants that wait, a Grafana, and two runners."""
    folder = Path(tempfile.mkdtemp(prefix=f"belvedere-chaos-{name}-"))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    place = Place_(folder, superuser.rpartition("/")[0] + f"/{name}")
    migrate(Database(Secret(place.control), size=2))
    with psycopg.connect(place.control) as connection:
        connection.execute("UPDATE installation SET id = %s", [INSTALLATION])
    world = None
    try:
        place.start_grafana()
        world = place.world()
        places = [world.tenant(f"chaos{number}") for number in range(TENANTS)]
        (folder / "tenants.json").write_text(json.dumps([[one.tenant, one.name] for one in places]))
        for one in places:
            world.shown[one.tenant] = shown(world, one)
        with world.database.transaction() as connection:
            for one in places:
                world.queue.enqueue(connection, "workspaces.provision", str(one.tenant))
        place.runners = [place.start_runner() for _ in range(RUNNERS)]
        yield place, world, places
    finally:
        for runner in place.runners:
            runner.terminate()
        for runner in place.runners:
            runner.wait(30)
        if world is not None:
            world.close()
            world.database.close()
        with suppress(OSError):
            place.kill_grafana()
        shutil.rmtree(folder, ignore_errors=True)


def export(url: str) -> dict[str, Any]:
    """Return everything that stands in a Grafana, without numbers and versions of Grafana's own."""
    access = access_of(url)
    with httpx2.Client(base_url=access.url, auth=(access.user, access.password.reveal()), timeout=60) as http:

        def get(path: str, number: int = 0) -> Any:  # noqa: ANN401
            answer = http.get(path, headers={"X-Grafana-Org-Id": str(number)} if number else {})
            assert answer.status_code == 200, f"{path}: {answer.text}"
            return answer.json()

        users = {
            one["login"]: {
                "name": one["name"], "admin": one["isAdmin"], "disabled": one["isDisabled"],
                "in": sorted((org["name"], org["role"]) for org in get(f"/api/users/{one['id']}/orgs")),
            }
            for one in get("/api/users?perpage=5000")
        }
        organisations = {}
        for listed in get("/api/orgs?perpage=5000"):
            number = listed["id"]
            whole = get(f"/api/orgs/{number}")
            assert listed["name"] not in organisations
            organisations[listed["name"]] = {
                "address": whole["address"], "users": people(get(f"/api/orgs/{number}/users")),
                "sources": [plain(get(f"/api/datasources/uid/{one['uid']}", number))
                            for one in by(get("/api/datasources", number), "uid")],
                "found": [one | content(get, one, number) for one in
                          (plain(one) for one in by(get("/api/search?limit=5000", number), "uid"))],
                "services": [(one["name"], one["role"], one["isDisabled"], one["tokens"]) for one in
                             by(get("/api/serviceaccounts/search?perpage=1000", number)["serviceAccounts"], "name")],
                "teams": get("/api/teams/search?perpage=1000", number)["totalCount"],
            }
        return {"users": users, "organisations": organisations}


def content(get: Callable[..., Any], one: dict[str, Any], number: int) -> dict[str, Any]:
    """Return what a folder or dashboard holds and who may do what with it."""
    if one["type"] == "dash-folder":
        rights = get(f"/api/folders/{one['uid']}/permissions", number)
        return {"rights": sorted(right(one) for one in rights if one.get("userLogin") != MAKER)}
    whole = get(f"/api/dashboards/uid/{one['uid']}", number)
    rights = get(f"/api/dashboards/uid/{one['uid']}/permissions", number)
    return {
        "document": plain(whole["dashboard"]), "folder": whole["meta"]["folderUid"],
        "rights": sorted(right(one) for one in rights if one.get("userLogin") != MAKER),
    }


def right(one: dict[str, Any]) -> str:
    """Write one permission down."""
    whom = one.get("role") or one.get("userLogin") or one.get("team")
    return f"{whom} {one['permissionName']} {one.get('inherited', False)}"


def people(members: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return who is in an organisation, with roles."""
    return sorted((one["login"], one["role"]) for one in members)


def by(listed: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Sort."""
    return sorted(listed, key=lambda one: str(one[key]))


def plain(one: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Grafana numbers by itself."""
    return {
        key: value for key, value in one.items()
        if key not in {"id", "orgId", "version", "folderId", "folderUrl", "url", "sortMeta", "accessControl"}
    }


def different(one: object, other: object, where: str = "") -> Iterator[str]:
    """Name each place where two exports differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from different(one.get(key, "(none)"), other.get(key, "(none)"), f"{where}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from different(mine, theirs, f"{where}/{number}")
    elif one != other:
        yield f"{where}: {str(one)[:300]} | {str(other)[:300]}"


def main() -> int:
    """Run both, compare; return 1 when they differ."""
    if not START:
        print("Skipped: BELVEDERE_TEST_GRAFANA_START names no program that starts a Grafana (PROGRAM PORT FOLDER).")
        return 0
    exports = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with server() as superuser:
        for name in ("peace", "chaos"):
            with playing(superuser, name) as (place, world, places):
                fate = Fate(place) if name == "chaos" else None
                took = settle(place, world, places, fate.strike if fate else lambda _share: None)
                while fate and fate.due:  # whoever is still due dies while all is done
                    fate.due[0] = (0.0, fate.due[0][1])
                    fate.strike(1.0)
                    took += settle(place, world, places, lambda _share: None)
                exports.append(export(place.url))
                told = f", killed {len(fate.done)} times: {', '.join(fate.done)}" if fate else ""
                print(f"{name}: {len(places)} tenants as they should be after {took:.0f} s{told}", flush=True)
    found = list(different(*exports))
    whole = {key: len(value) for key, value in exports[0].items()}
    print(f"compared {whole}: {'equal' if not found else 'DIFFERENT'} (seed {SEED})")
    print("\n".join(found[:20]))
    return int(bool(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:5])
    else:
        sys.exit(main())
