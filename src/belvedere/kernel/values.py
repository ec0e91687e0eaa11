"""How the text of a setting is read: numbers within bounds, yes or no, one word of a few.

Each raises ValueError whose words go on after "NAME=value": "must be ...". What is not here: which setting is read
how (`settings.py`).
"""

from typing import Final

LARGEST: Final = 2**63 - 1
"""As good as no upper bound: nothing that reads a setting takes more."""


def whole_number(text: str) -> int:
    """Read 30."""
    try:
        return int(text)
    except ValueError:
        message = "must be a whole number, such as 30"
        raise ValueError(message) from None


def number(text: str) -> float:
    """Read 0.5."""
    try:
        return float(text)
    except ValueError:
        message = "must be a number, such as 0.5"
        raise ValueError(message) from None


def within(value: float, least: float, most: float) -> float:
    """Return the value when it is between the two, ends included; what is no number at all is not."""
    if least <= value <= most:
        return value
    message = f"must be at least {least:g}" if most == LARGEST else f"must be from {least:g} to {most:g}"
    raise ValueError(message)


def yes_or_no(text: str) -> bool:
    """Read 1, true, yes, on and their opposites."""
    folded = text.strip().lower()
    if folded in {"1", "true", "yes", "on"}:
        return True
    if folded in {"0", "false", "no", "off", ""}:
        return False
    message = "must be 1 or 0"
    raise ValueError(message)


def log_format(text: str) -> str:
    """Read how the log looks."""
    if text in {"auto", "human", "json"}:
        return text
    message = "must be auto, human or json"
    raise ValueError(message)


def one_of(text: str, choices: tuple[str, ...]) -> str:
    """Read one word of a few, in their spelling."""
    found = text.strip().lower()
    if found in choices:
        return found
    message = f"must be {', '.join(choices[:-1])} or {choices[-1]}"
    raise ValueError(message)
