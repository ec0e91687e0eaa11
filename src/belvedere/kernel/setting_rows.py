"""What a row of the table of settings is made of: name, aliases, type, default, help, and how its text is read.

What is not here: the table itself (`settings.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from belvedere.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Described:
    """One row of the table, as pages, docs and the command line show it."""

    attribute: str
    name: str
    aliases: tuple[str, ...]
    type: str
    default: str
    help: str
    section: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `environment`, `.env` or `default`, and under which name."""

    source: str
    name: str


def _row(
    name: str,
    default: object,
    text: str,
    *,
    section: str,
    parse: Callable[[str], object],
    aliases: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401  (a dataclass field takes the type of its annotation)
    return field(
        default=default,
        metadata={"name": name, "aliases": aliases, "help": text, "section": section, "parse": parse},
    )


def text_row(name: str, default: str, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> str:
    """Make a row whose value is text."""
    return cast("str", _row(name, default, text, section=section, parse=str, aliases=aliases))


def secret_row(name: str, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> Secret:
    """Make a row whose value is a secret; its default is none."""
    return cast("Secret", _row(name, Secret(""), text, section=section, parse=Secret, aliases=aliases))


def int_row(name: str, default: int, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> int:
    """Make a row whose value is a whole number."""
    return cast("int", _row(name, default, text, section=section, parse=_whole_number, aliases=aliases))


def float_row(name: str, default: float, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> float:
    """Make a row whose value is a number."""
    return cast("float", _row(name, default, text, section=section, parse=_number, aliases=aliases))


def bool_row(name: str, text: str, *, default: bool, section: str, aliases: tuple[str, ...] = ()) -> bool:
    """Make a row whose value is yes or no."""
    return cast("bool", _row(name, default, text, section=section, parse=_yes_or_no, aliases=aliases))


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = "must be a whole number, such as 30"
        raise ValueError(message) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = "must be a number, such as 0.5"
        raise ValueError(message) from None


def _yes_or_no(text: str) -> bool:
    folded = text.strip().lower()
    if folded in {"1", "true", "yes", "on"}:
        return True
    if folded in {"0", "false", "no", "off", ""}:
        return False
    message = "must be 1 or 0"
    raise ValueError(message)
