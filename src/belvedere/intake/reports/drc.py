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

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from belvedere.intake.reports.model import Collector, Part, Read, Table, cell

_NUMBER: Final = r"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_TYPE: Final = re.compile(r"^\s*violation type\s*[:=]\s*(?P<type>.*?)\s*$", re.IGNORECASE)
_SOURCES: Final = re.compile(r"^\s*(?:srcs?|sources?)\s*[:=]\s*(?P<sources>.*?)\s*$", re.IGNORECASE)
_BOX: Final = re.compile(
    rf"^\s*bbox\s*[:=]\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\)\s*-\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\)"
    r"(?:\s+on\s+layer\s+(?P<layer>\S+))?\s*$", re.IGNORECASE,
)
_SOURCE: Final = re.compile(r"(?P<kind>net|inst|obs|pin|iterm|bterm|master)\s*:\s*(?P<name>\S+)", re.IGNORECASE)
_LONGEST_LINE: Final = 20_000

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
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            continue
        begun = _TYPE.match(line)
        if begun:
            _left(read, open_)
            open_ = _Violation(begun["type"], number)
        elif open_ is not None:
            box = _BOX.match(line)
            if box:
                part = rows.add(_row(open_, box))
                open_ = None
                if part is not None:
                    yield part
            else:
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


def _row(violation: _Violation, box: re.Match[str]) -> tuple[object, ...]:
    nets = [name for kind, name in violation.sources if kind == "net"]
    cells = [name for kind, name in violation.sources if kind in {"inst", "iterm", "master"}]
    x1, y1, x2, y2 = (float(box[place]) for place in range(1, 5))
    return (
        cell(violation.type) or "unnamed", cell(box["layer"] or ""), min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2),
        cell(nets[0]) if nets else None, cell(nets[1]) if len(nets) > 1 else None, cell(cells[0]) if cells else None,
    )
