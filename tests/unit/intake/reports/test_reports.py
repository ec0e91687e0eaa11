"""Reports of chip tools and tables: what tools print, what people send, and what nobody should."""

import csv
import gzip
import io
import json
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belvedere.intake.model import Place
from belvedere.intake.reports import tabular
from belvedere.intake.reports.model import Read, Unreadable, pack, unpack
from belvedere.intake.reports.naming import column_names, moment_in, table_name
from belvedere.intake.reports.reading import read
from belvedere.intake.reports.recognise import Kind, kind_of
from belvedere.intake.reports.taker import read as read_file

SHARED = next(
    (one / "shared/data" for one in Path(__file__).resolve().parents if (one / "shared/data/reports").is_dir()), None
)
real = pytest.mark.skipif(SHARED is None, reason="no real reports: ../shared/data is not there")

TIMING = """OpenSTA 2.6.0
Startpoint: _1_ (rising edge-triggered flip-flop clocked by clk)
Endpoint: resp_val
          (output port clocked by clk)
Path Group: clk
Path Type: max
Corner: slow

Fanout     Cap    Slew   Delay    Time   Description
-----------------------------------------------------------------------------
                  0.00    0.00    0.00   clock clk (rise edge)
                          0.10    0.10   clock network delay (ideal)
                  0.05    0.00    0.10 ^ _1_/CK (DFF_X1)
     3    4.20    0.02    0.30    0.40 v _1_/Q (DFF_X1)
                                         n5 (net)
                  0.02    0.00    0.40 v u7/A (INV_X1)
     1    1.00    0.01    0.05    0.45 ^ u7/ZN (INV_X1)
                  0.01    0.00    0.45 ^ u8/A (BUF_X1)
     1    1.00    0.01    0.15    0.60 ^ u8/Z (BUF_X1)
                          0.00    0.60 ^ resp_val (out)
                                  0.60   data arrival time

                          0.50    0.50   clock clk (rise edge)
                                  0.50   data required time
-----------------------------------------------------------------------------
                                  0.50   data required time
                                 -0.60   data arrival time
-----------------------------------------------------------------------------
                                 -0.10   slack (VIOLATED)

Startpoint: cut (input port clocked by clk)
Endpoint: off (output port clocked by clk)
"""
DRC = """violation type: Short
    srcs: net:a net:b inst:u1
    bbox = (3, 4) - (1.5, 2e0) on Layer metal2
violation type: Cut Spacing
    srcs:
      net:only
    comment: something later versions say
    bbox = (1, 1) - (2, 2)
violation type: Off Grid
"""


def taken(name: str, data: bytes, folder: str = "") -> tuple[dict[str, list[dict[str, object]]], Read]:
    """Read a file; return its rows by table, and the account."""
    account, rows = Read("report"), defaultdict(list)
    for part in read(folder, name, io.BytesIO(data), account):
        again = unpack(pack(part))
        assert again == part
        names = [column for column, _ in part.table.columns]
        rows[f"{part.table.database}.{part.table.name}"] += [
            dict(zip(names, row, strict=True)) for row in zip(*part.values, strict=True)]
    assert sum(map(len, rows.values())) == account.rows
    return dict(rows), account


def test_a_path_is_read_by_words_whatever_columns_the_report_has():
    rows, account = taken("gcd_setup.rpt", TIMING.encode())
    path, = rows["timing_report.gcd_setup"]
    assert path == {
        "startpoint": "_1_", "endpoint": "resp_val", "path_group": "clk", "path_type": "max", "clock": "clk",
        "corner": "slow", "slack": -0.1, "arrival": 0.6, "required": 0.5, "levels": 2,
        "cell_delay": pytest.approx(0.2), "met": False,
    }
    lines = rows["timing_report.gcd_setup_lines"]
    assert [one["cell"] for one in lines if one["cell"]] == ["DFF_X1", "DFF_X1", "INV_X1", "INV_X1", "BUF_X1", "BUF_X1"]
    assert [one["at"] for one in lines if one["part"] == "required"] == [0.5]
    assert account.aside.by_reason == {"a path without its slack": 1}


def test_a_violation_is_read_with_its_box_the_right_way_round():
    rows, account = taken("route_drc.rpt", DRC.encode())
    first, second = rows["drc.route_drc"]
    assert first == {
        "violation_type": "Short", "layer": "metal2", "x1": 1.5, "y1": 2.0, "x2": 3.0, "y2": 4.0, "net1": "a",
        "net2": "b", "cell": "u1",
    }
    assert (second["layer"], second["net1"], second["net2"]) == (None, "only", None)
    assert account.aside.by_reason == {"a violation without its box": 1}


@real
def test_the_reports_of_the_tools_are_read_whole():
    rows, account = taken("opensta.txt", (SHARED / "reports/opensta_report_checks.txt").read_bytes())
    paths = rows["timing_report.opensta"]
    assert len(paths) == 19 and account.aside.rows == 0
    assert {one["path_type"] for one in paths} == {"max", "min"}
    assert all(one["endpoint"] and one["slack"] is not None and one["clock"] for one in paths)
    # What the tool itself calculated holds for what was read.
    assert all(
        abs(abs(one["required"] - one["arrival"]) - abs(one["slack"])) < 0.011 for one in paths
    )
    rows, _ = taken("drc.rpt", (SHARED / "reports/openroad_route_drc.rpt").read_bytes())
    assert len(rows["drc.drc"]) == 34
    rows, account = taken("qor_orfs.csv.gz", (SHARED / "qor_orfs.csv.gz").read_bytes())
    assert len(rows["QOR.qor_orfs"]) == 31_262 and account.aside.rows == 0


def test_metrics_of_a_run_become_rows_that_know_their_run():
    run = {
        "run__flow__design": "gcd", "run__flow__platform": "nangate45", "run__flow__generate_date": "2025-02-05 14:20",
        "finish": {"timing": {"setup__ws": -0.5}}, "finish__power__total": "1e-3", "cts__clock__skew": "N/A",
        "synth__design__instance__area": "12%", "floor__words": "many", "run__flow__scripts_commit": "abc",
    }
    rows, account = taken("metadata.json", json.dumps(run).encode(), "night")
    found = {one["metric"]: one for one in rows["QOR.night_metadata"]}
    assert set(found) == {"finish__timing__setup__ws", "finish__power__total", "synth__design__instance__area"}
    one = found["finish__power__total"]
    assert (one["value"], one["design"], one["platform"], one["commit"]) == (0.001, "gcd", "nangate45", "abc")
    assert one["run_at"] == "2025-02-05T14:20:00+00:00"
    assert account.aside.by_reason == {"a metric that is no number": 1}
    both, _ = taken("m.json", json.dumps([run, {**run, "run__flow__design": "ibex"}]).encode())
    assert {one["design"] for one in both["QOR.m"]} == {"gcd", "ibex"}


def test_types_are_found_on_the_sample_and_hold_for_the_rest():
    lines = ["when;serial;count;share;ok;note"]
    lines += [f"2025-01-01 00:00:{n % 60:02};00{n};{n};{n / 7:.3f};yes;x" for n in range(2_500)]
    lines += ["2025-01-02;007;many;1;no;y", "short;row", '2025-01-03;008;9;NA;;"a ""quoted""\nline"']
    rows, account = taken("t.csv", ("\ufeff" + "\r\n".join(lines)).encode())
    found = rows["QOR.t"]
    assert len(found) == 2_501 and account.aside.rows == 2
    assert account.aside.by_reason == {
        "count: no whole number": 1, "a row with more or fewer cells than the header": 1}
    assert account.aside.first[0]["line"] == 2_502
    assert found[1] == {
        "when": "2025-01-01T00:00:01+00:00", "serial": "001", "count": 1, "share": 0.143, "ok": True, "note": "x"}
    assert found[-1]["note"] == 'a "quoted"\nline' and found[-1]["share"] is None and found[-1]["ok"] is None


def test_a_table_goes_to_the_database_whose_dashboards_fit_it():
    timing, _ = taken("p.csv", b"startpoint,endpoint,slack\na,b,-1\n")
    drc, _ = taken("v.tsv", b"rule\tlayer\tcount\nM1.S\tM1\t4\n")
    other, _ = taken("o.csv", b"host,cores\na,3\n")
    assert [*timing, *drc, *other] == ["timing_report.p", "drc.v", "QOR.o"]


def test_parquet_keeps_its_types():
    frame = pl.DataFrame({
        "n": [1, None], "f": [0.5, float("nan")], "t": [datetime(2025, 1, 1, tzinfo=UTC), None], "s": ["a\0b", ""],
        "l": [[1], [2]], "b": [True, False],
    })
    file = io.BytesIO()
    frame.write_parquet(file)
    rows, _ = taken("frame.parquet", file.getvalue())
    assert rows["QOR.frame"] == [
        {"n": 1, "f": 0.5, "t": "2025-01-01T00:00:00+00:00", "s": "ab", "l": "[1]", "b": True},
        {"n": None, "f": None, "t": None, "s": None, "l": "[2]", "b": False},
    ]
    with pytest.raises(Unreadable, match="no whole Parquet"):
        taken("cut.parquet", file.getvalue()[:-20])


@pytest.mark.parametrize(("name", "data", "said"), [
    ("a.csv", b"1,2,3\n4,5,6\n", "does not name the columns"),
    ("a.csv", b"a,b\n", "no rows"),
    ("a.json", b'{"a": ', "no whole JSON"),
    ("a.json", b'{"a": 1}', "neither METRICS2.1"),
    ("a.rpt", b"nothing to see\n" * 10, "Nothing in this file"),
    ("a.csv", b"a" * 3_000_000, "MiB"),
    ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "cut off"),
    ("a.csv.gz", gzip.compress(b"a,b\n" + b"0" * 30_000_000), "times its size|MiB"),
    ("a.csv", b",".join(b"c%d" % n for n in range(2_000)) + b"\n1\n", "2,000 columns"),
])
def test_what_is_no_report_is_refused_with_what_to_change(name, data, said):
    with pytest.raises(Unreadable, match=said):
        taken(name, data)


@pytest.mark.parametrize(("name", "head", "kind"), [
    ("x.rpt", b"anything", Kind.TEXT), ("x.txt", b"hello", None), ("x.txt", TIMING.encode(), Kind.TIMING),
    ("x.log", b"\nviolation type: Short", Kind.DRC), ("x.json", b" [", Kind.JSON), ("x.json", b"x", None),
    ("x.csv", b"a,b", Kind.TABLE), ("x.bin", b"PAR1", Kind.PARQUET), ("x.csv.gz", b"\x1f\x8b", Kind.PACKED),
    ("x.tar.gz", b"\x1f\x8b", None), ("x.csv", b"", None), ("x.exe", b"MZ", None),
])
def test_a_file_is_known_by_name_and_beginning(name, head, kind):
    assert kind_of(name, head) == kind


def test_reports_of_many_nights_make_one_table():
    names = [
        "gcd_2025-01-02_03-04.rpt", "gcd-20250103.rpt.gz", "gcd_run17.rpt", "gcd.rpt", "gcd_2025-01-02T03:04:05Z.csv",
    ]
    assert {table_name("reports/night", name) for name in names} == {"night_gcd"}
    assert table_name("", "2025-01-02.csv") == "report"
    assert table_name("", "Ünï cödé; drop table.csv").isascii()
    assert moment_in(names[0]) == datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
    assert moment_in("gcd_2025-13-40.rpt") is None


def test_columns_have_names_that_differ():
    assert column_names(["a", "A", "", " b\tc ", "source_file", "x" * 80, "x" * 80]) == [
        "a", "A_2", "column_3", "b c", "source_file_2", "x" * 63, "x" * 61 + "_2"]


def test_a_reader_tells_what_it_left_out():
    handed: list[bytes] = []
    outcome = read_file(Place("acme", "drc", "a.rpt"), io.BytesIO(DRC.encode()), handed.append)
    assert (outcome.points, outcome.rows, outcome.skipped, outcome.error) == (2, 2, 1, None)
    assert outcome.report["tables"] == [{"database": "drc", "table": "drc_a", "rows": 2}]
    assert json.dumps(outcome.report)
    refused = read_file(Place("acme", "", "a.rpt"), io.BytesIO(b"x"), handed.append)
    assert refused.error and refused.code == "report"


ENDS = "Startpoint: a (x clocked by c)\nEndpoint: b (y clocked by c)\n"


@pytest.mark.parametrize("line", [
    "9" * 1_900, "1." * 900, "1." * 900 + " x", "1 slack" + " " * 1_900 + "x", "Corner: a" + " " * 1_900 + "x",
    "Startpoint: " + "a (" * 600, " " * 900 + "clocked by" * 90, "violation type:" + " " * 19_000 + "x",
    "srcs:" + " " * 19_000 + "x", " " * 300_000 + "x",
])
def test_a_hostile_line_takes_no_longer_than_its_length(line):
    began = time.process_time()
    for before in ("one\n" * 2_000, ENDS, "violation type: a\n"):
        rows, account = taken("a.rpt", f"{before}{line}\n{ENDS}1 slack (MET)\n{DRC}".encode())
        assert account.rows and rows
    assert time.process_time() - began < 2


def test_numbers_that_no_number_holds_are_left_out():
    rows, account = taken("a.rpt", f"{ENDS}1.-5 u1/Z (A)\n1e999 2 u/Z (A)\n1 1e999 u/Z (A)\n2 slack\n".encode())
    assert [one["slack"] for one in rows["timing_report.a"]] == [2.0]
    assert [(one["delay"], one["at"]) for one in rows["timing_report.a_lines"]] == [(None, 2.0)]
    with pytest.raises(Unreadable):
        taken("a.rpt", b"bbox = (1, 2) - (3, 4)\n")
    for text in (f"{ENDS}1e999 slack (MET)\n", "violation type: a\nbbox = (1e999, 1) - (2, 2)\n"):
        rows, account = taken("a.rpt", text.encode())
        assert rows == {} and account.aside.rows == 1


def test_no_database_is_given_what_it_cannot_hold():
    rows, account = taken("a.json", json.dumps({"a__b\0": 1, "a__c": "x\0y", "d": {"e" * 1_000: {"f__g": 2}}}).encode())
    assert [one["metric"] for one in rows["QOR.a"]] == ["a__b", "d__" + "e" * 297]
    assert "\0" not in account.aside.first[0]["text"]


@pytest.mark.parametrize("data", [b'{"a__b": "\xff"}', b'{"\xed\xa0\x80": 1}', b'{"a__b": "\\ud800"}'])
def test_json_that_is_no_utf_8_is_refused_as_no_json(data):
    with pytest.raises(Unreadable, match="no whole JSON"):
        taken("a.json", data)


def test_a_parquet_file_that_its_reader_gives_up_on_is_refused(monkeypatch):
    def gives_up(_file):
        raise pl.exceptions.PanicException

    monkeypatch.setattr(pl, "scan_parquet", gives_up)
    with pytest.raises(Unreadable, match="no whole Parquet"):
        taken("a.parquet", b"PAR1")


names = st.sampled_from(["a.rpt", "a.csv", "a.tsv", "a.json", "a.csv.gz", "a.parquet", "a.txt", "violation.drc"])
pieces = st.lists(st.one_of(
    st.binary(max_size=60), st.sampled_from([one.encode() + b"\n" for one in (TIMING + DRC).splitlines()]),
), max_size=40)


@settings(max_examples=150, deadline=None)
@given(names, pieces)
def test_no_bytes_make_a_reader_fail_otherwise_than_by_saying_so(name, found):
    data = b"".join(found)
    try:
        _rows, account = taken(name, gzip.compress(data) if name.endswith(".gz") else data)
    except Unreadable:
        return
    assert account.rows + account.aside.rows > 0


cells = st.one_of(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8), st.integers().map(str),
                  st.floats(allow_nan=False, allow_infinity=False).map(str))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=30))
def test_every_row_of_a_table_is_stored_or_left_out(rows):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([["first", "second"], *rows])
    try:
        _, account = taken("rows.csv", file.getvalue().encode())
    except Unreadable:
        return
    assert account.rows + account.aside.rows == len(rows)


def test_a_long_table_is_read_as_it_is_wanted():
    asked = 0

    def lines():
        nonlocal asked
        yield "word,number\n"
        while True:
            asked += 1
            yield f"some text,{asked}\n"

    account = Read("table")
    parts = tabular.parse_text(lines(), ",", tabular.Target("t", lambda _: "QOR"), account)
    for count in (1, 2, 3):
        part = next(parts)
        assert part.rows == 20_000
        # Never much more than one part is held, however long the file is.
        assert asked <= count * part.rows + tabular.SAMPLE_ROWS
