"""Taking files: claimed, read in a child, stored, moved, reported; one run after the other, each file once.

Every step writes down what it did before the next begins, and each can be done again: a runner that dies anywhere
leaves rows and files from which the next one goes on. What is not here: where to look (`look.py`), SQL (`store.py`).
"""

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from belvedere.audit.model import History
from belvedere.intake import store
from belvedere.intake.files import Folder, Seen, being_written, ident, is_absent, seen, sentence
from belvedere.intake.model import Outcome, Place, Taker, UploadState
from belvedere.intake.moves import Changed, find_done, put_away, put_back
from belvedere.intake.names import ERROR, PARSED, name_of
from belvedere.intake.reader import Reader, ReaderLost, Readers
from belvedere.intake.reading import IN_MEMORY
from belvedere.intake.reports_written import Reports
from belvedere.intake.storing import Storing, Takers
from belvedere.intake.work import Claimed, Ended, Read, Run, Waiting
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.clock import Now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Later
from belvedere.kernel.failpoints import failpoint

MOST_FILES: Final = 250
"""Files of one run."""

MOST_FAILURES: Final = 2
"""How often a file may take its reader down before it is refused."""

_HEAD: Final = 4096
_SOON_S: Final = 5.0
_LONGEST_S: Final = 300.0
_BUSY: Final = "points-busy"
"""What a store says that is there, and at work for another job."""

_log = structlog.get_logger(__name__)


class Taking:
    """Takes the files of one tenant at a time."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, takers: Takers,
        storing: Storing, readers: Readers, reports: Reports, still_s: float, now: Now,
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._takers = takers
        self._storing = storing
        self._readers = readers
        self._reports = reports
        self._still_s = still_s
        self._now = now
        self._tries: dict[int, int] = {}

    def recover(self, serial: int, tenant: str, home: Folder) -> None:
        """Finish what a runner left that died: move what is stored, report what is done."""
        while True:
            with self._database.transaction() as connection:
                left = store.give_back(connection, serial)
            for run in {one.run for one in left if one.run is not None}:
                self._move(serial, run, home, [one for one in left if one.run == run])
            if not left:
                break
        with self._database.transaction() as connection:
            runs = store.open_runs(connection, serial)
        for run_left in runs:
            self._reports.write(run_left, tenant)

    def one_run(self, serial: int, tenant: str, home: Folder) -> bool:
        """Take the files that are due, as many as make one run; return whether there were any.

        Raises:
            BelvedereError: the store is away or refuses all; everything that is due waits with the reason.
        """
        now = self._now()
        with self._database.transaction() as connection:
            claimed = store.claim(
                connection, serial, still_s=self._still_s, now=now, most=MOST_FILES,
                most_bytes=IN_MEMORY,
            )
        if claimed is None:
            return False
        run, files = claimed
        failpoint("intake.take.claimed")
        with self._history.action(SYSTEM, "upload.take", tenant, tenant=serial, files=len(files)) as ending:
            try:
                ended = self._read_and_store(run, tenant, home, files)
            except BelvedereError as error:
                self._hold(run, files, error)
                raise
            failpoint("intake.take.stored")
            self._move(serial, run.id, home, [replace(one.file, refused=bool(one.outcome.error)) for one in ended])
            refused = sum(1 for one in ended if one.outcome.error)
            ending.note(parsed=len(ended) - refused, refused=refused, points=sum(one.outcome.points for one in ended))
        failpoint("intake.take.moved")
        self._reports.write(run, tenant)
        self._tries.pop(serial, None)
        return True

    # --- reading ---

    def _read_and_store(self, run: Run, tenant: str, home: Folder, files: list[Claimed]) -> list[Ended]:
        """Read the files of a run and store what they hold; those that cannot be taken now are let go."""
        with self._readers.one() as reader:
            read, put_off = self._read_all(reader, tenant, home, files)
            self._let_go(run, put_off)
            try:
                return self._storing.store(run, home, read)
            except ReaderLost as lost:
                # A file that is too large to be held in memory, and so alone in its run.
                return self._storing.store(run, home, [_fatal(read[0].file, lost)])

    def _read_all(
        self, reader: Reader, tenant: str, home: Folder, files: list[Claimed]
    ) -> tuple[list[Read], list[Waiting]]:
        read: list[Read] = []
        put_off: list[Waiting] = []
        opened: dict[str, Folder] = {}
        with ExitStack() as folders:
            for number, file in enumerate(files):
                try:
                    if file.folder not in opened:
                        opened[file.folder] = folders.enter_context(home.below(name_of(file.folder)))
                    one = self._read(reader, tenant, opened[file.folder], _brought_back(opened[file.folder], file))
                except FileExistsError:
                    said = "Another file lies where this one came. Take that one away first."
                    put_off.append(Waiting(file, UploadState.REFUSED, said, "exists"))
                except OSError as error:
                    put_off.append(self._unreadable(file, error))
                except ReaderLost as lost:
                    one = _fatal(file, lost)
                    if file.failures + 1 < MOST_FAILURES:
                        one = Waiting(file, UploadState.WAITING, str(lost), "reader", self._now(), failed=True)
                    (read if isinstance(one, Read) else put_off).append(one)  # type: ignore[arg-type]
                    put_off += [Waiting(left, UploadState.RECEIVED) for left in files[number + 1 :]]
                    break
                else:
                    (read if isinstance(one, Read) else put_off).append(one)  # type: ignore[arg-type]
        return read, put_off

    def _read(self, reader: Reader, tenant: str, folder: Folder, file: Claimed) -> Read | Waiting:
        with folder.opened(file.seen.name) as (descriptor, now):
            if now != file.seen:
                return Waiting(file, UploadState.RECEIVED, anew=True, now=now)
            if being_written(descriptor):
                return Waiting(file, UploadState.RECEIVED, "It is still being written.", "growing", anew=True)
            taker = self._takers.of(file.name, os.pread(descriptor, _HEAD, 0))
            if taker is None:
                return Waiting(file, UploadState.LEFT, "Nobody here reads this kind of file; it stays.", "unknown-kind")
            if file.folder and file.campaign_id is None:
                return Waiting(file, UploadState.LEFT, "Its folder cannot be a campaign; it stays.", "campaign-name")
            read = _begun(reader, tenant, taker, replace(file, kind=taker.kind), descriptor)
            after = seen(folder.path, file.seen.name, os.fstat(descriptor))
            if read.stream is None and after != now:
                said = "It is still being written."
                return Waiting(file, UploadState.RECEIVED, said, "growing", anew=True, now=after)
            return read

    def _unreadable(self, file: Claimed, error: OSError) -> Waiting:
        if is_absent(error):
            return Waiting(file, UploadState.GONE)
        code, said = sentence(error)
        again = self._now() + timedelta(seconds=_LONGEST_S)
        return Waiting(file, UploadState.WAITING, said, code, again)

    def _let_go(self, run: Run, files: list[Waiting]) -> None:
        if files:
            with self._database.transaction() as connection:
                store.put_off(connection, run.id, files, self._now())
                signal(connection, f"tenant.{run.tenant_id}", "uploads")

    def _hold(self, run: Run, files: list[Claimed], error: BelvedereError) -> None:
        """Let everything that is due wait for the store, each time longer; for another job's work not so long."""
        now, tries = self._now(), self._tries.get(run.tenant_id, -1)
        if isinstance(error, Later) and error.problem == _BUSY:
            again = now + timedelta(seconds=error.retry_in_s)
        else:
            self._tries[run.tenant_id] = tries = tries + 1
            again = now + timedelta(seconds=self.pause_s(run.tenant_id))
        with self._database.transaction() as connection:
            store.put_off(
                connection, run.id,
                [Waiting(file, UploadState.WAITING, error.detail, error.problem, again) for file in files], now,
            )
            store.hold(
                connection, run.tenant_id, error=error.detail, code=error.problem, again_at=again,
                still_s=self._still_s, now=now,
            )
            signal(connection, f"tenant.{run.tenant_id}", "uploads", "attention")
        _log.warning("files_wait", tenant=run.tenant_id, tries=tries + 1, why=error.detail)

    def pause_s(self, serial: int) -> float:
        """Return how long a tenant's files wait now for a store that is away, in seconds."""
        return min(_SOON_S * 2.0 ** self._tries.get(serial, 0), _LONGEST_S)

    # --- moving ---

    def _move(self, serial: int, run: UUID, home: Folder, files: Sequence[Claimed]) -> None:
        """Move files that are read to where they belong, and write down where they lie.

        Raises:
            Later: some cannot be moved now; they stay as they are.
        """
        moved: list[tuple[Claimed, str]] = []
        changed: list[Waiting] = []
        failed: OSError | None = None
        with ExitStack() as folders:
            opened: dict[str, Folder] = {}
            for file in files:
                try:
                    if file.folder not in opened:
                        opened[file.folder] = folders.enter_context(home.below(name_of(file.folder)))
                    moved.append((file, _put_away(opened[file.folder], file)))
                except Changed:
                    changed.append(Waiting(file, UploadState.RECEIVED, anew=True, now=_now(opened[file.folder], file)))
                except OSError as error:
                    if is_absent(error):
                        moved.append((file, ""))
                    else:
                        failed = error
        failpoint("intake.take.before-end")
        self._end(serial, run, moved, changed)
        if failed is not None:
            code, said = sentence(failed)
            message = f"Files that were read cannot be moved. {said}"
            raise Later(message, retry_in_s=30.0, code=code) from failed

    def _end(self, serial: int, run: UUID, moved: list[tuple[Claimed, str]], changed: list[Waiting]) -> None:
        now = self._now()
        with self._database.transaction() as connection:
            store.end_moved(connection, run, moved, now)
            store.put_off(connection, run, changed, now)
            for campaign in sorted({file.campaign_id for file, _ in moved if file.campaign_id is not None}):
                self._queue.emit(connection, "upload.done", str(campaign))
                signal(connection, f"campaign.{campaign}")
            signal(connection, f"tenant.{serial}", "uploads", "attention")
            failpoint("intake.take.end-before-commit")


def _brought_back(folder: Folder, file: Claimed) -> Claimed:
    """Return a file that is tried again to where it came, unless it lies there already.

    Raises:
        FileExistsError: another one lies there.
        OSError: it is gone, or cannot be moved.
    """
    if not file.moved_to:
        return file
    found = folder.stat(file.seen.name)
    if found is None:
        put_back(folder, "/".join(file.moved_to.split("/")[-2:]), file.seen.name)
        failpoint("intake.take.brought-back")
        found = folder.stat(file.seen.name)
    if found is None or ident(found) != file.seen.file:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    return replace(file, seen=seen(folder.path, file.seen.name, found))


def _begun(reader: Reader, tenant: str, taker: Taker, file: Claimed, descriptor: int) -> Read:
    """Have a file read: a small one to its end, a large one while it is stored."""
    place = Place(tenant, file.folder, file.name)
    why = taker.misplaced(place)
    if why:
        return Read(file, b"", Outcome(error=why, code="place"))
    reading = reader.read(taker.reader, taker.options, place, descriptor, file.seen.size)
    if file.seen.size > IN_MEMORY:
        return Read(file, reading.sha256, stream=reading)
    parts = list(reading.parts())
    return Read(file, reading.sha256, reading.end(), parts)


def _now(folder: Folder, file: Claimed) -> Seen | None:
    found = folder.stat(file.seen.name)
    return seen(folder.path, file.seen.name, found) if found is not None else None


def _fatal(file: Claimed, lost: ReaderLost) -> Read:
    return Read(file, b"", Outcome(error=str(lost), code="reader"))


def _put_away(folder: Folder, file: Claimed) -> str:
    """Move one file; return where it lies, below the tenant's folder, as the file system has it."""
    into = ERROR if file.refused else PARSED
    try:
        name = put_away(folder, file.seen, into)
    except FileNotFoundError:
        # Perhaps it was moved, and the runner died before it could write that down.
        found = find_done(folder, file.seen, into)
        if found is None:
            raise
        name = found
    return f"{folder.path}/{into}/{name}" if folder.path else f"{into}/{name}"
