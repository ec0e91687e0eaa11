"""The one module that speaks Grafana's HTTP API: it sends requests, and says what an answer means.

What Grafana does when it is asked is written down as it was seen on 11.0.0 (`docs/explanation/workspaces.md`).
What is not here: which requests there are (`requests.py`), their shapes (`answers.py`), what to send when (`apply.py`).
"""

import base64
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, NoReturn, TypeVar

import httpx2
import msgspec

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.http import client
from belvedere.kernel.redact import Redactor
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import home, requests
from belvedere.workspaces.grafana.access import Access, Turns
from belvedere.workspaces.grafana.answers import Health, Organisation
from belvedere.workspaces.grafana.document import POSTGRES, POSTGRES_BEFORE_10
from belvedere.workspaces.grafana.problems import shown_address
from belvedere.workspaces.grafana.requests import Request
from belvedere.workspaces.grafana.session import Session

T = TypeVar("T")

_TRIES: Final = 3
_MOVES: Final = 3
"""A person may follow one link after the other while calls are made; each moves the login's current organisation."""

_FIRST_PAUSE_S: Final = 0.2
_VERIFIED_S: Final = 60.0
_REFUSED_S: Final = 300.0
"""Grafana locks a login for five minutes after five wrong passwords: so long none is sent after one was refused."""

_LONGEST_MESSAGE: Final = 200
_OK: Final = frozenset({200, 201, 202, 204})
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class GrafanaAway(Later):
    """Grafana does not answer. It is tried again by itself."""

    code = "grafana-away"


class Unsure(GrafanaAway):
    """Grafana may have done what it was asked and did not say so. It is read back before anything is sent again."""


class Changed(Later):
    """Somebody changed it in Grafana at the same moment. It is read again and compared."""

    code = "grafana-changed"


class NotInOrganisation(Later):
    """The administrator is no member of the organisation. It is added by the next step."""

    code = "grafana-rights"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status that the caller asked for, and the JSON, whatever its shape."""

    status: int
    body: Any

    def read(self, kind: type[T]) -> T:
        """Read the body as a struct.

        Raises:
            GrafanaAway: it has another shape, as from a proxy in between.
        """
        try:
            return msgspec.convert(self.body, kind, strict=False)
        except msgspec.ValidationError as error:
            message = f"Grafana's answer is not understood: {error}"[:_LONGEST_MESSAGE]
            raise GrafanaAway(message, retry_in_s=60.0) from None

    @property
    def message(self) -> str:
        """Grafana's own sentence."""
        found = self.body.get("message", "") if isinstance(self.body, dict) else ""
        return str(found)[:_LONGEST_MESSAGE]

    @property
    def code(self) -> str:
        """Grafana's own word for a refusal, as newer parts of it tell: `publicdashboards.notFound`."""
        return str(self.body.get("messageId", "")) if isinstance(self.body, dict) else ""

    @property
    def word(self) -> str:
        """Grafana's own word for what is in the way: `version-mismatch`, `name-exists`."""
        found = self.body.get("status", "") if isinstance(self.body, dict) else ""
        return str(found)[:_LONGEST_MESSAGE]


class Grafana:
    """One Grafana as one login sees it. Safe for threads, which take turns (`access.py`)."""

    def __init__(
        self, access: Access, *, transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is called. `transport` and `pause` are for tests."""
        self.access = access
        self.url = access.url.rstrip("/")
        self._transport = transport
        self.pause = pause
        self._client: httpx2.Client | None = None
        self._turns = Turns(access)
        self._lock = threading.Lock()
        self._redact = Redactor([access.password, access.token])
        self._session = Session(
            access.user, access.password, lambda request, proof: self._exchange(request, 0, proof), self._lock_out
        )
        self._verified: dict[int, float] = {}
        self._refused_until = 0.0
        self._version: tuple[int, ...] | None = None
        self._plugin: str | None = None

    def close(self) -> None:
        """Sign out and close the connections."""
        if self._client is not None:
            self._session.end()
            self._client.close()

    def version(self) -> tuple[int, ...]:
        """Return Grafana's version, such as (11, 0, 0); empty where it hides it. Asked once."""
        if self._version is None:
            text = self.ask(requests.health()).read(Health).version
            numbers = text.split("-")[0].split("+")[0].split(".")
            self._version = tuple(int(one) for one in numbers if one.isdecimal())
        return self._version

    def postgres_plugin(self, organisation: int) -> str:
        """Return the PostgreSQL plugin's name: by the version, or by asking in an organisation where that is hidden."""
        if self._plugin is None:
            version = self.version()
            if version:
                new = version >= (10, 3)
            elif not organisation:
                return POSTGRES
            else:
                asked = self.ask(requests.plugin(POSTGRES), 403, 404, organisation=organisation)
                new = asked.status in _OK
            self._plugin = POSTGRES if new else POSTGRES_BEFORE_10
        return self._plugin

    def verify(self, organisation: int) -> bool:
        """Make sure that calls reach this organisation; False when the login is no member of it.

        Raises:
            Stuck: something in between takes the header away.
        """
        return self.look_in(organisation) is not None

    def look_in(self, organisation: int) -> Organisation | None:
        """Read an organisation from inside, which proves that calls reach it; None when the login is no member of it.

        Grafana answers for another organisation when the header is lost on the way or not a number.

        Raises:
            Stuck: something in between takes the header away.
        """
        accept = (401, 403, 404) if self.access.token else (403, 404)
        answer = self._send(requests.current_organisation(), organisation, accept)
        if answer.status == 404 and "rganization" not in answer.message:  # noqa: PLR2004
            self._refuse(requests.current_organisation(), answer)
        # 404: it went within the seconds for which Grafana keeps in mind what the login may do there.
        if answer.status not in _OK:
            self._verified.pop(organisation, None)
            if answer.status == 401 and "organization" not in answer.message:  # noqa: PLR2004
                self._refuse_login()
            return None
        found = answer.read(Organisation)
        if found.id != organisation:
            message = f"Grafana answered for organisation {found.id} instead of {organisation}; nothing was written."
            hint = "Let the proxy in front of Grafana pass on X-Grafana-Org-Id."
            raise Stuck(message, code="grafana-address", hint=hint)
        self._verified[organisation] = monotonic_s()
        return found

    def is_verified(self, organisation: int, within_s: float) -> bool:
        """Tell whether that was seen so lately."""
        return monotonic_s() - self._verified.get(organisation, -_VERIFIED_S) < within_s

    def ask(self, request: Request, *accept: int, organisation: int = 0) -> Answer:
        """Send a request and return its answer: a success, or one of the statuses in `accept`.

        A request that reads is tried three times. One that writes is sent once: whoever sends it reads back.

        Args:
            request: what to ask.
            accept: statuses besides success that the caller understands.
            organisation: where, for requests inside one; verified before anything is written there.

        Raises:
            GrafanaAway: it does not answer, or not now.
            Unsure: it may have done what it was asked.
            NotInOrganisation: the login is no member of the organisation.
            Stuck: it refuses; the sentence says what to change.
        """
        if not request.within:
            return self._ask_server(request, accept)
        if organisation <= 0:
            message = "A call inside an organisation needs its number."
            raise ValueError(message)
        seen = self._verified.get(organisation)
        stale = seen is None or monotonic_s() - seen > _VERIFIED_S
        if stale and request.path != "/api/org" and not self.verify(organisation):
            raise NotInOrganisation
        try:
            return self._send(request, organisation, accept)
        except Stuck as error:
            if error.problem == "grafana-rights" and not self.verify(organisation):
                raise NotInOrganisation from None
            raise

    def _ask_server(self, request: Request, accept: tuple[int, ...]) -> Answer:
        """Ask the server itself, which does not do everything from every current organisation of the login."""
        for _ in range(_MOVES):
            answer = self._send(request, 0, (*accept, 400, 403))
            if not home.is_in_the_way(request, answer.status, answer.message) or self.access.token:
                break
            if not home.move(self, home.doomed(request)):
                break
        if answer.status not in _OK and answer.status not in accept:
            self._refuse(request, answer)
        return answer

    def is_login(self, login: str, password: Secret) -> bool:
        """Tell whether a user signs in with this password: the proof that the user is the one that was made here."""
        answer = self._exchange(Request("GET", "/api/user"), 0, _basic(login, password))
        return answer.status_code in _OK

    def _send(self, request: Request, organisation: int, accept: tuple[int, ...]) -> Answer:
        if monotonic_s() < self._refused_until:
            self._refuse_login()
        reads = request.method == "GET"
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                response = self._signed(request, organisation)
            except GrafanaAway as error:
                if last or (not reads and isinstance(error, Unsure)):
                    raise
            else:
                if response.status_code not in _PASSING or response.status_code in accept:
                    return self._meaning(request, response, accept)
                if last or not (reads or response.status_code == 429):  # noqa: PLR2004  (not taken on)
                    self._passing(request, response)
            self.pause(_FIRST_PAUSE_S * 4**attempt * random.uniform(0.8, 1.2))  # noqa: S311  (spreads the tries)
        raise GrafanaAway  # pragma: no cover  (the last try returns or raises)

    def _signed(self, request: Request, organisation: int) -> httpx2.Response:
        if self.access.token:
            bearer = {"Authorization": f"Bearer {self.access.token.reveal()}"}
            return self._exchange(request, organisation, bearer)
        proof = self._session.proof()
        if proof:
            response = self._exchange(request, organisation, proof)
            if not self._session.is_refused(proof, response):
                return response
        return self._exchange(request, organisation, _basic(self.access.user, self.access.password))

    def _exchange(self, request: Request, organisation: int, proof: Mapping[str, str]) -> httpx2.Response:
        headers = {"Accept": "application/json", **proof}
        if organisation:
            headers["X-Grafana-Org-Id"] = str(organisation)
        reads = request.method == "GET"
        body = None if request.body is None else msgspec.json.encode(request.body)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self._turns.turn(request):
                return self._open().request(
                    request.method, f"{self.url}{request.path}", params=list(request.query) or None, content=body,
                    headers=headers,
                )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            _explain_certificate(error)
            message = "Grafana cannot be reached."
            raise GrafanaAway(message, retry_in_s=10.0) from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            self._not_grafana("The address of Grafana is none.")
        except (httpx2.TransportError, httpx2.DecodingError):
            message = "The connection to Grafana broke."
            raise (GrafanaAway if reads else Unsure)(message, retry_in_s=5.0) from None

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                try:
                    self._client = client(
                        timeout_s=self.access.timeout_s, transport=self._transport, ca_file=self.access.ca_file
                    )
                    # Cookies go only where `session.py` puts them: a call for another login must not carry them.
                    self._client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
                except (OSError, ssl.SSLError):
                    message = "The file of certificates for Grafana cannot be read."
                    hint = "Put a PEM file into BELVEDERE_GRAFANA_CA_FILE."
                    raise Stuck(message, code="grafana-address", hint=hint) from None
            return self._client

    def _meaning(self, request: Request, response: httpx2.Response, accept: tuple[int, ...]) -> Answer:
        status = response.status_code
        try:
            body: object = msgspec.json.decode(response.content) if response.content else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._not_grafana("What answers is not Grafana.")
        if 300 <= status < 400:  # noqa: PLR2004  (redirects: what they lead to is another address)
            self._not_grafana("Grafana has another address: it redirects.")
        if status in _OK and body is None and request.method == "GET":
            self._not_grafana("What answers is not Grafana.")
        answer = Answer(status, body)
        if status not in _OK and status not in accept:
            if status == 401:  # noqa: PLR2004
                self._lock_out()
            self._refuse(request, answer)
        return answer

    def _refuse(self, request: Request, answer: Answer) -> NoReturn:
        status, said = answer.status, self._redact.text(answer.message)
        if status == 403 and "quota" in said.lower():  # noqa: PLR2004
            message = f"Grafana's quota is reached: {said}."
            raise Stuck(message, code="grafana-quota", hint="Raise the quota in Grafana, then try again.")
        if status == 403:  # noqa: PLR2004
            message = f"Grafana does not allow it: {said}"
            raise Stuck(message, code="grafana-rights", hint="Use the login of a server administrator of Grafana.")
        message = f"Grafana refused {request.method} {request.path.split('/')[2]}: {status} {said}".rstrip()
        raise Stuck(message, code="grafana-refused")

    def _passing(self, request: Request, response: httpx2.Response) -> NoReturn:
        """Say when to come back after 429 or 5xx. SQLite that is locked answers 500 as well."""
        wait = response.headers.get("Retry-After", "")
        seconds = min(float(wait), 300.0) if wait.isdecimal() else 10.0
        try:
            said = Answer(response.status_code, msgspec.json.decode(response.content)).message
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = ""
        if said == "invalid API key":  # 9.3.2 says so with 500; later ones with 401
            self._lock_out()
        detail = f"Grafana is troubled: {response.status_code} {self._redact.text(said)}".rstrip() + "."
        raise (GrafanaAway if request.method == "GET" else Unsure)(detail, retry_in_s=seconds)

    def _lock_out(self) -> NoReturn:
        self._refused_until = monotonic_s() + _REFUSED_S
        self._refuse_login()

    def _refuse_login(self) -> NoReturn:
        message = "Grafana does not know the login or token that Belvedere uses."
        hint = "Set GRAFANA_USER and GRAFANA_PASSWORD anew, start again, then try again."
        raise Stuck(message, code="grafana-login", hint=hint)

    def _not_grafana(self, message: str) -> NoReturn:
        hint = f"Check the address {shown_address(self.url)}: scheme, port and path must be those that people use."
        raise Stuck(message, code="grafana-address", hint=hint) from None


def _basic(login: str, password: Secret) -> dict[str, str]:
    pair = f"{login}:{password.reveal()}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _explain_certificate(error: Exception) -> None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            message = "Grafana's certificate is not trusted here."
            hint = "Put the certificate of its authority into a file and name it in BELVEDERE_GRAFANA_CA_FILE."
            raise Stuck(message, code="grafana-address", hint=hint) from None
        cause = cause.__cause__ or cause.__context__
