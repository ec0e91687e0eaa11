"""Every row of the table of what meters and their transfers do to files, by the name it has there."""

import pytest

from belvedere.kernel.errors import Rejected
from meter_files import BOM, BYTES, DATA_MARK, DIFFERENCES, HEAD, LONG, QUOTE, ROWS, Refused, newer, points

pytestmark = pytest.mark.parametrize("read_by", ["rows", "columns"])

TIME = b"05/01/26 10:20:00\t"
BETWEEN = b"05/01/26 10:30:00\t7\t8\n"


@pytest.fixture(autouse=True)
def _read_by(read_by, request):
    if read_by == "columns":
        request.getfixturevalue("by_columns")


def both(rows: bytes) -> tuple[bytes, bytes]:
    """Return the same rows in both versions."""
    return HEAD + ROWS + rows, newer(ROWS + rows)


def same(whole, data: bytes) -> None:
    """Assert that the points are those of the parser of today, without any difference."""
    assert whole(data).points == points(data, "roof", frozenset())


@pytest.mark.parametrize("cell", [b"abc", b"12,5", b"0x10", b"1 2", b"--1", b"1e", b".", b"12.5V"])
def test_a_cell_that_is_no_number_is_skipped(whole, cell):
    for data in both(TIME + cell + b"\t9\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.values(0) == [231.5, 230.0, 7.0] and found.values(1) == [12.25, -0.0, 9.0, 8.0]
        assert found.skipped() == {"not a number": (1, (data.split(b"\n").index(TIME + cell + b"\t9") + 1,))}


@pytest.mark.parametrize(("cell", "value"), [
    (b"3e3", 3000.0), (b" 5 ", 5.0), (b"1_000", 1000.0), (b"+4", 4.0), (b"-.5", -0.5), (b"7.", 7.0), (b"1E-3", 0.001),
])
def test_a_number_is_what_python_takes_for_one(whole, cell, value):
    for data in both(TIME + cell + b"\t9\n" + BETWEEN):
        same(whole, data)
        assert whole(data).values(0) == [231.5, 230.0, value, 7.0]


@pytest.mark.parametrize("cell", [b"", b"NA", b"null", b"None", b"NaN", b"nan", b"#N/A", b"n/a", b"-1.#IND"])
def test_a_cell_without_a_value_is_not_stored_and_not_invalid(whole, cell):
    for data in both(TIME + cell + b"\t9\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.skipped()["empty"][0] == 1 and len(found.points) == 7


@pytest.mark.parametrize("cell", [b"inf", b"-inf", b"Infinity", b"1e400"])
def test_an_infinity_is_not_stored(whole, cell):
    for data in both(TIME + cell + b"\t9\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.skipped()["not finite"][0] == 1 and len(found.points) == 7


def test_a_row_shorter_than_the_header_gives_the_values_it_has(whole):
    for data in both(TIME + b"5\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.skipped()["row too short"][0] == 1 and found.summary.rows_stored == 4


def test_a_row_longer_than_the_first_costs_only_its_extra_cells(whole):
    old, new = both(TIME + b"5\t6\t99\t\n" + BETWEEN)
    same(whole, new)
    with pytest.raises(Refused):
        points(old, "roof", DIFFERENCES - {LONG})
    for data in (old, new):
        found = whole(data)
        assert found.points == points(data, "roof")
        assert found.values(0) == [231.5, 230.0, 5.0, 7.0] and found.skipped()["row too long"][0] == 1


def test_a_lone_quote_costs_only_its_cell(whole):
    old, new = both(TIME + b'"5\t6\n' + BETWEEN)
    same(whole, new)
    with pytest.raises(Refused):
        points(old, "roof", DIFFERENCES - {QUOTE})
    for data in (old, new):
        found = whole(data)
        assert found.points == points(data, "roof")
        assert found.skipped()["not a number"][0] == 1 and len(found.points) == 7


def test_a_cell_wholly_in_quotes_is_read_in_version_2_only(whole):
    old, new = both(b'"05/01/26 10:20:00"\t"5"\t6\n')
    assert whole(old).points == points(old, "roof") and whole(old).values(0)[-1] == 5.0
    assert whole(new).points == points(new, "roof") and whole(new).skipped()["bad time"][0] == 1


@pytest.mark.parametrize("row", [
    b"0", b"", b"\t\t", b"31/02/26 10:00:00\t1\t2", b"05/01/2026 10:00:00\t1\t2", b"2026-01-05 10:00:00\t1\t2",
    b"05/01/26 10:00:60\t1\t2", b"05/01/26\t1\t2", b"\t1\t2", b"05/13/26 10:00:00\t1\t2", b"05/01/26 25:00:00\t1\t2",
    b"05/01/26 10:20: 5\t1\t2", b"END_DATAS\t1\t2",
])
def test_a_row_without_a_good_time_is_skipped(whole, row):
    for data in both(row + b"\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.values(0) == [231.5, 230.0, 7.0]
        assert found.skipped().get("bad time", (0,))[0] == (1 if row else 0)


@pytest.mark.parametrize("time", [
    b"5/1/26 10:20:00", b" 05/01/26 10:20:00 ", b"05/01/26  10:20:00", b"05/01/26 10:20:0",
])
def test_a_time_with_fewer_digits_or_more_blanks_is_one(whole, time):
    for data in both(time + b"\t1\t2\n"):
        same(whole, data)
        assert whole(data).summary.rows_stored == 3


@pytest.mark.parametrize("year", [0, 19, 49, 50, 68, 69, 70, 99])
def test_a_two_digit_year_is_of_the_century_that_python_takes(whole, year):
    for data in both(f"03/08/{year:02} 03:20:00\t1\t2\n".encode()):
        same(whole, data)


def test_a_blank_line_is_ignored(whole):
    for data in both(b"\n\n  \n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.summary.blank_lines == 3 and found.summary.rows_read == found.summary.rows_stored == 3


def test_of_two_rows_with_one_time_the_later_wins_value_by_value(whole):
    for data in both(TIME + b"1\t2\n" + TIME + b"3\t\n" + TIME + b"x\ty\n"):
        found = whole(data)
        same(whole, data)
        assert found.values(0)[-1] == 3.0 and found.values(1)[-1] == 2.0
        assert len(found.lines.splitlines()) == len(found.points), "each point is written once"


@pytest.mark.parametrize("end", [
    b"05/01/26 10:20:00\t12\t1", b"05/01/26 10:20:00\t12", b"05/01/26 10:2", b"0", b"END_DA",
])
def test_a_last_line_that_was_cut_off_is_counted_and_not_stored(whole, end):
    for data in (HEAD + ROWS + end, newer(ROWS, end=end)):
        found = whole(data)
        assert found.points == points(data, "roof") and found.summary.rows_stored == 2
        assert found.skipped() == {"cut off": (1, (data.count(b"\n") + 1,))}
        more = points(data, "roof", frozenset()).keys() - found.points.keys()
        assert {time for _, time in more} <= {1767608400}, "today's parser stores what is left of it"


def test_a_file_that_says_its_end_needs_no_end_of_line(whole):
    data = newer(ROWS, end=b"END_DATA")
    same(whole, data)
    assert whole(data).summary.finished is True and whole(data).skipped() == {}


def test_a_file_without_its_end_is_read(whole):
    data = newer(ROWS, end=b"")
    same(whole, data)
    assert whole(data).summary.finished is False and whole(HEAD + ROWS).summary.finished is None


def test_what_follows_the_end_is_not_read(whole):
    data = newer(ROWS, end=b"END_DATA\n" + BETWEEN)
    same(whole, data)
    assert whole(data).summary.rows_read == 2


def test_carriage_returns_end_lines(whole):
    for data in both(BETWEEN):
        assert whole(data.replace(b"\n", b"\r\n")).lines == whole(data.replace(b"\n", b"\r")).lines == whole(data).lines
        same(whole, data.replace(b"\n", b"\r\n"))
        same(whole, data.replace(b"\n", b"\r"))


def test_a_byte_order_mark_is_no_part_of_the_serial(whole):
    for data in both(BETWEEN):
        marked = b"\xef\xbb\xbf" + data
        assert whole(marked).lines == whole(data).lines
        assert whole(marked).header.channels[0].device_type == "master"
    old = b"\xef\xbb\xbf" + HEAD + ROWS
    assert any("\ufeff0200" in key for key, _ in points(old, "roof", DIFFERENCES - {BOM}))


def test_a_label_that_is_not_utf_8_refuses_the_file(whole):
    for data in both(BETWEEN):
        with pytest.raises(Rejected, match="is not utf-8: byte 0xE9"):
            whole(data.replace(b"Voie1", b"\xe9tage"))
        with pytest.raises(Refused):
            points(data.replace(b"Voie1", b"\xe9tage"), "roof", frozenset())


def test_a_row_that_is_not_utf_8_costs_only_itself(whole):
    for data in both(TIME + b"\xe9\t6\n" + BETWEEN):
        found = whole(data)
        assert found.points == points(data, "roof") and found.skipped()["not a number"][0] == 1
        with pytest.raises(Refused):
            points(data, "roof", DIFFERENCES - {BYTES})


def test_columns_without_a_serial_are_left_out(whole):
    for data in both(BETWEEN):
        shorter = data.replace(b"02001171\t02001171\t02001171", b"02001171\t02001171")
        found = whole(shorter)
        same(whole, shorter)
        assert len(found.header.channels) == 1 and "1 columns have no serial number" in found.header.notes[0]
        assert found.skipped() == {}, "the rows are as long as the header says"


def test_columns_without_a_label_refuse_the_file(whole):
    for data in both(BETWEEN):
        with pytest.raises(Rejected, match="columns without a label"):
            whole(data.replace(b"\tVoie1 W", b""))
        with pytest.raises(Refused):
            points(data.replace(b"\tVoie1 W", b""), "roof", frozenset())


@pytest.mark.parametrize(("data", "why"), [
    (b"", "The file is empty"), (b"\n \n", "The file is empty"), (b"\xef\xbb\xbf", "The file is empty"),
    (HEAD, "a header and no rows"), (HEAD + b"\n  \n", "a header and no rows"), (newer(b"", end=b""), "no rows"),
    (b"02001171\t02001171\n", "ends within its header"), (b"START_HEADER\n{}\n", "ends within its header"),
    (HEAD.replace(b"T302", b"T202") + ROWS, "'MV_T202_V002' is not known"), (b"a\tb\nc\td\ne\tf\n", "'c' is not known"),
    (HEAD.replace(b"V002", b"V003") + ROWS, "does not begin with START_HEADER"),
    (HEAD.decode().encode("utf-16"), "UTF-16"), (b"\x1f\x8b\x08\x00\x00", "gzip"),
    (b"\t" + HEAD + ROWS, "first serial number is empty"), (b"1\nMV_T302_V002\n1\n", "names 0 channels"),
    (b"x" * (1 << 21) + b"\n" + HEAD, "line without an end"),
])
def test_what_is_no_meter_file_is_refused_with_a_reason(whole, data, why):
    with pytest.raises(Rejected, match=why):
        whole(data)
    with pytest.raises(Refused):
        points(data, "roof")


@pytest.mark.parametrize("label", [b"V" * 300, b"V\0"])
def test_a_header_of_something_else_than_names_is_refused(whole, label):
    for data in both(b""):
        with pytest.raises(Rejected, match="holds no names"):
            whole(data.replace(b"Voie1", label))


def test_a_complete_file_without_rows_is_no_fault(whole):
    assert whole(newer(b"")).summary.rows_read == 0


@pytest.mark.parametrize("mark", [b"START_DATA ", b" START_DATA", b"START_DATA\t"])
def test_blanks_around_a_mark_do_not_matter(whole, mark):
    data = newer(ROWS, data=mark, end=b"END_DATA  \n")
    assert whole(data).lines == whole(newer()).lines and whole(data).summary.finished
    with pytest.raises(Refused):
        points(data, "roof", DIFFERENCES - {DATA_MARK})


@pytest.mark.parametrize("meta", [b"", b"{\n", b"[1]\n", b"\xff\n", b'{"MasterType":{}}\n', b"[" * 100_000 + b"\n"])
def test_a_preamble_that_is_no_object_is_left_out(whole, meta):
    found = whole(newer(meta=meta))
    assert found.points == points(newer(meta=meta), "roof") and len(found.points) == 4
    if b"MasterType" not in meta:
        assert dict(found.header.meta) == {}


def test_a_preamble_holds_nothing_that_json_or_a_database_refuses(whole):
    import msgspec

    meta = b'{"MasterType":"Tri","a":1e999,"b":[-Infinity,"\\u0000x\\ud800"],"c":123456789012345678901234567890}\n'
    found = whole(newer(meta=meta)).header.meta
    assert found == {"MasterType": "Tri", "a": None, "b": [None, "x?"], "c": "123456789012345678901234567890"}
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert whole(newer(meta=b"{" + b'"a":{' * 30 + b"}" * 31 + b"\n")).header.meta == {}


def test_the_clock_of_a_device_that_lost_it_is_stored_and_told(whole):
    for data in both(b"01/01/20 01:00:02\t1\t2\n01/01/20 01:00:35\t0\t0\n"):
        found = whole(data)
        same(whole, data)
        assert found.summary.lost_clock_rows == 2 and found.summary.time_start == 1577840402
        assert (found.summary.measured_start, found.summary.measured_end) == (1767607200, found.summary.time_end)
        assert found.summary.gaps == () and found.summary.channels[0].picture[0].start > 1767600000


def test_a_lost_clock_goes_on_until_it_is_told_the_time(whole):
    for data in both(b"09/01/20 01:00:00\t1\t2\n"):
        summary = whole(data).summary
        assert (summary.lost_clock_rows, summary.gaps_total, summary.measured_start) == (1, 0, 1767607200)
    for data in both(b"09/02/20 01:00:00\t1\t2\n"):
        assert whole(data).summary.lost_clock_rows == 0


def test_rows_of_zeros_and_negative_zeros_are_values(whole):
    for data in both(TIME + b"0\t0\n05/01/26 10:30:00\t-0.0\t-0\n"):
        found = whole(data)
        same(whole, data)
        assert [str(value) for value in found.values(1)] == ["12.25", "-0.0", "0.0", "-0.0"]
        assert found.summary.points == 8


def test_a_row_without_any_value_is_not_stored(whole):
    for data in both(TIME + b"\tNA\n" + TIME + b"x\n" + BETWEEN):
        found = whole(data)
        same(whole, data)
        assert found.skipped()["no value in the row"][0] == 2 and found.summary.rows_stored == 3
