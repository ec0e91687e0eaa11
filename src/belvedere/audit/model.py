"""What the history holds, and the port by which every other room writes it."""

from contextlib import AbstractContextManager
from typing import Protocol

from belvedere.kernel.actor import Actor


class Ending(Protocol):
    """What a deed may say about itself before it ends."""

    def note(self, **result: object) -> None:
        """Add members to the `ended` record (ids, counts). Secrets are masked by key and by type."""


class History(Protocol):
    """Where deeds are written down."""

    def action(
        self, actor: Actor, verb: str, target: str, *, tenant: int | None = None, **arguments: object
    ) -> AbstractContextManager[Ending]:
        """Write `asked`, flushed to disk, run the block, write `ended` with its result and duration.

        An error inside the block ends it as `refused` (Rejected) or `failed` and passes on.

        Args:
            actor: who.
            verb: what, as `noun.verb`: `tenant.create`, `credential.reveal`.
            target: to what, for people: a name or an id.
            tenant: serial number of the tenant that the deed concerns, for the tenant's own history page.
            arguments: how; masked by key (password, token, secret...) and by type.
        """
        ...
