"""The catalogue: which shapes of data are recognised, and how each looks."""

from collections import Counter

from flask import Blueprint, Response, request

from belvedere.dashboards.grafana_json import MOST_BYTES
from belvedere.dashboards.template import catalogue as all_templates
from belvedere.dashboards.template import find as find_template
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.web import context

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/templates")
def templates() -> Response:
    """Answer: how is data recognised?"""
    return _page()


@blueprint.post("/templates")
def bring() -> Response:
    """Bring a dashboard of Grafana as a template."""
    file, form = request.files.get("file"), request.form
    data = file.stream.read(MOST_BYTES + 1) if file is not None else b""
    try:
        made = context.services().templates.bring(
            context.actor(), data, name=form.get("name", "").strip(), stands_for=form.get("stands_for", ""))
    except Rejected as error:
        if error.field is None:
            raise
        return _page(error)
    return context.done(f"{made.name} is a template now.", "catalogue.templates")


@blueprint.post("/templates/<name>/remove")
def remove(name: str) -> Response:
    """Forget a template that was brought in."""
    context.services().templates.remove(context.actor(), name)
    return context.done(f"{name} is gone; the catalogue draws again.", "catalogue.templates")


def _page(error: Rejected | None = None) -> Response:
    services, actor = context.services(), context.actor()
    allowed = actor.may(Role.OPERATOR)
    return context.page(
        "templates.html", error.status if error else 200, templates=all_templates(), uses=_uses(), allowed=allowed,
        own=services.templates.list(actor) if allowed else [], form=request.form if error else {},
        problems={error.field or "": error.detail} if error else {},
    )


def _uses() -> Counter[str]:
    services, actor = context.services(), context.actor()
    return Counter(one.template for one in services.dashboards.list(actor, limit=500).items)


@blueprint.get("/templates/<name>")
def template(name: str) -> Response:
    """Show one template: columns asked, names that speak for it, panels."""
    found = find_template(name)
    if found is None:
        raise NotFound
    services, actor = context.services(), context.actor()
    used = [one for one in services.dashboards.list(actor, limit=500).items if one.template == name]
    return context.page("template.html", template=found, used=used)
