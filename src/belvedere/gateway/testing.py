"""The twin of Grafana's signing: makes identity tokens as Grafana 11.0.0 does, and publishes its keys."""

import base64
import json
import time
from typing import Any, Final

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_LIFE_S: Final = 600


class Mint:
    """Signs for one Grafana: its root URL and the number of an organisation."""

    def __init__(self, issuer: str = "http://grafana.test/", organisation: int = 19) -> None:
        """Make a key of its own."""
        self.issuer = issuer
        self.organisation = organisation
        self.kid = "id-2026-11-es256"
        self.asked = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def turn(self, kid: str) -> None:
        """Take another key, as Grafana does each month; the old one is no longer published."""
        self.kid = kid
        self._key = ec.generate_private_key(ec.SECP256R1())

    def token(self, subject: str, *, header: dict[str, Any] | None = None, **claims: object) -> str:
        """Sign a token for a subject; `header` and claims given here replace the right ones."""
        now = int(time.time())
        said = {
            "aud": f"org:{self.organisation}", "exp": now + _LIFE_S, "iat": now, "iss": self.issuer, "sub": subject,
        } | claims
        head = {"alg": "ES256", "kid": self.kid} | (header or {})
        signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(said).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def published(self) -> dict[str, Any]:
        """Return what `GET /api/signing-keys/keys` answers."""
        numbers = self._key.public_key().public_numbers()
        x, y = (_encoded(part.to_bytes(32, "big")) for part in (numbers.x, numbers.y))
        return {"keys": [{"use": "sig", "kty": "EC", "kid": self.kid, "crv": "P-256", "alg": "ES256", "x": x, "y": y}]}

    def transport(self) -> httpx2.MockTransport:
        """Return a transport that answers with the keys, and counts how often it was asked."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.url.path != "/api/signing-keys/keys":
                return httpx2.Response(404)
            self.asked += 1
            return httpx2.Response(200, json=self.published())

        return httpx2.MockTransport(answer)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
