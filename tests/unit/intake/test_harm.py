"""Files that were made to do harm: each is refused or read at once, and those beside it are taken."""

import gzip
import json
from typing import Any

import pytest

from belvedere.intake.reports.taker import ReportFiles
from intake_world import World, meter


def test_what_was_made_to_do_harm_is_refused_and_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    takers, no_tables = world.files.intake._taking._takers, None
    reports: Any = ReportFiles(no_tables)  # type: ignore[arg-type]  # none of these files has a row to store
    monkeypatch.setattr(takers, "every", (*takers.every, reports))
    refused = {
        "bomb.csv.gz": gzip.compress(b"a,b\n" + b"\n" * 6_000_000), "bomb.tsv": gzip.compress(b"\0" * 1_000_000),
        "deep.json": b"[" * 1_000_000, "half.json": b'{"a__b": "\xff', "empty.csv": b"",
    }
    left_out = {
        "nul.json": json.dumps({"a__b": "\0", "c__\0d": "x\0"}).encode(),
        "path.rpt": b"Startpoint: a\n" + b"9" * 1_900 + b"\n",
    }
    for name, data in (refused | left_out).items():
        world.put(f"camp/1/{name}", data)
    world.put("camp/1/z.tsv", meter())
    world.take()
    parsed = {*left_out, "z.tsv"}
    assert world.states() == {
        f"camp/1/{name}": "parsed" if name in parsed else "refused" for name in (*refused, *parsed)
    }
    assert world.lying() == sorted(
        f"camp/1/{'parsed' if name in parsed else 'error'}/{name}" for name in (*refused, *parsed)
    )
    assert {one.code for one in world.uploads() if one.name in refused} == {"report", "bad-meter-file"}
    assert {one.name: one.skipped for one in world.uploads() if one.name in left_out} == {"nul.json": 2, "path.rpt": 1}
