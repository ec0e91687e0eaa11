"""What people, doors and rooms do with credentials."""

from typing import Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.credentials import store
from belvedere.credentials.model import Credential, CredentialVersion, check_key, check_value, fold
from belvedere.credentials.vault import Vault
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import Conflict, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret

LEAST_REASON: Final = 8
"""Characters that a reason for revealing has at least."""

_BATCH: Final = 200

Listed = list[Credential]
Versions = list[CredentialVersion]
"""Said here because inside the class `list` is a verb."""


class Credentials:
    """The credentials of all tenants. A tenant is named by its serial number."""

    def __init__(self, *, database: Database, history: History, queue: Queue, vault: Vault) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._vault = vault

    def put(
        self, actor: Actor, serial: int, key: str, value: Secret, *, source: str = "hand",
        expect_version: int | None = None,
    ) -> Credential:
        """Set a credential: a new one, or a new version of it.

        Args:
            actor: who.
            serial: the tenant.
            key: its name, compared without case and with aliases.
            value: what to seal.
            source: `hand` when a person or a script said it, `belvedere` when we made it.
            expect_version: the version that the caller saw; 0 for "there is none yet"; None takes any.

        Raises:
            Rejected: the name or the value has a wrong shape.
            Conflict: somebody changed it after the caller saw `expect_version`.
        """
        actor.must(Role.OPERATOR, serial)
        name = check_key(key)
        check_value(name, value)
        with (
            self._history.action(actor, "credential.put", name, tenant=serial, source=source) as ending,
            self._database.for_actor(actor) as connection,
        ):
            _must_be_there(connection, serial)
            version = self._seal(connection, serial, name, value, source=source, by=actor.name, expect=expect_version)
            self._changed(connection, serial)
            failpoint("credentials.put.before-commit")
            kept = store.found(connection, serial, fold(name))
            ending.note(version=version)
        return _here(kept, name)

    def list(self, actor: Actor, serial: int) -> Listed:
        """Return a tenant's credentials by name, without values."""
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return store.listed(connection, serial)

    def get(self, actor: Actor, serial: int, key: str) -> Credential:
        """Return one credential without its value."""
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return _here(store.found(connection, serial, fold(key)), key)

    def versions(self, actor: Actor, serial: int, key: str) -> Versions:
        """Return the versions of a credential, newest first, without values."""
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            kept = _here(store.found(connection, serial, fold(key)), key)
            return store.versions(connection, kept.id)

    def delete(self, actor: Actor, serial: int, key: str, *, expect_version: int | None = None) -> Credential:
        """Delete a credential. Its versions stay sealed until the tenant goes, and numbering goes on after them."""
        actor.must(Role.OPERATOR, serial)
        with (
            self._history.action(actor, "credential.delete", key, tenant=serial),
            self._database.for_actor(actor) as connection,
        ):
            store.head(connection, serial, fold(key), lock=True)
            kept = _here(store.found(connection, serial, fold(key)), key)
            _must_match(kept.version, expect_version, kept.key_name)
            store.mark_deleted(connection, kept.id)
            self._changed(connection, serial)
        return kept

    def reveal(self, actor: Actor, serial: int, key: str, reason: str, *, version: int | None = None) -> Secret:
        """Return a value. The reason stands in the history, flushed to disk, before the value leaves.

        Raises:
            Rejected: the reason has fewer than eight characters.
            NotFound: there is no such credential or version.
        """
        actor.must(Role.OPERATOR, serial)
        if len(reason.strip()) < LEAST_REASON:
            message = f"Say why, in at least {LEAST_REASON} characters; it goes to the history."
            raise Rejected(message, code="reason", field="reason")
        with (
            self._history.action(actor, "credential.reveal", key, tenant=serial, reason=reason.strip()) as ending,
            self._database.for_actor(actor) as connection,
        ):
            kept = _here(store.found(connection, serial, fold(key)), key)
            wanted = version or kept.version
            sealed = store.sealed_version(connection, serial, fold(key), wanted)
            if sealed is None:
                message = f"{kept.key_name} has no version {wanted}."
                raise NotFound(message)
            value = self._vault.open(sealed, tenant=serial, key=fold(key), version=wanted)
            ending.note(version=wanted)
        return value

    def read(self, serial: int, key: str) -> Secret | None:
        """Return a current value to another room. No door calls this: people go through `reveal`."""
        with self._database.transaction() as connection:
            return self.read_in(connection, serial, key)

    def read_in(self, connection: Connection, serial: int, key: str) -> Secret | None:
        """Do as `read`, in the caller's transaction."""
        row = store.current(connection, serial, fold(key))
        if row is None:
            return None
        return self._vault.open(bytes(row["sealed"]), tenant=serial, key=fold(key), version=row["version"])

    def source_of(self, connection: Connection, serial: int, key: str) -> str | None:
        """Tell whether a person or Belvedere set the current value; None when there is none."""
        row = store.current(connection, serial, fold(key))
        return str(row["source"]) if row else None

    def version_of(self, connection: Connection, serial: int, key: str) -> int:
        """Return the number of the current value, which tells two values apart and nothing about them; 0 for none."""
        row = store.current(connection, serial, fold(key))
        return int(row["version"]) if row else 0

    def provide(self, connection: Connection, serial: int, key: str, value: Secret) -> bool:
        """Write a credential that Belvedere made, in the caller's transaction; tell whether anything changed.

        What a person set, or deleted, stays as the person left it.
        """
        store.head(connection, serial, fold(key), lock=True)
        if not self.would_provide(connection, serial, key, value):
            return False
        self._seal(connection, serial, check_key(key), value)
        self._changed(connection, serial)
        return True

    def would_provide(self, connection: Connection, serial: int, key: str, value: Secret) -> bool:
        """Tell whether `provide` would change anything."""
        row = store.current(connection, serial, fold(key))
        if row is None:
            return store.head(connection, serial, fold(key)) is None
        if row["source"] != "belvedere":
            return False
        return self._vault.open(bytes(row["sealed"]), tenant=serial, key=fold(key), version=row["version"]) != value

    def keep(self, connection: Connection, serial: int, key: str, value: Secret) -> None:
        """Seal a secret that only Belvedere uses: `read` gives it, nothing lists or reveals it.

        Such names begin with `_`, which a person's cannot.
        """
        self._seal(connection, serial, key, value, internal=True)

    def take_out(self, connection: Connection, serial: int, key: str) -> Secret | None:
        """Give a secret that `keep` sealed, and keep it no more: of two who ask at one moment one gets it."""
        if store.head(connection, serial, fold(key), lock=True) is None:
            return None
        found = self.read_in(connection, serial, key)
        if found:
            self.keep(connection, serial, key, Secret(""))
        return found or None

    def rotate(self, actor: Actor) -> int:
        """Make a new sealing key where it is ours to make, and seal every value anew with the first key.

        Old keys stay able to open, for backups. A crash on the way leaves values under either key; the next
        call goes on.

        Returns:
            How many values were sealed anew.
        """
        actor.must(Role.ADMIN)
        with self._history.action(actor, "credential.rotate-keys", "all tenants") as ending:
            made = self._vault.new_key()
            count, after = 0, (UUID(int=0), 0)
            while True:
                with self._database.transaction() as connection:
                    batch = store.sealed_after(connection, after, _BATCH)
                    for row in batch:
                        count += self._rewrap(connection, row)
                    failpoint("credentials.rotate.batch")
                if not batch:
                    break
                after = batch[-1]["credential_id"], batch[-1]["version"]
            ending.note(new_key=made, sealed_anew=count, key_id=self._vault.check())
        return count

    def _rewrap(self, connection: Connection, row: dict[str, object]) -> int:
        sealed = bytes(row["sealed"])  # type: ignore[call-overload]
        if self._vault.is_current(sealed):
            return 0
        tenant, key, version = int(str(row["tenant_id"])), str(row["key_fold"]), int(str(row["version"]))
        value = self._vault.open(sealed, tenant=tenant, key=key, version=version)
        again = self._vault.seal(value, tenant=tenant, key=key, version=version)
        store.rewrap(connection, UUID(str(row["credential_id"])), version, again)
        return 1

    def _seal(
        self, connection: Connection, serial: int, name: str, value: Secret, *,
        source: str = "belvedere", by: str = "Belvedere", expect: int | None = None, internal: bool = False,
    ) -> int:
        row = store.claim(connection, serial, fold(name), key_name=name, source=source, internal=internal)
        _must_match(0 if row["deleted_at"] is not None else row["version"], expect, name)
        version = int(row["version"]) + 1
        sealed = self._vault.seal(value, tenant=serial, key=fold(name), version=version)
        store.add_version(connection, row["id"], serial, version=version, sealed=sealed, source=source, by=by)
        return version

    def _changed(self, connection: Connection, serial: int) -> None:
        self._queue.emit(connection, "credentials.changed", str(serial))
        signal(connection, f"tenant.{serial}")


def _must_be_there(connection: Connection, serial: int) -> None:
    if not store.tenant_is_there(connection, serial):
        message = f"No tenant {serial} here."
        raise NotFound(message)


def _must_match(version: int, expected: int | None, name: str) -> None:
    if expected is not None and expected != version:
        message = f"{name} is at version {version}, not {expected}: somebody changed it meanwhile. Read it again."
        raise Conflict(message, field="version")


def _here(kept: Credential | None, key: str) -> Credential:
    if kept is None:
        message = f"No credential {key} here."
        raise NotFound(message)
    return kept
