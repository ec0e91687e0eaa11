"""The point store on PostgreSQL: each tenant's measured values in a database of its own, on the tenants' server.

Belvedere's login alone writes there, in one transaction a call; the tenant's reader sees the campaigns' views. The
database is made by the first `prepare`, by the same plan that makes a tenant's others, and goes with them. That
campaigns become dashboards is the watcher's doing: it sees the views come and change.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

import psycopg

from belvedere.kernel.actor import Actor
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.stores import store
from belvedere.stores.model import LoginKind, Server, Store, StoreKind, StoreState, database_name
from belvedere.stores.points import PointBatch, Written
from belvedere.stores.series import postgres
from belvedere.stores.series.model import Campaign, Channel, Form, Series, Source
from belvedere.stores.series.plan import extras, series_of
from belvedere.stores.service import Stores
from belvedere.stores.timescale import postgres as timescale
from belvedere.stores.timescale.plan import OFF
from belvedere.stores.wire import Connection, connect, translated
from belvedere.tenants.service import Tenants

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE: Final = 400_000
"""Values that are held before they are written: small files of one source go together."""

_MANY_ROWS: Final = 200_000

_BUSY_S: Final = 1.0


class SeriesPoints:
    """Points of all tenants, on PostgreSQL. Of one tenant, one call writes at a time, in whatever process."""

    kind: Final = "series"

    def __init__(
        self, *, database: Database, stores: Stores, tenants: Tenants, timescale: str = "auto"
    ) -> None:
        """Take what it needs; nothing is connected before it is asked. `timescale`: BELVEDERE_SERIES_TIMESCALE."""
        self._timescaled = timescale != OFF
        self._database = database
        self._stores = stores
        self._tenants = tenants

    def prepare(self, serial: int, campaign: str) -> None:
        """Make the tenant's database and the campaign's place in it; points that were kept are shown again."""
        place = self._open(serial)
        with self._inside(place) as connection:
            there = postgres.campaign_of(connection, campaign) if postgres.is_made(connection) else None
            if there is not None and there.open:
                return
            with connection.transaction():
                postgres.make(connection)
                postgres.hold(connection)
                postgres.open_campaign(connection, campaign)
                there = postgres.campaign_of(connection, campaign)
                if there is not None:
                    _, channels = postgres.book(connection, there.id)
                    if channels:
                        postgres.show(connection, there, channels, self._reader(serial))
                failpoint("stores.series.prepare.before-commit")

    def write(self, serial: int, campaign: str, batches: Iterable[PointBatch]) -> Written:
        """Write points in one transaction: all of them stand afterwards, or none."""
        place = self._ready(serial)
        if place is None:
            raise _unknown(campaign)
        reader = self._reader(serial)
        with self._inside(place) as connection, connection.transaction():
            if not postgres.is_made(connection):
                raise _unknown(campaign)
            postgres.hold(connection)
            there = postgres.campaign_of(connection, campaign)
            if there is None or not there.open:
                raise _unknown(campaign)
            if timescale.lost(connection):
                raise _unloaded(place)
            writing = _Writing(
                connection, there, *postgres.book(connection, there.id), timescaled=self._timescaled)
            for batch in batches:
                writing.take(batch)
            writing.flush()
            writing.count_again()
            writing.show(reader)
            failpoint("stores.series.write.before-commit")
        return writing.written

    def meta(self, lines: bytes) -> None:
        """Keep none: uploads and history tell about the reading of files."""

    def rename_campaign(self, serial: int, campaign: str, to: str) -> None:
        """Call a campaign and its view by another name.

        Raises:
            Conflict: another campaign of this tenant has that name.
        """
        with self._changing(serial, campaign) as found:
            if found is None or campaign == to:
                return
            connection, there = found
            try:
                postgres.rename_campaign(connection, there, to)
            except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable) as error:
                message = f"There is a campaign `{to}` already."
                raise Conflict(message) from error
            failpoint("stores.series.rename.before-commit")

    def forget_campaign(self, serial: int, campaign: str, *, keep_data: bool = True) -> None:
        """Take a campaign's view away, and its points unless they are kept."""
        with self._changing(serial, campaign, kept_too=not keep_data) as found:
            if found is not None:
                postgres.close_campaign(*found, keep_data=keep_data)
                failpoint("stores.series.forget.before-commit")

    def remove_tenant(self, serial: int, *, keep_data: bool) -> None:
        """Take a tenant's points away; kept ones stay in a database that nobody may enter any more."""
        place = self._ready(serial)
        if place is None or keep_data:
            # The stores room locks the reader out, and keeps the database as it keeps the others.
            return
        try:
            with self._inside(place) as connection, connection.transaction():
                postgres.drop_all(connection)
                failpoint("stores.series.remove.before-commit")
        except Later:
            if self._is_there(place):
                raise

    def form(self, actor: Actor, store_id: UUID) -> Form | None:
        """Tell how a tenant's values are kept; None where that cannot be seen now."""
        place = self._stores.get(actor, store_id)
        if place.kind is not StoreKind.SERIES or place.state is not StoreState.READY:
            return None
        try:
            with self._inside(place) as connection:
                return postgres.form(connection)
        except Later:
            return None

    def fill(self, database: str, read: Callable[[], None]) -> None:
        """Have a dump read into a database of ours that holds nothing, and what it brought put in its form.

        Raises:
            Later: the server is away.
        """
        with translated(self._stores.server), connect(self._stores.server, database) as connection:
            postgres.make_room(connection)
            read()
            # As long as it takes: there is no other session here.
            connection.execute("SET statement_timeout = 0")
            with connection.transaction():
                postgres.gather(connection, timescaled=self._timescaled)

    # Inside

    def _open(self, serial: int) -> Store:
        """Return the tenant's database, made now if it is not there."""
        found = self._ready(serial)
        if found is None:
            tenant = self._tenants.find(serial)
            if tenant is None or tenant.deleting:
                raise NotFound
            with self._database.transaction() as connection:
                store.add_store(
                    connection, serial, StoreKind.SERIES, server=self._stores.server.name,
                    database=database_name(tenant.name, StoreKind.SERIES),
                )
            failpoint("stores.series.asked")
            self._stores.provision(serial)
            found = self._ready(serial)
        if found is None:
            message = "This tenant has no place for measured values."
            raise NotFound(message)
        return found

    def _ready(self, serial: int) -> Store | None:
        return next(
            (one for one in self._stores.of_tenant(serial)
             if one.kind is StoreKind.SERIES and one.state is StoreState.READY), None)

    def _reader(self, serial: int) -> str:
        with self._database.transaction() as connection:
            return store.logins(connection, serial)[LoginKind.READER]

    def _is_there(self, place: Store) -> bool:
        with translated(self._stores.server), connect(self._stores.server) as connection:
            return connection.execute(
                "SELECT FROM pg_database WHERE datname = %s", [place.database]).fetchone() is not None

    @contextmanager
    def _changing(
        self, serial: int, campaign: str, *, kept_too: bool = False
    ) -> Iterator[tuple[Connection, Campaign] | None]:
        """Find a campaign in a transaction of one's own; None where there never was one."""
        place = self._ready(serial)
        if place is None:
            yield None
            return
        with self._inside(place) as connection, connection.transaction():
            there = None
            if postgres.is_made(connection):
                postgres.hold(connection)
                there = postgres.campaign_of(connection, campaign)
            yield (connection, there) if there is not None and (there.open or kept_too) else None

    @contextmanager
    def _inside(self, place: Store) -> Iterator[Connection]:
        try:
            with translated(self._stores.server), connect(self._stores.server, place.database) as connection:
                yield connection
        except Later as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                message = "Another process writes this tenant's measured values."
                raise Later(message, retry_in_s=_BUSY_S, code="points-busy") from error
            raise


@dataclass(slots=True)
class _Writing:
    """One call of `write`: what the campaign has, what is held, and what was done."""

    connection: Connection
    campaign: Campaign
    sources: list[Source]
    channels: list[Channel]
    timescaled: bool = False
    written: Written = field(default_factory=lambda: Written(0))
    held: dict[int, "list[pl.DataFrame]"] = field(default_factory=dict)
    holding: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    changed: bool = False
    gaps: bool = False
    known: dict[Series, Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {one.series: one for one in self.channels}

    def take(self, batch: PointBatch) -> None:
        """Hold a batch's columns for the tables they belong to; write when there are enough."""
        names = batch.frame.columns[1:]
        wanted = series_of(batch)
        self._register([one for one in wanted if one not in self.known])
        by_source: dict[int, dict[str, str]] = {}
        for name, series in zip(names, wanted, strict=True):
            channel = self.known[series]
            by_source.setdefault(channel.source, {})[name] = channel.column
        for source, columns in by_source.items():
            part = batch.frame.select("time", *columns).rename(columns)
            self.held.setdefault(source, []).append(part)
            self.holding += part.height * len(columns)
        if self.holding >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for source in self.sources:
            frames = self.held.pop(source.id, None)
            if frames:
                self._put(source, frames)
        self.holding = 0

    def count_again(self) -> None:
        """Have the planner look at tables that grew by much."""
        for source in self.sources:
            if self.rows.get(source.id, 0) >= _MANY_ROWS:
                postgres.count_again(self.connection, source)

    def show(self, reader: str) -> None:
        """Make or change the campaign's view, when there is something new to see."""
        columns = extras(self.campaign.extras, self.channels, gaps=self.gaps)
        if not self.channels or (self.campaign.shown and not self.changed and columns == self.campaign.extras):
            return
        postgres.show(self.connection, replace(self.campaign, extras=columns), self.channels, reader)

    def _put(self, source: Source, frames: "list[pl.DataFrame]") -> None:
        from belvedere.stores.series.columns import ready, stepped, values  # noqa: PLC0415  (polars is heavy)

        frame, refused = ready(frames)
        why = "times before 1900 or after 2200" if refused else ""
        self.written += Written(values(frame), refused, why)
        if frame.is_empty():
            return
        self.rows[source.id] = self.rows.get(source.id, 0) + frame.height
        times = frame.get_column("time")
        first, last = int(times[0]), int(times[-1])
        there = postgres.around(self.connection, source, first, last)
        made = stepped(frame, there["before"])
        came = postgres.put(self.connection, source, made, taken=there["taken"])
        self.gaps = self.gaps or made.get_column("gap").null_count() < made.height
        if came or there["after"] is not None:
            since = first if there["before"] is None else there["before"]
            until = last if there["after"] is None else there["after"]
            self.gaps = postgres.mend_gaps(self.connection, source, since if came else last, until) or self.gaps

    def _register(self, fresh: list[Series]) -> None:
        """Give new series a column, in the table of the source whose clock they share."""
        while fresh:
            measurement, meter = fresh[0].measurement, fresh[0].meter
            together = [one for one in dict.fromkeys(fresh) if (one.measurement, one.meter) == (measurement, meter)]
            fresh = [one for one in fresh if (one.measurement, one.meter) != (measurement, meter)]
            while together:
                source = self._source(measurement, meter)
                taken = together[: postgres.room(source)]
                together = together[len(taken):]
                for channel in postgres.add_channels(self.connection, source, taken):
                    self.channels.append(channel)
                    self.known[channel.series] = channel
                place = self.sources.index(source)
                self.sources[place] = replace(source, channels=source.channels + len(taken))
                self.changed = True

    def _source(self, measurement: str, meter: str) -> Source:
        for one in self.sources:
            if (one.measurement, one.meter) == (measurement, meter) and postgres.room(one) > 0:
                return one
        made = postgres.add_source(
            self.connection, self.campaign.id, measurement, meter, timescaled=self.timescaled)
        self.sources.append(made)
        return made


def standing(control: Secret, server: Server) -> tuple[dict[str, int], list[str]]:
    """Return, for `doctor`, the databases of measured values with their bytes, and those that should be there.

    Raises:
        Later: a server is away.
        psycopg.Error: the control database is not made yet.
    """
    with Database(control, size=1).session() as connection:
        wanted = [row["database"] for row in postgres.standing(connection) if row["state"] == StoreState.READY]
    with translated(server), connect(server) as connection:
        found = postgres.sizes(connection, wanted)
    return found, [name for name in wanted if name not in found]


def _unloaded(place: Store) -> Stuck:
    message = f"The server no longer loads TimescaleDB, in which tables of {place.database} stand."
    hint = "put timescaledb into shared_preload_libraries again and restart the server"
    return Stuck(message, hint=hint, code="timescale-unloaded")


def _unknown(campaign: str) -> NotFound:
    message = f"The campaign `{campaign[:100]}` has no place for measured values."
    return NotFound(message)
