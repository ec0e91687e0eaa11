"""Sentences about what is in the way in a Grafana, for the rooms that meet it."""

from belvedere.kernel.errors import Conflict, Stuck


def taken(name: str, what: str) -> Stuck:
    """Say that the name or uid belongs to something that is not ours."""
    message = f"Grafana has another {what} named {name}, which Belvedere did not make."
    hint = "Rename or delete it in Grafana, or take it over with `belvedere workspace adopt`; then try again."
    return Stuck(message, hint=hint, code="grafana-taken")


def handed_over() -> Conflict:
    """Say that a first password was given away before."""
    message = "The first password was handed over before, and is kept nowhere."
    hint = "Who lost it gets another one from an administrator of Grafana."
    return Conflict(message, hint=hint, code="handed-over")


def shown_address(url: str) -> str:
    """Return an address without what somebody may have written in front of the host."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"
