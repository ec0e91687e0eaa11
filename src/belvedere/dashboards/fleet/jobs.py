"""The job about the fleet's dashboard."""

from belvedere.dashboards.fleet.service import Fleet
from belvedere.jobs.model import Job


def jobs(fleet: Fleet) -> list[Job]:
    """Return what runners can do here."""
    return [
        Job(
            name="dashboards.check-fleet",
            run=lambda _: fleet.check(),
            help="Make or repair the operators' dashboard of all uploads in Grafana, where there is an InfluxDB.",
            every_s=900,
        )
    ]
