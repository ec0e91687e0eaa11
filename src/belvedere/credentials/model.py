"""What a credential is, and which names and values it may have. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import MASK, Secret


@dataclass(frozen=True, slots=True)
class Credential:
    """One named secret of a tenant, without its value. `source` is `hand` or `belvedere`."""

    id: UUID
    tenant_id: int
    key_name: str
    version: int
    source: str
    created_at: datetime
    updated_at: datetime
    masked: str = MASK


@dataclass(frozen=True, slots=True)
class CredentialVersion:
    """One value that a credential had, without the value."""

    version: int
    source: str
    created_at: datetime
    created_by: str


MOST_VALUE_BYTES: Final = 65_536

KNOWN: Final = (
    "DB_HOST", "DB_PORT", "DB_USER", "DB_PASS", "DB_NAME_TIMING_REPORT", "DB_NAME_QOR", "DB_NAME_DRC",
    "GRAFANA_URL", "GRAFANA_UID_TIMING_REPORT", "GRAFANA_UID_QOR", "GRAFANA_UID_DRC", "GRAFANA_API_KEY",
    "SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID", "TEAMS_WEBHOOK_URL",
)
"""The names that Belvedere itself reads, in the spelling of the credential manager of today."""

ALIASES: Final = {
    "GRAFANA_TIMING": "GRAFANA_UID_TIMING_REPORT",
    "GRAFANA_UID_TIMING": "GRAFANA_UID_TIMING_REPORT",
    "GRAFANA_TIMING_REPORT": "GRAFANA_UID_TIMING_REPORT",
    "GRAFANA_QOR": "GRAFANA_UID_QOR",
    "GRAFANA_DRC": "GRAFANA_UID_DRC",
    "DB_PASSWORD": "DB_PASS",
}
"""Other spellings that users of today have, without case."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}\Z")
_HOST: Final = re.compile(r"[^\s/@?#]+\Z")
_SLACK_TOKEN: Final = re.compile(r"xox[a-z](\.[a-z]+)?-[A-Za-z0-9-]+\Z")
_SLACK_CHANNEL: Final = re.compile(r"[CGD][A-Z0-9]{2,}\Z")
_MOST_PORT: Final = 65_535
_MOST_DATABASE_NAME_BYTES: Final = 63


def fold(key_name: str) -> str:
    """Return the form in which key names are compared: upper case, aliases resolved."""
    upper = key_name.upper()
    return ALIASES.get(upper, upper)


def check_key(key_name: str) -> str:
    """Return the spelling to keep: a known key's own, else as typed.

    Raises:
        Rejected: the name has a shape that no environment variable could have.
    """
    if not key_name:
        message = "Enter a key name, such as DB_HOST."
        raise Rejected(message, code="key-name", field="keyName")
    if not _NAME.match(key_name):
        message = "A key name has at most 63 letters, digits, `_`, `-` or `.`, and begins with a letter: `DB_HOST`."
        raise Rejected(message, code="key-name", field="keyName")
    folded = fold(key_name)
    return folded if folded in KNOWN else key_name


def check_value(key_name: str, value: Secret) -> Secret:
    """Return the value to keep, or refuse it; a message never quotes a value that may be secret.

    Known keys are checked for their shape, unknown ones for being text of at most 64 KiB.

    Raises:
        Rejected: with what would be right; the field is `keyValue`.
    """
    text = value.reveal()
    reason = _reason(fold(key_name), text)
    if reason:
        raise Rejected(reason, code="key-value", field="keyValue")
    return value


def _reason(folded: str, text: str) -> str | None:
    if not text:
        return "Enter a value."
    if "\x00" in text:
        return "The value holds a zero byte. Leave it out."
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return "The value holds half a character (a lone surrogate). Type it anew."
    if size > MOST_VALUE_BYTES:
        return f"{size} bytes; at most {MOST_VALUE_BYTES}."
    check = _CHECKS.get(folded)
    return check(text) if check else None


def _host(text: str) -> str | None:
    return None if _HOST.match(text) else "Enter a host name or an address alone: `db.example.com`."


def _port(text: str) -> str | None:
    whole = text.isascii() and text.isdigit()
    return None if whole and 1 <= int(text[:6]) <= _MOST_PORT else "A port is a number from 1 to 65535, such as 5432."


def _url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        right = False
    return None if right else "Enter an address that begins with http:// or https://: `https://grafana.example.com`."


def _database(text: str) -> str | None:
    size = len(text.encode("utf-8"))
    return None if size <= _MOST_DATABASE_NAME_BYTES else f"{size} bytes; a database name has at most 63."


def _slack_token(text: str) -> str | None:
    if _SLACK_TOKEN.match(text):
        return None
    return "A bot token of Slack begins with `xoxb-`. Copy it from OAuth & Permissions."


def _slack_channel(text: str) -> str | None:
    if _SLACK_CHANNEL.match(text):
        return None
    return "Enter the channel's ID, not its name: `C0123456789`. Slack shows it under the channel's details."


def _one_line(text: str) -> str | None:
    return "The value is more than one line. Paste the token alone." if re.search(r"\s", text) else None


_CHECKS: Final[dict[str, Callable[[str], str | None]]] = {
    "DB_HOST": _host,
    "DB_PORT": _port,
    "DB_NAME_TIMING_REPORT": _database,
    "DB_NAME_QOR": _database,
    "DB_NAME_DRC": _database,
    "GRAFANA_URL": _url,
    "GRAFANA_API_KEY": _one_line,
    "SLACK_BOT_TOKEN": _slack_token,
    "SLACK_CHANNEL_ID": _slack_channel,
    "TEAMS_WEBHOOK_URL": _url,
}
