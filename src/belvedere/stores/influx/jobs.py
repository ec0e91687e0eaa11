"""The jobs about buckets."""

from contextlib import suppress

from belvedere.jobs.model import Job
from belvedere.kernel.errors import NotFound
from belvedere.stores.influx.influx import InfluxPoints


def jobs(points: InfluxPoints | None) -> list[Job]:
    """Return the jobs of an installation that keeps measured values in an InfluxDB, or did so."""
    def provision(key: str) -> None:
        # A tenant that has none, or went meanwhile, needs nothing.
        with suppress(NotFound):
            if points is not None and points.campaigns(int(key)) is not None:
                points.provision(int(key))

    return [
        Job(
            name="stores.provision-points",
            run=provision,
            help="Make or repair a tenant's bucket in InfluxDB and its tokens.",
            most_attempts=20,
        ),
        Job(
            name="stores.check-points",
            run=lambda _: points.check_all() if points is not None else None,
            help="Look for drift in every tenant's bucket and repair it.",
            every_s=900,
        ),
    ]
