"""What doors and jobs do with files that come in: note that something happened, look, take, make and remove folders.

A notice is kept and the tenant's job asked for in one transaction; the folder is looked at by the job. What is not
here: looking (`look.py`), taking (`take.py`), what people see (`uploads/`, `campaigns/`).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from belvedere.audit.model import History
from belvedere.intake import store
from belvedere.intake.files import Folder, Root, remove_tree, sentence
from belvedere.intake.look import Looking
from belvedere.intake.model import Happening, Noted, Notice, Trouble, Via
from belvedere.intake.moves import rename_folder
from belvedere.intake.names import KEPT, text_of
from belvedere.intake.notices import store as notices
from belvedere.intake.take import Taking
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.clock import Now, monotonic_s, utc_now
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Later
from belvedere.kernel.failpoints import failpoint
from belvedere.tenants.model import Tenant
from belvedere.tenants.service import Tenants

LONGEST_TAKE_S: Final = 10.0
"""After so many seconds a tenant's job makes room for others and goes on later: tenants take turns."""

KEPT_NOTICES: Final = timedelta(days=7)
"""How long the key of a notice is remembered; one that is replayed later only causes another look."""

_log = structlog.get_logger(__name__)


class Intake:
    """Files that come in."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, tenants: Tenants, root: Root, looking: Looking,
        taking: Taking, still_s: float, on: bool = True, close: Callable[[], None] = lambda: None, now: Now = utc_now,
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._tenants = tenants
        self.root = root
        self._looking = looking
        self._taking = taking
        self._still_s = still_s
        self._on = on
        self._close = close
        self._now = now

    # --- doors ---

    def notice(
        self, company: str, path: str, what: Happening, *, via: Via, key: str = "", at: datetime | None = None
    ) -> Noted:
        """Keep one notice; see `notice_all`."""
        return self.notice_all([Notice(company, path, what, via, key, at)])

    def notice_all(self, given: Sequence[Notice]) -> Noted:
        """Keep notices and ask for a look at their tenants' folders, in one transaction and one statement.

        Paths are only looked at below the tenant's folder; what a path says is not believed. A folder of no tenant is
        named in the answer, and nothing is kept of it.

        Raises:
            Later: the control database is away; nothing was kept.
        """
        if not given:
            return Noted(0, 0)
        told = [(text_of(one.path.strip("/")), one) for one in given]
        with self._database.transaction() as connection:
            found = notices.note(connection, told, self._now())
            failpoint("intake.notice.before-commit")
        kept = found[0]["kept"] if found else 0
        strangers = {row["company"] for row in found if not row["known"]}
        known = sum(1 for one in given if text_of(one.company) not in strangers)
        return Noted(kept, known - kept, tuple(sorted(strangers)))

    def troubles(self, actor: Actor, *, tenant: int | str | None = None) -> list[Trouble]:
        """Return what is wrong with places: folders that cannot be a campaign, folders of no tenant, pipes, links."""
        serial = self._tenants.get(actor, tenant).serial if tenant is not None else actor.tenant
        actor.must(Role.VIEWER, serial)
        with self._database.for_actor(actor) as connection:
            return notices.troubles(connection, serial)

    # --- jobs ---

    def take(self, key: str) -> None:
        """Take the files of tenant `key` that are due: the job `intake.take`. Goes on later with what is left."""
        serial = int(key)
        tenant = self._there(serial)
        if tenant is None:
            return
        with self._home(tenant) as home:
            self._taking.recover(serial, tenant.name, home)
            more = self._looking.noted(serial, home)
            until = monotonic_s() + LONGEST_TAKE_S
            while self._taking.one_run(serial, tenant.name, home) and monotonic_s() < until:
                pass
        self._go_on(serial, at_once=more)

    def look(self, key: str) -> None:
        """Look at all of the folder of tenant `key`: the job `intake.look`."""
        tenant = self._there(int(key))
        if tenant is None:
            return
        with self._home(tenant) as home:
            self._looking.whole(tenant.serial, home)
        self._go_on(tenant.serial)

    def look_all(self, _key: str) -> None:
        """Look at the folders of all tenants, the safety net: the job `intake.look-all`. Folders of nobody are told."""
        if not self._on:
            return
        with self._database.transaction() as connection:
            tenants = notices.tenant_names(connection)
            notices.tidy(connection, self._now() - KEPT_NOTICES)
        for name, serial in tenants.items():
            try:
                home = self.root.home(name)
                if home is None:
                    continue
                with home:
                    self._looking.whole(serial, home)
                self._go_on(serial)
            except (OSError, BelvedereError) as error:
                # One tenant's folder must not keep the others from being looked at.
                self._say_trouble(serial, error)
        self._find_strangers(set(tenants))

    def make_home(self, key: str) -> None:
        """Make the folder of tenant `key`, as the tenant is made: the job `intake.make-home`."""
        tenant = self._there(int(key))
        if tenant is not None:
            with self._home(tenant):
                pass

    def remove_tenant(self, key: str) -> None:
        """Remove the folder of tenant `key` and what is known of it: the job `intake.remove-tenant`, as it goes.

        With `keep_data` the folder stays as `.belvedere-kept-<number of the tenant>`: a tenant that is made later
        under that name must not find it.
        """
        tenant = self._tenants.find(int(key))
        if tenant is not None:
            self._remove_folder(tenant)
            failpoint("intake.remove-tenant.folder-gone")
            with self._database.transaction() as connection:
                notices.forget_tenant(connection, tenant.serial)
        with self._database.transaction() as connection:
            self._queue.emit(connection, "tenant.files-removed", key)

    def close(self) -> None:
        """End the programs that read files."""
        self._close()

    # --- inside ---

    def _there(self, serial: int) -> Tenant | None:
        """Return a tenant whose files are taken; None where none are."""
        tenant = self._tenants.find(serial)
        return None if tenant is None or tenant.deleting or not self._on else tenant

    def _home(self, tenant: Tenant) -> Folder:
        try:
            return self.root.made_home(tenant.name)
        except OSError as error:
            self._say_trouble(tenant.serial, error)
            code, said = sentence(error)
            message = f"The folder of {tenant.name} cannot be used. {said}"
            raise Later(message, retry_in_s=60.0, code=code) from error

    def _say_trouble(self, serial: int, error: OSError | BelvedereError) -> None:
        code, said = sentence(error) if isinstance(error, OSError) else (error.problem, error.detail)
        _log.warning("folder_trouble", tenant=serial, why=said)
        with self._database.transaction() as connection:
            notices.settle_troubles(connection, serial, "\\", {"": (code, said)}, self._now())
            signal(connection, f"tenant.{serial}", "attention")

    def _go_on(self, serial: int, *, at_once: bool = False) -> None:
        with self._database.transaction() as connection:
            due = 0.0 if at_once else store.next_due_s(connection, serial, still_s=self._still_s, now=self._now())
            if due is not None:
                self._queue.enqueue(connection, "intake.take", str(serial), in_s=due)

    def _find_strangers(self, tenants: set[str]) -> None:
        try:
            with self.root.open() as root:
                found = [name for name, _ in root.folders() if name not in tenants]
        except OSError as error:
            code, said = sentence(error)
            strangers = {"": (code, f"The folder of all tenants cannot be read. {said}")}
        else:
            said = "No tenant has this name. Make the tenant, or take the folder away; nothing in it is read."
            strangers = {text_of(name): ("stranger", said) for name in found}
        with self._database.transaction() as connection:
            notices.settle_troubles(connection, None, "", strangers, self._now())
            signal(connection, "attention")

    def _remove_folder(self, tenant: Tenant) -> None:
        with self._history.action(SYSTEM, "tenant.remove-folder", tenant.name, tenant=tenant.serial):
            try:
                with suppress(FileNotFoundError), self.root.open() as root:
                    if root.stat(tenant.name) is None:
                        return
                    if tenant.keep_data:
                        rename_folder(root, tenant.name, root, f"{KEPT}{tenant.serial}")
                    else:
                        remove_tree(root, tenant.name)
            except OSError as error:
                code, said = sentence(error)
                message = f"The folder of {tenant.name} cannot be removed. {said}"
                raise Later(message, retry_in_s=60.0, code=code) from error
