"""Who of Grafana is whose member: the port that the gateway asks, and its implementation over the control database."""

import re
from typing import Final, Protocol
from uuid import UUID

from belvedere.audit.model import History
from belvedere.gateway import store
from belvedere.gateway.model import Identity, Sight
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.tenants.service import Tenants

_SUBJECT: Final = re.compile(r"(user|service-account):[A-Za-z0-9_-]{1,64}")

Found = tuple[Identity, ...]


class Identities(Protocol):
    """Where the gateway looks up whom a subject of Grafana's tokens belongs to."""

    def of_subject(self, subject: str) -> tuple[Sight, ...]:
        """Return the stores that a subject may see now; empty for a stranger. Asked anew for every query."""
        ...


class LinkedIdentities:
    """The table of links, kept by whoever makes tenants' members users of the shared Grafana."""

    def __init__(self, *, database: Database, history: History, tenants: Tenants) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._tenants = tenants

    def of_subject(self, subject: str) -> tuple[Sight, ...]:
        """Return the stores that a subject may see now; of tenants switched off or being deleted there are none."""
        # Every query of every panel waits for this.
        found = self._database.glance(lambda connection: store.of_subject(connection, subject))
        return tuple(
            Sight(row["tenant_id"], row["member"], row["login"], row["store"], row["kind"], row["database"])
            for row in found
        )

    def of_tenant(self, actor: Actor, tenant: int) -> Found:
        """Return everybody who may see a tenant's rows."""
        actor.must(Role.VIEWER, tenant)
        with self._database.for_actor(actor) as connection:
            found = store.of_tenant(connection, tenant)
        return tuple(Identity(row["subject"], row["tenant_id"], row["member"], row["login"]) for row in found)

    def link(
        self, actor: Actor, subject: str, tenant: int | str, *, member: str, login: str = "",
        person: UUID | None = None,
    ) -> None:
        """Let a subject see a tenant's rows, from the next query on. Twice does no harm.

        Only operators of the installation may: a number is taken at its word, and whose it is only Grafana knows.

        Args:
            actor: who.
            subject: `user:12` or `service-account:16`, as Grafana's identity tokens say it.
            tenant: serial number, slug or name.
            member: whom it stands for, for people.
            login: its login in Grafana; when given, and when Grafana sends the login too, they must be the same.
            person: the member's account; the link ends with the membership and rests while that is suspended.

        Raises:
            Rejected: the subject is none that a person or a service account can have.
            NotFound: there is no such tenant, or the person is no member of it.
        """
        actor.must(Role.OPERATOR)
        if not _SUBJECT.fullmatch(subject) or subject in {"user:0", "service-account:0"}:
            message = f"`{subject[:80]}` is no subject of Grafana's tokens. Write user:12 or service-account:16."
            raise Rejected(message, field="subject")
        found = self._tenants.get(actor, tenant)
        with (
            self._history.action(actor, "gateway.link", subject, tenant=found.serial, member=member, login=login),
            self._database.transaction() as connection,
        ):
            if person is not None and not store.is_member(connection, found.serial, person):
                message = f"{member} is no member of {found.name}."
                raise NotFound(message)
            store.put(connection, subject, found.serial, member=member, login=login, person=person)
            failpoint("gateway.link.before-commit")

    def unlink(self, actor: Actor, subject: str, tenant: int | str | None = None) -> int:
        """Take a subject's sight of a tenant, or of all tenants, from the next query on; tell of how many."""
        actor.must(Role.OPERATOR)
        serial = None if tenant is None else self._tenants.get(actor, tenant).serial
        with (
            self._history.action(actor, "gateway.unlink", subject, tenant=serial) as ending,
            self._database.transaction() as connection,
        ):
            removed = store.remove(connection, subject, tenant=serial)
            failpoint("gateway.unlink.before-commit")
            ending.note(removed=removed)
        return removed
