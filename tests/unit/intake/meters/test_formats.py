"""Formats are data: the built-in ones, one more that somebody writes, and what is said of wrong ones."""

import pytest

from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.model import Place
from belvedere.kernel.errors import Rejected
from meter_files import HEAD, ROWS, newer

SOLAR = """
format = "SUNNY_1"
title = "An inverter, as its portal exports it"
measurement = "solar"
device = "Sunny"
separator = ","
header_lines = 1

[recognised_by]
line = 1
text = "timestamp"

[labels]
line = 1
unit = "in brackets"

[time]
form = "%Y-%m-%dT%H:%M:%S"
zone = "Europe/Paris"
"""
SOLAR_FILE = b"""timestamp,power [W],grid voltage (V),state
2026-01-05T10:00:00,500.5,231,1
2026-01-05T10:10:00,512,,2
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sunny.toml").write_text(SOLAR)
    (tmp_path / "notes.txt").write_text("no format")
    return tmp_path


@pytest.mark.parametrize("read_by", ["rows", "columns"])
def test_a_format_file_is_all_that_another_meter_needs(whole, folder, read_by, request):
    if read_by == "columns":
        request.getfixturevalue("by_columns")
    found = whole(SOLAR_FILE, Place("acme", "roof", "SN7"), Formats.load(folder))
    assert [(one.id, one.unit, one.device_type) for one in found.header.channels] == [
        ("MSN7_power", "W", "master"), ("MSN7_grid voltage", "V", "master"), ("MSN7_state", "", "master"),
    ]
    assert found.lines.splitlines()[0] == (
        b"solar,campaign=roof,channel_id=MSN7_power,channel_label=power,channel_name=power,channel_unit=W,device=Sunny,"
        b"device_master_sn=SN7,device_sn=SN7,device_type=master MSN7_power_W=500.5 1767603600"
    )
    assert len(found.points) == 5 and found.skipped() == {"empty": (1, (3,))}


def test_in_a_zone_with_summer_time_an_hour_comes_twice_and_one_never(whole, folder, monkeypatch):
    rows = b"2026-03-29T02:30:00,1,1,1\n2026-10-25T02:30:00,2,2,2\n2026-10-25T03:30:00,3,3,3\n"
    one_by_one = whole(SOLAR_FILE + rows, Place("acme", "roof", "SN7"), Formats.load(folder))
    monkeypatch.setattr("belvedere.intake.meters.parse.FEW", 1)
    by_columns = whole(SOLAR_FILE + rows, Place("acme", "roof", "SN7"), Formats.load(folder))
    assert one_by_one.lines == by_columns.lines and one_by_one.skipped()["bad time"] == (1, (4,))
    assert by_columns.batches[0].frame["time"].to_list()[2:] == [1792888200, 1792895400]


def test_a_time_may_carry_its_own_zone(whole, tmp_path):
    (tmp_path / "a.toml").write_text(SOLAR.replace("%S", "%S%z"))
    data = SOLAR_FILE.replace(b":00,", b":00+02:00,")
    found = whole(data, Place("acme", "roof", "SN7"), Formats.load(tmp_path))
    assert found.summary.time_start == 1767600000


@pytest.mark.parametrize("time", [
    "1600-01-01T00:00:00", "2300-01-01T00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00",
])
def test_a_time_that_no_store_can_hold_is_none(whole, folder, time):
    data = SOLAR_FILE + time.encode() + b",1,2,3\n"
    assert whole(data, Place("acme", "roof", "SN7"), Formats.load(folder)).skipped()["bad time"] == (1, (4,))


def test_a_format_without_serials_takes_the_folder_and_needs_one(whole, folder):
    with pytest.raises(Rejected, match="lies in no device's folder"):
        whole(SOLAR_FILE, Place("acme", "roof"), Formats.load(folder))


def test_two_columns_of_one_name_refuse_the_file(whole, folder):
    with pytest.raises(Rejected, match="Two columns are called 'MSN7_power'"):
        whole(SOLAR_FILE.replace(b"state", b"power (kW)"), Place("acme", "roof", "SN7"), Formats.load(folder))


def test_a_file_of_the_same_name_replaces_a_built_in_format(whole, tmp_path):
    from importlib.resources import files

    text = (files("belvedere.intake.meters.catalogue") / "mv-t302-v002.toml").read_text()
    (tmp_path / "ours.toml").write_text(text.replace('separator = "\\t"', 'separator = "\\t"\nencoding = "latin-1"'))
    found = whole((HEAD + ROWS).replace(b"Voie1", b"\xe9tage"), formats=Formats.load(tmp_path))
    assert found.header.channels[1].name == "\xe9tage"


@pytest.mark.parametrize(("was", "becomes", "why"), [
    ('unit = "in brackets"', 'unit = "somewhere"', r"a.toml .*labels.unit"),
    ("[labels]", "[lables]", "lables"),
    ("line = 1", "line = 3", "recognised_by.line = 3, but header_lines = 1"),
    ("line = 1", "line = 0", "recognised_by.line"),
    ('separator = ","', 'separator = "5"', "cannot separate"),
    ('separator = ","', 'separator = "\u00a7"', "cannot separate"),
    ('"%Y-%m-%dT%H:%M:%S"', '"%H:%M:%S"', "has no year"),
    ('"%Y-%m-%dT%H:%M:%S"', '"%Y"', "does not tell the day"),
    ('"%Y-%m-%dT%H:%M:%S"', '"%Y-%m-%d %Q"', "no pattern of strptime"),
    ("Europe/Paris", "Europe/Pariss", "no zone"),
    ("Europe/Paris", "../etc/passwd", "no zone"),
    ('unit = "in brackets"', 'tri_when = ["("]', "no regular expression"),
    ('unit = "in brackets"', 'by_order = {slave = ["Ch"]}', "needs a #"),
    ('format = "SUNNY_1"', "format = ", "no TOML"),
    ('format = "SUNNY_1"\n', "", "format"),
])
def test_a_wrong_format_file_is_refused_with_what_to_change(tmp_path, was, becomes, why):
    (tmp_path / "a.toml").write_text(SOLAR.replace(was, becomes, 1))
    with pytest.raises(Rejected, match=why) as refused:
        Formats.load(tmp_path)
    assert refused.value.problem == "bad-meter-format" and "a.toml" in refused.value.detail


@pytest.mark.parametrize("content", [b"\xff", None])
def test_a_format_file_that_cannot_be_read_is_refused(tmp_path, content):
    if content is None:
        (tmp_path / "a.toml").mkdir()
    else:
        (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(Rejected, match=r"a\.toml"):
        Formats.load(tmp_path)


@pytest.mark.parametrize(("head", "meter"), [
    (HEAD, True), (newer(), True), (b"\xef\xbb\xbf" + HEAD, True), (HEAD.replace(b"\n", b"\r\n"), True),
    (HEAD.replace(b"T302", b"T202"), True), (b"START_HEADER", True), (b"", False), (b"a\tb\n1\t2\n", False),
    (b"run,slack\n1,2\n", False), (b"\0\xff", False),
])
def test_a_meter_file_is_known_by_its_first_bytes(head, meter, folder):
    assert Formats.load().looks_like(head) is meter
    assert Formats.load(folder).looks_like(SOLAR_FILE[:100])
