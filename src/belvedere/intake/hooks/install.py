"""Putting the command hook's program where an SFTPGo calls one: in the place of the script of today, too.

What is written stands alone: the interpreter's path and the folder of the socket are in it, and nothing else is needed.
"""

import os
import stat
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from belvedere.intake.hooks import spool
from belvedere.kernel.errors import Rejected, Stuck

_EMPTY: Final = 'FOLDER = ""\n'
_LONGEST_LINE: Final = 127
BEFORE: Final = ".before-belvedere"
"""What is put behind the name of a script that stood in the place."""


def program(folder: Path) -> str:
    """Return the program's text for a folder of the socket.

    Raises:
        Stuck: this Python's path cannot stand in the first line of a program.
    """
    found = find_spec("belvedere_hook")
    source = Path(found.origin) if found and found.origin else Path(__file__).parents[3] / "belvedere_hook.py"
    text = source.read_text(encoding="utf-8")
    # Without `site` and its folders a start costs half; the environment of the virtual one is not needed.
    first = f"#!{Path(sys.executable).resolve()} -IS\n"
    if len(first) > _LONGEST_LINE or first.count(" ") > 1 or _EMPTY not in text:
        message = f"The path of this Python, {Path(sys.executable).resolve()}, cannot begin a program."
        raise Stuck(message, hint="install Belvedere under a shorter path without blanks", code="hook-folder")
    return first + text.replace(_EMPTY, f"FOLDER = {str(folder)!r}\n", 1)


def install(target: Path, folder: Path) -> Path | None:
    """Write the program to `target`, whole or not at all; return where what stood there is now, if anything did.

    Raises:
        Rejected: the place cannot be written, or a script was put aside there before and another one stands there now.
    """
    text = program(folder)
    aside = target.with_name(target.name + BEFORE)
    beside = target.with_name(f".{target.name}.belvedere")
    try:
        replaced = target.exists() and "Hands an event of SFTPGo over to Belvedere" not in _start(target)
        if replaced and aside.exists():
            message = f"{aside} is there already, and {target} is not our program."
            raise Rejected(message, hint="look at both, and remove the one that nobody needs", field="file")
        spool.prepare(folder)
        beside.write_text(text, encoding="utf-8")
        beside.chmod(0o755)
        if replaced:
            os.link(target, aside)
        beside.replace(target)
    except OSError as error:
        message = f"{error.filename or target} cannot be written: {(error.strerror or str(error)).lower()}."
        raise Rejected(message, hint="run it as a user who may", field="file") from error
    return aside if replaced else None


def _start(path: Path) -> str:
    """Return the beginning of a file that is one."""
    if not stat.S_ISREG(path.stat().st_mode):
        return ""
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", "replace")
