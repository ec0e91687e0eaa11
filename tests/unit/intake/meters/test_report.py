"""Lines, reports and summaries: their forms, and that they are always what others can read."""

import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belvedere.intake.meters.lines import key_of, lines_of, meta_lines
from belvedere.intake.meters.model import Channel, Place
from belvedere.intake.meters.report import Run, file_report, report_name, run_report
from belvedere.intake.meters.tally import Tally
from meter_files import HEAD, ROWS, newer, points_of_lines

CHANNEL = Channel("M1_U1", 1, "1", "1", "master", "mono", "U1", "Ph 1", "V", "MV2", "roof")
FILE_KEYS = {
    "file_path", "bucket", "campaign", "device_master_sn", "status", "error", "nb_rows", "nb_channels", "nb_points",
    "nb_invalid_timestamps", "nb_invalid_values", "channels", "file_header_meta", "nb_points_expected",
    "nb_points_in_influx", "time_start", "time_end",
}
CHANNEL_KEYS = {
    "column_idx", "device_master_sn", "device_sn", "device_type", "channel_label", "channel_name", "channel_unit",
    "nb_points", "min", "max", "mean",
}
VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
FEW = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
START = datetime(2026, 1, 5, 16, 20, 16, 5, tzinfo=UTC)
RUN = Run("2026-01-05T16:20:16.000005+00:00", START, START + timedelta(seconds=2), 1.5, '/srv/"data"')


def frame(times: list[int], values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"time": times, "M1_U1": values}, schema={"time": pl.Int64, "M1_U1": pl.Float64})


def summary(*frames: pl.DataFrame, header):
    tally = Tally(header)
    for one in frames:
        tally.add(one)
    return tally.summary(finished=None)


@pytest.fixture(scope="module")
def header():
    from belvedere.intake.meters.model import Header

    return Header("MV_T302_V002", "electrical", Place("acme", "roof", "1"), (CHANNEL,))


def test_a_line_is_the_one_that_today_s_parser_writes(whole):
    assert whole(HEAD + ROWS).lines.splitlines()[0] == (
        b"electrical,campaign=roof,channel_id=M02001171_U1,channel_label=U1,channel_name=Ph\\ 1,channel_unit=V,"
        b"device=MV2,device_master_sn=02001171,device_sn=02001171,device_subtype=mono,device_type=master "
        b"M02001171_U1_V=231.5 1767607200"
    )


def test_a_slave_has_its_serial_in_its_name_and_no_subtype(whole):
    two = HEAD.replace(b"02001171\t02001171\t02001171", b"02001171\t02001171\t04000466")
    slave = whole(two + ROWS).header.channels[1]
    assert slave.id == "M02001171_S04000466_Ch1" and "device_subtype" not in slave.tags
    assert list(slave.tags) == sorted(slave.tags)


@pytest.mark.parametrize(("value", "written"), [
    ("a b", r"a\ b"), ("a,b=c", r"a\,b\=c"), ("a\nb\tc\r", r"a\nb\tc\r"), ("back\\", "back\\ "),
    ("é\U0001f50c", "é\U0001f50c"),
])
def test_tags_are_escaped(value, written):
    assert key_of("m, n=o", {"campaign": value, "none": ""}) == rf"m\,\ n=o,campaign={written}"


@FEW
@given(st.lists(st.tuples(st.integers(-2**40, 2**40), VALUES, VALUES), max_size=30), st.integers(1, 7))
def test_numbers_read_back_as_the_same_and_pieces_are_as_long_as_asked(rows, at_most):
    other = dataclasses.replace(CHANNEL, id="M1_\0Ch1", unit="\0\n")
    made = frame([row[0] for row in rows], [row[1] for row in rows])
    made = made.with_columns(pl.Series(other.id, [row[2] for row in rows], pl.Float64))
    pieces = list(lines_of("m", [CHANNEL, other], made, at_most))
    counts = [piece.count(b"\n") for piece in pieces]
    assert set(counts[:-1]) <= {at_most} and all(1 <= count <= at_most for count in counts[-1:])
    assert all(piece.endswith(b"\n") for piece in pieces)
    found = points_of_lines(b"".join(pieces))
    for place, channel in ((1, CHANNEL), (2, other)):
        there = {time: value for (key, time), value in found.items() if f"channel_id={channel.id}," in key}
        expected = {row[0]: row[place] for row in rows if row[place] is not None}
        assert there == expected
        assert all(math.copysign(1, there[time]) == math.copysign(1, value) for time, value in expected.items())


def test_the_report_of_a_file_has_every_member_of_today(whole):
    place = Place("acme", "roof", "02001171")
    rows = ROWS + b"0\n05/01/26 10:20:00\tx\tinf\n05/01/26 12:20:00\t1\t\n"
    found = whole(newer(rows, meta=b'{"FileVersion":3,"n":NaN}\n'))
    report = file_report("/srv/a.tsv", place, header=found.header, summary=found.summary, stored=5)
    assert report.keys() >= FILE_KEYS and report["channels"]["M02001171_U1"].keys() >= CHANNEL_KEYS
    assert {name: report[name] for name in sorted(FILE_KEYS - {"channels"})} == {
        "file_path": "/srv/a.tsv", "bucket": "acme", "campaign": "roof", "device_master_sn": "02001171",
        "status": "success", "error": None, "nb_rows": 5, "nb_channels": 2, "nb_points": 5,
        "nb_invalid_timestamps": 1, "nb_invalid_values": 2,
        "file_header_meta": {"FileVersion": 3, "n": None}, "nb_points_expected": 5, "nb_points_in_influx": 5,
        "time_start": "2026-01-05T10:00:00+00:00", "time_end": "2026-01-05T12:20:00+00:00",
    }
    assert report["skipped_rows"] == [
        {"reason": "bad time", "total": 1, "first_lines": [9]},
        {"reason": "no value in the row", "total": 1, "first_lines": [10]},
    ]
    assert report["channels"]["M02001171_Ch1"]["mean"] == 6.125
    json.dumps(report, allow_nan=False)


def test_a_run_is_a_partial_failure_as_soon_as_one_file_fails(whole):
    found = whole(HEAD + ROWS)
    place = Place("acme", "roof", "02001171")
    good = file_report("/srv/a b.tsv", place, header=found.header, summary=found.summary)
    bad = file_report("/srv/acme/roof/x.tsv", place, error="The file is empty.")
    assert bad["status"] == "error" and bad["nb_points"] == 0 and bad.keys() >= FILE_KEYS
    report = run_report(RUN, [good, bad])
    assert {name: report[name] for name in report if name != "files"} == {
        "run_id": "2026-01-05T16:20:16.000005+00:00", "start_time": "2026-01-05T16:20:16.000005+00:00",
        "end_time": "2026-01-05T16:20:18.000005+00:00", "duration_s": 1.5, "base_folder": '/srv/"data"',
        "nb_files_total": 2, "nb_files_success": 1, "nb_files_failed": 1, "nb_points_total": 4,
        "status": "partial_failure", "dry_run": False,
    }
    assert run_report(RUN, [good])["status"] == "success"
    assert report_name(RUN.id) == "tsv_parser_2026-01-05T16-20-16.000005+00-00.json"
    more = {"code": "header", "size_bytes": 12, "duration_s": 0.25}
    assert meta_lines(report | {"files": [good, bad | more]}, 1767630018).decode() == (
        'tsv_parser_run,status=partial_failure base_folder="/srv/\\"data\\"",bucket="acme",duration_s=1.5,'
        "nb_files_failed=1i,nb_files_success=1i,nb_files_total=2i,nb_points_total=4i 1767630018\n"
        "tsv_parser_file,bucket=acme,campaign=roof,device_master_sn=02001171,file_name=a\\ b.tsv,status=success "
        "nb_channels=2i,nb_invalid_timestamps=0i,nb_invalid_values=0i,nb_points=4i,nb_rows=2i 1767630018\n"
        "tsv_parser_file,bucket=acme,campaign=roof,code=header,device_master_sn=02001171,file_name=x.tsv,status=error "
        "duration_s=0.25,nb_channels=0i,nb_invalid_timestamps=0i,nb_invalid_values=0i,nb_points=0i,nb_rows=0i,"
        "size_bytes=12i 1767630018\n"
    )


@FEW
@given(st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=60), st.integers(1, 60))
def test_a_summary_does_not_depend_on_where_batches_end(header, rows, size):
    whole = frame([time for time, _ in rows], [value for _, value in rows])
    once, parts = summary(whole, header=header), summary(*whole.iter_slices(size), header=header)
    values = [value for _, value in rows if value is not None]
    one, other = once.channels[0], parts.channels[0]
    assert (one.count, one.minimum, one.maximum) == (len(values), min(values, default=None), max(values, default=None))
    assert (one.count, one.minimum, one.maximum, one.gaps, one.gaps_total) == (
        other.count, other.minimum, other.maximum, other.gaps, other.gaps_total,
    )
    assert (once.gaps, once.usual_step_s, once.time_start) == (parts.gaps, parts.usual_step_s, parts.time_start)
    if values:
        assert one.minimum <= one.mean <= one.maximum and one.minimum <= other.mean <= one.maximum
        assert 1 <= len(other.picture) <= 200
        assert min(bucket.least for bucket in other.picture) == one.minimum
        assert max(bucket.greatest for bucket in other.picture) == one.maximum


def test_holes_are_steps_of_more_than_three_times_the_usual_one(header):
    times = [*range(0, 6000, 600), *range(60_000, 63_000, 600), 61_000, 61_600]
    found = summary(frame(times, [1.0] * len(times)), header=header)
    assert found.usual_step_s == 600 and found.gaps_total == 1
    assert [(gap.start, gap.end, gap.length_s) for gap in found.gaps] == [(5400, 60_000, 54_600)]


def test_a_channel_that_lacks_values_has_holes_of_its_own(header):
    values: list[float | None] = [1.0] * 20
    values[5:12] = [None] * 7
    found = summary(frame(list(range(0, 12_000, 600)), values), header=header)
    assert found.gaps == () and [gap.length_s for gap in found.channels[0].gaps] == [4800]


def test_the_picture_of_a_long_file_keeps_the_extremes(header):
    count = 50_000
    values = [math.sin(at / 500) for at in range(count)]
    values[31_234] = 99.0
    made = frame(list(range(count)), values)
    found = summary(*made.iter_slices(7000), header=header)
    assert 100 < len(found.channels[0].picture) <= 200 and found.picture_width_s == 256
    assert found.channels[0].maximum == 99.0
    assert [bucket.start for bucket in found.channels[0].picture if bucket.greatest == 99.0] == [31_232]
