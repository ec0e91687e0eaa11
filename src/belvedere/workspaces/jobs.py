"""The workspaces room's jobs."""

from belvedere.jobs.model import Job
from belvedere.workspaces.moves import Moves
from belvedere.workspaces.people import People
from belvedere.workspaces.service import Workspaces

_QUEUE = "workspaces"
_AT_ONCE = 4
"""Of four tenants one writes to Grafana while the others' records are written here: more gain nothing."""


def jobs(workspaces: Workspaces, people: People, moves: Moves) -> list[Job]:
    """Return the room's jobs; their keys are tenants' serial numbers."""
    return [
        Job(
            name="workspaces.provision",
            run=lambda key: moves.provision(int(key)),
            help="Open a tenant's workspace, bring it in step with what changed here, or repair it.",
            most_attempts=20,
            queue=_QUEUE,
            at_once=_AT_ONCE,
        ),
        Job(
            name="workspaces.look-again",
            run=lambda key: workspaces.look_again(int(key)),
            help="Have everything of a tenant's workspace looked at.",
        ),
        Job(
            name="workspaces.remove-tenant",
            run=lambda key: workspaces.remove_tenant(int(key)),
            help="Close the workspace of a tenant that is being deleted.",
            most_attempts=20,
            queue=_QUEUE,
            at_once=_AT_ONCE,
        ),
        Job(
            name="workspaces.check-sources",
            run=workspaces.check_sources,
            help="Ask Grafana whether it reaches a tenant's databases, some seconds after a change.",
            queue=_QUEUE,
            at_once=_AT_ONCE,
        ),
        Job(
            name="workspaces.look-after-members",
            run=people.look_after,
            help="See that members who were taken out of Grafana are out, when its caches have ended.",
            most_attempts=20,
            queue=_QUEUE,
            at_once=_AT_ONCE,
        ),
        Job(
            name="workspaces.leave",
            run=lambda key: moves.leave(int(key)),
            help="Take away the place that a tenant moved from, when the new one is complete.",
            most_attempts=20,
            queue=_QUEUE,
            at_once=_AT_ONCE,
        ),
        Job(
            name="workspaces.check-all",
            run=lambda _: workspaces.check_all(),
            help="Look for drift in every tenant's place in Grafana and repair it.",
            every_s=900,
        ),
    ]
