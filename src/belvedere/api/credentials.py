"""Credentials of a tenant, on the paths of the credential manager of today, and the check of a tenant's key."""

from datetime import datetime
from typing import Final

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.api.parts import Message
from belvedere.api.users import UserCredential, credential_of
from belvedere.kernel.errors import Rejected, Unauthenticated
from belvedere.kernel.secret import Secret


class NewCredential(msgspec.Struct, frozen=True, rename="camel"):
    """A credential to set."""

    key_name: str = ""
    key_value: str = ""


class NewValue(msgspec.Struct, frozen=True, rename="camel"):
    """The next value of a credential."""

    key_value: str = ""


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a value is to be shown; it goes to the history before the value leaves."""

    reason: str = ""
    version: int | None = None


class Revealed(msgspec.Struct, frozen=True):
    """A value in plain text."""

    key_name: str
    key_value: str


class Version(msgspec.Struct, frozen=True):
    """One version of a credential, without its value."""

    version: int
    source: str
    created_at: datetime
    created_by: str


class KeyQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The key as clients of today send it. Send it in `X-Api-Key` instead: addresses end up in logs of proxies."""

    api_key: str = ""


def listed(call: Call[NoQuery, None]) -> Answer:
    """List a tenant's credentials; values are masked."""
    tenant = call.services.tenants.get(call.actor, call.serial("id"))
    kept = call.services.credentials.list(call.actor, tenant.serial)
    return Answer([credential_of(one, tenant.name) for one in kept], total=len(kept))


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one credential; its value is masked."""
    tenant = call.services.tenants.get(call.actor, call.serial("id"))
    kept = call.services.credentials.get(call.actor, tenant.serial, call.path["key"])
    return Answer(credential_of(kept, tenant.name))


def put(call: Call[NoQuery, NewCredential]) -> Answer:
    """Set a credential: a new one, or the next version of it."""
    if not call.body.key_name:
        message = "Enter a key name, such as DB_HOST."
        raise Rejected(message, code="key-name", field="keyName")
    tenant = call.services.tenants.get(call.actor, call.serial("id"))
    kept = call.services.credentials.put(
        call.actor, tenant.serial, call.body.key_name, Secret(call.body.key_value)
    )
    return Answer(credential_of(kept, tenant.name), 201 if kept.version == 1 else 200)


def change(call: Call[NoQuery, NewValue]) -> Answer:
    """Give a credential its next value."""
    tenant = call.services.tenants.get(call.actor, call.serial("id"))
    there = call.services.credentials.get(call.actor, tenant.serial, call.path["key"])
    kept = call.services.credentials.put(call.actor, tenant.serial, there.key_name, Secret(call.body.key_value))
    return Answer(credential_of(kept, tenant.name))


def delete(call: Call[NoQuery, None]) -> Answer:
    """Delete a credential."""
    gone = call.services.credentials.delete(call.actor, call.serial("id"), call.path["key"])
    return Answer(Message(f"{gone.key_name} is deleted."))


def reveal(call: Call[NoQuery, Reason]) -> Answer:
    """Show a value. The reason stands in the history before the value leaves."""
    serial = call.serial("id")
    there = call.services.credentials.get(call.actor, serial, call.path["key"])
    value = call.services.credentials.reveal(
        call.actor, serial, there.key_name, call.body.reason, version=call.body.version
    )
    return Answer(Revealed(there.key_name, value.reveal()))


def versions(call: Call[NoQuery, None]) -> Answer:
    """List the versions of a credential, the newest first, without values."""
    found = call.services.credentials.versions(call.actor, call.serial("id"), call.path["key"])
    return Answer([Version(one.version, one.source, one.created_at, one.created_by) for one in found])


def validate(call: Call[KeyQuery, None]) -> Answer:
    """Tell whether a tenant's API key is right: `X-Api-Key`, `Authorization`, or today's query string."""
    scheme, _, bearer = call.headers.get("Authorization", "").partition(" ")
    shown = call.headers.get("X-Api-Key") or (bearer if scheme.lower() in {"bearer", "apikey"} else "")
    key = (shown or call.query.api_key).strip()
    if not key:
        message = "Send the key in the header X-Api-Key."
        raise Rejected(message, code="shape", field="apiKey")
    if call.services.tenants.actor_for_key(Secret(key), "") is None:
        message = "This API key is wrong."
        raise Unauthenticated(message)
    return Answer(Message("This API key is right."))


_PATH: Final = "/users/{id}/credentials"

ROUTES: Final = (
    Route("GET", _PATH, "credentials.list", "List credentials, masked", listed, list[UserCredential], refusals=(404,)),
    Route("POST", _PATH, "credentials.put", "Set a credential", put, UserCredential, body=NewCredential,
          status=201, refusals=(400, 403, 404)),
    Route("GET", _PATH + "/{key}", "credentials.get", "One credential, masked", one, UserCredential, refusals=(404,)),
    Route("PUT", _PATH + "/{key}", "credentials.change", "Give a credential its next value", change, UserCredential,
          body=NewValue, refusals=(400, 403, 404)),
    Route("DELETE", _PATH + "/{key}", "credentials.delete", "Delete a credential", delete, Message,
          refusals=(403, 404)),
    Route("POST", _PATH + "/{key}/reveal", "credentials.reveal", "Show a value, with a reason", reveal, Revealed,
          body=Reason, refusals=(400, 403, 404), secret=True),
    Route("GET", _PATH + "/{key}/versions", "credentials.versions", "Versions of a credential", versions,
          list[Version], refusals=(404,)),
    Route("GET", "/keys/validate", "keys.validate", "Check a tenant's API key", validate, Message, query=KeyQuery,
          refusals=(400, 401, 429), open="the key that it checks is the proof"),
)
