"""Flash messages: a sentence at the top of every page of its audience, raised by a page or by the API.

They are rows, so they survive a reload and show on whatever page comes next. Dismissing is per person.
"""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from belvedere.audit.model import History
from belvedere.identity import store
from belvedere.identity.model import Flash, Level
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.ids import new_id

LONGEST: Final = 200
"""Characters of a message."""

MOST_VISIBLE: Final = 3
"""Messages that a page shows; it counts the others."""

_AUDIENCE: Final = re.compile(r"all|operators|tenant:(?P<tenant>[1-9]\d{0,17})|person:[^\s:]{1,80}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_LINK: Final = 2_000


class Flashes:
    """Raise, show and dismiss."""

    def __init__(self, *, database: Database, history: History, now: Now = utc_now) -> None:
        """Take the collaborators."""
        self._database = database
        self._history = history
        self._now = now

    def create(  # noqa: PLR0917  (the members of a message, in the order in which the API has them)
        self,
        actor: Actor,
        level: Level | str,
        text: str,
        link: str | None = None,
        audience: str = "all",
        expires_at: datetime | None = None,
    ) -> Flash:
        """Raise a message.

        Args:
            actor: an operator; one confined to a tenant reaches that tenant only.
            level: `info`, `good`, `warn` or `bad`.
            text: plain text of at most 200 characters; it is never read as HTML.
            link: one address, of our own pages (`/tenants`) or http(s).
            audience: `all`, `operators`, `tenant:<serial>` or `person:<name>`.
            expires_at: when it goes by itself; stays until dismissed if absent.

        Raises:
            Rejected: a member does not read as said above.
            NotFound: the audience is another tenant's.
        """
        found = _AUDIENCE.fullmatch(audience)
        tenant = int(found["tenant"]) if found and found["tenant"] else None
        with self._history.action(
            actor, "flash.create", audience, tenant=tenant, level=str(level), text=text, link=link
        ) as ending:
            actor.must(Role.OPERATOR, tenant)
            if found is None:
                message = "Write `all`, `operators`, `tenant:<number>` or `person:<name>`."
                raise Rejected(message, field="audience")
            made = Flash(
                id=new_id(), level=_level(level), text=_text(text), link=_link(link), audience=audience,
                created_at=self._now(), created_by=actor.name, expires_at=expires_at,
            )  # fmt: skip
            if expires_at is not None and expires_at <= made.created_at:
                message = "That end is in the past."
                raise Rejected(message, field="expires_at")
            with self._database.for_actor(actor) as connection:
                store.add_flash(connection, made, tenant)
                signal(connection, "attention")
            ending.note(id=made.id)
        return made

    def visible(self, actor: Actor) -> list[Flash]:
        """Return what this person has not dismissed, the newest first; a page shows `MOST_VISIBLE` of them."""
        with self._database.for_actor(actor) as connection:
            return store.visible_flashes(connection, _audiences(actor), _person(actor), self._now())

    def dismiss(self, actor: Actor, flash_id: UUID) -> None:
        """Show a message to this person no more. Twice does no harm.

        Raises:
            NotFound: there is none for this person.
        """
        with (
            self._history.action(actor, "flash.dismiss", str(flash_id)),
            self._database.for_actor(actor) as connection,
        ):
            if not store.is_flash_for(connection, flash_id, _audiences(actor)):
                raise NotFound
            store.dismiss_flash(connection, flash_id, _person(actor), self._now())


def _audiences(actor: Actor) -> list[str]:
    if actor.tenant is not None:
        return ["all", f"tenant:{actor.tenant}"]
    return ["all", "operators", f"person:{actor.name}"]


def _person(actor: Actor) -> str:
    # A member and an operator of the same name are two persons.
    return actor.name if actor.tenant is None else f"{actor.tenant}/{actor.name}"


def _level(level: Level | str) -> Level:
    try:
        return Level(level)
    except ValueError:
        message = "Write `info`, `good`, `warn` or `bad`."
        raise Rejected(message, field="level") from None


def _text(text: str) -> str:
    trimmed = text.strip()
    if not trimmed:
        message = "Enter a text."
    elif len(trimmed) > LONGEST:
        message = f"{len(trimmed)} characters; at most {LONGEST}."
    elif _CONTROL.search(trimmed):
        message = "Use plain text in one line."
    else:
        return trimmed
    raise Rejected(message, field="text")


def _link(link: str | None) -> str | None:
    if not link:
        return None
    is_own = re.fullmatch(r"/(?![/\\]).*", link) is not None
    try:
        parts = urlsplit(link)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_web = False
    if len(link) > _LONGEST_LINK or _CONTROL.search(link) or "\\" in link or " " in link or not (is_own or is_web):
        message = "Write a path of this portal, such as `/tenants`, or an address that begins with https://."
        raise Rejected(message, field="link")
    return link
