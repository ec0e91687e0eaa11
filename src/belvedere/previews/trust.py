"""The small program that lets one browser trust the authorities in a file: a certificate store in its own profile.

Run by path, as `python -I -S trust.py STORE FILE`, by `browser.py`. Chromium on Linux takes authorities besides its own
from an NSS database below its home, and brings the library that writes one, so no other program is needed. Names, dates
and signatures are checked as ever; the switch that ignores errors for known keys would not, since it takes any chain in
which such a key is shown. What is not here: whose file it is.
"""

import base64
import binascii
import ctypes
import sys
from pathlib import Path
from typing import Any, Final

PLACE: Final = ".pki/nssdb"
"""Where Chromium looks, below its home."""

_LIBRARY: Final = "libnss3.so"
_AUTHORITY: Final = 1 << 3 | 1 << 4
"""CERTDB_VALID_CA and CERTDB_TRUSTED_CA of NSS's certdb.h, for TLS alone."""


class _Bytes(ctypes.Structure):
    """SECItem."""

    _fields_ = (("type", ctypes.c_int), ("data", ctypes.c_char_p), ("length", ctypes.c_uint))


class _Trust(ctypes.Structure):
    """CERTCertTrust."""

    _fields_ = (("tls", ctypes.c_uint), ("email", ctypes.c_uint), ("objects", ctypes.c_uint))


def certificates(text: str) -> list[bytes]:
    """Return the certificates of a PEM file.

    Raises:
        ValueError: one is not readable, or there is none.
    """
    found = []
    for block in text.split("-----BEGIN CERTIFICATE-----")[1:]:
        body, end, _ = block.partition("-----END CERTIFICATE-----")
        try:
            found.append(base64.b64decode("".join(body.split()), validate=True))
        except binascii.Error:
            end = ""
        if not end:
            message = "it holds a certificate that cannot be read"
            raise ValueError(message)
    if not found:
        message = "it holds no certificate"
        raise ValueError(message)
    return found


def _library() -> Any:  # noqa: ANN401  (functions without types)
    nss = ctypes.CDLL(_LIBRARY)
    pointer = ctypes.c_void_p
    nss.NSS_Initialize.argtypes = [ctypes.c_char_p] * 4 + [ctypes.c_uint32]
    for function in (nss.PK11_GetInternalKeySlot, nss.CERT_GetDefaultCertDB, nss.CERT_NewTempCertificate):
        function.restype = pointer
    nss.PK11_InitPin.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
    nss.CERT_NewTempCertificate.argtypes = [
        pointer, ctypes.POINTER(_Bytes), ctypes.c_char_p, ctypes.c_int, ctypes.c_int,
    ]
    nss.PK11_ImportCert.argtypes = [pointer, pointer, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int]
    nss.CERT_ChangeCertTrust.argtypes = [pointer, pointer, ctypes.POINTER(_Trust)]
    nss.CERT_DestroyCertificate.argtypes = nss.PK11_FreeSlot.argtypes = [pointer]
    return nss


def write(store: Path, trusted: list[bytes]) -> None:
    """Make a new store in an empty folder.

    Raises:
        OSError: the library is not here, or the store cannot be written.
        ValueError: what is to be trusted is no certificate.
    """
    nss = _library()
    store.mkdir(parents=True, mode=0o700)
    if nss.NSS_Initialize(f"sql:{store}".encode(), b"", b"", b"", 0):
        message = "the certificate store cannot be made"
        raise OSError(message)
    slot, database = nss.PK11_GetInternalKeySlot(), nss.CERT_GetDefaultCertDB()
    nss.PK11_InitPin(slot, None, b"")
    for number, body in enumerate(trusted):
        one = nss.CERT_NewTempCertificate(database, ctypes.byref(_Bytes(0, body, len(body))), None, 0, 1)
        if not one:
            message = "it holds a certificate that cannot be read"
            raise ValueError(message)
        failed = nss.PK11_ImportCert(slot, one, 0, f"authority {number}".encode(), 0)
        failed = failed or nss.CERT_ChangeCertTrust(database, one, ctypes.byref(_Trust(_AUTHORITY, 0, 0)))
        nss.CERT_DestroyCertificate(one)
        if failed:
            message = "the certificate store cannot be written"
            raise OSError(message)
    nss.PK11_FreeSlot(slot)
    nss.NSS_Shutdown()


def main(arguments: list[str]) -> int:
    """Write the store, or say why not."""
    try:
        write(Path(arguments[0]), certificates(Path(arguments[1]).read_text()))
    except (OSError, ValueError, AttributeError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
