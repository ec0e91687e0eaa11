"""A file's life: noticed, read, stored, moved, reported; each once, whatever notices say and in whatever order."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from belvedere.intake.campaigns.measured import Measurements
from belvedere.intake.model import Happening, Notice, Via
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Later
from belvedere.web.upload_words import measured
from intake_world import HEADER, World, meter


def test_a_file_is_read_stored_moved_and_reported(world: World) -> None:
    world.put("camp/02001084/T302_1.tsv", meter())
    world.take()
    assert world.lying() == ["camp/02001084/parsed/T302_1.tsv"]
    (upload,) = world.uploads()
    assert (str(upload.state), upload.points, upload.rows, upload.version) == ("parsed", 6, 3, 1)
    assert (upload.campaign, upload.device, upload.moved_to) == (
        "camp", "02001084", "camp/02001084/parsed/T302_1.tsv"
    )
    assert len(world.points.seen(world.serial, "camp")) == 6
    (report,) = list(world.reports.iterdir())
    told = json.loads(report.read_text())
    assert (told["nb_files_success"], told["nb_points_total"], told["status"]) == (1, 6, "success")
    assert told["files"][0]["channels"]["M02001084_U1"]["mean"] == 231.0
    assert report.name.startswith("tsv_parser_")
    first = world.points.about[0].splitlines()[0]
    assert first.startswith(b"tsv_parser_run,status=success ")
    # By the second, runs of two tenants would be one point.
    assert len(first.rpartition(b" ")[2]) == len("1764000000000000000")


def test_rows_of_a_lost_clock_are_stored_and_give_a_file_and_its_campaign_no_date(world: World) -> None:
    lost = "01/01/20 01:00:02\t230\t1\n02/01/20 01:00:02\t231\t1\n"
    world.put("camp/1/some.tsv", HEADER + lost + "05/01/26 10:00:00\t232\t1\n05/01/26 10:10:00\t233\t1\n")
    world.put("camp/1/all.tsv", HEADER + lost.replace("01:", "02:"))
    world.take()
    found = {one.name: one for one in world.uploads()}
    assert {name: (one.rows, one.lost_clock) for name, one in found.items()} == {"some.tsv": (4, 2), "all.tsv": (2, 2)}
    some, every = found["some.tsv"], found["all.tsv"]
    assert len(world.points.seen(world.serial, "camp")) == 12
    assert (some.first_at, some.last_at) == (
        datetime(2026, 1, 5, 10, tzinfo=UTC), datetime(2026, 1, 5, 10, 10, tzinfo=UTC))
    assert (every.first_at, every.last_at) == (None, None)
    [known] = Measurements(database=world.database, store_kind="series").of_tenant(world.serial)
    assert (known.first, known.last, known.points, known.rows) == (some.first_at, some.last_at, 12, 6)
    shown = [measured(one.first_at, one.last_at, one.lost_clock) for one in (some, every)]
    assert "2026-01-05 10:00 to 10:10" in shown[0] and "clock lost in 2 rows" in shown[0]
    assert "clock lost" in shown[1] and "2020" not in shown[0] + shown[1]
    spans = world.files.uploads.measured(SYSTEM, some.campaign_id or "")
    assert spans == [(some.first_at, some.last_at)]


def test_a_file_that_is_no_meters_is_refused_with_the_reason(world: World) -> None:
    world.put("camp/1/a.tsv", "")
    world.put("camp/1/b.tsv", "nothing\tof\nthe kind\n")
    world.put("camp/c.tsv", meter())
    world.put("camp/1/notes.txt", "left alone")
    world.take()
    assert world.lying() == ["camp/1/error/a.tsv", "camp/1/error/b.tsv", "camp/1/notes.txt", "camp/error/c.tsv"]
    assert world.states() == {
        "camp/1/a.tsv": "refused", "camp/1/b.tsv": "refused", "camp/c.tsv": "refused", "camp/1/notes.txt": "left",
    }
    assert all(one.error for one in world.uploads())
    (report,) = world.reports.iterdir()
    assert [one["status"] for one in json.loads(report.read_text())["files"]] == ["error"] * 3


def test_doubled_late_lost_and_disordered_notices_end_the_same(world: World) -> None:
    notice = world.files.intake.notice_all
    world.put("camp/1/a.tsv", meter(), told=False)
    world.put("camp/1/lost.tsv", meter(2, value=1), told=False)
    removed = Notice("acme", "camp/1/gone.tsv", Happening.REMOVED, Via.SFTPGO, key="3")
    closed = Notice("acme", "camp/1/a.tsv", Happening.CLOSED, Via.SFTPGO, key="1")
    made = Notice("acme", "camp", Happening.MADE, Via.SFTPGO, key="0")
    assert notice([removed, closed, made]).new == 3
    assert (notice([closed, closed]).new, notice([made]).again) == (0, 1)
    world.take()
    world.take()
    notice([Notice("acme", "camp/1/a.tsv", Happening.CLOSED, Via.SFTPGO, key="late")])
    world.take()
    world.clock.ahead += world.clock.ahead.resolution * 5_000_000
    world.take()
    assert world.lying() == ["camp/1/parsed/a.tsv", "camp/1/parsed/lost.tsv"]
    assert world.states() == {"camp/1/a.tsv": "parsed", "camp/1/lost.tsv": "parsed"}
    assert [name for name, _ in world.jobs()].count("intake.take") == 1


def test_the_same_content_is_seen_and_said_and_a_changed_file_is_a_new_version(world: World) -> None:
    first, other = meter(), meter(4, value=1)
    for text in (first, first, other, first):
        world.put("camp/1/a.tsv", text)
        world.take()
    one, again, changed, back = world.uploads()
    assert (one.version, again.version, changed.version, back.version) == (1, 1, 2, 3)
    assert (again.same_as, changed.same_as, back.same_as) == (one.id, None, None)
    world.put("camp/1/b.tsv", first)
    world.put("camp/2/b.tsv", first)
    world.take()
    assert {two.folder: two.same_as for two in world.uploads()[4:]} == {"camp/1": back.id, "camp/2": None}
    assert world.lying() == [
        "camp/1/parsed/a.tsv", "camp/1/parsed/a.tsv~2", "camp/1/parsed/a.tsv~3", "camp/1/parsed/a.tsv~4",
        "camp/1/parsed/b.tsv", "camp/2/parsed/b.tsv",
    ]
    assert world.files.uploads.totals(SYSTEM, tenant=world.serial).again == 2


def test_a_file_that_is_being_written_waits_until_it_is_still(world: World) -> None:
    file = world.put("camp/1/a.tsv", meter(), told=False)
    with file.open("ab") as writing:
        world.clock.ahead += world.clock.ahead.resolution * 60_000_000
        world.look()
        world.take()
        (upload,) = world.uploads()
        assert (str(upload.state), upload.code) == ("received", "growing")
        writing.write(b"05/01/26 09:00:00\t1\t1\n")
    world.clock.ahead += world.clock.ahead.resolution * 120_000_000
    world.look()
    world.take()
    assert world.uploads()[0].rows == 4
    world.put("camp/1/b.tsv.part", meter(), told=True)
    world.put("camp/1/.hidden.tsv", meter(), told=True)
    world.take()
    assert len(world.uploads()) == 1


def test_a_store_that_is_away_touches_no_file_and_the_backlog_drains_in_order(world: World) -> None:
    names = [f"camp/1/{n}.tsv" for n in range(6)]
    for number, name in enumerate(names):
        world.put(name, meter(2, value=number))
    world.points.trouble = Later("The series database does not answer.", retry_in_s=5)
    for _ in range(2):
        with pytest.raises(Later):
            world.take()
        assert {(str(one.state), one.error) for one in world.uploads()} == {
            ("waiting", "The series database does not answer.")
        }
        world.clock.ahead += world.clock.ahead.resolution * 900_000_000
    assert world.lying() == names
    world.points.trouble = None
    world.take()
    assert set(world.states().values()) == {"parsed"}
    # All have the same two minutes: the last one sent has won.
    assert world.points.seen(world.serial, "camp")[("M02001084_U1_V", 1767571200)] == 5.0
    assert len(list(world.reports.iterdir())) == 1


def test_a_store_that_is_at_work_for_another_job_is_asked_again_soon_and_said_to_be(world: World) -> None:
    world.put("camp/1/a.tsv", meter(2))
    busy = "Another job works on this tenant's bucket."
    world.points.trouble = Later(busy, retry_in_s=1.0, code="points-busy")
    for _ in range(4):
        with pytest.raises(Later):
            world.take()
        (one,) = world.uploads()
        assert (str(one.state), one.error, one.code) == ("waiting", busy, "points-busy")
        world.clock.ahead += world.clock.ahead.resolution * 1_500_000
    world.points.trouble = None
    world.take()
    assert world.states() == {"camp/1/a.tsv": "parsed"}


def test_a_reader_that_dies_takes_nothing_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from belvedere.intake.meter_files import MeterFiles

    (tmp_path / "deadly.py").write_text(
        "import os\nfrom belvedere.intake.meter_files import read as good\n"
        "def read(place, file, hand, **options):\n"
        "    if 'deadly' in place.name: os.kill(os.getpid(), 9)\n"
        "    if 'faulty' in place.name: raise ZeroDivisionError\n"
        "    return good(place, file, hand, **options)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(MeterFiles, "reader", "deadly:read")
    with_own = _own_readers(world)
    try:
        for name in ("a", "deadly", "faulty", "z"):
            world.put(f"camp/1/{name}.tsv", meter(2, value=len(name)))
        world.take()
        assert world.states() == {
            "camp/1/a.tsv": "parsed", "camp/1/deadly.tsv": "refused", "camp/1/faulty.tsv": "refused",
            "camp/1/z.tsv": "parsed",
        }
        (deadly,) = world.uploads(text="deadly")
        assert deadly.error == "Reading it ended the program that reads files (signal 9)."
    finally:
        with_own.close()


def _own_readers(world: World):
    from belvedere.intake.reader import Readers

    made = Readers(memory_bytes=1 << 30, timeout_s=20.0)
    world.files.intake._taking._readers = made
    return made


def test_odd_names_and_odd_things_are_named_and_touch_nothing(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "secret.tsv"
    outside.write_text(meter())
    odd = ["-rf.tsv", "a\nb.tsv", "q'\"`$(id).tsv", "x" * 251 + ".tsv", "back\\slash.tsv"]
    for name in odd:
        world.put(f"camp/1/{name}", meter(2, value=len(name)))
    raw = os.fsencode(world.home / "camp/1") + b"/\xff\xfe.tsv"
    Path(os.fsdecode(raw)).write_bytes(meter(5).encode())
    (world.home / "camp/1/link.tsv").symlink_to(outside)
    (world.home / "camp/1/folder.tsv").mkdir()
    (world.home / "camp/1/up").symlink_to(tmp_path)
    (world.home / "camp/linked").symlink_to("/etc")
    (world.home / "escape").symlink_to("/")
    os.mkfifo(world.home / "camp/1/pipe.tsv")
    os.link(world.home / "camp/1/-rf.tsv", world.home / "camp/1/hard.tsv")
    for path in (
        "camp/1/link.tsv", "camp/1/pipe.tsv", "../secret.tsv", "/etc/passwd", "escape/etc/x.tsv",
        "camp/1/up/secret.tsv",
    ):
        world.files.intake.notice("acme", path, Happening.CLOSED, via=Via.SFTP)
    world.clock.ahead += world.clock.ahead.resolution * 60_000_000
    world.look()
    world.take()
    # Moving one name of a file changes what the other is known by: it is read anew, and seen to be the same.
    world.clock.ahead *= 2
    world.take()
    assert outside.read_text() == meter()
    assert sorted(os.fsencode(path.name) for path in (world.home / "camp/1/parsed").iterdir()) == sorted(
        [*(os.fsencode(name) for name in odd), b"hard.tsv", b"\xff\xfe.tsv"]
    )
    assert {one.path for one in world.files.intake.troubles(SYSTEM, tenant=world.serial)} == {
        "camp/1/link.tsv", "camp/1/pipe.tsv", "camp/1/up", "camp/linked", "escape",
    }
    named = {one.name: one for one in world.uploads()}
    assert "\\xff\\xfe.tsv" in named
    assert "a\\x0ab.tsv" in named
    assert named["-rf.tsv"].same_as or named["hard.tsv"].same_as


def test_a_refused_file_can_be_tried_again(world: World) -> None:
    world.put("camp/1/a.tsv", "nonsense")
    world.take()
    (refused,) = world.uploads()
    world.home.joinpath("camp/1/error/a.tsv").write_text(meter())
    world.files.uploads.try_again(SYSTEM, refused.id)
    world.take()
    (upload,) = world.uploads()
    assert (upload.id, str(upload.state)) == (refused.id, "parsed")
    assert world.lying() == ["camp/1/parsed/a.tsv"]
    assert world.files.uploads.head(SYSTEM, upload.id).startswith(b"02001084")


def test_a_file_that_the_watch_told_of_first_is_known_by_its_door_in_the_end(world: World) -> None:
    world.put("camp/1/a.tsv", meter(), told=False)
    world.files.intake.notice("acme", "camp/1/a.tsv", Happening.CLOSED, via=Via.FOLDER)
    world.take()
    (upload,) = world.uploads()
    assert (str(upload.state), upload.via) == ("parsed", Via.FOLDER)
    world.files.intake.notice("acme", "camp/1/a.tsv", Happening.CLOSED, via=Via.SFTP)
    world.files.intake.notice("acme", "camp/1/a.tsv", Happening.CLOSED, via=Via.FOLDER)
    world.take()
    (upload,) = world.uploads()
    assert (str(upload.state), upload.via) == ("parsed", Via.SFTP)
