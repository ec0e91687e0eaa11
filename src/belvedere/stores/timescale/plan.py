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


@dataclass(frozen=True, slots=True)
class Standing:
    """What a server's TimescaleDB is to measured values. `state` is ready, partial or needs you, as doctor says it."""

    state: str
    found: str
    hint: str = ""


def standing(offer: Offer, prepared: str | None, wanted: str) -> Standing | None:
    """Compare what a server has with the version that init prepared; None where it has never been there."""
    if offer.version is None and prepared is None:
        return None
    if prepared is not None and not offer.preloaded:
        found = f"{prepared} was prepared and the server no longer loads it: nothing is written to tables in chunks"
        return Standing("needs you", found, "put timescaledb into shared_preload_libraries and restart the server")
    why = refusal(offer, wanted)
    if why:
        return Standing("ready", f"not used: {why}; new tables of measured values are plain")
    if prepared != offer.version:
        found = f"{offer.version} is loaded and {f'{prepared} was' if prepared else 'not'} prepared"
        return Standing("partial", found, "belvedere init-db with a superuser's URL")
    return Standing("ready", f"{offer.version}; new databases of measured values keep chunks of time")


def _numbers(version: str) -> tuple[int, ...]:
    """Read `2.28.3` and `2.30.0-dev`; what is no version is older than every one."""
    parts = version.split("-", 1)[0].split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
