"""Grafana's identity token: is it Grafana's own, of our organisation, still good, and whose is it?

A JSON Web Token (RFC 7519) signed with ES256 (RFC 7518) by a key that Grafana publishes; claims as seen on 11.0.0:
`iss` (root URL), `aud` (`org:19`), `sub` (`user:12`), `iat`, `exp` ten minutes later. Only what is needed of the
standards is understood; anything else is refused. What is not here: fetching keys (`grafana.py`).
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from belvedere.kernel.clock import Now
from belvedere.kernel.errors import Unauthenticated

PublicKey = ec.EllipticCurvePublicKey
FindKey = Callable[[str], PublicKey | None]

_LONGEST: Final = 8_192
_COORDINATE: Final = 32
_CLOCKS_APART_S: Final = 30
_LONGEST_LIFE_S: Final = 900
_SUBJECT: Final = re.compile(r"(?:user|service-account):[A-Za-z0-9_-]{1,64}")
_NOBODY: Final = frozenset({"user:0", "service-account:0"})
_MOST_KEPT: Final = 4_096


class _Header(msgspec.Struct):
    alg: str
    kid: str
    crit: list[str] | None = None


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    sub: str
    exp: float
    iat: float
    nbf: float = 0.0


class Jwk(msgspec.Struct):
    """One published key, as far as it is read (RFC 7517)."""

    kid: str = ""
    kty: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good token says: which Grafana made it (its root URL), and for which organisation."""

    issuer: str
    organisation: int

    @property
    def audience(self) -> str:
        """The organisation as tokens name it."""
        return f"org:{self.organisation}"


class IdTokens:
    """Checks tokens. Those found good are remembered until they expire, since Grafana sends one many times."""

    def __init__(self, *, find_key: FindKey, expected: Expected | Callable[[], Expected], now: Now) -> None:
        """Take where keys come from, what a token must say (now, where that may change), and the clock."""
        self._find_key = find_key
        self._expected = expected
        self._now = now
        self._lock = Lock()
        self._good: dict[str, tuple[float, str]] = {}

    def subject(self, token: str) -> str:
        """Return whose token it is, such as `user:12`.

        Raises:
            Unauthenticated: it is none of ours, too old, of another organisation, or nobody's. The message says
                which, for the history; it tells a forger nothing that the published token format does not.
        """
        now = self._now().timestamp()
        with self._lock:
            kept = self._good.get(token)
        if kept and now < kept[0]:
            return kept[1]
        claims = self._verified(token)
        self._judge(claims, now)
        with self._lock:
            if len(self._good) >= _MOST_KEPT:
                self._good = {text: one for text, one in self._good.items() if now < one[0]}
            if len(self._good) < _MOST_KEPT:
                self._good[token] = (claims.exp, claims.sub)
        return claims.sub

    def _verified(self, token: str) -> _Claims:
        parts = token.split(".")
        if len(token) > _LONGEST or len(parts) != 3:  # noqa: PLR2004  (header, claims, signature)
            raise Unauthenticated(_MALFORMED)
        try:
            header = msgspec.json.decode(_decoded(parts[0]), type=_Header)
            claims = msgspec.json.decode(_decoded(parts[1]), type=_Claims)
            signature = _decoded(parts[2])
        except (msgspec.MsgspecError, ValueError) as error:
            raise Unauthenticated(_MALFORMED) from error
        if header.alg != "ES256" or header.crit or len(signature) != 2 * _COORDINATE:
            message = "The identity token is not signed as Grafana signs."
            raise Unauthenticated(message)
        key = self._find_key(header.kid)
        if key is None:
            message = "The identity token is signed with a key that Grafana does not publish."
            raise Unauthenticated(message)
        r, s = (int.from_bytes(half, "big") for half in (signature[:_COORDINATE], signature[_COORDINATE:]))
        try:
            key.verify(encode_dss_signature(r, s), f"{parts[0]}.{parts[1]}".encode("ascii"), ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError) as error:
            message = "The signature of the identity token is wrong."
            raise Unauthenticated(message) from error
        return claims

    def _judge(self, claims: _Claims, now: float) -> None:
        expected = self._expected if isinstance(self._expected, Expected) else self._expected()
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if not expected.issuer or claims.iss.rstrip("/") != expected.issuer.rstrip("/"):
            message = "The identity token was made by another Grafana."
        elif not expected.organisation or audience != [expected.audience]:
            message = "The identity token is for another organisation."
        elif now >= claims.exp:
            message = "The identity token has expired."
        elif max(claims.iat, claims.nbf) > now + _CLOCKS_APART_S or claims.exp - claims.iat > _LONGEST_LIFE_S:
            message = "The identity token has times that Grafana does not give."
        elif not _SUBJECT.fullmatch(claims.sub) or claims.sub in _NOBODY:
            message = "Nobody is signed in to Grafana."
        else:
            return
        raise Unauthenticated(message)


_MALFORMED: Final = "The identity token cannot be read."


def public_key(jwk: Jwk) -> PublicKey | None:
    """Make a key of its published form; None when it is no P-256 key.

    Raises:
        ValueError: its numbers name no point of the curve.
    """
    if jwk.kty != "EC" or jwk.crv != "P-256" or not jwk.kid:
        return None
    x, y = (int.from_bytes(_decoded(text), "big") for text in (jwk.x, jwk.y))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _decoded(text: str) -> bytes:
    """Decode base64url without padding, and nothing that is almost that."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        message = "not base64url"
        raise ValueError(message) from error
