"""The words of a plan: what every room that changes an outside system prints before it applies.

A room's `plan.py` is pure: `plan(desired, observed) -> Plan`. Its apply takes one step at a time, and
planning again after applying gives an empty plan. What is not here: any room's own deeds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Deed = TypeVar("Deed")


class Sign(StrEnum):
    """What a step does, as terraform's readers know it."""

    CREATE = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that a step changes, for the drift page. Secrets are masked before they come here."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Step(Generic[Deed]):
    """One idempotent change. `key` is stable over runs; `deed` is what the room's apply understands."""

    key: str
    sign: Sign
    title: str
    target: str
    deed: Deed
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan(Generic[Deed]):
    """The steps that lead from what is to what should be, in the order in which they are applied.

    `kept` names what stands in the way of a removal, is not ours, and stays. `partial` says that what else there is to
    do is only seen after these steps. `warnings` are sentences about what the place does not do, whatever is done.
    """

    subject: str
    steps: tuple[Step[Deed], ...] = ()
    kept: tuple[str, ...] = ()
    partial: bool = False
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.steps)

    def summary(self) -> str:
        """Count the steps: `2 to create, 1 to change, 0 to remove`."""
        counts = {sign: sum(step.sign is sign for step in self.steps) for sign in Sign}
        return (
            f"{counts[Sign.CREATE]} to create, {counts[Sign.CHANGE]} to change, {counts[Sign.REMOVE]} to remove"
        )


def render(plan: Plan[Deed]) -> str:
    """Print a plan as text, the same on the page and in the terminal."""
    warned = [f"  ! {one}" for one in plan.warnings]
    if not plan:
        return "\n".join([f"{plan.subject}: nothing to do.", *warned])
    lines = [f"{plan.subject}: {plan.summary()}."]
    for step in plan.steps:
        lines.append(f"  {step.sign} {step.title} {step.target}".rstrip())
        lines.extend(f"      {change.field}: {change.old} -> {change.new}" for change in step.changes)
    lines.extend(warned)
    lines.extend(f"  = keep {one}, which is not ours" for one in plan.kept)
    return "\n".join(lines)
