"""Sending files over HTTP: begun, gone on with from where it stopped, put in their place whole, noted.

The row says how many bytes are kept for good; a part that the row does not know of is written over. A process that dies
in the middle loses at most the part that it had not answered. Whoever works on a file holds what came of it
(`Parts.held`); a connection is taken for moments, never while a disk is waited for. What is not here: what becomes of a
file that is in its place (`take.py`), quotas (`room.py`).
"""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final, NoReturn, Protocol
from uuid import UUID

from belvedere.audit.model import History
from belvedere.intake.model import Happening, Noted, Via
from belvedere.intake.names import name_of, text_of
from belvedere.intake.resumable import store
from belvedere.intake.resumable.model import Sending
from belvedere.intake.resumable.parts import Gone, Part, Parts
from belvedere.intake.resumable.place import checked_name, folder_of
from belvedere.intake.resumable.room import Room
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Conflict, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.tenants.service import Tenants

CHUNK_BYTES: Final = 8 << 20
"""Largest part, in bytes, where request bodies may be larger: a part is held in memory while it is checked."""

KEPT: Final = timedelta(days=1)
"""How long a file on its way is kept that nobody goes on with."""

_NO_SUCH: Final = "No such upload here."
_SETTLED: Final = timedelta(minutes=1)
_AT_ONCE: Final = 200
_MOST_LISTED: Final = 200


class Notices(Protocol):
    """What this room needs of `Intake`: to be told that a file is complete."""

    def notice(self, company: str, path: str, what: Happening, *, via: Via, key: str = "") -> Noted:
        """Keep one notice."""


class Resumable:
    """Files that members and tokens of tenants send over HTTP."""

    def __init__(
        self, *, database: Database, history: History, tenants: Tenants, intake: Notices, parts: Parts,
        most_bytes: int, chunk_bytes: int, now: Now = utc_now,
    ) -> None:
        """Take what it needs; `chunk_bytes` is the largest part, in bytes."""
        self._database = database
        self._history = history
        self._tenants = tenants
        self._intake = intake
        self._parts = parts
        self._room = Room(database=database, parts=parts, now=now)
        self._now = now
        self.most_bytes = most_bytes
        self.chunk_bytes = chunk_bytes

    def begin(
        self, actor: Actor, *, tenant: int | str, campaign: str, device: str, name: str, size: int, key: str = ""
    ) -> Sending:
        """Begin to send a file, or find what the same person sent of it before a break.

        Args:
            actor: who sends.
            tenant: whose file it is.
            campaign: the folder in the tenant's folder; it becomes a campaign when it is new.
            device: the folder in that, or several with slashes; may be empty.
            name: the file's name.
            size: its size in bytes.
            key: what the sender calls this content, such as when it was changed; without it, it begins anew.

        Raises:
            Rejected: a name cannot be, the file is too large, or the tenant's quota is used up.
            Conflict: a file lies there that was not read yet, or too many are on their way.
            Later: the disk has no room.
        """
        serial = self._tenants.get(actor, tenant).serial
        actor.must(Role.EDITOR, serial)
        folder, plain = text_of(folder_of(campaign, device)), text_of(checked_name(name))
        known = self._tenants.get(actor, serial)
        with self._history.action(actor, "upload.begin", f"{folder}/{plain}", tenant=serial, bytes=size) as ending:
            if known.deleting:
                raise _leaving(known.name)
            self._check_size(size)
            values = {
                "tenant": serial, "folder": folder, "name": plain, "size": size, "key": key[:200],
                "by": actor.name, "now": self._now(),
            }
            with self._database.transaction() as connection:
                before = store.unfinished(connection, values) if key else None
            if before is not None:
                ending.note(id=before.id, goes_on_at=before.received_bytes)
                return self._settled(actor, before)
            self._room.look(serial, known.name, size)
            self._parts.check_free(known.name, folder, plain)
            made = new_id()
            self._parts.make(known.name, made)
            try:
                self._room.take(known.name, {**values, "id": made})
            except BelvedereError:
                self._remove(known.name, made)
                raise
            ending.note(id=made)
        return self._settled(actor, self.get(actor, made))

    def get(self, actor: Actor, ident: UUID) -> Sending:
        """Return how far one is.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, ident)
        if found is None:
            raise NotFound(_NO_SUCH)
        actor.must(Role.VIEWER, found.tenant_id)
        return found

    def upload_of(self, sending: Sending) -> UUID | None:
        """Return the upload that became of one, once its place was looked at."""
        if sending.done_at is None:
            return None
        with self._database.transaction() as connection:
            return store.upload_at(
                connection, sending.tenant_id, sending.folder, sending.name, sending.done_at - _SETTLED
            )

    def append(self, actor: Actor, ident: UUID, *, offset: int, data: bytes, checksum: str) -> Sending:
        """Keep the next part of a file; after its last one the file is put in its place.

        Args:
            actor: who sends.
            ident: what `begin` returned.
            offset: where the part begins; it must be where the file stands.
            data: the part.
            checksum: `crc32:` or `sha256:` and the digits of it in base 16.

        Raises:
            Rejected: the part does not fit its checksum, is too large, or reaches beyond the end.
            Conflict: the file stands elsewhere (`offset` in the problem says where), or a file lies in its place.
            Later: it cannot be kept now.
        """
        found = self.get(actor, ident)
        actor.must(Role.EDITOR, found.tenant_id)
        if found.done_at is not None:
            return found
        if len(data) > self.chunk_bytes:
            message = f"A part has at most {self.chunk_bytes:,} bytes."
            raise Rejected(message, code="part", field="offset", extra={"most_bytes": self.chunk_bytes})
        if not _fits(data, checksum):
            message = "The part is not what its checksum says. Send it again."
            raise Rejected(message, code="checksum", field="checksum")
        known = self._tenants.get(actor, found.tenant_id)
        if known.deleting:
            raise _leaving(known.name)
        with self._forgetting(known.name, ident), self._parts.held(known.name, ident) as part:
            here = self._mine(ident, part)
            if here.done_at is None and not (here.is_complete and not data):
                self._keep(part, here, offset, data)
        failpoint("intake.resumable.received")
        return self._settled(actor, self.get(actor, ident))

    def cancel(self, actor: Actor, ident: UUID) -> None:
        """Drop a file on its way with all that came of it.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
            Conflict: it is in its place already, another request is at work on it, or the tenant is on its way out.
        """
        found = self.get(actor, ident)
        with self._history.action(
            actor, "upload.cancel", found.path, tenant=found.tenant_id, received=found.received_bytes,
            bytes=found.size_bytes, by=found.begun_by, id=ident,
        ):
            actor.must(Role.EDITOR, found.tenant_id)
            known = self._tenants.get(actor, found.tenant_id)
            if known.deleting:
                raise _leaving(known.name)
            with self._parts.held(known.name, ident) as part:
                here = self.get(actor, ident)
                # Without its bytes a whole one is in its place, or is just being put there.
                if here.done_at is not None or (part is None and here.is_complete):
                    message = "All of it came, and it is in its place. Remove it there."
                    raise Conflict(message, code="sent")
                if part is not None:
                    part.remove()
                failpoint("intake.resumable.dropped")
                with self._database.transaction() as connection:
                    store.drop(connection, ident)
                    signal(connection, f"tenant.{found.tenant_id}", "uploads")

    def list(
        self, actor: Actor, *, tenant: int | str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[Sending]:
        """Return files on their way, those begun last first; `after` is the `next` of the page before.

        Raises:
            NotFound: the actor is confined to another tenant.
        """
        serial = self._tenants.get(actor, tenant).serial if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, serial)
        limit = max(1, min(limit, _MOST_LISTED))
        with self._database.for_actor(actor) as connection:
            found = store.listed(connection, serial, _key(after), limit + 1)
        return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def _mine(self, ident: UUID, part: Part | None) -> Sending:
        """Read anew what is held now; one that was dropped meanwhile leaves nothing.

        Raises:
            NotFound: it was.
        """
        with self._database.transaction() as connection:
            here = store.get(connection, ident)
        if here is None:
            _dropped(part)
        return here

    def _keep(self, part: Part | None, here: Sending, offset: int, data: bytes) -> None:
        if offset != here.received_bytes:
            message = f"The file stands at byte {here.received_bytes:,}, not at {offset:,}. Go on there."
            raise Conflict(message, code="offset", field="offset", extra={"offset": here.received_bytes})
        if offset + len(data) > here.size_bytes:
            message = f"The file was to have {here.size_bytes:,} bytes; this part reaches beyond."
            raise Rejected(message, code="part", field="offset")
        try:
            if part is None:
                raise _lost()
            part.write(offset, data)
        except Gone:
            raise _lost() from None
        with self._database.transaction() as connection:
            is_kept = store.received(connection, here.id, offset + len(data), self._now())
        if not is_kept:
            _dropped(part)

    def _settled(self, actor: Actor, sending: Sending) -> Sending:
        """Put a file in its place of which all bytes are here."""
        if sending.done_at is not None or not sending.is_complete:
            return sending
        tenant = self._tenants.find(sending.tenant_id)
        if tenant is None or tenant.deleting:  # Its folder is removed, and must not come back.
            raise NotFound
        with self._forgetting(tenant.name, sending.id), self._parts.held(tenant.name, sending.id) as part:
            here = self._mine(sending.id, part)
            if here.done_at is None:
                with self._history.action(
                    actor, "upload.receive", here.path, tenant=here.tenant_id, bytes=here.size_bytes, id=here.id
                ):
                    self._place(part, tenant.name, here)
                    failpoint("intake.resumable.placed")
                    self._intake.notice(
                        tenant.name, name_of(here.path), Happening.CLOSED, via=Via.HTTP, key=f"http:{here.id}"
                    )
                    with self._database.transaction() as connection:
                        store.done(connection, here.id, self._now())
        return self.get(actor, sending.id)

    def _place(self, part: Part | None, tenant: str, here: Sending) -> None:
        """Put it there. Where its bytes are gone, it was put there already and is perhaps even read; or they are lost.

        Raises:
            Conflict: another file lies there, or it must be sent again.
        """
        if part is not None:
            part.place(here)
            return
        if self._parts.lies_there(tenant, here):
            return
        with self._database.transaction() as connection:
            was_read = store.upload_at(connection, here.tenant_id, here.folder, here.name, here.touched_at)
        if was_read is None:
            raise _lost()

    @contextmanager
    def _forgetting(self, tenant: str, ident: UUID) -> Iterator[None]:
        """Forget a file whose bytes turn out to be lost, so that it can be begun anew."""
        try:
            yield
        except _Lost:
            with self._database.transaction() as connection:
                store.remove(connection, ident)
            self._remove(tenant, ident)
            raise

    def _remove(self, tenant: str, ident: UUID) -> None:
        with suppress(BelvedereError), self._parts.held(tenant, ident) as part:
            if part is not None:
                part.remove()

    # --- limits ---

    def _check_size(self, size: int) -> None:
        if size < 0 or size > self.most_bytes:
            message = f"A file of {size:,} bytes cannot be sent here; at most {self.most_bytes:,} are taken."
            raise Rejected(
                message, code="file-size", field="size", hint="Send it by SFTP, which has no such limit.",
                extra={"most_bytes": self.most_bytes},
            )

    # --- jobs ---

    def tidy(self) -> None:
        """Put in their place what is whole and was left there, and remove what nobody goes on with."""
        now = self._now()
        with self._database.transaction() as connection:
            whole = store.complete(connection, now - _SETTLED, _AT_ONCE)
            idle = store.idle(connection, now - KEPT, _AT_ONCE)
        for one in whole:
            try:
                self._settled(SYSTEM, one)
            except BelvedereError:
                continue  # It stays a day for whoever sent it, who was told.
        for one in idle:
            try:
                self._abandon(one)
            except BelvedereError:
                continue  # One tenant's folder must not keep the others' from being tidied.

    def _abandon(self, sending: Sending) -> None:
        tenant = self._tenants.find(sending.tenant_id)
        if sending.done_at is not None or tenant is None or tenant.deleting:
            with self._database.transaction() as connection:
                store.remove(connection, sending.id)
            return
        with self._parts.held(tenant.name, sending.id) as part:
            here = self._mine(sending.id, part)
            if here.touched_at > sending.touched_at:
                return
            with self._history.action(
                SYSTEM, "upload.abandon", here.path, tenant=here.tenant_id, received=here.received_bytes,
                bytes=here.size_bytes, by=here.begun_by,
            ):
                if part is not None:
                    part.remove()
                with self._database.transaction() as connection:
                    store.drop(connection, here.id)


def _fits(data: bytes, checksum: str) -> bool:
    kind, _, digits = checksum.partition(":")
    if kind == "crc32":
        return digits.lower() == f"{zlib.crc32(data):08x}"
    if kind == "sha256":
        return digits.lower() == hashlib.sha256(data).hexdigest()
    message = "Give a checksum of the part as `crc32:` or `sha256:` and its digits."
    raise Rejected(message, code="checksum", field="checksum")


def _leaving(tenant: str) -> Conflict:
    message = f"{tenant} is on its way out. Nothing is taken for it any more."
    return Conflict(message, code="tenant-deleting")


class _Lost(Conflict):
    """What came of a file before is not there any more."""


def _lost() -> _Lost:
    message = "What came of this file before is not there any more. Begin it anew."
    return _Lost(message, code="begin-anew", extra={"offset": 0})


def _dropped(part: Part | None) -> NoReturn:
    """Refuse one that was dropped, with what came of it since."""
    if part is not None:
        part.remove()
    raise NotFound(_NO_SUCH)


def _key(after: str | None) -> UUID | None:
    try:
        return UUID(after) if after else None
    except ValueError:
        raise NotFound(_NO_SUCH) from None
