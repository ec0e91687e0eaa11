"""What people do with uploads: list, look, try again.

What is not here: what becomes of files by themselves (`take.py`).
"""

import os
from datetime import datetime
from uuid import UUID

from belvedere.audit.model import History
from belvedere.intake.files import Folder, Root, is_absent, sentence
from belvedere.intake.model import Totals, Upload, UploadState
from belvedere.intake.names import name_of
from belvedere.intake.uploads import store
from belvedere.intake.uploads.measured import Span, merged, spans_of
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import Conflict, Later, NotFound, Rejected
from belvedere.kernel.page import Page
from belvedere.tenants.service import Tenants

_MOST = 200
_MOST_MEASURED = 5000
Spans = list[Span]
_AGAIN = frozenset({UploadState.REFUSED, UploadState.WAITING, UploadState.LEFT})


class Uploads:
    """Files that came in, as people see them."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, root: Root, now: Now = utc_now
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._root = root
        self._now = now

    def list(
        self, actor: Actor, *, tenant: int | str | None = None, campaign: UUID | str | None = None, state: str = "",
        text: str = "", after: str | None = None, limit: int = 50,
    ) -> Page[Upload]:
        """Return uploads without their reports, the newest first; `after` is the `next` of the page before.

        Raises:
            Rejected: there is no such state.
        """
        serial = self._serial(actor, tenant)
        if state and state not in set(UploadState):
            message = f"No state named {state!r}. Use {', '.join(UploadState)}."
            raise Rejected(message, field="state")
        limit = max(1, min(limit, _MOST))
        with self._database.for_actor(actor) as connection:
            found = store.listed(
                connection, serial=serial, campaign=_uuid(campaign), state=state, text=text, after=_uuid(after),
                limit=limit + 1,
            )
        return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def get(self, actor: Actor, ident: UUID | str) -> Upload:
        """Return one upload with its report.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, _must(ident))
        if found is None:
            message = "No such upload here."
            raise NotFound(message)
        actor.must(Role.VIEWER, found.tenant_id)
        return found

    def totals(
        self, actor: Actor, *, tenant: int | str | None = None, campaign: UUID | str | None = None
    ) -> Totals:
        """Count uploads by state, and what they brought."""
        serial = self._serial(actor, tenant)
        with self._database.for_actor(actor) as connection:
            return store.totals(connection, serial=serial, campaign=_uuid(campaign), now=self._now())

    def measured(self, actor: Actor, campaign: UUID | str) -> Spans:
        """Return the spans of time in which the newest uploads of a campaign have data, in order, without holes."""
        actor.must(Role.VIEWER, actor.tenant)
        with self._database.for_actor(actor) as connection:
            found = store.measured(connection, _must(campaign), _MOST_MEASURED)
        return merged(
            span for one in found for span in spans_of(
                one["first_at"], one["last_at"],
                [(datetime.fromisoformat(gap["start"]), datetime.fromisoformat(gap["end"])) for gap in one["gaps"]],
            )
        )

    def head(self, actor: Actor, ident: UUID | str, most: int = 4096) -> bytes:
        """Return the first bytes of a file, wherever it lies now; none when it is gone or may not be read."""
        upload = self.get(actor, ident)
        path = name_of(upload.moved_to or upload.path)
        folder, _, name = path.rpartition("/")
        try:
            with self._home(upload) as home, home.below(folder) as inside, inside.opened(name) as (descriptor, _):
                return os.pread(descriptor, max(1, min(most, 1 << 20)), 0)
        except (OSError, NotFound):
            return b""

    def try_again(self, actor: Actor, ident: UUID | str) -> Upload:
        """Have a file read again that was refused, waits or was left; a refused one goes back to where it came.

        Raises:
            Rejected: it went well, or is gone.
            Conflict: another file lies where it came.
            Later: it cannot be moved now.
        """
        upload = self.get(actor, ident)
        actor.must(Role.EDITOR, upload.tenant_id)
        if upload.state not in _AGAIN:
            message = f"This upload is {upload.state}; only refused, waiting and left ones can be tried again."
            raise Rejected(message, code="state")
        self._must_be_there(upload)
        with (
            self._history.action(actor, "upload.try-again", upload.path, tenant=upload.tenant_id),
            self._database.for_actor(actor) as connection,
        ):
            if not store.reopen(connection, upload.id, self._now()):
                message = "This upload has changed meanwhile. Look at it again."
                raise Conflict(message)
            self._queue.enqueue(connection, "intake.take", str(upload.tenant_id))
            signal(connection, f"tenant.{upload.tenant_id}", f"campaign.{upload.campaign_id}", "uploads")
        return self.get(actor, upload.id)

    def _must_be_there(self, upload: Upload) -> None:
        """Refuse what cannot be brought back; the tenant's job does that, and looks again."""
        here, moved = (self._exists(upload, name_of(path)) for path in (upload.path, upload.moved_to or ""))
        if upload.moved_to and here:
            message = "Another file lies where this one came. Take that one away first."
            raise Conflict(message, code="exists")
        if not here and not moved:
            message = "The file is gone. Send it again."
            raise Rejected(message, code="gone")

    def _exists(self, upload: Upload, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        try:
            with self._home(upload) as home, home.below(folder) as inside:
                return bool(name) and inside.stat(name) is not None
        except OSError as error:
            if is_absent(error):
                return False
            code, said = sentence(error)
            raise Later(said, code=code) from error

    def _home(self, upload: Upload) -> Folder:
        tenant = self._tenants.find(upload.tenant_id)
        home = self._root.home(tenant.name) if tenant is not None else None
        if home is None:
            raise NotFound
        return home

    def _serial(self, actor: Actor, tenant: int | str | None) -> int | None:
        serial = self._tenants.get(actor, tenant).serial if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, serial)
        return serial


def _uuid(given: UUID | str | None) -> UUID | None:
    return _must(given) if given else None


def _must(given: UUID | str) -> UUID:
    try:
        return given if isinstance(given, UUID) else UUID(given)
    except ValueError:
        message = "No such upload here."
        raise NotFound(message) from None
