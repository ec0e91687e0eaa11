"""Sentences about what is in the way in a Grafana, for the rooms that meet it."""

from belvedere.kernel.errors import Stuck


def taken(name: str, what: str) -> Stuck:
    """Say that the name or uid belongs to something that is not ours."""
    message = f"Grafana has another {what} named {name}, which Belvedere did not make."
    hint = "Rename or delete it in Grafana, or take it over with `belvedere workspace adopt`; then try again."
    return Stuck(message, hint=hint, code="grafana-taken")
