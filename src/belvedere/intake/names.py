r"""Names of files as text, and which folders can be campaigns. Pure.

A file system's names are bytes. In the database, on pages and in reports they are text that shows everything and can be
turned back: what is not UTF-8 and what controls a terminal stands as `\xNN`, a backslash as two.
"""

import os
import re
import unicodedata
from typing import Final

MOST_CAMPAIGN_BYTES: Final = 100
"""Longest name of a campaign: it becomes a tag of each point and part of titles."""

PARSED: Final = "parsed"
ERROR: Final = "error"

DONE: Final = (PARSED, ERROR)
"""Folders of files that are done, beside those that come."""

OURS: Final = ".belvedere-"
"""How every name begins that we make beside tenants' files."""

DELETED: Final = f"{OURS}deleted"
"""The folder in a tenant's folder where the folders of campaigns lie that people deleted on a page."""

KEPT: Final = f"{OURS}kept-"
"""How the folder of a tenant that is gone is called where its data were to be kept; its number follows."""

_UNFINISHED: Final = (".part", ".filepart", ".tmp", ".partial")
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\udc80-\udcff]")
_SHOWN: Final = re.compile(r"\\(?:\\|x([0-9a-f]{2}))")


def text_of(name: str | bytes) -> str:
    """Write a name or path of the file system as text, reversibly."""
    raw = os.fsdecode(name) if isinstance(name, bytes) else name
    return _HIDDEN.sub(_escaped, raw)


def name_of(text: str) -> str:
    """Return the name or path as the file system has it (`os.fsencode` gives its bytes)."""
    pieces, start = [], 0
    for found in _SHOWN.finditer(text):
        pieces.append(os.fsencode(text[start : found.start()]))
        pieces.append(bytes.fromhex(found[1]) if found[1] else b"\\")
        start = found.end()
    pieces.append(os.fsencode(text[start:]))
    return os.fsdecode(b"".join(pieces))


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\\":
        return "\\\\"
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def unfinished(name: str) -> bool:
    """Tell whether a file is still being written, or is nobody's business, by its name alone."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def campaign_trouble(name: str) -> str | None:
    """Say why a folder of this name cannot be a campaign; None if it can. `name` is as the file system has it."""
    if name in DONE:
        return f"`{name}` is the name of folders for files that are done. Choose another name for a campaign."
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "The folder's name is not UTF-8. Rename it to be a campaign."
    if size > MOST_CAMPAIGN_BYTES:
        return f"The folder's name has {size} bytes; a campaign's has at most {MOST_CAMPAIGN_BYTES}."
    if name != name.strip():
        return "The folder's name begins or ends with a blank. Rename it to be a campaign."
    for character in name:
        if unicodedata.category(character).startswith("C") or character in "\\\u2028\u2029":
            return f"The folder's name holds a character that does not show (U+{ord(character):04X}). Rename it."
    return None
