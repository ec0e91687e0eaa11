"""What tables and columns are called after the names that files and their headers give. Pure.

The reports of many runs make one table when their files' names differ only in when they were written: times, dates and
run numbers at the end of a name are left out.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

_LONGEST: Final = 63
"""Bytes of a name that PostgreSQL keeps."""

_ENDINGS: Final = re.compile(
    r"(\.(gz|rpt|report|txt|log|json|csv|tsv|tab|parquet|pq|drc|timing|sta|dat|out))+$", re.IGNORECASE
)
_MOMENT: Final = re.compile(
    r"(?<!\d)(?P<year>20\d\d)-?(?P<month>[01]\d)-?(?P<day>[0-3]\d)"
    r"(?:[T_-]?(?P<hour>[0-2]\d)[-_:]?(?P<minute>[0-5]\d)(?:[-_:]?(?P<second>[0-5]\d))?Z?)?(?!\d)"
)
_RUN: Final = re.compile(r"[_.-]*(?:run|build|job|iter)?[_.-]*\d{1,9}$", re.IGNORECASE)
_TAKEN: Final = frozenset({"source_file", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def table_name(folder: str, name: str) -> str:
    """Name the table of a file: its name without endings, time and run number, before it the folder it lies in.

    Never empty, at most 63 bytes, of letters, digits and underscores.
    """
    stem = _MOMENT.sub("", _ENDINGS.sub("", name))
    bare = _RUN.sub("", stem).strip("_.- ") or stem
    place = folder.rsplit("/", 1)[-1]
    whole = _plain(f"{place}_{bare}" if place else bare)
    return _cut(whole or "report")


def moment_in(name: str) -> datetime | None:
    """Return the time that a file's name tells, read as UTC; None when it tells none or an impossible one."""
    found = _MOMENT.search(name)
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(found[key] or 0) for key in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def column_names(given: Iterable[str]) -> list[str]:
    """Name columns after a header: trimmed, without control signs, each once, at most 63 bytes."""
    names: list[str] = []
    seen: set[str] = set(_TAKEN)
    for place, text in enumerate(given, 1):
        plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
        name = wanted = _cut(plain) or f"column_{place}"
        count = 1
        while name.lower() in seen:
            count += 1
            name = f"{_cut(wanted, _LONGEST - len(str(count)) - 1)}_{count}"
        seen.add(name.lower())
        names.append(name)
    return names


def _plain(text: str) -> str:
    return re.sub(r"_+", "_", re.sub(r"\W", "_", text, flags=re.ASCII)).strip("_").lower()


def _cut(text: str, most: int = _LONGEST) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").strip()
