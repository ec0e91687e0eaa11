"""The channel that is always there: the message stands on the page of deliveries and nowhere else."""

from belvedere.notifications.model import Check, Ledger, Message, Outcome


class Outbox:
    """Keeps messages where people with no chat read them. Its rows are the deliveries themselves."""

    name = "outbox"

    def deliver(self, message: Message, ledger: Ledger) -> Outcome:
        """Nothing has to go anywhere; what the picture lacks is said."""
        if ledger.entry("kept") is None:
            ledger.begin("kept")
            ledger.finish("kept", {"key": message.key})
        return Outcome(fallback=without_picture(message))

    def check(self) -> list[Check]:
        """Say that there is nothing to connect."""
        return [Check("outbox", ok=True, text="Messages wait in the outbox, on the page of deliveries.")]


def without_picture(message: Message) -> str | None:
    """Say what goes out instead of a moving picture, if there is none."""
    if message.picture is not None and message.reason is None:
        return None
    if message.picture is not None and message.picture.suffix == ".gif":
        return f"Look at the preview with care: {message.reason}"
    what = "A still" if message.picture is not None else "Text"
    return f"{what} instead of a preview: {message.reason or 'there is none.'}"
