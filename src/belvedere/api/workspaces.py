"""Where tenants look: how each workspace is, its plan, what differs in it, choices, and what a tenant has in all."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Paging, Route, paged
from belvedere.api.parts import FirstPassword, Message, uuid_of
from belvedere.api.tenants import ChangeView, PlanView, view_plan
from belvedere.app import Services
from belvedere.dashboards.model import Dashboard
from belvedere.inventory.model import Inventory
from belvedere.kernel.actor import Actor
from belvedere.kernel.page import Page
from belvedere.workspaces.drift.model import Difference, TenantDrift


class DifferenceView(msgspec.Struct, frozen=True):
    """One thing that differs. `dashboard` is set where somebody has to choose between ours and theirs."""

    key: str
    sign: str
    title: str
    target: str
    changes: list[ChangeView]
    found_at: datetime
    dashboard: UUID | None


class WorkspaceView(msgspec.Struct, frozen=True):
    """How a tenant's workspace was at the last look. `state`: ready, working, waiting, drifted, needs you, deleting.

    `url` leads to it, empty for the built-in viewer. `problem` says what stands in the way, `problem_type` which page
    explains it. `looked_at` is the end of the last good look. `warning` says what the place does not keep apart.
    """

    tenant: int
    name: str
    tier: str
    state: str
    url: str
    organisation: int
    organisation_name: str
    problem: str
    problem_type: str
    hint: str
    problem_since: datetime | None
    looked_at: datetime | None
    differences: list[DifferenceView]
    warning: str = ""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a dashboard that was changed by hand: `ours` again, `theirs` for good, theirs as a `template`."""

    choice: Literal["ours", "theirs", "template"]


class EntryView(msgspec.Struct, frozen=True):
    """One thing that a tenant has. `kind`: organisation, team, folder, data source, campaign, dashboard or member."""

    kind: str
    name: str
    id: str
    where: str
    state: str


class InventoryView(msgspec.Struct, frozen=True):
    """All that one tenant has."""

    tenant: int
    name: str
    tier: str
    state: str
    entries: list[EntryView]


def view(found: TenantDrift, warning: str = "") -> WorkspaceView:
    """Render a workspace with what differs in it."""
    state = found.state
    return WorkspaceView(
        state.tenant, state.name, state.tier, state.word, state.url, state.organisation, state.organisation_name,
        state.problem, f"/problems/{state.problem_type}" if state.problem_type else "", state.hint, state.since,
        state.looked_at, [view_difference(one) for one in found.differences], warning,
    )


def view_difference(one: Difference) -> DifferenceView:
    """Render one difference."""
    changes = [ChangeView(change.field, change.old, change.new) for change in one.changes]
    return DifferenceView(one.key, one.sign, one.title, one.target, changes, one.found_at, one.dashboard)


def view_inventory(found: Inventory) -> InventoryView:
    """Render what a tenant has."""
    entries = [EntryView(one.kind, one.name, one.id, one.where, one.state) for one in found.entries]
    return InventoryView(found.tenant, found.name, found.tier, found.state, entries)


def get(call: Call[NoQuery, None]) -> Answer:
    """Return how a tenant's workspace was at the last look, and what differs in it. Asks no Grafana."""
    services, serial = call.services, call.serial()
    return Answer(view(services.drift.of(call.actor, serial), services.workspaces.warning(serial)))


def plan(call: Call[NoQuery, None]) -> Answer:
    """Compare a tenant's workspace with what it should be, now."""
    return Answer(view_plan(call.services.workspaces.plan(call.actor, call.serial())))


def apply(call: Call[NoQuery, None]) -> Answer:
    """Repair now what differs. `Prefer: wait=N` waits for the end; `state` and `problem` then say how it went."""
    services, serial = call.services, call.serial()
    before = services.drift.state(call.actor, serial).ended_at
    services.workspaces.apply(call.actor, serial)
    if call.wait_s:
        services.drift.wait(call.actor, serial, since=before, most_s=call.wait_s)
    return Answer(view(services.drift.of(call.actor, serial)), 202)


def password(call: Call[NoQuery, None]) -> Answer:
    """Hand over the default user's first password, once."""
    login, found = call.services.workspaces.take_password(call.actor, call.serial())
    return Answer(FirstPassword(login, found.reveal()))


def resolve(call: Call[NoQuery, Choice]) -> Answer:
    """Choose for a dashboard that somebody changed in Grafana: ours again, theirs for good, theirs as a template."""
    found = call.services.dashboards.get(call.actor, uuid_of(call.path["dashboard"]))
    return Answer(Message(choose(call.services, call.actor, found, call.body.choice)), 202)


def choose(services: Services, actor: Actor, dashboard: Dashboard, choice: str) -> str:
    """Carry out a choice for a dashboard that was changed by hand, and return what to say of it."""
    if choice == "template":
        made = services.templates.take_theirs(actor, dashboard.id)
        return f"{dashboard.title} is drawn by the template {made.name} now."
    services.workspaces.resolve(actor, dashboard.tenant_id, dashboard.id, ours=choice == "ours")
    return "Ours is written again now." if choice == "ours" else f"{dashboard.title} is the tenant's own now."


def drift(call: Call[Paging, None]) -> Answer:
    """List the workspaces that are not as they should be, by the tenant's number, with what differs."""
    return paged(call.services.drift.list(call.actor, after=call.query.after, limit=call.query.limit), view)


def inventory(call: Call[NoQuery, None]) -> Answer:
    """Return what a tenant has, from our own rows."""
    return Answer(view_inventory(call.services.inventories.of(call.actor, call.serial())))


def inventories(call: Call[Paging, None]) -> Answer:
    """List what every tenant has, by number."""
    call.services.drift.count(call.actor)  # For operators: a tenant's own caller learns nothing of others.
    page = call.services.tenants.list(call.actor, after=call.query.after, limit=call.query.limit)
    found = [call.services.inventories.of(call.actor, one.serial) for one in page.items]
    return paged(Page(found, page.next, page.total), view_inventory)


_ONE: Final = "/tenants/{tenant}/workspace"

ROUTES: Final = (
    Route("GET", _ONE, "workspaces.get", "How a workspace is", get, WorkspaceView, refusals=(404,)),
    Route("GET", _ONE + "/plan", "workspaces.plan", "What differs in a workspace now", plan, PlanView,
          refusals=(404, 502, 503)),
    Route("POST", _ONE + "/apply", "workspaces.apply", "Repair a workspace", apply, WorkspaceView, status=202,
          refusals=(403, 404), waits=True),
    Route("POST", _ONE + "/password", "workspaces.password", "Hand over the default user's password", password,
          FirstPassword, refusals=(403, 404, 409), secret=True),
    Route("POST", "/dashboards/{dashboard}/resolve", "workspaces.resolve", "Choose for a dashboard changed by hand",
          resolve, Message, body=Choice, status=202, refusals=(400, 403, 404)),
    Route("GET", "/drift", "workspaces.drift", "Workspaces that differ", drift, list[WorkspaceView], query=Paging,
          refusals=(400, 404)),
    Route("GET", "/tenants/{tenant}/inventory", "inventory.get", "What a tenant has", inventory, InventoryView,
          refusals=(404,)),
    Route("GET", "/inventory", "inventory.list", "What every tenant has", inventories, list[InventoryView],
          query=Paging, refusals=(400, 404)),
)
