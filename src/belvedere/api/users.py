"""`/users`: tenants under the name and in the shapes of the credential manager of today.

Closed since then: every route asks who calls, and values of credentials are masked.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from belvedere.api.model import Answer, Call, Flag, NoQuery, Paging, Route, on, paged, reference
from belvedere.credentials.model import Credential
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.secret import MASK
from belvedere.tenants.model import Tenant

_MOST_DASHBOARDS: Final = 1000
_DELETE_WAIT_S: Final = 20.0


class NewUser(msgspec.Struct, frozen=True):
    """What makes a tenant. Other members are left aside, as today."""

    username: str = ""


class MadeUser(msgspec.Struct, frozen=True, rename="camel"):
    """A new tenant with its API key, which is shown this once."""

    id: int
    username: str
    api_key: str
    state: str


class Created(msgspec.Struct, frozen=True):
    """The answer to a creation."""

    message: str
    user: MadeUser


class User(msgspec.Struct, frozen=True):
    """A tenant in a list."""

    id: int
    username: str
    created_at: datetime
    is_active: bool


class UserCredential(msgspec.Struct, frozen=True):
    """A credential in the shape of today; the value is a mask."""

    id: str
    username: str
    key_name: str
    key_value: str
    created_at: datetime


class WholeUser(User, frozen=True):
    """A tenant with its credentials and its state."""

    credentials: list[UserCredential]
    slug: str
    state: str
    problem: str


class UsersQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filter of the list. All tenants are in the first page unless there are over 1,000, as clients of today expect."""

    limit: int = 1000
    text: str = ""
    state: str = ""


class FamilyTables(msgspec.Struct, frozen=True):
    """How many dashboards of one family there were, and of which tables."""

    count: int
    tables: list[str]


class DeletedCredentials(msgspec.Struct, frozen=True):
    """Which credentials there were."""

    count: int
    keys: list[str]


class DeletedData(msgspec.Struct, frozen=True):
    """What a deletion takes away."""

    dashboards: dict[str, FamilyTables]
    credentials: DeletedCredentials
    databases: list[str]


class DeletionDetails(msgspec.Struct, frozen=True, rename="camel"):
    """Whose deletion, and of what."""

    username: str
    user_id: int
    deleted_data: DeletedData


class Deleted(msgspec.Struct, frozen=True):
    """The answer to a deletion: `message` says whether it is done or still at work."""

    message: str
    details: DeletionDetails


class DeleteQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to delete."""

    keep_data: Flag = "0"


def credential_of(kept: Credential, username: str) -> UserCredential:
    """Render a credential in the shape of today."""
    return UserCredential(str(kept.id), username, kept.key_name, MASK, kept.created_at)


def create(call: Call[NoQuery, NewUser]) -> Answer:
    """Make a tenant. `Prefer: wait=N` answers when its databases stand, at most N seconds later."""
    if not call.body.username:
        message = "Enter a username."
        raise Rejected(message, code="shape", field="username")
    tenant, key = call.services.tenants.create(call.actor, call.body.username)
    if call.wait_s:
        tenant = call.services.tenants.wait(call.actor, tenant.serial, most_s=call.wait_s)
    made = MadeUser(tenant.serial, tenant.name, key.reveal(), tenant.state)
    message = f"{tenant.name} is made; its databases are {'ready' if tenant.state == 'ready' else 'on their way'}."
    return Answer(Created(message, made), 201, headers={"Location": f"/api/v1/users/{tenant.serial}"})


def listed(call: Call[UsersQuery, None]) -> Answer:
    """List tenants."""
    query = call.query
    page = call.services.tenants.list(
        call.actor, text=query.text, state=query.state, after=query.after, limit=query.limit
    )
    return paged(page, lambda tenant: User(tenant.serial, tenant.name, tenant.created_at, tenant.is_active))


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one tenant."""
    tenant = call.services.tenants.get(call.actor, reference(call.path["id"]))
    kept = call.services.credentials.list(call.actor, tenant.serial)
    return Answer(
        WholeUser(
            id=tenant.serial, username=tenant.name, created_at=tenant.created_at, is_active=tenant.is_active,
            credentials=[credential_of(one, tenant.name) for one in kept], slug=tenant.slug, state=tenant.state,
            problem=tenant.problem,
        )
    )


def delete(call: Call[DeleteQuery, None]) -> Answer:
    """Delete a tenant: 200 when it is gone, 202 while that is still at work (`Prefer: wait=N` sets how long to wait).

    The id in the path stands for the confirmation that pages and the command line ask for, as today.
    """
    tenants = call.services.tenants
    tenant = tenants.get(call.actor, reference(call.path["id"]))
    details = DeletionDetails(tenant.name, tenant.serial, _what_goes(call, tenant))
    tenants.delete(call.actor, tenant.serial, confirm=tenant.name, keep_data=on(call.query.keep_data))
    if is_gone(call, tenant.serial, _DELETE_WAIT_S if call.wait_s is None else call.wait_s):
        return Answer(Deleted(f"{tenant.name} is deleted.", details))
    return Answer(Deleted(f"{tenant.name} is being deleted.", details), 202)


def is_gone(call: Call[Any, Any], serial: int, most_s: float) -> bool:
    """Wait for the end of a removal, at most `most_s` seconds; tell whether it came."""
    try:
        call.services.tenants.wait(call.actor, serial, most_s=most_s)
        call.services.tenants.get(call.actor, serial)
    except NotFound:
        return True
    return False


def _what_goes(call: Call[Any, Any], tenant: Tenant) -> DeletedData:
    services = call.services
    families: dict[str, list[str]] = {"timing": [], "qor": [], "drc": []}
    for dashboard in services.dashboards.list(call.actor, tenant=tenant.serial, limit=_MOST_DASHBOARDS).items:
        families.setdefault(dashboard.family, []).append(dashboard.table)
    keys = [kept.key_name for kept in services.credentials.list(call.actor, tenant.serial)]
    databases = [store.database for store in services.stores.list(call.actor, tenant.serial)]
    return DeletedData(
        {family: FamilyTables(len(tables), sorted(tables)) for family, tables in families.items()},
        DeletedCredentials(len(keys), keys),
        databases,
    )


ROUTES: Final = (
    Route("POST", "/users", "users.create", "Make a tenant", create, Created, body=NewUser, status=201,
          refusals=(400, 403, 409), secret=True, waits=True),
    Route("GET", "/users", "users.list", "List tenants", listed, list[User], query=UsersQuery),
    Route("GET", "/users/{id}", "users.get", "One tenant with its credentials, masked", one, WholeUser,
          refusals=(404,)),
    Route("DELETE", "/users/{id}", "users.delete", "Delete a tenant", delete, Deleted, query=DeleteQuery,
          refusals=(404,), waits=True),
)
