"""Which names, folders, permissions and quotas an SFTP user may have; no I/O."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from belvedere.intake.sftp.model import ALL, Permission
from belvedere.kernel.actor import Actor
from belvedere.kernel.errors import Rejected
from belvedere.tenants.names import name_key

MOST_BYTES: Final = 100
_DEEPEST: Final = 8
_LONGEST_PART: Final = 100
_MOST_QUOTA: Final = 2**62
_JOINTS: Final = "-_."
_SIZE: Final = re.compile(r"(?P<number>\d{1,15})\s*(?P<unit>[KMGTkmgt]?)(i?[Bb])?")
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def user_name(actor: Actor, tenant_name: str, name: str) -> str:
    """Return the name of a new user; the tenant's own where none is given.

    A member's choice begins with the tenant's name, so that nobody takes the name of somebody else's tenant.

    Raises:
        Rejected: it cannot be typed as a login, or a member chose one of somebody else.
    """
    chosen = unicodedata.normalize("NFC", name.strip()) or tenant_name
    if chosen == tenant_name:
        return chosen
    if len(chosen.encode("utf-8", "replace")) > MOST_BYTES or not chosen.isprintable():
        message = f"Use 1 to {MOST_BYTES} letters, digits, dots, hyphens."
        raise Rejected(message, field="name")
    if re.search(r"[\s:/\\@]", chosen) or chosen.startswith(("-", ".", "~")):
        message = "A login holds no blank, slash, colon or @, and does not begin with a hyphen or a dot."
        raise Rejected(message, field="name")
    own = name_key(chosen).startswith(tuple(name_key(tenant_name) + joint for joint in _JOINTS))
    if actor.tenant is not None and not own:
        message = f"Begin it with the tenant's name: `{tenant_name}-{chosen}`."
        raise Rejected(message, field="name")
    return chosen


def folder(text: str) -> str:
    """Return where in the tenant's folder a user's home is, with single slashes and none at the ends.

    Raises:
        Rejected: it leads out of the tenant's folder, or into one of Belvedere's own.
    """
    parts = [part for part in unicodedata.normalize("NFC", text.strip()).split("/") if part]
    for part in parts:
        if part in {".", ".."} or not part.isprintable() or part.startswith(".") or "\\" in part:
            message = f"`{part}` is no name of a folder here. Write one like `campaign-7/devices`."
            raise Rejected(message, field="folder")
    if len(parts) > _DEEPEST or any(len(part.encode()) > _LONGEST_PART for part in parts):
        message = f"At most {_DEEPEST} folders of {_LONGEST_PART} bytes each."
        raise Rejected(message, field="folder")
    return "/".join(parts)


def permissions(given: Sequence[str]) -> tuple[Permission, ...]:
    """Return what a user may do, in the order of the table.

    Raises:
        Rejected: there is no such permission, or none is left.
    """
    unknown = [one for one in given if one not in set(Permission)]
    if unknown or not given:
        message = f"Choose of {', '.join(ALL)}."
        raise Rejected(message, field="permissions")
    return tuple(one for one in ALL if one in given)


def quota(value: int, field: str) -> int:
    """Return a limit; 0 is none.

    Raises:
        Rejected: it is negative or larger than any disk.
    """
    if not 0 <= value <= _MOST_QUOTA:
        message = "Write a number from 0 on; 0 is no limit."
        raise Rejected(message, field=field)
    return value


def size(text: str, field: str = "quota") -> int:
    """Read a size as people write it: `50G`, `512 MB`, `4 GiB`, `1000000`; empty or 0 is no limit.

    Raises:
        Rejected: it is none.
    """
    if not text.strip():
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        message = "Write a size like 50G or 512M; 0 is no limit."
        raise Rejected(message, field=field)
    table = _BINARY if (found[3] or "").startswith("i") else _UNITS
    return quota(int(found["number"]) * table[found["unit"].lower()], field)
