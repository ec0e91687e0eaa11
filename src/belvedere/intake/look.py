"""Looking at tenants' folders: what is new, what has changed, what is gone, what is odd. Nothing is moved or read here.

Notices say where to look and no more, so that doubled, late and lost ones make no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from uuid import UUID

from belvedere.intake import store
from belvedere.intake.campaigns.service import Campaigns, Troubles
from belvedere.intake.files import Folder, Odd, Seen, is_absent, sentence
from belvedere.intake.model import Happening, Via
from belvedere.intake.names import DONE, name_of, text_of, unfinished
from belvedere.intake.notices import store as notices
from belvedere.kernel.clock import Now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.failpoints import failpoint

AT_ONCE: Final = 1000
"""Files that are noted with one statement; also what bounds the memory of a look."""

MOST_NOTICES: Final = 5000
"""Notices that are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing to look at: a path as the file system has it, whether a notice said that it is complete, and whose."""

    path: str
    closed: bool
    via: Via


class Looking:
    """Looks at folders, and keeps what it sees."""

    def __init__(self, *, database: Database, campaigns: Campaigns, now: Now) -> None:
        """Take what it needs."""
        self._database = database
        self._campaigns = campaigns
        self._now = now

    def noted(self, serial: int, home: Folder) -> bool:
        """Look at what notices told of; return whether there are more of them."""
        with self._database.transaction() as connection:
            events = notices.open_events(connection, serial, MOST_NOTICES)
        if not events:
            return False
        sights: dict[str, Sight] = {}
        for event in events:
            path = name_of(event["path"])
            closed = event["what"] in {Happening.CLOSED, Happening.RENAMED} or (path in sights and sights[path].closed)
            via = Via(event["via"])
            # Whoever only watches the folder sees what came through a door as well.
            sights[path] = Sight(path, closed, sights[path].via if via is Via.FOLDER and path in sights else via)
        if "" in sights:
            # The whole folder: what is complete is still said of each file.
            self.whole(serial, home, via=sights.pop("").via)
        else:
            campaigns, troubles = self._campaigns.look(serial, home)
            self._keep_troubles(serial, "", {}, campaigns_only=troubles)
            self._look(serial, home, campaigns, [one for one in sights.values() if not one.closed])
        complete = [one for one in sights.values() if one.closed]
        if complete:
            campaigns, _ = self._campaigns.look(serial, home)
            self._look(serial, home, campaigns, complete)
        doors = [one for one in complete if one.via is not Via.FOLDER]
        failpoint("intake.look.before-commit")
        with self._database.transaction() as connection:
            if doors:
                store.came_by(connection, serial, [(text_of(one.path), str(one.via)) for one in doors], self._now())
            notices.events_looked(connection, [event["id"] for event in events], self._now())
        return len(events) == MOST_NOTICES

    def whole(self, serial: int, home: Folder, *, via: Via = Via.FOLDER) -> None:
        """Look at all of a tenant's folder."""
        campaigns, troubles = self._campaigns.look(serial, home)
        odd: Troubles = {}
        self._note(serial, campaigns, self._sorted(home.walk(), odd), via=via, closed=False)
        self._keep_troubles(serial, "", troubles | odd)
        self._miss(serial, home, "")

    def _look(self, serial: int, home: Folder, campaigns: Mapping[str, UUID], sights: list[Sight]) -> None:
        """Look at paths one by one, with one open folder for all files in it."""
        sights.sort(key=lambda one: one.path.rpartition("/")[::2])
        files: dict[tuple[bool, Via], list[Seen]] = {}
        at: tuple[str, Folder | None] = ("\0", None)
        try:
            for sight in sights:
                folder, _, name = sight.path.rpartition("/")
                if folder != at[0]:
                    if at[1] is not None:
                        at[1].__exit__()
                    at = (folder, None)
                    at = (folder, self._opened(serial, home, folder))
                found = self._one(serial, campaigns, at[1], name, sight)
                if found is None:
                    self._miss(serial, home, text_of(sight.path))
                elif isinstance(found, Seen):
                    files.setdefault((sight.closed, sight.via), []).append(found)
        finally:
            if at[1] is not None:
                at[1].__exit__()
        for (closed, via), seen in files.items():
            self._note(serial, campaigns, iter(seen), via=via, closed=closed)

    def _opened(self, serial: int, home: Folder, path: str) -> Folder | None:
        """Open a folder, or say what is wrong with it."""
        try:
            return _open(home, path)
        except OSError as error:
            self._keep_troubles(serial, text_of(path), {text_of(path): sentence(error)})
            return None

    def _one(
        self, serial: int, campaigns: Mapping[str, UUID], folder: Folder | None, name: str, sight: Sight
    ) -> Seen | bool | None:
        """Look at one name in a folder: a file, something that was dealt with (True), or nothing there (None)."""
        if folder is None or _is_nobodys(sight.path):
            return None if folder is None else True
        try:
            inner = _open(folder, name)
            if inner is not None:
                with inner:
                    odd: Troubles = {}
                    self._note(serial, campaigns, self._sorted(inner.walk(), odd), via=sight.via, closed=False)
                    self._keep_troubles(serial, text_of(sight.path), odd)
                return None
            found = folder.stat(name)
        except OSError as error:
            self._keep_troubles(serial, text_of(sight.path), {text_of(sight.path): sentence(error)})
            return True
        if found is None:
            return None
        described = folder.described(name, found)
        if isinstance(described, Odd):
            self._keep_troubles(serial, text_of(sight.path), {text_of(sight.path): ("not-a-file", described.what)})
        return described if isinstance(described, Seen) else True

    def _sorted(self, found: Iterable[Seen | Odd], odd: Troubles) -> Iterator[Seen]:
        """Give the files, and put what is odd aside."""
        for one in found:
            if isinstance(one, Seen):
                yield one
            elif len(odd) < AT_ONCE:
                odd[text_of(f"{one.folder}/{one.name}".strip("/"))] = ("not-a-file" if one.name else "folder", one.what)

    def _note(
        self, serial: int, campaigns: Mapping[str, UUID], files: Iterator[Seen], *, via: Via, closed: bool
    ) -> None:
        """Keep files that are new or otherwise than before."""
        while some := list(islice(files, AT_ONCE)):
            now = self._now()
            with self._database.transaction() as connection:
                known = store.unchanged(connection, serial, some)
                new = sorted(
                    (one for one in some if (text_of(one.folder), text_of(one.name)) not in known),
                    key=lambda one: (one.changed_ns, one.folder, one.name),
                )
                if closed and known:
                    store.close_files(connection, serial, sorted(known), str(via))
                if new:
                    self._keep(connection, serial, campaigns, new, via=via, closed=closed, now=now)

    def _keep(
        self, connection: Connection, serial: int, campaigns: Mapping[str, UUID], files: list[Seen], *, via: Via,
        closed: bool, now: datetime,
    ) -> None:
        store.note_files(
            connection, serial, files, campaigns=dict(campaigns), via=str(via),
            # A clock of the file system that is ahead of ours must not keep a file for ever.
            still=[min(datetime.fromtimestamp(one.changed_ns / 1e9, UTC), now) for one in files],
            closed=[closed] * len(files), now=now,
        )
        signal(connection, f"tenant.{serial}", "uploads")
        for campaign in {campaigns[name] for one in files if (name := one.folder.split("/")[0]) in campaigns}:
            signal(connection, f"campaign.{campaign}")

    def _miss(self, serial: int, home: Folder, under: str) -> None:
        """Note that files are gone which stand as lying at a path or below it, and do not."""
        after = ("", "")
        while True:
            with self._database.transaction() as connection:
                rows = store.open_places(connection, serial, under, after, AT_ONCE)
            lost = []
            at: tuple[str, Folder | None] = ("\0", None)
            for row in rows:
                if row["folder"] != at[0]:
                    if at[1] is not None:
                        at[1].__exit__()
                    at = (row["folder"], None)
                    at = (row["folder"], self._opened(serial, home, name_of(row["folder"])))
                if at[1] is None or at[1].stat(name_of(row["name"])) is None:
                    lost.append(row["id"])
            if at[1] is not None:
                at[1].__exit__()
            if lost:
                with self._database.transaction() as connection:
                    store.gone(connection, lost, self._now())
                    signal(connection, f"tenant.{serial}", "uploads")
            if len(rows) < AT_ONCE:
                return
            after = (rows[-1]["folder"], rows[-1]["name"])

    def _keep_troubles(
        self, serial: int, under: str, found: Troubles, *, campaigns_only: Troubles | None = None
    ) -> None:
        with self._database.transaction() as connection:
            if campaigns_only is not None:
                notices.settle_names(connection, serial, campaigns_only, self._now())
            else:
                notices.settle_troubles(connection, serial, under, found, self._now())


def _is_nobodys(path: str) -> bool:
    """Tell by its path alone whether a file is done, hidden or still being written."""
    parts = path.split("/")
    return any(part in DONE or part.startswith(".") for part in parts) or unfinished(parts[-1])


def _open(folder: Folder, path: str) -> Folder | None:
    """Open a folder below another, or return None when there is none of that name."""
    try:
        return folder.below(path)
    except OSError as error:
        if is_absent(error):
            return None
        raise
