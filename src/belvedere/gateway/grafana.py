"""Grafana's published signing keys: asked over HTTP, kept, asked again when a token names one that is not known.

`GET /api/signing-keys/keys` answers a JWK set to anybody (seen on 11.0.0; keys are made anew each month, old ones
stay published while tokens of theirs live). What is not here: what a token must say (`idtoken.py`).
"""

import logging
from threading import Lock
from typing import Final

import httpx2
import msgspec

from belvedere.gateway.idtoken import Jwk, PublicKey, public_key
from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later
from belvedere.kernel.http import client

_LOG: Final = logging.getLogger(__name__)
_PATH: Final = "/api/signing-keys/keys"
_FRESH_S: Final = 600.0
_PAUSE_S: Final = 2.0
_MOST_BYTES: Final = 262_144


class _Published(msgspec.Struct):
    keys: list[Jwk]


class GrafanaKeys:
    """The keys that one Grafana signs identity tokens with. Safe for threads.

    A key that Grafana no longer publishes counts for ten minutes more at most; while Grafana is away, the
    known ones go on counting, as the tokens signed with them end by themselves.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0, transport: httpx2.BaseTransport | None = None) -> None:
        """Take Grafana's address, as this machine reaches it."""
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._transport = transport
        self._lock = Lock()
        self._keys: dict[str, PublicKey] = {}
        self._read_at = float("-inf")
        self._asked_at = float("-inf")

    def find(self, kid: str) -> PublicKey | None:
        """Return a key by its id, or None when Grafana publishes no such key.

        An id that is not known makes Grafana be asked, every two seconds at most, whoever invents ids.

        Raises:
            Later: no key is known yet and Grafana does not answer.
        """
        with self._lock:
            now = monotonic_s()
            stale = now - self._read_at > _FRESH_S
            if (stale or kid not in self._keys) and now - self._asked_at > _PAUSE_S:
                self._asked_at = now
                self._read(now)
            if not self._keys:
                message = "Grafana does not tell its signing keys."
                raise Later(message, retry_in_s=_PAUSE_S)
            return self._keys.get(kid)

    def _read(self, now: float) -> None:
        try:
            with client(self._url, timeout_s=self._timeout_s, transport=self._transport) as http:
                answer = http.get(f"{self._url}{_PATH}")
            answer.raise_for_status()
            published = msgspec.json.decode(answer.content[:_MOST_BYTES], type=_Published)
            found = {one.kid: key for one in published.keys if (key := public_key(one)) is not None}
        except (httpx2.HTTPError, msgspec.MsgspecError, ValueError) as error:
            _LOG.warning("Grafana's signing keys could not be read: %s", type(error).__name__)
            return
        self._keys, self._read_at = found, now
