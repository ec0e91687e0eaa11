"""Members of tenants as users of Grafana, for doors and jobs: their first password, and looking after who left.

What is not here: who is a member (`identity/members/`), and the steps that let them in (`grafana/people/`).
"""

from contextlib import AbstractContextManager
from typing import Protocol

from belvedere.audit.model import History
from belvedere.credentials.service import Credentials
from belvedere.identity.members.service import Members
from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound, Stuck
from belvedere.kernel.secret import Secret
from belvedere.tenants.service import Tenants
from belvedere.workspaces.grafana.accounts import PASSWORD
from belvedere.workspaces.grafana.model import Seat
from belvedere.workspaces.grafana.people import store
from belvedere.workspaces.grafana.people.roster import may_take, take_password
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.passwords import FirstPasswords, default_user
from belvedere.workspaces.port import Place, Workspace


class Rooms(Protocol):
    """As much of `Workspaces` as is needed here."""

    def of(self, serial: int) -> Workspace:
        """Return the implementation that a tenant's workspace has."""
        ...

    def alone(self, workspace: Workspace, serial: int) -> AbstractContextManager[None]:
        """Hold the tenant's lock, over all processes."""
        ...


class People:
    """What people and jobs do with members' users in Grafana."""

    def __init__(
        self, *, database: Database, history: History, credentials: Credentials, tenants: Tenants, members: Members,
        rooms: Rooms,
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._credentials = credentials
        self._history = history
        self._tenants = tenants
        self._members = members
        self._rooms = rooms

    def first_passwords(self, actor: Actor, serial: int) -> FirstPasswords:
        """Return whose first password can still be handed over.

        Where the Grafana, or the key that seals passwords, cannot be used there is none to give.
        """
        people = self._members.list(actor, serial)
        try:
            workspace = self._rooms.of(serial)
            if not isinstance(workspace, GrafanaWorkspace):
                return FirstPasswords()
            with self._database.transaction() as connection:
                login, made = default_user(connection, Seat(serial, workspace.tier))
                sealed = self._credentials.read_in(connection, serial, PASSWORD) if made else None
                known = store.users(connection, workspace.grafana.url, serial)
        except Stuck:
            return FirstPasswords()
        waiting = {name for name, user in known.items() if user.made and user.number and user.handed_at is None}
        return FirstPasswords(
            login, made, bool(sealed),
            frozenset(one.id for one in people if one.active and one.login.lower() in waiting),
        )

    def take_password(self, actor: Actor, serial: int, key: str) -> tuple[str, Secret]:
        """Hand over login and first password of a member's user in Grafana, once. It is made now and kept nowhere.

        Args:
            actor: the member itself, or an operator of the installation.
            serial: the tenant.
            key: the member's id, login or address.

        Raises:
            Forbidden: it is another member's.
            NotFound: there is none, or Belvedere did not make the user.
            Conflict: it was handed over before.
            Later: Grafana is away.
        """
        tenant = self._tenants.get(actor, serial)
        with self._history.action(actor, "workspace.take-member-password", key, tenant=serial):
            member = self._members.get(actor, serial, key)
            may_take(actor, member)
            workspace = self._rooms.of(serial)
            if not isinstance(workspace, GrafanaWorkspace):
                message = f"{tenant.name} has no Grafana."
                raise NotFound(message)
            with self._rooms.alone(workspace, serial):
                users = workspace.users(Place(tenant.serial, tenant.name, tenant.slug))
                return take_password(users, member.login.lower())

    def look_after(self, key: str) -> None:
        """See that members who were taken out are out, when Grafana has forgotten them.

        Raises:
            Later: it is too early, or Grafana is away.
            Stuck: somebody puts a member in again and again.
        """
        tenant = self._tenants.find(int(key))
        workspace = self._rooms.of(int(key)) if tenant else None
        if tenant is None or not isinstance(workspace, GrafanaWorkspace):
            return
        with (
            self._rooms.alone(workspace, tenant.serial),
            self._history.action(SYSTEM, "workspace.look-after-members", tenant.name, tenant=tenant.serial) as ending,
        ):
            back = workspace.look_after_members(Place(tenant.serial, tenant.name, tenant.slug))
            ending.note(back=", ".join(back))
        if back:
            names = ", ".join(back)
            message = f"Somebody put {names} into the organisation again. They were taken out once more."
            hint = "Look who adds members in Grafana: an admin there, or a single sign-on that sets organisations."
            raise Stuck(message, hint=hint, code="grafana-member")
