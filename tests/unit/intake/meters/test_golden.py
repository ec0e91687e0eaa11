"""The points of a file are those that today's parser writes: over the real files, and over files with every oddity."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from belvedere.intake.meters.model import Place
from belvedere.kernel.errors import Rejected
from meter_files import CUT, DIFFERENCES, HEAD, ROWS, Refused, newer, points, real

pytestmark = pytest.mark.usefixtures("by_columns")

FEW = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_real_files_give_the_points_of_today(whole):
    read = refused = 0
    for path, place in real():
        data = path.read_bytes()
        try:
            # One difference only among them: what is left of a line that was cut off.
            expected = points(data, place[1], frozenset({CUT}))
        except Refused:
            with pytest.raises(Rejected):
                whole(data, Place(*place))
            refused += 1
        else:
            found = whole(data, Place(*place))
            assert found.points == expected, path
            assert found.summary.rows_read == found.summary.rows_stored + sum(
                one.total for one in found.summary.rows_skipped
            )
            read += 1
    assert read >= 10 and refused >= 3


def test_no_real_file_loses_a_point_by_a_difference(whole):
    for path, place in real():
        data = path.read_bytes()
        try:
            today = points(data, place[1], frozenset())
        except Refused:
            continue
        assert whole(data, Place(*place)).points == today, path


CELLS = st.sampled_from([
    "0", "0.0", "-0.0", "242.25", "-35.4", "1377.9", "12,5", "", "NA", "nan", "inf", "-inf", "3e3", " 5 ", "1_000",
    "0x10", '"', '"5"', "abc", "é", "1e400", "1.7976931348623157e308", "5e-324", "0.1", "123456789012345678",
    "+1", "\u0663", " ", "1e", "0.30000000000000004", "\x00", "True",
])
TIMES = st.sampled_from([
    "05/01/26 10:00:00", "05/01/26 10:10:00", "05/01/26 10:20:00", "01/01/20 01:00:02", "0", "",
    "31/02/26 10:00:00", "5/1/26 1:2:3", " 05/01/26 10:30:00", "05/01/2026 10:00:00", "05/01/69 10:00:00",
    "05/01/68 10:00:00", "END_DATA", "05/01/26 10:00:60",
])
ROW = st.one_of(
    st.tuples(TIMES, st.lists(CELLS, min_size=0, max_size=6)).map(lambda row: "\t".join([row[0], *row[1]])),
    st.tuples(st.integers(0, 59), st.lists(st.floats(-1e6, 1e6).map(repr), min_size=5, max_size=5)).map(
        lambda row: f"05/01/26 11:{row[0]:02}:00\t" + "\t".join(row[1])
    ),
    st.sampled_from(["", "  ", "\t", "0", "\t\t\t\t\t"]),
)
SERIALS = st.sampled_from([
    "M\tM\tM\tM\tM\tM", "M\tM\tM\tS\tS\tT", "M\tM\tS\tM\tS\tM", "M\tM\tM\tM", "M", "\tM\tM\tM\tM\tM", "M\tM\t\tM\tM\tM",
    "M \tM\tM\tM\tM\tM", "M\tM\ta b\tx,y\tp=q\tback\\", "M\tM\tM\tM\tM\tM\tM",
])
LABELS = st.sampled_from([
    "Ph 1 V\tPh 2 V\tPh 3 V\tVoie1 W\tVoie2 W", "Ph 1 V\tVoie1 W\tVoie2 W\tVoie3 W\tVoie4 W",
    "Ph3 V\tPh1 V\tPh2 V\tminipince W\tÉtage 2 Wa", "Ph 10 V\tPh 2 V\tPh 3 V\tMIN, MAX W\ta=b W",
    "nounit\tx  y\t W\tz \t\\",
])


@st.composite
def files(draw) -> bytes:
    """Return a file that is nearly one, of either version."""
    serials, labels = draw(SERIALS), draw(LABELS)
    rows = draw(st.lists(ROW, max_size=8))
    old = draw(st.booleans())
    lines = [serials, f"MV_T302_V00{2 if old else 3}\t{labels}", *rows]
    if not old:
        meta = draw(st.sampled_from(['{"MasterType":"Tri"}', '{"MasterType":"mono"}', "{", "[]", ""]))
        lines = ["START_HEADER", meta, "END_HEADER", draw(st.sampled_from(["START_DATA", "START_DATA "])), *lines]
        lines += draw(st.sampled_from([[], ["END_DATA"], ["END_DATA", "05/01/26 12:00:00\t1\t2"]]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    data = (draw(st.sampled_from(["", "", "\ufeff"])) + end.join(lines)).encode()
    return data + draw(st.sampled_from([end, end, ""])).encode()


@FEW
@given(files(), st.integers(1, 60))
@example(HEAD + ROWS, 1)
@example(newer(), 1)
def test_files_with_every_oddity_give_the_points_of_today(whole, data, block):
    try:
        expected = points(data, "roof", DIFFERENCES)
    except Refused:
        with pytest.raises(Rejected):
            whole(data, block=block)
    else:
        assert whole(data, block=block).points == expected
