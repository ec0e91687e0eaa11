"""Passwords: what makes one acceptable, and how it is kept (argon2id). No I/O but random bytes."""

import secrets
from base64 import b64encode
from threading import BoundedSemaphore
from typing import Final

import argon2

from belvedere.kernel.errors import Rejected
from belvedere.kernel.ids import opaque
from belvedere.kernel.secret import Secret

SHORTEST: Final = 12
LONGEST: Final = 200
_FEWEST_DIFFERENT: Final = 5
_AT_ONCE: Final = 2
COST = argon2.profiles.RFC_9106_LOW_MEMORY
"""What one hash costs: RFC 9106's second recommendation (argon2id, 64 MiB, 3 passes, 4 lanes)."""


class Passwords:
    """Hashes and checks. At most two at a time: each takes 64 MiB, and a flood of sign-ins must not take it all."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        """Take a hasher; by default one of `COST`."""
        self._hasher = hasher or argon2.PasswordHasher.from_parameters(COST)
        self._turn = BoundedSemaphore(_AT_ONCE)
        self._nobody = _of_nothing(self._hasher)

    def hash(self, password: Secret) -> str:
        """Return what is kept of a password."""
        with self._turn:
            return self._hasher.hash(password.reveal())

    def matches(self, kept: str | None, password: Secret) -> bool:
        """Tell whether a password is the one that was kept; for nobody (None) it takes as long and says no."""
        with self._turn:
            try:
                self._hasher.verify(kept or self._nobody, password.reveal())
            except argon2.exceptions.VerifyMismatchError:
                return False
            except argon2.exceptions.Argon2Error:
                return False  # What was kept is no hash: nobody comes in by it.
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a kept hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def _of_nothing(hasher: argon2.PasswordHasher) -> str:
    """Write a hash that belongs to no password: to check one against it takes as long as against a real one."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def acceptable(password: Secret, name: str, *, field: str = "password") -> None:
    """Refuse a password that is too easy to guess.

    Raises:
        Rejected: it is too short, too long, holds the name, or repeats the same few characters.
    """
    value = password.reveal()
    if len(value) < SHORTEST:
        reason = f"{len(value)} characters; at least {SHORTEST}."
    elif len(value) > LONGEST:
        reason = f"{len(value)} characters; at most {LONGEST}."
    elif name and name.casefold() in value.casefold():
        reason = "It holds the name. Use words that nobody connects with it."
    elif len(set(value)) < _FEWEST_DIFFERENT:
        reason = f"It repeats itself. Use at least {_FEWEST_DIFFERENT} different characters."
    else:
        return
    raise Rejected(reason, code="password", field=field)


def generated() -> Secret:
    """Make a password for printing once: 20 characters, 100 bits, in groups that can be read aloud."""
    return Secret("-".join(opaque(5) for _ in range(4)))
