"""The words of a plan for a tenant's place in a Grafana: what its steps can do, and what each needs to know.

What is not here: which steps there are (`plan.py`, `shared/plan.py`, `people/plan.py`), and doing them (`apply.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from belvedere.kernel.plan import Change, Sign, Step
from belvedere.workspaces.grafana.answers import Source
from belvedere.workspaces.grafana.model import WantedAccount, WantedBoard, WantedSource
from belvedere.workspaces.grafana.people.model import WantedMember

VIEWER: Final = "Viewer"


class Do(StrEnum):
    """The deeds that `apply.py` knows."""

    ORGANISATION = "organisation"
    RENAME = "rename"
    MARK = "mark"
    JOIN = "join"
    SHARED = "shared organisation"
    TEAM = "team"
    SEATS = "seats"
    LINKS = "links"
    FOLDER = "folder"
    RIGHTS = "rights"
    SOURCE = "source"
    BOARD = "board"
    HOLD = "hold"
    ACCOUNT = "account"
    MEMBER = "member"
    CAPTURE = "capture"
    KEYS = "keys"
    DROP_BOARD = "drop board"
    DROP_FOLDER = "drop folder"
    DROP_SOURCE = "drop source"
    DROP_CAPTURE = "drop capture"
    DROP_ACCOUNT = "drop account"
    DROP_MEMBER = "drop member"
    DROP_TEAM = "drop team"
    DROP_PUBLIC = "drop public"
    DROP_LINKS = "drop links"
    DROP_ORGANISATION = "drop organisation"
    RELEASE = "release"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step does.

    `version` is the one that was read, for writing over that one alone; 0 where nothing stood. `organisation` is
    where; 0 when the same plan makes it. `seen` is the data source as it was read, so that it need not be read again.
    """

    do: Do
    key: str = ""
    uid: str = ""
    number: int = 0
    version: int = 0
    folder_uid: str = ""
    organisation: int = 0
    source: WantedSource | None = None
    seen: Source | None = None
    board: WantedBoard | None = None
    account: WantedAccount | None = None
    member: WantedMember | None = None


Steps = Iterator[Step[Deed]]


def step(
    do: Do, sign: Sign, title: str, target: str, *, deed: Deed | None = None, key: str = "",
    changes: tuple[Change, ...] = (),
) -> Step[Deed]:
    """Write a step; its key is the deed's name where there is one of that kind in a plan."""
    return Step(key or do.value, sign, title, target, deed or Deed(do), changes)
