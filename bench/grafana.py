"""Tenants' organisations in a real Grafana: made, looked at, and one dashboard changed, with all records and checks.

Named by BELVEDERE_TEST_GRAFANA_URL (`http://admin:admin@127.0.0.1:3000`, one that may be thrown away); without it, or
without a server there, nothing is measured. The peer for making tenants is Ansible's community.grafana with the same
objects, run in between, from BELVEDERE_BENCH_ANSIBLE (an `ansible-playbook`); it is so slow that its cost of a tenant
is taken from one run of one and one run of four. BELVEDERE_BENCH_TENANTS (1000) is how many are looked at.

Promises: forty times as fast as Ansible; 1,000 tenants with nothing to do looked at in 30 s; one changed dashboard
in Grafana 1 s after it was asked for, by at most five calls; a changed member or data source looked at by at most five.
The gateway's promises are `gateway.py`'s.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx2
from grafana_peer import playbook, run_peer
from server import installation, server

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.port import Place, Publication
from grafana_world import World, access_of, make

URL = os.environ.get("BELVEDERE_TEST_GRAFANA_URL", "").rstrip("/")
PEER = os.environ.get("BELVEDERE_BENCH_ANSIBLE", "")
LOOKED_AT = int(os.environ.get("BELVEDERE_BENCH_TENANTS", "1000"))
MADE = 50
TENANTS_AT_ONCE = 4
READERS = int(os.environ.get("BELVEDERE_BENCH_READERS", "4"))
LEAST_RATIO = 40.0
MOST_LOOK_S = 30.0
MOST_CHANGE_S = 1.0
MOST_CALLS = 5
BOARDS = 3
PANELS = 9


class Counting(httpx2.HTTPTransport):
    """Counts calls, and the answers that were server errors."""

    calls = 0
    errors = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        Counting.calls += 1
        Counting.errors += answer.status_code >= 500
        return answer


def shown(world: World, place: Place, word: str = "") -> list[Publication]:
    """Return a tenant's dashboards, nine panels each."""
    made = []
    for number in range(BOARDS):
        ident = uuid5(UUID(int=9), f"{place.tenant} {place.name} {number}")
        one = world.publication(place, f"Board {number}{word}", ident)
        panel = one.document["panels"][0]
        panels = [
            {**panel, "id": n, "gridPos": {"h": 8, "w": 8, "x": n % 3 * 8, "y": n // 3 * 8}} for n in range(PANELS)
        ]
        made.append(Publication(one.dashboard_id, one.store_id, one.model, {**one.document, "panels": panels}))
    return made


@contextmanager
def world_of(services: Services, folder: Path) -> Iterator[World]:
    """Wire workspaces to that Grafana, on an installation whose records are flushed to disk as anybody's are."""
    access = access_of(URL, workers=4)
    world = make(services.database, folder, access, transport=Counting(limits=httpx2.Limits(max_connections=8)))
    world.grafana.grafana.pause = time.sleep
    try:
        yield world
    finally:
        world.close()


def provision(world: World, name: str) -> Place:
    """Make all that one tenant has in Grafana, and a token that could take pictures."""
    place = world.tenant(name)
    world.shown[place.tenant] = shown(world, place)
    world.workspaces.provision(place.tenant)
    assert world.grafana.capture_pass(place, for_s=600).token
    return place


def made(world: World, names: list[str]) -> tuple[list[Place], float]:
    """Make tenants as the runner does, four at a time; return them and the seconds that they took together."""
    began = time.perf_counter()
    with ThreadPoolExecutor(TENANTS_AT_ONCE) as pool:
        places = list(pool.map(lambda name: provision(world, name), names))
    return places, time.perf_counter() - began


def against_peer(world: World, stamp: str) -> tuple[list[Place], float]:
    """Make fifty tenants around the peer's runs; return them and how many times as fast that was."""
    provision(world, f"warm{stamp}")
    before = Counting.calls, Counting.errors
    places, took = made(world, [f"a{stamp}{n}" for n in range(MADE // 2)])
    theirs = 0.0
    if PEER:
        with tempfile.TemporaryDirectory() as folder:
            document = dict(shown(world, places[0])[0].document)
            book = playbook(Path(folder), URL, document)
            one, four = (run_peer(PEER, book, [f"{stamp}{word}{n}" for n in range(count)])
                         for word, count in (("x", 1), ("y", 4)))
        theirs = (four - one) / 3
    more, later = made(world, [f"b{stamp}{n}" for n in range(MADE // 2)])
    ours = (took + later) / MADE
    for place in (*places, *more):
        assert not world.grafana.plan(place), place
    calls, errors = (Counting.calls - before[0]) / MADE, Counting.errors - before[1]
    print(
        f"made {MADE} tenants: {ours * 1e3:.0f} ms each ({took / MADE * 2e3:.0f}, {later / MADE * 2e3:.0f}), "
        f"{calls:.1f} calls each with the looks after it, {errors} answers of 5xx, all mended"
    )
    if PEER:
        print(f"Ansible: {theirs:.2f} s each (1 tenant {one:.1f} s, 4 {four:.1f} s); ratio x{theirs / ours:.1f}")
    else:
        print("BELVEDERE_BENCH_ANSIBLE names no ansible-playbook: no ratio.")
    return [*places, *more], theirs / ours if PEER else 0.0


def look(world: World, places: list[Place]) -> tuple[float, float]:
    """Look at all, four at a time since reading locks nothing; nothing may differ. Return seconds and one's calls."""
    before, began = Counting.calls, time.perf_counter()
    with ThreadPoolExecutor(READERS) as pool:
        plans = list(pool.map(world.grafana.plan, places))
    took = time.perf_counter() - began
    assert not any(plans), next(plan for plan in plans if plan)
    return took, (Counting.calls - before) / len(places)


def changed(world: World, places: list[Place]) -> tuple[float, float]:
    """Change one dashboard of each; return the slowest's seconds until it is read back, and the most calls for it."""
    times, calls = [], []
    for place in places:
        new = shown(world, place, " changed")[0]
        before, began = Counting.calls, time.perf_counter()
        world.workspaces.publish(place.tenant, new)
        times.append(time.perf_counter() - began)
        calls.append(Counting.calls - before)
        number = world.grafana._on_record(place)[0].organisation  # noqa: SLF001
        uid = f"b{new.dashboard_id.hex}"
        seen: Any = world.ask(requests.board(uid), organisation=number)
        assert seen["dashboard"]["title"] == new.document["title"]
    print(f"one dashboard changed: median {statistics.median(times) * 1e3:.0f} ms, slowest {max(times) * 1e3:.0f} ms, "
          f"{max(calls)} calls at most")
    return max(times), max(calls)


def followed(world: World, places: list[Place]) -> int:
    """Add a member to each, change a data source of each, then nothing; return the most calls for a look at that."""

    def add(place: Place) -> None:
        world.members.add(SYSTEM, place.tenant, f"vera.{place.name}@example.org")

    def change(place: Place) -> None:
        world.stores.passwords[world.stores.of_tenant(place.tenant)[0].id] = Secret(f"changed {place.name}")

    said, most = [], 0
    for word, deed in (("one member added", add), ("one source changed", change), ("nothing changed", lambda _: None)):
        looks, calls, times = [], [], []
        for place in places:
            deed(place)
            before = Counting.calls
            assert world.grafana.look_narrowly(place) is not None
            looks.append(Counting.calls - before)
            before, began = Counting.calls, time.perf_counter()
            world.workspaces.follow(place.tenant)
            times.append(time.perf_counter() - began)
            calls.append(Counting.calls - before)
            assert not world.grafana.plan(place), place
        most = max(most, *looks)
        took = statistics.median(times) * 1e3
        said.append(f"{word}: {max(looks)} calls to look, {max(calls)} in all, median {took:.0f} ms")
    print("; ".join(said))
    return most


def main() -> int:
    """Measure; return 1 when a promise is not kept."""
    if not URL:
        print("Skipped: BELVEDERE_TEST_GRAFANA_URL names no Grafana (http://admin:admin@127.0.0.1:3000).")
        return 0
    stamp = f"{time.time() % 1e6:.0f}"
    with (
        server() as superuser, installation(superuser) as services, tempfile.TemporaryDirectory() as folder,
        world_of(services, Path(folder)) as world,
    ):
        places, ratio = against_peer(world, stamp)
        slowest, calls = changed(world, places[:20])
        looks = followed(world, places[20:40])
        more, took = made(world, [f"c{stamp}{n}" for n in range(LOOKED_AT - MADE)])
        if more:
            print(f"{len(more)} more tenants made in {took:.0f} s")
        looked, each = look(world, [*places[20:], *more])
        looked *= LOOKED_AT / max(1, LOOKED_AT - 20)
        print(f"looked at {LOOKED_AT} tenants with nothing to do: {looked:.1f} s, {each:.1f} calls each")
    kept = {
        f"x{LEAST_RATIO:.0f} of Ansible": not PEER or ratio >= LEAST_RATIO,
        f"{MOST_LOOK_S:.0f} s for 1000": looked / LOOKED_AT * 1000 <= MOST_LOOK_S,
        f"{MOST_CHANGE_S:.0f} s for a dashboard": slowest <= MOST_CHANGE_S and calls <= MOST_CALLS,
        f"{MOST_CALLS} calls to look at one change": looks <= MOST_CALLS,
    }
    for promise, good in kept.items():
        print(f"{promise}: {'kept' if good else 'BROKEN'}")
    return int(not all(kept.values()))


if __name__ == "__main__":
    sys.exit(main())
