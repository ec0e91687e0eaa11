"""What people and doors do with tenants: create, look, delete, retry, use and rotate the API key.

What is not here: making databases (`stores/`) and workspaces; those rooms' jobs hear `tenant.created`.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import psycopg

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import CHANNEL, Connection, Database, signal
from belvedere.kernel.errors import Conflict, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.kernel.secret import Secret
from belvedere.tenants import store
from belvedere.tenants.model import Kind, StepRecord, Tenant, TenantState
from belvedere.tenants.names import check_name, name_key, numbered, slug_of
from belvedere.tenants.steps import StepLog

Steps = list[StepRecord]
Serials = list[int]
"""Said here because inside the class `list` is a verb."""

Also = Callable[[Connection, int], None]
"""What an upper room does with a new tenant's serial number in the transaction that makes it."""

_MOST_SLUGS: Final = 10_000
_SETTLED: Final = frozenset({TenantState.READY, TenantState.NEEDS_YOU, TenantState.PARTIAL})


class Tenants:
    """The tenants of this installation."""

    def __init__(self, *, database: Database, history: History, queue: Queue) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self.log = StepLog(database=database)

    def create(
        self, actor: Actor, name: str, *, kind: str = Kind.TABLES, also: Also | None = None, number: int = 0
    ) -> tuple[Tenant, Secret]:
        """Make a tenant and return it with its API key, which is shown this once.

        Its databases and workspace follow as steps; `wait` waits for them. `also` is what an upper room keeps of the
        new tenant in the same transaction, such as whom it invites first. `number` is the serial number that it is to
        have, where another program gave it one; 0 takes the next.

        Raises:
            Rejected: the name cannot be borne by a database; the reason says why.
            Conflict: a tenant of that name exists, perhaps in other case, or one of that number.
        """
        actor.must(Role.OPERATOR)
        check_name(name)
        chosen = _kind(kind)
        api_key = _new_api_key()
        with self._history.action(actor, "tenant.create", name, kind=chosen) as ending:
            failpoint("tenants.create.before-commit")
            with self._database.for_actor(actor) as connection:
                serial = self._insert(connection, actor, name, chosen, api_key, wanted_number=number)
                self.log.expect(connection, serial)
                if also is not None:
                    also(connection, serial)
                self._queue.emit(connection, "tenant.created", str(serial))
                signal(connection, f"tenant.{serial}", "tenants", "attention")
                tenant = store.by_serial(connection, serial)
            failpoint("tenants.create.after-commit")
            ending.note(tenant=serial)
        if tenant is None:  # pragma: no cover  (read in the transaction that wrote it)
            raise NotFound
        return tenant, api_key

    def list(
        self, actor: Actor, *, text: str = "", state: str = "", after: str | None = None, limit: int = 50
    ) -> Page[Tenant]:
        """Return tenants by serial number, filtered by a part of the name and by state."""
        actor.must(Role.VIEWER, actor.tenant)
        start = _number(after or "0", "after")
        with self._database.for_actor(actor) as connection:
            found, total = store.page(connection, text=name_key(text), state=state, after=start, limit=limit + 1)
        shown = found[:limit]
        return Page(shown, str(shown[-1].serial) if len(found) > limit else None, total)

    def get(self, actor: Actor, ref: int | str) -> Tenant:
        """Find a tenant by serial number, slug or name.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            tenant = _find(connection, ref)
        actor.must(Role.VIEWER, tenant.serial)
        return tenant

    def steps(self, actor: Actor, ref: int | str) -> Steps:
        """Return the steps of a tenant's provisioning or removal, in order."""
        tenant = self.get(actor, ref)
        with self._database.for_actor(actor) as connection:
            return store.steps(connection, tenant.serial)

    def delete(self, actor: Actor, ref: int | str, *, confirm: str, keep_data: bool = False) -> Tenant:
        """Send a tenant on its way out: pictures, workspace, databases and logins, then its row go, as jobs.

        It works on a half-made tenant, and ordering it again does no harm. With `keep_data` the databases
        stay and nobody can sign in to them.

        Raises:
            Rejected: `confirm` is not the tenant's name.
        """
        tenant = self.get(actor, ref)
        if actor.tenant is not None and actor.person is None:
            message = "A tenant's own key cannot delete the tenant. An owner can, or an operator."
            raise Rejected(message)
        actor.must(Role.OWNER, tenant.serial)
        if confirm not in {tenant.name, tenant.slug}:
            message = f"Type the tenant's name to delete it: {tenant.name}"
            raise Rejected(message, code="confirm", field="confirm")
        with (
            self._history.action(
                actor, "tenant.delete", tenant.name, tenant=tenant.serial, keep_data=keep_data
            ),
            self._database.transaction() as connection,
        ):
            store.mark_deleting(connection, tenant.serial, keep_data=keep_data)
            if not tenant.deleting:
                self.log.expect(connection, tenant.serial, removal=True)
            self._queue.emit(connection, "tenant.deleting", str(tenant.serial))
            signal(connection, f"tenant.{tenant.serial}", "tenants", "attention")
            failpoint("tenants.delete.before-commit")
        return replace(tenant, state=TenantState.DELETING, deleting=True, keep_data=keep_data or tenant.keep_data)

    def retry(self, actor: Actor, ref: int | str) -> Tenant:
        """Start the tenant's provisioning (or its removal) again now, whatever state it is in."""
        tenant = self.get(actor, ref)
        actor.must(Role.OPERATOR, tenant.serial)
        with (
            self._history.action(actor, "tenant.retry", tenant.name, tenant=tenant.serial),
            self._database.transaction() as connection,
        ):
            event = "tenant.deleting" if tenant.deleting else "tenant.changed"
            self._queue.emit(connection, event, str(tenant.serial))
        return tenant

    def rotate_key(self, actor: Actor, ref: int | str) -> Secret:
        """Replace the API key and return the new one, which is shown this once. The old one ends at once."""
        tenant = self.get(actor, ref)
        actor.must(Role.OPERATOR, tenant.serial)
        api_key = _new_api_key()
        with (
            self._history.action(actor, "tenant.rotate-key", tenant.name, tenant=tenant.serial),
            self._database.for_actor(actor) as connection,
        ):
            store.set_api_key(connection, tenant.serial, _digest(api_key))
        return api_key

    def actor_for_key(self, key: Secret, origin: str) -> Actor | None:
        """Return the tenant's own actor for its API key, or None: one indexed lookup of a hash."""
        with self._database.transaction() as connection:
            row = store.by_api_key(connection, _digest(key))
        if row is None:
            return None
        return Actor(name=row["name"], role=Role.OPERATOR, tenant=row["serial"], door="api", origin=origin)

    def wait(self, actor: Actor, ref: int | str, *, most_s: float) -> Tenant:
        """Wait until the tenant is ready, stuck or gone, at most `most_s` seconds, and return it as it is then."""
        return self._wait(actor, ref, most_s, lambda tenant: tenant.state in _SETTLED)

    def purge(self, serial: int) -> None:
        """Forget a tenant whose databases, workspace and pictures are gone. The history stays."""
        tenant = self.find(serial)
        if tenant is None or not tenant.deleting:
            return
        with (
            self._history.action(SYSTEM, "tenant.purge", tenant.name, tenant=serial),
            self._database.transaction() as connection,
        ):
            failpoint("tenants.purge.before-commit")
            if store.purge(connection, serial):
                signal(connection, f"tenant.{serial}", "tenants", "attention")

    def find(self, serial: int) -> Tenant | None:
        """Find a tenant for another room's job; no door calls this."""
        with self._database.transaction() as connection:
            return store.by_serial(connection, serial)

    def serials(self) -> Serials:
        """Return the numbers of all tenants that stay, for jobs that go over all of them."""
        with self._database.transaction() as connection:
            return store.serials(connection)

    def _insert(
        self, connection: Connection, actor: Actor, name: str, kind: Kind, api_key: Secret, *, wanted_number: int
    ) -> int:
        key, wanted = name_key(name), slug_of(name)
        if wanted_number:
            store.reserve(connection, wanted_number)
            if store.by_serial(connection, wanted_number) is not None:
                message = f"There is a tenant {wanted_number} already."
                raise Conflict(message, code="exists", field="number")
        for number in range(1, _MOST_SLUGS):
            slug = numbered(wanted, number)
            taken = store.by_word(connection, key, key)
            if taken is not None:
                raise _exists(name, taken)
            if store.by_word(connection, slug, slug) is not None:
                continue
            try:
                with connection.transaction():
                    return store.insert(
                        connection, ident=new_id(), name=name, key=key, slug=slug, kind=kind,
                        api_key_hash=_digest(api_key), by=actor.name, serial=wanted_number or None,
                    )
            except psycopg.errors.UniqueViolation:
                continue  # Somebody was faster, with the name or with the slug: the next turn tells which.
        raise Conflict

    def _wait(
        self, actor: Actor, ref: int | str, most_s: float, enough: Callable[[Tenant], bool]
    ) -> Tenant:
        deadline = monotonic_s() + most_s
        tenant = self.get(actor, ref)
        if enough(tenant) or most_s <= 0:
            return tenant
        with self._database.session() as listening:
            listening.execute("LISTEN " + CHANNEL)
            while True:
                tenant = self.get(actor, tenant.serial)
                left = deadline - monotonic_s()
                if enough(tenant) or left <= 0:
                    return tenant
                for notice in listening.notifies(timeout=min(left, 1.0), stop_after=None):
                    if notice.payload == f"tenant.{tenant.serial}":
                        break


def _find(connection: Connection, ref: int | str) -> Tenant:
    tenant = None
    if isinstance(ref, int):
        tenant = store.by_serial(connection, ref)
    elif ref:
        tenant = store.by_word(connection, ref, name_key(ref))
        if tenant is None and ref.isascii() and ref.isdigit() and len(ref) < 19:  # noqa: PLR2004  (fits a bigint)
            tenant = store.by_serial(connection, int(ref))
    if tenant is None:
        message = f"No tenant {ref} here."
        raise NotFound(message)
    return tenant


def _exists(name: str, taken: Tenant) -> Conflict:
    if taken.name == name:
        return Conflict(f"`{name}` exists. Choose another name, or open {taken.slug}.", code="exists", field="name")
    if name_key(taken.name) == name_key(name):
        return Conflict(
            f"`{taken.name}` exists and differs by case only. Choose another name.", code="exists", field="name"
        )
    return Conflict(f"`{name}` is the address of tenant `{taken.name}`. Choose another.", code="exists", field="name")


def _kind(kind: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        message = f"No kind of tenant `{kind}`. There is: {', '.join(Kind)}."
        raise Rejected(message, field="kind") from None


def _number(text: str, field: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = f"`{field}` is a number here."
        raise Rejected(message, field=field) from None


def _new_api_key() -> Secret:
    return Secret(secrets.token_hex(20))


def _digest(key: Secret) -> bytes:
    return hashlib.sha256(key.reveal().encode("utf-8", "replace")).digest()
