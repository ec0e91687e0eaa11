"""A campaign's dashboard is renewed once values came: at once for a file alone, now and then during a flood of them.

The look at the campaign finds another range and other panels; where nothing of that moved, no workspace is touched and
only the picture is taken anew. What is not here: the look (`following.py`), pictures (`previews/`).
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.dashboards import store
from belvedere.dashboards.campaigns import Campaigns
from belvedere.dashboards.following import Following, Stores
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.clock import Now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import NotFound
from belvedere.kernel.failpoints import failpoint

QUIET_S: Final = 2.0
"""Values that came so long ago without more after them are all there are for now."""

APART_S: Final = 10.0
"""Two renewals of one dashboard are at least so far apart, and so are its pictures."""

MOST_PATIENCE_S: Final = 60.0
"""While values keep coming, a dashboard is renewed every so often."""

_AGAIN_S: Final = 1.0


def pause_s(newest_at: datetime, renewed_at: datetime | None, now: datetime) -> float:
    """Return how long a renewal waits for more values, in seconds: 0 for the first ones after a pause."""
    if renewed_at is None:
        return 0.0
    since_s, quiet_s = ((now - one) / timedelta(seconds=1) for one in (renewed_at, newest_at))
    return max(0.0, min(MOST_PATIENCE_S - since_s, max(APART_S - since_s, QUIET_S - quiet_s)))


class Renewing:
    """Renews the dashboards of campaigns."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, stores: Stores, following: Following,
        campaigns: Campaigns, now: Now,
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._stores = stores
        self._following = following
        self._campaigns = campaigns
        self._now = now

    def renew(self, key: str) -> None:
        """Show the newest values of campaign `key`: the job `dashboards.renew`.

        A campaign without a dashboard gets one by another way, and one whose dashboard shows them already needs none.

        Raises:
            Later: its store did not answer.
        """
        campaign = self._campaigns.one(UUID(key))
        if campaign is None or campaign.newest_at is None:
            return
        with self._database.transaction() as connection:
            shown = store.of_campaign(connection, campaign.tenant_id, campaign.store_kind, campaign.table)
            if shown is None or (shown.values_at is not None and shown.values_at >= campaign.newest_at):
                return
            wait_s = pause_s(campaign.newest_at, shown.renewed_at, self._now())
            if wait_s:
                self._queue.enqueue(connection, "dashboards.renew", key, in_s=wait_s)
                return
        try:
            facts = self._stores.get(SYSTEM, shown.store_id)
        except NotFound:
            return
        with (
            self._following.turn(facts, again_s=_AGAIN_S),
            self._history.action(SYSTEM, "dashboard.renew", shown.title, tenant=campaign.tenant_id),
        ):
            self._following.follow(facts, campaign.table, anew=True)
            failpoint("dashboards.renew.followed")
            with self._database.transaction() as connection:
                if store.renewed(connection, shown.id, values_at=campaign.newest_at, now=self._now()):
                    self._queue.emit(connection, "dashboard.renewed", str(shown.id))
                    signal(connection, f"tenant.{campaign.tenant_id}", f"dashboard.{shown.id}")
                failpoint("dashboards.renew.before-commit")
