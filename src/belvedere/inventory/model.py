"""One tenant's belongings, and how they are written as CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an entry is."""

    ORGANISATION = "organisation"
    TEAM = "team"
    FOLDER = "folder"
    SOURCE = "data source"
    CAMPAIGN = "campaign"
    DASHBOARD = "dashboard"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing. `id` is what the outside knows it by (a uid, a number), `where` its address or database."""

    kind: Kind
    name: str
    id: str = ""
    where: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that one tenant has."""

    tenant: int
    name: str
    slug: str
    tier: str
    state: str
    entries: tuple[Entry, ...]

    def of(self, kind: Kind) -> tuple[Entry, ...]:
        """Return the entries of one kind."""
        return tuple(one for one in self.entries if one.kind is kind)


HEADER: Final = ("tenant", "number", "tier", "kind", "name", "id", "where", "state")

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
                    "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")


def csv_lines(inventories: Iterable[Inventory]) -> Iterator[str]:
    """Write the entries as CSV (RFC 4180), a header first, one line at a time.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front, so that a tenant who chooses
    names can run nothing on the machine of who opens the file.
    """
    yield _line(HEADER)
    for one in inventories:
        for entry in one.entries:
            yield _line((
                one.name, str(one.tenant), one.tier, entry.kind, entry.name, entry.id, entry.where, entry.state,
            ))  # fmt: skip


def _line(cells: Iterable[str]) -> str:
    kept = io.StringIO()
    csv.writer(kept).writerow([harmless(cell) for cell in cells])
    return kept.getvalue()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet computes."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULAS) else cell
