"""How the supervisor starts a part again."""

import os
import time
from pathlib import Path

import pytest

from belvedere.node.parts import Part

pytestmark = pytest.mark.timeout(60)


def ended(part: Part) -> None:
    """Look at a part until its first process has ended."""
    part.start()
    deadline = time.monotonic() + 50
    while part.state.state in {"starting", "running"}:
        assert time.monotonic() < deadline
        part.look()
        time.sleep(0.02)  # between two looks


def part_of(home: Path, *, database: str) -> Part:
    (home / "logs").mkdir()
    environment = {
        **os.environ, "BELVEDERE_HOME": str(home), "BELVEDERE_DATABASE_URL": database, "BELVEDERE_POOL_TIMEOUT_S": "1",
    }
    return Part("sample", ("sample", "load"), home=home, environment=environment, once=True)


def test_a_part_that_runs_to_its_end_is_tried_again_while_what_it_needs_is_away(tmp_path, free_tcp_port):
    part = part_of(tmp_path, database=f"postgresql://nobody:x@127.0.0.1:{free_tcp_port}/belvedere")
    ended(part)
    assert part.state.state == "restarting"
    assert "ended with code 75; again in 0.5 s" in part.state.note
    part.stop()


def test_a_part_that_runs_to_its_end_and_needs_somebody_is_left_alone(tmp_path):
    part = part_of(tmp_path, database="mysql://nobody@127.0.0.1/belvedere")
    ended(part)
    assert part.state.state == "failed"
