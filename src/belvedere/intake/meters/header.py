"""From header lines to channels: whose they are, what they are called, what they measure. Pure.

A channel is known by the serial numbers of its devices and its place among its device's columns, never by its label:
people rename labels. What is not here: finding these lines in a file (`source.py`).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from belvedere.intake.meters.formats import Format
from belvedere.intake.meters.model import Channel, Header, Place
from belvedere.kernel.errors import Rejected

CHANNELS_MOST: Final = 1000
"""A header with more columns is no header."""

CELL_MOST: Final = 200
"""Nor is one with longer cells: each of them stands in every line that is written."""

DEPTH_MOST: Final = 20
"""How deep the preamble's object may be nested."""

_WHOLE_MOST: Final = 1 << 63
_BRACKETS: Final = re.compile(r"^(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*$", re.DOTALL)


def refusal(detail: str, *, hint: str | None = None) -> Rejected:
    """Return the error of a file that is refused for its header."""
    return Rejected(detail, hint=hint, code="bad-meter-file")


def read_meta(text: str) -> tuple[dict[str, Any], str]:
    """Read the preamble's object; return it with a note for people, empty where all was well.

    It never refuses the file: what is no object counts as none. NaN and infinities become null, so that a report
    with it stays JSON.
    """
    if not text.strip():
        return {}, ""
    try:
        found = _storable(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return {}, "The preamble holds no JSON that can be read; it was left out."
    if not isinstance(found, dict):
        return {}, "The preamble holds no JSON object; it was left out."
    return found, ""


def _storable(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 (JSON)
    """Replace what JSON or a database cannot hold: infinities such as 1e999, NUL, halves of surrogate pairs.

    Raises:
        ValueError: the value is nested deeper than any preamble is.
    """
    if depth > DEPTH_MOST:
        raise ValueError
    if isinstance(value, dict):
        return {_storable(name): _storable(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(member, depth + 1) for member in value]
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, int) and abs(value) >= _WHOLE_MOST else value


def build(
    form: Format, lines: Sequence[str], place: Place, meta: Mapping[str, Any], notes: Sequence[str] = ()
) -> tuple[Header, int]:
    """Build the header from its lines; also return how many cells a full row has.

    Raises:
        Rejected: a line is missing, too short, or names the same column twice.
    """
    labels = _cells(form, lines, form.labels.line)
    serials = _cells(form, lines, form.serials.line) if form.serials.line else [place.device] * len(labels)
    if not serials[0]:
        wrong = refusal(
            "The first serial number is empty, so nobody knows whose values these are." if form.serials.line
            else "The file lies in no device's folder, and its format takes the serial number from there.",
        )
        raise wrong
    if len(labels) < len(serials):
        wrong = refusal(
            f"Line {form.labels.line} of the header has {len(labels)} cells, line {form.serials.line} has "
            f"{len(serials)}: columns without a label.",
            hint="The file was cut off or changed on its way; send it again.",
        )
        raise wrong
    if not 1 < len(serials) <= CHANNELS_MOST + 1:
        wrong = refusal(
            f"The header names {len(serials) - 1} channels; a meter file has at least one and at most {CHANNELS_MOST}."
        )
        raise wrong
    said = list(notes)
    if dropped := len(labels) - len(serials):
        said.append(f"{dropped} columns have no serial number and are not read.")
    if form.serials.line and place.device and serials[0] != place.device:
        said.append(f"The header names device {serials[0]}, the folder {place.device}; the points carry the header's.")
    channels = tuple(_channels(form, serials, labels, place, _subtype(form, labels, meta)))
    twice = [name for name, count in Counter(channel.id for channel in channels).items() if count > 1]
    if twice:
        wrong = refusal(f"Two columns are called {twice[0][:80]!r}.", hint="Give each column a label of its own.")
        raise wrong
    return Header(form.format, form.measurement, place, channels, dict(meta), tuple(said)), len(labels)


def _cells(form: Format, lines: Sequence[str], number: int) -> list[str]:
    """Split a header line; blanks and separators at its end do not count."""
    first, *others = lines[number - 1].rstrip().rstrip(form.separator).rstrip().split(form.separator)
    cells = [first.strip(), *others]
    if any(len(cell) > CELL_MOST or "\0" in cell for cell in cells):
        wrong = refusal(f"Line {number} of the header holds no names: a cell has NUL or over {CELL_MOST} characters.")
        raise wrong
    return cells


def _subtype(form: Format, labels: Sequence[str], meta: Mapping[str, Any]) -> str:
    """Tell `tri` from `mono`: by the preamble, else by the labels; empty where the format knows no difference."""
    said = str(meta.get(form.labels.subtype_key, "")).strip().lower() if form.labels.subtype_key else ""
    if said in {"tri", "mono"}:
        return said
    if not form.labels.tri_when:
        return ""
    stripped = [label.strip() for label in labels[1:]]
    found = all(any(re.match(pattern, label) for label in stripped) for pattern in form.labels.tri_when)
    return "tri" if found else "mono"


def _channels(
    form: Format, serials: Sequence[str], labels: Sequence[str], place: Place, subtype: str
) -> list[Channel]:
    """Name the columns in order."""
    master, counted = serials[0], Counter[str]()
    channels = []
    for column, (serial, text) in enumerate(zip(serials[1:], labels[1:len(serials)], strict=True), 1):
        counted[serial] += 1
        own = serial == master
        name, unit = split_unit(form.labels.unit, text)
        order = form.labels.by_order
        names = (order.master_tri if subtype == "tri" else order.master_mono) if own else order.slave
        label = _label(names, counted[serial]) or name
        channels.append(
            Channel(
                id=f"M{master}_{label}" if own else f"M{master}_S{serial}_{label}",
                column=column,
                device_master_sn=master,
                device_sn=serial,
                device_type="master" if own else "slave",
                device_subtype=subtype if own else "",
                label=label,
                name=name,
                unit=unit,
                device=form.device,
                campaign=place.campaign,
            )
        )
    return channels


def _label(names: Sequence[str], number: int) -> str:
    """Name a device's column by its order, counted from 1."""
    if not names:
        return ""
    fixed = len(names) - 1
    return names[number - 1] if number <= fixed else names[-1].replace("#", str(number - fixed))


def split_unit(where: str, text: str) -> tuple[str, str]:
    """Part a label into name and unit."""
    if where == "after the last blank":
        name, blank, unit = text.rpartition(" ")
        return (name.strip(), unit.strip()) if blank else (text.strip(), "")
    if where == "in brackets" and (found := _BRACKETS.match(text)):
        return found[1].strip(), found[2].strip()
    return text.strip(), ""
