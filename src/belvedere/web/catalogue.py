"""The catalogue: which shapes of data are recognised, and how each looks."""

from collections import Counter

from flask import Blueprint, Response

from belvedere.dashboards.template import catalogue as all_templates
from belvedere.dashboards.template import find as find_template
from belvedere.kernel.errors import NotFound
from belvedere.web import context

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/templates")
def templates() -> Response:
    """Answer: how is data recognised?"""
    return context.page("templates.html", templates=all_templates(), uses=_uses())


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
