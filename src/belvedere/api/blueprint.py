"""Flask for this door: each row of the table becomes a rule; a call is parsed, authenticated, answered.

What is not here: what a route does (the file of its noun), and the table itself (`routes.py`).
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from flask import Blueprint, Request, Response, g, request, send_file
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import Map, Rule

from belvedere.api import caller, problems
from belvedere.api.idempotency import HEADER, Kept, once
from belvedere.api.model import MOST_WAIT_S, Answer, Call, File, Route
from belvedere.api.routes import ROUTES
from belvedere.app import Services
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import BelvedereError, NotFound, Rejected
from belvedere.kernel.ids import new_id

PREFIX: Final = "/api/v1"
COOKIE: Final = "belvedere_session"

_WAIT: Final = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})\"?")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,80}\Z")
_NOBODY: Final = Actor(name="nobody", role=Role.VIEWER, tenant=0, door="api")
_log = structlog.get_logger(__name__)


def blueprint(services: Services, *, cookie: str = COOKIE) -> Blueprint:
    """Make the blueprint of `/api/v1`.

    Args:
        services: what the routes call.
        cookie: name of the browser session's cookie.
    """
    made = Blueprint("api", __name__, url_prefix=PREFIX)
    failures = caller.Failures()
    for route in ROUTES:
        made.add_url_rule(
            _rule(route.path), route.name.replace(".", "-"), _view(services, route, cookie, failures),
            methods=[route.method], provide_automatic_options=False, strict_slashes=False,
        )
    known = Map([Rule(PREFIX + _rule(route.path), methods=[route.method], endpoint=route.name) for route in ROUTES],
                strict_slashes=False)
    made.add_url_rule(
        "/<path:rest>", "otherwise", lambda rest: _otherwise(known), provide_automatic_options=False,  # noqa: ARG005
        methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    )
    made.before_request(_begin)
    made.register_error_handler(BelvedereError, _refused)
    made.register_error_handler(HTTPException, problems.of_http)
    made.register_error_handler(Exception, _broken)
    return made


def _rule(path: str) -> str:
    return path.replace("{", "<").replace("}", ">")


def _begin() -> None:
    if not g.get("request_id"):
        asked = request.headers.get("X-Request-Id", "")
        g.request_id = asked if _REQUEST_ID.match(asked) else str(new_id())


def _refused(error: BelvedereError) -> Response:
    if error.status >= 500:  # noqa: PLR2004
        _log.warning("api_failed", route=request.endpoint, problem=error.problem, detail=error.detail)
    return _stamped(problems.of(error))


def _broken(error: Exception) -> Response:
    _log.error("api_broke", route=request.endpoint, exc_info=error)
    return _stamped(problems.unexpected())


def _stamped(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response


def _otherwise(known: Map) -> Response:
    """Answer what no rule takes: a wrong method with those that are right, anything else with 404."""
    allowed = sorted({*known.bind("").allowed_methods(request.path.rstrip("/") or "/"), "OPTIONS"})
    if allowed == ["OPTIONS"]:
        raise NotFound
    if request.method == "OPTIONS":
        # No CORS headers: pages of other origins have no business here.
        return _stamped(Response(status=204, headers={"Allow": ", ".join(allowed)}))
    response = problems.of(problems.Method())
    response.headers["Allow"] = ", ".join(allowed)
    return _stamped(response)


def _view(services: Services, route: Route, cookie: str, failures: caller.Failures) -> Any:  # noqa: ANN401  (Flask's)
    def view(**path: str) -> Response:
        known = route.open or caller.authenticate(services, request, cookie, failures, g.request_id)
        actor = _NOBODY if isinstance(known, str) else known
        raw = _raw(request, services.settings.max_body_bytes)
        call: Call[Any, Any] = Call(
            services=services, actor=actor, path=_clean(path), query=_query(request, route),
            body=_body(request, route, raw), wait_s=_wait(request), headers=dict(request.headers),
        )
        answer = _answered(call, route, raw, failures)
        return _stamped(answer)

    return view


def _answered(call: Call[Any, Any], route: Route, raw: bytes, failures: caller.Failures) -> Response:
    key = request.headers.get(HEADER)
    if key is None or not route.mutates:
        try:
            answer = route.handler(call)
        except BelvedereError as error:
            if route.open and error.status == 401:  # noqa: PLR2004
                failures.count(request.remote_addr or "")
            raise
        if isinstance(answer.body, File):
            return _file(answer.body)
        return _response(_kept(answer))
    return _response(once(call, route, raw, key, lambda: _kept(route.handler(call))))


def _kept(answer: Answer) -> Kept:
    headers = {"Cache-Control": "no-store", **answer.headers}
    if answer.next is not None:
        arguments = {**request.args.to_dict(), "after": answer.next}
        headers["Link"] = f'<{request.path}?{urlencode(arguments)}>; rel="next"'
    if answer.total is not None:
        headers["X-Total-Count"] = str(answer.total)
    if request.headers.get("Prefer") and _wait(request) is not None:
        headers["Preference-Applied"] = "wait"
    return Kept(answer.status, headers, b"" if answer.body is None else msgspec.json.encode(answer.body))


def _response(kept: Kept) -> Response:
    response = Response(kept.body, kept.status, headers=dict(kept.headers), content_type="application/json")
    if kept.status == 204:  # noqa: PLR2004
        response.headers.pop("Content-Type", None)
    return response


def _file(file: File) -> Response:
    response = send_file(file.path, mimetype=file.content_type, conditional=True, etag=file.tag, max_age=0)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers.setdefault("Last-Modified", formatdate(file.path.stat().st_mtime, usegmt=True))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


# --- parsing ---


def _raw(incoming: Request, most: int) -> bytes:
    # One more than may be: werkzeug cuts a stream without a length off at its limit and says nothing.
    incoming.max_content_length = most + 1
    if incoming.content_length is not None and incoming.content_length > most:
        raise problems.TooLarge(extra={"most_bytes": most})
    if "chunked" in incoming.headers.get("Transfer-Encoding", "").lower():
        # The server undid the chunks and ends the stream; without its saying so, werkzeug reads nothing.
        incoming.environ["wsgi.input_terminated"] = True
    try:
        raw = incoming.get_data(cache=False)
    except RequestEntityTooLarge:
        raise problems.TooLarge(extra={"most_bytes": most}) from None
    if len(raw) > most:
        raise problems.TooLarge(extra={"most_bytes": most})
    return raw


def _query(incoming: Request, route: Route) -> Any:  # noqa: ANN401  (the struct that the route names)
    given = _clean(incoming.args.to_dict())
    try:
        return msgspec.convert(given, route.query, strict=False)
    except msgspec.ValidationError as error:
        raise problems.misshapen(error, "query string") from None


def _body(incoming: Request, route: Route, raw: bytes) -> Any:  # noqa: ANN401  (the struct that the route names)
    if route.body is None:
        return None
    if route.body is bytes:
        return raw
    if raw and incoming.mimetype not in {"application/json", ""} and not incoming.mimetype.endswith("+json"):
        raise problems.MediaType
    try:
        body = msgspec.json.decode(raw or b"{}", type=route.body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise problems.misshapen(error, "body") from None
    _no_zero_bytes(msgspec.to_builtins(body))
    return body


def _clean(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if "\0" in name or "\0" in value:
            message = "A zero byte has no place in an address."
            raise Rejected(message, code="shape")
    return given


def _no_zero_bytes(value: object, field: str = "") -> None:
    if isinstance(value, str) and "\0" in value:
        message = f"`{field}` holds a zero byte. Leave it out."
        raise Rejected(message, code="shape", field=field)
    if isinstance(value, dict):
        for name, below in value.items():
            _no_zero_bytes(below, f"{field}.{name}".lstrip("."))
    if isinstance(value, list):
        for below in value:
            _no_zero_bytes(below, field)


def _wait(incoming: Request) -> float | None:
    found = _WAIT.search(incoming.headers.get("Prefer", ""))
    return min(float(found[1]), MOST_WAIT_S) if found else None

