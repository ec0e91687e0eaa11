"""The secret by which Grafana proves itself to the gateway: a setting, or derived from the sealing keys."""

from typing import Final

from belvedere.credentials import derived
from belvedere.credentials.keys import KeySource
from belvedere.kernel.secret import Secret

_PURPOSE: Final = b"belvedere query gateway, header of Grafana"


def secrets_of(given: Secret, keys: KeySource) -> list[Secret]:
    """Return the secrets that count; the first is the one to hand to Grafana."""
    return derived.secrets_of(given, keys, _PURPOSE)
