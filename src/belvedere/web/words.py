"""The words for states and deeds as pages show them: which tone and icon a state has, how a verb reads. Pure."""

import re
from typing import Final

from markupsafe import Markup, escape

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


_SAID: Final = {
    "credential.delete": "deleted credential",
    "credential.put": "set",
    "credential.reveal": "revealed",
    "credential.rotate-keys": "rotated the sealing key of",
    "dashboard.create": "made the dashboard",
    "dashboard.override": "chose a template for",
    "dashboard.publish": "drew",
    "dashboard.remove": "removed the dashboard",
    "delivery.send": "sent",
    "delivery.send-again": "sent again",
    "delivery.send-waiting": "sent what waited:",
    "delivery.test": "tested the",
    "flash.create": "wrote a message to",
    "flash.dismiss": "dismissed a message",
    "history.verify": "verified the",
    "installation.backup": "backed up to",
    "installation.restore": "restored from",
    "inventory.export": "exported the inventory of",
    "invitation.accept": "joined",
    "invitation.create": "invited",
    "invitation.withdraw": "withdrew the invitation",
    "job.try": "tried at once job",
    "member.add": "added the member",
    "member.change-password": "changed the password of",
    "member.remove": "removed the member",
    "member.resume": "let in again",
    "member.set-role": "changed the role of",
    "member.sign-in": "signed in",
    "member.suspend": "suspended",
    "operator.change-password": "changed the password of",
    "operator.create": "made operator",
    "operator.disable": "closed the account of",
    "operator.enable": "opened the account of",
    "operator.reset-password": "reset the password of",
    "operator.set-role": "changed the role of",
    "operator.sign-in": "signed in",
    "preview.capture": "captured",
    "preview.request": "asked for a picture of",
    "preview.send": "sent to chat",
    "sample.load": "loaded the sample",
    "session.end": "signed out",
    "session.end-others": "signed out elsewhere",
    "upload.begin": "began to send",
    "upload.receive": "sent",
    "upload.abandon": "removed what was left of",
    "upload.take": "read files of",
    "upload.try-again": "had read again",
    "campaign.make": "made the campaign",
    "campaign.rename": "renamed the campaign",
    "campaign.delete": "deleted the campaign",
    "tenant.apply": "repaired",
    "tenant.create": "created tenant",
    "tenant.delete": "deleted tenant",
    "tenant.retry": "started again the steps of",
    "tenant.rotate-key": "replaced the API key of",
    "token.create": "made token",
    "token.revoke": "revoked token",
    "dashboard.resolve": "chose for the dashboard",
    "workspace.adopt": "took over from Grafana",
    "workspace.apply": "repaired the workspace of",
    "workspace.take-password": "took the first password of",
    "workspace.close": "closed the workspace of",
    "workspace.leave": "took away the old place of",
    "workspace.look-after-members": "looked after who left",
    "workspace.move": "moved",
    "workspace.take-member-password": "took the first password in Grafana of",
    "workspace.open": "opened the workspace of",
}
_ALONE: Final = {"flash.dismiss", "member.sign-in", "operator.sign-in", "session.end", "session.end-others"}
"""Deeds whose target is the person, or an id that tells nobody anything."""


def deed(verb: str, target: str) -> tuple[str, str]:
    """Say a verb of the history as a person would: `("created tenant", "alice")`; the target may be empty."""
    if verb in _ALONE:
        return _SAID[verb], ""
    return _SAID.get(verb, verb), target


def sentence(text: str) -> str:
    """Begin with a capital letter and leave the rest as it is: `METRICS2.1 history` stays."""
    return text[:1].upper() + text[1:]


_CODE: Final = re.compile(r"`([^`]+)`")


def codes(text: str) -> Markup:
    """Show what stands between backquotes in code face; everything else stays text."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped before)
