"""Deliveries: what is announced goes to each channel of its tenant, is tried until it is there, and says how it stands.

What is not here: how a channel speaks (`slack.py`, `outbox.py`), who announces (`previews/`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.kernel.secret import Secret
from belvedere.notifications import store
from belvedere.notifications.model import (
    Announcement,
    Channel,
    Check,
    Delivery,
    Entry,
    Message,
    Outcome,
    RateLimited,
)
from belvedere.notifications.outbox import Outbox

MOST_ATTEMPTS: Final = 10
MOST_PATIENCE: Final = timedelta(hours=24)
"""A message that could not go out for so long is given up, also when the channel only ever asked to wait."""

_PAUSES_S: Final = (3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0)
_MENDABLE: Final = ("slack-token", "slack-channel", "slack-scope", "no-channel")
"""Problems that other credentials mend."""

ReadCredential = Callable[[int, str], Secret | None]
"""Return a tenant's credential by its key, or None."""

OpenSlack = Callable[[Secret, str], Channel]
"""Make a channel from a bot token and a channel's ID."""


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """A token and a channel, from the tenant's credentials or from the installation's settings."""

    token: Secret
    channel: str


class Notifications:
    """Messages about dashboards, and what became of each."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue,
        history: History,
        pictures: Path,
        read_credential: ReadCredential,
        open_slack: OpenSlack,
        slack_token: Secret,
        slack_channel: str,
        now: Now = utc_now,
    ) -> None:
        """`slack_token` and `slack_channel` serve tenants without their own; `pictures` is the pictures' folder."""
        self._database = database
        self._queue = queue
        self._history = history
        self._pictures = pictures
        self._read_credential = read_credential
        self._open_slack = open_slack
        self._common = SlackAccess(slack_token, slack_channel)
        self._now = now

    # --- what upper rooms call, in their own transaction ------------------------------------------------------

    def announce(self, connection: Connection, announced: Announcement, *, again: bool = False) -> None:
        """Have a dashboard told to every channel of its tenant, once; `again` tells it once more.

        One that waits and was not begun yet gets the newer picture instead of a second message.
        """
        occasion = str(new_id()) if again else "new"
        slack = self._slack(announced.tenant)
        channels = [("outbox", "outbox"), *([("slack", slack.channel)] if slack else [])]
        for kind, channel in channels:
            made = store.add(
                connection, announced, kind=kind, channel=channel, occasion=occasion, now=self._now()
            )
            if made is not None:
                self._queue.enqueue(connection, "notifications.deliver", str(made))
        _tell(connection, announced.tenant)

    def forget_dashboard(self, connection: Connection, dashboard_id: UUID) -> None:
        """Stop what waits to tell of a dashboard that is gone."""
        store.forget_dashboard(connection, dashboard_id)
        signal(connection, "deliveries")

    def forget_tenant(self, connection: Connection, tenant: int) -> None:
        """Remove all deliveries of a tenant that goes."""
        store.forget_tenant(connection, tenant)
        signal(connection, "deliveries")

    def _slack(self, tenant: int) -> SlackAccess | None:
        token = self._read_credential(tenant, "SLACK_BOT_TOKEN") or self._common.token
        channel = self._read_credential(tenant, "SLACK_CHANNEL_ID")
        name = channel.reveal().strip() if channel else self._common.channel
        return SlackAccess(token, name) if token and name else None

    # --- what doors ask --------------------------------------------------------------------------------------

    def list(
        self,
        actor: Actor,
        *,
        tenant: int | None = None,
        state: str | None = None,
        dashboard_id: UUID | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Delivery]:
        """Return deliveries, newest first, of one tenant or of all that the actor may see."""
        seen = tenant if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, seen)
        with self._database.for_actor(actor) as connection:
            found = store.listed(
                connection, tenant=seen, state=state, dashboard_id=dashboard_id, after=UUID(after) if after else None,
                limit=limit + 1,
            )
            total = sum(
                many for one, many in store.counted(connection, tenant=seen).items() if state in {None, one}
            )
        more = str(found[limit - 1].id) if len(found) > limit else None
        return Page(found[:limit], more, None if dashboard_id else total)

    def counts(self, actor: Actor, *, tenant: int | None = None) -> dict[str, int]:
        """Return how many deliveries there are in each state."""
        seen = tenant if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, seen)
        with self._database.for_actor(actor) as connection:
            return store.counted(connection, tenant=seen)

    def get(self, actor: Actor, delivery_id: UUID) -> Delivery:
        """Return one delivery.

        Raises:
            NotFound: there is none, or it is not the actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, delivery_id)
        if found is None:
            raise NotFound
        actor.must(Role.VIEWER, found.tenant_id)
        return found

    def sent_at(self, actor: Actor, dashboard_ids: Sequence[UUID]) -> dict[UUID, datetime]:
        """Return when each of these dashboards was first told of, for lists."""
        with self._database.for_actor(actor) as connection:
            return store.sent_at(connection, list(dashboard_ids))

    def send_again(self, actor: Actor, delivery_id: UUID) -> None:
        """Send a message once more, to every channel that its tenant has now; the old delivery stays as it is.

        Raises:
            NotFound: there is no such delivery, or it is not the actor's to see.
        """
        old = self.get(actor, delivery_id)
        actor.must(Role.EDITOR, old.tenant_id)
        with (
            self._history.action(actor, "delivery.send-again", old.title, tenant=old.tenant_id, delivery=str(old.id)),
            self._database.for_actor(actor) as connection,
        ):
            self.announce(
                connection,
                Announcement(
                    tenant=old.tenant_id, dashboard_id=old.dashboard_id, title=old.title, url=old.url,
                    creator=old.creator, gif_path=old.gif_path, png_path=old.png_path, reason=old.reason,
                ),
                again=True,
            )

    def send_waiting(self, actor: Actor, *, tenant: int | None = None) -> int:
        """Try every waiting delivery now; return how many there are."""
        seen = tenant if tenant is not None else actor.tenant
        actor.must(Role.EDITOR, seen)
        with (
            self._history.action(actor, "delivery.send-waiting", "deliveries", tenant=seen) as ending,
            self._database.for_actor(actor) as connection,
        ):
            found = store.hurry(connection, seen)
            for delivery_id in found:
                self._queue.enqueue(connection, "notifications.deliver", str(delivery_id))
            ending.note(deliveries=len(found))
        return len(found)

    def test(self, actor: Actor, tenant: int) -> Sequence[Check]:
        """Try a tenant's channels without sending a message. It may enter a public Slack channel."""
        actor.must(Role.EDITOR, tenant)
        with self._history.action(actor, "delivery.test", "channels", tenant=tenant) as ending:
            slack = self._slack(tenant)
            if slack is None:
                hint = "Add the credentials SLACK_BOT_TOKEN and SLACK_CHANNEL_ID to have messages in Slack."
                text = "No chat is connected. Messages stand in the outbox."
                checks = [Check("outbox", ok=True, text=text, hint=hint)]
            else:
                checks = self._open_slack(slack.token, slack.channel).check()
            ending.note(failed=sum(not check.ok for check in checks))
        return checks

    # --- jobs --------------------------------------------------------------------------------------------------

    def deliver(self, key: str) -> None:
        """Try delivery `key`: the job `notifications.deliver`. Whatever is to come later is on the queue."""
        delivery_id = UUID(key)
        with self._database.transaction() as connection:
            found = store.get(connection, delivery_id)
            if found is None or found.state != "waiting":
                return
            if found.next_try_at is not None and found.next_try_at > self._now():
                pause_s = (found.next_try_at - self._now()).total_seconds()
                self._queue.enqueue(connection, "notifications.deliver", key, in_s=pause_s)
                return
            begun = store.start(connection, delivery_id)
        if begun is None:
            return
        number, counting = begun
        failpoint("notifications.deliver.begun")
        try:
            with self._history.action(
                SYSTEM, "delivery.send", found.title, tenant=found.tenant_id, channel=found.channel, attempt=number
            ):
                outcome = self._channel(found).deliver(self._message(found), _Kept(self._database, found, self._now))
                failpoint("notifications.deliver.delivered")
                self._sent(found, number, outcome)
        except Later as error:
            self._later(found, number, counting, error)
        except Stuck as error:
            self._stuck(found, number, error)

    def _channel(self, delivery: Delivery) -> Channel:
        if delivery.channel_kind == "outbox":
            return Outbox()
        slack = self._slack(delivery.tenant_id)
        if slack is None:
            message = "The tenant has no Slack credentials any more."
            hint = "Add SLACK_BOT_TOKEN and SLACK_CHANNEL_ID; it is then sent by itself."
            raise Stuck(message, hint=hint, code="no-channel")
        # The channel of the delivery, not of now: its first steps may have gone there.
        return self._open_slack(slack.token, delivery.channel)

    def _message(self, delivery: Delivery) -> Message:
        relative = delivery.gif_path or delivery.png_path
        return Message(
            key=str(delivery.id), title=delivery.title, url=delivery.url, creator=delivery.creator,
            picture=self._pictures / relative if relative else None, reason=delivery.reason,
        )

    def _sent(self, delivery: Delivery, number: int, outcome: Outcome) -> None:
        with self._database.transaction() as connection:
            store.end_sent(
                connection, delivery.id, number, fallback=outcome.fallback, doubt=outcome.doubt, now=self._now()
            )
            _tell(connection, delivery.tenant_id)
            failpoint("notifications.deliver.before-commit")

    def _later(self, delivery: Delivery, number: int, counting: int, error: Later) -> None:
        now = self._now()
        asked = isinstance(error, RateLimited)
        enough = now - delivery.created_at > MOST_PATIENCE or (counting >= MOST_ATTEMPTS and not asked)
        pause_s = error.retry_in_s if asked else _PAUSES_S[min(counting, len(_PAUSES_S)) - 1]
        text = f"Given up after {counting} tries. {error.detail}" if enough else error.detail
        with self._database.transaction() as connection:
            again = None if enough else now + timedelta(seconds=pause_s)
            store.end_unsent(
                connection, delivery.id, number, error=text, code=error.problem,
                hint="Send again when it is well." if enough else error.hint,
                next_try_at=again, free=asked,
            )
            if again is not None:
                if asked:
                    store.wait_too(connection, delivery.channel, delivery.tenant_id, again)
                self._queue.enqueue(connection, "notifications.deliver", str(delivery.id), in_s=pause_s)
            _tell(connection, delivery.tenant_id)

    def _stuck(self, delivery: Delivery, number: int, error: Stuck) -> None:
        with self._database.transaction() as connection:
            store.end_unsent(
                connection, delivery.id, number, error=error.detail, hint=error.hint, code=error.problem,
                next_try_at=None, free=False,
            )
            _tell(connection, delivery.tenant_id)

    def check(self, key: str) -> None:
        """Try what failed for want of a working token or channel: `notifications.check`, when credentials changed."""
        tenant = int(key)
        slack = self._slack(tenant)
        if slack is None:
            return
        with self._database.transaction() as connection:
            since = self._now() - MOST_PATIENCE
            reopened = store.reopen(
                connection, tenant, kind="slack", codes=list(_MENDABLE), channel=slack.channel, since=since
            )
            for delivery_id in reopened:
                self._queue.enqueue(connection, "notifications.deliver", str(delivery_id))
            _tell(connection, tenant)

    def sweep(self, _key: str) -> None:
        """Wake deliveries that wait and that the queue lost sight of: the job `notifications.sweep`."""
        with self._database.transaction() as connection:
            for delivery_id in store.waiting(connection, self._now() - timedelta(minutes=5)):
                self._queue.enqueue(connection, "notifications.deliver", str(delivery_id))


def _tell(connection: Connection, tenant: int) -> None:
    signal(connection, "deliveries", f"tenant.{tenant}", "attention")


class _Kept:
    """The ledger of one delivery, in the control database; each call is a transaction of its own."""

    def __init__(self, database: Database, delivery: Delivery, now: Now) -> None:
        self._database = database
        self._delivery = delivery
        self._now = now

    def entry(self, step: str) -> Entry | None:
        with self._database.transaction() as connection:
            return store.entry(connection, self._delivery.id, step)

    def tries(self, step: str) -> int:
        with self._database.transaction() as connection:
            return store.tries(connection, self._delivery.id, step)

    def begin(self, step: str) -> None:
        with self._database.transaction() as connection:
            store.begin(connection, self._delivery, step, self._now())

    def finish(self, step: str, result: dict[str, Any]) -> None:
        with self._database.transaction() as connection:
            store.finish(connection, self._delivery.id, step, result, self._now())

    def undo(self, step: str) -> None:
        with self._database.transaction() as connection:
            store.undo(connection, self._delivery.id, step)
