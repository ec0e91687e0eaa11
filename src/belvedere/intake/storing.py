"""What was read goes to its store: same content seen, campaigns made ready, many files with one call.

What is not here: reading and moving files (`take.py`), and what a store does (`stores/`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from belvedere.intake import store
from belvedere.intake.campaigns.service import Campaigns
from belvedere.intake.files import Folder, is_absent, seen
from belvedere.intake.model import Outcome, Sent, Stored, Taker, UploadState
from belvedere.intake.names import name_of
from belvedere.intake.work import Ended, Read, Run, Waiting
from belvedere.kernel.clock import Now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.failpoints import failpoint


class Takers:
    """Who takes which kind of file."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        """Take them in the order in which they are asked."""
        self.every = tuple(takers)

    def of(self, name: str, head: bytes) -> Taker | None:
        """Return who takes a file, by its name and first bytes; None when nobody does."""
        found = next((one for one in self.every if one.recognises(name, head)), None)
        return found or next((one for one in self.every if one.claims(name)), None)

    def of_kind(self, kind: str) -> Taker | None:
        """Return who takes a kind."""
        return next((one for one in self.every if one.kind == kind), None)


class Storing:
    """Stores what was read of a run's files, and writes down that it did."""

    def __init__(self, *, database: Database, campaigns: Campaigns, takers: Takers, now: Now) -> None:
        """Take what it needs."""
        self._database = database
        self._campaigns = campaigns
        self._takers = takers
        self._now = now

    def store(self, run: Run, home: Folder, read: Sequence[Read]) -> list[Ended]:
        """Store what files of one run hold and return them as they ended; files that changed meanwhile are let go.

        Raises:
            Later, Stuck: a store is away; nothing was written down.
            ReaderLost: the child died while a large file was read.
        """
        ended = self._compared(run, read)
        groups: dict[tuple[str, UUID | None], list[tuple[Read, Ended]]] = {}
        for one, end in zip(read, ended, strict=True):
            if not end.outcome.error and end.same_as is None:
                groups.setdefault((end.kind, one.file.campaign_id), []).append((one, end))
        names = self._campaigns.settled([campaign for _, campaign in groups if campaign is not None])
        outcomes: dict[UUID, Outcome] = {}
        for (kind, campaign), members in groups.items():
            taker = self._takers.of_kind(kind)
            if taker is not None:
                name = names.get(campaign, "") if campaign is not None else ""
                outcomes |= self._group(run, taker, campaign, name, [one for one, _ in members])
        for one in read:
            if one.stream is not None and one.file.id not in outcomes:
                outcomes[one.file.id] = one.stream.end()
        ended = [replace(end, outcome=outcomes.get(end.file.id, end.outcome)) for end in ended]
        changed = [Waiting(one.file, UploadState.RECEIVED, anew=True) for one in read if _has_changed(home, one)]
        failpoint("intake.storing.before-commit")
        with self._database.transaction() as connection:
            store.put_off(connection, run.id, changed, self._now())
            kept = [end for end in ended if end.file.id not in {one.file.id for one in changed}]
            store.end_read(connection, run.id, kept)
        return kept

    def _compared(self, run: Run, read: Sequence[Read]) -> list[Ended]:
        """Give each file its version, and the earlier one with its content, of this run or of those before."""
        with self._database.transaction() as connection:
            found = store.same(connection, run.tenant_id, [(one.file, one.sha256) for one in read])
        first: dict[tuple[str, bytes], UUID] = {}
        ended = []
        for one in read:
            row = found.get(one.file.id) or {"same": None, "version": 1}
            earlier = row["same"]
            if earlier is None and one.sha256 and not one.outcome.error:
                known = first.setdefault((one.file.folder, one.sha256), one.file.id)
                earlier = known if known != one.file.id else None
            outcome = one.outcome
            ended.append(
                Ended(one.file, one.file.kind, one.sha256, outcome, row["version"], None if outcome.error else earlier)
            )
        return ended

    def _group(
        self, run: Run, taker: Taker, campaign: UUID | None, name: str, read: Sequence[Read]
    ) -> dict[UUID, Outcome]:
        """Store files of one kind and campaign with one call; one by one where the store refuses something of it."""
        try:
            stored = taker.store(run.tenant_id, name, _parts(read))
        except NotFound:
            if campaign is not None:
                self._campaigns.unsettle(campaign)
            raise
        except Rejected as refused:
            if len(read) == 1:
                return {read[0].file.id: replace(_outcome(read[0]), error=refused.detail, code="store")}
            stored = Stored(1)
        if not stored.refused:
            return {one.file.id: _outcome(one) for one in read if one.stream is not None}
        if len(read) == 1:
            said = f"The store refused {stored.refused} points of it: {stored.why}"
            return {read[0].file.id: replace(_outcome(read[0]), error=said, code="partial")}
        found: dict[UUID, Outcome] = {}
        for one in read:
            found |= self._group(run, taker, campaign, name, [one])
        return found


def _parts(read: Sequence[Read]) -> Iterator[tuple[Sent, bytes]]:
    for one in read:
        sent = Sent(one.file.path, one.outcome.first_at or one.file.received_at)
        for part in one.stream.parts() if one.stream is not None else one.parts:
            yield sent, part


def _outcome(read: Read) -> Outcome:
    return read.stream.end() if read.stream is not None else read.outcome


def _has_changed(home: Folder, read: Read) -> bool:
    """Tell whether a file that was read while it was stored is another one by now."""
    if read.stream is None:
        return False
    try:
        with home.below(name_of(read.file.folder)) as folder:
            found = folder.stat(read.file.seen.name)
            return found is not None and seen(folder.path, read.file.seen.name, found) != read.file.seen
    except OSError as error:
        return not is_absent(error)
