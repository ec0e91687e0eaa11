"""Which names a tenant may bear, and the slug that stands in its addresses. Pure.

A name becomes part of database names (`{name}-timing_report`, at most 63 bytes in PostgreSQL) and, for
tenants that send files, the name of an SFTP user and of its folder.
"""

import re
import unicodedata
from typing import Final

from belvedere.kernel.errors import Rejected

MOST_BYTES: Final = 49
"""63 bytes of a PostgreSQL identifier less the 14 of `-timing_report`."""

_SLUG_MOST: Final = 40
_RESERVED_SLUGS: Final = frozenset({"new"})
_FORBIDDEN: Final = {"/": "a slash", "\\": "a backslash", ":": "a colon"}


_OURS: Final = ".belvedere-"
"""How folders begin that stand beside those of tenants and are none."""


def check_name(name: str) -> str:
    """Return the name, or refuse it with the reason.

    Raises:
        Rejected: with what is wrong and what would be right; the field is `name`.
    """
    reason = _reason(name)
    if reason:
        raise Rejected(reason, code="name", field="name")
    return name


def name_key(name: str) -> str:
    """Return the form in which two names are compared: without case, in the Unicode form without widths or styles.

    So a full-width name is that of the plain letters. Letters of other alphabets that look alike stay different.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def slug_of(name: str) -> str:
    """Return lower-case letters, digits and hyphens that remind of the name; never empty, never only digits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_MOST].strip("-")
    if not slug:
        return "tenant"
    return f"t-{slug}" if slug.isdigit() or slug in _RESERVED_SLUGS else slug


def numbered(slug: str, number: int) -> str:
    """Return the slug for the `number`-th tenant that wants it: `acme`, `acme-2`, `acme-3`."""
    if number <= 1:
        return slug
    tail = f"-{number}"
    return slug[: _SLUG_MOST - len(tail)].rstrip("-") + tail


def _reason(name: str) -> str | None:
    if not name.strip():
        return "Enter a name."
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "The name holds half a character (a lone surrogate). Type it anew."
    if name_key(name).startswith(_OURS):
        return f"Names that begin with `{_OURS}` are kept for Belvedere's own folders. Choose another."
    return _reason_of_size(size) or _reason_of_shape(name)


def _reason_of_size(size: int) -> str | None:
    return f"{size} bytes; at most {MOST_BYTES}." if size > MOST_BYTES else None


def _reason_of_shape(name: str) -> str | None:
    if name in {".", ".."}:
        return f"`{name}` names a folder. Use letters, digits and hyphens: `chip-lab-2`."
    if name != name.strip():
        return "The name begins or ends with a blank. Leave it out."
    for character in name:
        if character in _FORBIDDEN:
            return f"The name holds {_FORBIDDEN[character]}. Use a hyphen instead."
        category = unicodedata.category(character)
        if category.startswith("C") or (category.startswith("Z") and character != " "):
            return f"The name holds a character that does not show (U+{ord(character):04X}). Leave it out."
    if unicodedata.normalize("NFC", name) != name:
        return "The name holds letters in two parts (not in Unicode form NFC). Type it anew."
    return None
