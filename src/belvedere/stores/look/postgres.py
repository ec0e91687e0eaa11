"""The watcher's statements: the quick look at a whole server over one connection, and one database's catalogue.

`pg_shdepend` is shared by all databases: a relation of an ordinary role has a row there from the transaction that makes
it. The comparison with what is known runs on the server, in a temporary table of this connection.
Everything here reads catalogues as the provisioning login; nothing evaluates what a tenant made.
What is not here: what the answers mean (`settle.py`) and when to ask (`watch.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg.rows import DictRow

from belvedere.stores.crowding import Held
from belvedere.stores.model import Column, RelationKind, Seen, Server
from belvedere.stores.wire import Connection, connect

GUARD: Final = "-c search_path=pg_catalog -c lock_timeout=200ms -c statement_timeout=15s -c jit=off"

_KINDS: Final = {
    "r": RelationKind.TABLE, "v": RelationKind.VIEW, "m": RelationKind.MATERIALIZED_VIEW,
    "p": RelationKind.PARTITIONED_TABLE, "f": RelationKind.FOREIGN_TABLE,
}

_MANY: Final = 1000
"""Changed rows after which the server's planner should count the known ones again."""

_TEMPORARY: Final[LiteralString] = """
CREATE TEMPORARY TABLE watch_database (dbid oid PRIMARY KEY);
CREATE TEMPORARY TABLE watch_known (dbid oid NOT NULL, objid oid NOT NULL, born xid NOT NULL);
CREATE INDEX ON watch_known (dbid)
"""

_FINGERPRINT: Final[LiteralString] = """
SELECT s.n, s.relations,
    (SELECT bit_xor(hashint8extended(dbid::bigint, pg_stat_get_db_tuples_inserted(dbid)
        + pg_stat_get_db_tuples_updated(dbid) + pg_stat_get_db_tuples_deleted(dbid))) FROM pg_temp.watch_database)
        AS written
FROM (SELECT count(*) AS n, bit_xor(hashint8extended(dbid::bigint << 32 | objid::bigint, 0)) AS relations
    FROM pg_shdepend WHERE classid = 'pg_class'::regclass AND deptype = 'o') s
"""

_BY_DATABASE: Final[LiteralString] = """
SELECT dbid::bigint AS dbid, count(*) AS n, bit_xor(hashint8extended(objid::bigint, 0)) AS relations
FROM pg_shdepend WHERE classid = 'pg_class'::regclass AND deptype = 'o'
    AND dbid IN (SELECT dbid FROM pg_temp.watch_database) GROUP BY dbid
"""

# An oid that came back after a drop has a row of another transaction: `born` tells the two apart.
_DIFFERENCE: Final[LiteralString] = """
WITH seen AS MATERIALIZED (
    SELECT d.dbid, d.objid, d.xmin AS born FROM pg_shdepend d
    WHERE d.dbid = ANY(%(moved)s::oid[]) AND d.classid = 'pg_class'::regclass AND d.deptype = 'o'
), gone AS (
    DELETE FROM pg_temp.watch_known k WHERE k.dbid = ANY(%(moved)s::oid[]) AND NOT EXISTS (
        SELECT FROM seen s WHERE s.dbid = k.dbid AND s.objid = k.objid AND s.born = k.born)
    RETURNING k.dbid, k.objid
), fresh AS (
    INSERT INTO pg_temp.watch_known (dbid, objid, born)
    SELECT s.dbid, s.objid, s.born FROM seen s WHERE NOT EXISTS (
        SELECT FROM pg_temp.watch_known k WHERE s.dbid = k.dbid AND s.objid = k.objid AND s.born = k.born)
    RETURNING dbid, objid
)
SELECT dbid::bigint AS dbid, objid::bigint AS oid, true AS fresh FROM fresh
UNION ALL SELECT dbid::bigint, objid::bigint, false FROM gone
"""

_COUNTERS: Final[LiteralString] = """
SELECT dbid::bigint AS dbid, pg_stat_get_db_tuples_inserted(dbid) + pg_stat_get_db_tuples_updated(dbid)
    + pg_stat_get_db_tuples_deleted(dbid) AS written FROM pg_temp.watch_database
"""

# A load in an open transaction holds RowExclusiveLock; what is stronger would make a size wait for it.
_LOCKED: Final[LiteralString] = """
SELECT database::bigint AS dbid, relation::bigint AS oid FROM pg_locks
WHERE locktype = 'relation' AND database = ANY(%s::oid[]) AND mode = ANY(ARRAY[
    'RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'])
"""

# Functions and no view: a view reads shared catalogues, whose locks need room in the very table that may be full.
_HELD: Final[LiteralString] = """
SELECT a.pid, a.datid::bigint AS dbid, count(*) AS locks FROM pg_lock_status() l
JOIN pg_stat_get_activity(NULL) a ON a.pid = l.pid
WHERE NOT l.fastpath AND a.datid = ANY(%s::oid[]) AND a.usesysid <> %s::oid GROUP BY 1, 2
"""

_ROOM: Final[LiteralString] = """
SELECT current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS locks,
    (SELECT oid::bigint FROM pg_roles WHERE rolname = current_user) AS own
"""

_END: Final[LiteralString] = """
SELECT pg_terminate_backend(a.pid) AS ended FROM pg_stat_get_activity(%s) a WHERE a.datid = %s::oid
"""

# pg_inherits is walked by hand: pg_partition_tree would take locks that a tenant can hold.
_RELATIONS: Final[LiteralString] = """
WITH RECURSIVE wanted AS (
    SELECT unnest(%(oids)s::oid[]) AS oid
    UNION SELECT i.inhparent FROM pg_inherits i JOIN wanted w ON i.inhrelid = w.oid
), leaf AS (
    SELECT p.oid AS root, p.oid, p.relkind FROM pg_class p WHERE p.relkind = 'p' AND NOT p.relispartition
    UNION SELECT leaf.root, c.oid, c.relkind FROM leaf JOIN pg_inherits i ON i.inhparent = leaf.oid
        JOIN pg_class c ON c.oid = i.inhrelid
)
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
    c.relispopulated AS populated,
    -- Before the first ANALYZE, minutes after a load, the counters of what was inserted and deleted know better.
    CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8
        WHEN c.relkind IN ('r', 'm') THEN nullif(pg_stat_get_live_tuples(c.oid), 0)::float8 END AS tuples,
    coalesce(has_table_privilege(to_regrole(%(reader)s), c.oid, 'SELECT'), false)
        AND coalesce(has_schema_privilege(to_regrole(%(reader)s), n.oid, 'USAGE'), false) AS readable,
    CASE WHEN NOT %(sizes)s OR c.oid = ANY(%(locked)s::oid[]) THEN NULL
        WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid)
        WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_relation_size(l.oid)), 0)::bigint FROM leaf l
            WHERE l.root = c.oid AND l.relkind = 'r' AND NOT l.oid = ANY(%(locked)s::oid[]))
        -- What Belvedere itself shows of measured values, chunks included; a tenant's own views have no size.
        WHEN n.nspname = 'public' AND c.relowner = current_user::regrole AND c.relkind = 'v' THEN (
            WITH behind AS (SELECT d.refobjid AS oid FROM pg_rewrite r
                JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid)
            SELECT coalesce(sum(pg_relation_size(t.oid)), 0)::bigint FROM pg_class t WHERE t.relkind = 'r'
            AND NOT t.oid = ANY(%(locked)s::oid[]) AND t.oid IN (
                SELECT oid FROM behind UNION SELECT i.inhrelid FROM pg_inherits i JOIN behind b ON b.oid = i.inhparent))
        ELSE 0 END AS size_bytes,
    (SELECT coalesce(json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull)
        ORDER BY a.attnum), '[]') FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname <> ALL ('{information_schema,belvedere,_timescaledb_internal}') AND n.nspname NOT LIKE 'pg\\_%%'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND (%(oids)s::oid[] IS NULL OR c.oid IN (SELECT oid FROM wanted))
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one quick look says about a whole server; two that are equal mean that nothing moved."""

    relations: tuple[int, int | None]
    written: int | None


Pair = tuple[int, int]
"""A database's and a relation's oid."""


class QuickLook:
    """One connection to a server: what moved in all of its databases, without entering any."""

    def __init__(self, server: Server) -> None:
        """Connect, and make the temporary tables."""
        self._connection = connect(server, options=GUARD)
        self._connection.execute(_TEMPORARY)
        room = self._connection.execute(_ROOM).fetchone()
        assert room is not None  # noqa: S101  (a SELECT without FROM has one row)
        self.lock_capacity: int = room["locks"]
        self._own: int = room["own"]
        self._by_database: dict[int, tuple[int, int | None]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def watch(self, added: Iterable[int], removed: Iterable[int]) -> None:
        """Say which databases are looked at; those that leave are forgotten, with their relations."""
        gone = list(removed)
        for dbid in gone:
            self._by_database.pop(dbid, None)
        with self._connection.transaction():
            self._connection.execute("INSERT INTO pg_temp.watch_database SELECT unnest(%s::oid[])", [list(added)])
            self._connection.execute("DELETE FROM pg_temp.watch_database WHERE dbid = ANY(%s::oid[])", [gone])
            self._connection.execute("DELETE FROM pg_temp.watch_known WHERE dbid = ANY(%s::oid[])", [gone])

    def fingerprint(self) -> Fingerprint:
        """Ask the one question of an idle look."""
        row = self._connection.execute(_FINGERPRINT).fetchone()
        assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
        return Fingerprint((row["n"], row["relations"]), row["written"])

    def difference(self) -> tuple[set[Pair], set[Pair]]:
        """Return the relations that are new and those that are gone since the last call.

        One more scan says which databases moved; only their rows are compared, by index.
        """
        now = {row["dbid"]: (row["n"], row["relations"]) for row in self._connection.execute(_BY_DATABASE)}
        before, self._by_database = self._by_database, now
        moved = [dbid for dbid in now.keys() | before.keys() if now.get(dbid) != before.get(dbid)]
        fresh: set[Pair] = set()
        gone: set[Pair] = set()
        found = self._connection.execute(_DIFFERENCE, {"moved": moved}).fetchall() if moved else []
        for row in found:
            (fresh if row["fresh"] else gone).add((row["dbid"], row["oid"]))
        if len(found) > _MANY:
            self._connection.execute("ANALYZE pg_temp.watch_known")
        return fresh, gone - fresh

    def counters(self) -> dict[int, int]:
        """Return how many rows were ever written, by database; it lags by a second, or ten when a session idles."""
        return {row["dbid"]: row["written"] for row in self._connection.execute(_COUNTERS)}

    def locked(self, databases: Iterable[int]) -> set[Pair]:
        """Return relations that an open transaction writes to or holds."""
        found = self._connection.execute(_LOCKED, [list(databases)])
        return {(row["dbid"], row["oid"]) for row in found}

    def held(self, databases: Iterable[int]) -> list[Held]:
        """Return who holds how many places of the server's lock table, in these databases, besides ourselves."""
        found = self._connection.execute(_HELD, [list(databases), self._own])
        return [Held(row["pid"], row["dbid"], row["locks"]) for row in found]

    def end(self, one: Held) -> None:
        """End a session, if it is still the one that was seen.

        Raises:
            psycopg.errors.InsufficientPrivilege: the provisioning login may not, or it is a superuser's.
        """
        self._connection.execute(_END, [one.pid, one.dbid])

    def known(self, pairs: Iterable[Pair]) -> set[Pair]:
        """Return those of these relations that the quick look knows: others belong to a superuser."""
        wanted = set(pairs)
        found = self._connection.execute(
            "SELECT dbid::bigint AS dbid, objid::bigint AS oid FROM pg_temp.watch_known WHERE objid = ANY(%s::oid[])",
            [[oid for _, oid in wanted]],
        )
        return {(row["dbid"], row["oid"]) for row in found} & wanted



def read_relations(
    connection: Connection, *, reader: str, oids: Iterable[int] | None, locked: Iterable[int], sizes: bool = True
) -> list[Seen]:
    """Return a database's relations, all or some; for a partition, the table that it is a part of.

    Raises:
        psycopg.errors.LockNotAvailable: somebody took a lock in this moment; ask again without `sizes`.
    """
    values = {
        "oids": None if oids is None else list(oids), "reader": reader, "locked": list(locked), "sizes": sizes,
    }
    return [_seen(row) for row in connection.execute(_RELATIONS, values).fetchall()]


def _seen(row: DictRow) -> Seen:
    return Seen(
        oid=row["oid"], schema=row["schema"], name=row["name"], kind=_KINDS[row["kind"]],
        columns=tuple(Column(*column) for column in row["columns"]), populated=row["populated"],
        rows_estimate=None if row["tuples"] is None else int(row["tuples"]), size_bytes=row["size_bytes"],
        readable=row["readable"],
    )
