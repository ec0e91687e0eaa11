"""Reports as files that come in: read in a child process, stored in the tenant's own databases by the tenant's writer.

What is not here: what a report says (`reading.py` and what it calls), the tables (`stores/tables/`).
"""

from collections.abc import Iterator, Mapping
from itertools import chain, groupby
from typing import Any, BinaryIO, Final

from belvedere.intake.model import Hand, Outcome, Place, Sent, Stored
from belvedere.intake.reports.model import Part, Read, Unreadable, pack, unpack
from belvedere.intake.reports.recognise import ENDINGS, kind_of
from belvedere.stores.tables.service import FileTables


class ReportFiles:
    """Takes reports of chip tools and tables."""

    kind: Final = "report"
    reader: Final = "belvedere.intake.reports.taker:read"

    def __init__(self, tables: FileTables) -> None:
        """Take where rows go."""
        self._tables = tables
        self.options: Mapping[str, str] = {}

    def recognises(self, name: str, head: bytes) -> bool:
        """Tell whether a file is a report or a table."""
        return kind_of(name, head) is not None

    def claims(self, name: str) -> bool:
        """Refuse what is called as a report and is none."""
        return name.lower().removesuffix(".gz").endswith(ENDINGS)

    def misplaced(self, place: Place) -> str | None:  # noqa: ARG002  (a report may lie anywhere)
        """Say why a file cannot be taken where it lies: a report can anywhere."""
        return None

    def store(self, serial: int, campaign: str, parts: Iterator[tuple[Sent, bytes]]) -> Stored:  # noqa: ARG002  (of all takers)
        """Store the rows of each file, in place of those that it had before."""
        for _, of_one in groupby(parts, key=lambda one: one[0].path):
            sent, first = next(of_one)
            rest = map(_rows, of_one)  # noqa: B031  (what is left of this group, once)
            self._tables.load(serial, sent.path, sent.at, chain([unpack(first)], rest))
        return Stored()

    def prepare(self, serial: int, campaign: str) -> None:
        """Nothing: tables are made when their rows come."""

    def renamed(self, serial: int, campaign: str, to: str) -> None:
        """Nothing: tables keep the names under which dashboards show them."""

    def forgotten(self, serial: int, campaign: str) -> None:
        """Nothing: the rows are the tenant's own."""


def read(place: Place, file: BinaryIO, hand: Hand) -> Outcome:
    """Read a report and hand over its rows: the function that runs in the child process."""
    from belvedere.intake.reports.reading import read as parts_of  # noqa: PLC0415  (its parsers are for the child alone)

    account = Read("report")
    try:
        for part in parts_of(place.folder, place.name, file, account):
            hand(pack(part))
    except Unreadable as error:
        return Outcome(error=error.detail, code="report", report=_report(account))
    return Outcome(
        points=account.rows, rows=account.rows, skipped=account.aside.rows, first_at=account.first_at,
        last_at=account.last_at, report=_report(account),
    )


def _rows(one: tuple[Sent, bytes]) -> Part:
    return unpack(one[1])


def _report(account: Read) -> Mapping[str, Any]:
    return {
        "kind": account.kind,
        "tables": [
            {"database": database, "table": table, "rows": rows} for (database, table), rows in account.tables.items()
        ],
        "rows": account.rows,
        "skipped": account.aside.rows,
        "reasons": account.aside.by_reason,
        "skipped_rows": account.aside.first,
        "notes": account.notes,
    }
