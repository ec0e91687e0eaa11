"""OpenSTA's `report_checks`, as text: one row a path, and one row a line of it. Pure.

Read line by line, so that a log with other output around the paths does as well. The layout differs with `-format`,
`-fields` and `-digits`: what is read is found by words, and a line's delay and time are the last of its numbers, not
by fixed places. Seen: OpenSTA's own reports as its regression prints them, formats full, full_clock and
full_clock_expanded. Times are in the unit that the tool was set to, which the report does not tell.

What is not here: which file is such a report (`recognise.py`).
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from belvedere.intake.reports.model import Collector, Part, Read, Table, cell

# Lines are stripped first, and nothing here can match in two ways: a hostile line takes no longer than any other.
_NUMBER: Final = r"-?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?\d++)?+"
_LABEL: Final = re.compile(r"(?P<name>Path Group|Path Type|Corner|Scenario|Mode):\s*+(?P<value>.*)")
_SLACK: Final = re.compile(rf"(?P<value>{_NUMBER})\s++slack\s*+(?:\((?P<verdict>[A-Za-z ]++)\))?+$")
_TOTAL: Final = re.compile(rf"(?P<value>{_NUMBER})\s++data (?P<what>arrival|required) time$")
_CLOCKED: Final = re.compile(r"clocked by\s+(?P<clock>[^\s()']+)")
_CONTINUED: Final = re.compile(r"\(?[^()]*?\bclocked by\b")
_PIN: Final = re.compile(r"^(?P<pin>\S+)\s+\((?P<cell>[^()\s]+)\)$")
_POINT: Final = re.compile(
    rf"(?P<numbers>{_NUMBER}(?=\s)(?:\s++{_NUMBER}(?=\s))*+)\s++(?:(?P<edge>[\^v])\s++)?+(?P<text>.+)"
)
_PORTS: Final = frozenset({"in", "out", "inout", "net"})
_CLOCK_EDGE: Final = re.compile(r"^clock (?P<clock>\S+) \((?P<edge>rise|fall) edge\)$")
_LONGEST_LINE: Final = 2_000
_MOST_POINTS: Final = 20_000
"""Lines of one path that are kept; what has more is no path."""

_PATHS: Final = (
    ("startpoint", "text"), ("endpoint", "text"), ("path_group", "text"), ("path_type", "text"), ("clock", "text"),
    ("corner", "text"), ("slack", "double precision"), ("arrival", "double precision"),
    ("required", "double precision"), ("levels", "bigint"), ("cell_delay", "double precision"), ("met", "boolean"),
)
_LINES: Final = (
    ("path", "bigint"), ("line", "bigint"), ("endpoint", "text"), ("part", "text"), ("description", "text"),
    ("pin", "text"), ("cell", "text"), ("edge", "text"), ("delay", "double precision"), ("at", "double precision"),
)


@dataclass(frozen=True, slots=True)
class _Point:
    """One line of a path with a delay or a time."""

    part: str
    text: str
    pin: str | None
    cell: str | None
    edge: str | None
    delay: float | None
    at: float

    @property
    def instance(self) -> str:
        """The instance that the pin is of."""
        return (self.pin or "").rpartition("/")[0]

    def is_of(self, end: str) -> bool:
        """Tell whether it is a pin of an instance, or that port."""
        return self.pin is not None and end in {self.pin, self.instance}


@dataclass(slots=True)
class _Path:
    """One path while it is read."""

    startpoint: str = ""
    endpoint: str = ""
    start_clock: str = ""
    end_clock: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    arrival: float | None = None
    required: float | None = None
    slack: float | None = None
    met: bool | None = None
    part: str = "data"
    points: list[_Point] = field(default_factory=list)
    first_line: int = 0

    @property
    def gates(self) -> "list[_Point]":
        """The points of the data path that are outputs of cells, between the two ends of the path."""
        points = [one for one in self.points if one.part == "data"]
        begun = max((place for place, one in enumerate(points) if one.is_of(self.startpoint)), default=-1)
        inner = [one for one in points[begun + 1:] if one.cell is not None and not one.is_of(self.endpoint)]
        # With input pins shown each cell stands twice: its output is the later one.
        return [one for place, one in enumerate(inner) if inner[place + 1 : place + 2] == [] or (
            inner[place + 1].instance != one.instance)]


def parse(lines: Iterable[str], name: str, read: Read) -> Iterator[Part]:
    """Yield the rows of a report's paths.

    Args:
        lines: the report.
        name: of the table of paths; that of their lines has `_lines` behind it.
        read: the account, which is filled in.
    """
    paths = Collector(Table("timing_report", name, _PATHS), read)
    points = Collector(Table("timing_report", f"{name[:57]}_lines", _LINES), read, at_most=50_000)
    count, path = 0, None
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            continue
        begun = _end_of_path(line.strip(), "Startpoint:")
        if begun:
            if path is not None:
                read.aside.put(path.first_line, "a path without its slack", path.startpoint)
            path = _Path(startpoint=begun[0], start_clock=_clock(begun[1]), first_line=number)
            continue
        if path is None or not _take(path, line):
            continue
        count += 1
        yield from _full(paths.add(_row(path)))
        for place, point in enumerate(path.points, 1):
            yield from _full(points.add((
                count, place, cell(path.endpoint), point.part, point.text, point.pin, point.cell, point.edge,
                point.delay, point.at,
            )))
        path = None
    if path is not None:
        read.aside.put(path.first_line, "a path without its slack", path.startpoint)
    yield from _full(paths.end())
    yield from _full(points.end())


def _full(part: Part | None) -> Iterator[Part]:
    if part is not None:
        yield part


def _take(path: _Path, line: str) -> bool:
    """Read one line of a path; tell whether it was its last."""
    text = line.strip()
    found = _SLACK.match(text)
    slack = _finite(found["value"]) if found else None
    if found and slack is not None:
        path.slack = slack
        path.met = None if found["verdict"] is None else found["verdict"].strip().upper() == "MET"
        return True
    total = _TOTAL.match(text)
    if total:
        _note_total(path, total["what"], _finite(total["value"]))
    elif ended := _end_of_path(text, "Endpoint:"):
        path.endpoint, path.end_clock = ended[0], _clock(ended[1])
    elif label := _LABEL.match(text):
        path.labels[label["name"]] = label["value"]
    elif line[:1].isspace() and _CONTINUED.match(text):
        if path.endpoint:
            path.end_clock = path.end_clock or _clock(text)
        else:
            path.start_clock = path.start_clock or _clock(text)
    elif len(path.points) < _MOST_POINTS:
        _take_point(path, text)
    return False


def _end_of_path(text: str, word: str) -> tuple[str, str] | None:
    """Read the pin and what stands behind it in brackets, where a line begins with this word."""
    if not text.startswith(word) or not (named := text.removeprefix(word).strip()):
        return None
    bracket = re.search(r"\s\(", named)
    return (named[:bracket.start()].rstrip(), named[bracket.end():]) if bracket else (named, "")


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _note_total(path: _Path, what: str, value: float | None) -> None:
    """Note a total. Both stand twice; the second arrival is negated, so the first of each counts."""
    if what == "arrival" and path.arrival is None:
        path.arrival, path.part = value, "required"
    elif what == "required" and path.required is None:
        path.required = value


def _take_point(path: _Path, line: str) -> None:
    found = _POINT.match(line)
    numbers = [_finite(one) for one in found["numbers"].split()] if found else []
    if found is None or (at := numbers[-1]) is None:
        return
    text = found["text"]
    edge = {"^": "rise", "v": "fall"}.get(found["edge"] or "")
    launched = _CLOCK_EDGE.match(text)
    if launched:
        key = "launch" if path.part == "data" else "capture"
        path.labels.setdefault(key, launched["clock"])
    pin = _PIN.match(text)
    is_cell = pin is not None and pin["cell"] not in _PORTS
    delay = numbers[-2] if len(numbers) > 1 else None
    path.points.append(_Point(
        path.part, cell(text[:300]) or "", cell(pin["pin"]) if pin else None,
        pin["cell"] if pin and is_cell else None, edge, delay, at,
    ))


def _row(path: _Path) -> tuple[object, ...]:
    labels = path.labels
    gates = path.gates
    clock = path.end_clock or labels.get("capture") or path.start_clock or labels.get("launch") or ""
    corner = labels.get("Corner") or labels.get("Scenario") or labels.get("Mode") or ""
    met = path.met if path.met is not None or path.slack is None else path.slack >= 0
    delays = [one.delay for one in gates if one.delay is not None]
    delay = sum(delays)
    return (
        cell(path.startpoint), cell(path.endpoint), cell(labels.get("Path Group", "")),
        cell(labels.get("Path Type", "")), cell(clock), cell(corner), path.slack, path.arrival, path.required,
        len(gates) if path.points else None, delay if delays and math.isfinite(delay) else None, met,
    )


def _clock(text: str) -> str:
    found = _CLOCKED.search(text)
    return found["clock"] if found else ""
