"""The statements about measured values, in a tenant's series database, as Belvedere's own login.

One table for each source (`w_<number>`), one row for each time, one column for each channel: a third of the time and a
fifth of the room of one row for each value (docs/decisions/0011-measured-values.md). A campaign's view names each
channel's facts as constants, so that a question about one unit or one device reads its columns alone, and one about
the last moment reads one index entry. Nothing here is made by a tenant: its reader may select from the views only.
What is not here: which columns go where (`plan.py`), connections and locks between processes (`service.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, LiteralString

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from belvedere.kernel.failpoints import failpoint
from belvedere.stores.series.model import (
    CHUNK,
    CHUNKS,
    ENERGY,
    GAP,
    MOST_COLUMNS,
    SCHEMA,
    Campaign,
    Channel,
    Form,
    Series,
    Source,
)
from belvedere.stores.series.plan import COMMON, facts, quantity, view_name
from belvedere.stores.timescale import postgres as timescale
from belvedere.stores.wire import Connection

if TYPE_CHECKING:
    import polars as pl

_MADE: Final[LiteralString] = """
CREATE SCHEMA IF NOT EXISTS belvedere;
CREATE TABLE IF NOT EXISTS belvedere.campaign (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, extras text[] NOT NULL DEFAULT '{}',
    open boolean NOT NULL DEFAULT true, shown boolean NOT NULL DEFAULT false);
CREATE UNIQUE INDEX IF NOT EXISTS campaign_open ON belvedere.campaign (name) WHERE open;
CREATE TABLE IF NOT EXISTS belvedere.source (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, campaign bigint NOT NULL REFERENCES belvedere.campaign,
    measurement text NOT NULL, meter text NOT NULL);
CREATE TABLE IF NOT EXISTS belvedere.channel (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source bigint NOT NULL REFERENCES belvedere.source,
    field text NOT NULL, tags jsonb NOT NULL);
CREATE INDEX IF NOT EXISTS source_campaign ON belvedere.source (campaign);
CREATE INDEX IF NOT EXISTS channel_source ON belvedere.channel (source)
"""


def is_made(connection: Connection) -> bool:
    """Tell whether the tables about campaigns stand."""
    row = connection.execute("SELECT to_regclass('belvedere.channel_source') IS NOT NULL AS made").fetchone()
    return bool(row and row["made"])


def make(connection: Connection) -> None:
    """Make the tables about campaigns. Twice does no harm."""
    connection.execute(_MADE)


def hold(connection: Connection) -> None:
    """Be the only one who writes, until the transaction ends.

    Raises:
        psycopg.errors.LockNotAvailable: somebody else is.
    """
    connection.execute("LOCK TABLE belvedere.campaign IN SHARE ROW EXCLUSIVE MODE NOWAIT")


def campaign_of(connection: Connection, name: str) -> Campaign | None:
    """Find an open campaign, or the last one of that name whose points were kept."""
    row = connection.execute(
        "SELECT * FROM belvedere.campaign WHERE name = %s ORDER BY open DESC, id DESC LIMIT 1", [name]
    ).fetchone()
    return Campaign(row["id"], row["name"], tuple(row["extras"]), row["open"], row["shown"]) if row else None


def campaigns(connection: Connection) -> list[str]:
    """Return the names of the open campaigns."""
    found = connection.execute("SELECT name FROM belvedere.campaign WHERE open ORDER BY id").fetchall()
    return [row["name"] for row in found]


def open_campaign(connection: Connection, name: str) -> None:
    """Make a campaign, or open the one that was kept under this name."""
    connection.execute(
        "UPDATE belvedere.campaign SET open = true WHERE id = (SELECT max(id) FROM belvedere.campaign "
        "WHERE name = %(name)s AND NOT EXISTS (SELECT FROM belvedere.campaign WHERE name = %(name)s AND open))",
        {"name": name},
    )
    connection.execute(
        "INSERT INTO belvedere.campaign (name) VALUES (%s) ON CONFLICT (name) WHERE open DO NOTHING", [name])


def rename_campaign(connection: Connection, campaign: Campaign, to: str) -> None:
    """Call a campaign and its view by another name. Raises UniqueViolation, DuplicateTable where that is taken."""
    connection.execute("UPDATE belvedere.campaign SET name = %s WHERE id = %s", [to, campaign.id])
    if campaign.shown and view_name(campaign.name) != view_name(to):
        connection.execute(
            sql.SQL("ALTER VIEW public.{} RENAME TO {}").format(
                sql.Identifier(view_name(campaign.name)), sql.Identifier(view_name(to))))


def close_campaign(connection: Connection, campaign: Campaign, *, keep_data: bool) -> None:
    """Take a campaign's view away, and its points unless they are kept."""
    connection.execute(sql.SQL("DROP VIEW IF EXISTS public.{}").format(sql.Identifier(view_name(campaign.name))))
    if keep_data:
        connection.execute("UPDATE belvedere.campaign SET open = false, shown = false WHERE id = %s", [campaign.id])
        return
    sources, _ = book(connection, campaign.id)
    for source in sources:
        connection.execute(sql.SQL("DROP TABLE {}").format(_table(source)))
    numbers = [source.id for source in sources]
    connection.execute("DELETE FROM belvedere.channel WHERE source = ANY(%s)", [numbers])
    connection.execute("DELETE FROM belvedere.source WHERE id = ANY(%s)", [numbers])
    connection.execute("DELETE FROM belvedere.campaign WHERE id = %s", [campaign.id])


def book(connection: Connection, campaign: int) -> tuple[list[Source], list[Channel]]:
    """Return a campaign's sources and channels."""
    found = connection.execute(
        "SELECT s.id AS source, s.measurement, s.meter, c.id, c.field, c.tags FROM belvedere.source s "
        "LEFT JOIN belvedere.channel c ON c.source = s.id WHERE s.campaign = %s ORDER BY s.id, c.id", [campaign]
    ).fetchall()
    sources: dict[int, Source] = {}
    channels = []
    for row in found:
        there = sources.get(row["source"], Source(row["source"], row["measurement"], row["meter"], 0))
        sources[there.id] = replace(there, channels=there.channels + (row["id"] is not None))
        if row["id"] is not None:
            channels.append(_channel(row))
    return list(sources.values()), channels


def _channel(row: DictRow) -> Channel:
    series = Series(row["measurement"], row["field"], tuple(sorted((str(k), str(v)) for k, v in row["tags"].items())))
    return Channel(row["id"], row["source"], series)


def add_source(
    connection: Connection, campaign: int, measurement: str, meter: str, *, timescaled: bool = False
) -> Source:
    """Make a source with its table; `timescaled`: in chunks of time, where this database has TimescaleDB and closed."""
    row = connection.execute(
        "INSERT INTO belvedere.source (campaign, measurement, meter) VALUES (%s, %s, %s) RETURNING id",
        [campaign, measurement, meter],
    ).fetchone()
    assert row is not None  # noqa: S101  (an INSERT that returns has one row)
    made = Source(row["id"], measurement, meter, 0)
    # A row stands for `step` seconds; `gap` seconds before it have no row.
    connection.execute(
        sql.SQL("CREATE TABLE {} (time timestamptz PRIMARY KEY, step real, gap bigint)").format(_table(made)))
    if timescaled and timescale.installed(connection)[1]:
        _in_chunks(connection, f"{SCHEMA}.{made.table}")
    failpoint("stores.series.source-made")
    return made


def _in_chunks(connection: Connection, table: str) -> None:
    connection.execute(
        "SELECT public.create_hypertable(%s::regclass, 'time', chunk_time_interval => %s::interval, "
        "create_default_indexes => false)", [table, CHUNK])


def add_channels(connection: Connection, source: Source, series: Sequence[Series]) -> list[Channel]:
    """Give series columns in a source's table."""
    made = []
    for one in series:
        row = connection.execute(
            "INSERT INTO belvedere.channel (source, field, tags) VALUES (%s, %s, %s) RETURNING id",
            [source.id, one.field, Jsonb(dict(one.tags))],
        ).fetchone()
        assert row is not None  # noqa: S101  (an INSERT that returns has one row)
        made.append(Channel(row["id"], source.id, one))
    columns = sql.SQL(", ").join(
        sql.SQL("ADD COLUMN {} float8").format(sql.Identifier(one.column)) for one in made)
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(_table(source), columns))
    return made


def room(source: Source) -> int:
    """Tell how many channels more a source's table takes."""
    return MOST_COLUMNS - source.channels


def around(connection: Connection, source: Source, first_s: int, last_s: int) -> DictRow:
    """Tell what stands around a range of times: `before` and `after` it in seconds, and whether it is `taken`."""
    row = connection.execute(
        sql.SQL(
            "SELECT (SELECT extract(epoch FROM max(time))::bigint FROM {0} WHERE time < to_timestamp(%(first)s)) "
            "AS before, (SELECT extract(epoch FROM min(time))::bigint FROM {0} WHERE time > to_timestamp(%(last)s)) "
            "AS after, EXISTS (SELECT FROM {0} WHERE time BETWEEN to_timestamp(%(first)s) AND to_timestamp(%(last)s)) "
            "AS taken").format(_table(source)),
        {"first": first_s, "last": last_s},
    ).fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    return row


def put(connection: Connection, source: Source, frame: "pl.DataFrame", *, taken: bool) -> bool:
    """Write rows; where their range is `taken`, change what differs and add what is missing. Tell if times came in."""
    columns = [name for name in frame.columns if name not in ("time", "step", "gap")]
    if not taken:
        _copy(connection, _table(source), frame)
        return False
    stage = sql.SQL("pg_temp.stage")
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE stage (time timestamptz, step real, gap bigint, {}) ON COMMIT DROP").format(
            sql.SQL(", ").join(sql.SQL("{} float8").format(sql.Identifier(name)) for name in columns)))
    _copy(connection, stage, frame)
    named = [sql.Identifier(name) for name in columns]
    connection.execute(
        sql.SQL("UPDATE {} AS t SET {} FROM pg_temp.stage s WHERE t.time = s.time AND ({})").format(
            _table(source),
            sql.SQL(", ").join(sql.SQL("{0} = coalesce(s.{0}, t.{0})").format(name) for name in named),
            sql.SQL(" OR ").join(sql.SQL("s.{0} <> t.{0} OR (t.{0} IS NULL AND s.{0} IS NOT NULL)").format(name)
                                 for name in named)))
    added = connection.execute(
        sql.SQL("INSERT INTO {0} (time, step, gap, {1}) SELECT time, step, gap, {1} FROM pg_temp.stage s "
                "WHERE NOT EXISTS (SELECT FROM {0} t WHERE t.time = s.time)").format(
            _table(source), sql.SQL(", ").join(named))).rowcount
    connection.execute("DROP TABLE pg_temp.stage")
    return added > 0


def count_again(connection: Connection, source: Source) -> None:
    """Have the planner learn at once how much there is, after a large load; else autovacuum does in a minute."""
    connection.execute(sql.SQL("ANALYZE {}").format(_table(source)))


def mend_gaps(connection: Connection, source: Source, first_s: int, last_s: int) -> bool:
    """Say anew which rows in a range come late, after others came in between; tell whether any does."""
    connection.execute(
        sql.SQL(
            "UPDATE {0} AS t SET gap = n.gap FROM (SELECT time, CASE WHEN since > 2.5 * step "
            "THEN round((since - step)::numeric)::bigint END AS gap FROM (SELECT time, step, extract(epoch FROM time - "
            "lag(time) OVER (ORDER BY time)) AS since FROM {0} WHERE time BETWEEN to_timestamp(%s) AND "
            "to_timestamp(%s)) AS pairs WHERE since IS NOT NULL) AS n WHERE t.time = n.time "
            "AND t.gap IS DISTINCT FROM n.gap").format(_table(source)),
        [first_s, last_s],
    )
    row = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE gap IS NOT NULL AND time BETWEEN to_timestamp(%s) AND "
                "to_timestamp(%s)) AS gaps").format(_table(source)), [first_s, last_s]).fetchone()
    return bool(row and row["gaps"])


def _copy(connection: Connection, table: sql.Composable, frame: "pl.DataFrame") -> None:
    from belvedere.stores.series.columns import encoded  # noqa: PLC0415  (polars is heavy, and only writing needs it)

    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    form, pieces = encoded(frame)
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(
            table, columns, sql.SQL(form))) as copy,
    ):
        for piece in pieces:
            copy.write(piece)
    failpoint("stores.series.copied")


def show(connection: Connection, campaign: Campaign, channels: Iterable[Channel], reader: str) -> None:
    """Make a campaign's view, or give it the channels that came, and let the tenant's reader see it."""
    branches = [_branch(channel, campaign.extras) for channel in channels]
    name = sql.Identifier(view_name(campaign.name))
    # The condition stands outside: with one of its own, PostgreSQL does not take a branch's index for the last rows.
    connection.execute(
        sql.SQL("CREATE OR REPLACE VIEW public.{} AS SELECT * FROM ({}) AS u WHERE u.value IS NOT NULL").format(
            name, sql.SQL(" UNION ALL ").join(branches)))
    connection.execute(sql.SQL("GRANT SELECT ON public.{} TO {}").format(name, sql.Identifier(reader)))
    connection.execute(
        "UPDATE belvedere.campaign SET shown = true, extras = %s WHERE id = %s",
        [list(campaign.extras), campaign.id])
    failpoint("stores.series.shown")


def _branch(channel: Channel, extras: Sequence[str]) -> sql.Composable:
    told: Mapping[str, Any] = facts(channel.series)
    value = sql.SQL("w.{}").format(sql.Identifier(channel.column))
    own = quantity(channel.series)
    scaled = value if own.factor == 1 else sql.SQL("{} * {}::float8").format(value, sql.Literal(own.factor))
    columns: list[sql.Composable] = [sql.SQL("w.time")]
    columns += [
        sql.SQL("{}::text AS {}").format(sql.Literal(told[name]), sql.Identifier(name))
        for name in COMMON if name not in ("time", "value")
    ]
    columns.append(sql.SQL("{} AS value").format(value))
    for name in extras:
        shown: sql.Composable = sql.SQL("NULL::float8")
        if name == own.column:
            shown = scaled
        elif name == ENERGY and own.column == "power_w":
            shown = sql.SQL("{} * w.step / 3600000::float8").format(scaled)
        elif name == GAP:
            shown = sql.SQL("w.gap::float8")
        columns.append(sql.SQL("{} AS {}").format(shown, sql.Identifier(name)))
    return sql.SQL("SELECT {} FROM {} AS w").format(
        sql.SQL(", ").join(columns), sql.Identifier(SCHEMA, f"w_{channel.source}"))


def standing(control: Connection) -> list[DictRow]:
    """Return, from the control database, the databases of measured values and their states."""
    return control.execute("SELECT database, state FROM store WHERE kind = 'series' ORDER BY database").fetchall()


def sizes(server: Connection, names: list[str]) -> dict[str, int]:
    """Return the bytes of those of the databases that are there."""
    found = server.execute(
        "SELECT datname, pg_database_size(oid) AS bytes FROM pg_database WHERE datname = ANY(%s)", [names]).fetchall()
    return {row["datname"]: row["bytes"] for row in found}


def form(connection: Connection) -> Form:
    """Tell how values are kept here."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('belvedere') AND relkind = 'r' "
        "AND relname ~ '^w_[0-9]+$') AS tables, count(DISTINCT i.inhparent) AS chunked, count(i.inhrelid) AS chunks "
        "FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent AND p.relnamespace = to_regnamespace('belvedere')"
    ).fetchone()
    assert row is not None  # noqa: S101  (an aggregate has one row)
    return Form(**row, version=timescale.installed(connection)[0])


def make_room(connection: Connection) -> None:
    """Make the schemas of a dump: `pg_restore --schema` does not, and the database may not have TimescaleDB."""
    for name in (SCHEMA, CHUNKS):
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))


def gather(connection: Connection, *, timescaled: bool) -> None:
    """Put rows of chunks, which a dump brings as plain tables, into their own; in chunks again where that is wanted.

    A dump of hypertables can be read back only by a superuser into the very same version; one without the extension
    everywhere.
    """
    found = connection.execute(
        "SELECT i.inhrelid::regclass::text AS part, i.inhparent::regclass::text AS whole, (SELECT string_agg("
        "quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = i.inhparent AND attnum > 0 "
        "AND NOT attisdropped) AS columns FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent "
        "AND p.relnamespace = 'belvedere'::regnamespace JOIN pg_class c ON c.oid = i.inhrelid "
        "AND c.relnamespace = %s::regnamespace ORDER BY i.inhrelid", [CHUNKS]).fetchall()
    parts = []
    for row in found:
        part = sql.SQL(row["part"])
        connection.execute(sql.SQL("ALTER TABLE {} NO INHERIT {}").format(part, sql.SQL(row["whole"])))
        # Out of the way of chunks that are made now: these are numbered from 1 again.
        connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA belvedere").format(part))
        parts.append((sql.SQL(row["part"].replace(CHUNKS, SCHEMA, 1)), row["whole"], sql.SQL(row["columns"])))
    has, closed = timescale.installed(connection)
    for whole in dict.fromkeys(whole for _, whole, _ in parts):
        if timescaled and closed:
            _in_chunks(connection, whole)
    for part, whole, columns in parts:
        connection.execute(
            sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {2}").format(sql.SQL(whole), columns, part))
        connection.execute(sql.SQL("DROP TABLE {}").format(part))
    if has is None:
        connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(CHUNKS)))


def drop_all(connection: Connection) -> None:
    """Take everything away, views too."""
    connection.execute("DROP SCHEMA IF EXISTS belvedere CASCADE")


def _table(source: Source) -> sql.Identifier:
    return sql.Identifier(SCHEMA, source.table)
