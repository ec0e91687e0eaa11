"""The fleet of uploads for operators: drawn on a page over PostgreSQL, and kept in Grafana over InfluxDB's summaries.

Never for a tenant: both show all tenants' names and files. What is not here: the steps (`plan.py`), the deeds in
Grafana (`grafana.py`), how a file becomes a summary (`intake/`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import psycopg

from belvedere.audit.model import History
from belvedere.credentials.vault import Vault
from belvedere.dashboards.fleet import store
from belvedere.dashboards.fleet.document import document_of
from belvedere.dashboards.fleet.grafana import FleetGrafana
from belvedere.dashboards.fleet.model import (
    DASHBOARD_ID,
    STORE_ID,
    TITLE,
    Reading,
    SeenToken,
    State,
    Wanted,
    fleet,
    mark_of,
    uid_of,
)
from belvedere.dashboards.fleet.plan import Deed, Do, plan, removal
from belvedere.dashboards.to_view import to_view
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database, signal
from belvedere.kernel.errors import BelvedereError, Later, NotFound, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.plan import Plan, Step
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.summaries import Summaries
from belvedere.workspaces.grafana.document import digest
from belvedere.workspaces.grafana.model import InfluxOptions
from belvedere.workspaces.grafana.problems import shown_address
from belvedere.workspaces.grafana.store import installation
from belvedere.workspaces.viewer.service import Shown, Viewer

TOPIC: Final = "fleet"
_NOBODYS: Final = 0
"""The tenant that a sealed token of the installation itself is bound to."""

_KEY: Final = "_influxdb_summaries_token"
_MOST_LOOKS: Final = 3
_NOTHING: Final = Secret("")
_OF_INFLUX: Final = frozenset({Do.BUCKET, Do.MAP, Do.TOKEN, Do.DROP_TOKEN})


@dataclass(frozen=True, slots=True)
class Setup:
    """What the settings say. `organisation` is a name, or the number of one that is there; `-` switches it off."""

    organisation: str
    options: InfluxOptions | None
    why_not: str = ""


class Fleet:
    """What operators see of all tenants' uploads."""

    def __init__(
        self, *, database: Database, history: History, vault: Vault, setup: Setup, summaries: Summaries | None,
        grafana: FleetGrafana | None,
    ) -> None:
        """Take what it needs; `summaries` and `grafana` are None where there is no InfluxDB, or no Grafana."""
        self._database = database
        self._history = history
        self._vault = vault
        self._setup = setup
        self._summaries = summaries
        self._grafana = grafana
        self.viewer = Viewer(load=self._shown, readers=_OwnRows(database))

    @property
    def why_not(self) -> str:
        """Why there is no such dashboard in Grafana; empty where there should be one."""
        return self._setup.why_not

    def state(self, actor: Actor) -> State:
        """Return how the dashboard in Grafana was at the last look, for operators. Asks no Grafana."""
        actor.must(Role.VIEWER)
        url = self._grafana.url if self._grafana is not None else ""
        with self._database.transaction() as connection:
            return replace(store.state(connection, url), why_not=self.why_not)

    def address(self, state: State) -> str:
        """Return where the dashboard stands; empty while it does not."""
        if state.why_not or not state.organisation or state.looked_at is None:
            return ""
        with self._database.transaction() as connection:
            uid = uid_of(installation(connection), "board")
        return f"{shown_address(state.url)}/d/{uid}?orgId={state.organisation}"

    def plan(self, actor: Actor) -> Plan[Deed]:
        """Compare what stands in Grafana and InfluxDB with what should be there, now; for operators.

        Raises:
            Rejected: there is no Grafana or no InfluxDB, and never was: the sentence says which.
            Later: one of them is away.
            Stuck: something there is somebody else's.
        """
        actor.must(Role.VIEWER)
        return self._look(restore=False)[0]

    def apply(self, actor: Actor, *, restore: bool = False) -> Plan[Deed]:
        """Repair now what differs and return what was done. Again does nothing.

        Args:
            actor: who.
            restore: write ours over a dashboard that somebody changed by hand.

        Raises:
            As `plan`.
        """
        actor.must(Role.OPERATOR)
        with self._history.action(actor, "fleet.apply", TITLE, restore=restore) as ending:
            done = self._apply(restore=restore)
            ending.note(plan=done.summary())
        return done

    def check(self) -> None:
        """Look and repair: the timer's job. It does nothing where there is no such dashboard, and none to take away."""
        with self._database.transaction() as connection:
            made = self._grafana is not None and bool(store.record(connection, self._grafana.url).organisation)
        if not self.why_not or made:
            self._apply(restore=False, told=True)

    # Inside

    def _apply(self, *, restore: bool, told: bool = False) -> Plan[Deed]:
        """Look, and do what is to be done, until nothing is left; `told` writes it to the history as ours."""
        done: list[Step[Deed]] = []
        with self._alone():
            try:
                for _ in range(_MOST_LOOKS):
                    found, wanted = self._look(restore=restore)
                    if found and told:
                        with self._history.action(SYSTEM, "fleet.repair", TITLE, plan=found.summary()):
                            self._do(found, wanted)
                    else:
                        self._do(found, wanted)
                    done += found.steps
                    if not found.partial:
                        break
            except BelvedereError as error:
                self._note(error)
                raise
            if not self.why_not:
                self._note(None, found)
        return replace(found, steps=tuple(done), partial=False)

    def _look(self, *, restore: bool) -> tuple[Plan[Deed], Wanted]:
        if self._grafana is None:
            raise Rejected(self.why_not, code="fleet-unset")
        with self._database.transaction() as connection:
            record = store.record(connection, self._grafana.url)
        wanted, token = self._wanted()
        if self.why_not and not record.organisation:
            raise Rejected(self.why_not, code="fleet-unset")
        if self.why_not:
            # It is found by what is on record: the setting may name none any more.
            wanted = replace(wanted, organisation=record.name, number=record.organisation)
            return removal(token, self._grafana.observe(wanted, record, removing=True), record), wanted
        seen = self._grafana.observe(wanted, record)
        return plan(wanted, token, seen, record, restore=restore), wanted

    def _wanted(self) -> tuple[Wanted, SeenToken]:
        """Return what should stand in Grafana, with the token that there is."""
        with self._database.transaction() as connection:
            number, row = installation(connection), store.token(connection)
        seen = SeenToken(kept=row["number"] if row else "")
        if self._summaries is None:
            seen = replace(seen, kept="")
        else:
            bucket = self._summaries.bucket
            there = self._summaries.observe(seen.kept if row and row["bucket"] == bucket else "")
            seen = replace(seen, bucket=there.bucket, token=seen.kept if there.right else "", mapped=there.mapped)
        return self._fitted(number, seen.token), seen

    def _fitted(self, number: UUID, token: str) -> Wanted:
        asked = self._setup.organisation.strip()
        bucket = self._summaries.bucket if self._summaries is not None else ""
        reading = Reading(self._setup.options or InfluxOptions("", ""), bucket, token)
        source, board = uid_of(number, "source"), uid_of(number, "board")
        document = document_of(reading, source=source, uid=board)
        return Wanted(
            asked, int(asked) if asked.isdecimal() else 0, mark_of(number), uid_of(number, "folder"), source, board,
            reading, document, digest(document),
        )

    def _do(self, found: Plan[Deed], wanted: Wanted) -> None:
        for step in found.steps:
            failpoint("dashboards.fleet.step.before")
            deed = step.deed
            if deed.do in _OF_INFLUX:
                self._do_in_influx(deed)
                if deed.do is Do.TOKEN:
                    wanted = self._wanted()[0]
            elif deed.do is Do.FORGET:
                self._forget()
            elif self._grafana is not None:
                value = self._value(wanted.reading.token) if deed.do is Do.SOURCE else _NOTHING
                self._grafana.do(deed, wanted, value)
            failpoint("dashboards.fleet.step.after")

    def _do_in_influx(self, deed: Deed) -> None:
        summaries = self._summaries
        if summaries is None:
            return
        if deed.do is Do.BUCKET:
            summaries.make_bucket()
        elif deed.do is Do.MAP:
            summaries.map()
        elif deed.do is Do.TOKEN:
            self._make_token(summaries)
        else:
            summaries.drop_tokens(self._number())
            failpoint("dashboards.fleet.token-dropped")
            with self._database.transaction() as connection:
                store.forget_token(connection)

    def _make_token(self, summaries: Summaries) -> None:
        """Make a token and keep its value. What an earlier try left behind, or was of no use, is deleted after it."""
        own = self._number()
        number, value = summaries.make_token(own)
        failpoint("dashboards.fleet.token-made")
        with self._database.transaction() as connection:
            row = store.token(connection)
            version = (row["version"] if row else 0) + 1
            sealed = self._vault.seal(value, tenant=_NOBODYS, key=_KEY, version=version)
            store.keep_token(connection, bucket=summaries.bucket, number=number, sealed=sealed, version=version)
        failpoint("dashboards.fleet.token-kept")
        summaries.drop_tokens(own, but=number)

    def _value(self, number: str) -> Secret:
        with self._database.transaction() as connection:
            row = store.token(connection)
        if row is None or row["number"] != number:
            message = "The token of the summaries changed at the same moment. It is looked at again."
            raise Later(message, retry_in_s=1.0)
        return self._vault.open(bytes(row["sealed"]), tenant=_NOBODYS, key=_KEY, version=row["version"])

    def _number(self) -> str:
        with self._database.transaction() as connection:
            return str(installation(connection))

    def _forget(self) -> None:
        with self._database.transaction() as connection:
            store.forget(connection, self._grafana.url if self._grafana is not None else "")
            failpoint("dashboards.fleet.forget.before-commit")

    def _note(self, error: BelvedereError | None, found: Plan[Deed] | None = None) -> None:
        """Write down how a look ended, for pages."""
        if self._grafana is None:
            return
        with self._database.transaction() as connection:
            if error is not None:
                said, code, hint = error.detail, error.problem, error.hint or ""
                store.failed(connection, self._grafana.url, problem=said, code=code, hint=hint)
            elif found is not None:
                store.looked(connection, self._grafana.url, found.warnings)
            signal(connection, TOPIC)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._database.session() as session:
            if not store.hold(session):
                message = "Another job works on this dashboard."
                raise Later(message, retry_in_s=1.0)
            try:
                yield
            finally:
                store.let_go(session)

    def _shown(self, actor: Actor, dashboard_id: UUID) -> Shown:
        if actor.tenant is not None or dashboard_id != DASHBOARD_ID:
            raise NotFound
        actor.must(Role.VIEWER)
        return Shown(DASHBOARD_ID, STORE_ID, fleet(), to_view(fleet(), DASHBOARD_ID), 1)


class _OwnRows:
    """The way to Belvedere's own rows, for reading alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def reader(self, _store_id: UUID) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection in a transaction that can only read and is rolled back."""
        with self._database.transaction() as connection:
            store.guard(connection)
            try:
                yield connection
            finally:
                connection.rollback()
