"""An administrator's sign-in that lasts, so that Grafana need not hash the password with every call.

Seen on 11.0.0: hashing costs 5 ms of a processor, the call itself 1 ms. Where signing in by form is not offered, or a
session is not taken, calls go with the password as before. What is not here: the calls themselves (`api.py`).
"""

import threading
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final, NoReturn

import httpx2

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests

_ROTATES_S: Final = 480.0
"""Grafana wants a session's cookie changed every ten minutes."""

_FAILED_S: Final = 300.0
_YOUNG_S: Final = 5.0
_OK: Final = 200


class Session:
    """One sign-in. Safe for threads."""

    def __init__(
        self, user: str, password: Secret,
        send: Callable[[requests.Request, dict[str, str]], httpx2.Response], refuse: Callable[[], NoReturn],
    ) -> None:
        """Prepare; nothing is called.

        Args:
            user: the administrator's login.
            password: the administrator's password.
            send: sends a request with the headers that prove who asks.
            refuse: raises what a wrong password means: it must not be tried a second time with the call itself.
        """
        self._user = user
        self._password = password
        self._send = send
        self._refuse = refuse
        self._lock = threading.Lock()
        self._cookies: dict[str, str] = {}
        self._since = 0.0
        self._not_before = 0.0

    def proof(self) -> dict[str, str]:
        """Return the headers of the session, after signing in if need be; none where that is not possible.

        Raises:
            Stuck: login and password are wrong.
        """
        with self._lock:
            now = monotonic_s()
            if self._cookies and now - self._since > _ROTATES_S and not self._take(requests.rotate_session()):
                self._cookies = {}
            if not self._cookies and now >= self._not_before:
                request = requests.sign_in(self._user, self._password.reveal())
                if not self._take(request):
                    self._not_before = now + _FAILED_S
            return self._headers()

    def is_refused(self, proof: dict[str, str], response: httpx2.Response) -> bool:
        """Tell whether a session was not taken; it is given up then. Nothing was done, so the call may be repeated."""
        if "Cookie" not in proof:
            return False
        gone = response.status_code == 401  # noqa: PLR2004
        foreign = response.status_code == 403 and b"origin" in response.content[:100]  # noqa: PLR2004
        if gone or foreign:
            with self._lock:
                if self._headers() == proof:
                    self._cookies = {}
                    if foreign or monotonic_s() - self._since < _YOUNG_S:
                        self._not_before = monotonic_s() + _FAILED_S
        else:
            self._renew(response)
        return gone or foreign

    def end(self) -> None:
        """Sign out, so that no session is left behind. One that cannot be ended ends by itself."""
        with self._lock:
            if self._cookies:
                self._take(requests.sign_out())
            self._cookies = {}

    def _headers(self) -> dict[str, str]:
        if not self._cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    def _take(self, request: requests.Request) -> bool:
        """Send one of the session's own requests; True when it brought a session."""
        try:
            response = self._send(request, self._headers())
        except BelvedereError:
            return False
        if response.status_code == 401 and b"sername or password" in response.content:  # noqa: PLR2004
            self._refuse()
        given = _cookies(response)
        if response.status_code != _OK or not given:
            return False
        self._cookies, self._since = given, monotonic_s()
        return True

    def _renew(self, response: httpx2.Response) -> None:
        """Take a cookie that came with another answer: before version 10 Grafana changes it by itself."""
        if "set-cookie" not in response.headers:
            return
        given = _cookies(response)
        with self._lock:
            if given and set(given) <= set(self._cookies):
                self._cookies |= given


def _cookies(response: httpx2.Response) -> dict[str, str]:
    """Return the cookies that a response sets: the session's, whatever its name is by the server's settings."""
    found: dict[str, str] = {}
    for line in response.headers.get_list("set-cookie"):
        try:
            parsed = SimpleCookie(line)
        except CookieError:
            continue
        found |= {name: one.value for name, one in parsed.items() if one.value and not name.endswith("_expiry")}
    found.pop("redirect_to", None)
    return found
