"""A template: how a family of tables is recognised and how it looks, read from `catalogue/*.yaml`.

Pure but for reading the files of this package. Another family is another file: names with captures, columns with
aliases, type or castability, sets of tables with named members, score and reasons, panels with queries as data.
What is not here: the scoring (`classify.py`) and the binding of a template to a table (`bind.py`).
"""

from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from belvedere.workspaces.model import Panel, Read, Row, Rule, UnitRule, Variable


class ValueRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What the values of a column look like: at least `share` of those sampled match a POSIX pattern."""

    matches: str
    share: float
    weight: float
    because: str


class ColumnRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A column that a template asks for, by the role it plays.

    Names are compared in lower case with every run of other signs as one underscore. `names` count fully in this
    order, `patterns` as the last of them, `weak` ones (words that other tables use too) at 60 per cent. `label` is what
    people read above it; empty: the column's own name.
    """

    role: str
    read: Read
    weight: float
    because: str
    names: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    required: bool = False
    label: str = ""
    values: ValueRule | None = None


class NameRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A table name that speaks for a template. A group named `subject` names the subject of the dashboard."""

    pattern: str
    weight: float
    because: str


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a set; its pattern captures what all members share under the set's key."""

    name: str
    pattern: str


class TableSet(Struct, frozen=True, forbid_unknown_fields=True):
    """Tables that make one dashboard together, such as `<block>_cts1` and `<block>_route1`."""

    key: str
    members: tuple[Member, ...]


class Repeat(Struct, frozen=True, forbid_unknown_fields=True):
    """Roles given to whatever columns there are, counted from 1: `number1`, `number2`. One of most 1 has no count."""

    role: str
    read: Literal["number", "time", "text", "any"]
    most: int


class Derived(Struct, frozen=True, forbid_unknown_fields=True):
    """A role read from the column of another one: one part of a divided text."""

    role: str
    part: tuple[str, int]


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the catalogue. `most_values`: only so many of the last rows are shown first, where there are more.

    One that is `for_operators` draws what is Belvedere's own, and is never chosen for a table of a tenant's.
    """

    template: str
    family: str
    title: str
    needed: float
    rows: tuple[Row, ...]
    columns: tuple[ColumnRule, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    names: tuple[NameRule, ...] = ()
    kinds: dict[str, float] = {}
    set: TableSet | None = None
    repeats: tuple[Repeat, ...] = ()
    derived: dict[str, Derived] = {}
    labels: dict[str, tuple[tuple[str, str], ...]] = {}
    variables: tuple[Variable, ...] = ()
    lookups: dict[str, tuple[Rule, ...]] = {}
    time: str | None = None
    run: str | None = None
    time_unit_of: str = ""
    time_unit_rules: tuple[UnitRule, ...] = ()
    default_range: str = ""
    most_values: int = 0
    fallback: bool = False
    for_operators: bool = False

    def panels(self) -> list[Panel]:
        """Return all panels in order."""
        return [panel for row in self.rows for panel in row.panels]


def parse(text: str) -> Template:
    """Read one template.

    Raises:
        msgspec.ValidationError: a member is unknown, missing or of the wrong type.
        ValueError: two panels share an id.
    """
    document: Any = yaml.safe_load(text)
    template = msgspec.convert(document, Template)
    ids = [panel.id for panel in template.panels()]
    if len(ids) != len(set(ids)):
        message = f"template {template.template}: two panels share an id"
        raise ValueError(message)
    return template


@cache
def catalogue() -> tuple[Template, ...]:
    """Return every template that a tenant's table may have, the fallback last."""
    return tuple(one for one in _everything() if not one.for_operators)


def of_operators(name: str) -> Template:
    """Return a template that draws what is Belvedere's own."""
    return next(one for one in _everything() if one.for_operators and one.template == name)


@cache
def _everything() -> tuple[Template, ...]:
    found = [
        parse(entry.read_text(encoding="utf-8"))
        for entry in files("belvedere.dashboards.catalogue").iterdir()
        if entry.name.endswith(".yaml")
    ]
    return tuple(sorted(found, key=lambda template: (template.fallback, template.template)))


def find(name: str) -> Template | None:
    """Find a template by its name."""
    return next((template for template in catalogue() if template.template == name), None)
