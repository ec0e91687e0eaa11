"""One event as SFTPGo tells it: the JSON of its HTTP hook, the query of its disconnect hook, a command's environment.

The names are those of SFTPGo 2.7.5 as it ran. A command of today may be given `SFTPGO_ACTION` and `SFTPGO_ACTION_PATH`
alone. Pure. What is not here: whose file it is and what is to be looked at (`meaning.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from belvedere.kernel.errors import Rejected

DISCONNECT: Final = "post_disconnect"
"""What we call the event of a session's end; SFTPGo has no name for it in its messages."""

MOST_PATH: Final = 8192
"""Most characters of a path; Linux has none above 4,096 bytes."""

MOST_NAME: Final = 1024
_LARGEST: Final = 2**63

OK: Final = 1
"""The status of what went well; 2 is an error, 3 a quota that was reached."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `path` and `target` are of SFTPGo's file system, `virtual_*` as its user sees them.

    `moment` is SFTPGo's time in nanoseconds since 1970, 0 where it says none. `number` tells two hand-overs of a
    command apart where SFTPGo gave neither session nor time; the same hand-over told twice has the same.
    """

    action: str
    user: str = ""
    path: str = ""
    target: str = ""
    virtual_path: str = ""
    virtual_target: str = ""
    status: int = OK
    session: str = ""
    moment: int = 0
    number: str = ""

    @property
    def key(self) -> str:
        """What is the same when an event is told again, and only then; empty where nothing tells it apart."""
        if self.session and self.moment:
            parts = [self.session, self.action, self.virtual_path or self.path, str(self.moment)]
        elif self.number:
            parts = [self.number]
        else:
            return ""
        return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


class _Told(msgspec.Struct):
    """As much of SFTPGo's JSON as is used; other members are let pass."""

    action: str
    username: str = ""
    path: str = ""
    target_path: str = ""
    virtual_path: str = ""
    virtual_target_path: str = ""
    status: int = OK
    session_id: str = ""
    timestamp: int = 0


_DECODER: Final = msgspec.json.Decoder(_Told)


def of_json(body: bytes) -> Event:
    """Read the body of the HTTP hook.

    Raises:
        Rejected: it is not the JSON of an event; the sentence says what is wrong.
    """
    try:
        told = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"This is not an event of SFTPGo: {error}."
        raise Rejected(message, code="hook-event") from None
    return _checked(Event(
        action=told.action, user=told.username, path=told.path, target=told.target_path,
        virtual_path=told.virtual_path, virtual_target=told.virtual_target_path, status=told.status,
        session=told.session_id, moment=told.timestamp,
    ))


def of_query(fields: Mapping[str, str]) -> Event:
    """Read the query of the disconnect hook: `ip`, `protocol`, `username`, `connection_duration`.

    Raises:
        Rejected: it has none of these names.
    """
    if "username" not in fields:
        message = "This is not an end of a session of SFTPGo: it names no `username`."
        raise Rejected(message, code="hook-event")
    return _checked(Event(action=DISCONNECT, user=fields["username"]))


def of_environment(given: Mapping[str, str], number: str) -> Event:
    """Read the environment of a command hook.

    A disconnect hook has `SFTPGO_CONNECTION_*` and no path, whatever `SFTPGO_ACTION` a settings file gives it. With
    `SFTPGO_ACTION` alone, an event without a path is that too.

    Raises:
        Rejected: it is not the environment of a hook.
    """
    path = given.get("SFTPGO_ACTION_PATH", "")
    if not path and not given.get("SFTPGO_ACTION_VIRTUAL_PATH"):
        if not any(name.startswith(("SFTPGO_CONNECTION_", "SFTPGO_ACTION")) for name in given):
            message = "This is not the environment of a hook of SFTPGo: no SFTPGO_ACTION, no SFTPGO_CONNECTION_*."
            raise Rejected(message, code="hook-event")
        user = given.get("SFTPGO_CONNECTION_USERNAME", "") or given.get("SFTPGO_ACTION_USERNAME", "")
        return _checked(Event(action=DISCONNECT, user=user, number=number))
    return _checked(Event(
        action=given.get("SFTPGO_ACTION", ""), user=given.get("SFTPGO_ACTION_USERNAME", ""), path=path,
        target=given.get("SFTPGO_ACTION_TARGET", ""), virtual_path=given.get("SFTPGO_ACTION_VIRTUAL_PATH", ""),
        virtual_target=given.get("SFTPGO_ACTION_VIRTUAL_TARGET", ""), status=_number(given, "STATUS", OK),
        session=given.get("SFTPGO_ACTION_SESSION_ID", ""), moment=_number(given, "TIMESTAMP", 0), number=number,
    ))


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    text = str(given.get(f"SFTPGO_ACTION_{name}", ""))
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):  # noqa: PLR2004  (fits a bigint)
        message = f"SFTPGO_ACTION_{name} is not a whole number."
        raise Rejected(message, code="hook-event")
    return int(text)


def _checked(event: Event) -> Event:
    paths = (event.path, event.target, event.virtual_path, event.virtual_target)
    if max(map(len, paths)) > MOST_PATH or max(len(event.user), len(event.session), len(event.action)) > MOST_NAME:
        message = "A name or a path of this event is longer than any can be."
        raise Rejected(message, code="hook-event")
    if not 0 <= event.moment < _LARGEST:
        message = "The time of this event is none."
        raise Rejected(message, code="hook-event")
    return event
