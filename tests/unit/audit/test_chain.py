"""What the chain proves: any changed byte, any missing line or file up to an anchored place is found."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belvedere.audit import record
from belvedere.audit.model import Head
from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.clock import utc_now

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5).filter(lambda d: not {"n", "kind"} & set(d)))
def test_a_sealed_line_reads_back_and_checks(members: dict) -> None:
    body = {"n": 1, "kind": "asked", "more": str(members).encode("utf-8", "replace").decode()}
    line, own = record.seal(body, record.GENESIS)
    assert record.checked(line[:-1], 1, record.GENESIS) == own
    assert record.hashes(line[:-1]) == (record.GENESIS, own)
    assert {key: record.read(line)[key] for key in body} == body
    assert record.kind(line) == "asked"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Head]]:
    """Two ended processes' chains, the first in several files, and an anchor of them kept elsewhere."""
    folder = tmp_path_factory.mktemp("written") / "history"
    for number in range(2):
        history = FileHistory(folder, most_bytes=1_500)
        for turn in range(5):
            with history.action(SYSTEM, "tenant.create", f"{number}-{turn}", reason="ünï"):
                pass
        history.close()
    return folder, dict(FileHistory(folder).verify().heads)


def verify(folder: Path, anchors: dict[str, Head]) -> bool:
    return FileHistory(folder, utc_now).verify(anchors).ok


def test_what_was_written_is_whole(written: tuple[Path, dict[str, Head]]) -> None:
    folder, anchors = written
    found = FileHistory(folder).verify(anchors)
    assert found.ok and found.count == 10 and found.files > 3
    assert len(found.head) == 64


def tampered(deed: str, content: bytes, draw) -> bytes:
    """Return what an intruder might leave of a file."""
    lines = content.splitlines(keepends=True)
    line, place = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(content) - 1))
    more = draw(st.binary(min_size=1, max_size=80))
    done = {
        "byte": lambda: content[:place] + bytes([content[place] ^ draw(st.integers(1, 255))]) + content[place + 1 :],
        "cut": lambda: content[:place],
        "line": lambda: b"".join(lines[:line] + lines[line + 1 :]),
        "swap": lambda: b"".join([*lines[:line], *lines[line : line + 2][::-1], *lines[line + 2 :]]),
        "append": lambda: content + more,
        "insert": lambda: content[:place] + more + content[place:],
        "double": lambda: b"".join([*lines[: line + 1], *lines[line:]]),
    }
    return done[deed]()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tampering_is_found(written: tuple[Path, dict[str, Head]], tmp_path_factory, data: st.DataObject) -> None:
    folder, anchors = written
    copy = tmp_path_factory.mktemp("copy") / "history"
    shutil.copytree(folder, copy)
    path = data.draw(st.sampled_from(sorted(copy.glob("*.jsonl"))))
    content = path.read_bytes()
    deed = data.draw(st.sampled_from(["byte", "cut", "line", "swap", "append", "insert", "double", "file", "rename"]))
    if deed == "file":
        path.unlink()
    elif deed == "rename":
        path.rename(path.with_name("20200101T000000Z-1-aaaaaaaa.0001.jsonl"))
    else:
        path.write_bytes(tampered(deed, content, data.draw))
    if path.exists() and path.read_bytes() == content:
        return
    found = FileHistory(copy).verify(anchors)
    assert not found.ok
    assert found.broken_at is not None


def test_a_chain_forged_from_some_line_on_is_found_by_its_anchor(written, tmp_path: Path) -> None:
    folder, anchors = written
    copy = tmp_path / "history"
    shutil.copytree(folder, copy)
    # Two files of one chain may be of the same moment for a file system.
    path = max(copy.glob("*.jsonl"), key=lambda one: (one.stat().st_mtime_ns, one.name))
    before, forged = None, []
    for line in path.read_bytes().splitlines():
        members = record.read(line)
        was = members.pop("before")
        del members["hash"]
        before = was if before is None else before
        sealed, before = record.seal(members | {"actor": "mallory"}, before)
        forged.append(sealed)
    path.write_bytes(b"".join(forged))
    assert FileHistory(copy).verify().ok, "an attacker who rewrites a whole chain fools the chain alone"
    assert not FileHistory(copy).verify(anchors).ok


def test_a_removed_chain_is_found_by_the_next_one_that_cites_it(folder: Path, clock) -> None:
    for name in ("first", "second"):
        history = FileHistory(folder, clock)
        with history.action(SYSTEM, "tenant.create", name):
            pass
        history.close()
        clock.forward(seconds=5)
    first, _ = sorted(folder.glob("*.jsonl"))
    content = first.read_bytes()
    first.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    found = FileHistory(folder).verify()
    assert found.broken_at.file == first.name and "end is missing" in found.broken_at.why
    first.unlink()
    found = FileHistory(folder).verify()
    assert (found.broken_at.file, found.broken_at.line) == (first.name, 0)


def test_the_own_chains_cut_tail_is_found_from_memory(history: FileHistory, folder: Path) -> None:
    for turn in range(3):
        with history.action(SYSTEM, "tenant.create", f"{turn}"):
            pass
    [path] = folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("r+b") as file:
        file.truncate(sum(len(line) for line in lines[:-2]))
    assert not history.verify().ok


def test_rotation_by_size_and_age_keeps_the_chain(folder: Path, clock) -> None:
    history = FileHistory(folder, clock, most_bytes=1_000, most_age_s=3600)
    for turn in range(6):
        with history.action(SYSTEM, "tenant.create", f"{turn}"):
            clock.forward(minutes=1)
    by_size = len(list(folder.glob("*.jsonl")))
    clock.forward(hours=2)
    with history.action(SYSTEM, "tenant.create", "late"):
        pass
    assert 1 < by_size < len(list(folder.glob("*.jsonl")))
    assert history.verify().ok
    assert history.search(SYSTEM, result="succeeded").total == 7
    history.close()
    middle = sorted(folder.glob("*.jsonl"))[1]
    middle.unlink()
    assert FileHistory(folder).verify().broken_at.why == "File 2 of this chain is missing."
