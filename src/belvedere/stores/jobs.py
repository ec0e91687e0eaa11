"""The stores room's jobs."""

from belvedere.jobs.model import Job
from belvedere.stores.service import Stores


def jobs(stores: Stores) -> list[Job]:
    """Return the room's jobs."""
    return [
        Job(
            name="stores.provision",
            run=lambda key: stores.provision(int(key)),
            help="Make or repair a tenant's logins, databases and default credentials.",
            most_attempts=20,
        ),
        Job(
            name="stores.remove-tenant",
            run=lambda key: stores.remove_tenant(int(key)),
            help="Drop a deleted tenant's databases and logins, or close them where the data are kept.",
            most_attempts=20,
        ),
        Job(
            name="stores.check-all",
            run=lambda _: stores.check_all(),
            help="Look for drift in every tenant's logins and databases and repair it.",
            every_s=900,
        ),
    ]
