"""What people, doors, jobs and other rooms do with stores: look, plan, provision, read, remove."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from belvedere.audit.model import History
from belvedere.credentials.service import Credentials
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Later, NotFound
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import opaque
from belvedere.kernel.plan import Plan
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.stores import store
from belvedere.stores.influx.drift import with_points
from belvedere.stores.model import (
    DATABASE_KINDS,
    TABLE_KINDS,
    ConnectionInfo,
    LoginKind,
    Overview,
    Relation,
    RelationState,
    Server,
    Store,
    StoreKind,
    StoreState,
    WatchState,
    database_name,
)
from belvedere.stores.plan import Deed, Desired, DesiredDatabase, DesiredLogin, Do, Observed, foreign, plan, removal
from belvedere.stores.points import PointStore
from belvedere.stores.postgres import Passwords, Provisioner, foreign_database, open_facts
from belvedere.stores.reader.postgres import Along, Door, Readers
from belvedere.stores.timescale.plan import OFF
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants

_ROOM: Final = "stores"
_SHOWN: Final = tuple(state for state in RelationState if state is not RelationState.GONE)
_KEPT: Final = {LoginKind.WRITER: "_writer_password", LoginKind.READER: "_reader_password"}
"""The names under which the logins' own passwords are sealed, apart from the credentials that people see and change."""

_WRITER_STATEMENT_S: Final = 3600
_IDLE_IN_TRANSACTION_S: Final = {LoginKind.WRITER: 900, LoginKind.READER: 60}

Listed = list[Store]
Relations = list[Relation]
"""Said here because inside the class `list` is a verb."""


class Stores:
    """The stores of all tenants."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, credentials: Credentials,
        settings: Settings, server: Server, points: Sequence[PointStore] = (),
    ) -> None:
        """Take what it needs; `points` are told when a tenant goes."""
        self._points = points
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._credentials = credentials
        self._settings = settings
        self._server = server
        self._readers = Readers(statement_timeout_s=settings.tenant_statement_timeout_s)

    @property
    def server(self) -> Server:
        """The server that tenants' databases stand on."""
        return self._server

    def close(self) -> None:
        """Close the readers' sessions."""
        self._readers.close()

    # For people

    def list(self, actor: Actor, serial: int) -> Listed:
        """Return a tenant's stores."""
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return [self._store(row) for row in store.of_tenant(connection, serial)]

    def get(self, actor: Actor, store_id: UUID) -> Store:
        """Return one store."""
        with self._database.for_actor(actor) as connection:
            row = store.by_id(connection, store_id)
        if row is None:
            message = "No such store here."
            raise NotFound(message)
        actor.must(Role.VIEWER, row["tenant_id"])
        return self._store(row)

    def relations(self, actor: Actor, store_id: UUID) -> Relations:
        """Return the relations of a store that are there now, by name."""
        self.get(actor, store_id)
        with self._database.for_actor(actor) as connection:
            return store.relations(connection, store_id, _SHOWN)

    def connection_info(self, actor: Actor, store_id: UUID) -> ConnectionInfo:
        """Return how a flow reaches a store; the password is a credential, revealed with a reason."""
        one = self.get(actor, store_id)
        with self._database.for_actor(actor) as connection:
            roles = store.logins(connection, one.tenant_id)
        # Nobody but Belvedere writes measured values: a person comes with the reader.
        writer = roles[LoginKind.READER if one.kind is StoreKind.SERIES else LoginKind.WRITER]
        return ConnectionInfo(one.host, one.port, one.database, writer, roles[LoginKind.READER])

    def overview(self, actor: Actor) -> Overview:
        """Count databases and tables, as far as the actor sees them."""
        actor.must(Role.VIEWER, actor.tenant)
        with self._database.for_actor(actor) as connection:
            row = store.counts(connection)
        return Overview(**row) if row else Overview(0, 0)

    def watch_states(self, actor: Actor) -> "tuple[WatchState, ...]":
        """Return how the watcher fares, by server, for operators."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return tuple(WatchState(**row) for row in store.watch_states(connection))

    def plan(self, actor: Actor, serial: int) -> Plan[Any]:
        """Return what differs from what should be, or what deleting will do; empty when nothing does."""
        actor.must(Role.VIEWER, serial)
        tenant = self._must_find(serial)
        with Provisioner.on(self._server) as provisioner:
            desired, passwords = self._desired(provisioner, tenant)
            observed = self._observe(provisioner, tenant, desired, passwords)
        leaves = removal(desired, observed, keep_data=tenant.keep_data)
        return with_points(leaves if tenant.deleting else plan(desired, observed), self._points, actor, serial)

    def removal_plan(self, actor: Actor, serial: int, *, keep_data: bool = False) -> Plan[Deed]:
        """Return what deleting the tenant would do to its databases and logins."""
        actor.must(Role.VIEWER, serial)
        tenant = self._must_find(serial)
        with Provisioner.on(self._server) as provisioner:
            desired, passwords = self._desired(provisioner, tenant)
            return removal(desired, provisioner.observe(desired, passwords), keep_data=keep_data)

    def apply(self, actor: Actor, serial: int) -> None:
        """Repair now what differs, as a job."""
        actor.must(Role.OPERATOR, serial)
        tenant = self._must_find(serial)
        with (
            self._history.action(actor, "tenant.apply", tenant.name, tenant=serial),
            self._database.transaction() as connection,
        ):
            self._queue.enqueue(connection, "stores.provision", str(serial))
            self._queue.enqueue(connection, "stores.provision-points", str(serial))

    def open_facts(self) -> "tuple[str, ...]":
        """Return, as sentences, what stays open between tenants on this server; empty is the good answer."""
        return open_facts(self._server)

    # For rooms and jobs

    def stable_relations(self, store_id: UUID) -> Relations:
        """Return the relations that may become dashboards: they hold still, and the reader may read them."""
        with self._database.transaction() as connection:
            return [one for one in store.relations(connection, store_id, [RelationState.STABLE]) if one.readable]

    def find(self, store_id: UUID) -> Store | None:
        """Find a store for another room's job; no door calls this."""
        with self._database.transaction() as connection:
            row = store.by_id(connection, store_id)
        return self._store(row) if row else None

    def of_tenant(self, serial: int) -> Listed:
        """Return a tenant's stores to another room's job; no door calls this."""
        with self._database.transaction() as connection:
            return [self._store(row) for row in store.of_tenant(connection, serial)]

    def reader(
        self, store_id: UUID, *, within_s: float | None = None, along: Along | None = None
    ) -> AbstractContextManager[Connection]:
        """Open a read-only transaction as the tenant's reader: the only way to a tenant's objects.

        The block gets a connection whose search path is `pg_catalog` and whose statements are limited in time; it
        is rolled back always. Bound what you fetch: a tenant decides how much there is. `within_s` is for callers that
        cannot wait as long as a panel may; `along` sends statements in the round trip that opens the transaction.

        Raises:
            NotFound: there is no such store, or it is not ready.
            TooMany: its sessions are all busy.
            Later: its server is away.
        """
        return self._readers.session(store_id, lambda: self._door(store_id), within_s=within_s, along=along)

    def reader_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the reader's role and password to the workspaces room, for an outside Grafana's data source."""
        door = self._door(store_id)
        return door.role, door.password

    def writer_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the writer's role and password, for rows that came in the tenant's own files."""
        return (door := self._door(store_id, LoginKind.WRITER)).role, door.password

    def provision(self, serial: int) -> None:
        """Make, or repair, a tenant's logins, databases and default credentials. Twice does no harm."""
        tenant = self._tenants.find(serial)
        if tenant is None or tenant.deleting:
            return
        with self._alone(serial), self._tenants.log.room(serial, _ROOM):
            self._remember(tenant)
            with Provisioner.on(self._server) as provisioner:
                desired, passwords = self._desired(provisioner, tenant)
                observed = self._observe(provisioner, tenant, desired, passwords)
                taken = foreign(desired, observed)
                if taken:
                    raise foreign_database(taken[0])
                steps = plan(desired, observed)
                self._work_off(provisioner, tenant, steps, desired, passwords)
                if not steps:
                    self._settle(provisioner, tenant, changed=False)

    def remove_tenant(self, serial: int) -> None:
        """Take a tenant's databases and logins off the server, or close them where the data are kept."""
        tenant = self._tenants.find(serial)
        if tenant is None or not tenant.deleting:
            return
        with self._alone(serial), self._tenants.log.room(serial, _ROOM):
            for one in self.of_tenant(serial):
                self._readers.forget(one.id)
            for points in self._points:
                points.remove_tenant(serial, keep_data=tenant.keep_data)
                failpoint("stores.remove.points-gone")
            with Provisioner.on(self._server) as provisioner:
                desired, passwords = self._desired(provisioner, tenant)
                steps = removal(desired, provisioner.observe(desired, {}), keep_data=tenant.keep_data)
                self._work_off(provisioner, tenant, steps, desired, passwords)
            failpoint("stores.remove.before-forget")
            with self._database.transaction() as connection:
                store.remove(connection, serial)
                self._queue.emit(connection, "tenant.stores-removed", str(serial))
                signal(connection, f"tenant.{serial}")

    def check_all(self) -> None:
        """Ask for every tenant's provisioning again: what drifted is repaired, what did not costs one look."""
        for place, serial in enumerate(self._tenants.serials()):
            with self._database.transaction() as connection:
                self._queue.enqueue(connection, "stores.provision", str(serial), in_s=place * 0.2)

    # Inside

    def _work_off(
        self, provisioner: Provisioner, tenant: Tenant, steps: Plan[Deed], desired: Desired, passwords: Passwords
    ) -> None:
        self._tenants.log.begin(tenant.serial, _ROOM, steps)
        if not steps:
            return
        verb = "tenant.remove-stores" if tenant.deleting else "tenant.provision"
        with self._history.action(SYSTEM, verb, tenant.name, tenant=tenant.serial, plan=steps.summary()):
            for step in steps.steps:
                failpoint("stores.step.before")
                with self._tenants.log.step(tenant.serial, _ROOM, step.key):
                    if step.deed.do is Do.CREDENTIALS:
                        self._write_credentials(tenant)
                    else:
                        provisioner.apply(step.deed, desired, passwords)
                    failpoint("stores.step.applied")
                    if step is steps.steps[-1] and not tenant.deleting:
                        # Within the step: a tenant is never ready while one of its stores is not.
                        self._settle(provisioner, tenant, changed=True)

    def _remember(self, tenant: Tenant) -> None:
        """Write names and sealed passwords before the server learns them, so that a crash never loses one."""
        with self._database.transaction() as connection:
            for login in LoginKind:
                if store.add_login(connection, tenant.serial, login, f"t_{opaque()}_{login[0]}"):
                    self._credentials.keep(connection, tenant.serial, _KEPT[login], Secret(secrets.token_urlsafe(24)))
            for kind in TABLE_KINDS:
                store.add_store(
                    connection, tenant.serial, kind, server=self._server.name, database=database_name(tenant.name, kind)
                )
            failpoint("stores.remember.before-commit")

    def _desired(self, provisioner: Provisioner, tenant: Tenant) -> tuple[Desired, dict[LoginKind, Secret]]:
        """Return what should be. Before the first provisioning, names that are chosen then stand as `t_..._w`."""
        with self._database.transaction() as connection:
            roles = store.logins(connection, tenant.serial)
            marks = {StoreKind(row["kind"]): row["id"] for row in store.of_tenant(connection, tenant.serial)}
            passwords = {}
            for kind in roles:
                password = self._credentials.read_in(connection, tenant.serial, _KEPT[kind])
                if password is not None:
                    passwords[kind] = password
        logins = tuple(self._login(kind, roles.get(kind, f"t_..._{kind[0]}")) for kind in LoginKind)
        databases = tuple(
            DesiredDatabase(
                kind=kind, name=database_name(tenant.name, kind), mark=f"belvedere store {marks.get(kind, '...')}",
                pending=f"belvedere_new_{marks[kind].hex if kind in marks else '...'}",
                read_only=kind is StoreKind.SERIES,
                timescaled=kind is StoreKind.SERIES and self._settings.series_timescale != OFF,
            )
            for kind in DATABASE_KINDS if kind in TABLE_KINDS or kind in marks
        )
        return provisioner.fitted(Desired(tenant.name, logins, databases), self._settings.tenant_temp_bytes), passwords

    def _login(self, kind: LoginKind, role: str) -> DesiredLogin:
        seconds = self._settings.tenant_statement_timeout_s if kind is LoginKind.READER else _WRITER_STATEMENT_S
        values = [
            ("statement_timeout", f"{seconds}s"),
            ("idle_in_transaction_session_timeout", f"{_IDLE_IN_TRANSACTION_S[kind]}s"),
            ("max_parallel_workers_per_gather", "0"),
        ]
        if kind is LoginKind.READER:
            values.append(("default_transaction_read_only", "on"))
        return DesiredLogin(kind, role, self._settings.tenant_connections, tuple(values))

    def _observe(
        self, provisioner: Provisioner, tenant: Tenant, desired: Desired, passwords: Passwords
    ) -> Observed:
        observed = provisioner.observe(desired, passwords)
        with self._database.transaction() as connection:
            stale = tuple(
                key for key, value in self._default_credentials(connection, tenant).items()
                if self._credentials.would_provide(connection, tenant.serial, key, value)
            )
        return Observed(observed.logins, observed.databases, stale)

    def _write_credentials(self, tenant: Tenant) -> None:
        with self._database.transaction() as connection:
            for key, value in self._default_credentials(connection, tenant).items():
                self._credentials.provide(connection, tenant.serial, key, value)
            failpoint("stores.credentials.before-commit")

    def _default_credentials(self, connection: Connection, tenant: Tenant) -> Mapping[str, Secret]:
        roles = store.logins(connection, tenant.serial)
        password = self._credentials.read_in(connection, tenant.serial, _KEPT[LoginKind.WRITER])
        if LoginKind.WRITER not in roles or password is None:
            return dict.fromkeys(("DB_USER", "DB_PASS"), Secret("not made yet"))
        names = {kind: database_name(tenant.name, kind) for kind in TABLE_KINDS}
        return {
            "DB_HOST": Secret(self._server.host),
            "DB_PORT": Secret(str(self._server.port)),
            "DB_USER": Secret(roles[LoginKind.WRITER]),
            "DB_PASS": password,
            "DB_NAME_TIMING_REPORT": Secret(names[StoreKind.TIMING_REPORT]),
            "DB_NAME_QOR": Secret(names[StoreKind.QOR]),
            "DB_NAME_DRC": Secret(names[StoreKind.DRC]),
            "GRAFANA_URL": Secret(self._settings.grafana_url or self._settings.url),
        }

    def _settle(self, provisioner: Provisioner, tenant: Tenant, *, changed: bool) -> None:
        with self._database.transaction() as connection:
            moved = changed
            for row in store.of_tenant(connection, tenant.serial):
                if row["kind"] not in DATABASE_KINDS:
                    continue
                oid = provisioner.database_oid(row["database"])
                if oid is not None:
                    moved = store.set_ready(connection, row["id"], oid) or moved
            if moved:
                self._queue.emit(connection, "stores.ready", str(tenant.serial))
                signal(connection, f"tenant.{tenant.serial}")
            failpoint("stores.ready.before-commit")

    @contextmanager
    def _alone(self, serial: int) -> Iterator[None]:
        """Hold the tenant's lock: making and removing never run at once, whatever runner has them."""
        with self._database.session() as session:
            if not store.hold(session, serial):
                message = "Another job works on this tenant's databases."
                raise Later(message, retry_in_s=2.0)
            yield

    def _door(self, store_id: UUID, login: LoginKind = LoginKind.READER) -> Door:
        with self._database.transaction() as connection:
            row = store.by_id(connection, store_id)
            if row is None or row["state"] != StoreState.READY:
                message = "No such store is ready."
                raise NotFound(message)
            role = store.logins(connection, row["tenant_id"])[login]
            password = self._credentials.read_in(connection, row["tenant_id"], _KEPT[login])
        return Door(self._server, row["database"], role, password or Secret(""))

    def _must_find(self, serial: int) -> Tenant:
        if (tenant := self._tenants.find(serial)) is None:
            message = f"No tenant {serial} here."
            raise NotFound(message)
        return tenant

    def _store(self, row: DictRow) -> Store:
        return Store(
            id=row["id"], tenant_id=row["tenant_id"], kind=StoreKind(row["kind"]), server=row["server"],
            database=row["database"], host=self._server.host, port=self._server.port, state=StoreState(row["state"]),
            created_at=row["created_at"], database_oid=row["database_oid"], ready_at=row["ready_at"],
        )
