"""`/tenants`: tenants in the words of the product, with their plans and steps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from belvedere.api.members import invitation_url
from belvedere.api.model import Answer, Call, Flag, NoQuery, Paging, Route, on, paged, reference
from belvedere.api.users import is_gone
from belvedere.app import Services
from belvedere.kernel.actor import Actor
from belvedere.kernel.page import Page
from belvedere.kernel.plan import Plan, render
from belvedere.tenants.model import StepRecord, Tenant
from belvedere.workspaces.drift.model import WorkspaceState


class TenantView(msgspec.Struct, frozen=True):
    """A tenant. `id` is its number on every path; `problem` is what stands in the way of its readiness.

    `tier` and `workspace` say where it looks, and how that was at the last look.
    """

    id: int
    uuid: str
    name: str
    slug: str
    kind: str
    state: str
    problem: str
    steps_done: int
    steps_total: int
    created_at: datetime
    created_by: str
    tier: str
    workspace: str


class NewTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a tenant. `first_member` is the owner's e-mail address; the answer then holds the link to join.

    `tier` is where it looks: `viewer`, `org`, `team` or `instance`; the installation's usual one if absent.
    """

    name: str
    kind: str = "tables"
    first_member: str = ""
    tier: str = ""


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a tenant is to look from now on. `dry_run` only plans it."""

    tier: str
    dry_run: bool = False


class MadeTenant(TenantView, frozen=True):
    """A new tenant with its API key and, if a first member was named, their link; both are shown this once."""

    api_key: str
    invitation: str | None = None


class NewKey(msgspec.Struct, frozen=True):
    """A new API key, shown this once. The old one ended."""

    api_key: str


class TenantsQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the list: a part of the name, a state."""

    text: str = ""
    state: str = ""


class TenantDeletion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to delete: `confirm` is the tenant's name."""

    confirm: str = ""
    keep_data: Flag = "0"


class ChangeView(msgspec.Struct, frozen=True):
    """One field that a step changes."""

    field: str
    old: str
    new: str


class PlanStep(msgspec.Struct, frozen=True):
    """One step of a plan: `sign` is `+`, `~` or `-`."""

    key: str
    sign: str
    title: str
    target: str
    changes: list[ChangeView]


class PlanView(msgspec.Struct, frozen=True):
    """What would be done now; `text` is the same for people. No steps: nothing differs from what should be.

    `kept` names what stands there, is not Belvedere's, and stays; `warnings` say what the place does not do.
    """

    subject: str
    summary: str
    steps: list[PlanStep]
    text: str
    kept: list[str] = []
    warnings: list[str] = []


class StepView(msgspec.Struct, frozen=True):
    """One step of a tenant's provisioning or removal, with how far it is."""

    key: str
    room: str
    sign: str
    title: str
    target: str
    state: str
    error: str | None
    next_try_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


def views(services: Services, actor: Actor, tenants: Sequence[Tenant]) -> list[TenantView]:
    """Render tenants with how their workspaces are, in one question."""
    states = services.drift.states(actor, [one.serial for one in tenants])
    return [TenantView(**members(one, states.get(one.serial))) for one in tenants]


def view(services: Services, actor: Actor, tenant: Tenant) -> TenantView:
    """Render one tenant with how its workspace is."""
    return views(services, actor, [tenant])[0]


def members(tenant: Tenant, state: WorkspaceState | None) -> dict[str, Any]:
    """Return a tenant's members as the API names them; one that went meanwhile has no workspace any more."""
    return {
        "tier": state.tier if state else "", "workspace": state.word if state else "",
        "id": tenant.serial, "uuid": str(tenant.id), "name": tenant.name, "slug": tenant.slug, "kind": tenant.kind,
        "state": tenant.state, "problem": tenant.problem, "steps_done": tenant.steps_done,
        "steps_total": tenant.steps_total, "created_at": tenant.created_at, "created_by": tenant.created_by,
    }


def view_plan(plan: Plan[Any]) -> PlanView:
    """Render a plan."""
    steps = [
        PlanStep(step.key, step.sign, step.title, step.target,
                 [ChangeView(change.field, change.old, change.new) for change in step.changes])
        for step in plan.steps
    ]
    return PlanView(plan.subject, plan.summary(), steps, render(plan), [*plan.kept], [*plan.warnings])


def view_step(step: StepRecord) -> StepView:
    """Render a step."""
    return StepView(step.key, step.room, step.sign, step.title, step.target, step.state, step.error,
                    step.next_try_at, step.started_at, step.ended_at)


def listed(call: Call[TenantsQuery, None]) -> Answer:
    """List tenants by number."""
    query = call.query
    page = call.services.tenants.list(
        call.actor, text=query.text, state=query.state, after=query.after, limit=query.limit
    )
    return paged(Page(views(call.services, call.actor, page.items), page.next, page.total), lambda one: one)


def create(call: Call[NoQuery, NewTenant]) -> Answer:
    """Make a tenant. `Prefer: wait=N` answers when its place is ready, at most N seconds later."""
    services, body = call.services, call.body
    tenant, key, token = services.invitations.found(
        call.actor, body.name, kind=body.kind, owner=body.first_member, also=services.moves.chosen(body.tier)
    )
    if call.wait_s:
        tenant = call.services.tenants.wait(call.actor, tenant.serial, most_s=call.wait_s)
    link = invitation_url(services.settings.url, token.reveal()) if token else None
    state = services.drift.state(call.actor, tenant.serial)
    made = MadeTenant(**members(tenant, state), api_key=key.reveal(), invitation=link)
    return Answer(made, 201, headers={"Location": f"/api/v1/tenants/{tenant.slug}"})


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one tenant; the path takes its number, slug or name. `Prefer: wait=N` waits until it is ready."""
    reached = reference(call.path["tenant"])
    if call.wait_s:
        tenant = call.services.tenants.wait(call.actor, reached, most_s=call.wait_s)
    else:
        tenant = call.services.tenants.get(call.actor, reached)
    return Answer(view(call.services, call.actor, tenant))


def delete(call: Call[TenantDeletion, None]) -> Answer:
    """Send a tenant on its way out: 202 while that is at work, 204 when `Prefer: wait=N` saw its end."""
    tenants = call.services.tenants
    reached = call.serial()
    tenant = tenants.delete(
        call.actor, reached, confirm=call.query.confirm, keep_data=on(call.query.keep_data)
    )
    if call.wait_s and is_gone(call, reached, call.wait_s):
        return Answer(None, 204)
    return Answer(view(call.services, call.actor, tenant), 202)


def plan(call: Call[NoQuery, None]) -> Answer:
    """Compare a tenant's place with what it should be, and return the steps that would make it so."""
    return Answer(view_plan(call.services.stores.plan(call.actor, call.serial())))


def move(call: Call[NoQuery, Move]) -> Answer:
    """Send a tenant to another tier, with its dashboards and members; `dry_run` only plans it.

    The answer is the plan: what is made there, and what is taken away here once that is complete.
    """
    services, serial, body = call.services, call.serial(), call.body
    found = (services.moves.plan if body.dry_run else services.moves.begin)(call.actor, serial, body.tier)
    return Answer(view_plan(found), 200 if body.dry_run else 202)


def steps(call: Call[NoQuery, None]) -> Answer:
    """List the steps of a tenant's provisioning or removal."""
    return Answer([view_step(step) for step in call.services.tenants.steps(call.actor, call.serial())])


def retry(call: Call[NoQuery, None]) -> Answer:
    """Carry out a tenant's plan now, whatever state it is in. `Prefer: wait=N` waits for the end."""
    tenant = call.services.tenants.retry(call.actor, call.serial())
    if call.wait_s:
        tenant = call.services.tenants.wait(call.actor, tenant.serial, most_s=call.wait_s)
    return Answer(view(call.services, call.actor, tenant), 202)


def rotate_key(call: Call[NoQuery, None]) -> Answer:
    """Replace a tenant's API key."""
    return Answer(NewKey(call.services.tenants.rotate_key(call.actor, call.serial()).reveal()))


_ONE: Final = "/tenants/{tenant}"

ROUTES: Final = (
    Route("GET", "/tenants", "tenants.list", "List tenants", listed, list[TenantView], query=TenantsQuery),
    Route("POST", "/tenants", "tenants.create", "Make a tenant", create, MadeTenant, body=NewTenant, status=201,
          refusals=(400, 403, 409), secret=True, waits=True),
    Route("GET", _ONE, "tenants.get", "One tenant", one, TenantView, refusals=(404,), waits=True),
    Route("DELETE", _ONE, "tenants.delete", "Delete a tenant", delete, TenantView, query=TenantDeletion, status=202,
          refusals=(400, 403, 404), waits=True),
    Route("GET", _ONE + "/plan", "tenants.plan", "What differs from what should be", plan, PlanView, refusals=(404,)),
    Route("POST", _ONE + "/move", "tenants.move", "Move to another tier", move, PlanView, body=Move, status=202,
          refusals=(400, 403, 404, 409)),
    Route("GET", _ONE + "/steps", "tenants.steps", "Steps and how far they are", steps, list[StepView],
          refusals=(404,)),
    Route("POST", _ONE + "/retry", "tenants.retry", "Carry out the plan now", retry, TenantView, status=202,
          refusals=(403, 404), waits=True),
    Route("POST", _ONE + "/key", "tenants.rotate-key", "Replace the API key", rotate_key, NewKey,
          refusals=(403, 404), secret=True),
)
