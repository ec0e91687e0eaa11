"""A ledger in memory, for tests of channels. The twin of the port itself is the shipped outbox (`outbox.py`)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from belvedere.notifications.model import Entry


@dataclass(slots=True)
class MemoryLedger:
    """Remembers steps as the control database does, for as long as the test lasts."""

    entries: dict[str, Entry] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def entry(self, step: str) -> Entry | None:
        """Return what is known of a step."""
        return self.entries.get(step)

    def tries(self, step: str) -> int:
        """Return how often a step was begun."""
        return self.counts.get(step, 0)

    def begin(self, step: str) -> None:
        """Note that a step is about to be done."""
        self.counts[step] = self.tries(step) + 1
        self.entries[step] = Entry(self.counts[step], datetime.now(UTC), None)

    def finish(self, step: str, result: dict[str, Any]) -> None:
        """Note what a step led to."""
        self.entries[step] = Entry(self.tries(step), self.entries[step].begun_at, result)

    def undo(self, step: str) -> None:
        """Note that a step did nothing."""
        self.entries.pop(step, None)
