"""What a store, its logins, its server and its relations are. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.kernel.secret import Secret


class StoreKind(StrEnum):
    """The three databases of a tenant with tables, as users of today name them, and the two homes of measured values.

    `series` is a database that only Belvedere writes to, made when the first values come; `influxdb` is a bucket.
    """

    TIMING_REPORT = "timing_report"
    QOR = "QOR"
    DRC = "drc"
    SERIES = "series"
    INFLUXDB = "influxdb"


TABLE_KINDS: Final = (StoreKind.TIMING_REPORT, StoreKind.QOR, StoreKind.DRC)
"""The kinds that are databases which every tenant has and writes to."""

DATABASE_KINDS: Final = (*TABLE_KINDS, StoreKind.SERIES)
"""The kinds that are databases of a tenant on PostgreSQL."""


KIND_TITLES: Final = {
    StoreKind.TIMING_REPORT: "Timing reports",
    StoreKind.QOR: "Quality of results",
    StoreKind.DRC: "Design rule checks",
    StoreKind.SERIES: "Measured values",
    StoreKind.INFLUXDB: "Measured values",
}
"""For people."""


class StoreState(StrEnum):
    """Whether the database is there and closed."""

    PLANNED = "planned"
    READY = "ready"


class LoginKind(StrEnum):
    """The two logins of a tenant: one makes tables, one only reads them."""

    WRITER = "writer"
    READER = "reader"


class RelationKind(StrEnum):
    """What counts as a table for dashboards."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    PARTITIONED_TABLE = "partitioned table"
    FOREIGN_TABLE = "foreign table"


class RelationState(StrEnum):
    """How far a relation is: `stable` ones may become dashboards, `empty` ones wait for rows."""

    NEW = "new"
    LOADING = "loading"
    EMPTY = "empty"
    STABLE = "stable"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that tenants' databases stand on.

    `url` is the provisioning login's; `host` and `port` are what tenants connect to.
    """

    name: str
    host: str
    port: int
    url: Secret


@dataclass(frozen=True, slots=True)
class Store:
    """One database of a tenant."""

    id: UUID
    tenant_id: int
    kind: StoreKind
    server: str
    database: str
    host: str
    port: int
    state: StoreState
    created_at: datetime
    database_oid: int | None = None
    ready_at: datetime | None = None

    @property
    def title(self) -> str:
        """What the store holds, for people."""
        return KIND_TITLES[self.kind]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type as PostgreSQL writes it, such as `numeric(10,6)`."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Relation:
    """One table, view, materialised view, partitioned or foreign table of a store.

    `rows_estimate` is None while the server has not counted. `readable` tells whether the tenant's reader
    may select from it; what it may not read has no dashboard.
    """

    store_id: UUID
    oid: int
    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...]
    rows_estimate: int | None
    size_bytes: int
    state: RelationState
    first_seen_at: datetime
    stable_at: datetime | None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A relation as the catalogue has it now. `size_bytes` is None while somebody holds it locked."""

    oid: int
    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...]
    populated: bool
    rows_estimate: int | None
    size_bytes: int | None
    readable: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """How much there is to see: databases that are ready, and relations in them."""

    databases: int
    tables: int


@dataclass(frozen=True, slots=True)
class WatchState:
    """How the watcher fares on one server. `missed` counts relations that only the full look found."""

    server: str
    looked_at: datetime | None
    last_full_at: datetime | None
    error: str | None
    retry_at: datetime | None
    missed: int


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """How a person's flow reaches a store; the password is the credential `DB_PASS`."""

    host: str
    port: int
    database: str
    writer: str
    reader: str

    @property
    def psql(self) -> str:
        """A line to copy; it asks for the password."""
        quoted = "'" + self.database.replace("'", "'\\''") + "'"
        return f"psql -h {self.host} -p {self.port} -U {self.writer} -d {quoted}"


def database_name(tenant: str, kind: StoreKind) -> str:
    """Return the name of a tenant's database: `alice-timing_report`, `alice-QOR`, `alice-drc`."""
    return f"{tenant}-{kind}"
