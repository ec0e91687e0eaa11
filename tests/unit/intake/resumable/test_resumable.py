"""Files over HTTP at the REST door: on with after a break, whole or not at all, where they belong and nowhere else."""

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
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
from belvedere.intake.resumable import store
from belvedere.intake.resumable.parts import FOLDER
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.clock import utc_now
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
        keys = {name: services.tenants.create(SYSTEM, name)[1].reveal() for name in ("alice", "charlie")}
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


@pytest.mark.parametrize("place", ["intake.resumable.received", "intake.resumable.placed"])
def test_a_process_that_dies_at_the_end_of_a_file_leaves_it_to_be_finished(world: World, place: str) -> None:
    name = f"{place}.tsv"
    ident = world.begin(name).json["id"]
    program = (
        "import sys, uuid, zlib; from belvedere.app import build; from belvedere.kernel.settings import load; "
        "from belvedere.kernel.actor import SYSTEM; services = build(load()); data = sys.stdin.buffer.read(); "
        "services.resumable.append(SYSTEM, uuid.UUID(sys.argv[1]), offset=0, data=data, "
        "checksum=f'crc32:{zlib.crc32(data):08x}')"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, ident], input=CONTENT, capture_output=True, check=False, cwd=world.home.parent,
        env={**os.environ, "BELVEDERE_FAILPOINT": place, "BELVEDERE_HOME": str(world.services.settings.home_path),
             "BELVEDERE_DATABASE_URL": world.services.database.url.reveal()},
    )
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
