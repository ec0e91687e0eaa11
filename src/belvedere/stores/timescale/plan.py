"""Whether tables of measured values become TimescaleDB's hypertables, and why not. Pure."""

from dataclasses import dataclass
from typing import Final

OFF: Final = "off"
"""The value of BELVEDERE_SERIES_TIMESCALE that keeps tables plain."""

OLDEST: Final = (2, 28)
"""The oldest version that was tried."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server has: the version that could be installed, and whether the server loaded it when it started."""

    version: str | None
    preloaded: bool


def refusal(offer: Offer, wanted: str) -> str:
    """Say why tables stay plain; empty where they become hypertables."""
    if wanted == OFF:
        return "switched off by BELVEDERE_SERIES_TIMESCALE"
    if offer.version is None:
        return "not installed on the server"
    if not offer.preloaded:
        return f"{offer.version} is installed and not in the server's shared_preload_libraries"
    if _numbers(offer.version) < OLDEST:
        return f"{offer.version} is older than {'.'.join(map(str, OLDEST))}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Read `2.28.3` and `2.30.0-dev`; what is no version is older than every one."""
    parts = version.split("-", 1)[0].split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
