"""The one module that speaks InfluxDB 2's HTTP API: it sends requests, and says what an answer means.

What it does when it is asked is written down as it was seen on 2.7.8: a list of buckets is cut into pages before rights
are applied, so buckets are always asked by name; a name that is taken answers 422; a write with some bad points
answers 422 and has stored the good ones; broken gzip answers 500. What is not here: what to ask when (`influx.py`).
"""

import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.http import client
from belvedere.kernel.redact import Redactor
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.answers import Bucket, Buckets, Health, NamesForInfluxql, Orgs, Problem, Token, Tokens
from belvedere.stores.influx.model import Access, Purpose, SeenBucket, SeenToken

T = TypeVar("T")

OK: Final = frozenset({200, 201, 204})
NOT_FOUND: Final = 404
TAKEN: Final = 422
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_TRIES: Final = 4
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 20.0
_LONGEST_MESSAGE: Final = 300
_FIRST_MOMENT: Final = "1677-09-21T00:12:43.145224194Z"
_LAST_MOMENT: Final = "2262-04-11T23:47:16.854775806Z"


class InfluxAway(Later):
    """InfluxDB does not answer. It is tried again by itself."""

    code = "influxdb-away"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write came to: the status, and InfluxDB's own sentence where it says one."""

    status: int
    message: str = ""


class Influx:
    """One InfluxDB. Safe for threads."""

    def __init__(
        self, access: Access, *, transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is called. `transport` and `pause` are for tests."""
        self.access = access
        self._transport = transport
        self._pause = pause
        self._client: httpx2.Client | None = None
        self._org = ""
        self._lock = Lock()
        self._redact = Redactor([access.token])

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    # What there is

    def version(self) -> str:
        """Return its version, such as `v2.7.8`; empty where it hides it."""
        answer = self._ask("GET", "/health", accept=(404, 503))
        return self._read(answer, Health).version if answer.status_code in OK else ""

    def org(self) -> str:
        """Return the number of the organization. Asked once.

        Raises:
            Stuck: there is none of that name that the token may see.
        """
        if not self._org:
            answer = self._ask("GET", "/api/v2/orgs", {"org": self.access.org}, accept=(NOT_FOUND,))
            found = self._read(answer, Orgs).orgs if answer.status_code in OK else []
            if not found:
                message = f"InfluxDB has no organization {self.access.org} that its token may see."
                hint = "Check INFLUXDB_ORG and INFLUXDB_ADMIN_TOKEN."
                raise Stuck(message, code="influxdb-login", hint=hint)
            self._org = found[0].id
        return self._org

    def bucket(self, name: str) -> SeenBucket | None:
        """Find a bucket by its name."""
        answer = self._ask("GET", "/api/v2/buckets", {"name": name, "orgID": self.org()}, accept=(NOT_FOUND,))
        if answer.status_code not in OK:
            return None
        found = next((one for one in self._read(answer, Buckets).buckets if one.name == name), None)
        return _seen(found) if found else None

    def make_bucket(self, name: str, mark: str) -> SeenBucket | None:
        """Make a bucket that keeps its points for ever; None when there is one of that name."""
        body = {"orgID": self.org(), "name": name, "description": mark, "retentionRules": []}
        answer = self._ask("POST", "/api/v2/buckets", body=body, accept=(TAKEN,))
        if answer.status_code == TAKEN:
            if self._read(answer, Problem).code != "conflict":
                raise self._refused(answer)
            return None
        return _seen(self._read(answer, Bucket))

    def mark_bucket(self, number: str, mark: str) -> None:
        """Write a bucket's description."""
        self._ask("PATCH", f"/api/v2/buckets/{quote(number)}", body={"description": mark})

    def drop_bucket(self, number: str) -> None:
        """Delete a bucket with all its points. One that is gone is no error."""
        self._ask("DELETE", f"/api/v2/buckets/{quote(number)}", accept=(NOT_FOUND,))

    def token(self, number: str) -> SeenToken | None:
        """Find a token by its number."""
        answer = self._ask("GET", f"/api/v2/authorizations/{quote(number)}", accept=(NOT_FOUND,))
        if answer.status_code == NOT_FOUND:
            return None
        found = self._read(answer, Token)
        reaches = frozenset((one.action, one.resource.id or f"all {one.resource.type}") for one in found.permissions)
        return SeenToken(found.id, found.status == "active", reaches)

    def make_token(self, name: str, purpose: Purpose, bucket: str) -> tuple[str, Secret]:
        """Make a token for one bucket; return its number and its value, which is told this once."""
        resource = {"type": "buckets", "id": bucket, "orgID": self.org()}
        rights = [{"action": action, "resource": resource} for action in purpose.actions]
        body = {"orgID": self.org(), "description": name, "status": "active", "permissions": rights}
        made = self._read(self._ask("POST", "/api/v2/authorizations", body=body), Token)
        return made.id, Secret(made.token)

    def tokens_called(self, name: str) -> list[Token]:
        """Return the tokens of a description. The whole list is read: ask rarely."""
        answer = self._ask("GET", "/api/v2/authorizations", {"orgID": self.org()})
        return [one for one in self._read(answer, Tokens).authorizations if one.description == name]

    def own_rights(self) -> frozenset[tuple[str, str]] | None:
        """Return what the installation's own token may do, such as `("write", "buckets")`; None where nobody tells.

        Nothing: it sees no token, not even itself, as one whose rights were narrowed by hand (seen on 2.7.8). The
        whole list is read, and newer servers do not show which of it is this one: ask rarely.
        """
        answer = self._ask("GET", "/api/v2/authorizations", {"orgID": self.org()})
        found = self._read(answer, Tokens).authorizations
        ours = next((one for one in found if one.token == self.access.token.reveal()), None)
        if ours is None:
            return None if found else frozenset()
        return frozenset((right.action, right.resource.type) for right in ours.permissions if not right.resource.id)

    def drop_token(self, number: str) -> None:
        """Delete a token: whoever has it gets 401 from then on. One that is gone is no error."""
        self._ask("DELETE", f"/api/v2/authorizations/{quote(number)}", accept=(NOT_FOUND,))

    def is_mapped(self, database: str, bucket: str) -> bool:
        """Tell whether InfluxQL finds a bucket under a database's name."""
        answer = self._ask("GET", "/api/v2/dbrps", {"orgID": self.org(), "db": database}, accept=(NOT_FOUND,))
        found = self._read(answer, NamesForInfluxql).content if answer.status_code in OK else []
        return any(one.bucket == bucket and one.default for one in found)

    def map(self, database: str, bucket: str) -> None:
        """Let InfluxQL find a bucket under a database's name."""
        body = {"orgID": self.org(), "bucketID": bucket, "database": database, "retention_policy": "autogen",
                "default": True}
        self._ask("POST", "/api/v2/dbrps", body=body)

    # Points

    def write(self, bucket: str, token: Secret, body: bytes, *, packed: bool, precision: str = "s") -> Outcome:
        """Write lines with times in seconds, or in another unit of time; `packed` when they are compressed.

        Raises:
            InfluxAway: it does not answer, or not now, after some tries.
        """
        params = {"org": self.access.org, "bucket": bucket, "precision": precision}
        headers = {"Content-Type": "text/plain; charset=utf-8"} | ({"Content-Encoding": "gzip"} if packed else {})
        answer = self._send("POST", "/api/v2/write", params, body=body, token=token, headers=headers)
        return Outcome(answer.status_code, "" if answer.status_code in OK else self._message(answer))

    def delete(self, bucket: str, predicate: str) -> None:
        """Delete a bucket's points that meet a predicate. A bucket that is gone is no error."""
        params = {"org": self.access.org, "bucket": bucket}
        body = {"start": _FIRST_MOMENT, "stop": _LAST_MOMENT, "predicate": predicate}
        self._ask("POST", "/api/v2/delete", params, body=body, accept=(NOT_FOUND,))

    def query(self, text: str, token: Secret | None = None) -> tuple[int, str]:
        """Ask in Flux; return the status and the answer's text, CSV or a problem."""
        body = msgspec.json.encode({"query": text, "type": "flux", "dialect": {"annotations": []}})
        answer = self._send(
            "POST", "/api/v2/query", {"org": self.access.org}, body=body, token=token or self.access.token,
            headers={"Content-Type": "application/json", "Accept": "application/csv"},
        )
        return answer.status_code, answer.text

    @contextmanager
    def stream(
        self, method: str, path: str, params: Mapping[str, str], *, body: bytes, token: Secret,
        headers: Mapping[str, str],
    ) -> Iterator[httpx2.Response]:
        """Send a question on with a token of one's own choice, once, and give the answer while it comes.

        Raises:
            InfluxAway: it does not answer.
        """
        sent = {**headers, "Authorization": f"Token {token.reveal()}"}
        try:
            with self._http().stream(method, path, params=dict(params), content=body, headers=sent) as answer:
                yield answer
        except httpx2.HTTPError as error:
            raise self._away(error) from None

    # Inside

    def _ask(
        self, method: str, path: str, params: Mapping[str, str] | None = None, *, body: object = None,
        accept: tuple[int, ...] = (),
    ) -> httpx2.Response:
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if content else {}
        answer = self._send(
            method, path, params or {}, body=content, token=self.access.token, headers=headers
        )
        if answer.status_code in OK or answer.status_code in accept:
            return answer
        raise self._refused(answer)

    def _send(
        self, method: str, path: str, params: Mapping[str, str], *, body: bytes, token: Secret,
        headers: Mapping[str, str],
    ) -> httpx2.Response:
        """Send, a few times while it is away or asks to wait. All that is sent here may be sent twice."""
        sent = {**headers, "Authorization": f"Token {token.reveal()}"}
        for attempt in range(_TRIES):
            try:
                answer = self._http().request(method, path, params=dict(params), content=body, headers=sent)
            except httpx2.HTTPError as error:
                if attempt == _TRIES - 1:
                    raise self._away(error) from None
                wait_s = 0.0
            else:
                if answer.status_code not in _PASSING:
                    return answer
                wait_s = _asked_s(answer)
                if attempt == _TRIES - 1 or wait_s > _LONGEST_PAUSE_S:
                    message = f"InfluxDB cannot do it now ({answer.status_code}): {self._message(answer)}"
                    raise InfluxAway(message, retry_in_s=max(wait_s, 5.0))
            self._pause(wait_s + _FIRST_PAUSE_S * 3**attempt * random.uniform(0.5, 1.5))  # noqa: S311  (no secret)
        raise InfluxAway  # pragma: no cover  (the last turn has raised)

    def _http(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                try:
                    self._client = client(
                        self.access.url, timeout_s=self.access.timeout_s, transport=self._transport,
                        ca_file=self.access.ca_file,
                    )
                except (OSError, ssl.SSLError) as error:
                    message = f"The certificates in {self.access.ca_file} cannot be read ({type(error).__name__})."
                    raise Stuck(message, code="setting", hint="Check BELVEDERE_INFLUXDB_CA_FILE.") from None
            return self._client

    def _read(self, answer: httpx2.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind, strict=False)
        except msgspec.MsgspecError:
            message = f"What answers at {self.access.url} is no InfluxDB 2."
            raise InfluxAway(message, retry_in_s=60.0) from None

    def _message(self, answer: httpx2.Response) -> str:
        try:
            found = msgspec.json.decode(answer.content, type=Problem)
        except msgspec.MsgspecError:
            return self._redact.text(answer.text[:_LONGEST_MESSAGE].strip())
        return self._redact.text((found.message or found.code)[:_LONGEST_MESSAGE])

    def _refused(self, answer: httpx2.Response) -> Stuck:
        if answer.status_code in {401, 403}:
            message = f"InfluxDB does not take its token ({answer.status_code}): {self._message(answer)}"
            hint = "INFLUXDB_ADMIN_TOKEN must be allowed to make buckets and tokens in INFLUXDB_ORG."
            return Stuck(message, code="influxdb-login", hint=hint)
        asked = f"{answer.request.method} {answer.request.url.path}"
        message = f"InfluxDB refused {asked} ({answer.status_code}): {self._message(answer)}"
        return Stuck(message, code="influxdb-refused")

    def _away(self, error: Exception) -> InfluxAway:
        return InfluxAway(f"InfluxDB at {self.access.url} does not answer ({type(error).__name__}).", retry_in_s=10.0)


def _seen(bucket: Bucket) -> SeenBucket:
    everlasting = not any(rule.every_seconds for rule in bucket.retention)
    return SeenBucket(bucket.id, bucket.name, bucket.description, everlasting)


def _asked_s(answer: httpx2.Response) -> float:
    """Return how long it asks to wait."""
    try:
        return max(float(answer.headers.get("Retry-After", "0")), 0.0)
    except ValueError:
        return 0.0
