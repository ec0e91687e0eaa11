"""The list of tenants, and making a new one."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, request

from belvedere.kernel.actor import Role
from belvedere.kernel.errors import Conflict, Rejected
from belvedere.stores.model import TABLE_KINDS, database_name
from belvedere.tenants.model import TenantState
from belvedere.tenants.names import check_name, slug_of
from belvedere.web import context
from belvedere.web.members import link

blueprint = Blueprint("tenants", __name__)

_STATES: Final = (
    TenantState.NEEDS_YOU, TenantState.PARTIAL, TenantState.WORKING, TenantState.READY, TenantState.DELETING,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """One state to filter by, with how many there are."""

    state: str
    label: str
    count: int
    href: str


@blueprint.get("/tenants")
def all_tenants() -> Response:
    """Answer: who is here, and is each one well?"""
    services, actor = context.services(), context.actor()
    text, state, after = (request.args.get(name, "") for name in ("q", "state", "after"))
    found = services.tenants.list(actor, text=text, state=state, after=after or None)
    total = services.tenants.list(actor, limit=1).total or 0
    facts: dict[int, dict[str, Any]] = {}
    states = services.drift.states(actor, [one.serial for one in found.items])
    for tenant in found.items:
        stores = services.stores.list(actor, tenant.serial)
        relations = [one for store in stores for one in services.stores.relations(actor, store.id)]
        dashboards = services.dashboards.list(actor, tenant=tenant.serial, limit=1)
        facts[tenant.serial] = {
            "dashboards": dashboards.total or 0,
            "tables": len(relations),
            "workspace": states.get(tenant.serial),
            "size": sum(one.size_bytes for one in relations),
        }
    return context.page(
        "tenants.html", found=found, total=total, facts=facts, text=text, state=state, chips=_chips(total), after=after
    )


def _chips(total: int) -> list[Chip]:
    services, actor = context.services(), context.actor()
    chips = [Chip("", "All", total, context.here(state=None, after=None))]
    for state in _STATES:
        number = services.tenants.list(actor, state=state, limit=1).total or 0
        if number:
            chips.append(Chip(state, str(state).capitalize(), number, context.here(state=str(state), after=None)))
    return chips


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that a new tenant gets, as the plan shows it before anything runs."""

    title: str
    target: str


@blueprint.get("/tenants/new")
def new() -> Response:
    """Show the form, and for a name in the address what would be made."""
    context.actor().must(Role.OPERATOR)
    name, member = request.args.get("name", ""), request.args.get("member", "")
    return _form(name, member, problem=_problem(name) if name else "")


def _form(name: str, member: str, problem: str = "", member_problem: str = "", status: int = 200) -> Response:
    return context.page(
        "tenant_new.html",
        status,
        name=name,
        problem=problem,
        member=member,
        member_problem=member_problem,
        plan=_plan(name, member),
        slug=slug_of(name or "x"),
        fragment=context.is_fragment(),
    )


@blueprint.post("/tenants/new")
def create() -> Response:
    """Make the tenant; its API key is on the answer's page, this once."""
    name, member = request.form.get("name", ""), request.form.get("member", "").strip()
    try:
        tenant, api_key, token = context.services().invitations.found(context.actor(), name, owner=member)
    except (Conflict, Rejected) as error:
        if error.field == "name":
            return _form(name, member, problem=error.detail, status=error.status)
        if error.field == "email":
            return _form(name, member, member_problem=error.detail, status=error.status)
        raise
    return context.secret_page(context.page(
        "tenant_made.html", tenant=tenant, api_key=api_key.reveal(), made=True, invited=member,
        link=link(token) if token else "",
    ))  # fmt: skip


def _problem(name: str) -> str:
    try:
        check_name(name)
    except Rejected as error:
        return error.detail
    services, actor = context.services(), context.actor()
    folded = name.casefold()
    for known in services.tenants.list(actor, text=name).items:
        if known.name == name:
            return f"`{name}` exists. Choose another name, or open it."
        if known.name.casefold() == folded:
            return f"`{known.name}` exists and differs by case only. Choose another name."
    return ""


def _plan(name: str, member: str = "") -> list[Planned]:
    shown = name or "name"
    return [
        Planned("Tenant, API key", shown),
        Planned("Login that writes", "opaque name, own password"),
        Planned("Login that reads", "for dashboards"),
        *(Planned("Database", database_name(shown, kind)) for kind in TABLE_KINDS),
        Planned("Credentials", "host, port, names, login: sealed"),
        Planned("Workspace", "built-in viewer"),
        *([Planned("Invitation of the owner", member)] if member else []),
    ]
