"""What runs by a timer for the people of the installation: the daily walk over the history.

It stands here because the history lies beside the queue and knows no jobs.
"""

from belvedere.audit.service import FileHistory
from belvedere.jobs.model import Job
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Stuck

_DAY_S = 86_400.0


def jobs(history: FileHistory) -> list[Job]:
    """Return the jobs of this room."""

    def verify(_key: str) -> None:
        found = history.check(SYSTEM)
        if found.broken_at:
            message = f"The history is not whole: {found.broken_at.file}, line {found.broken_at.line}."
            raise Stuck(message, hint="belvedere history verify", code="history-broken")

    return [Job("history.verify", verify, "Prove once a day that the history is whole.", every_s=_DAY_S, priority=-5)]
