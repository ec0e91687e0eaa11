"""Rows of files for tables of a tenant: which database, one transaction for each file, the same again changes nothing.

What is not here: the statements (`postgres.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg

from belvedere.kernel.db import Connection
from belvedere.kernel.errors import Later, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.stores.model import Server, Store, StoreState
from belvedere.stores.tables import postgres
from belvedere.stores.wire import connect, translated

_AGAIN_S: Final = 5.0


class TableOf(Protocol):
    """Which table: the kind of the tenant's database, the name, the columns with PostgreSQL's types."""

    @property
    def database(self) -> str:
        """A kind of store, such as `QOR`."""
        ...

    @property
    def name(self) -> str:
        """The table's name."""
        ...

    @property
    def columns(self) -> Sequence[tuple[str, Any]]:
        """The columns in order."""
        ...


class RowsOf(Protocol):
    """Some rows of one table, column by column."""

    @property
    def table(self) -> TableOf:
        """Whose rows."""
        ...

    @property
    def values(self) -> Sequence[list[Any]]:
        """A list for each column, all of one length."""
        ...


class Stores(Protocol):
    """As much of the stores as is needed here."""

    @property
    def server(self) -> Server:
        """Where tenants' databases stand."""
        ...

    def of_tenant(self, serial: int) -> list[Store]:
        """Return a tenant's stores."""
        ...

    def writer_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the writer's role and password."""
        ...


class FileTables:
    """Tables of tenants that are filled by files."""

    def __init__(self, stores: Stores) -> None:
        """Take the stores."""
        self._stores = stores

    def load(self, serial: int, source: str, at: datetime, parts: Iterator[RowsOf]) -> None:
        """Put the rows of a file in place of those that came from it before.

        Args:
            serial: whose.
            source: the file's path; rows that had the same are replaced.
            at: when the run was, for files that do not say.
            parts: the rows, some at a time.

        Raises:
            Later: the databases are away or not ready yet.
            Rejected: the tenant's own database refuses the rows, in its own words.
        """
        with ExitStack() as open_ones:
            sessions: dict[str, Connection] = {}
            begun: dict[tuple[str, str], str] = {}
            open_ones.enter_context(translated(self._stores.server))
            try:
                for part in parts:
                    kind = part.table.database
                    if kind not in sessions:
                        session = self._session(serial, kind)
                        sessions[kind] = open_ones.enter_context(session)
                    self._put(sessions[kind], part, source, at, begun)
                failpoint("stores.tables.before-commit")
                for one in sessions.values():
                    one.commit()
            except psycopg.Error as error:
                if not postgres.is_theirs(error):
                    raise
                message = f"Your database refused the rows: {error.diag.message_primary or type(error).__name__}."
                raise Rejected(message, code="report-rows") from error

    def _put(
        self, session: Connection, part: RowsOf, source: str, at: datetime, begun: dict[tuple[str, str], str]
    ) -> None:
        table = part.table
        key = (table.database, table.name)
        if key not in begun:
            begun[key], _ = postgres.table_for(session, table.name, table.columns)
            postgres.clear(session, begun[key], source)
        added, own = postgres.own_columns(table.columns, source, at)
        postgres.fill(session, begun[key], [*added, *table.columns], own, part.values)

    def _session(self, serial: int, kind: str) -> Connection:
        store = next((one for one in self._stores.of_tenant(serial) if one.kind == kind), None)
        if store is None or store.state is not StoreState.READY:
            message = "The tenant's databases are not ready yet."
            raise Later(message, retry_in_s=_AGAIN_S, code="store-planned")
        role, password = self._stores.writer_login(store.id)
        session = connect(
            self._stores.server, store.database, role=role, password=password, options=postgres.OPTIONS
        )
        session.autocommit = False
        return session
