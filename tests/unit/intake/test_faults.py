"""Full disks, rights that lack, other file systems, files that change under our hands, folders that are watched."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

from belvedere.intake import moves
from belvedere.intake.files import Folder, Root
from belvedere.intake.model import Happening, Notice
from belvedere.intake.watching import Watching
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import EXIT_CODE
from intake_world import World, meter

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: BaseException) -> None:
    """Let a function fail at its first call and work from then on."""
    real, left = getattr(owner, name), [error]

    def failing(*args: object, **kwargs: object) -> object:
        if left:
            raise left.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (os, "mkdir"), (moves, "_rename"), ("belvedere.intake.reports_written.Path", "mkdir"),
        ("belvedere.intake.reports_written.Path", "replace"),
    ],
)
def test_a_full_disk_at_any_step_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    world.put("camp/1/a.tsv", meter())
    world.put("camp/1/b.tsv", "nonsense")
    fail_once(monkeypatch, Path if isinstance(owner, str) else owner, name, FULL)
    with pytest.raises(Later, match="full"):
        world.take()
    world.take()
    assert world.lying() == ["camp/1/error/b.tsv", "camp/1/parsed/a.tsv"]
    assert world.states() == {"camp/1/a.tsv": "parsed", "camp/1/b.tsv": "refused"}
    assert len(list(world.reports.iterdir())) == 1
    assert not list(world.reports.glob(".*"))


def test_a_real_full_disk_at_the_copy_to_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "data" / "acme"
    home.mkdir(parents=True)
    (home / "a.tsv").write_text(meter(2000))
    _other_disk(monkeypatch)
    real = os.write
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(FULL))
    folder = Root(tmp_path / "data").home("acme")
    assert folder is not None
    with folder:
        (file,) = folder.walk()
        with pytest.raises(OSError, match="space"):
            moves.put_away(folder, file, "parsed")
        assert sorted(path.name for path in home.rglob("*")) == ["a.tsv", "parsed"]
        monkeypatch.setattr(os, "write", real)
        assert moves.put_away(folder, file, "parsed") == "a.tsv"
    assert (home / "parsed/a.tsv").read_text() == meter(2000)
    assert not (home / "a.tsv").exists()


def _other_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    real = moves._rename

    def rename(folder: object, name: str, target: object, to: str) -> None:
        if target is not folder:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(folder, name, target, to)

    monkeypatch.setattr(moves, "_rename", rename)


PROGRAM = """
import errno, os, sys
from pathlib import Path
from belvedere.intake import moves
from belvedere.intake.files import Folder, Root
how, root = sys.argv[1:]
real = moves._rename
def rename(folder, name, target, to):
    if target is not folder:
        raise OSError(errno.EXDEV, "")
    real(folder, name, target, to)
if how == "copy":
    moves._rename = rename
    found = os.stat
    def stat(name, **kwargs):
        it = found(name, **kwargs)
        return it
else:
    class Old:
        def renameat2(self, *args):
            import ctypes
            ctypes.set_errno(errno.ENOSYS)
            return -1
    moves._libc = Old()
with Root(Path(root)).home("acme") as home:
    files = list(home.walk())
    for file in files:
        moves.put_away(home, file, "parsed")
"""


@pytest.mark.parametrize(
    ("how", "place"),
    [("copy", "intake.move.copied"), ("copy", "intake.move.copy-named"), ("link", "intake.move.linked")],
)
def test_a_crash_in_a_move_that_takes_several_steps(tmp_path: Path, how: str, place: str) -> None:
    home = tmp_path / "acme"
    home.mkdir()
    (home / "a.tsv").write_text(meter())
    run = [sys.executable, "-c", PROGRAM, how, str(tmp_path)]
    died = subprocess.run(run, env={**os.environ, "BELVEDERE_FAILPOINT": place}, check=False)
    assert died.returncode == EXIT_CODE
    assert subprocess.run(run, check=False).returncode == 0
    left = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    assert all((home / path).read_text() == meter() for path in left)
    if place == "intake.move.copy-named":
        # One disk stands in for two here, where a copy under the name cannot be told from another file.
        assert sorted(map(str, left)) == ["parsed/a.tsv", "parsed/a.tsv~2"]
    else:
        assert list(map(str, left)) == ["parsed/a.tsv"]


def _names(folder: Path, numbers: Iterable[int]) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / ("a.tsv" if number == 1 else f"a.tsv~{number}")).write_text(str(number))


@pytest.mark.parametrize(
    ("taken", "free"),
    [(range(1, 2), 2), (range(1, 1500), 1500), ([*range(1, 700), *range(701, 1500)], 1500), (range(2, 9), 1)],
)
def test_a_free_name_is_found_in_few_looks_and_nothing_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: Iterable[int], free: int
) -> None:
    home, looks, real = tmp_path / "acme", [], Folder.stat
    _names(home / "parsed", taken)
    (home / "a.tsv").write_text("new")
    monkeypatch.setattr(Folder, "stat", lambda folder, name: looks.append(name) or real(folder, name))
    folder = Root(tmp_path).home("acme")
    assert folder is not None
    with folder:
        (file,) = folder.walk()
        name = moves.put_away(folder, file, "parsed")
        assert name == ("a.tsv" if free == 1 else f"a.tsv~{free}")
        assert sum("~" in one for one in looks) <= 27
        assert moves.find_done(folder, file, "parsed") == name
    assert sorted(path.read_text() for path in (home / "parsed").iterdir()) == sorted([*map(str, taken), "new"])


def test_a_name_that_somebody_takes_in_the_last_moment_stays_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, real = tmp_path / "acme", moves._rename
    _names(home / "parsed", range(1, 5))
    (home / "a.tsv").write_text("new")

    def rename(folder: Folder, name: str, target: Folder, to: str) -> None:
        monkeypatch.setattr(moves, "_rename", real)
        (home / "parsed" / to).write_text("theirs")
        real(folder, name, target, to)

    monkeypatch.setattr(moves, "_rename", rename)
    folder = Root(tmp_path).home("acme")
    assert folder is not None
    with folder:
        (file,) = folder.walk()
        assert moves.put_away(folder, file, "parsed") == "a.tsv~6"
    assert (home / "parsed/a.tsv~5").read_text() == "theirs"


def test_a_file_that_was_linked_under_a_number_that_is_passed_by_is_found(tmp_path: Path) -> None:
    home = tmp_path / "acme"
    _names(home / "parsed", [*range(1, 7), *range(8, 20)])
    (home / "a.tsv").write_text("new")
    (home / "parsed" / "a.tsv~7").hardlink_to(home / "a.tsv")
    folder = Root(tmp_path).home("acme")
    assert folder is not None
    with folder:
        (file,) = folder.walk()
        assert moves.put_away(folder, file, "parsed") == "a.tsv~7"
        assert moves.find_done(folder, file, "parsed") == "a.tsv~7"
    assert not (home / "a.tsv").exists()


def test_a_file_replaced_or_rewritten_after_it_was_read_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("camp/1/a.tsv", meter())
    real = moves.put_away

    def rewritten(folder: object, file: object, into: str) -> str:
        monkeypatch.setattr("belvedere.intake.take.put_away", real)
        path = world.home / "camp/1/new.part"
        path.write_text(meter(5, value=1))
        path.rename(world.home / "camp/1/a.tsv")
        return real(folder, file, into)  # type: ignore[arg-type]

    monkeypatch.setattr("belvedere.intake.take.put_away", rewritten)
    world.take()
    assert world.states() == {"camp/1/a.tsv": "received"}
    world.clock.ahead += world.clock.ahead.resolution * 60_000_000
    world.take()
    (upload,) = world.uploads()
    assert (str(upload.state), upload.rows) == ("parsed", 5)
    assert (world.home / "camp/1/parsed/a.tsv").read_text() == meter(5, value=1)


def test_a_folder_or_file_that_may_not_be_read_is_told_and_taken_once_it_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("camp/1/a.tsv", meter())
    real = os.open

    def denied(path: object, flags: int, *args: object, **kwargs: object) -> int:
        if path == "a.tsv" and not flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", denied)
        world.take()
    (upload,) = world.uploads()
    assert (str(upload.state), upload.code) == ("waiting", "permission")
    world.files.uploads.try_again(SYSTEM, upload.id)
    world.take()
    assert world.states() == {"camp/1/a.tsv": "parsed"}


def test_what_was_being_read_when_its_job_was_given_up_is_taken_up_by_the_timer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("camp/1/a.tsv", meter())
    fail_once(monkeypatch, moves, "_rename", SystemExit("killed"))
    with pytest.raises(SystemExit):
        world.take()
    with world.database.transaction() as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    world.files.intake.look_all("")
    assert ("intake.take", str(world.serial)) in world.jobs()
    assert list(world.states().values()) in (["reading"], ["stored"])
    world.take()
    assert (world.lying(), world.states()) == (["camp/1/parsed/a.tsv"], {"camp/1/a.tsv": "parsed"})


def test_a_parsed_that_is_no_folder_keeps_the_file_until_it_is_out_of_the_way(world: World) -> None:
    world.put("camp/1/a.tsv", meter())
    (world.home / "camp/1/parsed").symlink_to("/tmp")
    with pytest.raises(Later, match="no folder"):
        world.take()
    assert (world.home / "camp/1/a.tsv").exists()
    (world.home / "camp/1/parsed").unlink()
    world.take()
    assert world.lying() == ["camp/1/parsed/a.tsv"]


def test_a_file_that_takes_too_long_or_too_much_is_refused_and_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from belvedere.intake.meter_files import MeterFiles
    from belvedere.intake.reader import Readers

    (tmp_path / "heavy.py").write_text(
        "import time\nfrom belvedere.intake.meter_files import read as good\n"
        "def read(place, file, hand, **options):\n"
        "    if 'slow' in place.name: time.sleep(600)\n"
        "    if 'big' in place.name: bytearray(1 << 40)\n"
        "    return good(place, file, hand, **options)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(MeterFiles, "reader", "heavy:read")
    own = Readers(memory_bytes=1 << 30, timeout_s=2.0)
    monkeypatch.setattr(world.files.intake._taking, "_readers", own)
    try:
        for name in ("big", "slow", "z"):
            world.put(f"camp/1/{name}.tsv", meter(2, value=len(name)))
        world.take()
    finally:
        own.close()
    found = {one.name: (str(one.state), one.code) for one in world.uploads()}
    assert found == {"big.tsv": ("refused", "memory"), "slow.tsv": ("refused", "reader"), "z.tsv": ("parsed", None)}


@contextmanager
def watched(root: Path):
    """Watch a folder; give what is told, and a way to wait for it."""
    told: list[Notice] = []
    more = threading.Condition()

    def tell(notices):
        with more:
            told.extend(notices)
            more.notify_all()

    def wait(*wanted: tuple[str, str, Happening]) -> None:
        with more:
            there = more.wait_for(lambda: set(wanted) <= {(one.company, one.path, one.what) for one in told}, 10)
            assert there, told

    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=Watching(Root(root), tell).run, args=[stop, ready])
    thread.start()
    assert ready.wait(10)
    try:
        yield wait, told
    finally:
        stop.set()
        thread.join(10)


def test_what_happens_in_folders_is_told_and_no_link_is_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "data", tmp_path / "outside"
    (root / "acme" / "camp" / "1" / "parsed").mkdir(parents=True)
    outside.mkdir()
    (root / "acme" / "link").symlink_to(outside)
    with watched(root) as (wait, told):
        (root / "acme/camp/1/a.tsv.part").write_text("x")
        (root / "acme/camp/1/parsed/done.tsv").write_text("x")
        (outside / "x.tsv").write_text("x")
        (root / "acme/camp/1/a.tsv.part").rename(root / "acme/camp/1/a.tsv")
        (root / "acme/camp/1/b.tsv").write_text("x")
        (root / "globex").mkdir()
        wait(("acme", "camp/1/a.tsv", Happening.RENAMED), ("acme", "camp/1/b.tsv", Happening.LOOK),
             ("globex", "", Happening.MADE))
        (root / "globex/camp").mkdir()
        wait(("globex", "camp", Happening.MADE))
        (root / "globex/camp/new.tsv").write_text("x")
        (root / "acme/camp").rename(root / "acme/plant")
        wait(("globex", "camp/new.tsv", Happening.LOOK), ("acme", "plant", Happening.MADE),
             ("acme", "camp", Happening.REMOVED))
        (root / "acme/plant/1/c.tsv").write_text("x")
        wait(("acme", "plant/1/c.tsv", Happening.LOOK))
        paths = {one.path for one in told}
    assert not any("parsed" in path or "x.tsv" in path or "part" in path for path in paths)
