"""The one module that speaks SFTPGo's REST API (`/api/v2`): it sends requests, and says what an answer means.

As SFTPGo 2.7.5 behaved: a token holds for 20 minutes; a name that is taken answers 409; what is sent for a user
replaces all of it but a password that is left out; a hash is taken for a password (argon2id, bcrypt); lists have at
most 500 users a page. What is not here: what to send when (`service.py`).
"""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final
from urllib.parse import quote

import httpx2
import msgspec

from belvedere.intake.sftpgo.model import Seen
from belvedere.intake.sftpgo.shape import seen_of
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.errors import BelvedereError, Conflict, Later, Rejected, Stuck
from belvedere.kernel.http import client
from belvedere.kernel.redact import Redactor
from belvedere.kernel.secret import Secret

_API: Final = "/api/v2"
_PAGE: Final = 500
_TRIES: Final = 3
_PAUSE_S: Final = 0.25
_EARLY: Final = timedelta(seconds=90)
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_LONGEST: Final = 300
_NOT_FOUND: Final = 404
_TAKEN: Final = 409
_UNAUTHORIZED: Final = 401


class SftpGoAway(Later):
    """SFTPGo does not answer. It is tried again by itself."""

    code = "sftpgo-away"


class SftpGo:
    """One SFTPGo, as an administrator of it. Safe for threads."""

    def __init__(
        self, url: str, user: str, password: Secret, *, ca_file: str = "",
        transport: httpx2.BaseTransport | None = None, pause: Callable[[float], None] = time.sleep, now: Now = utc_now,
        timeout_s: float = 10.0,
    ) -> None:
        """Prepare; nothing is called. `transport` and `pause` are for tests."""
        self._timeout_s = timeout_s
        self._url = url.rstrip("/")
        self._login = (user, password)
        self._ca_file = ca_file
        self._transport = transport
        self._pause = pause
        self._now = now
        self._client: httpx2.Client | None = None
        self._token: tuple[Secret, datetime] | None = None
        self._lock = Lock()
        self._redact = Redactor([password])

    def close(self) -> None:
        """Close the connections. The token ends by itself."""
        if self._client is not None:
            self._client.close()

    def version(self) -> str:
        """Return its version, such as `2.7.5`."""
        return str(self._json(self._ask("GET", "/version")).get("version", ""))

    def rights(self) -> frozenset[str]:
        """Return what its administrator may do, `*` for everything; empty where the token does not tell.

        It stands in the token as a claim (RFC 7519), which is read and proves nothing.
        """
        parts = self._fresh_token().reveal().split(".")
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return frozenset(map(str, claims["permissions"]))
        except (IndexError, KeyError, TypeError, ValueError, msgspec.DecodeError):
            return frozenset()

    def users(self) -> Iterator[Seen]:
        """Yield every user, by name."""
        offset = 0
        while True:
            answer = self._ask("GET", f"/users?limit={_PAGE}&offset={offset}&order=ASC")
            page = self._read(answer, list[dict[str, Any]])
            yield from (self._user(one) for one in page)
            if len(page) < _PAGE:
                return
            offset += len(page)

    def user(self, name: str) -> Seen | None:
        """Find a user by its name."""
        answer = self._ask("GET", _path(name), accept=(_NOT_FOUND,))
        return None if answer.status_code == _NOT_FOUND else self._user(self._json(answer))

    def make(self, body: Mapping[str, Any]) -> None:
        """Make a user.

        Raises:
            Conflict: there is one of this name.
            Rejected: SFTPGo does not take it, and says why.
        """
        answer = self._ask("POST", "/users", body, accept=(_TAKEN,))
        if answer.status_code == _TAKEN:
            message = f"SFTPGo has a user {body['username']} meanwhile."
            raise Conflict(message, code="sftpgo-changed")

    def change(self, name: str, body: Mapping[str, Any], *, disconnect: bool) -> bool:
        """Replace a user by what is sent; False when there is none. `disconnect` ends its sessions."""
        answer = self._ask("PUT", f"{_path(name)}?disconnect={int(disconnect)}", body, accept=(_NOT_FOUND,))
        return answer.status_code != _NOT_FOUND

    def remove(self, name: str) -> None:
        """Remove a user and end its sessions; its files stay. One that is gone is no error."""
        self._ask("DELETE", _path(name), accept=(_NOT_FOUND,))

    def count_again(self, name: str) -> None:
        """Have SFTPGo count what a user's home holds, for its quota; it does so by itself from then on."""
        self._ask("POST", f"/quotas/users/{quote(name, safe='')}/scan", accept=(_TAKEN, _NOT_FOUND))

    # How it is asked

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, accept: tuple[int, ...] = ()
    ) -> httpx2.Response:
        """Send, with a new token where the old one has ended, and again where that may help and does no harm."""
        tries = 1 if method == "POST" else _TRIES
        renewed = False
        while True:
            tries -= 1
            try:
                answer = self._send(method, path, body)
            except SftpGoAway:
                if tries <= 0:
                    raise
            else:
                if answer.status_code == _UNAUTHORIZED and not renewed:
                    self._token, renewed, tries = None, True, tries + 1
                    continue
                if answer.is_success or answer.status_code in accept:
                    return answer
                if answer.status_code not in _PASSING or tries <= 0:
                    raise self._refused(answer)
            self._pause(_PAUSE_S * 2 ** (_TRIES - tries))

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._fresh_token().reveal()}"}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._call(method, path, headers=headers, content=content)

    def _fresh_token(self) -> Secret:
        with self._lock:
            if self._token is None or self._token[1] <= self._now() + _EARLY:
                user, password = self._login
                answer = self._call("GET", "/token", auth=(user, password.reveal()))
                if answer.status_code == _UNAUTHORIZED:
                    message = f"SFTPGo does not know its administrator {user} by this password."
                    hint = "Check BELVEDERE_SFTPGO_USER and BELVEDERE_SFTPGO_PASSWORD."
                    raise Stuck(message, code="sftpgo-login", hint=hint)
                if not answer.is_success:
                    raise self._refused(answer)
                said = self._json(answer)
                self._token = Secret(str(said.get("access_token", ""))), _moment(said.get("expires_at"), self._now())
            return self._token[0]

    def _call(self, method: str, path: str, **more: Any) -> httpx2.Response:  # noqa: ANN401  (httpx2's own)
        if self._client is None:
            try:
                self._client = client(
                    self._url, timeout_s=self._timeout_s, transport=self._transport, ca_file=self._ca_file
                )
            except OSError as error:
                message = f"The certificates {self._ca_file} cannot be read."
                raise Stuck(message, code="sftpgo-login", hint="Check BELVEDERE_SFTPGO_CA_FILE.") from error
        try:
            return self._client.request(method, _API + path, **more)
        except httpx2.HTTPError as error:
            message = f"SFTPGo at {self._url} does not answer ({type(error).__name__})."
            raise SftpGoAway(message, retry_in_s=15.0) from None

    def _refused(self, answer: httpx2.Response) -> BelvedereError:
        status = answer.status_code
        if status in _PASSING:
            return SftpGoAway(f"SFTPGo answers {status}: {self._said(answer)}", retry_in_s=15.0)
        if status in {400, 413}:
            return Rejected(f"SFTPGo refuses this: {self._said(answer)}", code="sftpgo-refused")
        if status in {_UNAUTHORIZED, 403}:
            message = f"SFTPGo does not let its administrator {self._login[0]} do this: {self._said(answer)}"
            hint = "Give that administrator the permissions to view, add, edit and delete users, and to scan quotas."
            return Stuck(message, code="sftpgo-login", hint=hint)
        message = f"SFTPGo answers {status}: {self._said(answer)}"
        return Stuck(message, code="sftpgo-refused", hint="Is this the address of an SFTPGo of 2.5 or later?")

    def _said(self, answer: httpx2.Response) -> str:
        try:
            found = msgspec.json.decode(answer.content, type=dict[str, Any])
            text = str(found.get("error") or found.get("message") or "nothing")
        except msgspec.DecodeError:
            text = "not in SFTPGo's words"
        return self._redact.text(text)[:_LONGEST]

    def _json(self, answer: httpx2.Response) -> dict[str, Any]:
        found: dict[str, Any] = self._read(answer, dict[str, Any])
        return found

    def _read(self, answer: httpx2.Response, kind: type[Any]) -> Any:  # noqa: ANN401  (of that kind)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError:
            message = f"What answers at {self._url} is no SFTPGo."
            raise Stuck(message, code="sftpgo-refused", hint="Check BELVEDERE_SFTPGO_URL.") from None

    def _user(self, whole: Mapping[str, Any]) -> Seen:
        try:
            return seen_of(whole)
        except msgspec.ValidationError as error:
            message = f"SFTPGo shows a user that cannot be read: {error}."
            raise Stuck(message, code="sftpgo-refused", hint="Is this an SFTPGo of 2.5 or later?") from None


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _moment(text: object, now: datetime) -> datetime:
    """Read when a token ends; one that says nothing is taken to end soon."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return now + 2 * _EARLY
