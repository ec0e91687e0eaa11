"""OpenROAD's report of a detailed route's design rule violations: one row a violation. Pure.

```
violation type: Short
    srcs: net:a net:b
    bbox = (x1, y1) - (x2, y2) on Layer metal2
```
Lengths are in micrometres. Later versions add `comment:` and name sources in other ways (`inst:`, `obs:`, one a line);
what is not known is passed over.

What is not here: which file is such a report (`recognise.py`).
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from belvedere.intake.reports.model import Collector, Part, Read, Table, cell

# Lines are stripped first: a blank that two parts of an expression can take makes a hostile line slow.
_NUMBER: Final = r"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_TYPE: Final = re.compile(r"violation type\s*[:=]\s*+(?P<type>.*)", re.IGNORECASE)
_SOURCES: Final = re.compile(r"(?:srcs?|sources?)\s*[:=](?P<sources>.*)", re.IGNORECASE)
_BOX: Final = re.compile(
    rf"bbox\s*[:=]\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\)\s*-\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\)"
    r"(?:\s+on\s+layer\s+(?P<layer>\S+))?$", re.IGNORECASE,
)
_SOURCE: Final = re.compile(r"(?P<kind>net|inst|obs|pin|iterm|bterm|master)\s*:\s*(?P<name>\S+)", re.IGNORECASE)
_LONGEST_LINE: Final = 20_000
_MOST_SOURCES: Final = 1_000
"""Sources of one violation that are kept; the first two nets and the first cell are shown."""

_COLUMNS: Final = (
    ("violation_type", "text"), ("layer", "text"), ("x1", "double precision"), ("y1", "double precision"),
    ("x2", "double precision"), ("y2", "double precision"), ("net1", "text"), ("net2", "text"), ("cell", "text"),
)


@dataclass(slots=True)
class _Violation:
    """One violation while it is read."""

    type: str
    line: int
    sources: list[tuple[str, str]] = field(default_factory=list)


def parse(lines: Iterable[str], name: str, read: Read) -> Iterator[Part]:
    """Yield the violations of a report as rows of the table `name`; the account is filled in."""
    rows = Collector(Table("drc", name, _COLUMNS), read)
    open_: _Violation | None = None
    for number, whole in enumerate(lines, 1):
        if len(whole) > _LONGEST_LINE:
            continue
        line = whole.strip()
        begun = _TYPE.match(line)
        if begun:
            _left(read, open_)
            open_ = _Violation(begun["type"], number)
        elif open_ is not None:
            corners = _corners(box) if (box := _BOX.match(line)) else None
            if box and corners:
                part = rows.add(_row(open_, corners, box["layer"] or ""))
                open_ = None
                if part is not None:
                    yield part
            elif len(open_.sources) < _MOST_SOURCES:
                open_.sources += _sources(line)
    _left(read, open_)
    last = rows.end()
    if last is not None:
        yield last


def _left(read: Read, violation: _Violation | None) -> None:
    if violation is not None:
        read.aside.put(violation.line, "a violation without its box", violation.type)


def _sources(line: str) -> list[tuple[str, str]]:
    listed = _SOURCES.match(line)
    text = listed["sources"] if listed else line
    return [(one["kind"].lower(), one["name"]) for one in _SOURCE.finditer(text)]


def _corners(box: re.Match[str]) -> tuple[float, float, float, float] | None:
    """Return a box as its least and greatest x and y; None where a number is beyond all numbers."""
    x1, y1, x2, y2 = (float(box[place]) for place in range(1, 5))
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return None
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _row(violation: _Violation, corners: tuple[float, ...], layer: str) -> tuple[object, ...]:
    nets = [name for kind, name in violation.sources if kind == "net"]
    cells = [name for kind, name in violation.sources if kind in {"inst", "iterm", "master"}]
    return (
        cell(violation.type) or "unnamed", cell(layer), *corners,
        cell(nets[0]) if nets else None, cell(nets[1]) if len(nets) > 1 else None, cell(cells[0]) if cells else None,
    )
