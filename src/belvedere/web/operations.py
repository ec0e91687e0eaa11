"""What runs: jobs of the queue, deliveries of all tenants."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, request

from belvedere.jobs.model import JobState
from belvedere.kernel.page import Page
from belvedere.web import context

blueprint = Blueprint("operations", __name__)

_JOB_STATES: Final = (JobState.FAILED, JobState.WORKING, JobState.WAITING, JobState.SUCCEEDED)


@blueprint.get("/jobs")
def jobs() -> Response:
    """Answer: what works, waits, is stuck?"""
    services, actor = context.services(), context.actor()
    state, after = request.args.get("state", ""), request.args.get("after", "")
    overview = services.queue.overview(actor)
    return context.page(
        "jobs.html",
        overview=overview,
        state=state,
        after=after,
        states=[(one, getattr(overview, one)) for one in _JOB_STATES],
        found=services.queue.list(actor, state=state or None, after=after or None),
        subjects=_Subjects(),
    )


class _Subjects:
    """Names for the keys of jobs, where a key is a tenant's number; asked for once a page."""

    def __init__(self) -> None:
        self._known: dict[str, str] | None = None

    def __call__(self, key: str) -> str:
        if self._known is None:
            listed = context.services().tenants.list(context.actor(), limit=200).items
            self._known = {str(one.serial): one.name for one in listed}
        return self._known.get(key, "")


@blueprint.post("/jobs/<int:job_id>/try")
def try_now(job_id: int) -> Response:
    """Make a waiting or failed job due at once."""
    context.services().queue.try_now(context.actor(), job_id)
    return context.done("Due now.", "operations.jobs", **_kept("state"))


@blueprint.get("/deliveries")
def deliveries() -> Response:
    """Answer: is chat up, what waits?"""
    services, actor = context.services(), context.actor()
    state, after = request.args.get("state", ""), request.args.get("after", "")
    found = services.notifications.list(actor, state=state or None, after=after or None)
    return context.page(
        "deliveries.html",
        found=found,
        counts=services.notifications.counts(actor),
        state=state,
        after=after,
        names=_names(found),
    )


def _names(found: Page[Any]) -> Mapping[int, Any]:
    services, actor = context.services(), context.actor()
    wanted = {one.tenant_id for one in found.items}
    return {serial: services.tenants.get(actor, serial) for serial in wanted}


def again(delivery_id: UUID) -> None:
    """Send a message once more, for the pages that offer it."""
    context.services().notifications.send_again(context.actor(), delivery_id)


@blueprint.post("/deliveries/<uuid:delivery_id>/again")
def send_again(delivery_id: UUID) -> Response:
    """Send a message once more."""
    again(delivery_id)
    return context.done("On its way again.", "operations.deliveries", **_kept("state"))


@blueprint.post("/deliveries/send-waiting")
def send_waiting() -> Response:
    """Try every waiting delivery now."""
    number = context.services().notifications.send_waiting(context.actor())
    return context.done(f"{number} on their way." if number else "Nothing waits.", "operations.deliveries")


def _kept(*names: str) -> dict[str, str]:
    return {name: value for name in names if (value := request.args.get(name, ""))}
