"""The tenants room's jobs."""

from belvedere.jobs.model import Job
from belvedere.tenants.service import Tenants


def jobs(tenants: Tenants) -> list[Job]:
    """Return the room's jobs."""
    return [
        Job(
            name="tenants.purge",
            run=lambda key: tenants.purge(int(key)),
            help="Forget a tenant whose databases, workspace and pictures are gone.",
        )
    ]
