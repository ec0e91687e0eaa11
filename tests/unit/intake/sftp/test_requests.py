"""What a client can ask over SFTP, packet by packet, friendly and hostile: nothing leaves the home, no half file."""

import contextlib
import errno
import os
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as whenever
from hypothesis import strategies as st
from tests.unit.intake.sftp.speaker import NEW, ON, Answer, Speaker, text

from belvedere.intake.model import Happening
from belvedere.intake.sftp import uploads
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.model import Permission
from belvedere.intake.sftp.quota import Quota
from belvedere.intake.sftp.requests import MOST_HANDLES
from belvedere.intake.sftp.wire import Flag, Kind, Malformed, Status

OUTSIDE = [b"../charlie/secret", b"/../../charlie/secret", b"a/../../charlie/secret", b"../../../../etc/passwd",
           b"/etc/passwd", b"./../charlie/secret", b"//..//charlie//secret", b"..\xc0\xaf..\xc0\xafetc/passwd",
           "\uff0e\uff0e/charlie/secret".encode(), "..\uff0fcharlie\uff0fsecret".encode(), b"link/secret",
           b"file-link", b"loop/loop"]  # fmt: skip


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "data"
    (root / "charlie").mkdir(parents=True)
    (root / "charlie" / "secret").write_text("theirs")
    (root / "acme" / "sub").mkdir(parents=True)
    (root / "acme" / "link").symlink_to(root / "charlie")
    (root / "acme" / "file-link").symlink_to(root / "charlie" / "secret")
    (root / "acme" / "loop").symlink_to("loop")
    return root


@pytest.fixture
def client(root):
    made = Speaker(root)
    yield made
    made.close()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def refused(work, *statuses: Status) -> None:
    with pytest.raises(Answer) as error:
        work()
    assert error.value.status in (statuses or (Status.NO_SUCH_FILE, Status.PERMISSION_DENIED, Status.FAILURE))


def test_no_path_leads_out_of_the_home(client, root):
    for path in OUTSIDE:
        refused(lambda path=path: client.open(path, Flag.READ))
        refused(lambda path=path: client.ask(Kind.OPENDIR, text(path)))
        refused(lambda path=path: client.ask(Kind.RMDIR, text(path)))
        refused(lambda path=path: client.ask(Kind.READLINK, text(path)), Status.PERMISSION_DENIED)
        refused(lambda path=path: client.ask(Kind.RENAME, text(path) + text(b"mine")))
        with contextlib.suppress(Answer):  # Some are names like others, below the home.
            client.put(path, b"mine")
        with contextlib.suppress(Answer):
            client.ask(Kind.MKDIR, text(path) + struct.pack(">I", 0))
    assert names(root) == ["acme", "charlie"]
    assert names(root / "charlie") == ["secret"]
    assert (root / "charlie" / "secret").read_text() == "theirs"


def test_dots_are_worked_out_on_paper(client):
    for path, real in ((b"", b"/"), (b".", b"/"), (b"/../..", b"/"), (b"a/./b/../c//d/", b"/a/c/d")):
        _, body = client.ask(Kind.REALPATH, text(path))
        assert body[4:][4 : 4 + len(real)] == real and struct.unpack(">I", body[4:8])[0] == len(real)


def test_links_are_neither_made_nor_followed_and_can_be_removed(client, root):
    refused(lambda: client.ask(Kind.SYMLINK, text(b"/etc") + text(b"etc")), Status.PERMISSION_DENIED)
    refused(lambda: client.ask(Kind.EXTENDED, text(b"hardlink@openssh.com") + text(b"a") + text(b"b")),
            Status.PERMISSION_DENIED)  # fmt: skip
    refused(lambda: client.ask(Kind.SETSTAT, text(b"link/secret") + struct.pack(">III", 8, 0, 0)))
    client.ask(Kind.REMOVE, text(b"link"))
    assert (root / "charlie" / "secret").exists() and not (root / "acme" / "link").is_symlink()


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(client, root):
    handle = client.open(b"sub/report.csv")
    (root / "acme" / "sub").rename(root / "acme" / "was-sub")
    (root / "acme" / "sub").symlink_to(root / "charlie")
    client.write(handle, 0, b"rows")
    client.shut(handle)
    assert (root / "acme" / "was-sub" / "report.csv").read_bytes() == b"rows"
    assert names(root / "charlie") == ["secret"]


def test_pipes_folders_and_our_own_names_are_no_files(client, root):
    os.mkfifo(root / "acme" / "pipe")
    for path in (b"pipe", b"sub"):
        refused(lambda path=path: client.open(path, Flag.READ))
        refused(lambda path=path: client.open(path))
    for path in (b".belvedere-up-x", b"sub/.belvedere-long-x", b".belvedere-"):
        refused(lambda path=path: client.open(path), Status.NO_SUCH_FILE)
        refused(lambda path=path: client.ask(Kind.RENAME, text(b"sub") + text(path)), Status.NO_SUCH_FILE)
    refused(lambda: client.open(b""))
    refused(lambda: client.ask(Kind.REMOVE, text(b"sub")))
    refused(lambda: client.ask(Kind.RMDIR, text(b"/")))


def test_names_are_bytes_and_as_long_as_the_disk_takes(client, root):
    given = [b"a\nb", b"-rf", "ü".encode("latin-1"), b"'\"$(x)", b"n" * 255, b"m" * 250]
    for name in given:
        client.put(name, name)
        assert client.get(name) == name
    assert set(given) < set(client.list(b"/"))
    for name in (b"n" * 256, b"a\0b", b"x/" * 2100, b"d/" * 70):
        refused(lambda name=name: client.open(name))
    assert (Happening.CLOSED, os.fsdecode("ü".encode("latin-1"))) in client.told


def test_a_file_appears_when_it_is_closed_and_not_before(client, root):
    handle = client.open(b"sub/m.tsv")
    client.write(handle, 0, b"half")
    assert not (root / "acme" / "sub" / "m.tsv").exists()
    assert client.size(b"sub/m.tsv") == 4
    assert client.list(b"sub") == [b"m.tsv"]
    refused(lambda: client.open(b"sub/m.tsv", Flag.READ))
    client.write(handle, 4, b" and whole")
    client.ask(Kind.FSETSTAT, text(handle) + struct.pack(">IIII", 12, 0o777, 1_600_000_000, 1_600_000_000))
    assert client.told == []
    client.shut(handle)
    found = (root / "acme" / "sub" / "m.tsv").stat()
    assert (found.st_size, found.st_mtime, found.st_mode & 0o777) == (14, 1_600_000_000, 0o600)
    assert client.told == [(Happening.CLOSED, "sub/m.tsv")]


def test_a_cut_upload_is_gone_on_with_and_never_had_the_final_name(client, root):
    client.put(b"m.tsv", b"old")
    cut = Speaker(root)
    handle = cut.open(b"m.tsv")
    cut.write(handle, 0, b"new, first")
    cut.close()
    assert client.get(b"m.tsv") == b"old"
    assert client.size(b"m.tsv") == 10  # What is asked before going on.
    handle = client.open(b"m.tsv", ON)
    client.write(handle, 10, b" and last")
    client.shut(handle)
    assert client.get(b"m.tsv") == b"new, first and last"
    assert names(root / "acme" / "sub") == []


def test_who_goes_on_takes_the_upload_from_a_connection_that_hangs(client, root):
    hanging = Speaker(root)
    before = hanging.open(b"m.tsv")
    hanging.write(before, 0, b"abc")
    handle = client.open(b"m.tsv", ON | Flag.APPEND)
    refused(lambda: hanging.write(before, 3, b"x"), Status.FAILURE)
    client.write(handle, 0, b"def")
    refused(lambda: hanging.shut(before), Status.FAILURE)
    client.shut(handle)
    assert client.get(b"m.tsv") == b"abcdef"
    hanging.close()


def test_of_two_who_begin_the_same_file_the_later_one_has_it(client, root):
    other = Speaker(root)
    first, second = client.open(b"m.tsv"), other.open(b"m.tsv")
    refused(lambda: client.write(first, 0, b"first"), Status.FAILURE)
    other.write(second, 0, b"second")
    refused(lambda: client.shut(first), Status.FAILURE)
    other.shut(second)
    assert (root / "acme" / "m.tsv").read_bytes() == b"second"
    other.close()


@pytest.mark.parametrize("flags", [NEW, ON])
def test_a_file_begun_while_a_thread_names_it_waits_in_a_thread_too(client, root, flags):
    other, first = Speaker(root), client.open(b"m.tsv")
    client.write(first, 0, b"first")
    named = client.begin(Kind.CLOSE, text(first))
    begun = other.begin(Kind.OPEN, text(b"m.tsv") + struct.pack(">II", flags, 0))
    assert other.requests.long is not None, "it is not begun in the loop"
    named()
    _, found = begun()
    second = found[4:8]
    other.write(second, 0, b"SEC")
    other.shut(second)
    assert client.get(b"m.tsv") == (b"SEC" if flags == NEW else b"SECst")
    other.close()


def test_a_file_taken_over_before_a_thread_names_it_is_the_newer_ones(client, root):
    other, first = Speaker(root), client.open(b"m.tsv")
    client.write(first, 0, b"first")
    named = client.begin(Kind.CLOSE, text(first))
    second = other.open(b"m.tsv")
    other.write(second, 0, b"half")
    refused(named, Status.FAILURE)
    assert "m.tsv" not in names(root / "acme")
    other.write(second, 4, b" and half")
    other.shut(second)
    assert client.get(b"m.tsv") == b"half and half"
    other.close()


def test_nobody_takes_a_file_over_in_the_moment_in_which_it_gets_its_name(client, root, monkeypatch):
    other, first, rename = Speaker(root), client.open(b"m.tsv"), os.rename
    client.write(first, 0, b"first")
    named = client.begin(Kind.CLOSE, text(first))
    begun = other.begin(Kind.OPEN, text(b"m.tsv") + struct.pack(">II", NEW, 0))
    taking = threading.Thread(target=begun)

    def slowly(source, target, *, src_dir_fd, dst_dir_fd):
        taking.start()
        taking.join(0.05)
        assert taking.is_alive()
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", slowly)
    named()
    taking.join()
    assert (root / "acme" / "m.tsv").read_bytes() == b"first"
    assert [what for what, _ in client.told] == [Happening.CLOSED]
    other.close()


def test_going_on_with_a_whole_file_writes_a_copy(client, root):
    client.put(b"m.tsv", b"12345")
    handle = client.open(b"m.tsv", Flag.WRITE)
    client.write(handle, 1, b"--")
    assert (root / "acme" / "m.tsv").read_bytes() == b"12345"
    client.shut(handle)
    assert client.get(b"m.tsv") == b"1--45"
    refused(lambda: client.open(b"none", Flag.WRITE), Status.NO_SUCH_FILE)
    refused(lambda: client.open(b"m.tsv", NEW | Flag.EXCLUSIVE), Status.FAILURE)


def test_what_is_left_of_cut_uploads_goes_after_a_day(client, root):
    cut = Speaker(root)
    cut.write(cut.open(b"sub/m.tsv"), 0, b"x")
    cut.close()
    later = (root / "acme" / "sub" / ".belvedere-up-m.tsv").stat().st_ctime + uploads.KEPT_S + 1
    handle = client.open(b"going-on")
    client.write(handle, 0, b"x")
    assert uploads.forget_old(root, later - 2) == 0
    assert uploads.forget_old(root, later) == 1
    assert names(root / "acme" / "sub") == []
    client.shut(handle)


def test_a_folder_with_nothing_but_leavings_is_empty(client, root):
    cut = Speaker(root)
    cut.write(cut.open(b"sub/m.tsv"), 0, b"x")
    cut.close()
    client.ask(Kind.RMDIR, text(b"sub"))
    assert not (root / "acme" / "sub").exists()
    client.ask(Kind.MKDIR, text(b"kept") + struct.pack(">I", 0))
    client.put(b"kept/f", b"x")
    refused(lambda: client.ask(Kind.RMDIR, text(b"kept")), Status.FAILURE)


def test_a_full_disk_is_said_and_leaves_nothing_under_the_name(client, root, monkeypatch):
    handle = client.open(b"m.tsv")
    client.write(handle, 0, b"some")

    def full(*_: object):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Answer, match="No space left"):
        client.write(handle, 4, b"more")
    monkeypatch.undo()
    refused(lambda: client.shut(handle), Status.FAILURE)
    assert not list((root / "acme").glob("*m.tsv"))
    assert client.told == [] and "No space" in client.home.meter.error


def test_quotas_hold_during_writes_and_forget_what_is_removed(root):
    (root / "acme" / "sub" / "there").write_bytes(b"x" * 100)
    client = Speaker(root, quota=Quota(1000, 3))
    client.put(b"a", b"x" * 800)
    handle = client.open(b"b")
    client.write(handle, 0, b"x" * 100)
    with pytest.raises(Answer, match="quota of 1000 bytes"):
        client.write(handle, 100, b"x")
    refused(lambda: client.shut(handle))
    client.put(b"a", b"x" * 100)  # In the place of 800.
    client.put(b"b", b"x" * 700)
    with pytest.raises(Answer, match="quota of 3 files"):
        client.open(b"c")
    client.ask(Kind.REMOVE, text(b"b"))
    client.put(b"c", b"x" * 300)
    sparse = client.open(b"c", ON)
    refused(lambda: client.write(sparse, 1 << 62, b"x"))
    refused(lambda: client.ask(Kind.FSETSTAT, text(sparse) + struct.pack(">IQ", 1, 1 << 40)))
    _, room = client.ask(Kind.EXTENDED, text(b"statvfs@openssh.com") + text(b"/"))
    assert struct.unpack(">11Q", room)[5] == 3
    client.close()


@pytest.mark.parametrize(("may", "fails"), [
    ((Permission.UPLOAD,), {"get", "list", "mkdir", "rename", "remove"}),
    ((Permission.READ,), {"put", "mkdir", "rename", "remove", "times"}),
    ((Permission.READ, Permission.CREATE, Permission.DELETE), {"put", "rename", "times"}),
])
def test_a_user_does_what_it_may(root, may, fails):
    (root / "acme" / "here").write_bytes(b"x")
    client = Speaker(root, permissions=may)
    deeds = {
        "get": lambda: client.get(b"here"), "list": lambda: client.list(b"/"), "put": lambda: client.put(b"new", b"x"),
        "mkdir": lambda: client.ask(Kind.MKDIR, text(b"folder") + struct.pack(">I", 0)),
        "times": lambda: client.ask(Kind.SETSTAT, text(b"here") + struct.pack(">III", 8, 1, 1)),
        "rename": lambda: client.ask(Kind.RENAME, text(b"here") + text(b"there")),
        "remove": lambda: client.ask(Kind.REMOVE, text(b"here")),
    }  # fmt: skip
    for name, deed in deeds.items():
        if name in fails:
            refused(deed, Status.PERMISSION_DENIED)
        else:
            deed()
    client.close()


def test_a_part_file_gets_its_name_by_renaming(client, root):
    client.put(b"sub/m.tsv.part", b"rows")
    client.ask(Kind.RENAME, text(b"sub/m.tsv.part") + text(b"sub/m.tsv"))
    assert client.told[-1] == (Happening.CLOSED, "sub/m.tsv")
    client.put(b"other", b"x")
    refused(lambda: client.ask(Kind.RENAME, text(b"other") + text(b"sub/m.tsv")), Status.FAILURE)
    client.ask(Kind.EXTENDED, text(b"posix-rename@openssh.com") + text(b"other") + text(b"sub/m.tsv"))
    client.ask(Kind.RENAME, text(b"sub") + text(b"campaign"))
    assert client.told[-1] == (Happening.RENAMED, "campaign")
    assert client.get(b"campaign/m.tsv") == b"x"


def test_a_home_below_the_tenants_folder_is_told_from_the_tenants(root):
    client = Speaker(root, folder="lab/one")
    client.put(b"../../m.tsv", b"x")
    assert (root / "acme" / "lab" / "one" / "m.tsv").exists()
    assert client.told == [(Happening.CLOSED, "lab/one/m.tsv")]
    client.close()


def test_a_home_that_is_a_link_is_not_opened(root):
    (root / "doubtful").symlink_to(root / "charlie")
    with pytest.raises(OSError, match=r"Not a directory|Too many"):
        Home(root, "doubtful", "", permissions=frozenset(), quota=Quota(0, 0), tell=lambda *_: None)


def test_a_home_stays_open_while_a_thread_works_in_it(client):
    with client.home.kept_open():
        client.home.close()
        assert client.home.look(b"/sub").st_size >= 0
    with pytest.raises(OSError, match="descriptor"):
        client.home.look(b"/sub")


def test_nobody_waits_for_the_disk_of_another(client, root):
    handle = client.open(b"slow.tsv")
    client.write(handle, 0, b"1")
    body = text(b"fsync@openssh.com") + text(handle)
    client.requests.feed(struct.pack(">IBI", len(body) + 5, Kind.EXTENDED, 99) + body)
    assert client.requests.long is not None
    assert not client.sent
    client.requests.finish(client.requests.long)
    assert client.packet()[0] == Kind.STATUS
    client.shut(handle)
    assert (root / "acme" / "slow.tsv").read_bytes() == b"1"


def test_handles_are_counted_and_nobody_guesses_one(client):
    handles = [client.open(b"f%d" % number) for number in range(MOST_HANDLES)]
    refused(lambda: client.open(b"more"), Status.FAILURE)
    refused(lambda: client.ask(Kind.OPENDIR, text(b"/")), Status.FAILURE)
    for wrong in (b"abcd", b"x" * 200, handles[0] + b"x"):
        refused(lambda wrong=wrong: client.shut(wrong), Status.FAILURE)
        refused(lambda wrong=wrong: client.write(wrong, 0, b"x"), Status.FAILURE, Status.BAD_MESSAGE)
    refused(lambda: client.ask(99, b""), Status.UNSUPPORTED)
    refused(lambda: client.ask(Kind.EXTENDED, text(b"copy-data")), Status.UNSUPPORTED)
    refused(lambda: client.ask(Kind.STAT, b"\0\0\1"), Status.BAD_MESSAGE)
    refused(lambda: client.ask(Kind.WRITE, text(handles[0]) + struct.pack(">QI", 0, 1 << 31)), Status.BAD_MESSAGE)


@pytest.mark.parametrize("packet", [b"\xff\xff\xff\xff", b"\0\0\0\0", struct.pack(">I", 262_145)])
def test_a_packet_of_absurd_length_ends_the_channel(client, packet):
    with pytest.raises(Malformed):
        client.requests.feed(packet)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@whenever(data=st.lists(st.tuples(st.integers(0, 201), st.binary(max_size=60)), max_size=12))
def test_no_packet_breaks_anything(root, data):
    client = Speaker(root)
    client.open(b"sub/f")
    for number, (kind, body) in enumerate(data):
        try:
            client.requests.feed(struct.pack(">IBI", len(body) + 5, kind, number) + body)
            while client.requests.long is not None:
                client.requests.finish(client.requests.long)
        except Malformed:
            break
    client.close()
    assert (root / "charlie" / "secret").read_text() == "theirs"


def test_requests_wait_while_answers_are_not_fetched(client):
    client.put(b"f", b"x" * 1000)
    client.requests.held = True
    client.requests.feed(struct.pack(">IBI", 5 + 5, Kind.STAT, 9) + text(b"f"))
    assert not client.sent
    client.requests.held = False
    client.requests.go_on()
    assert client.packet()[0] == Kind.ATTRS
