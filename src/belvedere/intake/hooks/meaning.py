"""What an event means: which places of which tenant's folder are to be looked at. Pure.

Nothing that an event says is believed besides where to look, so one that comes twice, late or in another order does no
harm. A path that does not lie in the user's own folder is refused. What is not here: reading events (`event.py`).
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from belvedere.intake.hooks.event import DISCONNECT, OK, Event
from belvedere.intake.model import Happening, Notice, Via
from belvedere.intake.names import unfinished
from belvedere.kernel.errors import Forbidden

_NOTHING: Final = frozenset({
    "download", "first-download", "pre-download", "pre-upload", "pre-delete",
    # `upload` is told besides.
    "first-upload",
})
"""Actions after which no file is other than before."""

_WHAT: Final = {"upload": Happening.CLOSED, "mkdir": Happening.MADE, "delete": Happening.REMOVED,
                "rmdir": Happening.REMOVED}
_OUTSIDE: Final = "The path lies outside the folder of tenants' files."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Home:
    """Whose a user is, and where: the tenant's number, its folder's name, and where in it the user's home is."""

    serial: int
    company: str
    folder: str = ""

    @property
    def path(self) -> str:
        """The home below the folder of tenants' folders."""
        return f"{self.company}/{self.folder}" if self.folder else self.company


def meaning(event: Event, home: Home, roots: Sequence[str], via: Via) -> list[Notice]:
    """Return what is to be looked at after an event; nothing when no file changed.

    Args:
        event: what SFTPGo said.
        home: the home of the user whose doing it was.
        roots: the folder of all tenants' folders, under each name that SFTPGo may see it by.
        via: the door that it came by.

    Raises:
        Forbidden: a path of it does not lie in that home.
    """
    if event.action in _NOTHING:
        return []
    places = _places(event, home, roots)  # Also of what went wrong: a path outside is refused whatever came of it.
    if event.status != OK:
        return []
    moved = event.action in {"rename", "copy"} and len(places) == 2  # noqa: PLR2004  (from and to)
    if moved:
        whole = event.action == "copy" or unfinished(posixpath.basename(places[0]))
        found = [(places[1], Happening.CLOSED if whole else Happening.RENAMED)]
        if event.action == "rename":
            found.insert(0, (places[0], Happening.REMOVED))
    elif event.action in _WHAT and places:
        found = [(places[0], _WHAT[event.action])]
    else:
        # The end of a session, and what a later SFTPGo may tell: everything of that user.
        found = [(home.folder, Happening.LOOK)]
    at = _EPOCH + timedelta(microseconds=event.moment // 1000) if event.moment else None
    key = event.key
    return [
        Notice(home.company, place, what, via, f"{key}-{number}" if key else "", at)
        for number, (place, what) in enumerate(found)
    ]


def folder_of(path: str, roots: Sequence[str]) -> str:
    """Return the name of the tenant's folder that a path lies in, for a hook that names no user.

    Raises:
        Forbidden: it lies below none of the roots.
    """
    return _below(path, roots).split("/")[0]


def _places(event: Event, home: Home, roots: Sequence[str]) -> list[str]:
    """Return the paths of an event below the tenant's folder, the target last; the end of a session has none."""
    if event.action == DISCONNECT:
        return []
    pairs = [(event.path, event.virtual_path), (event.target, event.virtual_target)]
    return [_place(real, virtual, home, roots) for real, virtual in pairs if real or virtual]


def _place(real: str, virtual: str, home: Home, roots: Sequence[str]) -> str:
    if not real:
        return "/".join(part for part in (home.folder, _clean(virtual)[1:]) if part)
    below = _below(real, roots)
    company, _, rest = below.partition("/")
    if company != home.company:
        message = "The path lies in another tenant's folder."
        raise Forbidden(message, code="hook-path")
    if below != home.path and not below.startswith(home.path + "/"):
        message = "The path lies outside the home of the user."
        raise Forbidden(message, code="hook-path")
    return rest


def _below(path: str, roots: Sequence[str]) -> str:
    """Return what of a path comes after its root, with at least one name.

    Raises:
        Forbidden: it lies below none of the roots.
    """
    clean = _clean(path)
    for base in (root.rstrip("/") + "/" for root in roots):
        if clean.startswith(base) and clean != base:
            return clean[len(base) :]
    raise Forbidden(_OUTSIDE, code="hook-path")


def _clean(path: str) -> str:
    """Write a path without doubled slashes and dots, as SFTPGo does; one that climbs is none of its.

    Raises:
        Forbidden: it is relative, has `..` in it, or a character that no path has.
    """
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise Forbidden(_OUTSIDE, code="hook-path")
    return "/" + "/".join(part for part in path.split("/") if part not in {"", "."})
