"""What a row of the table of settings is made of: name, aliases, type, default, help.

What is not here: the table itself (`settings.py`), and how the text of a value is read (`values.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from belvedere.kernel.secret import Secret
from belvedere.kernel.values import LARGEST, number, one_of, whole_number, within, yes_or_no


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


def row(
    name: str,
    default: object,
    text: str,
    *,
    section: str,
    parse: Callable[[str], object],
    aliases: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401  (a dataclass field takes the type of its annotation)
    """Make a row whose text is read by `parse`, which raises ValueError with what would be right."""
    return field(
        default=default,
        metadata={"name": name, "aliases": aliases, "help": text, "section": section, "parse": parse},
    )


def text_row(name: str, default: str, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> str:
    """Make a row whose value is text."""
    return cast("str", row(name, default, text, section=section, parse=str, aliases=aliases))


def secret_row(name: str, text: str, *, section: str, aliases: tuple[str, ...] = ()) -> Secret:
    """Make a row whose value is a secret; its default is none."""
    return cast("Secret", row(name, Secret(""), text, section=section, parse=Secret, aliases=aliases))


def int_row(
    name: str, default: int, text: str, *, section: str, least: int = 0, most: int = LARGEST,
    aliases: tuple[str, ...] = (),
) -> int:
    """Make a row whose value is a whole number between two bounds, ends included."""
    def parse(raw: str) -> int:
        return int(within(whole_number(raw), least, most))

    return cast("int", row(name, default, text, section=section, parse=parse, aliases=aliases))


def float_row(name: str, default: float, text: str, *, section: str, least: float) -> float:
    """Make a row whose value is a number that is not less than another."""
    def parse(raw: str) -> float:
        return within(number(raw), least, LARGEST)

    return cast("float", row(name, default, text, section=section, parse=parse))


def port_row(name: str, default: int, text: str, *, section: str) -> int:
    """Make a row whose value is a TCP port."""
    return int_row(name, default, text, section=section, least=1, most=65_535)


def bool_row(name: str, text: str, *, default: bool, section: str, aliases: tuple[str, ...] = ()) -> bool:
    """Make a row whose value is yes or no."""
    return cast("bool", row(name, default, text, section=section, parse=yes_or_no, aliases=aliases))


def choice_row(
    name: str, default: str, text: str, choices: tuple[str, ...], *, section: str, aliases: tuple[str, ...] = ()
) -> str:
    """Make a row whose value is one word of a few, whatever its case."""
    def parse(raw: str) -> str:
        return one_of(raw, choices)

    return cast("str", row(name, default, text, section=section, parse=parse, aliases=aliases))
