"""The secret by which Grafana proves itself to the gateway.

It is a setting, or it is derived from the sealing keys of the installation, so that every host knows it and nothing has
to be kept. After a change of the sealing key the old ones still count, while they are there.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from belvedere.credentials.keys import KeySource
from belvedere.kernel.secret import Secret

_PURPOSE: Final = b"belvedere query gateway, header of Grafana"


def secrets_of(given: Secret, keys: KeySource) -> list[Secret]:
    """Return the secrets that count; the first is the one to hand to Grafana."""
    if given:
        return [given]
    return [Secret(hmac.new(key.material, _PURPOSE, sha256).hexdigest()) for key in keys.ring()]


def is_one_of(text: str, known: Sequence[Secret]) -> bool:
    """Compare with every secret in a time that tells nothing of where they differ."""
    given = text.encode("utf-8", "surrogateescape")
    same = [hmac.compare_digest(given, one.reveal().encode()) for one in known]
    return bool(text) and any(same)
