"""Who did what, and is the record whole? The history of the installation, and a tenant's own.

What is not here: what is written and what it proves (`audit/`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from belvedere.audit.model import Action, Result
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import Rejected
from belvedere.tenants.model import Tenant
from belvedere.web import context, tenant
from belvedere.web.formats import count, duration

blueprint = Blueprint("history", __name__)

_OVERDUE: Final = timedelta(hours=25)
_RANGES: Final = (("1h", "1 h"), ("today", "Today"), ("7d", "7 d"), ("", "All"))
_MOST_DETAILS: Final = 2
_LONGEST_DETAIL: Final = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters, as they stand in the address."""

    q: str
    who: str
    verb: str
    target: str
    result: str
    range: str
    since: str
    until: str
    after: str
    tenant: str

    def wanted(self, serial: int | None) -> dict[str, Any]:
        """Return them as the service takes them."""
        since, until = self._span()
        return {
            "text": self.q, "person": self.who, "verb": self.verb, "target": self.target, "result": self.result,
            "tenant": serial, "since": since, "until": until,
        }  # fmt: skip

    def _span(self) -> tuple[datetime | None, datetime | None]:
        now = utc_now()
        if self.range == "1h":
            return now - timedelta(hours=1), None
        if self.range == "today":
            return now.replace(hour=0, minute=0, second=0, microsecond=0), None
        if self.range == "7d":
            return now - timedelta(days=7), None
        return _moment("since", self.since), _moment("until", self.until)

    @property
    def any(self) -> bool:
        """Tell whether anything is filtered."""
        who_and_what = (self.q, self.who, self.verb, self.target, self.result, self.tenant)
        return any((*who_and_what, self.range, self.since, self.until))


def _asked() -> Asked:
    names = ("q", "who", "verb", "target", "result", "range", "since", "until", "after", "tenant")
    return Asked(**{name: request.args.get(name, "").strip() for name in names})


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is no time. Write it like 2026-11-20T14:30."
        raise Rejected(message, field=name) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@blueprint.get("/history")
def history() -> Response:
    """Answer: who did what, and is the record whole?"""
    return _list(None)


@blueprint.get("/history/<uuid:action_id>")
def action(action_id: UUID) -> Response:
    """Show one action beside the list it came from."""
    return _list(context.services().history.get(context.actor(), action_id))


@blueprint.get("/tenants/<slug>/history")
def of_tenant(slug: str) -> Response:
    """Answer: who did what here?"""
    services, found = context.services(), tenant.find(slug)
    asked = _asked()
    page = services.history.search(context.actor(), after=asked.after or None, **asked.wanted(found.serial))
    return tenant.page("history/of_tenant.html", found, **_shown(asked, page, found))


@blueprint.post("/history/verify")
def verify() -> Response:
    """Walk over the whole record, and write down what was found."""
    found = context.services().history.check(context.actor())
    if found.ok:
        said = f"The chain is whole: {count(found.count)} actions in {duration(found.duration_ms / 1000)}."
    else:
        said = "The chain is broken."
    return context.done(said, "history.history")


@blueprint.get("/history/export")
def export() -> Response:
    """Hand out the actions that fit the filters, one JSON document a line, newest first."""
    services, actor, asked = context.services(), context.actor(), _asked()
    serial = services.tenants.get(actor, asked.tenant).serial if asked.tenant else None
    wanted = asked.wanted(serial)
    services.history.search(actor, limit=1, **wanted)  # What is not allowed is refused before the first byte.

    def lines() -> Iterator[str]:
        number = 0
        for one in services.history.export(actor, **wanted):
            number += 1
            yield json.dumps(one, ensure_ascii=False) + "\n"
        services.history.summary(actor, "history.export", "history", count=number, tenant=serial)

    name = f"history-{utc_now():%Y%m%d-%H%M}.jsonl"
    return Response(
        lines(), content_type="application/jsonl; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )  # fmt: skip


def _list(chosen: Action | None) -> Response:
    services, actor, asked = context.services(), context.actor(), _asked()
    found = services.tenants.get(actor, asked.tenant) if asked.tenant else None
    page = services.history.search(actor, after=asked.after or None, **asked.wanted(found.serial if found else None))
    return context.page("history/history.html", chain=_chain(), chosen=chosen, **_shown(asked, page, found))


def _shown(asked: Asked, page: Any, found: Tenant | None) -> dict[str, Any]:  # noqa: ANN401  (a Page of actions)
    persons, verbs = context.services().history.choices(context.actor(), tenant=found.serial if found else None)
    kept: dict[str, Any] = {name: value for name, value in request.args.items() if value and name != "after"}
    return {
        "found": page, "asked": asked, "persons": persons, "verbs": verbs, "results": list(Result), "ranges": _RANGES,
        "detail": _detail, "kept": kept, "today": utc_now().date(), "of": found,
        "export_href": url_for("history.export", **(kept | ({"tenant": found.slug} if found else {}))),
    }  # fmt: skip


def _detail(one: Action) -> str:
    """Say in a few words what is particular about an action, for the second line of its row."""
    if one.error:
        return one.error
    if one.count > 1:
        return f"{one.count:,} times"
    if reason := one.arguments.get("reason"):
        return f"reason: “{reason}”"
    told = [(name, value) for name, value in one.arguments.items() if value not in (None, "", [], {})]
    return ", ".join(f"{name.replace('_', ' ')} {str(value)[:_LONGEST_DETAIL]}" for name, value in told[:_MOST_DETAILS])


@dataclass(frozen=True, slots=True)
class Chain:
    """What the marker says: verified, broken, not verified for a day, or never."""

    state: str
    words: str
    checked: Action | None
    first: datetime | None


def _chain() -> Chain:
    services = context.services()
    checked, first = services.history.last_check(), services.history.first_at()
    if checked is None:
        return Chain("unknown", "Chain not verified yet", None, first)
    if not checked.ending.get("ok"):
        return Chain("broken", "Chain broken", checked, first)
    age = utc_now() - checked.at
    if age > _OVERDUE:
        return Chain("stale", f"Chain not verified for {duration(age)}", checked, first)
    return Chain("verified", "Chain verified", checked, first)
