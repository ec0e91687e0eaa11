"""What differs at an SFTPGo: a part of the drift page, and the order to repair it."""

from typing import Final

from flask import Blueprint, Response

from belvedere.kernel.actor import Role
from belvedere.web import context

_MOST_SETTLED: Final = 12

blueprint = Blueprint("sftpgo", __name__)


@blueprint.app_template_global("sftpgo_drift")
def drift() -> dict[str, object] | None:
    """Return what the drift page shows of SFTPGo; None where none is set."""
    services, actor = context.services(), context.actor()
    if not services.sftpgo.there or not actor.may(Role.VIEWER):
        return None
    found = services.sftpgo.differences(actor)
    return {
        "look": services.sftpgo.look(actor), "differs": [one for one in found if not one.foreign],
        "foreign": [one for one in found if one.foreign],
        "settled": services.sftpgo.differences(actor, settled=True, limit=_MOST_SETTLED),
    }


@blueprint.post("/drift/sftpgo")
def apply() -> Response:
    """Have SFTPGo's users made as ours are."""
    context.services().sftpgo.ask(context.actor())
    return context.done("SFTPGo's users are being compared and repaired.", "workspaces.drift")
