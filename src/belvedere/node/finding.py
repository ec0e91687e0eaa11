"""What one check of `belvedere doctor` came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is ready, partial (works with less) or needs you."""

    name: str
    state: str
    found: str
    hint: str = ""
