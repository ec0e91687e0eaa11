"""Seeing new tables within a second, in all databases of a server, over one connection.

Twice a second one query says whether anything moved; only a database in which something did is entered, as the
provisioning login, for its catalogue. A slow full look goes over everything within DASHBOARD_SCAN_INTERVAL: it finds
what the quick one cannot see (tables of a superuser, columns added later) and counts what it should have seen.
What is not here: the statements (`look/postgres.py`) and when a table is ready (`settle.py`).
"""

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg

from belvedere.jobs.model import Queue
from belvedere.kernel.clock import Now, monotonic_s, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import failpoint
from belvedere.stores import store
from belvedere.stores.crowding import to_end
from belvedere.stores.look.postgres import GUARD, Fingerprint, Pair, QuickLook, read_relations
from belvedere.stores.model import Relation, RelationState, Seen, Server
from belvedere.stores.place import Found, Place
from belvedere.stores.settle import is_news, matters, settle
from belvedere.stores.wire import Connection, connect

_LOG: Final = logging.getLogger(__name__)
_AGAIN_S: Final = 0.2
_SIGNAL_PAUSE_S: Final = 5.0
_RELOAD_S: Final = 5.0
_BUDGET_S: Final = 0.2
_SKIPS: Final = 10
_MOST_BACKOFF_S: Final = 30.0
_STANDBY_S: Final = 1.0
_EMPTY_PAUSE_S: Final = 5.0
_GONE_KEPT: Final = timedelta(days=7)
_SESSIONS: Final = 16
_ROOM_S: Final = 1.0


class Watcher:
    """Runs one look after the other until told to stop; of several processes, one watches and the others stand by."""

    def __init__(
        self, *, database: Database, queue: Queue, servers: Iterable[Server], interval_s: float, full_every_s: float,
        now: Now = utc_now,
    ) -> None:
        """Take what it needs; nothing is connected before `run`."""
        self._database = database
        self._looks = [
            ServerWatch(
                database=database, queue=queue, server=server, interval_s=interval_s, full_every_s=full_every_s, now=now
            )
            for server in servers
        ]

    def run(self, stop: threading.Event) -> None:
        """Watch while this process holds the installation's watching lock."""
        while not stop.is_set():
            try:
                with self._database.session() as guard:
                    if store.hold_watch(guard):
                        self._watch(stop, guard)
            except (Later, psycopg.Error):
                _LOG.warning("The control database is away; the watcher tries again.")
            stop.wait(_STANDBY_S)

    def _watch(self, stop: threading.Event, guard: Connection) -> None:
        ended = threading.Event()
        threads = [
            threading.Thread(target=one.run, args=(ended,), name=f"watch-{one.server.name}", daemon=True)
            for one in self._looks
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(_STANDBY_S):
                # The lock is this session's: without it another process may be watching already.
                store.is_held(guard)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


class ServerWatch:
    """The looks at one server. `look` is one of them, for the loop and for tests."""

    def __init__(
        self, *, database: Database, queue: Queue, server: Server, interval_s: float, full_every_s: float,
        now: Now = utc_now,
    ) -> None:
        """Take what it needs."""
        self.server = server
        self.missed = 0
        self._database = database
        self._queue = queue
        self._interval_s = interval_s
        self._full_every_s = full_every_s
        self._now = now
        self._quick: QuickLook | None = None
        self._places: dict[int, Place] = {}
        self._sessions: dict[int, Connection] = {}
        self._last: Fingerprint | None = None
        self._reload_due_s = 0.0
        self._note_due_s = 0.0
        self._room_due_s = 0.0
        self._claims: set[Pair] = set()

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop. A server that is away is tried again, ever more seldom, without harm to others."""
        backoff_s = 0.5
        while not stop.is_set():
            try:
                wait_s = self.look()
                backoff_s = 0.5
            except Exception as error:  # noqa: BLE001  (whatever it is, starting over from the database is the cure)
                with suppress(psycopg.Error):
                    # On a server that is full no session can be opened any more; this one still is.
                    self.keep_room()
                self.close()
                backoff_s = min(backoff_s * 2, _MOST_BACKOFF_S)
                wait_s = backoff_s
                what = type(error).__name__
                _LOG.warning("Watching %s failed (%s); next try in %.0f s.", self.server.name, what, wait_s)
                self._note_trouble(error, wait_s)
            stop.wait(wait_s)
        self.close()

    def close(self) -> None:
        """Close all connections and forget everything; the next look begins anew from the control database."""
        for session in self._sessions.values():
            session.close()
        if self._quick is not None:
            self._quick.close()
        self._quick, self._last, self._reload_due_s = None, None, 0.0
        self._sessions.clear()
        self._places.clear()
        self._claims.clear()

    def look(self) -> float:
        """Look once; return in how many seconds the next look is due."""
        if self._quick is None:
            self._quick = QuickLook(self.server)
        quick, now_s = self._quick, monotonic_s()
        if now_s >= self._room_due_s:
            self._room_due_s = now_s + _ROOM_S
            self.keep_room()
        print_ = quick.fingerprint()
        moved = self._last is None or print_.relations != self._last.relations
        if moved or now_s >= self._reload_due_s:
            moved = self._reload(quick, now_s) or moved
        wanted: dict[int, set[int]] = {}
        gone: set[Pair] = set()
        if moved:
            fresh, gone = quick.difference()
            self._settle_claims(quick, fresh)
            for dbid, oid in fresh:
                if self._places[dbid].visited_s is not None:
                    wanted.setdefault(dbid, set()).add(oid)
        elif self._claims:
            self._settle_claims(quick, set())
        if self._last is None or print_.written != self._last.written:
            for dbid, written in quick.counters().items():
                self._places[dbid].written = written
        self._last = print_
        return self._visit(quick, wanted, gone, now_s)

    def keep_room(self) -> None:
        """End sessions of tenants that take so many locks that nobody else could work on this server."""
        if self._quick is None or not self._places:
            return
        tenants = {dbid: place.tenant for dbid, place in self._places.items()}
        for one in to_end(self._quick.held(tenants), self._quick.lock_capacity, tenants):
            try:
                self._quick.end(one)
            except psycopg.errors.InsufficientPrivilege:
                _LOG.warning("Tenant %d holds %d locks; its session may not be ended.", tenants[one.dbid], one.locks)
            else:
                _LOG.warning("Ended a session of tenant %d that held %d locks.", tenants[one.dbid], one.locks)

    def _visit(self, quick: QuickLook, wanted: dict[int, set[int]], gone: set[Pair], now_s: float) -> float:
        for dbid, place in self._places.items():
            waiting = place.waiting(now_s)
            if waiting:
                wanted.setdefault(dbid, set()).update(waiting)
        full = self._due(now_s)
        entered = wanted.keys() | {place.dbid for place in full}
        locked = quick.locked(entered) if entered else set()
        for dbid in {dbid for dbid, _ in gone}:
            dropped = {oid for other, oid in gone if other == dbid}
            self._write(self._places[dbid], self._dropped(self._places[dbid], dropped), "quick")
        hurried = {dbid for dbid, oids in wanted.items() if oids - self._places[dbid].young.keys()}
        for dbid in sorted(wanted, key=lambda dbid: (dbid not in hurried, self._places[dbid].empties_due_s)):
            if dbid in hurried or monotonic_s() - now_s < _BUDGET_S:
                self._enter(self._places[dbid], wanted[dbid], locked)
        for place in full:
            self._enter(place, None, locked)
            if monotonic_s() - now_s > _BUDGET_S:
                break
        self._close_idle(now_s)
        self._note(now_s, full=bool(full))
        return self._next(now_s)

    def _next(self, now_s: float) -> float:
        if any(place.visited_s is None for place in self._places.values()):
            return 0.0
        if any(place.waiting(now_s) for place in self._places.values()):
            return min(_AGAIN_S, self._interval_s)
        return self._interval_s

    def _reload(self, quick: QuickLook, now_s: float) -> bool:
        """Read which databases there are to watch; tell whether that changed."""
        self._reload_due_s = now_s + _RELOAD_S
        with self._database.transaction() as connection:
            rows = {row["database_oid"]: row for row in store.ready(connection) if row["server"] == self.server.name}
            added = [rows[dbid] for dbid in rows.keys() - self._places.keys()]
            kept = store.here(connection, [row["id"] for row in added]) if added else []
        removed = self._places.keys() - rows.keys()
        for dbid in list(removed):
            del self._places[dbid]
            self._close_session(dbid)
        by_store: dict[UUID, dict[int, Relation]] = {}
        for row in kept:
            by_store.setdefault(row["store_id"], {})[row["oid"]] = store.relation_of(row)
        for row in added:
            self._places[row["database_oid"]] = Place(
                store_id=row["id"], tenant=row["tenant_id"], dbid=row["database_oid"], database=row["database"],
                reader=row["reader"] or "", relations=by_store.get(row["id"], {}), full_due_s=now_s,
            )
        if added or removed:
            quick.watch([row["database_oid"] for row in added], removed)
        return bool(added)

    def _due(self, now_s: float) -> list[Place]:
        """Return databases to look over fully, those never visited first, then the longest ago.

        One in which nothing was written since the last visit is skipped, but not for ever.
        """
        due = []
        for place in self._places.values():
            quiet = place.written == place.written_then
            if place.visited_s is None:
                due.append(place)
            elif now_s >= place.full_due_s:
                if quiet and place.skipped < _SKIPS:
                    place.skipped += 1
                    place.full_due_s = now_s + self._full_every_s
                else:
                    due.append(place)
            elif not quiet and now_s - place.visited_s >= _SIGNAL_PAUSE_S:
                due.append(place)
        return sorted(due, key=lambda place: place.visited_s if place.visited_s is not None else -1.0)

    def _enter(self, place: Place, oids: set[int] | None, locked: set[Pair]) -> None:
        """Read a database's catalogue, all of it or some relations, and write down what follows."""
        now_s = monotonic_s()
        held = {oid for dbid, oid in locked if dbid == place.dbid}
        try:
            seen = self._read(place, oids, held)
        except psycopg.Error as error:
            # One database that cannot be entered (dropped, renamed, full) does not stop the look at the others.
            self._close_session(place.dbid)
            place.visited_s, place.full_due_s = now_s, now_s + self._full_every_s
            place.written_then = place.written
            _LOG.info("Could not look into store %s (%s).", place.store_id, type(error).__name__)
            return
        found = self._compare(place, seen, oids, held)
        first = place.visited_s is None
        if oids is None:
            if not first:
                self._claims |= {(place.dbid, one.oid) for one in found.changed if one.oid not in place.relations}
            place.visited_s, place.full_due_s = now_s, now_s + self._full_every_s
            place.written_then, place.skipped = place.written, 0
        if now_s >= place.empties_due_s:
            place.empties_due_s = now_s + _EMPTY_PAUSE_S
        self._write(place, found, "quick" if oids is not None else "full" if first else "signal")

    def _read(self, place: Place, oids: set[int] | None, held: set[int]) -> list[Seen]:
        session = self._sessions.get(place.dbid)
        if session is None or session.closed:
            session = self._sessions[place.dbid] = connect(self.server, place.database, options=GUARD)
        try:
            return read_relations(session, reader=place.reader, oids=oids, locked=held)
        except psycopg.errors.LockNotAvailable:
            return read_relations(session, reader=place.reader, oids=oids, locked=held, sizes=False)

    def _compare(self, place: Place, seen: list[Seen], oids: set[int] | None, held: set[int]) -> Found:
        found, now = Found(), self._now()
        for one in seen:
            known = place.relations.get(one.oid)
            after = settle(place.store_id, known, one, locked=one.oid in held, now=now)
            found.matters = found.matters or matters(known, after)
            if is_news(known, after) or (oids is None and known != after):
                found.changed.append(after)
            elif known is not None:
                place.remember(after, fresh=False, now_s=0.0)
        there = {one.oid for one in seen}
        asked = place.relations.keys() if oids is None else oids & place.relations.keys()
        lost = self._dropped(place, asked - there)
        found.gone, found.matters = lost.gone, found.matters or lost.matters
        return found

    def _dropped(self, place: Place, oids: Iterable[int]) -> Found:
        gone = [oid for oid in oids if oid in place.relations]
        stable = any(place.relations[oid].state is RelationState.STABLE for oid in gone)
        return Found(gone=gone, matters=stable)

    def _write(self, place: Place, found: Found, found_by: str) -> None:
        """Write relations and event in one transaction, then remember: a failure in between is looked at again."""
        if not found:
            return
        with self._database.transaction() as connection:
            store.put_relations(connection, place.tenant, found.changed, found_by=found_by)
            if found.gone:
                store.mark_gone(connection, place.store_id, found.gone, self._now())
            if found.matters:
                self._queue.emit(connection, "tables.changed", str(place.store_id))
            signal(connection, f"tenant.{place.tenant}")
            failpoint("stores.watch.before-commit")
        failpoint("stores.watch.after-commit")
        for one in found.changed:
            place.remember(one, fresh=found_by != "full", now_s=monotonic_s())
        for oid in found.gone:
            place.forget(oid)

    def _settle_claims(self, quick: QuickLook, fresh: set[Pair]) -> None:
        """Count what a full look found and the quick one, asked again, knew but had not reported."""
        left = self._claims - fresh
        missed = quick.known(left) if left else set()
        self._claims.clear()
        if missed:
            self.missed += len(missed)
            _LOG.warning("The quick look missed %d relations that the full look found.", len(missed))
            with self._database.transaction() as connection:
                store.note_watch(connection, self.server.name, at=self._now(), missed=len(missed))

    def _close_idle(self, now_s: float) -> None:
        busy = [dbid for dbid in self._sessions if dbid in self._places and self._places[dbid].waiting(now_s)]
        for dbid in self._sessions.keys() - set(busy[:_SESSIONS]):
            self._close_session(dbid)

    def _close_session(self, dbid: int) -> None:
        session = self._sessions.pop(dbid, None)
        if session is not None:
            session.close()

    def _note(self, now_s: float, *, full: bool) -> None:
        if now_s < self._note_due_s:
            return
        self._note_due_s = now_s + _RELOAD_S
        with self._database.transaction() as connection:
            store.note_watch(connection, self.server.name, at=self._now(), full=full)
            store.forget_gone(connection, self._now() - _GONE_KEPT)

    def _note_trouble(self, error: Exception, wait_s: float) -> None:
        try:
            with self._database.transaction() as connection:
                what = f"The server does not answer ({type(error).__name__})."
                retry_at = self._now() + timedelta(seconds=wait_s)
                store.note_watch(connection, self.server.name, at=None, error=what, retry_at=retry_at)
        except (Later, psycopg.Error):
            _LOG.warning("The control database is away too.")
