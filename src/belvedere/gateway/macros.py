"""From the text that Grafana sends to PostgreSQL's: the time range and the macros that go by it. Pure.

Grafana's InfluxQL data source replaces `$timeFilter` by `time >= 1763596800000ms and time <= 1763690000000ms` and
knows no other macro of time (seen on 11.0.0). So a query that uses the macros of Grafana's PostgreSQL data source
carries the range in a comment at its beginning, `/* $timeFilter */`, and they are resolved here.

What is put into a text is fixed words and moments made of whole numbers. Wherever in a query it lands, it can only
change that query, which runs with the asking tenant's rights.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from belvedere.kernel.errors import Rejected

LONGEST_QUERY: Final = 1_000_000
"""Characters of a query that are read."""

_RANGE: Final = r"time >= (-?\d{1,15})ms and time <= (-?\d{1,15})ms"
_LEADING: Final = re.compile(rf"\s*/\*\s*(?P<table>table\s+)?{_RANGE}\s*\*/")
_SKIPPED: Final = r"(?>\s+|--[^\n]*+(?:\n|\Z)|/\*.*?(?:\*/|\Z))"
_TOKENS: Final = re.compile(
    r"""(?P<kept>[eE]'(?>[^'\\]|\\.|'')*+(?:'|\Z)|'(?>[^']|'')*+(?:'|\Z)|"(?>[^"]|"")*+(?:"|\Z)"""
    r"""|\$(?P<mark>(?:[A-Za-z_]\w*+)?)\$.*?(?:\$(?P=mark)\$|\Z)|--[^\n]*+|/\*.*?(?:\*/|\Z))"""
    rf"""|(?P<range>\b{_RANGE}\b)|\$__(?P<macro>[A-Za-z]+)\((?P<argument>(?>[^()]++|\([^()]*+\))*+)\)|(?P<end>;{_SKIPPED}*+\Z)""",
    re.DOTALL,
)
"""Every alternative that begins also ends, at the end of the text at worst: nobody's text takes long to read."""
_WORD: Final = re.compile(rf"(?>{_SKIPPED}|\()*+([A-Za-z]+)", re.DOTALL)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_READING: Final = frozenset({"select", "with", "values", "table", "show"})


def as_postgres(text: str) -> tuple[str, bool]:
    """Return a query as PostgreSQL takes it, and whether it says of itself that it is read as a table.

    Raises:
        Rejected: it is empty or too long, has a macro that is not known here, or one without a range to go by.
    """
    if len(text) > LONGEST_QUERY:
        message = f"The query has more than {LONGEST_QUERY:,} characters."
        raise Rejected(message)
    if "\0" in text:
        message = "The query holds a zero byte."
        raise Rejected(message)
    leading = _LEADING.match(text)
    bounds = (_moment(leading[2]), _moment(leading[3])) if leading else None
    body = text[leading.end() :] if leading else text
    written = _TOKENS.sub(lambda found: _replaced(found, bounds), body).strip()
    if not written:
        message = "The query is empty."
        raise Rejected(message)
    return written, bool(leading and leading["table"])


def reads(text: str) -> bool:
    """Tell whether a query begins as one that reads; PostgreSQL itself decides in the end."""
    return first_word(text) in _READING


def first_word(text: str) -> str:
    """Return the first word of a query, in lower case, or nothing."""
    found = _WORD.match(text[:LONGEST_QUERY])
    return found[1].lower() if found else ""


def _replaced(found: re.Match[str], bounds: tuple[str, str] | None) -> str:
    if found["kept"] is not None:
        return found[0]
    if found["end"] is not None:
        return ""
    if found["range"] is not None:
        low, high = re.findall(r"-?\d+(?=ms)", found[0])
        return f'("time" >= {_moment(low)} AND "time" <= {_moment(high)})'
    name, argument = found["macro"], found["argument"].strip()
    if name not in {"timeFrom", "timeTo", "timeFilter"}:
        message = f"The gateway does not know the macro $__{name}. Write its meaning out."
        raise Rejected(message)
    if bounds is None:
        message = f"The query uses $__{name} but carries no time range. Begin it with {'/* $timeFilter */'}."
        raise Rejected(message)
    if name == "timeFilter":
        return f"{argument} BETWEEN {bounds[0]} AND {bounds[1]}"
    return bounds[0] if name == "timeFrom" else bounds[1]


def _moment(milliseconds: str) -> str:
    """Write a moment as a constant; what no calendar holds becomes the nearest end of it."""
    try:
        moment = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        return "'infinity'::timestamptz" if not milliseconds.startswith("-") else "'-infinity'::timestamptz"
    return f"'{moment.isoformat(timespec='milliseconds')}'::timestamptz"
