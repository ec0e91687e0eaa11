"""OpenSTA's `report_checks`, as text: one row a path, and one row a line of it. Pure.

Read line by line, so that a log with other output around the paths does as well. The layout differs with `-format`,
`-fields` and `-digits`: what is read is found by words and by the columns that the report's own heading names, not by
fixed places. Seen: OpenSTA's own reports as its regression prints them, formats full, full_clock and
full_clock_expanded. Times are in the unit that the tool was set to, which the report does not tell.

What is not here: which file is such a report (`recognise.py`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from belvedere.intake.reports.model import Collector, Part, Read, Table, cell

_NUMBER: Final = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_START: Final = re.compile(r"^\s*Startpoint:\s*(?P<pin>\S.*?)(?:\s+\((?P<what>.*?)\)?)?\s*$")
_END: Final = re.compile(r"^\s*Endpoint:\s*(?P<pin>\S.*?)(?:\s+\((?P<what>.*?)\)?)?\s*$")
_LABEL: Final = re.compile(r"^\s*(?P<name>Path Group|Path Type|Corner|Scenario|Mode):\s*(?P<value>.*?)\s*$")
_SLACK: Final = re.compile(rf"^\s*(?P<value>{_NUMBER})\s+slack\s*(?:\((?P<verdict>[A-Za-z ]+)\))?\s*$")
_TOTAL: Final = re.compile(rf"^\s*(?P<value>{_NUMBER})\s+data (?P<what>arrival|required) time\s*$")
_HEADING: Final = re.compile(r"^\s*(?:\w+\s+)*Delay\s+Time\s+Description\s*$")
_CLOCKED: Final = re.compile(r"clocked by\s+(?P<clock>[^\s()']+)")
_CONTINUED: Final = re.compile(r"^\s+\(?(?P<what>[^()]*\bclocked by\b.*?)\)?\s*$")
_PIN: Final = re.compile(r"^(?P<pin>\S+)\s+\((?P<cell>[^()\s]+)\)$")
_POINT: Final = re.compile(rf"^(?P<numbers>(?:\s*{_NUMBER})+)\s+(?P<edge>[\^v]\s+)?(?P<text>\S.*?)\s*$")
_PORTS: Final = frozenset({"in", "out", "inout", "net"})
_CLOCK_EDGE: Final = re.compile(r"^clock (?P<clock>\S+) \((?P<edge>rise|fall) edge\)$")
_LONGEST_LINE: Final = 2_000

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
    columns: int = 2
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
        begun = _START.match(line)
        if begun:
            if path is not None:
                read.aside.put(path.first_line, "a path without its slack", path.startpoint)
            path = _Path(startpoint=begun["pin"], start_clock=_clock(begun["what"]), first_line=number)
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
    found = _SLACK.match(line)
    if found:
        path.slack = float(found["value"])
        path.met = None if found["verdict"] is None else found["verdict"].strip().upper() == "MET"
        return True
    total = _TOTAL.match(line)
    if total:
        _note_total(path, total["what"], float(total["value"]))
    elif ended := _END.match(line):
        path.endpoint, path.end_clock = ended["pin"], _clock(ended["what"])
    elif label := _LABEL.match(line):
        path.labels[label["name"]] = label["value"]
    elif _HEADING.match(line):
        path.columns = len(line.split()) - 1
    elif continued := _CONTINUED.match(line):
        if path.endpoint:
            path.end_clock = path.end_clock or _clock(continued["what"])
        else:
            path.start_clock = path.start_clock or _clock(continued["what"])
    else:
        _take_point(path, line)
    return False


def _note_total(path: _Path, what: str, value: float) -> None:
    """Note a total. Both stand twice; the second arrival is negated, so the first of each counts."""
    if what == "arrival" and path.arrival is None:
        path.arrival, path.part = value, "required"
    elif what == "required" and path.required is None:
        path.required = value


def _take_point(path: _Path, line: str) -> None:
    found = _POINT.match(line)
    if found is None:
        return
    numbers = [float(one) for one in found["numbers"].split()]
    text = found["text"]
    edge = {"^": "rise", "v": "fall"}.get((found["edge"] or "").strip())
    launched = _CLOCK_EDGE.match(text)
    if launched:
        key = "launch" if path.part == "data" else "capture"
        path.labels.setdefault(key, launched["clock"])
    pin = _PIN.match(text)
    is_cell = pin is not None and pin["cell"] not in _PORTS
    delay = numbers[-2] if len(numbers) > 1 else None
    path.points.append(_Point(
        path.part, cell(text[:300]) or "", cell(pin["pin"]) if pin else None,
        pin["cell"] if pin and is_cell else None, edge, delay, numbers[-1],
    ))


def _row(path: _Path) -> tuple[object, ...]:
    labels = path.labels
    gates = path.gates
    clock = path.end_clock or labels.get("capture") or path.start_clock or labels.get("launch") or ""
    corner = labels.get("Corner") or labels.get("Scenario") or labels.get("Mode") or ""
    met = path.met if path.met is not None or path.slack is None else path.slack >= 0
    delays = [one.delay for one in gates if one.delay is not None]
    return (
        cell(path.startpoint), cell(path.endpoint), cell(labels.get("Path Group", "")),
        cell(labels.get("Path Type", "")), cell(clock), cell(corner), path.slack, path.arrival, path.required,
        len(gates) if path.points else None, sum(delays) if delays else None, met,
    )


def _clock(text: str | None) -> str:
    found = _CLOCKED.search(text or "")
    return found["clock"] if found else ""
