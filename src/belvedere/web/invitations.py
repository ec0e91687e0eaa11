"""The page behind an invitation's link: make an account and join, or join with the account that is signed in.

What is not here: making and withdrawing links (`members.py`), the rules (`identity/members/invitations.py`).
"""

from flask import Blueprint, Response, g, request, url_for

from belvedere.identity.members.model import Invited
from belvedere.identity.passwords import SHORTEST
from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import Secret
from belvedere.web import context
from belvedere.web.accounts import open_session

blueprint = Blueprint("invitations", __name__, url_prefix="/invitations/<token>")


@blueprint.get("")
def invitation(token: str) -> Response:
    """Show what the link invites to. Looking does not use it up."""
    return _page(token, context.services().invitations.open(token))


@blueprint.post("")
def accept(token: str) -> Response:
    """Make the account, join, and sign in."""
    services, form = context.services(), request.form
    invited = services.invitations.open(token)
    password = Secret(form.get("password", ""))
    if Secret(form.get("again", "")) != password:
        return _page(token, invited, Rejected("That is not the same as the password.", field="again"))
    try:
        person = services.invitations.accept(
            token, name=form.get("name", ""), email=form.get("email", ""), password=password,
            origin=request.remote_addr or "", request_id=g.request_id,
        )  # fmt: skip
    except Rejected as error:
        if error.field is None:
            raise
        return _page(token, invited, error)
    return open_session(person, url_for("tenant.overview", slug=invited.slug))


@blueprint.post("/join")
def join(token: str) -> Response:
    """Join with the account that is signed in."""
    services = context.services()
    invited = services.invitations.open(token)
    services.invitations.join(context.actor(), token)
    return context.done(f"You belong to {invited.tenant} now.", "tenant.overview", slug=invited.slug)


def _page(token: str, invited: Invited, error: Rejected | None = None) -> Response:
    form = request.form if error else {}
    found = context.visitor()
    known = found is not None and found.actor.person is not None
    return context.secret_page(context.page(
        "invitation.html", error.status if error else 200, token=token, invited=invited, form=form, shortest=SHORTEST,
        problems={error.field or "": error.detail} if error else {}, known=known,
        account=context.services().accounts.own(context.actor()) if known else None,
        here_already=known and found is not None and found.session is not None
        and any(one.tenant == invited.invitation.tenant for one in found.session.places),
    ))  # fmt: skip
