"""PostgreSQL as this package uses it: a pool, transactions, tenant-scoped transactions, signals.

Statements stand in each room's `store.py` (or `postgres.py`, `watch.py`), never here and never at a door.
Migrations are `kernel/migrate.py`. Servers are somebody else's: the user's, or `node/postgres.py`.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from belvedere.kernel.actor import Actor
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret

T = TypeVar("T")

Connection = psycopg.Connection[DictRow]
"""A connection whose rows are dicts."""

CHANNEL: Final = "belvedere"
"""The one notification channel of the control database; its payloads are topics of the event stream."""


class Database:
    """The control database: where every room keeps its state.

    `transaction()` is for Belvedere itself and for operators. `tenant_transaction()` is for requests of
    members and tenant tokens: it runs under a role that row security binds, so that a forgotten WHERE shows
    nothing of another tenant.
    """

    def __init__(self, url: Secret, *, size: int = 12, timeout_s: float = 10.0, idle_s: float = 300.0) -> None:
        """Prepare the pool; the first connection is made when it is first needed."""
        self.url = url
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url.reveal(),
            min_size=1,
            max_size=size,
            timeout=timeout_s,
            max_idle=idle_s,
            open=False,
            kwargs={"row_factory": dict_row, "application_name": "belvedere", "connect_timeout": 10},
            check=_begin,
            reconnect_timeout=30,
        )
        # Of its own, since a connection of the other pool comes with a transaction begun.
        self._glances: ConnectionPool[Connection] = ConnectionPool(
            url.reveal(),
            min_size=0,
            max_size=max(2, size // 2),
            timeout=timeout_s,
            max_idle=idle_s,
            open=False,
            kwargs={
                "row_factory": dict_row, "application_name": "belvedere", "connect_timeout": 10, "autocommit": True,
            },
            reconnect_timeout=30,
        )

    def open(self) -> "Database":
        """Open the pool without waiting for the server."""
        self._pool.open(wait=False)
        self._glances.open(wait=False)
        return self

    def close(self) -> None:
        """Close every connection."""
        self._glances.close()
        self._pool.close()

    def glance(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` finds with one statement: one round trip, where a transaction takes three.

        `read` only reads and may be called twice: a connection that broke since it was used last shows that first
        here, and then another is taken.

        Raises:
            Later: the server is away or all connections are in use.
        """
        with self._translated():
            try:
                with self._glances.connection() as connection:
                    return read(connection)
            except psycopg.OperationalError as error:
                if isinstance(error, psycopg.errors.QueryCanceled | PoolTimeout):
                    raise  # Nothing broke: who waited once need not wait as long again.
                self._glances.check()
                with self._glances.connection() as connection:
                    return read(connection)

    @contextmanager
    def transaction(self, *, flushed: bool = True) -> Generator[Connection]:
        """Run the block in one transaction: committed at its end, rolled back on any error.

        Args:
            flushed: whether the commit waits for the disk. Without it a server that loses its power forgets what was
                committed in its last second, in order; only for what the next look finds out again.

        Raises:
            Later: the server is away or all connections are in use; nothing was written.
        """
        with self._translated(), self._pool.connection() as connection:
            if not flushed:
                connection.execute("SET LOCAL synchronous_commit = off")
            yield connection

    @contextmanager
    def tenant_transaction(self, tenant: int) -> Generator[Connection]:
        """Run the block in one transaction that sees the rows of one tenant only.

        The role and the tenant are set for this transaction alone, so a pooled connection carries neither on.
        """
        with self.transaction() as connection:
            connection.execute(
                "SELECT set_config('role', member_role, true), set_config('belvedere.tenant', %s, true) "
                "FROM installation",
                [str(tenant)],
            )
            yield connection

    @contextmanager
    def for_actor(self, actor: Actor) -> Generator[Connection]:
        """Run the block in the transaction that fits who asks: fenced when the actor is confined to a tenant."""
        with self.transaction() if actor.tenant is None else self.tenant_transaction(actor.tenant) as connection:
            yield connection

    @contextmanager
    def session(self, **parameters: int) -> Generator[Connection]:
        """Open a connection of one's own, outside the pool, in autocommit: for locks that last and for LISTEN.

        `parameters` are libpq's own (`keepalives_idle=3`).
        """
        named: dict[str, str | int | None] = {"application_name": "belvedere", "connect_timeout": 10, **parameters}
        address = make_conninfo(self.url.reveal(), **named)
        with (
            self._translated(),
            psycopg.connect(address, autocommit=True, row_factory=dict_row) as connection,
        ):
            yield connection

    @contextmanager
    def pooled_session(self) -> Generator[Connection]:
        """Take a connection of the pool in autocommit, for a lock that lasts as long as one job.

        Whoever takes a lock gives it back before the end; a broken connection gives it back by itself.
        """
        with self._translated(), self._pool.connection() as connection:
            connection.rollback()
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = False

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.OperationalError, PoolTimeout) as error:
            if isinstance(error, psycopg.errors.QueryCanceled):
                raise
            message = "The control database does not answer."
            raise Later(message, retry_in_s=2.0, code="database-away") from error


def signal(connection: Connection, *topics: str) -> None:
    """Tell the open pages that `topics` moved, when the transaction commits. A topic is a key, never data."""
    connection.execute("SELECT pg_notify(%s, topic) FROM unnest(%s::text[]) AS topic", [CHANNEL, list(topics)])


def _begin(connection: Connection) -> None:
    """Find out whether a pooled connection lives by beginning the transaction that it is taken for.

    A question of its own would be one round trip more for every transaction there is.

    Raises:
        psycopg.OperationalError: it is dead; the pool takes another.
    """
    result = connection.pgconn.exec_(b"BEGIN")
    if result.status != ExecStatus.COMMAND_OK:
        message = "the connection is broken"
        raise psycopg.OperationalError(message)


def one(connection: Connection, query: LiteralString | sql.Composed, values: Any = None) -> DictRow | None:  # noqa: ANN401
    """Return the first row, or None."""
    return connection.execute(query, values).fetchone()


def rows(connection: Connection, query: LiteralString | sql.Composed, values: Any = None) -> list[DictRow]:  # noqa: ANN401
    """Return all rows."""
    return connection.execute(query, values).fetchall()
