"""Error pages: what happened, what still works, the next step, the request id; as a page or as problem details."""

from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Flask, Response, current_app, g, request, url_for
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from belvedere.kernel.errors import BelvedereError, Later, NotFound, Rejected, TooMany
from belvedere.kernel.logging import logger
from belvedere.web.context import THEME_COOKIE, is_fragment, page, services, visitor, wants_json

_LOG = logger(__name__)

_TITLES: Final = {
    400: "This cannot be done as it stands",
    401: "Nobody is signed in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address takes no such request",
    409: "It changed, or exists already",
    413: "That is too large",
    429: "Too many requests",
    500: "Belvedere made a mistake",
    502: "Something outside needs a hand",
    503: "Belvedere cannot do this right now",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error page says."""

    status: int
    title: str
    detail: str
    hint: str
    problem: str
    request_id: str
    retry_in_s: float | None = None

    def as_json(self) -> bytes:
        """Write it as RFC 9457 problem details."""
        members: dict[str, object] = {
            "type": url_for("help.problem", code=self.problem), "title": self.title, "status": self.status,
            "detail": self.detail, "request_id": self.request_id,
        }  # fmt: skip
        if self.hint:
            members["hint"] = self.hint
        if self.retry_in_s is not None:
            members["retry_in_s"] = self.retry_in_s
        return msgspec.json.format(msgspec.json.encode(members), indent=2)


def install(app: Flask) -> None:
    """Translate every error of a page into an answer that says what to do."""
    app.register_error_handler(BelvedereError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: BelvedereError) -> Response:
    if not isinstance(error, Rejected):
        _LOG.warning("a page could not be served", path=request.path, problem=error.problem, detail=error.detail)
    hint = error.hint or _NEXT.get(error.status, "")
    retry = error.retry_in_s if isinstance(error, TooMany | Later) else None
    return _answer(Failure(
        error.status, _TITLES.get(error.status, "It did not work"), error.detail, hint, error.problem,
        g.get("request_id", ""), retry,
    ))  # fmt: skip


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        most = services().settings.max_body_bytes
        return _ours_as(413, f"At most {most:,} bytes are read.", code="too-large")
    if status == NotFound.status:
        return _ours(NotFound())
    return _ours_as(status, _DETAILS.get(status, error.name), code=Rejected.code)


def _ours_as(status: int, detail: str, *, code: str) -> Response:
    return _answer(
        Failure(
            status, _TITLES.get(status, "It did not work"), detail, _NEXT.get(status, ""), code, g.get("request_id", "")
        )
    )


def _unforeseen(error: Exception) -> Response:
    _LOG.exception("a page failed", path=request.path, request_id=g.get("request_id", ""), exc_info=error)
    return _ours_as(
        500,
        "The mistake is in the log, under the request id below. Nothing was changed that the history does not show.",
        code=BelvedereError.code,
    )


_DETAILS: Final = {405: "The page behind this address is for looking or for a form, not for this kind of request."}
_NEXT: Final = {
    403: "Ask somebody whose role allows it.",
    404: "Check the address, or search for the name.",
    409: "Read it again, then decide.",
    413: "Send less at a time.",
    429: "Wait, then try again.",
    500: "Try again. If it stays, give the request id to whoever runs this installation.",
    502: "Read what the other system said above, repair it there, then try again.",
    503: "Wait a few seconds, then reload.",
}


def _answer(failure: Failure) -> Response:
    if wants_json():
        response = Response(failure.as_json(), failure.status, content_type="application/problem+json")
    elif is_fragment():
        response = Response("", failure.status)
    else:
        response = _page(failure)
    response.headers["Cache-Control"] = "no-store"
    if failure.retry_in_s is not None:
        response.headers["Retry-After"] = str(max(1, round(failure.retry_in_s)))
    return response


def _page(failure: Failure) -> Response:
    """Render the page in the portal's frame; bare, when the frame itself cannot be made."""
    values = {"failure": failure, "as_json": failure.as_json().decode()}
    if visitor() is not None and failure.problem != "database-away":
        try:
            return page("error.html", failure.status, **values)
        except Exception as error:  # noqa: BLE001  (whatever it is, the first error is the one to show)
            _LOG.warning("the error page failed too", reason=str(error))
    text = current_app.jinja_env.get_template("error_bare.html").render(
        values, request=request, theme=request.cookies.get(THEME_COOKIE, "")
    )
    return Response(text, failure.status)
