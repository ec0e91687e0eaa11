"""Where a file that is sent over HTTP may go: names that every file system, every hook and every page bears. Pure."""

import unicodedata
from typing import Final

from belvedere.intake.names import DONE, campaign_trouble, unfinished
from belvedere.kernel.errors import Rejected

MOST_DEPTH: Final = 12
MOST_NAME_BYTES: Final = 255


def folder_of(campaign: str, device: str) -> str:
    """Return the folder below the tenant's for a campaign and the folders in it (`device`, perhaps several).

    Raises:
        Rejected: a folder cannot be called so.
    """
    _must_be_plain(campaign, "campaign")
    why = campaign_trouble(campaign)
    if why:
        raise Rejected(why, code="campaign-name", field="campaign")
    parts = [one for one in device.strip("/").split("/") if one] if device else []
    if len(parts) + 1 > MOST_DEPTH:
        message = f"At most {MOST_DEPTH} folders below each other are looked into."
        raise Rejected(message, code="file-name", field="device")
    for one in parts:
        _must_be_plain(one, "device")
        if one in DONE:
            message = f"`{one}` is the name of folders for files that are done. Send it to the folder above."
            raise Rejected(message, code="file-name", field="device")
    return "/".join([campaign, *parts])


def checked_name(name: str) -> str:
    """Return a file's name if it can bear it.

    Raises:
        Rejected: it cannot.
    """
    _must_be_plain(name, "name")
    if unfinished(name):
        message = f"`{name}` is a name of files that are still being written. Send it under its final name."
        raise Rejected(message, code="file-name", field="name")
    return name


def _must_be_plain(name: str, field: str) -> None:
    """Refuse what is no name of one file or folder, or shows otherwise than it is."""
    if not name.strip() or name in {".", ".."} or "/" in name:
        message = "Enter a name without a slash." if name.strip() else f"Enter a {field}."
        raise Rejected(message, code="file-name", field=field)
    if name.startswith("."):
        message = f"`{name}` begins with a dot: such names are hidden, and nothing is read from them."
        raise Rejected(message, code="file-name", field=field)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        message = "The name holds half a character."
        raise Rejected(message, code="file-name", field=field) from None
    if size > MOST_NAME_BYTES:
        message = f"{size} bytes; a name has at most {MOST_NAME_BYTES}."
        raise Rejected(message, code="file-name", field=field)
    for character in name:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character == "\\":
            message = f"The name holds a character that a name cannot have (U+{ord(character):04X})."
            raise Rejected(message, code="file-name", field=field)
