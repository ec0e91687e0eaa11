"""Dashboards of Grafana as templates, and dashboards handed out for any Grafana."""

from datetime import datetime
from typing import Any, Final

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.api.parts import uuid_of
from belvedere.dashboards.own.store import OwnTemplate


class TemplateView(msgspec.Struct, frozen=True):
    """A dashboard of Grafana that was brought in. `stands_for` is a template of the catalogue, or empty."""

    name: str
    title: str
    stands_for: str
    made_by: str
    made_at: datetime
    chosen: int


class NewTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An export of Grafana, whole. Without a name it is called after its title."""

    dashboard: dict[str, Any]
    name: str = ""
    stands_for: str = ""


class TheirTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the template that is made of a hand-changed dashboard is called, and what it stands for."""

    name: str = ""
    stands_for: str = ""


class ChosenTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The template that a dashboard is drawn by in Grafana; empty for the catalogue's."""

    name: str


def view(one: OwnTemplate) -> TemplateView:
    """Render a template without its document."""
    return TemplateView(one.name, one.title, one.stands_for, one.made_by, one.made_at, one.chosen)


def listed(call: Call[NoQuery, None]) -> Answer:
    """List the templates that were brought in."""
    return Answer([view(one) for one in call.services.templates.list(call.actor)])


def bring(call: Call[NoQuery, NewTemplate]) -> Answer:
    """Keep a dashboard of Grafana as a template, or a new version of the one of that name."""
    data = msgspec.json.encode(call.body.dashboard)
    made = call.services.templates.bring(call.actor, data, name=call.body.name, stands_for=call.body.stands_for)
    return Answer(view(made), 201)


def remove(call: Call[NoQuery, None]) -> Answer:
    """Forget a template; its dashboards are drawn by the catalogue again."""
    call.services.templates.remove(call.actor, call.path["template"])
    return Answer(None, 204)


def choose(call: Call[NoQuery, ChosenTemplate]) -> Answer:
    """Draw one dashboard by a template that was brought in."""
    call.services.templates.choose(call.actor, uuid_of(call.path["dashboard"]), call.body.name)
    return Answer(None, 204)


def theirs(call: Call[NoQuery, TheirTemplate]) -> Answer:
    """Make the template of what a person made of a dashboard in Grafana."""
    made = call.services.templates.take_theirs(
        call.actor, uuid_of(call.path["dashboard"]), name=call.body.name, stands_for=call.body.stands_for)
    return Answer(view(made), 201)


def export(call: Call[NoQuery, None]) -> Answer:
    """Hand out a dashboard in the form that any Grafana imports by hand."""
    return Answer(call.services.templates.export(call.actor, uuid_of(call.path["dashboard"])))


_DASHBOARD: Final = "/dashboards/{dashboard}"

ROUTES: Final = (
    Route("GET", "/templates", "templates.list", "Templates that were brought in", listed, list[TemplateView],
          refusals=(403,)),
    Route("POST", "/templates", "templates.import", "Bring a dashboard of Grafana", bring, TemplateView,
          body=NewTemplate, status=201, refusals=(400, 403)),
    Route("DELETE", "/templates/{template}", "templates.remove", "Forget one", remove, status=204,
          refusals=(403, 404)),
    Route("POST", _DASHBOARD + "/template", "templates.choose", "Draw a dashboard by one", choose, body=ChosenTemplate,
          status=204, refusals=(403, 404)),
    Route("POST", _DASHBOARD + "/template/theirs", "templates.theirs", "Make one of what a person changed", theirs,
          TemplateView, body=TheirTemplate, status=201, refusals=(400, 403, 404)),
    Route("GET", _DASHBOARD + "/export", "templates.export", "A dashboard for any Grafana", export, dict[str, Any],
          refusals=(404,)),
)
