"""A tenant's SFTP users: making, changing, switching off and removing them; passwords and keys.

One set of users is served by the embedded server and made on an SFTPGo, where there is one. What is not here: signing
in and sessions (`sessions.py`), the server (`server.py`).
"""

from collections.abc import Sequence
from typing import Final

from belvedere.audit.model import History
from belvedere.identity.members.rules import manages
from belvedere.identity.passwords import Passwords, acceptable, generated
from belvedere.intake.sftp import rules, store
from belvedere.intake.sftp.keys import parse
from belvedere.intake.sftp.model import ALL, CHANGED, Adopted, Change, Key, Known, Made, User
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant
from belvedere.tenants.names import name_key
from belvedere.tenants.service import Tenants

MOST_USERS: Final = 200
MOST_KEYS: Final = 20
TOPIC: Final = "sftp"
"""What the server and the operators' page listen for: users or sessions are others now."""

Listed = list[User]
Everybody = list[Known]
"""Said here because inside the class `list` is a verb."""


class SftpUsers:
    """Who may send files. Operators manage all users, a tenant's admins and owners their own tenant's."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, now: Now = utc_now,
        passwords: Passwords | None = None,
    ) -> None:
        """Take the collaborators; `passwords` only differs in tests."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._now = now
        self._passwords = passwords or Passwords()

    def list(self, actor: Actor, serial: int) -> Listed:
        """Return a tenant's users by name, the default one first.

        Raises:
            NotFound: the actor is confined to another tenant.
        """
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return store.users(connection, serial)

    def get(self, actor: Actor, serial: int, key: str) -> User:
        """Return one user of a tenant by id or name.

        Raises:
            NotFound: the tenant has none of that name, whether or not another one has.
        """
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return _known(connection, serial, key)

    def everybody(self) -> Everybody:
        """Return all tenants' users with what is kept of their passwords, for plans; no door calls this."""
        with self._database.transaction() as connection:
            return store.all_users(connection)

    def add(
        self, actor: Actor, serial: int, *, name: str = "", password: Secret | None = None, key: str = "",
        folder: str = "", permissions: Sequence[str] = ALL, quota_bytes: int = 0, quota_files: int = 0,
    ) -> Made:
        """Make a user. It comes in by the key, by the password, or by a password made now.

        Args:
            actor: who makes it.
            serial: the tenant.
            name: the login; the tenant's name if empty. A member's choice begins with the tenant's name.
            password: the password to give it; with neither it nor a key one is made.
            key: a public key, one line.
            folder: its home below the tenant's folder; empty for all of it.
            permissions: of `Permission`.
            quota_bytes: most bytes that its home holds; 0 for no limit.
            quota_files: most files; 0 for no limit.

        Raises:
            Forbidden: the actor may not manage users of this tenant.
            Rejected: name, password, key, folder, permissions or quota do not do.
            Conflict: the name is taken.
        """
        with self._history.action(actor, "sftp-user.add", name or "default", tenant=serial, folder=folder) as ending:
            manages(actor, serial)
            tenant = self._tenants.get(actor, serial)
            chosen = rules.user_name(actor, tenant.name, name)
            if password is not None:
                acceptable(password, chosen)
            parsed = parse(key) if key.strip() else None
            given = password or (None if parsed else generated())
            values = self._row(actor, serial, chosen, folder, permissions, quotas=(quota_bytes, quota_files)) | {
                "password_hash": self._passwords.hash(given) if given else None, "source": "embedded",
                "password_there": False,
            }
            self._must_be_free(serial, chosen)
            with self._database.for_actor(actor) as connection:
                made = self._insert(connection, actor, serial, values, (parsed,) if parsed else ())
                failpoint("intake.sftp-user.before-commit")
            ending.note(id=made.id, name=made.name, keys=[one.fingerprint for one in made.keys])
        return Made(made, given if password is None else None)

    def adopt(self, actor: Actor, serial: int, taken: Adopted) -> User:
        """Keep a user that an SFTPGo had first, as it is there; the password stays there.

        Raises:
            Forbidden: as for `add`.
            Rejected: its name, folder or permissions cannot be kept here.
            Conflict: the name is taken.
        """
        with self._history.action(actor, "sftp-user.adopt", taken.name, tenant=serial, folder=taken.folder) as ending:
            manages(actor, serial)
            chosen = rules.user_name(actor, self._tenants.get(actor, serial).name, taken.name)
            limits = taken.quota_bytes, taken.quota_files
            values = self._row(actor, serial, chosen, taken.folder, taken.permissions, quotas=limits) | {
                "password_hash": None, "source": "sftpgo", "password_there": taken.has_password,
            }
            if (chosen, values["folder"]) != (taken.name, taken.folder):
                message = "Its name or its home is written in a way that is not kept here."
                raise Rejected(message, code="sftpgo-refused")
            self._must_be_free(serial, chosen)
            with self._database.for_actor(actor) as connection:
                made = self._insert(connection, actor, serial, values, taken.keys)
                if not taken.enabled:
                    store.set_disabled(connection, made.id, self._now(), self._now())
            ending.note(id=made.id, keys=[one.fingerprint for one in taken.keys])
        return made

    def tenant_named(self, name: str) -> Tenant | None:
        """Return the tenant of exactly this name, for another room's plan; no door calls this."""
        try:
            found = self._tenants.get(SYSTEM, name)
        except NotFound:
            return None
        return found if found.name == name else None

    def change(self, actor: Actor, serial: int, key: str, wanted: Change) -> User:
        """Change home, permissions or quotas, from the next sign-in on.

        Raises:
            Forbidden: as for `add`.
            Rejected: a value does not do.
        """
        with self._history.action(actor, "sftp-user.change", key, tenant=serial, **_said(wanted)):
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                user = _known(connection, serial, key, lock=True)
                given = user.permissions if wanted.permissions is None else wanted.permissions
                values: dict[str, object] = {
                    "folder": rules.folder(user.folder if wanted.folder is None else wanted.folder),
                    "permissions": [str(one) for one in rules.permissions(given)],
                    "quota_bytes": rules.quota(
                        user.quota_bytes if wanted.quota_bytes is None else wanted.quota_bytes, "quota_bytes"),
                    "quota_files": rules.quota(
                        user.quota_files if wanted.quota_files is None else wanted.quota_files, "quota_files"),
                    "now": self._now(),
                }
                store.change_user(connection, user.id, values)
                return self._changed(connection, user)

    def reset_password(self, actor: Actor, serial: int, key: str, password: Secret | None = None) -> Made:
        """Give a user another password; the old one lets nobody in any more. Open sessions go on.

        Raises:
            Forbidden: as for `add`.
            Rejected: the password is too easy to guess.
        """
        with self._history.action(actor, "sftp-user.password", key, tenant=serial):
            manages(actor, serial)
            user = self.get(actor, serial, key)
            if password is not None:
                acceptable(password, user.name)
            given = password or generated()
            kept = self._passwords.hash(given)
            with self._database.for_actor(actor) as connection:
                user = _known(connection, serial, str(user.id), lock=True)
                store.set_password(connection, user.id, kept, self._now())
                user = self._changed(connection, user)
        return Made(user, given if password is None else None)

    def forget_password(self, actor: Actor, serial: int, key: str) -> User:
        """Let a user in by its keys alone.

        Raises:
            Conflict: it has no key: nothing would let it in.
        """
        with self._history.action(actor, "sftp-user.forget-password", key, tenant=serial):
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                user = _known(connection, serial, key, lock=True)
                if not user.keys:
                    message = f"{user.name} has no key. Add one first: nothing else would let it in."
                    raise Conflict(message, code="last-way-in")
                store.set_password(connection, user.id, None, self._now())
                return self._changed(connection, user)

    def set_disabled(self, actor: Actor, serial: int, key: str, *, disabled: bool) -> User:
        """Switch a user off, which ends its sessions within seconds, or on again. Twice does no harm."""
        verb = "sftp-user.disable" if disabled else "sftp-user.enable"
        with self._history.action(actor, verb, key, tenant=serial):
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                user, now = _known(connection, serial, key, lock=True), self._now()
                store.set_disabled(connection, user.id, now if disabled else None, now)
                return self._changed(connection, user)

    def remove(self, actor: Actor, serial: int, key: str) -> User:
        """Forget a user and end its sessions; its files stay."""
        with self._history.action(actor, "sftp-user.remove", key, tenant=serial) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                user = _known(connection, serial, key, lock=True)
                store.remove_user(connection, user.id)
                self._tell(connection, serial)
                failpoint("intake.sftp-user.before-remove")
            ending.note(id=user.id, name=user.name)
        return user

    def add_key(self, actor: Actor, serial: int, key: str, text: str) -> User:
        """Let a user in by one more public key.

        Raises:
            Rejected: it is no public key, or not of a kind or length that is taken.
            Conflict: the user has it already, or has too many.
        """
        with self._history.action(actor, "sftp-user.add-key", key, tenant=serial) as ending:
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                # Whose user it is comes first: of another tenant's nothing is told, not even about the key.
                user = _known(connection, serial, key, lock=True)
                parsed = parse(text)
                self._insert_key(connection, actor, user, parsed)
                after = self._changed(connection, user)
            ending.note(name=user.name, fingerprint=parsed.fingerprint)
        return after

    def remove_key(self, actor: Actor, serial: int, key: str, fingerprint: str) -> User:
        """Take a key from a user. Open sessions go on.

        Raises:
            NotFound: the user has no such key.
            Conflict: it is the last way in.
        """
        with self._history.action(actor, "sftp-user.remove-key", key, tenant=serial, fingerprint=fingerprint):
            manages(actor, serial)
            with self._database.for_actor(actor) as connection:
                user = _known(connection, serial, key, lock=True)
                wanted = fingerprint if fingerprint.startswith("SHA256:") else f"SHA256:{fingerprint}"
                if wanted not in {one.fingerprint for one in user.keys}:
                    message = f"{user.name} has no key with that fingerprint."
                    raise NotFound(message)
                if not user.has_password and len(user.keys) == 1:
                    message = f"Nothing else lets {user.name} in. Give it another key or a password, or remove it."
                    raise Conflict(message, code="last-way-in")
                store.remove_key(connection, user.id, wanted)
                store.touch_keys(connection, user.id, self._now())
                return self._changed(connection, user)

    def _row(
        self, actor: Actor, serial: int, name: str, folder: str, permissions: Sequence[str], *,
        quotas: tuple[int, int],
    ) -> dict[str, object]:
        return {
            "id": new_id(), "tenant": serial, "name": name, "name_key": name_key(name), "folder": rules.folder(folder),
            "permissions": [str(one) for one in rules.permissions(permissions)],
            "quota_bytes": rules.quota(quotas[0], "quota_bytes"), "quota_files": rules.quota(quotas[1], "quota_files"),
            "now": self._now(), "by": actor.name,
        }

    def _must_be_free(self, serial: int, name: str) -> None:
        # Another tenant's name is not seen from inside the fence, so this one look is Belvedere's own.
        with self._database.transaction() as connection:
            if store.is_tenants_name(connection, name_key(name), serial):
                raise _taken(name)

    def _insert(
        self, connection: Connection, actor: Actor, serial: int, values: dict[str, object], keys: Sequence[Key]
    ) -> User:
        if len(store.users(connection, serial)) >= MOST_USERS:
            message = f"A tenant has at most {MOST_USERS} SFTP users."
            raise Conflict(message, code="too-many-users")
        if not store.add_user(connection, values):
            raise _taken(str(values["name"]))
        user = _known(connection, serial, str(values["id"]))
        for key in keys:
            self._insert_key(connection, actor, user, key)
        return self._changed(connection, user)

    def _insert_key(self, connection: Connection, actor: Actor, user: User, key: Key) -> None:
        if len(user.keys) >= MOST_KEYS:
            message = f"A user has at most {MOST_KEYS} keys. Remove one that is not used any more."
            raise Conflict(message, code="too-many-keys", field="key")
        values = {"id": new_id(), "now": self._now(), "by": actor.name}
        if not store.add_key(connection, user.tenant, user.id, key, values):
            message = f"{user.name} has that key already."
            raise Conflict(message, code="exists", field="key")
        store.touch_keys(connection, user.id, self._now())

    def _changed(self, connection: Connection, user: User) -> User:
        self._tell(connection, user.tenant)
        return _known(connection, user.tenant, str(user.id))

    def _tell(self, connection: Connection, serial: int) -> None:
        self._queue.emit(connection, CHANGED, str(serial))
        signal(connection, f"tenant.{serial}", TOPIC)


def _known(connection: Connection, serial: int, key: str, *, lock: bool = False) -> User:
    user = store.user(connection, serial, key, name_key(key) if key.isprintable() else "", lock=lock)
    if user is None:
        message = "No SFTP user of that name belongs to this tenant."
        raise NotFound(message)
    return user


def _taken(name: str) -> Rejected:
    return Conflict(f"`{name}` is taken. Choose another name.", code="exists", field="name")


def _said(wanted: Change) -> dict[str, object]:
    named = {name: getattr(wanted, name) for name in wanted.__slots__}
    return {name: value for name, value in named.items() if value is not None}
