"""What may stand in the history: secrets masked, long values cut, everything turned into plain JSON values.

Pure. What is not here: masking of log lines (`kernel/logging.py`), sealing at rest (`credentials/vault.py`).
"""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

from belvedere.kernel.secret import MASK, Secret

LONGEST_TEXT: Final = 500
"""Characters of one value that are kept; the rest is counted, not stored."""

_MOST_ITEMS: Final = 50
_DEEPEST: Final = 4
_SHORTEST_KNOWN: Final = 8

_SECRET_KEY: Final = re.compile(
    r"(?:^|[_\-. ])(?:pass|passwd|password|passphrase|secret|token|bearer|cookie|authorization|"
    r"api[_\-]?key|private[_\-]?key|master[_\-]?key|key[_\-]?value|keyvalue|apikey)$",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")


def is_secret_key(key: str) -> bool:
    """Tell whether a member of this name is masked whatever it holds: `password`, `SLACK_BOT_TOKEN`, `api_key`."""
    return _SECRET_KEY.search(_CAMEL.sub("_", key)) is not None


class Masker:
    """Masks by the name of the key, by type, by the shape of a URL, and by values known to be secret."""

    def __init__(self, known: Sequence[Secret] = ()) -> None:
        """Take the secrets of the installation, so that their values are masked inside any text.

        Values shorter than 8 characters are left out: they would mask ordinary words.
        """
        values = sorted({one.reveal() for one in known if len(one.reveal()) >= _SHORTEST_KNOWN}, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(value) for value in values)) if values else None

    def members(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the members as JSON values that may be written down."""
        return {key: self._member(key, value, 0) for key, value in list(values.items())[:_MOST_ITEMS]}

    def text(self, value: str) -> str:
        """Mask known secrets and passwords of URLs inside a text, and cut it when it is long."""
        shown = _URL_PASSWORD.sub(rf"\1:{MASK}@", value)
        if self._known is not None:
            shown = self._known.sub(MASK, shown)
        # Half a surrogate pair can stand in a Python string but in no UTF-8 file.
        shown = shown.encode("utf-8", "replace").decode("utf-8")
        if len(shown) > LONGEST_TEXT:
            return f"{shown[:LONGEST_TEXT]}… ({len(shown)} characters)"
        return shown

    def _member(self, key: str, value: object, depth: int) -> object:
        if is_secret_key(key) and value not in (None, "", True, False):
            return MASK
        return self._value(value, depth)

    def _value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
            return value
        if isinstance(value, Secret):
            return MASK if value else ""
        if isinstance(value, Mapping) and depth < _DEEPEST:
            items = list(value.items())[:_MOST_ITEMS]
            return {self.text(str(key)): self._member(str(key), one, depth + 1) for key, one in items}
        if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
            return [self._value(one, depth + 1) for one in list(value)[:_MOST_ITEMS]]
        return f"({len(value)} bytes)" if isinstance(value, bytes) else self.text(str(value))
