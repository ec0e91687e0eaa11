"""`/tenants/{tenant}/sftp-users` and `/sftp-sessions`: who sends files over SSH, and who is connected."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, Flag, NoQuery, Paging, Route, on, paged
from belvedere.intake.sftp.model import Change, Key, Made, Session, User
from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import Secret

PermissionName = Literal["read", "upload", "create", "rename", "delete"]
"""What a user may do in its home: download and list; send files; make folders; rename; delete."""


class KeyView(msgspec.Struct, frozen=True):
    """A public key that lets a user in."""

    fingerprint: str
    key: str
    bits: int
    comment: str


class SftpUserView(msgspec.Struct, frozen=True):
    """Somebody, or some program, that sends files. `home` is below the data root; a quota of 0 is none."""

    id: UUID
    tenant: int
    name: str
    home: str
    folder: str
    permissions: list[str]
    quota_bytes: int
    quota_files: int
    source: str
    has_password: bool
    keys: list[KeyView]
    active: bool
    created_at: datetime
    created_by: str
    changed_at: datetime
    last_seen_at: datetime | None


class NewSftpUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to make. Without a name it bears the tenant's; without password and key a password is made."""

    name: str = ""
    password: str = ""
    key: str = ""
    folder: str = ""
    permissions: list[PermissionName] | None = None
    quota_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    quota_files: Annotated[int, msgspec.Meta(ge=0)] = 0


class MadeSftpUser(SftpUserView, frozen=True):
    """A user with a password that was made now and is shown this once; null where none was made."""

    password: str | None


class SftpUserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is absent stays. `active` false keeps the user out and ends its sessions."""

    folder: str | None = None
    permissions: list[PermissionName] | None = None
    quota_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    quota_files: Annotated[int, msgspec.Meta(ge=0)] | None = None
    active: bool | None = None


class NewSftpPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password to give; empty: one is made."""

    password: str = ""


class NewSftpKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key, one line as in a file ending in .pub."""

    key: str


class SftpSessionView(msgspec.Struct, frozen=True):
    """One connection. `method` is `password` or the fingerprint of the key; `error` the last thing that failed."""

    id: UUID
    tenant: int
    user: str
    origin: str
    client: str
    method: str
    state: str
    began_at: datetime
    ended_at: datetime | None
    files_up: int
    files_down: int
    bytes_up: int
    bytes_down: int
    error: str


class SessionQuery(Paging, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which sessions."""

    open: Flag = "0"


def _key(one: Key) -> KeyView:
    return KeyView(one.fingerprint, one.line, one.bits, one.comment)


def _user(one: User) -> dict[str, Any]:
    return {
        "id": one.id, "tenant": one.tenant, "name": one.name, "home": one.home, "folder": one.folder,
        "permissions": [str(may) for may in one.permissions], "quota_bytes": one.quota_bytes,
        "quota_files": one.quota_files, "source": one.source, "has_password": one.has_password,
        "keys": [_key(key) for key in one.keys], "active": one.disabled_at is None, "created_at": one.created_at,
        "created_by": one.created_by, "changed_at": one.changed_at, "last_seen_at": one.seen_at,
    }


def view_user(one: User) -> SftpUserView:
    """Render a user."""
    return SftpUserView(**_user(one))


def view_made(made: Made) -> MadeSftpUser:
    """Render a user with the password that is shown once."""
    return MadeSftpUser(**_user(made.user), password=made.password.reveal() if made.password else None)


def view_session(one: Session) -> SftpSessionView:
    """Render a session."""
    return SftpSessionView(
        id=one.id, tenant=one.tenant, user=one.user, origin=one.origin, client=one.client, method=one.method,
        state=str(one.state), began_at=one.began_at, ended_at=one.ended_at, files_up=one.traffic.files_up,
        files_down=one.traffic.files_down, bytes_up=one.traffic.bytes_up, bytes_down=one.traffic.bytes_down,
        error=one.traffic.error,
    )


def users(call: Call[NoQuery, None]) -> Answer:
    """List a tenant's users by name."""
    found = call.services.sftp.list(call.actor, call.serial())
    return Answer([view_user(one) for one in found], total=len(found))


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one user; the path takes the id or the login."""
    return Answer(view_user(call.services.sftp.get(call.actor, call.serial(), call.path["sftp_user"])))


def add(call: Call[NoQuery, NewSftpUser]) -> Answer:
    """Make a user."""
    body = call.body
    options = {} if body.permissions is None else {"permissions": body.permissions}
    made = call.services.sftp.add(
        call.actor, call.serial(), name=body.name, password=Secret(body.password) if body.password else None,
        key=body.key, folder=body.folder, quota_bytes=body.quota_bytes, quota_files=body.quota_files, **options,
    )
    return Answer(view_made(made), 201)


def change(call: Call[NoQuery, SftpUserChange]) -> Answer:
    """Change home, permissions and quotas, or keep the user out."""
    body, serial, key, service = call.body, call.serial(), call.path["sftp_user"], call.services.sftp
    wanted = Change(body.folder, body.permissions, body.quota_bytes, body.quota_files)
    if wanted == Change() and body.active is None:
        service.get(call.actor, serial, key)
        message = "Send what to change."
        raise Rejected(message, field="active")
    user = service.change(call.actor, serial, key, wanted) if wanted != Change() else None
    if body.active is not None:
        user = service.set_disabled(call.actor, serial, key, disabled=not body.active)
    return Answer(view_user(user) if user else None)


def remove(call: Call[NoQuery, None]) -> Answer:
    """Forget a user and end its sessions; its files stay."""
    call.services.sftp.remove(call.actor, call.serial(), call.path["sftp_user"])
    return Answer(None, 204)


def password(call: Call[NoQuery, NewSftpPassword]) -> Answer:
    """Give a user another password."""
    given = Secret(call.body.password) if call.body.password else None
    return Answer(view_made(
        call.services.sftp.reset_password(call.actor, call.serial(), call.path["sftp_user"], given)
    ))  # fmt: skip


def no_password(call: Call[NoQuery, None]) -> Answer:
    """Let a user in by its keys alone."""
    return Answer(view_user(call.services.sftp.forget_password(call.actor, call.serial(), call.path["sftp_user"])))


def add_key(call: Call[NoQuery, NewSftpKey]) -> Answer:
    """Let a user in by one more key."""
    user = call.services.sftp.add_key(call.actor, call.serial(), call.path["sftp_user"], call.body.key)
    return Answer(view_user(user), 201)


def remove_key(call: Call[NoQuery, None]) -> Answer:
    """Take a key from a user; the path takes its fingerprint in the form of base64url or as it is."""
    fingerprint = call.path["fingerprint"].replace("-", "+").replace("_", "/")
    call.services.sftp.remove_key(call.actor, call.serial(), call.path["sftp_user"], fingerprint)
    return Answer(None, 204)


def sessions(call: Call[SessionQuery, None]) -> Answer:
    """List a tenant's sessions, the newest first."""
    query = call.query
    page = call.services.sftp_sessions.list(
        call.actor, tenant=call.serial(), is_open=on(query.open), after=query.after, limit=query.limit
    )
    return paged(page, view_session)


def end(call: Call[NoQuery, None]) -> Answer:
    """Cut a session off, within seconds."""
    found = call.services.sftp_sessions.end(call.actor, call.path["sftp_session"], tenant=call.serial())
    return Answer(view_session(found), 202)


_USERS: Final = "/tenants/{tenant}/sftp-users"
_USER: Final = _USERS + "/{sftp_user}"
_SESSIONS: Final = "/tenants/{tenant}/sftp-sessions"

ROUTES: Final = (
    Route("GET", _USERS, "sftp-users.list", "Who sends a tenant's files", users, list[SftpUserView], refusals=(404,)),
    Route("POST", _USERS, "sftp-users.add", "Let somebody send files", add, MadeSftpUser, body=NewSftpUser, status=201,
          refusals=(400, 403, 404, 409), secret=True),
    Route("GET", _USER, "sftp-users.get", "One SFTP user", one, SftpUserView, refusals=(404,)),
    Route("PUT", _USER, "sftp-users.change", "Change home, permissions, quotas; keep out", change, SftpUserView,
          body=SftpUserChange, refusals=(400, 403, 404)),
    Route("DELETE", _USER, "sftp-users.remove", "Forget an SFTP user", remove, None, status=204, refusals=(403, 404)),
    Route("POST", _USER + "/password", "sftp-users.password", "Give another password", password, MadeSftpUser,
          body=NewSftpPassword, refusals=(400, 403, 404), secret=True),
    Route("DELETE", _USER + "/password", "sftp-users.no-password", "Let in by keys alone", no_password, SftpUserView,
          refusals=(403, 404, 409)),
    Route("POST", _USER + "/keys", "sftp-users.add-key", "Let in by one more key", add_key, SftpUserView,
          body=NewSftpKey, status=201, refusals=(400, 403, 404, 409)),
    Route("DELETE", _USER + "/keys/{fingerprint}", "sftp-users.remove-key", "Take a key away", remove_key, None,
          status=204, refusals=(403, 404, 409)),
    Route("GET", _SESSIONS, "sftp-sessions.list", "Who is or was connected", sessions, list[SftpSessionView],
          query=SessionQuery, refusals=(404,)),
    Route("POST", _SESSIONS + "/{sftp_session}/end", "sftp-sessions.end", "Cut a session off", end, SftpSessionView,
          status=202, refusals=(403, 404)),
)
