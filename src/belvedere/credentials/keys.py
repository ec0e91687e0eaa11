"""Where the sealing keys come from: a file in the home, an environment variable, or a command.

Several keys may be given, newest first: the first seals, all of them open. What is not here: sealing
itself (`vault.py`).
"""

import base64
import binascii
import hashlib
import os
import secrets
import shlex
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from belvedere.kernel.errors import Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
_COMMAND_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One AES-256 key and its public id, which tells keys apart without telling anything about them."""

    id: bytes
    material: bytes

    def __repr__(self) -> str:
        """The id alone."""
        return f"Key({self.id.hex()})"


class KeySource(Protocol):
    """Where keys come from."""

    def ring(self) -> tuple[Key, ...]:
        """Return the keys, the one that seals first. Raises Stuck when there is none to be had."""
        ...

    def add(self) -> bool:
        """Make a new first key; False where keys are not ours to make."""
        ...


def source_of(settings: Settings) -> KeySource:
    """Choose by the settings: the variable, else the command, else the file `keys/master` in the home."""
    if settings.master_key:
        return GivenKeys(settings.master_key, "BELVEDERE_MASTER_KEY")
    if settings.master_key_command:
        return CommandKeys(settings.master_key_command)
    return FileKeys(settings.home_path / "keys" / "master")


class GivenKeys:
    """Keys from a variable: base64, 32 bytes each, separated by commas or blanks, newest first."""

    def __init__(self, text: Secret, where: str) -> None:
        """Parse the keys at once, so that a wrong one is known at start."""
        self._keys = _parse(text.reveal(), where)

    def ring(self) -> tuple[Key, ...]:
        """Return the keys."""
        return self._keys

    def add(self) -> bool:
        """Whoever set the variable must put the new key in front."""
        return False


class CommandKeys:
    """Keys printed by a command, for keys that are kept elsewhere. It is asked once per process."""

    def __init__(self, command: str) -> None:
        """Take the command; it is split as a shell would and run without one."""
        self._command = command
        self._keys: tuple[Key, ...] = ()
        self._lock = threading.Lock()

    def ring(self) -> tuple[Key, ...]:
        """Return the keys."""
        with self._lock:
            if not self._keys:
                self._keys = self._ask()
            return self._keys

    def add(self) -> bool:
        """Whoever keeps the keys must print the new one first."""
        return False

    def _ask(self) -> tuple[Key, ...]:
        hint = "Run the command of BELVEDERE_MASTER_KEY_COMMAND by hand; it must print 32 bytes as base64."
        try:
            answer = subprocess.run(
                shlex.split(self._command), capture_output=True, check=True, timeout=_COMMAND_TIMEOUT_S
            ).stdout.decode("ascii")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            message = f"The command that prints the sealing key failed ({type(error).__name__})."
            raise Stuck(message, hint=hint, code="master-key") from None
        return _parse(answer, "BELVEDERE_MASTER_KEY_COMMAND")


class FileKeys:
    """Keys in a file that only its owner can read: one base64 line each, newest first. Made at first start."""

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is read yet."""
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], tuple[Key, ...]] | None = None

    def ring(self) -> tuple[Key, ...]:
        """Return the keys; the file is read again when another process has changed it."""
        with self._lock:
            if not self._path.exists():
                self._create()
            state = self._checked()
            if self._read is None or self._read[0] != state:
                self._read = state, _parse(self._path.read_text(encoding="ascii"), str(self._path))
            return self._read[1]

    def add(self) -> bool:
        """Put a new key in front of the file; the old ones stay, for what they sealed and for backups."""
        old = self.ring()
        with self._lock:
            lines = [_new(), *(base64.b64encode(key.material).decode("ascii") for key in old)]
            written = self._write(lines)
            failpoint("credentials.rotate.before-rename")
            written.replace(self._path)
            _flush_folder(self._path.parent)
        return True

    def _create(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = self._write([_new()])
        failpoint("credentials.first-key.before-link")
        try:
            # A link fails when the name exists: of two processes at first start one wins, both read its key.
            os.link(written, self._path)
        except FileExistsError:
            pass
        finally:
            written.unlink()
        _flush_folder(self._path.parent)

    def _write(self, lines: list[str]) -> Path:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return beside

    def _checked(self) -> tuple[int, int, int]:
        found = self._path.stat()
        if stat.S_IMODE(found.st_mode) & 0o077:
            message = f"Others on this machine can read the sealing key {self._path}."
            raise Stuck(message, hint=f"Run: chmod 600 {self._path}", code="master-key")
        if found.st_uid not in {os.geteuid(), 0}:
            message = f"The sealing key {self._path} belongs to another user."
            raise Stuck(message, hint=f"Run: chown {os.geteuid()} {self._path}", code="master-key")
        return found.st_mtime_ns, found.st_ino, found.st_size


def _new() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def _parse(text: str, where: str) -> tuple[Key, ...]:
    keys = []
    for word in text.replace(",", " ").split():
        try:
            material = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            material = b""
        if len(material) != KEY_BYTES:
            message = f"{where} does not hold a sealing key: 32 bytes as base64."
            raise Stuck(message, hint="Make one: openssl rand -base64 32", code="master-key")
        keys.append(Key(hashlib.sha256(b"belvedere key id\0" + material).digest()[:KEY_ID_BYTES], material))
    if not keys:
        message = f"{where} is empty; it must hold a sealing key: 32 bytes as base64."
        raise Stuck(message, hint="Make one: openssl rand -base64 32", code="master-key")
    return tuple(keys)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
