"""The home: whose it is, which form it has, who holds it."""

import errno
import os

import msgspec
import pytest

from belvedere.kernel.errors import Conflict, Rejected, Stuck
from belvedere.kernel.running import State, locked, running
from belvedere.kernel.settings import Settings
from belvedere.node.home import Home, disk_errors, status, write_private
from belvedere.node.reset import erase, holds


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.prepare()
    yield made
    made.unlock()


def test_a_new_home_lets_nobody_list_it(home):
    assert home.path.stat().st_mode & 0o066 == 0
    assert (home.path / "keys").stat().st_mode & 0o777 == 0o700
    home.prepare()


def test_one_supervisor_holds_a_home(home):
    assert not locked(home.path)
    home.lock()
    home.write_state(State(state="running", version="1", url="http://here", home=str(home.path)))
    assert locked(home.path)
    assert running(Settings(home=str(home.path))).url == "http://here"
    with pytest.raises(Conflict, match="runs already at http://here"):
        Home(home.path).lock()
    home.unlock()
    assert not locked(home.path)
    assert status(Settings(home=str(home.path))).state == "stopped"


@pytest.mark.parametrize(("form", "problem"), [(99, "newer-home"), (0, "older-home")])
def test_a_home_of_another_form_is_refused_in_one_sentence(home, form, problem):
    (home.path / "home.json").write_bytes(msgspec.json.encode({"format": form, "made_by": "7.0"}))
    with pytest.raises(Rejected, match=r"7\.0") as caught:
        Home(home.path).prepare()
    assert caught.value.problem == problem
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder away needs root")
def test_a_home_of_somebody_else_is_refused(home):
    os.chown(home.path, 12345, 12345)
    with pytest.raises(Rejected, match="belongs to user 12345"):
        Home(home.path).prepare()


@pytest.mark.parametrize(("number", "kind", "words"), [
    (errno.ENOSPC, Stuck, "full"), (errno.EACCES, Rejected, "cannot be written"), (errno.EROFS, Rejected, "read-only"),
])
def test_the_file_systems_words_become_a_sentence(tmp_path, number, kind, words):
    with pytest.raises(kind, match=words), disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_private_file_is_whole_and_private(tmp_path):
    path = tmp_path / "key"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_a_folder_with_other_things_does_not_become_a_home(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(Rejected, match=r"no home of Belvedere and not empty: it holds letters\.txt") as caught:
        Home(tmp_path).prepare()
    assert caught.value.problem == "home"
    assert [one.name for one in tmp_path.iterdir()] == ["letters.txt"]


def test_copied_keys_an_env_file_and_a_mounted_disk_may_become_a_home(tmp_path):
    for name in ("keys", "lost+found"):
        (tmp_path / name).mkdir()
    (tmp_path / ".env").write_text("PORT=8090")
    Home(tmp_path).prepare()
    assert (tmp_path / "home.json").exists()


def test_a_reset_leaves_what_is_not_belvederes(home):
    settings = Settings(home=str(home.path), capture_dir="pictures/of/mine")
    (home.path / "pictures" / "of" / "mine").mkdir(parents=True)
    (home.path / "letters.txt").write_text("dear")
    assert erase(settings) == ["letters.txt"]
    assert [one.name for one in home.path.iterdir()] == ["letters.txt"]


def test_a_reset_deletes_a_home_with_its_folder_tenants_files_and_host_keys_too(home):
    for name in ("history", "data", "reports", "hook", "sftp"):
        (home.path / name).mkdir()
        (home.path / name / "one").write_text("of ours")
    assert any("files of tenants" in line for line in holds(Settings(home=str(home.path))))
    assert erase(Settings(home=str(home.path))) == []
    assert not home.path.exists()


def test_a_reset_leaves_tenants_files_outside_the_home_and_says_so(home, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "one").write_text("kept")
    settings = Settings(home=str(home.path), data_root=str(tmp_path / "theirs"))
    assert any(f"stay in {tmp_path / 'theirs'}" in line for line in holds(settings))
    assert erase(settings) == []
    assert (tmp_path / "theirs" / "one").read_text() == "kept"
