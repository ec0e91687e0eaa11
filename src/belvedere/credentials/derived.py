"""Secrets by which outside programs prove themselves to a door of ours.

One is a setting, or it is derived from the sealing keys of the installation, so that every host knows it and nothing
has to be kept. After a change of the sealing key the old ones still count, while they are there.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from belvedere.credentials.keys import KeySource
from belvedere.kernel.secret import Secret


def secrets_of(given: Secret, keys: KeySource, purpose: bytes) -> list[Secret]:
    """Return the secrets that count for a purpose; the first is the one to hand out. `given` is the setting's."""
    if given:
        return [given]
    return [Secret(hmac.new(key.material, purpose, sha256).hexdigest()) for key in keys.ring()]


def is_one_of(text: str, known: Sequence[Secret]) -> bool:
    """Compare with every secret in a time that tells nothing of where they differ."""
    given = text.encode("utf-8", "surrogateescape")
    same = [hmac.compare_digest(given, one.reveal().encode()) for one in known]
    return bool(text) and any(same)
