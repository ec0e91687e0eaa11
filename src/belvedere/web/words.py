"""The words for states and deeds as pages show them: which tone and icon a state has, how a verb reads. Pure."""

from typing import Final

_TONES: Final = {
    "good": ("ready", "sent", "parsed", "succeeded", "captured", "done", "ok", "running well", "stable", "verified"),
    "accent": ("working", "running", "loading"),
    "wait": ("waiting", "cancelling", "new", "planned"),
    "warn": (
        "slow",
        "drifted",
        "partial",
        "stale",
        "cut off",
        "no rows",
        "empty",
        "guess",
        "unknown",
        "deleting",
        "standby",
    ),
    "bad": ("needs you", "failed", "refused", "unreachable", "broken", "error"),
    "lost": ("lost",),
    "none": ("skipped", "cancelled", "off", "gone", "not started", "expired", "not set"),
}
_BY_WORD: Final = {word: tone for tone, words in _TONES.items() for word in words}
_LOOK: Final = {
    "good": ("good", "tick"),
    "accent": ("accent", "arc"),
    "wait": ("", "clock"),
    "warn": ("warn", "triangle"),
    "bad": ("bad", "octagon"),
    "lost": ("bad", "broken"),
    "none": ("", "dash"),
}


def look(state: object) -> tuple[str, str]:
    """Return the tone (a class, or nothing) and the icon of a state word; an unknown word is neutral."""
    word = str(state).replace("_", " ").lower()
    return _LOOK[_BY_WORD.get(word, "none")]


_PAST: Final = {
    "add": "added",
    "apply": "applied",
    "begin": "began",
    "cancel": "cancelled",
    "capture": "captured",
    "change": "changed",
    "check": "checked",
    "change-password": "changed the password of",
    "change-role": "changed the role of",
    "classify": "classified",
    "clear": "cleared",
    "create": "created",
    "delete": "deleted",
    "disable": "closed",
    "dismiss": "dismissed",
    "enable": "opened",
    "end": "ended",
    "end-others": "ended other sessions of",
    "deliver": "delivered",
    "export": "exported",
    "forget": "forgot",
    "issue": "issued",
    "keep": "kept",
    "load": "loaded",
    "override": "chose a template for",
    "provision": "provisioned",
    "publish": "published",
    "put": "set",
    "reconcile": "reconciled",
    "remove": "removed",
    "request": "asked for",
    "reset": "reset",
    "reset-password": "reset the password of",
    "restore": "restored",
    "retry": "retried",
    "reveal": "revealed",
    "revoke": "revoked",
    "rotate": "rotated",
    "rotate-key": "rotated the API key of",
    "send": "sent",
    "send-again": "sent again",
    "set-role": "set the role of",
    "sign-in": "signed in",
    "sign-out": "signed out",
    "test": "tested",
    "try": "tried",
    "try-now": "tried at once",
    "update": "updated",
    "verify": "verified",
    "write": "wrote",
}
_ALONE: Final = {"operator.sign-in", "session.end", "operator.sign-out"}
_THINGS: Final = {"job", "flash", "preview", "token", "delivery", "dashboard", "operator", "tenant"}


def deed(verb: str, target: str) -> tuple[str, str]:
    """Say a verb of the history as a person would: `("created tenant", "alice")`; the target may be empty."""
    if verb in _ALONE:
        return {"session.end": "signed out"}.get(verb, "signed in"), ""
    noun, _, word = verb.partition(".")
    past = _PAST.get(word, "")
    if not past:
        return verb, target
    return (f"{past} {noun}" if noun in _THINGS and " " not in past else past), target
