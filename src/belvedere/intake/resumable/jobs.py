"""What runners do for files that come over HTTP."""

from belvedere.intake.resumable.service import Resumable
from belvedere.jobs.model import Job

_EVERY_S = 600.0


def jobs(resumable: Resumable) -> list[Job]:
    """Return the jobs of this room."""

    def tidy(_key: str) -> None:
        resumable.tidy()

    return [
        Job("intake.tidy-http", tidy, "End uploads over HTTP that were left, and put whole ones in their place.",
            every_s=_EVERY_S, priority=-5),
    ]
