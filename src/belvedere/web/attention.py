"""What needs somebody now, each with its next step: the list on the home page.

Read from the services each time, so that nothing stays on the list that was settled elsewhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from belvedere.app import Services
from belvedere.intake.model import UploadState
from belvedere.kernel.actor import Actor
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import BelvedereError
from belvedere.tenants.model import TenantState
from belvedere.web.formats import plural
from belvedere.web.health import lacking

_MOST_EACH: Final = 20
_LATELY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person: what, why, and where the next step is."""

    tone: str
    title: str
    text: str
    deed: str
    href: str
    since: datetime | None = None
    command: str = ""


def needs(services: Services, actor: Actor) -> list[Need]:
    """Return what needs a person, the worst first. A room that cannot answer is itself such a thing."""
    found: list[Need] = []
    for name, look in _LOOKS if actor.tenant is None else _MEMBER_LOOKS:
        try:
            found.extend(look(services, actor))
        except BelvedereError as error:
            found.append(Need("bad", f"{name} cannot be read", error.detail, "Look at health", "/health"))
    return sorted(found, key=lambda need: need.tone != "bad")


def _runners(services: Services, actor: Actor) -> Iterator[Need]:
    overview = services.queue.overview(actor)
    if not overview.runners:
        yield Need(
            "bad",
            "Nobody works off the queue",
            f"{plural(overview.waiting, 'job')} wait. Start a runner on any host of this installation.",
            "Open jobs",
            "/jobs",
            overview.oldest_waiting_at,
            "belvedere jobs",
        )
    if overview.failed:
        yield Need(
            "bad",
            f"{plural(overview.failed, 'job')} failed",
            "None of them is tried again by itself.",
            "Open failed jobs",
            "/jobs?state=failed",
        )


def _lacking(services: Services, _actor: Actor) -> Iterator[Need]:
    for one in lacking(services):
        yield Need("warn", f"{one.name.replace('sftp', 'SFTP')} needs a look", one.text, "Look at health", "/health",
                   command=one.hint)


def _tenants(services: Services, actor: Actor) -> Iterator[Need]:
    for state, tone in ((TenantState.NEEDS_YOU, "bad"), (TenantState.PARTIAL, "warn")):
        for tenant in services.tenants.list(actor, state=state, limit=_MOST_EACH).items:
            yield Need(
                tone,
                f"{tenant.name}: {tenant.problem or 'a step did not end'}",
                f"{tenant.steps_done} of {tenant.steps_total} steps are done.",
                "Open steps",
                f"/tenants/{tenant.slug}",
            )


def _choices(services: Services, actor: Actor) -> Iterator[Need]:
    if actor.tenant is None:
        states = [one.state for one in services.drift.list(actor, limit=_MOST_EACH).items]
    else:
        states = [services.drift.state(actor, actor.tenant)]
    for state in states:
        if state.by_hand:
            yield Need(
                "warn", f"{state.name}: {plural(state.by_hand, 'dashboard')} changed in Grafana by hand",
                "Nothing is written over until somebody chooses between theirs and ours.", "Choose",
                f"/tenants/{state.slug}/workspace#by-hand",
            )


def _deliveries(services: Services, actor: Actor) -> Iterator[Need]:
    above = "" if actor.tenant is None else f"/tenants/{services.tenants.get(actor, actor.tenant).slug}"
    failed = services.notifications.list(actor, state="failed", limit=_MOST_EACH)
    seen = set()
    for delivery in failed.items:
        reason = (delivery.tenant_id, delivery.channel, delivery.error)
        if reason in seen:
            continue
        seen.add(reason)
        yield Need(
            "bad",
            f"{delivery.title}: not sent to {delivery.channel}",
            f"{delivery.error or 'No reason is known.'} {delivery.hint or ''}".strip(),
            "Open deliveries",
            f"{above}/deliveries?state=failed",
            delivery.created_at,
        )


def _files(services: Services, actor: Actor) -> Iterator[Need]:
    """Say which files wait or were refused of late, and which places are wrong: what is older was seen by then."""
    above = "" if actor.tenant is None else f"/tenants/{services.tenants.get(actor, actor.tenant).slug}"
    waiting = services.uploads.list(actor, state=UploadState.WAITING, limit=1).items
    if waiting:
        number = services.uploads.totals(actor).by_state.get(UploadState.WAITING, 1)
        yield Need(
            "warn", f"{plural(number, 'file waits', 'files wait')} to be stored",
            f"{waiting[0].error or 'The store is away.'} None is lost; it goes on by itself.", "Open uploads",
            f"{above}/uploads?state=waiting", waiting[0].received_at,
        )
    since = utc_now() - _LATELY
    refused = [
        one for one in services.uploads.list(actor, state=UploadState.REFUSED, limit=_MOST_EACH).items
        if one.ended_at is not None and one.ended_at > since
    ]
    if refused:
        shown = f"{len(refused)} or more" if len(refused) == _MOST_EACH else str(len(refused))
        yield Need(
            "warn", f"{shown} {'file' if len(refused) == 1 else 'files'} refused since yesterday",
            f"The newest is `{refused[0].name}`. {refused[0].error or ''}".strip(), "Open uploads",
            f"{above}/uploads?state=refused", refused[0].ended_at,
        )
    for trouble in services.intake.troubles(actor)[:_MOST_EACH]:
        place = f"`{trouble.path}`" if trouble.path else "A tenant's folder"
        yield Need("warn", f"{place} is not read", trouble.error, "Open uploads", f"{above}/uploads", trouble.since)


def _password(services: Services, actor: Actor) -> Iterator[Need]:
    if any(one.name == actor.name and one.must_change_password for one in services.accounts.list(actor)):
        yield _given_password()


def _own_password(services: Services, actor: Actor) -> Iterator[Need]:
    if actor.person is not None and services.accounts.own(actor).must_change_password:
        yield _given_password()


def _given_password() -> Need:
    return Need(
        "warn",
        "Your password was printed or given to you",
        "Whoever saw it can sign in as you. Choose your own.",
        "Choose a password",
        "/me#password",
    )


def _camera(services: Services, _actor: Actor) -> Iterator[Need]:
    if not services.settings.capture_enabled:
        return
    camera = services.previews.camera()
    if not camera.ready:
        yield Need(
            "warn", "No previews can be taken", f"{camera.text} {camera.hint}".strip(), "Look at health", "/health"
        )


def _history(services: Services, _actor: Actor) -> Iterator[Need]:
    checked = services.history.last_check()
    if checked is not None and checked.ending.get("ok") is False:
        yield Need(
            "bad",
            "The history is not whole",
            "A line was changed or taken out. The page says which.",
            "Open history",
            "/history",
            checked.at,
        )


_LOOKS: Final[tuple[tuple[str, Callable[[Services, Actor], Iterator[Need]]], ...]] = (
    ("The queue", _runners),
    ("This host", _lacking),
    ("Tenants", _tenants),
    ("Workspaces", _choices),
    ("Deliveries", _deliveries),
    ("Files", _files),
    ("Previews", _camera),
    ("Operators", _password),
    ("The history", _history),
)

_MEMBER_LOOKS: Final[tuple[tuple[str, Callable[[Services, Actor], Iterator[Need]]], ...]] = (
    ("The tenant", _tenants),
    ("The workspace", _choices),
    ("Deliveries", _deliveries),
    ("Files", _files),
    ("Your account", _own_password),
)
"""What members see of it: their tenant's, and their own password."""
