"""Sessions as a tenant's reader: the only way in which anything of Belvedere evaluates a tenant's object.

A view, domain, default, operator or index expression of a tenant runs with the rights of whoever evaluates it. So it is
evaluated as the tenant's own reader, which may select and nothing else, in a read-only transaction that is always
rolled back, with `search_path = pg_catalog` and limits on time.

What a tenant may try, and why it stays inside:
- `SET TRANSACTION READ WRITE` in a function is refused once a query has taken a snapshot, and `_begin` has run one.
  Even then the reader could write nothing: it has SELECT only.
- `set_config('search_path', ..., false)` and the like end with the rollback; what outlives a rollback (prepared
  statements, advisory locks, LISTEN) ends with DISCARD ALL before the session is used again.
- `ALTER ROLE reader SET ...` by the reader itself loses against the options in the connection string.
- a function that catches its own cancellation does not end by `statement_timeout`; the guard ends the session.

What is not here: bounding what a query returns; its caller takes a server-side cursor and counts rows and bytes.
"""

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import Connection
from belvedere.kernel.errors import Later, TooMany
from belvedere.kernel.secret import Secret
from belvedere.stores.model import Server
from belvedere.stores.reader.guards import Guards
from belvedere.stores.wire import connect

_IDLE_S: Final = 60.0
_FRESH_S: Final = 2.0
_PER_STORE: Final = 4
_WAIT_S: Final = 10.0
_GRACE_S: Final = 5.0
_ALL: Final = 64

_SETTINGS: Final = (
    "search_path=pg_catalog", "default_transaction_read_only=on", "lock_timeout=2s",
    "idle_in_transaction_session_timeout=30s", "max_parallel_workers_per_gather=0", "jit=off", "TimeZone=UTC",
    "DateStyle=ISO", "IntervalStyle=iso_8601", "standard_conforming_strings=on", "bytea_output=hex",
    "extra_float_digits=1", "row_security=on", "client_min_messages=error", "client_connection_check_interval=1s",
)

Along = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class Door:
    """Where a store's reader goes in."""

    server: Server
    database: str
    role: str
    password: Secret


@dataclass(slots=True)
class _Idle:
    connection: Connection
    since_s: float
    door: Door


class Readers:
    """Few sessions per store, kept for a minute. Safe for threads."""

    def __init__(self, *, statement_timeout_s: int, per_store: int = _PER_STORE) -> None:
        """Take the longest statement in seconds, and how many sessions one store may have at a time."""
        self._timeout_s = statement_timeout_s
        self._per_store = per_store
        self._idle: dict[UUID, deque[_Idle]] = {}
        self._doors: dict[UUID, tuple[float, Door]] = {}
        self._turns: dict[UUID, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()
        self._guards = Guards()

    @contextmanager
    def session(
        self, store: UUID, door: Callable[[], Door], *, within_s: float | None = None, along: Along | None = None
    ) -> Iterator[Connection]:
        """Give a connection of the store's reader inside a read-only transaction, rolled back at the end.

        `within_s` makes the longest statement shorter, and the time after which the session is ended with it. `along`
        sends statements in the round trip that begins the transaction; it may be called twice.

        Raises:
            TooMany: all of the store's sessions are busy.
            Later: its server is away, or the session was ended because it took too long.
        """
        turn = self._turn(store)
        longest_s = self._timeout_s if within_s is None else min(within_s, self._timeout_s)
        if not turn.acquire(timeout=_WAIT_S):
            message = "Too many queries of this store run at once."
            raise TooMany(message, retry_in_s=2.0)
        try:
            place = self._door(store, door)
            connection = self._begun(store, place, longest_s, along)
            ended = threading.Event()
            guard = self._guards.set(longest_s + _GRACE_S, lambda: _end(connection, place, ended))
            try:
                with _translated(place, ended):
                    yield connection
            finally:
                self._guards.drop(guard)
                self._give_back(store, place, connection)
        finally:
            turn.release()

    def forget(self, store: UUID) -> None:
        """Close a store's idle sessions, before its database is dropped."""
        with self._lock:
            idle = self._idle.pop(store, deque())
            self._doors.pop(store, None)
            self._turns.pop(store, None)
        for one in idle:
            one.connection.close()

    def close(self) -> None:
        """Close every idle session, and end the watch over those at work."""
        self._guards.close()
        for store in list(self._idle):
            self.forget(store)

    def _turn(self, store: UUID) -> threading.BoundedSemaphore:
        with self._lock:
            return self._turns.setdefault(store, threading.BoundedSemaphore(self._per_store))

    def _door(self, store: UUID, door: Callable[[], Door]) -> Door:
        """Return where to go in. What was found is good for a moment: the panels of one page ask all at once."""
        with self._lock:
            found = self._doors.get(store)
        if found and monotonic_s() - found[0] < _FRESH_S and self._idle.get(store):
            return found[1]
        place = door()
        with self._lock:
            self._doors[store] = (monotonic_s(), place)
        return place

    def _begun(self, store: UUID, door: Door, longest_s: float, along: Along | None) -> Connection:
        """Return a session with its transaction begun: one that was idle and lives, or a new one.

        That an idle one is dead shows when it begins, so nobody needs to ask it first.
        """
        self._sweep()
        while True:
            with self._lock:
                queue = self._idle.get(store)
                one = queue.pop() if queue else None
            if one is None:
                break
            if one.door != door or not self._begins(store, one, longest_s, along):
                one.connection.close()
                continue
            return one.connection
        with _translated(door, threading.Event()):
            fresh = _Idle(self._new(door), monotonic_s(), door)
            if not self._begins(store, fresh, longest_s, along):
                fresh.connection.close()
                message = "the new session broke"
                raise psycopg.OperationalError(message)
        return fresh.connection

    def _begins(self, store: UUID, one: _Idle, longest_s: float, along: Along | None) -> bool:
        """Begin a session's transaction; tell whether it lives. What `along` got wrong is raised."""
        try:
            _begin(one.connection, longest_s, along)
        except psycopg.Error:
            if one.connection.broken:
                return False
            self._give_back(store, one.door, one.connection)
            raise
        return True

    def _new(self, door: Door) -> Connection:
        options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"statement_timeout={self._timeout_s}s"))
        connection = connect(door.server, door.database, role=door.role, password=door.password, options=options)
        connection.prepare_threshold = None
        return connection

    def _give_back(self, store: UUID, door: Door, connection: Connection) -> None:
        try:
            connection.rollback()
            connection.autocommit = True
            connection.execute("DISCARD ALL")
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            if sum(map(len, self._idle.values())) < _ALL and store in self._turns:
                self._idle.setdefault(store, deque()).append(_Idle(connection, monotonic_s(), door))
                return
        connection.close()

    def _sweep(self) -> None:
        """Close sessions that nobody has wanted for a minute."""
        old = []
        with self._lock:
            for store, queue in list(self._idle.items()):
                while queue and monotonic_s() - queue[0].since_s > _IDLE_S:
                    old.append(queue.popleft())
                if not queue:
                    del self._idle[store]
        for one in old:
            one.connection.close()


def _begin(connection: Connection, timeout_s: float, along: Along | None) -> None:
    """Begin the transaction and say everything again: DISCARD ALL goes back to the session's start, this is surer."""
    connection.autocommit = False
    connection.read_only = True
    with connection.pipeline():  # BEGIN goes along
        connection.execute(
            "SELECT set_config('search_path', 'pg_catalog', true), set_config('statement_timeout', %s, true), "
            "set_config('lock_timeout', '2s', true), set_config('TimeZone', 'UTC', true), "
            "set_config('idle_in_transaction_session_timeout', '30s', true), set_config('row_security', 'on', true)",
            [f"{round(timeout_s * 1000)}ms"],
        )
        if along is not None:
            along(connection)


def _end(connection: Connection, door: Door, ended: threading.Event) -> None:
    """End a session that outlived its time: our side at once, the server's by the provisioning login."""
    ended.set()
    pid = connection.info.backend_pid
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as ours,
    ):
        ours.shutdown(socket.SHUT_RDWR)
    with suppress(psycopg.Error), connect(door.server) as provisioning:
        provisioning.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND usename = %s", [pid, door.role]
        )


@contextmanager
def _translated(door: Door, ended: threading.Event) -> Iterator[None]:
    """Translate what is about the way in; what a query itself got wrong stays as it is, for the panel to show."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise
    except psycopg.OperationalError as error:
        if ended.is_set():
            message = "The query took too long and its session was ended."
            raise Later(message, retry_in_s=30.0, code="query-too-long") from error
        message = f"The store {door.database} does not answer."
        raise Later(message, retry_in_s=3.0, code="store-away") from error
