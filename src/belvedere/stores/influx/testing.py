"""The twin: an InfluxDB in memory that answers as a real 2.7.8 was seen to, with its traps. For tests alone.

It passes `tests/contract/test_points.py` and `test_influx.py` as the real one does. A list of buckets is cut to twenty
before rights are applied; a write with bad points stores the good ones and says 422. Flux is not understood but for
`buckets()`; `points` shows what stands there.
"""

import gzip
import json
import re
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import httpx2

Reply = tuple[int, Any]
Place = tuple[str, str, int]
"""Measurement with tags, field, seconds."""

_PAGE: Final = 20
_LINE: Final = re.compile(
    r"((?:[^\\, ]|\\.)+)((?:,(?:[^\\,= ]|\\.)+=(?:[^\\,= ]|\\.)+)*) ((?:[^\\,= ]|\\.)+)=([^ ,]+) (-?\d+)"
)
_TAG: Final = re.compile(r",((?:[^\\,= ]|\\.)+)=((?:[^\\,= ]|\\.)+)")
_ESCAPED: Final = re.compile(r"\\([,= ])")


@dataclass
class TwinBucket:
    """A bucket and its points."""

    id: str
    name: str
    description: str = ""
    kept_s: int = 0
    points: dict[Place, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """Return it as InfluxDB says it."""
        rules = [{"type": "expire", "everySeconds": self.kept_s}]
        return {"id": self.id, "name": self.name, "description": self.description, "retentionRules": rules,
                "type": "user", "orgID": "org1"}


@dataclass
class TwinToken:
    """A token. `permissions` None is the operator's, which may do everything."""

    id: str
    value: str
    description: str = ""
    status: str = "active"
    permissions: list[dict[str, Any]] | None = None

    def may(self, action: str, bucket: str) -> bool:
        """Tell whether it may do that with a bucket."""
        if self.permissions is None:
            return True
        return any(
            one["action"] == action and one["resource"].get("id") in {None, bucket} for one in self.permissions
        )

    def shown(self, *, value: bool) -> dict[str, Any]:
        """Return it as InfluxDB says it; newer ones tell the value once."""
        return {"id": self.id, "status": self.status, "description": self.description,
                "permissions": self.permissions or [], **({"token": self.value} if value else {})}


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Say it in InfluxDB's words."""
        super().__init__(message)
        self.reply: Reply = status, {"code": code, "message": message}


class TwinInflux(httpx2.BaseTransport):
    """A server. Use it as the transport of a client, or read and change what it holds."""

    def __init__(self, *, admin: str = "admin-token", org: str = "acme org", hardened: bool = True,
                 most_body: int = 50_000_000) -> None:
        """Start with one organization and the operator's token."""
        self.org, self.hardened, self.most_body = org, hardened, most_body
        self.buckets: dict[str, TwinBucket] = {}
        self.tokens: dict[str, TwinToken] = {"t0": TwinToken("t0", admin, "operator")}
        self.mapped: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.trouble: list[tuple[int, dict[str, str]] | Exception] = []
        """What the next calls answer with instead."""
        self._number = 0
        self._lock = threading.RLock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        body = request.read()
        with self._lock:
            self.calls.append((request.method, request.url.path))
            if self.trouble:
                found = self.trouble.pop(0)
                if isinstance(found, Exception):
                    raise found
                return httpx2.Response(found[0], headers=found[1], json={"code": "x", "message": "not now"})
            try:
                status, answer = self._answer(request, body)
            except Refused as refused:
                status, answer = refused.reply
        if answer is None:
            return httpx2.Response(status)
        if isinstance(answer, str):
            return httpx2.Response(status, headers={"Content-Type": "text/csv"}, text=answer)
        return httpx2.Response(status, json=answer)

    def bucket_named(self, name: str) -> TwinBucket | None:
        """Find a bucket."""
        return next((one for one in self.buckets.values() if one.name == name), None)

    def add_bucket(self, name: str, description: str = "", kept_s: int = 0) -> TwinBucket:
        """Make a bucket as somebody else would."""
        made = TwinBucket(self._new("b"), name, description, kept_s)
        self.buckets[made.id] = made
        return made

    def _new(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def _answer(self, request: httpx2.Request, body: bytes) -> Reply:
        path = request.url.path
        if path == "/health":
            return 200, {"name": "influxdb", "status": "pass", "version": "v2.7.8"}
        if path == "/ping":
            return 204, None
        token = self._token(request.headers.get("Authorization", ""))
        query = {key: values[0] for key, values in parse_qs(request.url.query.decode()).items()}
        noun, _, ident = path.removeprefix("/api/v2/").partition("/")
        if noun == "write":
            return self._write(token, query, request.headers, body)
        if noun == "query" or path == "/query":
            return self._query(token, path, query, body)
        if token.permissions is not None and noun != "buckets":
            raise Refused(403, "forbidden", "insufficient permissions")
        told: Any = json.loads(body) if body else {}
        deeds = {"orgs": self._orgs, "buckets": self._buckets, "authorizations": self._authorizations,
                 "dbrps": self._dbrps, "delete": self._delete}
        if noun not in deeds:
            raise Refused(404, "not found", "path not found")
        return deeds[noun](request.method, ident, query, told, token)

    def _token(self, header: str) -> TwinToken:
        value = header.removeprefix("Token ")
        found = next((one for one in self.tokens.values() if one.value == value and one.status == "active"), None)
        if found is None:
            raise Refused(401, "unauthorized", "unauthorized access")
        return found

    def _orgs(self, _method: str, _ident: str, query: dict[str, str], _told: Any, _by: TwinToken) -> Reply:  # noqa: ANN401
        if query.get("org", self.org) != self.org:
            raise Refused(404, "not found", "organization name not found")
        return 200, {"orgs": [{"id": "org1", "name": self.org}]}

    def _buckets(self, method: str, ident: str, query: dict[str, str], told: Any, by: TwinToken) -> Reply:  # noqa: ANN401
        if method == "GET":
            found = [one for one in self.buckets.values() if query.get("name", one.name) == one.name]
            if "name" in query and not found:
                raise Refused(404, "not found", f'bucket "{query["name"]}" not found')
            page = found[: int(query.get("limit", _PAGE))]
            return 200, {"buckets": [one.shown() for one in page if by.may("read", one.id)]}
        if by.permissions is not None:
            raise Refused(403, "forbidden", "insufficient permissions")
        if method == "POST":
            if self.bucket_named(told["name"]):
                raise Refused(422, "conflict", f"bucket with name {told['name']} already exists")
            return 201, self.add_bucket(told["name"], told.get("description", "")).shown()
        if ident not in self.buckets:
            raise Refused(404, "not found", "bucket not found")
        if method == "PATCH":
            self.buckets[ident].description = told["description"]
            return 200, self.buckets[ident].shown()
        del self.buckets[ident]
        return 204, None

    def _authorizations(self, method: str, ident: str, _query: dict[str, str], told: Any, _by: TwinToken) -> Reply:  # noqa: ANN401
        if method == "POST":
            made = TwinToken(self._new("t"), self._new("value-"), told["description"], "active", told["permissions"])
            self.tokens[made.id] = made
            return 201, made.shown(value=True)
        if not ident:
            return 200, {"authorizations": [one.shown(value=False) for one in self.tokens.values()]}
        if ident not in self.tokens:
            raise Refused(404, "not found", "authorization not found")
        if method == "GET":
            return 200, self.tokens[ident].shown(value=False)
        del self.tokens[ident]
        return 204, None

    def _dbrps(self, method: str, _ident: str, query: dict[str, str], told: Any, _by: TwinToken) -> Reply:  # noqa: ANN401
        if method == "POST":
            self.mapped[told["database"]] = told["bucketID"]
            return 201, told
        bucket = self.bucket_named(query.get("db", ""))
        found = self.mapped.get(query.get("db", ""), bucket.id if bucket else "")
        named = [{"id": "d", "bucketID": found, "database": query.get("db", ""), "default": True}] if found else []
        return 200, {"content": named}

    def _delete(self, _method: str, _ident: str, query: dict[str, str], told: Any, _by: TwinToken) -> Reply:  # noqa: ANN401
        bucket = self.bucket_named(query["bucket"])
        if bucket is None:
            raise Refused(404, "not found", "bucket not found")
        found = re.fullmatch(r'(\w+)="((?:[^"\\]|\\.)*)"', told["predicate"])
        if found is None:
            raise Refused(400, "invalid", "bad logical expression")
        key, value = found[1], re.sub(r"\\(.)", r"\1", found[2])
        bucket.points = {
            place: one for place, one in bucket.points.items() if dict(tags_of(place[0])).get(key) != value
        }
        return 204, None

    def _query(self, token: TwinToken, path: str, query: dict[str, str], body: bytes) -> Reply:
        text = json.loads(body)["query"] if path != "/query" else query.get("q", "")
        if "requests.get" in text:
            called = text.partition("http://")[2].partition("/")[0]
            words = "no such host" if self.hardened else f"dial tcp {called}: connect: connection refused"
            raise Refused(400 if self.hardened else 500, "invalid", f"error calling function: {words}")
        seen = [one for one in self.buckets.values() if token.may("read", one.id)]
        if path == "/query":
            bucket = self.bucket_named(query.get("db", ""))
            if bucket is None or bucket not in seen:
                raise Refused(404, "not found", "no dbrp mapping found")
            return 200, {"results": [{"statement_id": 0, "series": [
                {"name": bucket.name, "columns": ["time", "value"], "values": [[0, len(bucket.points)]]}]}]}
        named = re.search(r'bucket:\s*"([^"]*)"', text)
        if named and named[1] not in {one.name for one in seen}:
            raise Refused(404, "not found", f'failed to initialize execute state: could not find bucket "{named[1]}"')
        return 200, ",result,table,name\r\n" + "".join(f",,0,{one.name}\r\n" for one in seen)

    def _write(self, token: TwinToken, query: dict[str, str], headers: httpx2.Headers, body: bytes) -> Reply:
        if query.get("org") not in {self.org, "org1"}:
            raise Refused(404, "not found", f'organization name "{query.get("org")}" not found')
        bucket = self.bucket_named(query["bucket"])
        if bucket is None:
            raise Refused(404, "not found", f'bucket "{query["bucket"]}" not found')
        if not token.may("write", bucket.id):
            raise Refused(403, "forbidden", "insufficient permissions for write")
        if len(body) > self.most_body:
            raise Refused(413, "request too large", "unable to read data: points batch is too large")
        if headers.get("Content-Encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                raise Refused(500, "internal error", "unable to read data: gzip: invalid header") from None
        points = list(parsed(body.decode()))
        dropped = 0
        for place, kind, value in points:
            if bucket.kinds.setdefault(f"{place[0].partition(',')[0]} {place[1]}", kind) != kind:
                dropped += 1
            else:
                bucket.points[place] = value
        if dropped:
            message = f"failure writing points to database: partial write: field type conflict dropped={dropped}"
            raise Refused(422, "unprocessable entity", message)
        return 204, None


def parsed(text: str) -> Iterator[tuple[Place, str, float]]:
    """Read lines of one field; a line that is wrong refuses them all."""
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        value = found[4].removesuffix("i") if found else ""
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if found is None or number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124  (NaN)
            raise Refused(400, "invalid", f"unable to parse '{line}': invalid number")
        kind = "integer" if found[4].endswith("i") else "float"
        yield (found[1] + found[2], _ESCAPED.sub(r"\1", found[3]), int(found[5])), kind, number


def tags_of(series: str) -> list[tuple[str, str]]:
    """Return the tags of a series as they were meant."""
    return [
        (_ESCAPED.sub(r"\1", key), _ESCAPED.sub(r"\1", value))
        for key, value in _TAG.findall(series[len(series.split(",", 1)[0]):])
    ]
