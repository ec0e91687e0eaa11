"""Public keys as people paste them, made into what is kept. No I/O.

What is not here: checking a signature (`server.py` leaves that to the library).
"""

import base64
import hashlib
import re
from typing import Final

from belvedere.intake.sftp.model import Key
from belvedere.kernel.errors import Rejected

FEWEST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 16_384
_LONGEST: Final = 8192
_LONGEST_COMMENT: Final = 100
_ECDSA: Final = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_KINDS: Final = ("ssh-ed25519", "ssh-rsa", *_ECDSA)
_SHOWN: Final = "Ed25519, ECDSA or RSA"


def parse(text: str) -> Key:
    """Read one public key as `ssh-keygen` writes it into a file ending in `.pub`.

    Raises:
        Rejected: it is none, it is a private one, or it is of a kind or a length that is not taken.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if "PRIVATE KEY" in text:
        message = "That is a private key, which nobody but you may have. Make a new pair; send the file ending in .pub."
        raise _wrong(message)
    if len(lines) != 1 or len(text) > _LONGEST:
        message = "Send one public key, one line: the file ending in .pub."
        raise _wrong(message)
    kind, _, rest = lines[0].partition(" ")
    if kind not in _KINDS:
        raise _wrong(_of_another_kind(lines[0]))
    body, _, comment = rest.strip().partition(" ")
    blob = _decoded(body)
    bits = _bits(kind, f"{kind} {body}")
    if kind == "ssh-rsa" and not FEWEST_RSA_BITS <= bits <= MOST_RSA_BITS:
        message = f"An RSA key of {bits} bits; at least {FEWEST_RSA_BITS}. Better: ssh-keygen -t ed25519"
        raise _wrong(message)
    digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()
    said = re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", "", comment).strip()[:_LONGEST_COMMENT]
    return Key(
        line=f"{kind} {base64.b64encode(blob).decode()}", bits=bits, fingerprint=f"SHA256:{digest}",
        comment=said if said.isprintable() else "",
    )


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        message = "The key is damaged: what stands after its kind is no base64. Copy the whole line."
        raise _wrong(message) from None


def _bits(kind: str, line: str) -> int:
    # Whoever adds a key pays for these; every other start does not.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key  # noqa: PLC0415

    try:
        found = load_ssh_public_key(line.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        message = f"The key is damaged: it is no {kind} key. Copy the whole line."
        raise _wrong(message) from None
    if isinstance(found, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return found.key_size
    return 256


def _of_another_kind(line: str) -> str:
    if re.search(r"(^|[ ,\"])(ssh-|ecdsa-)", line):
        first = line.split(" ", maxsplit=1)[0]
        if re.fullmatch(r"[a-z0-9@.-]+", first) and len(first) < len(line):
            return f"A key of kind {first} is not taken. Use {_SHOWN}: ssh-keygen -t ed25519"
        return "Leave out the options in front of the key; what a user may do is set here."
    return "That is no public key. It begins with ssh-ed25519, ecdsa-sha2-... or ssh-rsa: the file ending in .pub."


def _wrong(message: str) -> Rejected:
    return Rejected(message, code="key", field="key")
