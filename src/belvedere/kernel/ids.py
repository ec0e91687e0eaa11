"""Identifiers: UUID version 7, which sort by the time they were made (RFC 9562, section 5.7)."""

import os
import secrets
import time
from typing import Final
from uuid import UUID

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"


def new_id() -> UUID:
    """Make an id whose first 48 bits are the milliseconds since 1970 and whose rest is random."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def opaque(length: int = 12) -> str:
    """Make a random name of lower-case letters and digits that tells nothing about its owner."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
