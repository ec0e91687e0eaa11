"""Taking over what other programs made in Grafana: what is there, what becomes of it, and how far that is. Operators'.

Looking reads the whole Grafana, so the page comes first and asks for its findings then. What was taken over is read
from our own rows, and moves by itself.
"""

from typing import Final

from flask import Blueprint, Response, request, url_for

from belvedere.kernel.actor import Role
from belvedere.kernel.errors import BelvedereError, Rejected
from belvedere.web import context
from belvedere.web.formats import plural
from belvedere.web.problem_texts import PROBLEMS
from belvedere.workspaces.adoption.model import Candidate, Outcome, Shape
from belvedere.workspaces.adoption.service import Choice

blueprint = Blueprint("adoption", __name__, url_prefix="/settings/adoption")

_MOST_SHOWN: Final = 100
_MOST_TAKEN: Final = 50
_AT_ONCE_S: Final = 20.0
"""How long one press of a button goes on, in seconds: a proxy in between has patience for sixty."""

_SETTLED: Final = frozenset({Outcome.DONE, Outcome.REFUSED})

MAKERS: Final = {
    Shape.ORGANISATION: "organisation of the cost monitor",
    Shape.TEAM: "company of the file service",
    Shape.SOURCES: "data sources of the credential manager",
}
"""Whose work a find is."""

STAYS: Final = {
    Shape.ORGANISATION: "Number, name, uids, dashboards, people and their passwords stay as they are.",
    Shape.TEAM: "Numbers, names, uids, dashboards, people and their passwords stay as they are.",
    Shape.SOURCES: "All of it stays as it is, and goes on asking the databases that it asks now.",
}
ADDED: Final = {
    Shape.ORGANISATION: "a mark in the organisation's address, and the tenant's own folder, data sources and users "
    "beside what is there.",
    Shape.TEAM: "a mark in the team's address, and the tenant's own data sources and users beside what is there. The "
    "folder is closed to all but the team.",
    Shape.SOURCES: "nothing in Grafana. The uids stand in the tenant's credentials as `GRAFANA_UID_*`.",
}
"""What is left alone, and what is written, by whose work it is."""


@blueprint.get("")
def adoption() -> Response:
    """Answer: what is in Grafana for tenants already, and what was taken over?"""
    return _page()


@blueprint.post("/take")
def take() -> Response:
    """Take over one find, for the tenant that was named or the one that its name says."""
    form = request.form
    number = form.get("organisation", "")
    choice = Choice(
        int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0,  # noqa: PLR2004  (a bigint)
        form.get("name", ""), form.get("tenant", "").strip(), form.get("shape", ""),
    )
    try:
        found = context.services().adoption.take(context.actor(), choice, within_s=_AT_ONCE_S)
    except BelvedereError as error:
        context.actor().must(Role.OPERATOR)
        return _page(error)
    taken = [one for one in found if one.taken]
    if taken:
        said = f"{taken[0].name} is taken over. Its workspace is being completed."
        return context.done(said, "adoption.adoption")
    if any(one.outcome is Outcome.REFUSED for one in found):
        refused = next(one for one in found if one.outcome is Outcome.REFUSED)
        return _page(Rejected(f"{refused.find.name}: {refused.why}", hint="" if refused.choose else refused.hint))
    return context.done("It was taken over before." if found else "It is not there any more.", "adoption.adoption")


@blueprint.post("/take-all")
def take_all() -> Response:
    """Take over all that nothing is in the way of; what there was no time for is there at the next press."""
    try:
        found = context.services().adoption.take(context.actor(), within_s=_AT_ONCE_S)
    except BelvedereError as error:
        context.actor().must(Role.OPERATOR)
        return _page(error)
    taken = sum(one.taken for one in found)
    left = sum(not one.taken and one.outcome not in _SETTLED for one in found)
    said = f"{plural(taken, 'find')} taken over." if taken else "There was nothing to take over."
    return context.done(said + (f" {left} left: press again." if left else ""), "adoption.adoption")


def _page(error: BelvedereError | None = None) -> Response:
    services, actor = context.services(), context.actor()
    actor.must(Role.OPERATOR)
    taken, total = services.adoption.taken(actor, _MOST_TAKEN)
    asked = request.headers.get("HX-Target") == "found" or bool(request.args.get("look"))
    found, away = _found() if asked and services.workspaces.grafana is not None else ([], None)
    return context.page(
        "adoption.html", error.status if error else 200, error=error, problems=PROBLEMS, away=away, asked=asked,
        looks=services.workspaces.grafana is not None, at=url_for("adoption.adoption"),
        found=found[:_MOST_SHOWN], left=len(found) - _MOST_SHOWN,
        ready=sum(one.outcome not in _SETTLED for one in found), taken=taken, total=total,
        refused=sum(one.outcome is Outcome.REFUSED for one in found),
        states=services.drift.states(actor, [one.tenant for one in taken]), makers=MAKERS, stays=STAYS, added=ADDED,
    )  # fmt: skip


def _found() -> tuple[list[Candidate], BelvedereError | None]:
    """Look through Grafana; what was taken over already stands elsewhere on the page."""
    try:
        found = context.services().adoption.look(context.actor())
    except BelvedereError as error:
        return [], error
    return sorted(
        (one for one in found if one.outcome is not Outcome.DONE), key=lambda one: one.outcome is Outcome.REFUSED
    ), None
