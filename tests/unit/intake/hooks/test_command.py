"""The command hook: what its program tells by the socket, keeps while nobody listens, and what is made of it."""

import errno
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.intake.hooks.conftest import ROOT, SESSION, Rig

from belvedere.intake.hooks import local
from belvedere.intake.hooks.event import DISCONNECT, of_environment
from belvedere.intake.hooks.service import Hooks
from belvedere.intake.hooks.spool import MOST_BYTES
from belvedere.kernel.errors import Conflict, Later, Rejected, Stuck

PROGRAM = Path(__file__).parents[4] / "src" / "belvedere_hook.py"
UPLOAD = {"SFTPGO_ACTION": "upload", "SFTPGO_ACTION_PATH": f"{ROOT}/acme/camp/a.tsv"}
WHOLE = {
    **UPLOAD, "SFTPGO_ACTION_USERNAME": "acme", "SFTPGO_ACTION_TARGET": "", "SFTPGO_ACTION_VIRTUAL_PATH": "/camp/a.tsv",
    "SFTPGO_ACTION_VIRTUAL_TARGET": "", "SFTPGO_ACTION_SSH_CMD": "", "SFTPGO_ACTION_FILE_SIZE": "6",
    "SFTPGO_ACTION_ELAPSED": "0", "SFTPGO_ACTION_FS_PROVIDER": "0", "SFTPGO_ACTION_STATUS": "1",
    "SFTPGO_ACTION_PROTOCOL": "SFTP", "SFTPGO_ACTION_IP": "127.0.0.1", "SFTPGO_ACTION_SESSION_ID": SESSION,
    "SFTPGO_ACTION_TIMESTAMP": "1795252416338930491", "SFTPGO_ACTION_ROLE": "", "PWD": "/srv",
}  # fmt: skip
END = {"SFTPGO_CONNECTION_USERNAME": "acme", "SFTPGO_CONNECTION_IP": "127.0.0.1", "SFTPGO_CONNECTION_PROTOCOL": "SFTP",
       "SFTPGO_CONNECTION_DURATION": "40"}  # fmt: skip


def call(rig: Rig, environment: dict[str, str]) -> int:
    """Run the program as SFTPGo does: with nothing else in the environment."""
    return subprocess.run(
        [sys.executable, "-IS", PROGRAM, rig.folder], env=environment, check=False, capture_output=True
    ).returncode


def say(rig: Rig, said: bytes, *, end: bool = True) -> bytes:
    """Talk to the socket by hand."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        here = os.open(rig.folder, os.O_RDONLY)
        line.connect(f"/proc/self/fd/{here}/socket")
        os.close(here)
        try:
            line.sendall(said)
            if end:
                line.shutdown(socket.SHUT_WR)
            return line.recv(64)
        except (BrokenPipeError, ConnectionResetError):
            return b""


@contextmanager
def closing_descriptor(folder: Path) -> Iterator[int]:
    """Open a folder for the block."""
    here = os.open(folder, os.O_RDONLY)
    try:
        yield here
    finally:
        os.close(here)


def told(environment: dict[str, str], number: str = "1") -> bytes:
    return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in {"NUMBER": number, **environment}.items())


@contextmanager
def listening(rig: Rig) -> Iterator[None]:
    """Serve the door in a thread."""
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=rig.local().run, args=(stop, ready))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def spooled(rig: Rig) -> list[str]:
    return sorted(path.name for path in (rig.folder / "spool").glob("*"))


def test_an_event_is_kept_before_the_program_ends(rig: Rig) -> None:
    with listening(rig):
        assert call(rig, WHOLE) == 0
        assert rig.noted() == [("acme", "camp/a.tsv", "closed")]
        # SFTPGo told twice, and by the HTTP hook besides: the same event.
        assert say(rig, told(WHOLE, "2")) == b"kept\n"
        event = rig.event("upload", "/camp/a.tsv", timestamp=1795252416338930491)
        assert rig.tell(event) == [200]
        assert rig.noted() == [("acme", "camp/a.tsv", "closed")]
    assert spooled(rig) == []
    assert not (rig.folder / "socket").exists()


def test_while_nobody_listens_it_is_kept_beside_and_taken_up_in_order(rig: Rig) -> None:
    rig.folder.mkdir(mode=0o700)
    assert call(rig, UPLOAD) == 1, "neither a socket nor a spool: it must say so"
    (rig.folder / "spool").mkdir()
    assert call(rig, UPLOAD) == 0
    assert call(rig, END) == 0
    assert len(spooled(rig)) == 2
    order: list[str] = []
    keep = rig.hooks.take
    rig.hooks.take = lambda heard: (order.extend(one.event.action for one in heard), keep(heard))[1]  # type: ignore[method-assign]
    assert rig.local().drain() == 2
    assert order == ["upload", DISCONNECT]
    assert rig.noted() == [("acme", "", "look"), ("acme", "camp/a.tsv", "closed")]
    assert spooled(rig) == []


def test_what_cannot_be_kept_now_stays_in_the_folder(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self, heard):
        raise Later

    with listening(rig), monkeypatch.context() as patch:
        patch.setattr(Hooks, "take", away)
        assert call(rig, UPLOAD) == 0
        assert len(spooled(rig)) == 1
    with listening(rig):
        pass
    assert rig.noted() == [("acme", "camp/a.tsv", "closed")]


def test_todays_two_names_are_enough_and_a_settings_files_action_without_a_path_is_an_end(rig: Rig) -> None:
    with listening(rig):
        assert say(rig, told({**UPLOAD, "SFTPGO_ACTION": "mkdir"}, "1")) == b"kept\n"
        assert say(rig, told({**END, "SFTPGO_ACTION": "upload", "SFTPGO_ACTION_PATH": ""}, "2")) == b"kept\n"
        assert say(rig, told({"SFTPGO_ACTION": "upload"}, "3")) == b"refused\n"
    assert rig.noted() == [("acme", "", "look"), ("acme", "camp/a.tsv", "made")]


@pytest.mark.parametrize("environment", [
    {"PWD": "/"}, {}, {**UPLOAD, "SFTPGO_ACTION_PATH": "/etc/passwd"},
    {**WHOLE, "SFTPGO_ACTION_PATH": f"{ROOT}/globex/a.tsv"}, {**WHOLE, "SFTPGO_ACTION_STATUS": "one"},
    {**WHOLE, "SFTPGO_ACTION_TIMESTAMP": "9" * 30}, {**UPLOAD, "SFTPGO_ACTION_PATH": f"{ROOT}/acme/../globex/a"},
])
def test_what_is_no_event_or_not_its_own_is_refused(rig: Rig, environment: dict[str, str]) -> None:
    with listening(rig):
        assert say(rig, told(environment)) == b"refused\n"
    assert rig.noted() == []
    assert len(rig.refused()) == 1


def test_names_pass_as_bytes(rig: Rig) -> None:
    names = [b"a\nb", b"\xff\xfe.tsv", b"$(id)", b"a=b", "é".encode()]
    with listening(rig):
        for number, name in enumerate(names):
            path = os.fsencode(f"{ROOT}/acme/") + name
            said = b"NUMBER=%d\0SFTPGO_ACTION=upload\0SFTPGO_ACTION_PATH=%s\0" % (number, path)
            assert say(rig, said) == b"kept\n"
    assert [path for _, path, _ in rig.noted()] == sorted(["a\\x0ab", "\\xff\\xfe.tsv", "$(id)", "a=b", "é"])


def test_one_who_says_too_much_or_nothing_hinders_nobody(rig: Rig) -> None:
    with listening(rig), socket.socket(socket.AF_UNIX) as silent:
        here = os.open(rig.folder, os.O_RDONLY)
        silent.connect(f"/proc/self/fd/{here}/socket")
        os.close(here)
        assert say(rig, b"x" * (MOST_BYTES + 70_000)) == b""
        assert say(rig, told(UPLOAD)) == b"kept\n"


def test_where_all_lines_are_taken_nobody_is_looked_for_until_one_is_free(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_MOST_CALLERS", 2)
    monkeypatch.setattr(local, "_LOOK_S", 0.0)
    door = rig.local()
    with door._alone(), door._listening() as place, selectors.DefaultSelector() as waiting, ExitStack() as lines:
        here = lines.enter_context(closing_descriptor(rig.folder))
        silent, other, late = (lines.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3))
        for one in (silent, other, late):
            one.connect(f"/proc/self/fd/{here}/socket")
        late.sendall(told(UPLOAD))
        late.shutdown(socket.SHUT_WR)
        for _ in range(3):
            door._serve(place, waiting)
        assert len(door._callers) == 2
        assert waiting.select(0) == [], "a caller that has to wait wakes nobody"
        silent.close()
        for _ in range(3):
            door._serve(place, waiting)
        assert late.recv(100) == b"kept\n"
        other.close()
        door._serve(place, waiting)
    assert rig.noted() == [("acme", "camp/a.tsv", "closed")]


def test_a_process_that_may_open_no_more_files_goes_on_serving(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    class Full:
        def accept(self) -> None:
            tries.append(1)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        def fileno(self) -> int:
            return place.fileno()

    door = rig.local()
    monkeypatch.setattr(local, "_LOOK_S", 0.02)
    with door._alone(), door._listening() as place, selectors.DefaultSelector() as waiting:
        with socket.socket(socket.AF_UNIX) as caller, closing_descriptor(rig.folder) as here:
            caller.connect(f"/proc/self/fd/{here}/socket")
            full: Any = Full()
            for _ in range(2):
                door._serve(full, waiting)
        assert len(tries) == 1, "it rests before it tries again"


def test_what_others_left_in_the_folder_is_let_be(rig: Rig) -> None:
    spool = rig.folder / "spool"
    spool.mkdir(parents=True, mode=0o700)
    (spool / "notes.txt").write_text("mine")
    (spool / f"{1:020}-1-{'a' * 12}.event").symlink_to("/etc/passwd")
    os.mkfifo(spool / f"{2:020}-1-{'b' * 12}.event")
    (spool / f"{3:020}-1-{'c' * 12}.event").write_bytes(told(UPLOAD, "3"))
    (spool / f"{4:020}-1-{'d' * 12}.event").write_bytes(b"\0\0no event")
    assert rig.local().drain() == 2
    assert rig.noted() == [("acme", "camp/a.tsv", "closed")]
    assert len(spooled(rig)) == 3 and len(rig.refused()) == 1


def test_a_folder_that_everybody_can_reach_is_not_served(rig: Rig) -> None:
    rig.folder.mkdir(mode=0o755)
    rig.folder.chmod(0o755)
    with pytest.raises(Stuck, match="Everybody"):
        rig.local().run(threading.Event())


def test_two_do_not_serve_one_folder(rig: Rig) -> None:
    with listening(rig), pytest.raises(Conflict, match="Another process"):
        rig.local().run(threading.Event())


def test_a_caller_of_another_user_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belvedere.intake.hooks.local._peer", lambda _: (4_000_000, 4_000_000))
    with listening(rig):
        assert say(rig, told(UPLOAD)) == b""
    assert [who for who, _, _ in rig.refused()] == ["stranger"]


def test_an_environment_of_no_hook_is_none() -> None:
    with pytest.raises(Rejected):
        of_environment({"PATH": "/bin"}, "")
