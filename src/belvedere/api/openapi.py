"""The OpenAPI 3.1 description of this door, made from the table of routes and the types of the answers."""

import re
from functools import cache
from typing import Any, Final

import msgspec

from belvedere import __version__
from belvedere.api.model import Route
from belvedere.api.problems import CONTENT_TYPE
from belvedere.api.routes import ROUTES

_REFERENCE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)}")


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 problem details. `type` leads to a page that says what to do; `error` repeats `detail`."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    request_id: str
    hint: str | None = None
    field: str | None = None


_MEANINGS: Final = {
    400: "What was sent cannot be carried out as it stands.", 401: "Nobody, or a wrong or ended key.",
    403: "The role does not allow this.", 404: "There is no such thing, or it is not the caller's to see.",
    409: "It exists already, or changed meanwhile.", 413: "The body is too large.", 415: "The body is not JSON.",
    422: "The Idempotency-Key was used for another request.", 429: "Too many wrong keys from this address.",
    502: "The Grafana behind it has something in the way that a human must remove.",
    503: "It cannot be done right now; try again.",
}


@cache
def document() -> dict[str, Any]:
    """Return the description as plain values."""
    types: list[Any] = [Problem]
    for route in ROUTES:
        types += [kind for kind in (route.answer, route.query, route.body) if kind not in (None, bytes)]
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(f"/api/v1{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Belvedere", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Lists are arrays; a `Link` header with `rel=next` leads to the next page. Errors are "
            "RFC 9457 problem details.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"key": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


_SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token, or a tenant's API key."},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A token or a tenant's API key."},
    "session": {"type": "apiKey", "in": "cookie", "name": "belvedere_session",
                "description": "A signed-in browser; what changes something needs X-CSRF-Token too."},
}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": " ".join((route.handler.__doc__ or "").split()),
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _responses(route),
    }
    if route.open:
        operation["security"] = []
    if route.body is bytes:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    elif route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(route.body)}}}
    return operation


def _schema(kind: Any) -> dict[str, Any]:  # noqa: ANN401  (any type that msgspec can describe)
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return schema


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([route.query], ref_template=_REFERENCE)
    described = components[route.query.__name__]
    required = set(described.get("required", []))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in described.get("properties", {}).items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    given = []
    if route.mutates:
        given.append(("Idempotency-Key", "The same key within 24 hours gives the same answer, and does nothing twice."))
    if route.waits:
        given.append(("Prefer", "`wait=N` answers when it is done, at most N (60) seconds later."))
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in given
    ]


def _responses(route: Route) -> dict[str, Any]:
    right: dict[str, Any] = {"description": "Done, or accepted." if route.status == 202 else "Done."}  # noqa: PLR2004
    if route.answer is bytes:
        right["content"] = {"image/gif": {}, "image/png": {}}
    elif route.answer is not None:
        right["content"] = {"application/json": {"schema": _schema(route.answer)}}
    refusals = set(route.refusals) | (set() if route.open else {401, 429})
    if route.body is not None:
        refusals |= {400, 413, 415}
    if route.mutates:
        refusals |= {409, 422}
    problem = {CONTENT_TYPE: {"schema": _schema(Problem)}}
    wrong = {str(status): {"description": _MEANINGS[status], "content": problem} for status in sorted(refusals)}
    return {str(route.status): right} | wrong
