"""Campaigns: folders compared with rows, the store made ready for each, renamed and deleted by people.

What is not here: files (`take.py`), dashboards (they follow the tables that the store makes).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from belvedere.audit.model import History
from belvedere.intake.campaigns import store
from belvedere.intake.files import Folder, Root, is_absent, sentence
from belvedere.intake.files import ident as ident_of
from belvedere.intake.model import Campaign, CampaignState, Taker
from belvedere.intake.moves import rename_folder, rename_free
from belvedere.intake.names import DELETED, campaign_trouble, name_of, text_of
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import BelvedereError, Conflict, Later, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.page import Page
from belvedere.tenants.service import Tenants

Found = list[tuple[str, str]]
"""Names of folders, each with what it is known by."""

Troubles = dict[str, tuple[str, str]]
"""Path to code and sentence."""

_EVIDENCE: Final = 5
_MOST: Final = 200


class Campaigns:
    """The campaigns of all tenants."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, root: Root,
        takers: Sequence[Taker], now: Now = utc_now,
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self._root = root
        self._takers = takers
        self._now = now

    # --- folders ---

    def look(self, serial: int, home: Folder) -> tuple[Mapping[str, UUID], Troubles]:
        """Compare a tenant's folders with its campaigns; make, rename and delete what differs.

        Returns:
            The active campaigns by name, and folders that cannot be one with the reason.
        """
        folders = home.folders()
        troubles = {text_of(name): ("campaign-name", why) for name, _ in folders if (why := campaign_trouble(name))}
        able = [(name, known_by) for name, known_by in folders if name not in troubles and not campaign_trouble(name)]
        with self._database.transaction() as connection:
            rows = store.known(connection, serial)
        active = {row["name"]: row for row in rows if row["state"] == "active"}
        if dict(able) != {name: row["folder"] for name, row in active.items()}:
            self._compare(serial, home, able)
            with self._database.transaction() as connection:
                rows = store.known(connection, serial)
        return {row["name"]: row["id"] for row in rows if row["state"] == "active"}, troubles

    def _compare(self, serial: int, home: Folder, folders: Found) -> None:
        with self._database.transaction() as connection:
            store.alone(connection, serial)
            rows = store.known(connection, serial)
            active = {row["name"]: row for row in rows if row["state"] == "active"}
            there = {name for name, _ in folders}
            missing = {name: row for name, row in active.items() if name not in there}
            for name, known_by in folders:
                row = active.get(name)
                if row is None:
                    self._appeared(connection, serial, home, (name, known_by), rows=rows, missing=missing)
                elif row["folder"] != known_by:
                    store.found_as(connection, row["id"], known_by)
            for name, row in missing.items():
                with self._history.action(SYSTEM, "campaign.delete", name, tenant=serial, reason="its folder is gone"):
                    store.delete(connection, row["id"], self._now())
                    self._changed(connection, row["id"], serial)
            failpoint("intake.campaigns.before-commit")

    def _appeared(
        self, connection: Connection, serial: int, home: Folder, folder: tuple[str, str], *, rows: list[dict[str, Any]],
        missing: dict[str, dict[str, Any]],
    ) -> None:
        """Let a folder that no active campaign has be a renamed one, a deleted one that is back, or a new one."""
        name, known_by = folder
        before = next((row for row in missing.values() if row["folder"] == known_by), None)
        if before is not None and self._is_same(connection, home, before, name):
            with self._history.action(SYSTEM, "campaign.rename", before["name"], tenant=serial, to=name):
                store.rename(connection, before["id"], before["name"], name)
                del missing[before["name"]]
                self._changed(connection, before["id"], serial)
            return
        with self._history.action(SYSTEM, "campaign.make", name, tenant=serial):
            back = next((row for row in reversed(rows) if row["name"] == name and row["state"] == "deleted"), None)
            if back is not None:
                store.revive(connection, back["id"], known_by)
            made = back["id"] if back else store.make(
                connection, serial, name, known_by, by=SYSTEM.name, now=self._now()
            )
            self._queue.emit(connection, "campaign.made", str(made))
            signal(connection, f"campaign.{made}", f"tenant.{serial}", "campaigns")

    def _is_same(self, connection: Connection, home: Folder, before: dict[str, Any], name: str) -> bool:
        """Tell whether a folder is a campaign's by what lies in it: numbers of folders are given out again."""
        done = store.latest_done(connection, before["id"], _EVIDENCE)
        if not done:
            return True
        for path in done:
            folder, _, file = name_of(path).partition("/")[2].rpartition("/")
            with suppress(OSError), home.below(f"{name}/{folder}") as inside:
                if inside.stat(file) is not None:
                    return True
        return False

    def _changed(self, connection: Connection, campaign: UUID, serial: int) -> None:
        self._queue.emit(connection, "campaign.changed", str(campaign))
        signal(connection, f"campaign.{campaign}", f"tenant.{serial}", "campaigns")

    # --- the store ---

    def settle(self, key: str) -> None:
        """Let the store be as campaign `key` is: ready under its name, or out of sight. The job of this room."""
        with self._database.transaction() as connection:
            row = store.row(connection, UUID(key))
        if row is None:
            return
        serial, name = row["tenant_id"], row["name"]
        try:
            for taker in self._takers:
                if row["state"] == "deleted":
                    taker.forgotten(serial, name)
                    continue
                if row["points_under"] and row["points_under"] != name:
                    taker.renamed(serial, row["points_under"], name)
                    failpoint("intake.campaigns.renamed")
                taker.prepare(serial, name)
        except BelvedereError as error:
            with self._database.transaction() as connection:
                store.troubled(connection, row["id"], error.detail)
                signal(connection, f"campaign.{row['id']}", "attention")
            raise
        failpoint("intake.campaigns.prepared")
        with self._database.transaction() as connection:
            store.prepared(connection, row["id"], name=name, now=self._now())
            signal(connection, f"campaign.{row['id']}", f"tenant.{serial}", "campaigns")

    def settled(self, idents: Sequence[UUID]) -> Mapping[UUID, str]:
        """Make sure that the store is ready for these campaigns; return their names.

        Raises:
            Later, Stuck: it cannot be made ready now.
        """
        with self._database.transaction() as connection:
            open_ones = store.unsettled(connection, idents)
        for one in open_ones:
            self.settle(str(one))
        with self._database.transaction() as connection:
            return store.names(connection, idents)

    def unsettle(self, campaign: UUID) -> None:
        """Have the store made ready anew before the next points: it knows nothing of this campaign."""
        with self._database.transaction() as connection:
            store.unprepare(connection, campaign)

    # --- people ---

    def list(
        self, actor: Actor, *, tenant: int | str | None = None, text: str = "", state: str = "active",
        after: str | None = None, limit: int = 50,
    ) -> Page[Campaign]:
        """Return campaigns, the newest first; `state` empty means all. `after` is the `next` of the page before."""
        serial = self._tenants.get(actor, tenant).serial if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, actor.tenant)
        limit = max(1, min(limit, _MOST))
        with self._database.for_actor(actor) as connection:
            found = store.listed(
                connection, serial=serial, text=text, state=state, after=_uuid(after) if after else None,
                limit=limit + 1,
            )
        return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def get(self, actor: Actor, ident: UUID | str) -> Campaign:
        """Return one campaign.

        Raises:
            NotFound: there is none, or it is not this actor's to see.
        """
        with self._database.for_actor(actor) as connection:
            found = store.get(connection, ident if isinstance(ident, UUID) else _uuid(ident))
        if found is None:
            message = "No such campaign here."
            raise NotFound(message)
        actor.must(Role.VIEWER, found.tenant_id)
        return found

    def make(self, actor: Actor, tenant: int | str, name: str) -> Campaign:
        """Make a campaign: its folder, and all that follows from one. An existing one is returned.

        Raises:
            Rejected: it cannot be called so.
            Later: the folder cannot be made now.
        """
        serial = self._tenants.get(actor, tenant).serial
        actor.must(Role.EDITOR, serial)
        _must_do(name)
        with self._database.for_actor(actor) as connection:
            there = store.known(connection, serial)
        if not any(row["name"] == name and row["state"] == CampaignState.ACTIVE for row in there):
            with self._history.action(actor, "campaign.make", name, tenant=serial), self._home(serial) as home:
                try:
                    with home.made(name_of(name)):
                        pass
                except OSError as error:
                    raise _later(error) from error
                failpoint("intake.campaigns.folder-made")
                self.look(serial, home)
        with self._database.for_actor(actor) as connection:
            found = next(row for row in store.known(connection, serial) if row["name"] == name)
        return self.get(actor, found["id"])

    def rename(self, actor: Actor, ident: UUID | str, name: str) -> Campaign:
        """Call a campaign otherwise: its folder, its points and its dashboard follow.

        Raises:
            Rejected: it cannot be called so, or is deleted.
            Conflict: the tenant has a folder of that name.
            Later: the folder cannot be renamed now.
        """
        campaign = self.get(actor, ident)
        actor.must(Role.OPERATOR, campaign.tenant_id)
        self._must_be_active(campaign)
        _must_do(name)
        if name == campaign.name:
            return campaign
        serial = campaign.tenant_id
        with (
            self._history.action(actor, "campaign.rename", campaign.name, tenant=serial, to=name),
            self._database.transaction() as connection,
        ):
            store.alone(connection, serial)
            with self._home(serial) as home:
                if not self._has_moved(connection, home, campaign, name):
                    self._rename_folder(home, campaign.name, home, name)
            failpoint("intake.campaigns.folder-renamed")
            store.rename(connection, campaign.id, campaign.name, name)
            self._changed(connection, campaign.id, serial)
        return self.get(actor, campaign.id)

    def delete(self, actor: Actor, ident: UUID | str, *, confirm: str) -> Campaign:
        """Delete a campaign. Its points and its files are kept; a folder of its name makes it come back.

        Raises:
            Rejected: `confirm` is not its name.
            Later: the folder cannot be moved now.
        """
        campaign = self.get(actor, ident)
        actor.must(Role.OPERATOR, campaign.tenant_id)
        self._must_be_active(campaign)
        if confirm != campaign.name:
            message = f"Type the campaign's name to delete it: {campaign.name}"
            raise Rejected(message, code="confirm", field="confirm")
        serial = campaign.tenant_id
        with (
            self._history.action(actor, "campaign.delete", campaign.name, tenant=serial),
            self._database.transaction() as connection,
        ):
            store.alone(connection, serial)
            with self._home(serial) as home:
                self._put_aside(home, campaign.name)
            failpoint("intake.campaigns.folder-aside")
            store.delete(connection, campaign.id, self._now())
            self._changed(connection, campaign.id, serial)
        return self.get(actor, campaign.id)

    def _has_moved(self, connection: Connection, home: Folder, campaign: Campaign, name: str) -> bool:
        """Tell whether the folder bears the new name already, as after a crash."""
        row, found = store.row(connection, campaign.id), home.stat(name)
        return (
            row is not None and found is not None and ident_of(found) == row["folder"]
            and home.stat(campaign.name) is None
        )

    def _must_be_active(self, campaign: Campaign) -> None:
        if campaign.state is not CampaignState.ACTIVE:
            message = "This campaign is deleted. A folder of its name makes it come back."
            raise Rejected(message, code="deleted")

    def _home(self, serial: int) -> Folder:
        tenant = self._tenants.find(serial)
        if tenant is None:
            raise NotFound
        try:
            return self._root.made_home(tenant.name)
        except OSError as error:
            raise _later(error) from error

    def _rename_folder(self, home: Folder, name: str, target: Folder, to: str) -> None:
        try:
            rename_folder(home, name, target, to)
        except FileExistsError:
            message = f"There is a folder `{to}` already. Choose another name."
            raise Conflict(message, code="exists", field="name") from None
        except OSError as error:
            # Without its folder there is nothing to move.
            if not is_absent(error):
                raise _later(error) from error

    def _put_aside(self, home: Folder, name: str) -> None:
        try:
            with suppress(OSError):
                # A folder that nothing came into need not be kept.
                home.remove_empty(name)
                return
            with home.made(DELETED) as aside:
                rename_free(home, name, aside, name)
        except OSError as error:
            # Without its folder there is nothing to keep.
            if not is_absent(error):
                raise _later(error) from error


def _must_do(name: str) -> None:
    """Refuse a name that no campaign can have."""
    why = campaign_trouble(name) if name.strip() and "/" not in name and not name.startswith(".") else (
        "Enter a name without a slash that does not begin with a dot."
    )
    if why:
        raise Rejected(why, code="name", field="name")


def _later(error: OSError) -> Later:
    code, said = sentence(error)
    return Later(said, code=code)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = "No such campaign here."
        raise NotFound(message) from None
