"""Signing in and out, one's own settings, and the accounts of operators.

What is not here: who may come in (`access.py`), what makes a password acceptable (`identity/`).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for

from belvedere.identity.model import Account, Operator
from belvedere.identity.passwords import SHORTEST
from belvedere.identity.sessions import ABSOLUTE_END
from belvedere.kernel.actor import OPERATOR_ROLES, Role
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import Rejected, TooMany, Unauthenticated
from belvedere.kernel.secret import Secret
from belvedere.web import context

blueprint = Blueprint("accounts", __name__)

_YEAR_S: Final = 31_536_000
_THEMES: Final = ("", "light", "dark")
_LIVES: Final[Mapping[str, timedelta | None]] = {
    "30 days": timedelta(days=30), "90 days": timedelta(days=90), "1 year": timedelta(days=365), "never": None,
}  # fmt: skip


@blueprint.get("/sign-in")
def sign_in() -> Response:
    """Ask who it is."""
    if context.visitor() is not None:
        return _to(_own_path(request.args.get("next")))
    reason = ""
    if request.args.get("out"):
        reason = "You are signed out."
    elif context.SESSION_COOKIE in request.cookies:
        reason = "Your session has ended. Sign in again."
    return _sign_in_page(200, reason=reason)


@blueprint.post("/sign-in")
def sign_in_post() -> Response:
    """Check a name and a password, and open a session in place of the one that this browser had."""
    services, form = context.services(), request.form
    origin = request.remote_addr or ""
    try:
        account = services.accounts.sign_in(form.get("name", ""), Secret(form.get("password", "")), origin)
    except (Unauthenticated, TooMany) as error:
        response = _sign_in_page(error.status, name=form.get("name", ""), problem=error.detail)
        if isinstance(error, TooMany):
            response.headers["Retry-After"] = str(max(1, round(error.retry_in_s)))
        return response
    # The checklist is shown once, before the first password is replaced; it is a reminder and no gate.
    is_new = account.must_change_password and account.last_sign_in_at is None
    new_here = isinstance(account, Operator) and is_new and form.get("next", "/") == "/"
    return open_session(account, url_for("home.first_run") if new_here else _own_path(form.get("next")))


def open_session(account: Account, address: str) -> Response:
    """Sign somebody in who proved who they are, in place of whoever this browser was, and go to an address of ours."""
    origin, agent = request.remote_addr or "", request.headers.get("User-Agent", "")
    old = request.cookies.get(context.SESSION_COOKIE)
    cookie = context.services().sessions.open(
        account, origin=origin, agent=agent, replacing=Secret(old) if old else None
    )
    response = _to(address)
    response.set_cookie(
        context.SESSION_COOKIE, cookie.reveal(), max_age=ABSOLUTE_END, httponly=True, samesite="Lax",
        secure=request.is_secure,
    )  # fmt: skip
    return response


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End this browser's session."""
    cookie = _cookie()
    if cookie:
        context.services().sessions.close(context.actor(), cookie)
    response = _to(url_for("accounts.sign_in", out=1))
    response.delete_cookie(context.SESSION_COOKIE, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


@blueprint.get("/me")
def me() -> Response:
    """Show one's own settings."""
    return _me()


@blueprint.post("/me/password")
def change_password() -> Response:
    """Change one's own password; sessions elsewhere end."""
    form = request.form
    new = Secret(form.get("new_password", ""))
    if form.get("again") is not None and Secret(form["again"]) != new:
        return _me(Rejected("That is not the same as the new password.", field="again"))
    try:
        context.services().accounts.change_password(
            context.actor(), Secret(form.get("old_password", "")), new, keep=_cookie()
        )
    except (Rejected, TooMany) as error:
        return _me(error)
    return _done("Password changed. Sessions elsewhere have ended.")


@blueprint.post("/me/preferences")
def preferences() -> Response:
    """Keep the theme and the shortcuts in this browser."""
    response = context.done("Saved.", "accounts.me")
    theme = request.form.get("theme", "")
    kept: dict[str, Any] = {"max_age": _YEAR_S, "samesite": "Lax", "secure": request.is_secure}
    if theme in _THEMES[1:]:
        response.set_cookie(context.THEME_COOKIE, theme, **kept)
    else:
        response.delete_cookie(context.THEME_COOKIE)
    response.set_cookie(context.SHORTCUTS_COOKIE, "on" if request.form.get("shortcuts") else "off", **kept)
    return response


@blueprint.post("/me/tokens")
def create_token() -> Response:
    """Make an API token; its value is on the answer's page, this once."""
    services, actor, form = context.services(), context.actor(), request.form
    try:
        name = form.get("tenant", "").strip()
        tenant = services.tenants.get(actor, name).serial if name else None
        life = _LIVES.get(form.get("life", ""), timedelta(days=30))
        _, secret = services.tokens.create(
            actor, name=form.get("name", ""), role=_role(form.get("role", "")), tenant=tenant,
            expires_at=utc_now() + life if life else None,
        )  # fmt: skip
    except Rejected as error:
        return _me(error, field="tenant" if error.status == 404 else None)  # noqa: PLR2004  (NotFound's own)
    return context.secret_page(_me(made=secret))


@blueprint.post("/me/tokens/<prefix>/revoke")
def revoke_token(prefix: str) -> Response:
    """Switch a token off, for good."""
    token = context.services().tokens.revoke(context.actor(), prefix)
    return _done(f"Token {token.name} is off.")


@blueprint.post("/me/sessions/<uuid:session_id>/end")
def end_session(session_id: UUID) -> Response:
    """Sign one other browser out."""
    context.services().sessions.end(context.actor(), session_id)
    return _done("That session has ended.")


@blueprint.post("/me/sessions/end-others")
def end_others() -> Response:
    """Sign out everywhere but here."""
    ended = context.services().sessions.end_others(context.actor(), _cookie())
    return _done(f"{ended} other sessions have ended." if ended != 1 else "1 other session has ended.")


@blueprint.get("/settings/operators")
def operators() -> Response:
    """Show who runs this installation."""
    return _operators()


@blueprint.post("/settings/operators")
def create_operator() -> Response:
    """Make an operator; the password is on the answer's page, this once."""
    form = request.form
    try:
        made = context.services().accounts.create(
            context.actor(), form.get("name", "").strip(), _role(form.get("role", "")), email=form.get("email")
        )
    except Rejected as error:
        if error.field is None:
            raise
        return _operators(error)
    return context.secret_page(_operators(made=(made.operator.name, made.password.reveal())))


@blueprint.post("/settings/operators/<name>/role")
def set_role(name: str) -> Response:
    """Change what an operator may do."""
    role = _role(request.form.get("role", ""))
    return _deed(lambda: context.services().accounts.set_role(context.actor(), name, role), f"{name} is {role} now.")


@blueprint.post("/settings/operators/<name>/disable")
def disable(name: str) -> Response:
    """Close an account."""
    return _deed(lambda: context.services().accounts.disable(context.actor(), name), f"{name} cannot sign in any more.")


@blueprint.post("/settings/operators/<name>/enable")
def enable(name: str) -> Response:
    """Open a closed account again."""
    return _deed(lambda: context.services().accounts.enable(context.actor(), name), f"{name} can sign in again.")


@blueprint.post("/settings/operators/<name>/password")
def reset_password(name: str) -> Response:
    """Give an operator a new password; it is on the answer's page, this once."""
    password = context.services().accounts.reset_password(context.actor(), name)
    return context.secret_page(_operators(made=(name, password.reveal())))


def _sign_in_page(status: int, *, name: str = "", problem: str = "", reason: str = "") -> Response:
    following = _own_path(request.values.get("next"))
    return context.secret_page(context.page(
        "accounts/sign_in.html", status, name=name, problem=problem, reason=reason, following=following,
    ))  # fmt: skip


def _me(error: Rejected | None = None, *, field: str | None = None, made: Secret | None = None) -> Response:
    services, actor, found = context.services(), context.actor(), context.visitor()
    form = request.form if error else {}
    return context.page(
        "accounts/me.html", error.status if error else 200, operator=services.accounts.own(actor),
        tokens=services.tokens.own(actor) if actor.person is None else [], sessions=services.sessions.list(actor),
        now=utc_now(),
        this_session=found.session.id if found and found.session else None, roles=_roles_up_to(actor.role),
        lives=list(_LIVES), made=made.reveal() if made else "", problems=_problems(error, field), form=form,
        shortcuts=request.cookies.get(context.SHORTCUTS_COOKIE) != "off", themes=_THEMES, shortest=SHORTEST,
    )  # fmt: skip


def _operators(error: Rejected | None = None, *, made: tuple[str, str] | None = None) -> Response:
    services, actor = context.services(), context.actor()
    return context.page(
        "accounts/operators.html", error.status if error else 200, operators=services.accounts.list(actor),
        roles=OPERATOR_ROLES, made=made, problems=_problems(error), form=request.form if error else {}, me=actor.name,
    )  # fmt: skip


def _problems(error: Rejected | None, field: str | None = None) -> Mapping[str, str]:
    return {field or error.field or "": error.detail} if error else {}


def _deed(deed: Callable[[], None], said: str) -> Response:
    deed()
    return context.done(said, "accounts.operators")


def _done(said: str) -> Response:
    """Say what was done on the page that the form was sent from, when that is another than `/me`."""
    response = context.done(said, "accounts.me")
    back = _own_path(request.form.get("back"))
    if back != "/":
        response.headers["Location"] = back
    return response


def _role(text: str) -> Role:
    if text not in OPERATOR_ROLES:
        message = "Choose viewer, operator or admin."
        raise Rejected(message, field="role")
    return Role(text)


def _roles_up_to(role: Role) -> list[Role]:
    return [one for one in OPERATOR_ROLES if role.covers(one)]


def _cookie() -> Secret | None:
    value = request.cookies.get(context.SESSION_COOKIE)
    return Secret(value) if value else None


def _own_path(address: str | None) -> str:
    """Return a path of this portal to go to; anything else, also what browsers would read as another site, is home."""
    if not address or not address.startswith("/") or address.startswith("//"):
        return "/"
    if "\\" in address or not address.isprintable() or urlsplit(address).netloc:
        return "/"
    return address


def _to(address: str) -> Response:
    return cast("Response", redirect(address, 303))
