"""Errors as RFC 9457 problem details. `type` leads to `/problems/<slug>`, a page that says what to do.

The member `error` repeats the sentence for clients of the systems of today, which look for it.
"""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec
from flask import Response, g
from werkzeug.exceptions import HTTPException

from belvedere.kernel.errors import BelvedereError, NotFound, Rejected

CONTENT_TYPE: Final = "application/problem+json"

_AT: Final = re.compile(r" - at `\$?\.?(?P<field>[^`]*)`\Z")
_NAMED: Final = re.compile(r"field `(?P<field>[^`]+)`")


class TooLarge(Rejected):
    """The body is larger than this installation reads. Send less at a time."""

    status = 413
    code = "too-large"


class MediaType(Rejected):
    """The body is not JSON. Send it with `Content-Type: application/json`."""

    status = 415
    code = "media-type"


class Method(Rejected):
    """This address does not know that method. The Allow header lists those it knows."""

    status = 405
    code = "method"


class Reused(Rejected):
    """This Idempotency-Key was used for another request. Take a new key for each deed."""

    status = 422
    code = "idempotency-key-reused"


_KINDS: Final = {404: NotFound, 405: Method, 413: TooLarge, 415: MediaType}


def of(error: BelvedereError) -> Response:
    """Render one of ours."""
    members = {"hint": error.hint, "field": error.field} | error.extra
    response = document(error.status, error.problem, error.detail, members)
    retry_in_s = error.extra.get("retry_in_s")
    if retry_in_s is not None:
        response.headers["Retry-After"] = str(max(1, round(float(retry_in_s))))
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Belvedere"'
    return response


def of_http(error: HTTPException) -> Response:
    """Render what Flask or werkzeug refused before a handler was reached."""
    status = error.code or 500
    kind = _KINDS.get(status, BelvedereError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Rejected)
    response = document(status, kind.code, error.description or HTTPStatus(status).phrase, {})
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def unexpected() -> Response:
    """Render what nobody foresaw: nothing about it but the request id, which leads to the log."""
    return document(500, BelvedereError.code, "Something broke here. The log has it under this request id.", {})


def document(status: int, slug: str, detail: str, members: dict[str, Any]) -> Response:
    """Make a problem document."""
    body = {
        "type": f"/problems/{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": detail,
        "request_id": g.get("request_id", ""),
    } | {name: value for name, value in members.items() if value is not None}
    response = Response(msgspec.json.encode(body), status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def misshapen(error: Exception, where: str) -> Rejected:
    """Say what is wrong with a body or a query string, and where, without repeating what was sent."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Rejected(f"The {where} is nested too deeply.", code="shape")
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return Rejected(f"The {where} is not well-formed JSON in UTF-8.", code="json")
    at, named = _AT.search(text), _NAMED.search(text)
    field = ".".join(part for part in (at and at["field"], named and named["field"]) if part) or None
    if "missing required field" in text:
        return Rejected(f"`{field}` is missing.", code="shape", field=field)
    if "unknown field" in text:
        return Rejected(f"There is no `{field}` here. Leave it out, or check its spelling.", code="shape", field=field)
    said = _AT.sub("", text)
    return Rejected(f"`{field}`: {said}." if field else f"The {where} is wrong: {said}.", code="shape", field=field)
