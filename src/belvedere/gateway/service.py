"""The rules of the gateway: who asks, what that person may see, and the answer as that tenant's reader.

Whatever a request says besides, the tenant comes from the signed token alone. The name of a database in it chooses
among that tenant's own stores and is refused when it names another's. What is not here: HTTP (`asgi.py`), the
token (`idtoken.py`), SQL (`postgres.py`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import psycopg

from belvedere.audit.model import History
from belvedere.credentials.derived import is_one_of
from belvedere.gateway import macros, postgres, shape
from belvedere.gateway.identities import Identities
from belvedere.gateway.idtoken import IdTokens
from belvedere.gateway.model import IDENTITY_HEADER, PROOF_HEADER, USER_HEADER, Answer, Asked, Limits, Shape, Sight
from belvedere.gateway.points import FLUX, KIND, PointAnswers
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Forbidden, Later, NotFound, Rejected, Unauthenticated
from belvedere.kernel.secret import Secret
from belvedere.stores.service import Stores

_VERB: Final = "gateway.query"
_QUERY: Final = "/query"
_LONGEST_SHOWN: Final = 200
_REACHED_TOO_FAR: Final = frozenset({403, 404})
"""What InfluxDB answers to a write, and to the name of a bucket that is not this tenant's."""

_SMALL: Final = 65_536


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, once believed, and the store that is asked."""

    actor: Actor
    tenant: int
    store: UUID
    kind: str = ""
    database: str = ""


class Gateway:
    """Answers Grafana's questions, each with the rows of the asking person's tenant only. Safe for threads."""

    def __init__(
        self, *, stores: Stores, identities: Identities, tokens: IdTokens, secrets: Sequence[Secret], history: History,
        limits: Limits, longest_s: float, points: PointAnswers | None = None,
    ) -> None:
        """Take what it needs; `longest_s` is how long one answer may take in all, in seconds.

        `points` answers for tenants' buckets, where there is an InfluxDB.
        """
        self._points = points
        self._stores = stores
        self._identities = identities
        self._tokens = tokens
        self._secrets = list(secrets)
        self._history = history
        self._limits = limits
        self._longest_s = longest_s

    @property
    def limits(self) -> Limits:
        """How much one answer may hold, and how many of one tenant are made at once."""
        return self._limits

    @property
    def longest_s(self) -> float:
        """How long one answer may take in all, in seconds."""
        return self._longest_s

    def is_grafana(self, asked: Asked) -> bool:
        """Tell whether a request carries Grafana's own secret."""
        return is_one_of(asked.headers.get(PROOF_HEADER.lower(), ""), self._secrets)

    def admit(self, asked: Asked) -> Caller:
        """Find out who asks, and of which store. Each refusal is written down.

        Raises:
            Unauthenticated: it is not Grafana, or nobody that Grafana vouches for.
            Forbidden: the person has no tenant here, asks for another's database, or does not ask but changes.
            Rejected: the person has several tenants and does not say which.
            Later: Grafana's keys or the control database are away.
        """
        actor = Actor(name="somebody", role=Role.VIEWER, door="gateway", origin=asked.origin)
        try:
            self._must_be_grafana(asked)
            subject = self._tokens.subject(_token(asked))
            actor = replace(actor, name=f"Grafana {subject}")
            self._must_be_a_query(asked)
            known = self._known(subject, asked)
            actor = replace(actor, name=f"{known[0].member} ({subject})", tenant=known[0].tenant)
            sight = self._sight(known, asked)
            return Caller(
                replace(actor, tenant=sight.tenant), sight.tenant, sight.store, sight.kind, sight.database
            )
        except Rejected as error:
            self._refused(actor, asked, error.detail)
            raise

    def answer(self, caller: Caller, asked: Asked) -> Answer:
        """Answer a query of somebody admitted, piece by piece; the first piece is there when this returns.

        A small answer is one piece. Nothing is held but one piece. An answer that is too large, or that fails on
        its way, ends with an error in InfluxDB's own form, so that Grafana shows it instead of half of the rows.
        Close `rest` if you stop early.

        Raises:
            TooMany: too many of the tenant's queries run.
            Later: the tenant's server is away.
        """
        if caller.kind == KIND:
            return self._pointed(caller, asked)
        text = asked.fields.get("q", "")
        if macros.first_word(text) == "show":
            return Answer(self._shown(caller, text))
        if not macros.reads(text) and text.strip():
            message = "Only queries are answered here: SELECT, WITH, VALUES, TABLE."
            self._refused(caller.actor, asked, message)
            return Answer(shape.failed(message))
        try:
            statement, table = macros.as_postgres(text)
        except Rejected as error:
            return Answer(shape.failed(error.detail))
        pieces = self._pieces(caller, asked, statement, table=table)
        return _primed(pieces)

    def _must_be_grafana(self, asked: Asked) -> None:
        if not self.is_grafana(asked):
            message = "The request does not carry Grafana's secret."
            raise Unauthenticated(message)

    def _pointed(self, caller: Caller, asked: Asked) -> Answer:
        """Answer for a bucket."""
        if self._points is None:
            message = "The InfluxDB that held this is not set up here any more."
            raise NotFound(message)
        message = self._points.refuses(asked)
        if message:
            self._refused(caller.actor, asked, message)
            return Answer(shape.failed(message))
        answer = self._points.answer(caller.tenant, caller.database, asked)
        if answer.status in _REACHED_TOO_FAR:
            said = answer.first[:_LONGEST_SHOWN].decode("utf-8", "replace")
            self._refused(caller.actor, asked, f"InfluxDB refused the question ({answer.status}): {said}")
        return answer

    def _sight(self, known: Sequence[Sight], asked: Asked) -> Sight:
        """Choose the store; a question in Flux names the bucket in place of the organization."""
        if asked.path != FLUX:
            return _chosen(known, asked.fields.get("db", ""))
        return _chosen([one for one in known if one.kind == KIND], asked.fields.get("org", ""))

    def _must_be_a_query(self, asked: Asked) -> None:
        if asked.path == FLUX and asked.method == "POST" and self._points is not None:
            return
        if asked.path != _QUERY or asked.method not in {"GET", "POST"}:
            message = f"{asked.method} {asked.path[:_LONGEST_SHOWN]} is not served: the gateway answers queries only."
            raise Forbidden(message)

    def _known(self, subject: str, asked: Asked) -> tuple[Sight, ...]:
        """Return what a subject may see, now."""
        found = self._identities.of_subject(subject)
        login = asked.headers.get(USER_HEADER.lower())
        if login is not None:
            found = tuple(one for one in found if not one.login or one.login == login)
        if not found:
            message = "You have no tenant here. Ask an operator of Belvedere to make you a member of one."
            raise Forbidden(message)
        return found

    def _refused(self, actor: Actor, asked: Asked, reason: str) -> None:
        target = f"{asked.path} {asked.fields.get('db', '')}".strip()[:_LONGEST_SHOWN]
        self._history.refusal(actor, _VERB, target, reason, tenant=actor.tenant)

    def _shown(self, caller: Caller, text: str) -> bytes:
        """Answer InfluxQL's SHOW: tables count as measurements, of everything else there is none."""
        if "measurements" not in text.lower():
            return shape.measurements([])
        return shape.measurements([one.name for one in self._stores.stable_relations(caller.store)])

    def _pieces(self, caller: Caller, asked: Asked, statement: str, *, table: bool) -> Generator[bytes]:
        """Yield an answer. What goes wrong before the first row is the whole answer, after it the end of it."""
        begun = False
        try:
            described = postgres.Description(statement)
            with self._stores.reader(caller.store, along=described.ask) as session:
                columns = described.columns
                laid = shape.shape_of(columns, table=table)
                found = postgres.rows(session, statement, columns, laid)
                begin = monotonic_s()
                sent = _Sent(self._limits)
                for batch in found:
                    piece = sent.piece(batch, laid, first=not begun)
                    begun = True
                    yield piece
                    if sent.over or monotonic_s() - begin > self._longest_s:
                        yield _ending(sent.over or "The answer took too long to take. Ask for less.", begun=True)
                        return
                if not begun:
                    yield sent.piece([], laid, first=True)
                yield _Last(_ending("", begun=True))
        except psycopg.Error as error:
            if postgres.is_refused(error):
                self._refused(caller.actor, asked, postgres.words(error))
            yield _ending(postgres.words(error), begun=begun)
        except ValueError as error:
            yield _ending(str(error), begun=begun)
        except (Later, NotFound) as error:
            if not begun:
                raise
            yield _ending(error.detail, begun=begun)


class _Last(bytes):
    """The last piece of an answer: after it the session is only cleaned up, which nobody needs to wait for."""


class _Sent:
    """Counts what was sent of one answer, and writes the next piece."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows = 0
        self._bytes = 0
        self._tag: str | None = None
        self.over = ""

    def piece(self, batch: Sequence[postgres.Row], laid: Shape, *, first: bool) -> bytes:
        """Write some rows; a change of the tag begins another series."""
        parts: list[bytes] = []
        if first:
            self._tag = batch[0][1] if batch else None
            parts.append(shape.opening() + shape.series(laid, self._tag, first=True))
        rows: list[str] = []
        fresh = first
        for row, tag in batch:
            if tag != self._tag:
                parts += [_joined(rows, fresh=fresh), b"]}", shape.series(laid, tag, first=False)]
                rows, fresh, self._tag = [], True, tag
            rows.append(row)
        parts += [_joined(rows, fresh=fresh)]
        made = b"".join(parts)
        self._rows += len(batch)
        self._bytes += len(made)
        self._weigh()
        return made

    def _weigh(self) -> None:
        if self._rows > self._limits.rows:
            self.over = f"The answer has more than {self._limits.rows:,} rows. Group them, or choose a shorter range."
        elif self._bytes > self._limits.bytes:
            self.over = f"The answer has more than {self._limits.bytes:,} bytes. Ask for fewer rows or columns."


def _joined(rows: Sequence[str], *, fresh: bool) -> bytes:
    """Write rows one after another; the comma before the first is there unless a series has just begun."""
    text = ",".join(rows)
    return (text if fresh or not text else f",{text}").encode()


def _ending(problem: str, *, begun: bool) -> bytes:
    return b"]}" + shape.closing(problem) if begun else shape.failed(problem)


def _primed(pieces: Generator[bytes]) -> Answer:
    """Make the first piece now, so that what is wrong from the beginning is raised here; put small ones together."""
    first = b""
    for piece in pieces:
        first += piece
        if isinstance(piece, _Last):
            return Answer(first, pieces, whole=True)
        if len(first) >= _SMALL:
            return Answer(first, pieces)
    return Answer(first)


def _chosen(known: Sequence[Sight], wanted: str) -> Sight:
    """Choose the store: by its database's name, or by its kind where only one tenant can be meant."""
    fitting = [one for one in known if one.database == wanted] or [one for one in known if one.kind == wanted]
    if len(fitting) > 1:
        message = f"You are a member of several tenants. Name the database: {', '.join(o.database for o in fitting)}."
        raise Rejected(message)
    if not fitting:
        message = "The data source names a database that is not one of yours."
        raise Forbidden(message)
    return fitting[0]


def _token(asked: Asked) -> str:
    token = asked.headers.get(IDENTITY_HEADER.lower(), "")
    if not token:
        message = "Grafana does not say who asks. Its toggle idForwarding must be on."
        raise Unauthenticated(message)
    return token
