"""SFTPGo's users as its API writes them, to and from our values. Pure; names as SFTPGo 2.7.5 has them."""

import posixpath
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from belvedere.intake.sftp.model import ALL, Known, Permission
from belvedere.intake.sftpgo.model import DESCRIPTION, Mark, Seen, Wanted
from belvedere.kernel.secret import Secret

_MARK: Final = "belvedere "
_LOCAL: Final = 0
_MEANS: Final = {
    Permission.READ: ("list", "download"), Permission.UPLOAD: ("upload", "overwrite"),
    Permission.CREATE: ("create_dirs",), Permission.RENAME: ("rename",), Permission.DELETE: ("delete",),
}  # fmt: skip
_PARTS: Final = {"rename": {"rename_files", "rename_dirs"}, "delete": {"delete_files", "delete_dirs"}}


class _User(msgspec.Struct):
    """As much of a user as is compared."""

    username: str
    status: int = 0
    home_dir: str = ""
    public_keys: list[str] = []
    has_password: bool = False
    last_password_change: int = 0
    quota_size: int = 0
    quota_files: int = 0
    permissions: dict[str, list[str]] = {}
    additional_info: str = ""
    filesystem: dict[str, Any] = {}


def wanted_of(known: Known, root: str) -> Wanted:
    """Return how a user of ours should be on an SFTPGo that sees tenants' folders at `root`."""
    user = known.user
    granted = dict.fromkeys(word for one in user.permissions for word in _MEANS[one])
    return Wanted(
        name=user.name, tenant=user.tenant, user=str(user.id), home=f"{root.rstrip('/')}/{user.home}",
        permissions=tuple(granted), keys=tuple(key.line for key in user.keys),
        password=Secret(known.password_hash) if known.password_hash else None,
        theirs=user.password_there and not known.password_hash, adopted=user.source == "sftpgo",
        quota_bytes=user.quota_bytes, quota_files=user.quota_files, enabled=user.disabled_at is None,
    )


def seen_of(whole: Mapping[str, Any]) -> Seen:
    """Read a user.

    Raises:
        msgspec.ValidationError: it is not one.
    """
    user = msgspec.convert(whole, _User)
    return Seen(
        name=user.username, enabled=user.status == 1, home=user.home_dir,
        local=user.filesystem.get("provider", _LOCAL) == _LOCAL,
        permissions={place: tuple(words) for place, words in user.permissions.items()},
        keys=tuple(" ".join(line.split()[:2]) for line in user.public_keys), has_password=user.has_password,
        password_changed=user.last_password_change, quota_bytes=user.quota_size, quota_files=user.quota_files,
        mark=mark_of(user.additional_info), whole=whole,
    )


def mark_of(text: str) -> Mark | None:
    """Read a mark from the first line; None when there is none, or not one of ours."""
    if not text.startswith(_MARK):
        return None
    try:
        return msgspec.json.decode(text[len(_MARK) :].partition("\n")[0].encode(), type=Mark)
    except msgspec.DecodeError:
        return None


def digest_of(password: Secret | None) -> str:
    """Return what tells one kept password from another and nothing of it; empty for none."""
    return sha256(b"belvedere sftpgo\0" + password.reveal().encode()).hexdigest()[:24] if password else ""


def body_of(wanted: Wanted, installation: str, seen: Seen | None) -> dict[str, Any]:
    """Write a user as it is sent. It holds what is kept of the password.

    SFTPGo takes what is sent for the whole of a user, so what it has besides ours is sent back: limits, filters, an
    e-mail address. Only the password stays when it is left out, and goes when it is empty.
    """
    base = dict(seen.whole) if seen is not None else {"description": DESCRIPTION}
    mark = Mark(
        installation, wanted.tenant, wanted.user, digest_of(wanted.password), seen.password_changed if seen else 0
    )
    body = base | {
        "username": wanted.name, "status": int(wanted.enabled), "home_dir": wanted.home,
        "public_keys": list(wanted.keys), "permissions": {"/": list(wanted.permissions)},
        "quota_size": wanted.quota_bytes, "quota_files": wanted.quota_files, "filesystem": {"provider": _LOCAL},
        "additional_info": "\n".join([_MARK + msgspec.json.encode(mark).decode(), *_besides(seen)]),
    }
    if wanted.adopted and seen is not None:
        same = {"home_dir": same_home(wanted, seen), "permissions": same_permissions(wanted, seen),
                "public_keys": sorted(seen.keys) == sorted(wanted.keys)}  # fmt: skip
        body |= {name: seen.whole[name] for name, is_same in same.items() if is_same and name in seen.whole}
    if wanted.password is not None:
        body["password"] = wanted.password.reveal()
    elif not wanted.theirs:
        body["password"] = ""
    return body


def meaning(permissions: Mapping[str, Sequence[str]]) -> tuple[Permission, ...]:
    """Return what a user may do in its whole home, in our words; what we have no word for is left out."""
    words = set(permissions.get("/", ()))
    words |= {word for word, parts in _PARTS.items() if parts <= words}
    return ALL if "*" in words else tuple(one for one in ALL if set(_MEANS[one]) <= words)


def same_permissions(wanted: Wanted, seen: Seen) -> bool:
    """Tell whether a user that was taken over may do what it should, in whichever words."""
    return meaning(seen.permissions) == meaning({"/": wanted.permissions})


def same_home(wanted: Wanted, seen: Seen) -> bool:
    """Tell whether a user's home is the wanted one, however it is written."""
    return seen.local and posixpath.normpath(seen.home) == posixpath.normpath(wanted.home)


def _besides(seen: Seen | None) -> list[str]:
    """Return what stands in a user's additional information besides a mark of ours."""
    text = str(seen.whole.get("additional_info") or "") if seen is not None else ""
    rest = text.partition("\n")[2] if seen is not None and seen.mark is not None else text
    return [rest] if rest else []
