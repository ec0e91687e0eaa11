"""The fleet of uploads: what came of all tenants' files, drawn from our own rows, and how it stands in Grafana."""

from typing import Final

from flask import Blueprint, Response, request, url_for

from belvedere.dashboards.fleet.model import DASHBOARD_ID
from belvedere.dashboards.fleet.service import TOPIC
from belvedere.web import context
from belvedere.web.dashboards import as_chosen, chosen, panel_addresses, ranges, sent

blueprint: Final = Blueprint("fleet", __name__)


@blueprint.get("/uploads/fleet")
def view() -> Response:
    """Answer: how do all tenants' uploads go?"""
    services, actor = context.services(), context.actor()
    state = services.fleet.state(actor)
    layout = services.fleet.viewer.layout(actor, DASHBOARD_ID, variables=chosen())
    return context.page(
        "fleet.html", layout=layout, ranges=ranges(layout), state=state, address=services.fleet.address(state),
        panel_address=panel_addresses(url_for("fleet.view")), chosen_from=request.args.get("from", ""),
        chosen_to=request.args.get("to", ""), topics=f"uploads {TOPIC}",
    )


@blueprint.get("/uploads/fleet/panels/<panel_id>")
def panel(panel_id: str) -> Response:
    """Return one panel's data: JSON for the viewer, a plain table for browsers without scripts."""
    data = context.services().fleet.viewer.panel(
        context.actor(), DASHBOARD_ID, panel_id, start=request.args.get("from") or None,
        end=request.args.get("to") or None, variables=chosen(),
    )
    if context.wants_json():
        return sent(data)
    above = [("Uploads", url_for("uploads.all_uploads")), ("Fleet", as_chosen(url_for("fleet.view")))]
    return context.page("panel.html", above=above, data=data)


@blueprint.post("/uploads/fleet/apply")
def apply() -> Response:
    """Make or repair the dashboard in Grafana; write ours again over what was changed by hand, where that is asked."""
    done = context.services().fleet.apply(context.actor(), restore=request.form.get("restore") == "1")
    return context.done(f"In Grafana: {done.summary()}." if done else "Nothing differs in Grafana.", "fleet.view")
