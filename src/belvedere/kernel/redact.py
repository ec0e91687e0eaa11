"""Take secrets out of text and of named values before they are written anywhere. Pure.

Four signs mark a secret: its type (`Secret`), the name it stands under, the shape of the text around it, and being one
of the values that this process was told. What is not here: what the history keeps (`audit/mask.py`), sealing.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from belvedere.kernel.secret import MASK, Secret

SHORTEST_KNOWN: Final = 6
"""Known values with fewer characters are not searched for: they would mask ordinary words."""

_WORDS: Final = (
    r"password|passwd|passphrase|(?<![a-z])pass|secret|token|api[_-]?key|private[_-]?key|master[_-]?key|key[_-]?value|"
    r"authorization|cookie|csrf|credentials?|dsn|conninfo"
)
_SECRET_NAME: Final = re.compile(rf"(?:^|[^a-z])(?:[a-z]*(?:{_WORDS}))(?:$|[^a-z])", re.IGNORECASE)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INNOCENT: Final = re.compile(r"(?:_id|_name|_count|_path|_file|_type|_bytes|_state|_version)$", re.IGNORECASE)

# A user part may itself hold an @; the last @ before the host ends the password.
_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<login>[^\s/:@\"']*):[^\s\"']*@", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(?P<scheme>bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_QUOTED: Final = re.compile(
    rf"(?P<name>[\w-]*(?:{_WORDS})[\w-]*)(?P<middle>[\"']?\s*[:=]?\s*)(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?:(?P=quote)|$)",
    re.IGNORECASE | re.DOTALL,
)
_BARE: Final = re.compile(
    rf"(?P<name>[\w-]*(?:{_WORDS})[\w-]*)(?P<middle>\s*[:=]\s*)(?![\s\"'])[^\s&,;]+", re.IGNORECASE
)
_SLACK: Final = re.compile(r"\bxox[a-z]-[A-Za-z0-9-]+")


def is_secret_name(name: str) -> bool:
    """Tell whether a value that stands under this name is masked whatever it is: `DB_PASS`, `apiKey`, `cookie`."""
    parted = _CAMEL.sub("_", name)
    return bool(_SECRET_NAME.search(parted)) and not _INNOCENT.search(parted)


class Redactor:
    """Masks values and text. It knows the secrets of this process by value as well."""

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        """Take the secrets whose values are masked wherever they stand."""
        values = sorted({one.reveal() for one in known if len(one.reveal()) >= SHORTEST_KNOWN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def text(self, text: str) -> str:
        """Mask what is a secret by its shape or its value; the rest stays as it is."""
        shown = self._known.sub(MASK, text) if self._known else text
        shown = _URL.sub(rf"\g<scheme>\g<login>:{MASK}@", shown)
        shown = _BEARER.sub(rf"\g<scheme> {MASK}", shown)
        shown = _SLACK.sub(MASK, shown)
        shown = _QUOTED.sub(rf"\g<name>\g<middle>\g<quote>{MASK}\g<quote>", shown)
        return _BARE.sub(rf"\g<name>\g<middle>{MASK}", shown)

    def value(self, name: str, value: object) -> object:  # noqa: PLR0911  (one line a type)
        """Return what may be written for `value` under `name`: plain JSON values, secrets masked at any depth."""
        if isinstance(value, Secret):
            return MASK if value else ""
        if value is None or isinstance(value, bool):
            return value
        if is_secret_name(name):
            return MASK
        if isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(name, one) for one in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return f"({len(value)} bytes)"
        return self.text(str(value))
