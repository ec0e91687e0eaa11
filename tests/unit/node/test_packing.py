"""Tenants' folders into a backup and back: what is in it while they are in use, and how rows find their files again."""

import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from belvedere.intake.files import ident
from belvedere.intake.reader import Readers
from belvedere.kernel.db import Database, rows
from belvedere.node.archive import DATA, Packed, writing
from belvedere.node.packing import Packer, Rule, measured
from belvedere.node.progress import Progress
from belvedere.node.reset import erase_below
from belvedere.node.unpacking import Target, fit, unpack
from intake_world import World, make_world, meter

ROOF = "roof/02001084"


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    made = Readers(memory_bytes=1 << 30, timeout_s=60.0)
    with made.one():
        pass  # started before any test counts its processes
    yield made
    made.close()


@pytest.fixture
def world(
    database: Database, tmp_path: Path, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with make_world(database, tmp_path, readers, monkeypatch) as made:
        yield made


def pack(folder: Path, into: Path, progress: Progress | None = None, *, only: set[str] | None = None) -> Packed:
    with writing(into) as archive:
        packer = Packer(archive, progress or Progress("files", 0, lambda _: None))
        return packer.add(DATA, folder, Rule(whole=True, only=only))


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        return {one.name.removeprefix(f"files/{DATA}/") for one in opened if one.isfile()}


def come_back(world: World, archive: Path, scratch: Path, began_ns: int) -> int:
    """Put what is in the archive in the place of the world's folders, whose rows are those of before."""
    shutil.move(world.root, world.root.with_name("gone"))
    scratch.mkdir()
    target = Target(scratch, {DATA: world.root}, began_ns)
    unpack(archive, target)
    with world.database.transaction() as connection:
        return fit(connection, target)


def test_rows_and_files_agree_though_files_moved_after_the_rows_were_dumped(world: World, tmp_path: Path) -> None:
    # What another parser has left in `parsed/` has no row, and must not be read.
    long_ago = world.put(f"{ROOF}/parsed/theirs.tsv", meter(), told=False)
    done, refused = world.put(f"{ROOF}/done.tsv", meter()), world.put(f"{ROOF}/refused.tsv", "nothing of a meter")
    world.take()
    began_ns = long_ago.stat().st_ctime_ns + 1
    waits, again = world.put(f"{ROOF}/waits.tsv", meter(first=60)), world.put(f"{ROOF}/again.tsv", meter(first=90))
    world.look()
    assert world.states()[f"{ROOF}/waits.tsv"] == "received"
    # The rows stay as they are now; what follows came after them.
    for file in (waits, again):
        file.rename(file.parent / "parsed" / file.name)
    world.put(f"{ROOF}/again.tsv", meter(first=120), told=False)
    world.put(f"{ROOF}/parsed/late.tsv", meter(first=150), told=False)
    assert pack(world.root, tmp_path / "backup").files == 7
    assert come_back(world, tmp_path / "backup", tmp_path / "scratch", began_ns) == 2
    with world.database.transaction() as connection:
        known = {row["name"]: row["file"] for row in rows(connection, "SELECT name, file FROM upload")}
        [campaign] = rows(connection, "SELECT folder FROM campaign")
    for file, place in ((done, "parsed/done.tsv"), (refused, "error/refused.tsv"), (waits, "waits.tsv")):
        assert known[file.name] == ident((world.home / ROOF / place).stat())
    assert campaign["folder"] == ident((world.home / "roof").stat())
    world.look()
    world.clock.ahead = timedelta(minutes=2)
    world.take()
    assert set(world.states().values()) == {"parsed", "refused"}
    assert world.lying() == sorted([
        f"{ROOF}/error/refused.tsv",
        *(f"{ROOF}/parsed/{name}.tsv" for name in ("theirs", "done", "waits", "again", "late")),
        f"{ROOF}/parsed/again.tsv~2",
    ])
    assert len(world.uploads()) == 5


def test_half_files_and_what_is_none_stay_out_and_are_counted(tmp_path: Path) -> None:
    home = tmp_path / "data" / "acme"
    (home / "roof" / "parsed").mkdir(parents=True)
    for place in ("roof/whole.tsv", "roof/parsed/one.tsv", "roof/.belvedere-up-x.tsv", ".belvedere-http/part",
                  ".belvedere-deleted/old/a.tsv", "../.belvedere-kept-7/his.tsv"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(place)
    os.link(home / "roof" / "whole.tsv", home / "roof" / "twice.tsv")
    (home / "roof" / "link").symlink_to("/etc/passwd")
    (tmp_path / "data" / "bob").mkdir()
    (tmp_path / "data" / "bob" / "his.tsv").write_text("his")
    with (home / "roof" / "writing.tsv").open("w") as writer:
        writer.write("half")
        writer.flush()
        packed = pack(tmp_path / "data", tmp_path / "backup")
    assert (packed.files, packed.writing, packed.odd, packed.unread) == (7, 1, 1, {})
    kept = {"acme/roof/whole.tsv", "acme/roof/twice.tsv", "acme/roof/parsed/one.tsv", "acme/.belvedere-http/part"}
    kept |= {"acme/.belvedere-deleted/old/a.tsv", ".belvedere-kept-7/his.tsv"}
    assert names(tmp_path / "backup") == {*kept, "bob/his.tsv"}
    assert pack(tmp_path / "data", tmp_path / "some", only={"bob"}).files == 1
    assert names(tmp_path / "some") == {"bob/his.tsv"}


class Meddling(Progress):
    """Somebody who appends to a file while it is packed, so many times."""

    def __init__(self, file: Path, times: int) -> None:
        super().__init__("files", 0, lambda _: None)
        self._file = file
        self._times = times

    def add(self, number: int) -> None:
        if self._times and number:
            self._times -= 1
            with self._file.open("a") as file:
                file.write("more")


@pytest.mark.parametrize(("times", "files"), [(1, 2), (50, 1)])
def test_a_file_that_changes_under_our_hands_is_packed_whole_or_not_at_all(
    tmp_path: Path, times: int, files: int
) -> None:
    (tmp_path / "data" / "acme").mkdir(parents=True)
    busy = tmp_path / "data" / "acme" / "a.tsv"
    busy.write_text("some")
    (tmp_path / "data" / "acme" / "b.tsv").write_text("other")
    packed = pack(tmp_path / "data", tmp_path / "backup", Meddling(busy, times))
    assert packed.files == files
    assert packed.writing == (0 if files > 1 else 1)
    with tarfile.open(tmp_path / "backup") as archive:
        read = {one.name[-5:]: archive.extractfile(one) for one in archive if one.isfile()}
        found = {name: file.read() for name, file in read.items() if file}
    assert found == {"b.tsv": b"other"} | ({"a.tsv": b"somemore"} if files > 1 else {})


def test_a_folder_that_was_renamed_meanwhile_is_known_again(world: World, tmp_path: Path) -> None:
    world.put(f"{ROOF}/done.tsv", meter())
    world.take()
    (world.home / "roof").rename(world.home / "cellar")
    pack(world.root, tmp_path / "backup")
    come_back(world, tmp_path / "backup", tmp_path / "scratch", 0)
    world.look()
    assert world.states() == {"cellar/02001084/done.tsv": "parsed"}


def test_a_folder_that_was_never_made_has_no_bytes_and_a_linked_one_those_behind_it(tmp_path: Path) -> None:
    (tmp_path / "disk" / "alice").mkdir(parents=True)
    (tmp_path / "disk" / "alice" / "a.tsv").write_bytes(b"12345")
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert measured(tmp_path / "data") == 5
    assert measured(tmp_path / "hook-events") == 0


def test_a_new_disk_is_filled_beside_its_lost_and_found(tmp_path: Path) -> None:
    (tmp_path / "lost+found" / "kept").mkdir(parents=True)
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "a.tsv").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "lost+found")
    erase_below(tmp_path)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["kept", "lost+found"]


def test_a_file_that_cannot_be_read_to_its_end_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tsv", "bad.tsv", "c.tsv"):
        (tmp_path / "data" / "acme").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "acme" / name).write_text(name)
    real = os.fdopen

    def opened(descriptor: int, *how: Any, **more: Any) -> Any:
        file = real(descriptor, *how, **more)
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "bad.tsv":
            bad = MagicMock(wraps=file, read=MagicMock(side_effect=OSError(errno.EIO, "Input/output error")))
            bad.__enter__.return_value, bad.__exit__.side_effect = bad, lambda *_: file.close()
            return bad
        return file

    monkeypatch.setattr(os, "fdopen", opened)
    packed = pack(tmp_path / "data", tmp_path / "backup")
    assert (packed.files, packed.unread) == (2, {"acme/bad.tsv": "input/output error"})
    assert names(tmp_path / "backup") == {"acme/a.tsv", "acme/c.tsv"}
