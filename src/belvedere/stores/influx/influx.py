"""Measured values in an InfluxDB 2: a bucket for each tenant, tokens that reach nothing else, points written to it.

The second store behind the port `stores/points.py`. What is made there is planned, applied and looked at again like a
tenant's databases. What is not here: HTTP (`api.py`), the steps (`plan.py`), sending (`send.py`), dashboards.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.credentials.service import Credentials
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan
from belvedere.kernel.secret import Secret
from belvedere.stores import store as stores_store
from belvedere.stores.influx import store
from belvedere.stores.influx.api import NOT_FOUND, Influx, Outcome
from belvedere.stores.influx.model import SERVER, Campaign, Desired, Home, Observed, Purpose, SeenToken, bucket_mark
from belvedere.stores.influx.plan import Deed, Do, is_foreign, plan, removal
from belvedere.stores.influx.send import Seen, Sender
from belvedere.stores.influx.shape import columns_of, quantities_of
from belvedere.stores.model import StoreKind, StoreState
from belvedere.stores.points import PointBatch, Written
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants

_UNFIT: Final = frozenset({401, 403, NOT_FOUND})
"""A token that is not known, or reaches no such bucket: both are made anew, once."""


class InfluxPoints:
    """The points of all tenants in one InfluxDB."""

    kind: Final = "influxdb"

    def __init__(
        self, *, influx: Influx, database: Database, history: History, queue: Queue, tenants: Tenants,
        credentials: Credentials, meta_bucket: str = "", lines: int = 10_000,
    ) -> None:
        """Take what it needs; `meta_bucket` is where points about files go, `lines` how many are sent at once."""
        self.influx = influx
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._credentials = credentials
        self._meta_bucket = meta_bucket
        self._lines = lines
        self._healing = Lock()

    def close(self) -> None:
        """Close the connections."""
        self.influx.close()

    # The port

    def prepare(self, serial: int, campaign: str) -> None:
        """Make the tenant's bucket and its tokens, and let the campaign have a dashboard."""
        with self._database.transaction() as connection:
            row = store.home(connection, serial)
            known = store.campaign(connection, serial, campaign)
        ready = row is not None and row["state"] == StoreState.READY
        if ready and known is not None and known["hidden_at"] is None:
            return
        if not ready:
            self.provision(serial)
        with self._database.transaction() as connection:
            row = store.home(connection, serial, lock=True)
            if row is None:
                raise _gone(serial)
            store.put_campaign(connection, serial, campaign, self._tags(connection, serial, campaign))
            kept = store.campaign(connection, serial, campaign)
            shown = store.show(connection, serial, row["id"], campaign, columns_of(kept["quantities"] if kept else ()))
            self._moved(connection, serial, row["id"], moved=shown)
            failpoint("stores.influx.campaign.before-commit")

    def write(self, serial: int, campaign: str, batches: Iterable[PointBatch]) -> Written:
        """Write points in pieces; each piece stands once InfluxDB has answered."""
        home = self._home(serial, campaign)
        sender = Sender(self._post(serial, home.bucket), lines=self._lines, packed=self.influx.access.far)
        with sender:
            for batch in batches:
                sender.send(batch, home.tag)
        self._note(serial, campaign, home, sender.seen)
        return sender.written

    def meta(self, lines: bytes) -> None:
        """Write points about the reading of files into the bucket of the installation, made when it is missing."""
        if not (bucket := self._meta_bucket) or not lines:
            return
        for again in (False, True):
            outcome = self.influx.write(bucket, self.influx.access.token, lines, packed=False, precision="ns")
            if outcome.status != NOT_FOUND or again:
                break
            self.influx.make_bucket(bucket, "")
        if outcome.message:
            message = f"InfluxDB did not take the summary ({outcome.status}): {outcome.message}"
            raise Stuck(message, code="influxdb-refused")

    def rename_campaign(self, serial: int, campaign: str, to: str) -> None:
        """Call a campaign by another name. Its points keep the old value of the tag; new ones get the new name."""
        with self._database.transaction() as connection:
            row, known = store.home(connection, serial, lock=True), store.campaign(connection, serial, campaign)
            if row is None or known is None:
                return
            other = store.campaign(connection, serial, to)
            if other is not None and other["hidden_at"] is None:
                message = f"There is a campaign {to} already."
                raise Conflict(message)
            tags = self._tags(connection, serial, to, keep=known["tags"])
            store.rename_campaign(connection, serial, campaign, to=to, tags=tags)
            if not store.reshow(connection, row["id"], campaign, to=to):
                store.show(connection, serial, row["id"], to, columns_of(known["quantities"]))
            self._moved(connection, serial, row["id"], moved=True)
            failpoint("stores.influx.rename.before-commit")

    def forget_campaign(self, serial: int, campaign: str, *, keep_data: bool = True) -> None:
        """Take a campaign out of sight, or delete its points."""
        with self._database.transaction() as connection:
            row, known = store.home(connection, serial), store.campaign(connection, serial, campaign)
        if row is None or known is None:
            return
        if not keep_data:
            for tag in known["tags"]:
                self.influx.delete(row["database"], f'campaign="{_quoted(tag)}"')
        with self._database.transaction() as connection:
            if keep_data:
                store.hide_campaign(connection, serial, campaign)
            else:
                store.forget_campaign(connection, serial, campaign)
            self._moved(connection, serial, row["id"], moved=store.unshow(connection, row["id"], campaign))
            failpoint("stores.influx.forget.before-commit")

    def remove_tenant(self, serial: int, *, keep_data: bool) -> None:
        """Delete the tenant's tokens, so that nobody reaches its bucket, and the bucket unless the data are kept."""
        tenant = self._tenants.find(serial)
        with self._database.transaction() as connection:
            row = store.home(connection, serial)
        if tenant is None or row is None:
            return
        with self._alone(serial):
            desired = self._desired(tenant)
            self._work_off(tenant, desired, removal(desired, self._observe(serial, desired), keep_data=keep_data))
            with self._database.transaction() as connection:
                store.close(connection, serial, keep_data=keep_data)
                failpoint("stores.influx.remove.before-commit")

    # For jobs, other rooms and tools

    def provision(self, serial: int) -> None:
        """Make, or repair, a tenant's bucket and tokens. Twice does no harm.

        Raises:
            NotFound: there is no such tenant, or it is on its way out.
            Later: InfluxDB is away, or another job works on this bucket.
            Stuck: the bucket of that name is somebody else's, or InfluxDB refuses.
        """
        tenant = self._tenants.find(serial)
        if tenant is None or tenant.deleting:
            raise _gone(serial)
        with self._alone(serial):
            with self._database.transaction() as connection:
                stores_store.add_store(connection, serial, StoreKind.INFLUXDB, server=SERVER, database=tenant.name)
            desired = self._desired(tenant)
            observed = self._observe(serial, desired)
            # Of the bucket of summaries every tenant's files can be read.
            if desired.bucket == self._meta_bucket or is_foreign(desired, observed):
                message = f"The bucket {desired.bucket} in InfluxDB belongs to another installation or tenant."
                raise Stuck(message, code="influxdb-foreign", hint="Rename one of them, or delete what is left of it.")
            steps = plan(desired, observed)
            self._work_off(tenant, desired, steps)
            self._settle(serial, changed=bool(steps))

    def check_all(self) -> None:
        """Ask for every tenant's bucket to be looked at again: what drifted is repaired."""
        with self._database.transaction() as connection:
            for place, serial in enumerate(store.homes(connection)):
                self._queue.enqueue(connection, "stores.provision-points", str(serial), in_s=place * 0.1)

    def plan(self, actor: Actor, serial: int) -> Plan[Deed]:
        """Say what differs between a tenant's place in InfluxDB and what it should be; empty where it has none."""
        actor.must(Role.VIEWER, serial)
        tenant = self._tenants.get(actor, serial)
        with self._database.transaction() as connection:
            row = store.home(connection, serial)
        if row is None:
            return Plan(tenant.name)
        desired = self._desired(tenant)
        observed = self._observe(serial, desired)
        if tenant.deleting:
            return removal(desired, observed, keep_data=tenant.keep_data)
        return plan(desired, observed)

    def token(self, serial: int, purpose: Purpose = Purpose.READ) -> Secret:
        """Return a token to another room.

        Raises:
            NotFound: none was made.
        """
        found = self._credentials.read(serial, purpose.kept_as)
        if not found:
            message = "No token of InfluxDB was made for this tenant."
            raise NotFound(message)
        return found

    def token_of_today(self, actor: Actor, serial: int, *, anew: bool = False) -> tuple[Secret, bool]:
        """Return the token `powerview_token_for_bucket_<company>`, and whether it was made now.

        With `anew` another is made, and the one that was made here before ends.
        """
        actor.must(Role.OPERATOR, serial)
        tenant = self._tenants.get(actor, serial)
        with self._history.action(actor, "store.influx-token", tenant.name, tenant=serial):
            self.provision(serial)
            with self._alone(serial):
                desired = self._desired(tenant)
                old = self._observe(serial, desired).tokens.get(Purpose.BOTH)
                made = anew or old is None or not old.active
                if made:
                    self._make_token(serial, desired, Deed(Do.TOKEN, Purpose.BOTH))
                if made and old is not None:
                    self.influx.drop_token(old.number)
        return self.token(serial, Purpose.BOTH), made

    def campaigns(self, serial: int) -> tuple[UUID, dict[str, Campaign]] | None:
        """Return a tenant's store and its campaigns by name, for who draws them; None where it has none here."""
        with self._database.transaction() as connection:
            row = store.home(connection, serial)
            found = store.shown(connection, serial) if row is not None else {}
        return (row["id"], found) if row is not None else None

    # Inside

    def _tags(self, connection: Connection, serial: int, campaign: str, *, keep: Iterable[str] = ()) -> list[str]:
        """Return the values of a campaign's tag, the one to write last: its name, unless that is another's."""
        others = store.campaigns(connection, serial)
        own = [*others.pop(campaign, []), *keep]
        taken = {tag for tags in others.values() for tag in tags} - set(own)
        if own and own[-1] == campaign:
            return own
        name, number = campaign, 1
        while name in taken:
            number += 1
            name = f"{campaign}~{number}"
        return [*(tag for tag in own if tag != name), name]

    def _home(self, serial: int, campaign: str) -> Home:
        with self._database.transaction() as connection:
            row, known = store.home(connection, serial), store.campaign(connection, serial, campaign)
        if row is None or row["state"] != StoreState.READY or known is None or known["hidden_at"] is not None:
            message = "This campaign has no place for points."
            raise NotFound(message)
        return Home(row["id"], row["database"], known["tags"][-1])

    def _note(self, serial: int, campaign: str, home: Home, seen: Seen) -> None:
        """Write down what a campaign has now; a quantity that is new is a panel more."""
        if not seen.bytes:
            return
        with self._database.transaction() as connection:
            came = sorted(quantities_of(seen.units))
            store.note(connection, serial, campaign, came, first_s=seen.low, last_s=seen.high)
            known = store.campaign(connection, serial, campaign)
            if known is None:
                return
            columns = columns_of(known["quantities"])
            moved = store.show(connection, serial, home.store_id, campaign, columns, more_bytes=seen.bytes)
            self._moved(connection, serial, home.store_id, moved=moved)
            failpoint("stores.influx.note.before-commit")

    def _post(self, serial: int, bucket: str) -> Callable[[bytes, bool], Outcome]:
        """Return what writes a piece with the tenant's own token, and makes anew once what was taken away."""
        token = self.token(serial, Purpose.WRITE)

        def post(piece: bytes, packed: bool) -> Outcome:  # noqa: FBT001  (told apart by place)
            nonlocal token
            used = token
            outcome = self.influx.write(bucket, used, piece, packed=packed)
            if outcome.status not in _UNFIT:
                return outcome
            with self._healing:
                if token == used:
                    self.provision(serial)
                    token = self.token(serial, Purpose.WRITE)
            return self.influx.write(bucket, token, piece, packed=packed)

        return post

    def _desired(self, tenant: Tenant) -> Desired:
        with self._database.transaction() as connection:
            mark = bucket_mark(store.installation(connection), tenant.serial)
        return Desired(tenant.name, tenant.name, mark)

    def _observe(self, serial: int, desired: Desired) -> Observed:
        with self._database.transaction() as connection:
            numbers = store.tokens(connection, serial)
            kept = {one for one in numbers if self._credentials.read_in(connection, serial, one.kept_as)}
        bucket = self.influx.bucket(desired.bucket)
        tokens = {}
        for purpose, number in numbers.items():
            seen = self.influx.token(number)
            if seen is not None:
                # Without its value it is of no use, and is made anew.
                tokens[purpose] = seen if purpose in kept else SeenToken(seen.number, active=False)
        mapped = bucket is not None and self.influx.is_mapped(desired.bucket, bucket.number)
        return Observed(bucket, tokens, mapped)

    def _work_off(self, tenant: Tenant, desired: Desired, steps: Plan[Deed]) -> None:
        if not steps:
            return
        verb = "tenant.remove-points" if tenant.deleting else "tenant.provision-points"
        with self._history.action(SYSTEM, verb, tenant.name, tenant=tenant.serial, plan=steps.summary()):
            for step in steps.steps:
                failpoint("stores.influx.step.before")
                self._apply(tenant.serial, desired, step.deed)
                failpoint("stores.influx.step.after")

    def _apply(self, serial: int, desired: Desired, deed: Deed) -> None:
        if deed.do is Do.BUCKET:
            # One that was made meanwhile is marked by the next look.
            self.influx.make_bucket(desired.bucket, desired.mark)
        elif deed.do is Do.MARK:
            self.influx.mark_bucket(self._number(desired), desired.mark)
        elif deed.do is Do.MAP:
            number = self._number(desired)
            # A new bucket is a database of its own name by itself, from 2.1 on.
            if not self.influx.is_mapped(desired.bucket, number):
                self.influx.map(desired.bucket, number)
        elif deed.do is Do.TOKEN:
            self._make_token(serial, desired, deed)
        elif deed.do is Do.DROP_TOKEN and deed.purpose is not None:
            self.influx.drop_token(deed.old)
            with self._database.transaction() as connection:
                store.forget_token(connection, serial, deed.purpose)
                self._credentials.keep(connection, serial, deed.purpose.kept_as, Secret(""))
        elif deed.do is Do.DROP_BUCKET:
            self.influx.drop_bucket(deed.old)

    def _make_token(self, serial: int, desired: Desired, deed: Deed) -> None:
        """Make a token and keep its value. What an earlier try left behind, or was of no use, is deleted after it."""
        purpose = deed.purpose or Purpose.READ
        name = desired.token_name(purpose)
        number, value = self.influx.make_token(name, purpose, self._number(desired))
        failpoint("stores.influx.token-made")
        with self._database.transaction() as connection:
            self._credentials.keep(connection, serial, purpose.kept_as, value)
            store.put_token(connection, serial, purpose, number)
        failpoint("stores.influx.token-kept")
        for left in self.influx.tokens_called(name):
            # One of today's name may be in use by somebody else's program.
            if left.id != number and purpose is not Purpose.BOTH:
                self.influx.drop_token(left.id)

    def _number(self, desired: Desired) -> str:
        found = self.influx.bucket(desired.bucket)
        if found is None:
            message = f"The bucket {desired.bucket} went away. It is made again."
            raise Later(message, retry_in_s=1.0)
        return found.number

    def _settle(self, serial: int, *, changed: bool) -> None:
        with self._database.transaction() as connection:
            row = store.home(connection, serial)
            if row is None:
                return
            moved = store.set_ready(connection, row["id"])
            if moved or changed:
                # Grafana's data source holds the token.
                self._queue.emit(connection, "stores.ready", str(serial))
                signal(connection, f"tenant.{serial}")
            failpoint("stores.influx.ready.before-commit")

    def _moved(self, connection: Connection, serial: int, store_id: object, *, moved: bool) -> None:
        if moved:
            self._queue.emit(connection, "tables.changed", str(store_id))
            signal(connection, f"tenant.{serial}")

    @contextmanager
    def _alone(self, serial: int) -> Iterator[None]:
        with self._database.session() as session:
            if not store.hold(session, serial):
                message = "Another job works on this tenant's bucket."
                raise Later(message, retry_in_s=1.0, code="points-busy")
            yield


def _gone(serial: int) -> NotFound:
    message = f"No tenant {serial} here."
    return NotFound(message)


def _quoted(tag: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", tag)
