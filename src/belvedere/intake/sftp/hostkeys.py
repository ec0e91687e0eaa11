"""The server's own keys: made once, kept in the home where only its user may read them.

Clients remember them, so they must not change: a backup of the home holds them.
"""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

KINDS: Final = ("ed25519", "ecdsa", "rsa")
"""Newest first, as they are offered."""

_RSA_BITS: Final = 3072
_SHUT: Final = 0o077


def paths(home: Path) -> list[Path]:
    """Return where the private keys stand."""
    return [home / "sftp" / f"host_{kind}" for kind in KINDS]


def provide(home: Path) -> list[Path]:
    """Make the keys that are missing, and return where all of them stand.

    Raises:
        PermissionError: somebody else may read one of them.
    """
    folder = home / "sftp"
    folder.mkdir(mode=0o700, exist_ok=True)
    for kind, path in zip(KINDS, paths(home), strict=True):
        if not path.exists():
            _make(kind, path)
        if path.stat().st_mode & _SHUT:
            message = f"Others may read {path}. chmod 600 {path}"
            raise PermissionError(message)
    return paths(home)


def kept(home: Path) -> dict[str, str]:
    """Return the files of the keys as text, by their names, for a backup; empty where the server never ran."""
    names = [name for path in paths(home) for name in (path.name, path.with_suffix(".pub").name)]
    return {name: (home / "sftp" / name).read_text() for name in names if (home / "sftp" / name).exists()}


def bring_back(home: Path, found: dict[str, str]) -> None:
    """Write keys of a backup into a home that has none.

    Raises:
        OSError: they cannot be written.
    """
    (home / "sftp").mkdir(mode=0o700, exist_ok=True)
    known = {name for path in paths(home) for name in (path.name, path.with_suffix(".pub").name)}
    for name in sorted(known & found.keys(), reverse=True):
        # The public half first, as where they are made.
        _write(home / "sftp" / name, found[name].encode())


def public(home: Path) -> list[str]:
    """Return the public lines as OpenSSH writes them; none where the server has not run yet."""
    found = []
    for path in paths(home):
        with suppress(OSError):
            found.append(path.with_suffix(".pub").read_text(encoding="ascii").strip())
    return found


def fingerprint(line: str) -> str:
    """Return how `ssh` names a key: `SHA256:...`."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).rstrip(b"=").decode()


def _make(kind: str, path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415  (once in a home's life)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (same)
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, _RSA_BITS)
    shown = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    # The public half first: a private key without one would never be shown.
    _write(path.with_suffix(".pub"), shown + b"\n")
    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
