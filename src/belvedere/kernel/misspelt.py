"""Settings that nobody reads: misspelt ones would otherwise change nothing without a word.

What is not here: the settings themselves and how they are read (`settings.py`).
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from belvedere.kernel.settings import described

_OURS: Final = "BELVEDERE_"
_INNER: Final = ("BELVEDERE_FAILPOINT", "BELVEDERE_SUPERVISED", "BELVEDERE_READY_PIPE", "BELVEDERE_LIVE_POSITION")
_FOR_TESTS: Final = ("BELVEDERE_TEST_", "BELVEDERE_CRASH")
_ALIKE: Final = 0.75


def misspelt(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> list[str]:
    """Return a sentence for each name that looks like a setting and is none.

    In the environment these are names that begin with BELVEDERE_; in the `.env` file, which other programs may share,
    also names that are nearly those of settings.
    """
    known = {name for one in described() for name in (one.name, *one.aliases)}
    real = os.environ if environment is None else environment
    file = env_file if env_file is not None else Path(".env")
    from_file = dotenv_values(file) if file.is_file() else {}
    return [*_strange(real, known, "environment", near=False), *_strange(from_file, known, ".env", near=True)]


def _strange(names: Mapping[str, object], known: set[str], where: str, *, near: bool) -> Iterator[str]:
    for name in sorted(names):
        if name in known or name in _INNER or name.startswith(_FOR_TESTS):
            continue
        alike = get_close_matches(name, sorted(known), n=1, cutoff=_ALIKE)
        if name.startswith(_OURS) or (near and alike):
            meant = f" Did you mean {alike[0]}?" if alike else " `belvedere settings` lists them all."
            yield f"{name} (from {where}) is no setting.{meant}"
