"""`/fleet`: the operators' dashboard of all uploads in Grafana: how it is, what differs, repairing it."""

from datetime import datetime
from typing import Final

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.api.tenants import PlanView, view_plan
from belvedere.app import Services
from belvedere.kernel.actor import Actor


class FleetView(msgspec.Struct, frozen=True):
    """How the dashboard was at the last look. `state`: none, not yet, ready, changed by hand, waiting, needs you.

    `url` leads to it, empty while it does not stand. `why_not` says why there is none here. `problem` says what stands
    in the way, `problem_type` which page explains it.
    """

    state: str
    url: str
    organisation: int
    why_not: str
    looked_at: datetime | None
    warnings: list[str]
    problem: str
    problem_type: str
    hint: str
    problem_since: datetime | None


class Repair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to repair: with `restore` ours is written over a dashboard that somebody changed by hand."""

    restore: bool = False


def view(services: Services, actor: Actor) -> FleetView:
    """Render how the dashboard is."""
    found = services.fleet.state(actor)
    return FleetView(
        found.word, services.fleet.address(found), found.organisation, found.why_not, found.looked_at,
        [*found.warnings], found.problem, f"/problems/{found.problem_code}" if found.problem_code else "", found.hint,
        found.since,
    )


def get(call: Call[NoQuery, None]) -> Answer:
    """Return how the dashboard was at the last look. Asks no Grafana."""
    return Answer(view(call.services, call.actor))


def plan(call: Call[NoQuery, None]) -> Answer:
    """Compare what stands in Grafana and InfluxDB with what should be there, now."""
    return Answer(view_plan(call.services.fleet.plan(call.actor)))


def apply(call: Call[NoQuery, Repair]) -> Answer:
    """Repair now what differs, and return what was done."""
    return Answer(view_plan(call.services.fleet.apply(call.actor, restore=call.body.restore)))


ROUTES: Final = (
    Route("GET", "/fleet", "fleet.get", "How the dashboard of all uploads is", get, FleetView, refusals=(404,)),
    Route("GET", "/fleet/plan", "fleet.plan", "What differs in it now", plan, PlanView, refusals=(400, 404, 502, 503)),
    Route("POST", "/fleet/apply", "fleet.apply", "Repair it", apply, PlanView, body=Repair,
          refusals=(400, 403, 404, 502, 503)),
)
