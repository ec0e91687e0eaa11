"""Meter files to test with, and what the parser that is being replaced makes of them, in plain Python.

`points` knows nothing of the product: it is written after what that parser was seen to do, row by row and cell by cell.
Where the product differs on purpose, the difference has a name; with all of them given, both must agree.
"""

import json
import math
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

BOM = "byte order mark"
CUT = "last line cut off"
LONG = "row longer than the first"
QUOTE = "quote in a row"
BYTES = "row that is not UTF-8"
DATA_MARK = "blanks around a mark"
NO_END_HEADER = "preamble without an end"
EDGE = "separator or blank at the edge of a header line"
META = "preamble that is no object"
DIFFERENCES = frozenset({BOM, CUT, LONG, QUOTE, BYTES, DATA_MARK, NO_END_HEADER, EDGE, META})

NOTHING = {
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
}

Points = dict[tuple[str, int], float]
"""(measurement with tags, blank, field; seconds) -> value. The text is that of a line, escapes included."""


class Refused(Exception):
    """The file goes to `error/`."""


def folder() -> Path:
    """Return the folder of real files, or skip the test."""
    named = os.environ.get("BELVEDERE_TEST_METER_FILES", "")
    places = [Path(named)] if named else [
        parent / "shared" / "data" / "tsv" for parent in Path(__file__).resolve().parents[2:4]
    ]
    for place in places:
        if place.is_dir():
            return place
    pytest.skip("no real meter files: neither BELVEDERE_TEST_METER_FILES nor ../shared/data/tsv is there")


def real() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Yield every real file with company, campaign and device."""
    root = folder()
    for path in sorted(root.rglob("*.tsv")):
        company, campaign, device, _ = path.relative_to(root).parts
        yield path, (company, campaign, device)


def escaped(text: str, marks: str = ",= ") -> str:
    for mark in marks:
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def channel_keys(campaign: str, line1: list[str], line2: list[str], meta: dict) -> list[tuple[int, str]]:
    """Return the column and the text before the value, for each channel."""
    if len(line2) < len(line1):
        raise Refused  # list index out of range
    master = line1[0]
    said = str(meta.get("MasterType", "")).strip().lower()
    phases = [any(re.match(rf"^Ph\s*{n}\b", label.strip()) for label in line2[1:]) for n in (1, 2, 3)]
    subtype = said if said in {"tri", "mono"} else "tri" if all(phases) else "mono"
    seen: dict[str, int] = {}
    keys = []
    for column in range(1, len(line1)):
        serial = line1[column]
        seen[serial] = number = seen.get(serial, 0) + 1
        voltages = 0 if serial != master else 3 if subtype == "tri" else 1
        label = f"U{number}" if number <= voltages else f"Ch{number - voltages}"
        name, _, unit = line2[column].rpartition(" ") if " " in line2[column] else (line2[column], "", "")
        channel = f"M{master}_{label}" if serial == master else f"M{master}_S{serial}_{label}"
        tags = {
            "campaign": campaign, "channel_id": channel, "channel_unit": unit.strip(), "channel_label": label,
            "channel_name": name.strip(), "device": "MV2", "device_type": "master" if serial == master else "slave",
            "device_subtype": subtype if serial == master else "", "device_master_sn": master, "device_sn": serial,
        }
        written = "".join(
            f",{tag}={escaped(value)}{' ' if value.endswith(chr(92)) else ''}"
            for tag, value in sorted(tags.items()) if value
        )
        keys.append((column, f"electrical{written} {escaped(f'{channel}_{unit.strip()}')}"))
    return keys


def seconds(cell: str) -> int | None:
    try:
        return int(datetime.strptime(cell.strip(), "%d/%m/%y %H:%M:%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _text(data: bytes, differences: frozenset[str]) -> str:
    if BOM in differences:
        data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if BYTES not in differences:
            raise Refused from error
        text = data.decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _object(text: str) -> dict:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _apart(text: str, differences: frozenset[str]) -> tuple[dict, list[str], list[str], bool]:
    """Return the preamble's object, the two header lines, the rows, and whether the file says that it ends."""
    bare = str.strip if DATA_MARK in differences else str
    lines = text.split("\n")
    if lines[0].strip() != "START_HEADER":
        return {}, lines[:2], lines[2:], False
    inside: list[str] = []
    in_header = True
    for number, line in enumerate(lines[1:], 1):
        if bare(line) == "START_DATA" and (not in_header or NO_END_HEADER in differences):
            rows = lines[number + 3:]
            ends = [place for place, row in enumerate(rows) if bare(row) == "END_DATA"]
            kept = rows[:ends[0]] if ends else rows
            return _object("\n".join(inside)), lines[number + 1:number + 3], kept, bool(ends)
        if bare(line) == "END_HEADER":
            in_header = False
        elif in_header:
            inside.append(line)
    raise Refused  # list index out of range


def _header(header: list[str], differences: frozenset[str]) -> list[list[str]]:
    if len(header) < 2 or any("\udc80" <= mark <= "\udcff" for line in header for mark in line):
        raise Refused  # one line, or not UTF-8
    found = [line.rstrip().split("\t") if EDGE in differences else line.strip().split("\t") for line in header]
    for line in found:
        line[0] = line[0].strip()
    if found[1][0] not in {"MV_T302_V002", "MV_T302_V003"} or len(found[0]) < 2:
        raise Refused  # unknown format, or no channels
    if EDGE in differences and not found[0][0]:
        raise Refused  # no serial
    return found


def points(data: bytes, campaign: str, differences: frozenset[str] = DIFFERENCES) -> Points:
    """Return what a file stores; of two values at one place the later."""
    text = _text(data, differences)
    meta, header, rows, ended = _apart(text, differences)
    line1, line2 = _header(header, differences)
    version3 = line2[0] == "MV_T302_V003"
    if version3 != (text.split("\n")[0].strip() == "START_HEADER"):
        raise Refused  # the preamble belongs to version 3
    keys = channel_keys(campaign, line1, line2, meta)
    if not ended and not any(row.strip(" ") for row in rows):
        raise Refused  # no rows
    if not ended and CUT in differences:
        rows = rows[:-1]
    if not version3:
        rows = [row for row in rows if row.strip(" ")]
        if LONG not in differences and any(row.count("\t") > rows[0].count("\t") for row in rows):
            raise Refused  # Error tokenizing data
        if QUOTE not in differences and any('"' in row for row in rows):
            raise Refused  # quotes are another matter
    return dict(_cells(rows, keys, version3=version3))


def _cells(rows: list[str], keys: list[tuple[int, str]], *, version3: bool) -> Iterator[tuple[tuple[str, int], float]]:
    for row in rows:
        cells = row.split("\t")
        if not version3:
            cells = [cell[1:-1].replace('""', '"') if re.fullmatch(r'".*"', cell) else cell for cell in cells]
        time = seconds(cells[0])
        if time is None:
            continue
        for column, key in keys:
            if column >= len(cells) or (not version3 and cells[column] in NOTHING):
                continue
            try:
                value = float(cells[column])
            except ValueError:
                continue
            if math.isfinite(value):
                yield (key, time), value


def points_of_lines(written: bytes) -> Points:
    """Read line protocol of one field in each line back, in order."""
    found: Points = {}
    for line in written.decode().split("\n")[:-1]:
        rest, time = line.rsplit(" ", 1)
        key, value = rest.rsplit("=", 1)
        found[key, int(time)] = float(value)
    return found


HEAD = b"02001171\t02001171\t02001171\nMV_T302_V002\tPh 1 V\tVoie1 W\n"
ROWS = b"05/01/26 10:00:00\t231.5\t12.25\n05/01/26 10:10:00\t230\t-0.0\n"


def newer(
    rows: bytes = ROWS, *, meta: bytes = b'{"MasterType":"Mono"}\n', data: bytes = b"START_DATA",
    end: bytes = b"END_DATA\n",
) -> bytes:
    """Return a file of version 3."""
    head = HEAD.replace(b"V002", b"V003")
    return b"START_HEADER\n" + meta + b"END_HEADER\n" + data + b"\n" + head + rows + end
