"""What doors ask about workspaces: how each is, what differs, what was repaired; plans of one tenant or of all.

What is not here: repairing and choosing (`workspaces/service.py`), writing down what a look found (`notes.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.db import CHANNEL, Database
from belvedere.kernel.errors import BelvedereError, NotFound, Rejected
from belvedere.kernel.page import Page
from belvedere.kernel.plan import Plan
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants
from belvedere.workspaces.drift import store
from belvedere.workspaces.drift.model import Difference, Made, TenantDrift, WorkspaceState
from belvedere.workspaces.grafana import store as grafana_store
from belvedere.workspaces.grafana.model import Kind, folder_uid
from belvedere.workspaces.service import Workspaces

_READERS: Final = 4
"""Tenants that are planned at a time; a Grafana gains nothing from more."""

_MOST_TENANTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Planned:
    """One tenant's plan, or why there is none."""

    tenant: Tenant
    plan: Plan[Any] | None
    error: BelvedereError | None = None


class Drift:
    """How tenants' workspaces are, by what the last look wrote down."""

    def __init__(self, *, database: Database, tenants: Tenants, workspaces: Workspaces) -> None:
        """Take what it needs."""
        self._database = database
        self._tenants = tenants
        self._workspaces = workspaces

    def state(self, actor: Actor, serial: int) -> WorkspaceState:
        """Return how a tenant's workspace was at the last look; asks no Grafana."""
        tenant = self._tenants.get(actor, serial)
        return self.states(actor, [tenant.serial])[tenant.serial]

    def states(self, actor: Actor, serials: Sequence[int]) -> Mapping[int, WorkspaceState]:
        """Return the same for several tenants, in one question. Those that are gone are left out.

        Raises:
            NotFound: one of them is not this actor's to see.
        """
        for serial in serials:
            actor.must(Role.VIEWER, serial)
        with self._database.transaction() as connection:
            return store.states(connection, serials, self._workspaces.usual_tier)

    def made(self, actor: Actor, serial: int) -> list[Made]:
        """Return what stands in a tenant's place in Grafana, by our records; nothing for the viewer."""
        state = self.state(actor, serial)
        with self._database.transaction() as connection:
            made = store.made(connection, state.tenant, state.tier)
            if state.organisation and not any(one.kind == Kind.FOLDER for one in made):
                # Written down only where it was taken over: else its uid is derived.
                uid = folder_uid(grafana_store.installation(connection), state.tenant)
                made.append(Made(Kind.FOLDER, "main", uid, 0, "ours"))
            return made

    def of(self, actor: Actor, serial: int) -> TenantDrift:
        """Return what differs at one tenant, field by field, by the last look."""
        state = self.state(actor, serial)
        with self._database.transaction() as connection:
            return TenantDrift(state, tuple(store.differences(connection, [state.tenant])))

    def list(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[TenantDrift]:
        """Return the tenants whose workspace is not as it should be, by number, with what differs; for operators.

        Raises:
            Rejected: `after` is not of a page.
        """
        actor.must(Role.VIEWER)
        start = after or "0"
        if not (start.isascii() and start.isdigit() and len(start) < 19):  # noqa: PLR2004  (fits a bigint)
            message = f"`{after}` is not the `next` of a page."
            raise Rejected(message, field="after")
        with self._database.transaction() as connection:
            found = store.drifted(connection, self._workspaces.usual_tier, after=int(start), limit=limit + 1)
            shown, total = found[:limit], store.count_drifted(connection)
            open_ones = store.differences(connection, [one.tenant for one in shown])
        items = [TenantDrift(one, tuple(d for d in open_ones if d.tenant == one.tenant)) for one in shown]
        return Page(items, str(shown[-1].tenant) if len(found) > limit else None, total)

    def count(self, actor: Actor) -> int:
        """Count the tenants whose workspace is not as it should be."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.count_drifted(connection)

    def settled(self, actor: Actor, *, tenant: int | None = None, limit: int = 20) -> Sequence[Difference]:
        """Return what differed and was repaired in the last week, the newest first."""
        actor.must(Role.VIEWER, tenant)
        with self._database.transaction() as connection:
            return store.settled(connection, tenant=tenant, limit=limit)

    def looked_at(self, actor: Actor) -> datetime | None:
        """Return when a look at any workspace ended last; None before the first."""
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            return store.looked_at(connection)

    def plans(self, actor: Actor) -> Iterator[Planned]:
        """Plan every tenant's workspace now, in order; one that cannot be planned says why and stops none."""
        actor.must(Role.VIEWER)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="plan") as pool:
            yield from pool.map(lambda tenant: self._planned(actor, tenant), self.tenants(actor))

    def tenants(self, actor: Actor) -> Iterator[Tenant]:
        """Yield every tenant that stays."""
        after: str | None = None
        while True:
            page = self._tenants.list(actor, after=after, limit=_MOST_TENANTS)
            yield from (one for one in page.items if not one.deleting)
            if page.next is None:
                return
            after = page.next

    def wait(self, actor: Actor, serial: int, *, since: datetime | None, most_s: float) -> WorkspaceState:
        """Wait until a look has ended that is newer than `since`, at most `most_s` seconds; return the state then.

        Raises:
            NotFound: the tenant went meanwhile.
        """
        deadline = monotonic_s() + most_s
        with self._database.session() as listening:
            listening.execute("LISTEN " + CHANNEL)
            while True:
                state = self.state(actor, serial)
                left = deadline - monotonic_s()
                if left <= 0 or (state.ended_at is not None and (since is None or state.ended_at > since)):
                    return state
                for notice in listening.notifies(timeout=min(left, 0.5), stop_after=None):
                    if notice.payload == f"tenant.{serial}":
                        break

    def tenant_of(self, actor: Actor, organisation: int) -> Tenant:
        """Find whose an organisation of the Grafana is.

        Raises:
            NotFound: it is no tenant's by our records.
        """
        actor.must(Role.VIEWER)
        with self._database.transaction() as connection:
            serial = store.tenant_of(connection, organisation)
        if serial is None:
            message = f"Organisation {organisation} is not one tenant's alone."
            raise NotFound(message, hint="belvedere grafana list-orgs")
        return self._tenants.get(actor, serial)

    def _planned(self, actor: Actor, tenant: Tenant) -> Planned:
        try:
            return Planned(tenant, self._workspaces.plan(actor, tenant.serial))
        except BelvedereError as error:
            return Planned(tenant, None, error)
