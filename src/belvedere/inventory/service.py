"""Puts together what a tenant has, from our own rows: quick, and right also while a Grafana is away."""

from collections.abc import Iterator
from typing import Final

from belvedere.dashboards.model import Dashboard
from belvedere.dashboards.service import Dashboards
from belvedere.identity.members.service import Members
from belvedere.inventory.model import Entry, Inventory, Kind
from belvedere.kernel.actor import Actor, Role
from belvedere.stores.service import Stores
from belvedere.tenants.service import Tenants
from belvedere.workspaces.drift.model import Made, WorkspaceState
from belvedere.workspaces.drift.service import Drift

_PAGE: Final = 500


class Inventories:
    """The belongings of tenants."""

    def __init__(
        self, *, tenants: Tenants, stores: Stores, members: Members, dashboards: Dashboards, drift: Drift
    ) -> None:
        """Take the rooms that are asked."""
        self._tenants = tenants
        self._stores = stores
        self._members = members
        self._dashboards = dashboards
        self._drift = drift

    def of(self, actor: Actor, serial: int) -> Inventory:
        """Return what one tenant has.

        Raises:
            NotFound: there is no such tenant, or it is not this actor's to see.
        """
        tenant = self._tenants.get(actor, serial)
        state, made = self._drift.state(actor, serial), self._drift.made(actor, serial)
        entries = (
            *_place(state, made, tenant.name), *self._sources(actor, serial, made),
            *(_dashboard(one) for one in self._all_dashboards(actor, serial)),
            *(
                Entry(Kind.MEMBER, one.name, one.login, one.email, f"{one.role}{'' if one.active else ', suspended'}")
                for one in self._members.list(actor, serial)
            ),
        )
        return Inventory(tenant.serial, tenant.name, tenant.slug, state.tier, state.word, entries)

    def all(self, actor: Actor) -> Iterator[Inventory]:
        """Yield what every tenant has, by number, one at a time; for operators."""
        actor.must(Role.VIEWER)
        return (self.of(actor, tenant.serial) for tenant in self._drift.tenants(actor))

    def _sources(self, actor: Actor, serial: int, made: list[Made]) -> Iterator[Entry]:
        """Yield the tenant's databases, each with the uid of its data source where the tenant looks in Grafana."""
        uids = {one.key: one.uid for one in made if one.kind == "source"}
        for store in self._stores.list(actor, serial):
            yield Entry(Kind.SOURCE, store.database, uids.get(store.kind, ""), store.database, store.state)

    def _all_dashboards(self, actor: Actor, serial: int) -> Iterator[Dashboard]:
        after: str | None = None
        while True:
            page = self._dashboards.list(actor, tenant=serial, after=after, limit=_PAGE)
            yield from page.items
            if page.next is None:
                return
            after = page.next


def _place(state: WorkspaceState, made: list[Made], name: str) -> Iterator[Entry]:
    if state.organisation:
        yield Entry(Kind.ORGANISATION, state.organisation_name, str(state.organisation), state.url, state.word)
    for one in made:
        if one.kind == "team":
            yield Entry(Kind.TEAM, name, str(one.number or one.uid), state.url, one.state)
        if one.kind == "folder":
            yield Entry(Kind.FOLDER, name, one.uid, _folder(state, one.uid), one.state)


def _folder(state: WorkspaceState, uid: str) -> str:
    base = state.url.partition("/?orgId=")[0]
    return f"{base}/dashboards/f/{uid}?orgId={state.organisation}"


def _dashboard(one: Dashboard) -> Entry:
    return Entry(Kind.DASHBOARD, one.title, str(one.id), one.url, one.state)
