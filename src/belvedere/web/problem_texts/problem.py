"""What a text about a type of problem consists of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A type of problem: what it is called, where it comes from, what it affects, what to do."""

    title: str
    cause: str
    affects: str
    fix: str
