"""Sealing: AES-256-GCM with a fresh 96-bit nonce, bound to tenant, key name and version.

A sealed value is `01 | key id (8) | nonce (12) | ciphertext and tag`. The binding is the associated data:
a ciphertext moved to another tenant, name or version does not open. What is not here: where the keys are
kept (`keys.py`) and where sealed values are (`store.py`).
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from belvedere.credentials.keys import KEY_ID_BYTES, Key, KeySource, source_of
from belvedere.credentials.model import fold
from belvedere.kernel.errors import Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

_FORM: Final = b"\x01"
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = 1 + KEY_ID_BYTES + _NONCE_BYTES


class Vault:
    """Seals and opens secrets with the installation's keys."""

    def __init__(self, source: KeySource) -> None:
        """Take where the keys come from."""
        self._source = source

    @classmethod
    def of(cls, settings: Settings) -> "Vault":
        """Make the vault that the settings ask for; the key file is made at its first use."""
        return cls(source_of(settings))

    def seal(self, value: Secret, *, tenant: int, key: str, version: int) -> bytes:
        """Seal a value for one tenant, key name (without case) and version."""
        first = self._source.ring()[0]
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(first.material).encrypt(nonce, value.reveal().encode("utf-8"), _binding(tenant, key, version))
        return _FORM + first.id + nonce + sealed

    def open(self, sealed: bytes, *, tenant: int, key: str, version: int) -> Secret:
        """Open what `seal` made, for the same tenant, key name and version.

        Raises:
            Stuck: the key that sealed it is gone, or the row was tampered with or moved.
        """
        material = self._key(sealed).material
        nonce = sealed[1 + KEY_ID_BYTES : _HEAD_BYTES]
        try:
            plain = AESGCM(material).decrypt(nonce, sealed[_HEAD_BYTES:], _binding(tenant, key, version))
        except InvalidTag:
            message = f"The sealed value of {fold(key)} does not belong to this place: the row was changed or moved."
            raise Stuck(message, hint="Set the credential again, or restore a backup.", code="sealed") from None
        return Secret(plain.decode("utf-8"))

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the first key sealed it, so that re-wrapping leaves it alone."""
        return sealed[1 : 1 + KEY_ID_BYTES] == self._source.ring()[0].id

    def new_key(self) -> bool:
        """Make a new first key where that is ours to do (the file in the home); tell whether it was done."""
        return self._source.add()

    def check(self) -> str:
        """Return the id of the key that seals, in hexadecimal. Raises Stuck when there is no usable key."""
        return self._source.ring()[0].id.hex()

    def _key(self, sealed: bytes) -> Key:
        ident = sealed[1 : 1 + KEY_ID_BYTES]
        if sealed[:1] == _FORM and len(sealed) > _HEAD_BYTES:
            for key in self._source.ring():
                if key.id == ident:
                    return key
        message = f"A secret was sealed with key {ident.hex()}, which is not here."
        raise Stuck(message, hint="Bring back the file keys/master of the home (or the old key).", code="master-key")


def _binding(tenant: int, key: str, version: int) -> bytes:
    return f"belvedere credential\0{tenant}\0{fold(key)}\0{version}".encode()
