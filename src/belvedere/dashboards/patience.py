"""How long a tenant's tables may keep a runner, and when one whose look failed is looked at again.

A tenant decides how long reading its views takes, and whether they give way to a time-out. So one look, all looks of
one job, and the looks at one table over the hours are bounded each on its own. What is not here: one tenant's share of
the runner's threads (`turns.py`), the end of a session that does not give way (`stores/reader/`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.dashboards.model import DashboardState

_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds, all in seconds.

    `look_s` is the time of one look; its session is ended 5 s after that. No look of a job begins later than `begin_s`
    after the first, so one endless view leaves time for the others, and a job takes 21 s at most; `rest_s` later
    another goes on with the rest, and whoever waited meanwhile comes before it. A look that failed for a passing
    reason, such as a lock, is repeated after `passing_s`, any other after `first_s`; twice as long each time it fails
    again, and at most `most_s`.
    """

    look_s: float = 5.0
    begin_s: float = 11.0
    rest_s: float = 1.0
    passing_s: float = 5.0
    first_s: float = 60.0
    most_s: float = 3600.0

    def delay_s(self, state: DashboardState, failures: int) -> float:
        """Return how long a table is left alone after so many failures in a row, the last of which led to `state`."""
        first_s = self.passing_s if state is DashboardState.WAITING else self.first_s
        return min(first_s * 2.0 ** min(max(failures, 1) - 1, _MOST_DOUBLINGS), self.most_s)
