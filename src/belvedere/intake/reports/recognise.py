"""What kind of report a file is, by its name and its first bytes. Pure.

What is not here: reading it (`timing.py`, `drc.py`, `metrics.py`, `tabular.py`).
"""

import re
from enum import StrEnum
from typing import Final

from belvedere.intake.reports.tabular import delimiter_of

HEAD_BYTES: Final = 4_096


class Kind(StrEnum):
    """The kinds of reports. `text` is one of a tool, whose first bytes do not tell which."""

    TIMING = "timing paths"
    DRC = "design rule violations"
    TEXT = "report"
    JSON = "JSON"
    TABLE = "table"
    PARQUET = "Parquet"
    PACKED = "packed"


_TEXT_ENDINGS: Final = (".rpt", ".report", ".timing", ".sta", ".drc")
_TABLE_ENDINGS: Final = (".csv", ".tsv", ".tab")
ENDINGS: Final = (*_TEXT_ENDINGS, *_TABLE_ENDINGS, ".json", ".parquet", ".pq")
"""Names that end so are of reports or tables, whatever they hold."""

# Blanks are taken once and for all, and none beyond the line: a megabyte of them must not be gone through for each.
_TIMING: Final = re.compile(r"^[^\S\n]*+(Startpoint:\s|.*\breport_checks\b)", re.MULTILINE)
_DRC: Final = re.compile(r"^[^\S\n]*+violation type\s*[:=]", re.MULTILINE | re.IGNORECASE)


def kind_of(name: str, head: bytes) -> Kind | None:
    """Tell what a file is; None when it is nothing that is read here."""
    low = name.lower()
    if head.startswith(b"\x1f\x8b"):
        inner = low.removesuffix(".gz")
        wanted = (*_TEXT_ENDINGS, *_TABLE_ENDINGS, ".json", ".txt", ".log")
        return Kind.PACKED if low.endswith(".gz") and inner.endswith(wanted) else None
    if head.startswith(b"PAR1"):
        return Kind.PARQUET
    return _by_text(low, head)


def _by_text(low: str, head: bytes) -> Kind | None:
    text = head.decode("utf-8-sig", "replace")
    found: Kind | None = None
    if _DRC.search(text):
        found = Kind.DRC
    elif _TIMING.search(text):
        found = Kind.TIMING
    elif low.endswith(".json"):
        found = Kind.JSON if text.lstrip()[:1] in {"{", "["} else None
    elif low.endswith(_TABLE_ENDINGS):
        found = Kind.TABLE if delimiter_of(text) or text.strip() else None
    elif low.endswith(_TEXT_ENDINGS):
        found = Kind.TEXT
    elif low.endswith((".parquet", ".pq")):
        found = Kind.PARQUET
    return found
