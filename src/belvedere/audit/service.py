"""The history: every deed written down before and after, searched, checked.

The verbs that other rooms see are `audit.model.History`. What is not here: the files (`log.py`), the walk over
them (`verify.py`), the index (`store.py`), the control database (`postgres.py`).
"""

import hashlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any, Final, final
from uuid import UUID

from belvedere import __version__
from belvedere.audit import log, record
from belvedere.audit.bell import Bell
from belvedere.audit.mask import Masker
from belvedere.audit.model import Action, Anchors, Ending, Head, Result, Verification
from belvedere.audit.store import Filter, Index
from belvedere.audit.tally import Tally
from belvedere.audit.verify import verify
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, iso, monotonic_s, utc_now
from belvedere.kernel.errors import BelvedereError, Later, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.page import Page
from belvedere.kernel.secret import Secret

_LOG: Final = logging.getLogger(__name__)
_MOST_PENDING: Final = 10_000
_EXPORT_PAGE: Final = 500

DIED: Final = "The process ended before it said how this ended."
"""What stands as the error of an action that was closed as unknown."""


@final
class _Noted(Ending):
    """Collects what a deed says about itself."""

    def __init__(self, action_id: UUID) -> None:
        self.id = action_id
        self.members: dict[str, object] = {}

    def note(self, **result: object) -> None:
        """Add members to the `ended` record."""
        self.members.update(result)


class FileHistory:
    """The history in the files of one folder. Safe for threads; processes and hosts may share the folder.

    Reading makes nothing; the first record of a process opens its chain and closes what dead processes left open.
    """

    def __init__(
        self,
        folder: Path,
        now: Now = utc_now,
        *,
        anchors: Anchors | None = None,
        known_secrets: Sequence[Secret] = (),
        most_bytes: int = log.MOST_BYTES,
        most_age_s: float = log.MOST_AGE_S,
    ) -> None:
        """Prepare.

        Args:
            folder: where the chains stand, usually `history/` in the home.
            now: the clock.
            anchors: a second memory of how far each file has come, when there is a control database.
            known_secrets: values that are masked wherever they stand in a text.
            most_bytes: size at which a chain goes on in a new file.
            most_age_s: age at which it does, in seconds.
        """
        self._folder = folder
        self._now = now
        self._anchors = anchors
        self._masker = Masker(known_secrets)
        self._chain = log.Chain(folder, now=now, about=_about, most_bytes=most_bytes, most_age_s=most_age_s)
        self._index = Index(folder, socket.gethostname())
        self._bell = Bell(anchors, self._position)
        self._tally = Tally(now)
        self._lock = RLock()
        self._started_in = 0
        self._pending: list[dict[str, Any]] = []

    def start(self) -> int:
        """Open this process's chain and close as `unknown` what dead processes left open; once per process.

        Returns:
            How many actions were closed.
        """
        with self._lock:
            if self._started_in == os.getpid():
                return 0
            self._started_in = os.getpid()
            self._pending.clear()
            return self.recover()

    def close(self) -> None:
        """Write what waits, end the chain, tell the anchors."""
        with suppress(Later):
            for waiting in self._tally.close():
                self._append(waiting, durable=False)
        self._bell.close()
        self._chain.close()
        self._started_in = 0

    @contextmanager
    def action(
        self, actor: Actor, verb: str, target: str, *, tenant: int | None = None, **arguments: object
    ) -> Iterator[Ending]:
        """Write `asked`, flushed, run the block, write `ended`: see `audit.model.History`."""
        self.start()
        ending = _Noted(new_id())
        asked = self._who(actor, tenant) | {"verb": verb, "target": self._masker.text(target)}
        try:
            self._append(
                {"kind": "asked", "id": str(ending.id), **asked, "arguments": self._masker.members(arguments)},
                durable=True,
            )
        except Later as error:
            if error.problem == "history-unflushed":  # It may stand in the file: say that nothing was done.
                self._keep(self._ended(ending, Result.REFUSED, 0.0, error))
            raise
        failpoint("audit.action.asked")
        began = monotonic_s()
        try:
            yield ending
        except BaseException as error:
            result = Result.REFUSED if isinstance(error, Rejected) else Result.FAILED
            self._end(ending, result, monotonic_s() - began, error)
            raise
        failpoint("audit.action.done")
        self._end(ending, Result.SUCCEEDED, monotonic_s() - began, None)

    def summary(
        self, actor: Actor, verb: str, target: str, *, count: int, tenant: int | None = None, **details: object
    ) -> None:
        """Write one record for `count` deeds of the data plane that were done. It is written, not flushed."""
        self.start()
        members = {"count": count, "result": str(Result.SUCCEEDED), "arguments": self._masker.members(details)}
        self._append(self._one(actor, verb, target, tenant) | members, durable=False)

    def refusal(self, actor: Actor, verb: str, target: str, reason: str, *, tenant: int | None = None) -> None:
        """Write down that a request was refused. Repeats within a minute are counted into one record."""
        self.start()
        said = {"result": str(Result.REFUSED), "error": self._masker.text(reason)}
        body = self._one(actor, verb, target, tenant) | said
        for due in self._tally.add((actor.name, actor.origin, verb, target, reason), body):
            self._append(due, durable=False)

    def recover(self) -> int:
        """Close as `unknown` what dead processes left open, and note torn last lines. Twice does no harm."""
        with log.only_one(self._folder, "recover") as alone:
            if not alone:
                return 0
            dead = self._dead()
            closed = [one for one in self._index.running() if one.chain in dead]
            for one in closed:
                self._append(
                    {"kind": "ended", "id": one.id, "result": str(Result.UNKNOWN), "error": DIED, "chain": one.chain},
                    durable=False,
                )
                failpoint("audit.recover.closed")
            self._note_torn(dead)
        if closed:
            _LOG.warning("%d actions of ended processes were closed as unknown", len(closed))
        return len(closed)

    def _dead(self) -> set[str]:
        """Return the chains whose process is proved dead among those that look unfinished; the index then has all."""
        self._index.catch_up()
        names = [record.file_name(end.file) for end in self._index.torn()]
        chains = {one.chain for one in self._index.running()} | {name.chain for name in names if name}
        own = self._own_chain()
        dead = {chain for chain in chains if not log.lives(self._folder, chain, own)}
        if dead:
            # What they wrote between the first look and their death: only who is dead already writes no more.
            self._index.catch_up()
        return dead

    def _note_torn(self, dead: set[str]) -> None:
        for end in self._index.torn():
            name = record.file_name(end.file)
            if name is None or name.chain not in dead:
                continue
            with (self._folder / end.file).open("rb") as file:
                file.seek(end.at_byte)
                rest = file.read()
            digest = hashlib.sha256(rest).hexdigest()
            noted = {"kind": "repaired", "file": end.file, "at_byte": end.at_byte, "bytes": len(rest), "sha256": digest}
            self._append(noted, durable=True)
            _LOG.warning("the torn last line of %s (%d bytes) was noted", end.file, len(rest))

    def search(
        self,
        actor: Actor,
        *,
        text: str = "",
        person: str = "",
        verb: str = "",
        target: str = "",
        result: str = "",
        tenant: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Action]:
        """Return the newest actions that fit, of all processes, newest first.

        Args:
            actor: who looks; one confined to a tenant sees only that tenant's actions.
            text: stands anywhere in who, what, to what, from where, how, or the id.
            person: exactly who.
            verb: exactly what, or a noun: `tenant` matches `tenant.create`.
            target: exactly to what.
            result: one of `audit.model.Result`.
            tenant: serial number of the tenant concerned.
            since: earliest time; `until` is the first time that is too late.
            until: see `since`.
            after: key of the last action of the page before.
            limit: most actions to return.

        Raises:
            NotFound: the actor is confined to another tenant.
        """
        wanted = Filter(text, person, verb, target, result, self._scope(actor, tenant), since, until)
        self._look()
        key = tuple(after.split("_", 1)) if after and "_" in after else None
        items, total = self._index.search(wanted, after=(key[0], key[1]) if key else None, limit=limit + 1)
        more = len(items) > limit
        items = items[:limit]
        return Page(items, next=f"{record.stamp(items[-1].at)}_{items[-1].id}" if more else None, total=total)

    def tail(self, actor: Actor, limit: int = 10) -> list[Action]:
        """Return the newest actions, for the home page."""
        return self.search(actor, limit=limit).items

    def get(self, actor: Actor, action_id: UUID) -> Action:
        """Return one action with its hashes, read from the file and not from the index.

        Raises:
            NotFound: there is none, or it is not the actor's to see.
        """
        self._look()
        found = self._index.find(action_id)
        if found is None or (actor.tenant is not None and found[0].tenant != actor.tenant):
            raise NotFound
        action, at_byte, length = found
        with (self._folder / action.file).open("rb") as file:
            file.seek(at_byte)
            pair = record.hashes(file.read(length)[:-1])
        return replace(action, before=pair[0], hash=pair[1]) if pair else action

    def choices(self, actor: Actor, *, tenant: int | None = None) -> tuple[list[str], list[str]]:
        """Return the persons and the verbs that stand in the history, for filters."""
        scope = self._scope(actor, tenant)
        return self._index.distinct("person", scope), self._index.distinct("verb", scope)

    def export(self, actor: Actor, **wanted: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  (search's own)
        """Return all actions that fit, newest first, as JSON values; takes what `search` takes."""
        after: str | None = None
        while True:
            page = self.search(actor, **(wanted | {"after": after, "limit": _EXPORT_PAGE}))
            for action in page.items:
                yield as_json(action)
            if page.next is None:
                return
            after = page.next

    def verify(self, anchors: Mapping[str, Head] | None = None) -> Verification:
        """Walk over every line of every file: see `audit/verify.py`.

        Args:
            anchors: heads of an earlier result that was kept elsewhere, to be checked besides.
        """
        began = monotonic_s()
        own = self._chain.position
        given = [(own.file, own.head)] if own else []
        given += list((anchors or {}).items())
        if self._anchors is not None:
            given += list(self._anchors.read().items())
        found = verify(self._folder, anchors=given, own=self._own_chain(), checked_at=self._now())
        return replace(found, duration_ms=round((monotonic_s() - began) * 1000, 1))

    def check(self, actor: Actor, anchors: Mapping[str, Head] | None = None) -> Verification:
        """Verify on somebody's behalf, and write down that and with what result it was done.

        Raises:
            Forbidden: the actor is confined to a tenant, or only looks.
        """
        actor.must(Role.OPERATOR)
        with self.action(actor, "history.verify", "history") as ending:
            found = self.verify(anchors)
            broken = found.broken_at
            ending.note(
                ok=found.ok, count=found.count, head=found.head, took_ms=found.duration_ms, repairs=found.repairs,
                broken_at=asdict(broken) if broken else None,
            )  # fmt: skip
        return found

    def last_check(self) -> Action | None:
        """Return the last `history.verify` that ended, for the marker on the page."""
        self._look()
        items, _ = self._index.search(
            Filter(verb="history.verify", result=str(Result.SUCCEEDED)), after=None, limit=1
        )
        return items[0] if items else None

    def first_at(self) -> datetime | None:
        """Return the time of the first file of the history, or None when there is none."""
        names = log.files(self._folder)
        return datetime.strptime(f"{names[0].chain[:15]}+0000", "%Y%m%dT%H%M%S%z") if names else None

    def _scope(self, actor: Actor, tenant: int | None) -> int | None:
        scope = actor.tenant if tenant is None else tenant
        actor.must(Role.VIEWER, scope)
        return scope

    def _look(self) -> None:
        self._index.catch_up()
        own = self._own_chain()
        others = {one.chain for one in self._index.running()} - {own}
        if any(not log.lives(self._folder, chain) for chain in others):
            with suppress(Later):  # A full disk must not hide the history.
                self.start()
                self.recover()
            self._index.catch_up()

    def _own_chain(self) -> str:
        name = self._chain.name
        return name.chain if name else ""

    def _position(self) -> tuple[str, Head] | None:
        own = self._chain.position
        return (own.file, own.head) if own else None

    def _who(self, actor: Actor, tenant: int | None) -> dict[str, Any]:
        return {
            "at": record.stamp(self._now()), "actor": self._masker.text(actor.name), "role": str(actor.role),
            "door": actor.door, "origin": actor.origin, "tenant": actor.tenant if tenant is None else tenant,
            "request_id": actor.request_id,
        }  # fmt: skip

    def _one(self, actor: Actor, verb: str, target: str, tenant: int | None) -> dict[str, Any]:
        named = {"verb": verb, "target": self._masker.text(target)}
        return {"kind": "summary", "id": str(new_id()), **self._who(actor, tenant), **named}

    def _append(self, body: dict[str, Any], *, durable: bool) -> None:
        with self._lock:
            while self._pending:
                self._chain.append(self._pending[0], durable=False)
                self._pending.pop(0)
        self._chain.append(body, durable=durable)
        self._bell.ring()

    def _end(self, ending: _Noted, result: Result, took_s: float, error: BaseException | None) -> None:
        body = self._ended(ending, result, took_s, error)
        try:
            self._append(body, durable=False)
        except Later:
            _LOG.exception("the end of action %s cannot be written; it is kept and tried again", ending.id)
            self._keep(body)

    def _ended(self, ending: _Noted, result: Result, took_s: float, error: BaseException | None) -> dict[str, Any]:
        return {
            "kind": "ended", "id": str(ending.id), "at": record.stamp(self._now()), "result": str(result),
            "duration_ms": round(took_s * 1000, 1), "error": self._said(error),
            "ending": self._masker.members(ending.members),
        }  # fmt: skip

    def _keep(self, body: dict[str, Any]) -> None:
        with self._lock:
            self._pending = [*self._pending, body][-_MOST_PENDING:]

    def _said(self, error: BaseException | None) -> str:
        if error is None:
            return ""
        # Other errors may quote a statement, a header or a path with a secret in it: their kind must do.
        return self._masker.text(error.detail) if isinstance(error, BelvedereError) else type(error).__name__


def as_json(action: Action) -> dict[str, Any]:
    """Return an action as the API and the export show it."""
    members = asdict(action)
    return members | {"id": str(action.id), "at": iso(action.at), "result": str(action.result)}


def _about() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid(), "version": __version__, "by": SYSTEM.name}
