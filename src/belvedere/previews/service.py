"""Previews: when a dashboard's picture is taken, what becomes of it, who may see it.

One round leads to one picture: it is opened when a dashboard changed or a person asks, tried a few times with growing
pauses, and ends captured or failed. Either end announces the dashboard, in the same transaction.
What is not here: the browser (`capture.py`), the rule (`plan.py`), the message (`notifications/`).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import BelvedereError, NotFound
from belvedere.kernel.failpoints import failpoint
from belvedere.notifications.model import Announcement
from belvedere.notifications.service import Notifications
from belvedere.previews import plan, store
from belvedere.previews.model import (
    Attempt,
    Camera,
    CameraState,
    CaptureFailed,
    Film,
    NoBrowser,
    Preview,
    Subject,
    Subjects,
)
from belvedere.previews.pictures import Pictures
from belvedere.previews.sights import Sights
from belvedere.previews.slots import Slots
from belvedere.previews.tokens import CaptureTokens

KEPT: Final = 10
"""How many ended rounds of a dashboard are kept, with their pictures."""

_BUSY_S: Final = 10.0
_LOST_S: Final = 300.0


class Previews:
    """Pictures of dashboards. `tokens` is what the web door redeems capture tokens with."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue,
        history: History,
        camera: Camera,
        pictures: Pictures,
        slots: Slots,
        tokens: CaptureTokens,
        notifications: Notifications,
        subjects: Subjects,
        sights: Sights,
        browsers: int = 1,
        now: Now = utc_now,
    ) -> None:
        """`sights` opens the way to dashboards' pages; `browsers` is how many of them may run at a time."""
        self._database = database
        self._queue = queue
        self._history = history
        self._camera = camera
        self._pictures = pictures
        self._slots = slots
        self.tokens = tokens
        self._notifications = notifications
        self._subjects = subjects
        self.browsers = browsers
        self._sights = sights
        self._now = now

    # --- what doors ask ------------------------------------------------------------------------------------

    def camera(self) -> CameraState:
        """Tell whether pictures can be taken on this machine, as a sentence, and what to do if not."""
        return self._camera.state()

    def latest(self, actor: Actor, dashboard_id: UUID) -> Preview | None:
        """Return the newest round of a dashboard, or None."""
        with self._database.for_actor(actor) as connection:
            found = store.latest(connection, dashboard_id)
        return found if found and actor.may(Role.VIEWER, found.tenant_id) else None

    def picture(self, actor: Actor, dashboard_id: UUID) -> Preview | None:
        """Return the newest round of a dashboard that has a moving picture, or None: what a card shows."""
        with self._database.for_actor(actor) as connection:
            found = store.latest_captured(connection, dashboard_id)
        return found if found and actor.may(Role.VIEWER, found.tenant_id) else None

    def latest_of(self, actor: Actor, dashboard_ids: Sequence[UUID]) -> Mapping[UUID, Preview]:
        """Return the newest round of each of these dashboards that has one, by dashboard: for lists."""
        with self._database.for_actor(actor) as connection:
            found = store.latest_of(connection, list(dashboard_ids))
        return {one.dashboard_id: one for one in found if actor.may(Role.VIEWER, one.tenant_id)}

    def list(self, actor: Actor, dashboard_id: UUID, *, limit: int = 50) -> list[Preview]:
        """Return the rounds of a dashboard, newest first."""
        with self._database.for_actor(actor) as connection:
            found = store.of_dashboard(connection, dashboard_id, limit)
        return [one for one in found if actor.may(Role.VIEWER, one.tenant_id)]

    def get(self, actor: Actor, preview_id: UUID) -> Preview:
        """Return one round.

        Raises:
            NotFound: there is none, or it is not the actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, preview_id)
        if found is None:
            raise NotFound
        actor.must(Role.VIEWER, found.tenant_id)
        return found

    def attempts(self, actor: Actor, preview_id: UUID) -> Sequence[Attempt]:
        """Return the tries of a round, in order."""
        self.get(actor, preview_id)
        with self._database.for_actor(actor) as connection:
            return store.attempts(connection, preview_id)

    def file(self, actor: Actor, preview_id: UUID, kind: str) -> Path:
        """Return where the `gif` or `png` of a round lies.

        Raises:
            NotFound: no such round or picture, or it is not the actor's to see.
        """
        found = self.get(actor, preview_id)
        relative = {"gif": found.gif_path, "png": found.png_path}.get(kind)
        if not relative:
            raise NotFound
        return self._pictures.path(relative)

    def request(self, actor: Actor, dashboard_id: UUID) -> Preview:
        """Have a picture taken now, whether or not the dashboard changed; one that waits is brought forward.

        Raises:
            NotFound: there is no such dashboard, or it is not the actor's to see.
        """
        subject = self._subject(actor, dashboard_id)
        with (
            self._history.action(actor, "preview.request", subject.title, tenant=subject.tenant),
            self._database.for_actor(actor) as connection,
        ):
            store.open_round(connection, subject, actor.name, self._now(), hurry=True)
            made = store.latest(connection, dashboard_id)
            self._queue.enqueue(connection, "previews.capture", str(dashboard_id))
            _tell(connection, subject.tenant, dashboard_id)
        if made is None:
            raise NotFound
        return made

    def send(self, actor: Actor, dashboard_id: UUID) -> None:
        """Send the dashboard's message again, with its newest picture: the page's "Send to chat".

        Raises:
            NotFound: there is no such dashboard, or it is not the actor's to see.
        """
        subject = self._subject(actor, dashboard_id)
        picture = self.picture(actor, dashboard_id)
        with (
            self._history.action(actor, "preview.send", subject.title, tenant=subject.tenant),
            self._database.for_actor(actor) as connection,
        ):
            gif, png = (picture.gif_path, picture.png_path) if picture else (None, None)
            reason = picture.error if picture else "There is no preview yet."
            self._notifications.announce(connection, _announcement(subject, gif, png, reason), again=True)

    def _subject(self, actor: Actor, dashboard_id: UUID) -> Subject:
        subject = self._subjects(dashboard_id)
        if subject is None:
            raise NotFound
        actor.must(Role.EDITOR, subject.tenant)
        return subject

    # --- jobs ----------------------------------------------------------------------------------------------

    def changed(self, key: str) -> None:
        """Open a round for dashboard `key`, which changed: the job `previews.open`.

        Captures come one after the other; a round that is open shows at once who waits for one.
        """
        subject = self._subjects(UUID(key))
        if subject is None:
            return
        with self._database.transaction() as connection:
            if not isinstance(self._decide(connection, subject, self._now()), plan.Nothing):
                self._queue.enqueue(connection, "previews.capture", key)

    def capture(self, key: str) -> None:
        """Take the picture whose turn it is, that of dashboard `key` or an earlier one: the job `previews.capture`.

        Nothing to do, too early, and no free browser are normal ends; whatever is to come later is on the queue.
        """
        subject = self._subjects(UUID(key))
        if subject is None:
            return
        with self._slots.take() as free:
            for chosen in self._turns(subject) if free else [subject]:
                begun = self._begin(chosen, free=free)
                if begun is not None:
                    break
            else:
                return
            preview, number = begun
            failpoint("previews.capture.begun")
            self._camera.end_leftovers()
            self._take(chosen, preview, number)
        # Only now is the place free, so whoever is waked here finds it.
        self._wake()

    def _turns(self, subject: Subject) -> Sequence[Subject]:
        """Return who comes before this one, if anybody, and this one.

        Tenants take turns: one with a hundred tables does not make the others wait for all of them.
        """
        with self._database.transaction() as connection:
            self._decide(connection, subject, self._now())
            first = [self._subjects(one) for one in store.due(connection, self._now(), 1)]
        return [one for one in first if one is not None and one.dashboard_id != subject.dashboard_id] + [subject]

    def _decide(self, connection: Connection, subject: Subject, now: datetime) -> plan.Deed:
        deed = plan.decide(store.latest(connection, subject.dashboard_id), subject.changed_at, now)
        if isinstance(deed, plan.Open):
            store.open_round(connection, subject, SYSTEM.name, now, hurry=False)
            deed = plan.decide(store.latest(connection, subject.dashboard_id), subject.changed_at, now)
        return deed

    def _begin(self, subject: Subject, *, free: bool) -> tuple[Preview, int] | None:
        now = self._now()
        with self._database.transaction() as connection:
            deed = self._decide(connection, subject, now)
            if isinstance(deed, plan.GiveUp):
                self._give_up(connection, subject, deed.preview)
            if isinstance(deed, plan.Capture) and not free:
                # Whoever has the browser wakes the next one; the pause is for the case that it was killed.
                deed = plan.Wait(_BUSY_S)
            if isinstance(deed, plan.Wait):
                self._queue.enqueue(connection, "previews.capture", str(subject.dashboard_id), in_s=deed.seconds)
            if not isinstance(deed, plan.Capture):
                return None
            number = store.start(connection, deed.preview, subject.changed_at, now)
            _tell(connection, subject.tenant, subject.dashboard_id)
        return deed.preview, number

    def _take(self, subject: Subject, preview: Preview, number: int) -> None:
        with self._database.transaction() as connection:
            folder = store.folder(connection, subject.tenant)
        self._pictures.remove_others(folder, preview.id, keep=set())
        desk = self._pictures.desk(folder, preview.id, number)
        try:
            with self._history.action(
                SYSTEM, "preview.capture", subject.title, tenant=subject.tenant, attempt=number
            ) as ending:
                film = self._film(subject, desk)
                ending.note(frames=film.frames, gif_bytes=film.gif_bytes, duration_ms=film.duration_ms)
                self._captured(subject, preview, number, film, folder)
        except CaptureFailed as error:
            self._failed(subject, preview, number, error, folder)
        except NoBrowser as error:
            self._failed(subject, preview, number, error, folder)
        finally:
            self._pictures.clear(desk)

    def _film(self, subject: Subject, desk: Path) -> Film:
        with self._sights.open(subject) as sight:
            try:
                film = self._camera.film(sight.url, desk, sight.entry)
            except OSError as error:
                message = f"The picture could not be written: {error.strerror or error}."
                raise CaptureFailed(message, code="disk") from error
        failpoint("previews.capture.taken")
        return film

    def _captured(self, subject: Subject, preview: Preview, number: int, film: Film, folder: str) -> None:
        gif = self._pictures.place(film.gif, folder, f"{preview.id}-{number}.gif")
        failpoint("previews.capture.half-placed")
        png = self._pictures.place(film.png, folder, f"{preview.id}-{number}.png")
        failpoint("previews.capture.placed")
        with self._database.transaction() as connection:
            if store.end_captured(connection, preview.id, number, film=film, paths=(gif, png), now=self._now()):
                self._notifications.announce(connection, _announcement(subject, gif, png, film.flaw or None))
                _tell(connection, subject.tenant, subject.dashboard_id)
                old = store.forget_old(connection, subject.dashboard_id, KEPT)
            else:
                # Somebody took this runner for dead and began anew; theirs counts.
                old = []
            failpoint("previews.capture.before-commit")
        failpoint("previews.capture.committed")
        for one in old:
            self._pictures.remove_others(folder, one.id, keep=set())

    def _failed(
        self, subject: Subject, preview: Preview, number: int, error: CaptureFailed | NoBrowser, folder: str
    ) -> None:
        now = self._now()
        again = plan.next_try(number, now) if isinstance(error, CaptureFailed) else None
        png = None
        still = error.still if isinstance(error, CaptureFailed) else None
        if still is not None:
            png = self._pictures.place(still, folder, f"{preview.id}-{number}.png")
        with self._database.transaction() as connection:
            current = store.end_failed(
                connection, preview.id, number, error=error.detail, code=error.problem, png_path=png, next_try_at=again,
                now=now,
            )
            if current and again is not None:
                pause_s = (again - now).total_seconds()
                self._queue.enqueue(connection, "previews.capture", str(subject.dashboard_id), in_s=pause_s)
            elif current:
                self._notifications.announce(connection, _announcement(subject, None, png, error.detail))
            _tell(connection, subject.tenant, subject.dashboard_id)
            failpoint("previews.capture.failure-before-commit")

    def _give_up(self, connection: Connection, subject: Subject, preview: Preview) -> None:
        error = f"{preview.attempts} tries were begun and their runner ended each time before the picture was there."
        if store.end_failed(
            connection, preview.id, preview.attempts, error=error, code="runner-died", png_path=None, next_try_at=None,
            now=self._now(),
        ):
            self._notifications.announce(connection, _announcement(subject, None, preview.png_path, error))
            _tell(connection, subject.tenant, subject.dashboard_id)

    def _wake(self) -> None:
        with self._database.transaction() as connection:
            for dashboard_id in store.due(connection, self._now(), 1):
                self._queue.enqueue(connection, "previews.capture", str(dashboard_id))

    def forget(self, key: str) -> None:
        """Remove the pictures of dashboard `key`, which is gone: the job `previews.forget`."""
        dashboard_id = UUID(key)
        with self._database.transaction() as connection:
            gone = store.forget_dashboard(connection, dashboard_id)
            self._notifications.forget_dashboard(connection, dashboard_id)
            folders = {one.tenant_id: store.folder(connection, one.tenant_id) for one in gone}
            failpoint("previews.forget.before-commit")
        for one in gone:
            self._pictures.remove_others(folders[one.tenant_id], one.id, keep=set())

    def remove_tenant(self, key: str) -> None:
        """Remove all pictures and messages of tenant `key`: the job `previews.remove-tenant`, as a tenant goes."""
        tenant = int(key)
        with self._database.transaction() as connection:
            folder = store.folder(connection, tenant)
            store.forget_tenant(connection, tenant)
            self._notifications.forget_tenant(connection, tenant)
        failpoint("previews.remove-tenant.forgotten")
        # The name goes after the files, so that a kill between the two leaves nothing that nobody can find.
        self._pictures.remove_folder(folder)
        failpoint("previews.remove-tenant.files-gone")
        with self._database.transaction() as connection:
            store.forget_folder(connection, tenant)
            self._queue.emit(connection, "tenant.previews-removed", key)

    def tidy(self, _key: str) -> None:
        """End browsers that nobody owns, and wake rounds that nobody works on: the job `previews.tidy`."""
        self._camera.end_leftovers()
        self._pictures.clear_old(self._now() - timedelta(seconds=_LOST_S))
        ready = self._camera.state().ready
        with self._database.transaction() as connection:
            store.drop_old_tokens(connection, self._now())
            lacking = store.lacking_browser(connection) if ready else []
            for dashboard_id in store.unfinished(connection, self._now() - timedelta(seconds=_LOST_S)):
                self._queue.enqueue(connection, "previews.capture", str(dashboard_id))
        for dashboard_id in lacking:
            # A browser came: take the pictures that could not be taken.
            with suppress(BelvedereError):
                self.request(SYSTEM, dashboard_id)


def _announcement(subject: Subject, gif: str | None, png: str | None, reason: str | None) -> Announcement:
    return Announcement(
        tenant=subject.tenant, dashboard_id=subject.dashboard_id, title=subject.title, url=subject.link,
        creator=subject.creator, gif_path=gif, png_path=png, reason=reason,
    )


def _tell(connection: Connection, tenant: int, dashboard_id: UUID) -> None:
    signal(connection, f"tenant.{tenant}", f"dashboard.{dashboard_id}", "attention")
