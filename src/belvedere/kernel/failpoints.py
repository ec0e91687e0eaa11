"""Places where a test can end the process as hard as a power cut does.

`BELVEDERE_FAILPOINT=name` ends the process at the first call of `failpoint("name")`; `name:3` at the
third. A rules test lists every name in the source, and `make test-crash` dies at each of them.
"""

import os
from collections import Counter
from typing import Final

EXIT_CODE: Final = 86
"""The status with which a failpoint ends the process, so that a test can tell it from a crash."""

_seen: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End the process here, without flushing or cleaning up, if this place was asked for."""
    wanted = os.environ.get("BELVEDERE_FAILPOINT")
    if not wanted:
        return
    place, _, count = wanted.partition(":")
    if place != name:
        return
    _seen[name] += 1
    if _seen[name] >= int(count or 1):
        os._exit(EXIT_CODE)
