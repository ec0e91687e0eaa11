"""One tenant: its overview, its API key, its deletion; and what every tab of a tenant shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from flask import Blueprint, Response, current_app, request, url_for

from belvedere.app import Services
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import BelvedereError, Rejected
from belvedere.tenants.model import StepRecord, StepState, Tenant, TenantState
from belvedere.web import context
from belvedere.web.formats import plural

blueprint = Blueprint("tenant", __name__, url_prefix="/tenants/<slug>")

_EXCERPT: Final = 4
_FOLDED_FROM: Final = 5
_LAST_ACTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab under a tenant's title."""

    label: str
    href: str
    current: bool
    count: int | None = None


def find(slug: str) -> Tenant:
    """Find the tenant of an address.

    Raises:
        NotFound: there is none, or it is not this person's to see.
    """
    return context.services().tenants.get(context.actor(), slug)


def page(template: str, tenant: Tenant, /, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  (a template takes anything)
    """Render a page of a tenant, with its tabs."""
    shown = tabs(tenant)
    at = "" if request.method == "GET" else next((tab.href for tab in shown if tab.current), "")
    return context.page(template, status, tenant=tenant, tabs=shown, topics=f"tenant.{tenant.serial}", at=at, **values)


def tabs(tenant: Tenant) -> list[Tab]:
    """Return the tenant's tabs, with counts; the one of this page is marked."""
    services, actor = context.services(), context.actor()
    counts: Mapping[str, int | None] = {
        "tenant_data.dashboards": services.dashboards.list(actor, tenant=tenant.serial, limit=1).total,
        "tenant_data.stores": len(services.stores.list(actor, tenant.serial)),
        "tenant_data.deliveries": sum(services.notifications.counts(actor, tenant=tenant.serial).values()),
        "credentials.credentials": len(services.credentials.list(actor, tenant.serial)),
        "members.members": len(services.members.list(actor, tenant.serial)),
        "uploads.of_tenant": services.uploads.totals(actor, tenant=tenant.serial).files,
    }
    near = {
        "tenant_data.store": "tenant_data.stores", "dashboards": "tenant_data.dashboards", "members": "members.members",
        "keys": "keys.keys", "workspaces": "workspaces.workspace",
    }  # fmt: skip
    here = request.endpoint or ""
    current = near.get(here, near.get(here.split(".")[0], here))
    made = []
    for label, endpoint in _TABS:
        if endpoint in current_app.view_functions:
            href = url_for(endpoint, slug=tenant.slug)
            made.append(Tab(label, href, endpoint == current, counts.get(endpoint)))
    return made


_TABS: Final = (
    ("Overview", "tenant.overview"),
    ("Dashboards", "tenant_data.dashboards"),
    ("Stores", "tenant_data.stores"),
    ("Campaigns", "campaigns.campaigns"),
    ("Uploads", "uploads.of_tenant"),
    ("SFTP", "sftp.users"),
    ("Workspace", "workspaces.workspace"),
    ("Deliveries", "tenant_data.deliveries"),
    ("Credentials", "credentials.credentials"),
    ("API keys", "keys.keys"),
    ("Members", "members.members"),
    ("History", "history.of_tenant"),
    ("Settings", "tenant.settings"),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tenant's steps are: the done ones at the beginning fold away."""

    folded: list[StepRecord]
    shown: list[StepRecord]
    done: int
    failed: int
    waiting: int
    total: int
    took_s: float | None

    @property
    def says(self) -> str:
        """The bar in words."""
        rest = self.total - self.done - self.failed - self.waiting
        parts = [f"{self.done} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.waiting} waiting"] if self.waiting else []
        return ", ".join(parts + ([f"{rest} not started"] if rest else []))

    @property
    def bar(self) -> list[tuple[float, str]]:
        """The bar's parts: share and tone."""
        whole = self.total or 1
        return [(self.done / whole, "good"), (self.failed / whole, "bad"), (self.waiting / whole, "warn")]


def progress(steps: list[StepRecord]) -> Progress:
    """Sum up a tenant's steps for its page."""
    settled = {StepState.DONE, StepState.SKIPPED}
    done = list(takewhile(lambda step: step.state in settled, steps))
    keep = 3 if len(done) < len(steps) else 0
    fold = len(done) - keep if len(done) >= _FOLDED_FROM else 0
    starts = [step.started_at for step in steps if step.started_at]
    ends = [step.ended_at for step in steps if step.ended_at]
    return Progress(
        folded=steps[:fold],
        shown=steps[fold:],
        done=sum(step.state in settled for step in steps),
        failed=sum(step.state is StepState.FAILED for step in steps),
        waiting=sum(step.state is StepState.WAITING for step in steps),
        total=len(steps),
        took_s=(max(ends) - min(starts)).total_seconds() if starts and ends else None,
    )


@blueprint.get("")
def overview(slug: str) -> Response:
    """Answer: is this tenant ready, and what does it have?"""
    services, actor = context.services(), context.actor()
    tenant = find(slug)
    stores = services.stores.list(actor, tenant.serial)
    credentials = services.credentials.list(actor, tenant.serial)
    return page(
        "tenant.html",
        tenant,
        steps=progress(services.tenants.steps(actor, tenant.serial)),
        stores=stores,
        relations={store.id: services.stores.relations(actor, store.id) for store in stores},
        connection=connection(services, actor, stores),
        workspace=services.drift.state(actor, tenant.serial),
        warning=services.workspaces.warning(tenant.serial),
        credentials=credentials,
        shown_credentials=_excerpt(credentials),
        dashboards=services.dashboards.list(actor, tenant=tenant.serial, limit=_EXCERPT),
        previews=previews_of(services, actor, tenant),
        actions=services.history.search(actor, tenant=tenant.serial, limit=_LAST_ACTIONS).items,
    )


def previews_of(services: Services, actor: Actor, tenant: Tenant | None = None) -> Mapping[Any, Any]:
    """Return the newest round of each dashboard that cards on this page may show."""
    listed = services.dashboards.list(actor, tenant=tenant.serial if tenant else None).items
    return services.previews.latest_of(actor, [one.id for one in listed])


def connection(services: Services, actor: Actor, stores: list[Any]) -> Any:  # noqa: ANN401  (the stores room's own, or None)
    """Return how to connect to the store that people try first, or None while there is none."""
    ready = sorted((store for store in stores if store.state == "ready"), key=lambda store: store.kind != "QOR")
    try:
        return services.stores.connection_info(actor, ready[0].id) if ready else None
    except BelvedereError:
        return None


def _excerpt(credentials: list[Any]) -> list[Any]:
    first = ("DB_PASS", "DB_USER", "SLACK_BOT_TOKEN", "GRAFANA_API_KEY")
    rank = {name: number for number, name in enumerate(first)}
    return sorted(credentials, key=lambda one: (rank.get(one.key_name, len(first)), one.key_name))[:_EXCERPT]


@blueprint.get("/plan")
def plan(slug: str) -> Response:
    """Show what differs from what should be, without doing it."""
    tenant = find(slug)
    return page("tenant_plan.html", tenant, plan=context.services().stores.plan(context.actor(), tenant.serial))


@blueprint.post("/retry")
def retry(slug: str) -> Response:
    """Start the tenant's steps again now; those that are done find nothing to do."""
    tenant = find(slug)
    context.services().tenants.retry(context.actor(), tenant.serial)
    return context.done("Started. The steps renew themselves here.", "tenant.overview", slug=slug)


@blueprint.get("/settings")
def settings(slug: str) -> Response:
    """Show the tenant's facts, and what would go with it."""
    return _settings(find(slug))


def _settings(tenant: Tenant, problem: str = "", status: int = 200) -> Response:
    services, actor = context.services(), context.actor()
    stores = services.stores.list(actor, tenant.serial)
    tables = sum(len(services.stores.relations(actor, store.id)) for store in stores)
    dashboards = services.dashboards.list(actor, tenant=tenant.serial, limit=1).total or 0
    goes = [
        plural(len(stores), "database") + f" with {plural(tables, 'table')}",
        f"{plural(dashboards, 'dashboard')} and their previews",
        plural(len(services.credentials.list(actor, tenant.serial)), "credential"),
        "its logins and its API key",
    ]
    return page(
        "tenant_settings.html",
        tenant,
        status,
        goes=goes,
        stores=stores,
        problem=problem,
        allowed=actor.may(Role.OWNER, tenant.serial),
        leaving=tenant.state is TenantState.DELETING or tenant.deleting,
    )


@blueprint.post("/delete")
def delete(slug: str) -> Response:
    """Send the tenant on its way out, if its name was typed."""
    tenant = find(slug)
    try:
        context.services().tenants.delete(
            context.actor(),
            tenant.serial,
            confirm=request.form.get("confirm", ""),
            keep_data=request.form.get("keep_data") == "1",
        )
    except Rejected as error:
        if error.field != "confirm":
            raise
        return _settings(tenant, error.detail, error.status)
    return context.done(f"{tenant.name} is on its way out.", "tenants.all_tenants")
