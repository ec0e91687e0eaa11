"""Who calls: an API token, a tenant's own key, or a signed-in browser.

What is not here: how tokens, keys and sessions are kept (`identity/`, `tenants/`).
"""

import threading
from dataclasses import replace
from typing import Final

from flask import Request

from belvedere.app import Services
from belvedere.kernel.actor import Actor
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Forbidden, TooMany, Unauthenticated
from belvedere.kernel.secret import Secret

CSRF_HEADER: Final = "X-CSRF-Token"
_SCHEMES: Final = {"bearer", "apikey"}
_TENANT_KEY_LENGTH: Final = 40
_LONGEST_SECRET: Final = 512
_SAFE: Final = {"GET", "HEAD", "OPTIONS"}


class Failures:
    """Counts wrong keys by address, in this process: past the limit an address is told to wait.

    A right key is never refused by it. Keys hold 160 random bits and more, so this keeps the log and the
    database quiet; it is not what makes guessing hopeless.
    """

    def __init__(self, most: int = 30, window_s: float = 60.0) -> None:
        """Set how many failures an address has in a window of so many seconds."""
        self._most = most
        self._window_s = window_s
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, int]] = {}

    def count(self, origin: str) -> None:
        """Count one.

        Raises:
            TooMany: there were too many from this address.
        """
        now = monotonic_s()
        with self._lock:
            if len(self._seen) > 10_000:  # noqa: PLR2004  (bounds memory, nothing else)
                self._seen = {key: kept for key, kept in self._seen.items() if now - kept[0] < self._window_s}
            began, count = self._seen.get(origin, (now, 0))
            if now - began >= self._window_s:
                began, count = now, 0
            self._seen[origin] = (began, count + 1)
        if count >= self._most:
            raise TooMany(retry_in_s=max(1.0, self._window_s - (now - began)))


def given_secret(request: Request) -> Secret | None:
    """Return what the request shows as `Authorization: Bearer|ApiKey` or `X-Api-Key`, if anything."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if value.strip() and scheme.lower() in _SCHEMES:
        return Secret(value.strip())
    key = request.headers.get("X-Api-Key", "").strip()
    return Secret(key) if key else None


def authenticate(services: Services, request: Request, cookie_name: str, failures: Failures, request_id: str) -> Actor:
    """Find out who calls.

    Raises:
        Unauthenticated: nobody, or somebody with a wrong or ended key.
        Forbidden: a browser's request that changes something came without the page's CSRF token.
        TooMany: too many wrong keys from this address.
    """
    origin = request.remote_addr or ""
    shown = given_secret(request)
    if shown is not None:
        actor = actor_of(services, shown, origin)
        if actor is None:
            failures.count(origin)
            message = "This key is wrong, has expired or was revoked."
            raise Unauthenticated(message, hint="Make one with `belvedere token create`.")
        return replace(actor, door="api", origin=origin, request_id=request_id)
    cookie = request.cookies.get(cookie_name)
    if not cookie or len(cookie) > _LONGEST_SECRET:
        raise Unauthenticated
    session = services.sessions.find(Secret(cookie), origin=origin, request_id=request_id)
    if session is None:
        raise Unauthenticated
    if request.method not in _SAFE and not session.has_csrf(request.headers.get(CSRF_HEADER, "")):
        message = f"A request of a signed-in browser needs the header {CSRF_HEADER}."
        raise Forbidden(message, code="csrf")
    # A member of several tenants acts in the one that the path or the query names.
    named = request.view_args or {}
    return session.acting(str(named.get("tenant") or named.get("id") or request.args.get("user") or ""))


def actor_of(services: Services, shown: Secret, origin: str) -> Actor | None:
    """Return whom a token or a tenant's key stands for; one indexed lookup of a hash each."""
    text = shown.reveal()
    if len(text) > _LONGEST_SECRET or not text.isascii() or not text.isprintable():
        return None
    if len(text) == _TENANT_KEY_LENGTH and all(letter in "0123456789abcdef" for letter in text):
        return services.tenants.actor_for_key(shown, origin)
    return services.tokens.actor(shown, origin)
