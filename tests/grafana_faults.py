"""Puts faults between Belvedere and a Grafana, the twin or the real one, and checks each request against the list.

`ALLOWED` is all that Belvedere may send: method, path, keys of the body. Paths and keys are those of Grafana's own
descriptions of its API, `public/api-merged.json` of 10.4.3 and 11.0.0 and the OpenAPI client's of 13.0.0. Not in all of
them, so taken from the documentation and seen on 11.0.0: health, signing in and out, plugin settings,
`users/{}/using/{}`, and `OrgId` (read whatever its case). The last two lists are missing in
13.0.0's, and 404 is an answer to them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

_SOURCE = {
    "uid", "name", "type", "access", "url", "user", "database", "basicAuth", "isDefault", "withCredentials", "jsonData",
    "secureJsonData",
}
ALLOWED: list[tuple[str, str, set[str]]] = [
    ("GET", "/api/health", set()),
    ("POST", "/login", {"user", "password"}),
    ("POST", "/api/user/auth-tokens/rotate", set()),
    ("GET", "/logout", set()),
    ("GET", "/api/user", set()),
    ("GET", "/api/user/orgs", set()),
    ("POST", "/api/user/using/{}", set()),
    ("GET", "/api/org", set()),
    ("GET", "/api/orgs", set()),
    ("POST", "/api/orgs", {"name"}),
    ("GET", "/api/orgs/{}", set()),
    ("GET", "/api/orgs/name/{}", set()),
    ("PUT", "/api/orgs/{}", {"name"}),
    ("PUT", "/api/orgs/{}/address", {"address1"}),
    ("DELETE", "/api/orgs/{}", set()),
    ("GET", "/api/orgs/{}/users", set()),
    ("POST", "/api/orgs/{}/users", {"loginOrEmail", "role"}),
    ("PATCH", "/api/orgs/{}/users/{}", {"role"}),
    ("DELETE", "/api/orgs/{}/users/{}", set()),
    ("POST", "/api/admin/users", {"login", "name", "password", "OrgId"}),
    ("POST", "/api/admin/users", {"login", "email", "name", "password", "OrgId"}),
    ("PUT", "/api/admin/users/{}/password", {"password"}),
    ("DELETE", "/api/admin/users/{}", set()),
    ("GET", "/api/users/lookup", set()),
    ("GET", "/api/users/{}", set()),
    ("GET", "/api/users/{}/orgs", set()),
    ("POST", "/api/users/{}/using/{}", set()),
    ("GET", "/api/search", set()),
    ("GET", "/api/datasources", set()),
    ("POST", "/api/datasources", _SOURCE),
    ("GET", "/api/datasources/uid/{}", set()),
    ("PUT", "/api/datasources/uid/{}", _SOURCE | {"version"}),
    ("DELETE", "/api/datasources/uid/{}", set()),
    ("GET", "/api/datasources/uid/{}/health", set()),
    ("POST", "/api/ds/query", {"from", "to", "queries"}),
    ("GET", "/api/plugins/{}/settings", set()),
    ("POST", "/api/folders", {"uid", "title"}),
    ("GET", "/api/folders/{}", set()),
    ("PUT", "/api/folders/{}", {"title", "version"}),
    ("DELETE", "/api/folders/{}", set()),
    ("GET", "/api/folders/{}/permissions", set()),
    ("POST", "/api/folders/{}/permissions", {"items"}),
    ("GET", "/api/teams/search", set()),
    ("POST", "/api/teams", {"name", "email"}),
    ("GET", "/api/teams/{}", set()),
    ("PUT", "/api/teams/{}", {"name", "email"}),
    ("DELETE", "/api/teams/{}", set()),
    ("GET", "/api/teams/{}/members", set()),
    ("POST", "/api/teams/{}/members", {"userId"}),
    ("DELETE", "/api/teams/{}/members/{}", set()),
    ("POST", "/api/dashboards/db", {"dashboard", "folderUid", "message", "overwrite"}),
    ("GET", "/api/dashboards/uid/{}", set()),
    ("GET", "/api/dashboards/uid/{}/versions", set()),
    ("DELETE", "/api/dashboards/uid/{}", set()),
    ("GET", "/api/dashboards/uid/{}/public-dashboards", set()),
    ("POST", "/api/dashboards/uid/{}/public-dashboards", {
        "uid", "isEnabled", "annotationsEnabled", "timeSelectionEnabled",
    }),
    ("DELETE", "/api/dashboards/uid/{}/public-dashboards/{}", set()),
    ("GET", "/api/serviceaccounts/search", set()),
    ("POST", "/api/serviceaccounts", {"name", "role"}),
    ("PATCH", "/api/serviceaccounts/{}", {"name", "role", "isDisabled"}),
    ("DELETE", "/api/serviceaccounts/{}", set()),
    ("POST", "/api/serviceaccounts/{}/tokens", {"name", "secondsToLive"}),
    ("DELETE", "/api/serviceaccounts/{}/tokens/{}", set()),
    ("GET", "/api/library-elements", set()),
    ("GET", "/api/v1/provisioning/alert-rules", set()),
]
_PATTERNS = [
    (method, re.compile(re.escape(path).replace(r"\{\}", "[^/]+")), keys) for method, path, keys in ALLOWED
]
_LITERAL_FIRST = sorted(_PATTERNS, key=lambda one: one[1].pattern.count("[^/]+"))


def allowed(method: str, path: str, body: dict[str, object] | None) -> bool:
    """Tell whether a request is on the list, with every key of its body and no other."""
    for wanted, pattern, keys in _LITERAL_FIRST:
        if wanted == method and pattern.fullmatch(path) and set(body or {}) == keys:
            return True
    return False


@dataclass
class Faulty(httpx2.BaseTransport):
    """Passes requests on, unless `fault` says what to answer instead.

    `fault` gets the number of the request (from 1) and the request. It returns None to pass it on, a response to
    answer, or `"lost"` to break the connection after Grafana has done it, `"refused"` before.
    """

    inner: httpx2.BaseTransport
    fault: Callable[[int, httpx2.Request], httpx2.Response | str | None] = lambda _number, _request: None
    count: int = 0
    sent: list[tuple[str, str, dict[str, object] | None]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.count += 1
        text = request.read()
        body = json.loads(text) if text else None
        self.sent.append((request.method, request.url.path, body))
        if not allowed(request.method, request.url.path, body):
            self.wrong.append(f"{request.method} {request.url.path} {sorted(body or {})}")
        what = self.fault(self.count, request)
        if isinstance(what, httpx2.Response):
            return what
        if what == "refused":
            raise httpx2.ConnectError(what, request=request)
        answer = self.inner.handle_request(request)
        if what == "lost":
            answer.read()
            raise httpx2.RemoteProtocolError(what, request=request)
        return answer

    def writes(self) -> int:
        """Count the requests that change something."""
        return sum(method != "GET" for method, _, _ in self.sent)

    def close(self) -> None:
        self.inner.close()


def html(status: int = 200) -> httpx2.Response:
    """Answer as a proxy's log-in or error page does."""
    return httpx2.Response(status, headers={"Content-Type": "text/html"}, content=b"<html><body>Sign in</body></html>")


def said(status: int, message: str) -> httpx2.Response:
    """Answer as Grafana does."""
    return httpx2.Response(status, json={"message": message})
