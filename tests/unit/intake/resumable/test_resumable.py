"""Files over HTTP at the REST door: on with after a break, whole or not at all, where they belong and nowhere else."""

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from belvedere.api.blueprint import blueprint
from belvedere.app import Services, build
from belvedere.intake.resumable import room, store
from belvedere.intake.resumable.parts import FOLDER
from belvedere.intake.sftp.quota import measured
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import Conflict
from belvedere.kernel.failpoints import EXIT_CODE
from belvedere.kernel.settings import Settings

CONTENT = b"0123456789" * 30


@dataclass
class World:
    """Two tenants; Alice's own folder is at `home`."""

    services: Services
    client: FlaskClient
    keys: dict[str, str]
    home: Path

    def call(self, method: str, path: str, who: str = "alice", **arguments: Any) -> TestResponse:
        return self.client.open(
            f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {self.keys[who]}"}, **arguments
        )

    def begin(self, name: str, size: int = len(CONTENT), who: str = "alice", **others: object) -> TestResponse:
        body = {"campaign": "camp_base", "device": "02001283", "name": name, "size": size, **others}
        return self.call("POST", "/uploads", who, json=body)

    def part(self, ident: str, offset: int, data: bytes, who: str = "alice", checksum: str = "") -> TestResponse:
        query = {"offset": offset, "checksum": checksum or f"crc32:{zlib.crc32(data):08x}"}
        return self.call("PATCH", f"/uploads/{ident}", who, query_string=query, data=data)

    def there(self, name: str) -> Path:
        return self.home / "camp_base" / "02001283" / name

    def dies(self, place: str, deed: str, ident: str) -> subprocess.CompletedProcess[bytes]:
        """Do something in a process that ends at a failpoint."""
        program = (
            "import sys, uuid, zlib; from belvedere.app import build; from belvedere.kernel.settings import load; "
            f"from belvedere.kernel.actor import SYSTEM; services = build(load()); {deed}"
        )
        return subprocess.run(
            [sys.executable, "-c", program, ident], input=CONTENT, capture_output=True, check=False,
            cwd=self.home.parent,
            env={**os.environ, "BELVEDERE_FAILPOINT": place, "BELVEDERE_HOME": str(self.services.settings.home_path),
                 "BELVEDERE_DATABASE_URL": self.services.database.url.reveal()},
        )  # fmt: skip

    def left(self) -> list[str]:
        aside = self.home / FOLDER
        return [one.name for one in aside.iterdir()] if aside.is_dir() else []


@pytest.fixture(scope="module")
def world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with cluster.control() as database:
        folder = tmp_path_factory.mktemp("home")
        services = build(Settings(
            home=str(folder), database_url=database.url, pool_size=6, max_body_bytes=100_000,
            http_upload_bytes=1_000_000,
        ))
        app = Flask(__name__)
        app.register_blueprint(blueprint(services))
        names = ("alice", "charlie", "dora", "emil")
        keys = {name: services.tenants.create(SYSTEM, name)[1].reveal() for name in names}
        serial = services.tenants.get(SYSTEM, "alice").serial
        keys["viewer"] = services.tokens.create(SYSTEM, name="v", role=Role.VIEWER, tenant=serial)[1].reveal()
        yield World(services, app.test_client(), keys, folder / "data" / "alice")
        services.close()


def test_a_file_is_sent_in_parts_goes_on_after_a_break_and_appears_whole(world: World) -> None:
    made = world.begin("a.tsv", key="1763780000")
    assert (made.status_code, made.json["state"], made.json["offset"]) == (201, "receiving", 0)
    ident = made.json["id"]
    first = world.part(ident, 0, CONTENT[:100])
    assert (first.status_code, first.headers["Upload-Offset"]) == (200, "100")
    assert not world.there("a.tsv").exists()
    assert world.call("HEAD", f"/uploads/{ident}").headers["Upload-Offset"] == "100"
    again = world.begin("a.tsv", key="1763780000")
    assert (again.json["id"], again.json["offset"]) == (ident, 100)
    lagging = world.part(ident, 0, CONTENT[:100])
    assert (lagging.status_code, lagging.json["type"], lagging.json["offset"]) == (409, "/problems/offset", 100)
    wrong = world.part(ident, 100, CONTENT[100:], checksum="crc32:00000000")
    assert (wrong.status_code, wrong.json["type"]) == (400, "/problems/checksum")
    last = world.part(ident, 100, CONTENT[100:])
    assert (last.status_code, last.json["state"], last.json["offset"]) == (200, "received", len(CONTENT))
    assert world.there("a.tsv").read_bytes() == CONTENT
    assert world.part(ident, 100, CONTENT[100:]).json["state"] == "received", "an answer that was lost is given again"
    assert world.left() == []
    with world.services.database.transaction() as connection:
        asked = "SELECT path, what, via FROM intake_event WHERE key = %s"
        noted = connection.execute(asked, [f"http:{ident}"]).fetchall()
    assert noted == [{"path": "camp_base/02001283/a.tsv", "what": "closed", "via": "http"}]
    verbs = [one.verb for one in world.services.history.search(SYSTEM, limit=9).items]
    assert verbs.count("upload.receive") == 1


def test_an_empty_file_is_there_at_once(world: World) -> None:
    assert world.begin("empty.tsv", 0).json["state"] == "received"
    assert world.there("empty.tsv").read_bytes() == b""


def test_nothing_is_written_over(world: World) -> None:
    ident = world.begin("b.tsv").json["id"]
    world.there("b.tsv").parent.mkdir(parents=True, exist_ok=True)
    world.there("b.tsv").write_text("somebody else's")
    taken = world.begin("b.tsv")
    assert (taken.status_code, taken.json["type"]) == (409, "/problems/exists")
    assert world.part(ident, 0, CONTENT).json["type"] == "/problems/exists"
    assert world.there("b.tsv").read_text() == "somebody else's"
    world.there("b.tsv").unlink()
    assert world.part(ident, len(CONTENT), b"").json["state"] == "received", "with the place free it goes there"
    assert world.there("b.tsv").read_bytes() == CONTENT


@pytest.mark.parametrize(("where", "code"), [
    ({"campaign": ".."}, "file-name"), ({"campaign": "a/b"}, "file-name"), ({"campaign": ".ssh"}, "file-name"),
    ({"campaign": "parsed"}, "campaign-name"), ({"campaign": "x" * 101}, "campaign-name"),
    ({"campaign": ""}, "file-name"),
    ({"device": "../../charlie"}, "file-name"), ({"device": "a/error"}, "file-name"),
    ({"device": "/".join("x" * 20)}, "file-name"),
    ({"name": "../x.tsv"}, "file-name"), ({"name": ".belvedere-x"}, "file-name"), ({"name": "x.tsv.part"}, "file-name"),
    ({"name": "a\nb"}, "file-name"), ({"name": "é" * 128}, "file-name"), ({"name": "a\\b"}, "file-name"),
    ({"size": 1_000_001}, "file-size"), ({"size": -1}, "file-size"),
])  # fmt: skip
def test_places_that_cannot_be_are_refused(world: World, where: dict[str, object], code: str) -> None:
    answer = world.begin(**{"name": "c.tsv", **where})  # type: ignore[arg-type]
    assert (answer.status_code, answer.json["type"]) == (400, f"/problems/{code}")


def test_a_link_out_of_the_folder_is_not_followed(world: World, tmp_path: Path) -> None:
    world.home.mkdir(parents=True, exist_ok=True)
    (world.home / "out").symlink_to(tmp_path)
    answer = world.begin("d.tsv", campaign="out", device="")
    assert world.part(answer.json["id"], 0, CONTENT).status_code == 503
    assert list(tmp_path.iterdir()) == []


def test_others_see_nothing_and_viewers_send_nothing(world: World) -> None:
    ident = world.begin("e.tsv").json["id"]
    assert world.call("GET", f"/uploads/{ident}", "charlie").status_code == 404
    assert world.part(ident, 0, CONTENT, "charlie").status_code == 404
    wanted = {"campaign": "c", "name": "n", "size": 1}
    assert world.call("POST", "/uploads?user=alice", "charlie", json=wanted).status_code == 404
    assert world.call("GET", f"/uploads/{ident}", "viewer").json["offset"] == 0
    assert world.begin("f.tsv", who="viewer").status_code == 403
    assert world.part(ident, 0, CONTENT, "viewer").status_code == 403


def test_parts_have_a_largest_size_and_an_end(world: World) -> None:
    ident = world.begin("g.tsv", 150_000).json["id"]
    assert world.part(ident, 0, b"x" * 100_001).status_code == 413
    assert world.part(ident, 0, b"x" * 100_000).json["offset"] == 100_000
    assert world.part(ident, 100_000, b"x" * 60_000).json["type"] == "/problems/part"


def test_bytes_that_were_taken_away_are_not_made_up(world: World) -> None:
    ident = world.begin("h.tsv").json["id"]
    world.part(ident, 0, CONTENT[:100])
    (world.home / FOLDER / ident).unlink()
    lost = world.part(ident, 100, CONTENT[100:])
    assert (lost.status_code, lost.json["type"]) == (409, "/problems/begin-anew")
    assert not world.there("h.tsv").exists()


def test_what_was_lost_is_begun_anew_under_the_same_key(world: World) -> None:
    ident = world.begin("k.tsv", key="k").json["id"]
    world.part(ident, 0, CONTENT[:100])
    (world.home / FOLDER / ident).unlink()
    assert world.part(ident, 100, CONTENT[100:]).json["type"] == "/problems/begin-anew"
    anew = world.begin("k.tsv", key="k").json
    assert (anew["id"] == ident, anew["offset"]) == (False, 0)
    assert world.part(anew["id"], 0, CONTENT).json["state"] == "received"


def test_a_whole_file_whose_bytes_were_taken_away_ends(world: World) -> None:
    ident = world.begin("l.tsv", key="l").json["id"]
    with world.services.database.transaction() as connection:
        store.received(connection, UUID(ident), len(CONTENT), utc_now())
    (world.home / FOLDER / ident).unlink()
    lost = world.begin("l.tsv", key="l")
    assert (lost.status_code, lost.json["type"]) == (409, "/problems/begin-anew")
    assert world.call("GET", f"/uploads/{ident}").status_code == 404
    assert world.begin("l.tsv", key="l").json["offset"] == 0


def test_a_quota_is_the_widest_of_the_users_of_the_whole_folder(world: World) -> None:
    serial = world.services.tenants.get(SYSTEM, "charlie").serial
    world.services.sftp.add(SYSTEM, serial, name="charlie", quota_bytes=500)
    assert world.begin("a.tsv", 501, "charlie").json["type"] == "/problems/quota"
    assert world.begin("a.tsv", 400, "charlie").status_code == 201
    assert world.begin("b.tsv", 400, "charlie").json["type"] == "/problems/quota", "what is on its way counts"
    world.services.sftp.remove(SYSTEM, serial, "charlie")


def test_many_that_begin_at_one_time_get_no_more_room_than_there_is(world: World) -> None:
    serial = world.services.tenants.get(SYSTEM, "dora").serial
    world.services.sftp.add(SYSTEM, serial, name="dora", quota_bytes=500)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda number: world.begin(f"{number}.tsv", 100, "dora", device=""), range(10)))
    assert sorted(one.status_code for one in answers) == [201] * 5 + [400] * 5
    assert len(list((world.home.parent / "dora" / FOLDER).iterdir())) == 5, "what has no room leaves nothing"


def test_what_lies_there_is_counted_seldom_and_before_somebody_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial, walks = world.services.tenants.get(SYSTEM, "emil").serial, []
    monkeypatch.setattr(room, "measured", lambda home, *, besides: walks.append(1) or measured(home, besides=besides))
    world.services.sftp.add(SYSTEM, serial, name="emil", quota_bytes=1000, quota_files=20)
    for number in range(8):
        ident = world.begin(f"{number}.tsv", 100, "emil").json["id"]
        assert world.part(ident, 0, b"x" * 100, "emil").json["state"] == "received"
    assert len(walks) == 1, "what came since the walk is known without another"
    others = world.home.parent / "emil" / "camp_base" / "by-sftp.tsv"
    others.write_bytes(b"x" * 100)
    assert world.begin("8.tsv", 100, "emil").status_code == 201, "what others bring is seen a minute later"
    assert world.begin("9.tsv", 200, "emil").json["type"] == "/problems/quota"
    others.unlink()
    with world.services.database.transaction() as connection:
        connection.execute("UPDATE http_room SET counted_at = counted_at - interval '10 seconds', "
                           "good_until = good_until - interval '10 seconds' WHERE tenant_id = %s", [serial])
    (world.home.parent / "emil" / "camp_base" / "02001283" / "0.tsv").unlink()
    assert world.begin("9.tsv", 200, "emil").status_code == 201, "before it is refused it is counted anew"
    assert len(walks) == 2


def test_no_connection_is_held_while_the_disk_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ident, used, flush = world.begin("m.tsv").json["id"], [], os.fdatasync

    def flushed(descriptor: int) -> None:
        with world.services.database.transaction() as connection:
            asked = ("SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database() "
                     "AND state = 'idle in transaction' AND pid <> pg_backend_pid()")
            used.append(connection.execute(asked).fetchone()["number"])
        busy = world.part(ident, 0, CONTENT[:100])
        assert (busy.status_code, busy.json["type"]) == (409, "/problems/busy")
        flush(descriptor)

    monkeypatch.setattr(os, "fdatasync", flushed)
    assert world.part(ident, 0, CONTENT[:100]).json["offset"] == 100
    assert used == [0]


def test_a_file_on_its_way_is_dropped(world: World) -> None:
    ident = world.begin("n.tsv", key="n").json["id"]
    world.part(ident, 0, CONTENT[:100])
    listed = world.call("GET", "/uploads?state=receiving", "viewer").json
    assert [(one["name"], one["offset"]) for one in listed if one["id"] == ident] == [("n.tsv", 100)]
    assert ident not in {one["id"] for one in world.call("GET", "/uploads?state=receiving", "charlie").json}
    assert world.call("DELETE", f"/uploads/{ident}", "charlie").status_code == 404
    assert world.call("DELETE", f"/uploads/{ident}", "viewer").status_code == 403
    assert world.call("DELETE", f"/uploads/{ident}").status_code == 204
    assert ident not in world.left()
    assert world.call("DELETE", f"/uploads/{ident}").status_code == 404
    assert world.part(ident, 100, CONTENT[100:]).status_code == 404
    actions = world.services.history.search(SYSTEM, verb="upload.cancel", limit=5).items
    told = [(one.result, one.target, one.arguments["received"]) for one in actions]
    assert told == [(result, "camp_base/02001283/n.tsv", 100) for result in ("succeeded", "refused")]
    assert world.begin("n.tsv", key="n").json["offset"] == 0


def test_a_file_that_is_in_its_place_is_not_dropped(world: World) -> None:
    ident = world.begin("o.tsv").json["id"]
    world.part(ident, 0, CONTENT)
    refused = world.call("DELETE", f"/uploads/{ident}")
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/sent")
    assert world.there("o.tsv").read_bytes() == CONTENT


def test_a_whole_file_that_has_no_place_is_dropped(world: World) -> None:
    ident = world.begin("p.tsv").json["id"]
    world.there("p.tsv").write_text("somebody else's")
    assert world.part(ident, 0, CONTENT).json["type"] == "/problems/exists"
    assert world.call("DELETE", f"/uploads/{ident}").status_code == 204
    assert ident not in world.left()
    assert world.there("p.tsv").read_text() == "somebody else's"


def test_a_part_that_comes_while_its_file_is_dropped_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident, flush = world.begin("q.tsv").json["id"], os.fdatasync

    def flushed(descriptor: int) -> None:
        flush(descriptor)
        with world.services.database.transaction() as connection:
            store.remove(connection, UUID(ident))

    monkeypatch.setattr(os, "fdatasync", flushed)
    assert world.part(ident, 0, CONTENT).status_code == 404
    assert ident not in world.left()


def test_for_a_tenant_on_its_way_out_no_folder_comes_back(world: World) -> None:
    made, key = world.services.tenants.create(SYSTEM, "frieda")
    world.keys["frieda"] = key.reveal()
    ident = world.begin("s.tsv", who="frieda").json["id"]
    shutil.rmtree(world.home.parent / "frieda")
    with world.services.database.transaction() as connection:
        connection.execute("UPDATE tenant SET deleting_since = now() WHERE serial = %s", [made.serial])
    with pytest.raises(Conflict, match="on its way out"):
        world.services.resumable.cancel(SYSTEM, UUID(ident))
    assert not (world.home.parent / "frieda").exists()


def test_what_nobody_goes_on_with_is_removed_after_a_day(world: World) -> None:
    ident = world.begin("i.tsv").json["id"]
    fresh = world.begin("j.tsv").json["id"]
    with world.services.database.transaction() as connection:
        connection.execute(
            "UPDATE http_upload SET touched_at = touched_at - interval '25 hours' WHERE id = %s", [ident])
    world.services.resumable.tidy()
    assert world.call("GET", f"/uploads/{ident}").status_code == 404
    assert ident not in world.left()
    assert fresh in world.left()


def test_a_process_that_dies_while_it_drops_a_file_leaves_it_to_be_begun_anew(world: World) -> None:
    ident = world.begin("r.tsv", key="r").json["id"]
    world.part(ident, 0, CONTENT[:100])
    died = world.dies("intake.resumable.dropped", "services.resumable.cancel(SYSTEM, uuid.UUID(sys.argv[1]))", ident)
    assert died.returncode == EXIT_CODE, died.stderr
    assert ident not in world.left()
    assert world.part(ident, 100, CONTENT[100:]).json["type"] == "/problems/begin-anew"
    assert world.begin("r.tsv", key="r").json["offset"] == 0


@pytest.mark.parametrize("place", ["intake.resumable.received", "intake.resumable.placed"])
def test_a_process_that_dies_at_the_end_of_a_file_leaves_it_to_be_finished(world: World, place: str) -> None:
    name = f"{place}.tsv"
    ident = world.begin(name).json["id"]
    died = world.dies(place, (
        "data = sys.stdin.buffer.read(); "
        "services.resumable.append("
        "SYSTEM, uuid.UUID(sys.argv[1]), offset=0, data=data, checksum=f'crc32:{zlib.crc32(data):08x}')"
    ), ident)
    assert died.returncode == EXIT_CODE, died.stderr
    assert world.call("GET", f"/uploads/{ident}").json["state"] == "receiving"
    if place.endswith("placed"):
        assert world.part(ident, len(CONTENT), b"").json["state"] == "received"
    else:
        with world.services.database.transaction() as connection:
            found = store.complete(connection, utc_now() + timedelta(hours=1), 50)
            [whole] = [one for one in found if str(one.id) == ident]
            store.received(connection, whole.id, whole.size_bytes, utc_now() - timedelta(hours=1))
        world.services.resumable.tidy()
    assert world.call("GET", f"/uploads/{ident}").json["state"] == "received"
    assert world.there(name).read_bytes() == CONTENT
    assert ident not in world.left()
