"""Reports as files that come in: read in a child process, stored in the tenant's own databases by the tenant's writer.

What is not here: what a report says (`reading.py` and what it calls), the tables (`stores/tables/`).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, BinaryIO, Final, Protocol

from belvedere.intake.model import Hand, Outcome, Place, Upload
from belvedere.intake.reports.model import Part, Read, Unreadable, pack, unpack
from belvedere.intake.reports.reading import read
from belvedere.intake.reports.recognise import kind_of


class Tables(Protocol):
    """Where rows go: as much of the stores as this taker needs."""

    def load(self, serial: int, source: str, at: Any, parts: Iterator[Part]) -> None:  # noqa: ANN401  (a datetime)
        """Replace the rows that came from a file by these, in one transaction for each database."""
        ...


class ReportTaker:
    """Takes reports of chip tools and tables."""

    kind: Final = "report"

    def __init__(self, tables: Tables) -> None:
        """Take where rows go."""
        self._tables = tables

    def recognises(self, name: str, head: bytes) -> bool:
        """Tell whether a file is a report or a table."""
        return kind_of(name, head) is not None

    def read(self, place: Place, file: BinaryIO, hand: Hand) -> Outcome:
        """Read a file and hand over its rows. In a child process."""
        account = Read(self.kind)
        try:
            for part in read(place.folder, place.name, file, account):
                hand(pack(part))
        except Unreadable as error:
            return Outcome(error=error.detail, code="report", report=_report(account))
        return Outcome(
            points=account.rows, rows=account.rows + account.aside.rows, skipped=account.aside.rows,
            first_at=account.first_at, last_at=account.last_at, report=_report(account),
        )

    def store(self, serial: int, campaign: str, parts: Iterator[tuple[Upload, bytes]]) -> None:  # noqa: ARG002  (of all takers)
        """Store the rows of each file, in place of those that it had before."""
        for _, of_one in groupby(parts, key=lambda one: one[0].id):
            upload, first = next(of_one)
            rest = map(_rows, of_one)  # noqa: B031  (what is left of this group, once)
            at = upload.first_at or upload.received_at
            self._tables.load(serial, upload.path, at, chain([unpack(first)], rest))

    def prepare(self, serial: int, campaign: str) -> None:
        """Nothing: tables are made when their rows come."""

    def renamed(self, serial: int, campaign: str, name: str) -> None:
        """Nothing: tables keep the names under which dashboards show them."""

    def removed(self, serial: int, *, keep_data: bool) -> None:
        """Nothing: the tables go with the tenant's databases."""

    def summary(self, lines: Sequence[bytes]) -> None:
        """Nothing: summaries of runs go where measured values go."""


def _rows(one: tuple[Upload, bytes]) -> Part:
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
