"""The workspaces room's jobs."""

from belvedere.jobs.model import Job
from belvedere.workspaces.service import Workspaces


def jobs(workspaces: Workspaces) -> list[Job]:
    """Return the room's jobs; their keys are tenants' serial numbers."""
    return [
        Job(
            name="workspaces.provision",
            run=lambda key: workspaces.provision(int(key)),
            help="Open a tenant's workspace.",
        ),
        Job(
            name="workspaces.remove-tenant",
            run=lambda key: workspaces.remove_tenant(int(key)),
            help="Close the workspace of a tenant that is being deleted.",
        ),
    ]
