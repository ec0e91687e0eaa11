"""The dashboards room's jobs."""

from belvedere.dashboards.service import Dashboards
from belvedere.jobs.model import Job


def jobs(dashboards: Dashboards) -> list[Job]:
    """Return the room's jobs."""
    return [
        Job(
            name="dashboards.reconcile",
            run=dashboards.reconcile,
            help="Bring the dashboards of a store in step with its tables.",
            priority=10,
        ),
        Job(
            name="dashboards.reconcile-tenant",
            run=lambda key: dashboards.reconcile_tenant(int(key)),
            help="Look at all stores of a tenant.",
        ),
        Job(
            name="dashboards.renew",
            run=dashboards.renewing.renew,
            help="Show the newest values of a campaign, and have its picture taken anew.",
        ),
        Job(
            name="dashboards.readdress",
            run=lambda key: dashboards.readdress(int(key)),
            help="Show a tenant's dashboards where its workspace is now.",
            most_attempts=20,
        ),
        Job(
            name="dashboards.reconcile-all",
            run=lambda _key: dashboards.reconcile_all(),
            help="Look at all stores again, behind the watch, and drop dashboards that went long ago.",
            every_s=900.0,
        ),
    ]
