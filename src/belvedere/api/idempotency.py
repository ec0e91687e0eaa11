"""`Idempotency-Key`: the same request sent twice is carried out once and answered twice, for 24 hours.

Answers are kept sealed, because some hold a secret that is shown once: the caller who never received it can
ask again with the same key. Refused and failed requests are not kept; they did nothing, so they may run again.
While the first request works, the second is told to come back (409). A process that died in the middle leaves
its claim for 90 s; after that the request runs again, and the services' own conflicts answer it.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from belvedere.api import store
from belvedere.api.model import Call, Route
from belvedere.api.problems import Reused
from belvedere.app import Services
from belvedere.kernel.errors import Conflict, Rejected
from belvedere.kernel.secret import Secret

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_LONGEST: Final = 255
_LEASE_S: Final = 90.0
_SEAL_NAME: Final = "_IDEMPOTENCY"


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept: status, headers and the body."""

    status: int
    headers: dict[str, str]
    body: bytes


def once(call: Call[object, object], route: Route, raw: bytes, key: str, run: Callable[[], Kept]) -> Kept:
    """Run a request, unless one with this key was answered already; then return that answer.

    Raises:
        Rejected: the key is empty or too long, or was used for another request (422).
        Conflict: the first request with this key is still at work.
    """
    if not key.isprintable() or not 0 < len(key) <= _LONGEST:
        message = f"The header {HEADER} takes 1 to {_LONGEST} printable characters."
        raise Rejected(message, code="idempotency-key", field=HEADER)
    # Tokens may share a name; a kept answer is for the one that asked, and for nobody who may less by now.
    shown = f"{call.headers.get('Authorization', '')}\0{call.headers.get('X-Api-Key', '')}"
    who = f"{call.actor.name}\0{call.actor.role}\0{call.actor.tenant}\0{call.actor.door}\0{shown}"
    scope = hashlib.sha256(f"{who}\0{route.name}\0{key}".encode()).digest()
    asked = hashlib.sha256(repr((sorted(call.path.items()), call.query)).encode() + b"\0" + raw).digest()
    with call.services.database.transaction() as connection:
        row = store.claim(connection, scope, asked, _LEASE_S)
    if row is not None:
        return _replay(call.services, row["request"], row["sealed"], asked)
    return _run(call.services, scope, run)


def _run(services: Services, scope: bytes, run: Callable[[], Kept]) -> Kept:
    try:
        kept = run()
    except BaseException:
        with services.database.transaction() as connection:
            store.release(connection, scope)
        raise
    plain = base64.b64encode(msgspec.msgpack.encode(kept)).decode()
    sealed = services.vault.seal(Secret(plain), tenant=0, key=_SEAL_NAME, version=1)
    with services.database.transaction() as connection:
        store.keep(connection, scope, sealed)
    return kept


def _replay(services: Services, request: bytes, sealed: bytes | None, asked: bytes) -> Kept:
    if bytes(request) != asked:
        raise Reused(field=HEADER)
    if sealed is None:
        message = "The first request with this Idempotency-Key is still at work. Send it again in a second."
        raise Conflict(message, code="idempotency-key-in-use", extra={"retry_in_s": 1})
    plain = services.vault.open(bytes(sealed), tenant=0, key=_SEAL_NAME, version=1).reveal()
    kept = msgspec.msgpack.decode(base64.b64decode(plain), type=Kept)
    return Kept(kept.status, kept.headers | {REPLAYED: "true"}, kept.body)
