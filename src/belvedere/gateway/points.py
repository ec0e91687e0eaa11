"""Questions about measured values, answered by an InfluxDB with the asking tenant's own read token.

The token reaches one bucket and may not write, so whatever a question says (another bucket's name, a write, a delete)
ends in InfluxDB's own refusal; what could reach other servers is closed there by `--hardening-enabled`. The answer is
passed on as it comes. What is not here: who asks (`service.py`), HTTP towards Grafana (`asgi.py`).
"""

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx2
import msgspec

from belvedere.gateway.model import Answer, Asked, Limits
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later, NotFound, Rejected
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.stores.influx.api import Influx

INFLUXQL: Final = "/query"
FLUX: Final = "/api/v2/query"
KIND: Final = "influxdb"
"""The kind of the stores that are asked here."""

_READING: Final = frozenset({"select", "show", "explain"})
_WORD: Final = re.compile(r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)*+([a-zA-Z]+)", re.DOTALL)
"""The first word behind blanks and comments. Possessive: comments in a row can be divided in 2^n ways."""

_PASSED_ON: Final = ("epoch", "pretty", "params", "chunked", "chunk_size")
_UNKNOWN: Final = 401
"""What InfluxDB answers to a token that it does not know; 403 is a question that this one may not ask."""

_PIECE: Final = 65_536
_LONGEST_REFUSAL: Final = 16_384
_BUCKETS: Final = (
    "#datatype,string,long,string,string,string,string,long\r\n#group,false,false,false,false,false,false,false\r\n"
    "#default,_result,,,,,,\r\n,result,table,name,id,organizationID,retentionPolicy,retentionPeriod\r\n"
    ",,0,{name},,,,0\r\n\r\n"
)
"""What `buckets()` answers: the one bucket there is for this tenant. InfluxDB itself forgets it among many."""

_FAILED: Final = "\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,{message},\r\n"


class Question(msgspec.Struct):
    """As much of a question in Flux as is passed on."""

    query: str = ""
    dialect: dict[str, Any] = {}
    params: dict[str, Any] = {}


class Buckets(Protocol):
    """What knows tenants' tokens."""

    @property
    def influx(self) -> Influx:
        """The InfluxDB."""
        ...

    def token(self, serial: int) -> Secret:
        """Return the token that may read the tenant's bucket."""
        ...


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is asked of InfluxDB."""

    path: str
    params: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]


class PointAnswers:
    """Passes questions on. Safe for threads."""

    def __init__(self, buckets: Buckets, *, limits: Limits, longest_s: float) -> None:
        """Take what knows the tokens; an answer that is larger or takes longer ends with an error."""
        self._buckets = buckets
        self._limits = limits
        self._longest_s = longest_s

    def refuses(self, asked: Asked) -> str:
        """Say why a question is not passed on; empty when it is."""
        found = _WORD.match(asked.fields.get("q", ""))
        if asked.path == INFLUXQL and (found is None or found[1].lower() not in _READING):
            return "Only queries are answered here: SELECT, SHOW, EXPLAIN."
        return ""

    def answer(self, tenant: int, bucket: str, asked: Asked) -> Answer:
        """Answer a question about a tenant's bucket; the first piece is there when this returns.

        Raises:
            Rejected: it is no question in Flux.
            Later: InfluxDB is away, or does not know the tenant's token any more.
        """
        sent = self._influxql(bucket, asked) if asked.path == INFLUXQL else self._flux(asked)
        if sent is None:
            return Answer(_BUCKETS.replace("{name}", _cell(bucket)).encode(), kind="text/csv; charset=utf-8")
        pieces = self._pieces(tenant, sent)
        head = next(pieces)
        status, kind = int(head[:3]), head[3:].decode()
        if status == _UNKNOWN:
            pieces.close()
            message = "InfluxDB does not take the tenant's token. It is made anew at the next look, or by an operator."
            raise Later(message, retry_in_s=60.0)
        first = next(pieces, b"")
        return Answer(first, pieces, status=status, kind=kind)

    def _influxql(self, bucket: str, asked: Asked) -> _Sent:
        fields: dict[str, str] = {name: asked.fields[name] for name in _PASSED_ON if name in asked.fields}
        form = httpx2.QueryParams(fields | {"db": bucket, "q": asked.fields.get("q", "")})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return _Sent(INFLUXQL, {"db": bucket}, str(form).encode(), headers)

    def _flux(self, asked: Asked) -> _Sent | None:
        """Read the question; None for the one that Grafana tests a data source with."""
        if asked.headers.get("content-type", "").lower().startswith("application/vnd.flux"):
            told = Question(asked.body.decode("utf-8", "replace"))
        else:
            try:
                told = msgspec.json.decode(asked.body, type=Question)
            except msgspec.MsgspecError:
                message = "This is no question in Flux."
                raise Rejected(message) from None
        if told.query.strip() == "buckets()":
            return None
        body = {"query": told.query, "type": "flux", "dialect": told.dialect or {
            "annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True,
        }} | ({"params": told.params} if told.params else {})
        headers = {"Content-Type": "application/json", "Accept": "application/csv"}
        return _Sent(FLUX, {"org": self._buckets.influx.access.org}, msgspec.json.encode(body), headers)

    def _pieces(self, tenant: int, sent: _Sent) -> Generator[bytes]:
        """Yield the status and the type of the answer, then the answer itself."""
        try:
            token = self._buckets.token(tenant)
        except NotFound as error:
            raise Later(error.detail, retry_in_s=10.0) from None
        headers = {**sent.headers, "Accept-Encoding": "identity"}
        with self._buckets.influx.stream(
            "POST", sent.path, sent.params, body=sent.body, token=token, headers=headers
        ) as answer:
            kind = answer.headers.get("Content-Type", "application/json")
            yield f"{answer.status_code:03}{kind}".encode()
            if answer.status_code == 200:  # noqa: PLR2004
                yield from self._bounded(answer.iter_bytes(_PIECE), is_csv="csv" in kind)
            else:
                yield answer.read()[:_LONGEST_REFUSAL]

    def _bounded(self, pieces: Iterator[bytes], *, is_csv: bool) -> Generator[bytes]:
        began_s, rows, size = monotonic_s(), 0, 0
        for piece in pieces:
            rows += piece.count(b"\n")
            size += len(piece)
            over = self._over(rows, size, monotonic_s() - began_s)
            if not over:
                yield piece
            elif is_csv:
                yield _FAILED.replace("{message}", _cell(over)).encode()
                return
            else:
                # Half of a JSON text is none: who reads it sees that it broke off.
                raise Rejected(over)

    def _over(self, rows: int, size: int, taken_s: float) -> str:
        if rows > self._limits.rows:
            return f"The answer has more than {self._limits.rows:,} rows. Ask for wider intervals, or a shorter range."
        if size > self._limits.bytes:
            return f"The answer has more than {self._limits.bytes:,} bytes. Ask for less."
        return "The answer took too long to take. Ask for less." if taken_s > self._longest_s else ""


def answers_of(settings: Settings, buckets: Buckets | None) -> PointAnswers | None:
    """Make what passes questions on; None without an InfluxDB."""
    if buckets is None:
        return None
    limits = Limits(settings.gateway_rows, settings.gateway_bytes, settings.gateway_at_once)
    return PointAnswers(buckets, limits=limits, longest_s=settings.tenant_statement_timeout_s)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text
