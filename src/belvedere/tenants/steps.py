"""How far a tenant's place is: every room that makes a part of it writes its steps here.

A room's job calls `begin` with its plan, then `step` around each deed, all inside `room`. The page and the
API show the rows while they change; the tenant's state is read from them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeVar

from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Connection, Database, signal
from belvedere.kernel.errors import BelvedereError, Later, Rejected, Stuck
from belvedere.kernel.plan import Plan, Sign
from belvedere.tenants import store
from belvedere.tenants.model import StepState

Deed = TypeVar("Deed")

ROOMS: Final = (
    ("stores", "Make logins and databases", 100),
    ("workspaces", "Make the workspace", 200),
)
"""The rooms that make a tenant's place, what each does for people, and where its steps begin in the list."""

REMOVAL: Final = (
    ("intake", "Remove uploaded files", 250),
    ("previews", "Remove previews", 300),
    ("workspaces", "Remove the workspace", 400),
    ("stores", "Remove databases and logins", 500),
    ("tenants", "Forget the tenant", 900),
)
"""The same for its removal, in the order in which `reactions.py` runs it."""


class StepLog:
    """The record of steps. Each write is a transaction of its own, so that a crash shows where it was."""

    def __init__(self, *, database: Database, now: Now = utc_now) -> None:
        """Take what it needs."""
        self._database = database
        self._now = now

    def expect(self, connection: Connection, tenant: int, *, removal: bool = False) -> None:
        """Write one planned step per room, before any room has a plan. Removal starts a new list."""
        if removal:
            store.forget_steps(connection, tenant)
        for room, title, position in REMOVAL if removal else ROOMS:
            store.plan_step(
                connection, tenant, room=room, key=_WHOLE, position=position,
                sign=Sign.REMOVE if removal else Sign.CREATE, title=title, target="",
            )

    def begin(self, tenant: int, room: str, plan: Plan[Deed]) -> None:
        """Write the plan's steps as planned; open steps of the room that it does not name are done."""
        removal = any(step.sign is Sign.REMOVE for step in plan.steps)
        first = {name: position for name, _, position in (REMOVAL if removal else ROOMS)}.get(room, 800)
        with self._database.transaction() as connection:
            if store.name_of(connection, tenant) is None:
                return
            store.settle_others(connection, tenant, room, [step.key for step in plan.steps])
            if plan:
                store.drop_step(connection, tenant, room, _WHOLE)
            for place, step in enumerate(plan.steps):
                store.plan_step(
                    connection, tenant, room=room, key=step.key, position=first + place, sign=step.sign,
                    title=step.title, target=step.target,
                )
            _moved(connection, tenant)

    @contextmanager
    def step(self, tenant: int, room: str, key: str) -> Iterator[None]:
        """Mark the step as worked on while the block runs, then as done, or as waiting or failed by its error."""
        with self._database.transaction() as connection:
            store.start_step(connection, tenant, room, key)
            _moved(connection, tenant)
        try:
            yield
        except Exception as error:
            self._stopped(tenant, room, key, error)
            raise
        with self._database.transaction() as connection:
            store.end_step(connection, tenant, room, key, state=StepState.DONE)
            _moved(connection, tenant)

    @contextmanager
    def steps(self, tenant: int, room: str) -> Iterator[Callable[[str], None]]:
        """Run a plan's steps: call what this gives with a step's key as it begins; the one before is done by then.

        Each call is one transaction, and none waits for the disk: after a power cut the next plan finds out again what
        is done. An error is written to the step that was begun last.
        """
        now = ""

        def begin(key: str) -> None:
            nonlocal now
            with self._database.transaction(flushed=False) as connection:
                if now:
                    store.end_step(connection, tenant, room, now, state=StepState.DONE)
                if key:
                    store.start_step(connection, tenant, room, key)
                _moved(connection, tenant)
            now = key

        try:
            yield begin
        except Exception as error:
            if now:
                self._stopped(tenant, room, now, error)
            raise
        if now:
            begin("")

    @contextmanager
    def room(self, tenant: int, room: str) -> Iterator[None]:
        """Run a room's whole job: an error outside any step is written to its first open one."""
        try:
            yield
        except Exception as error:
            if not getattr(error, "_step_is_written", False):
                with self._database.transaction() as connection:
                    key = store.first_open_step(connection, tenant, room)
                if key:
                    self._stopped(tenant, room, key, error)
            raise

    def skip(self, connection: Connection, tenant: int, room: str) -> None:
        """Say that the room has nothing to do for this tenant."""
        store.settle_others(connection, tenant, room, [])
        _moved(connection, tenant)

    def _stopped(self, tenant: int, room: str, key: str, error: Exception) -> None:
        error._step_is_written = True  # type: ignore[attr-defined]  # noqa: SLF001  (a mark for `room` above)
        if isinstance(error, Stuck | Rejected):
            state, text, due = StepState.FAILED, error.detail, None
        else:
            retry_in_s = error.retry_in_s if isinstance(error, Later) else 5.0
            # An unknown error's own text may quote a statement or a value; its kind does not.
            text = f"Something went wrong ({type(error).__name__})."
            if isinstance(error, BelvedereError):
                text = error.detail
            state, due = StepState.WAITING, self._now() + timedelta(seconds=retry_in_s)
        with self._database.transaction() as connection:
            store.end_step(connection, tenant, room, key, state=state, error=text, next_try_at=due)
            _moved(connection, tenant)


_WHOLE: Final = "all"
"""The key of the one step that stands for a room before it has a plan."""


def _moved(connection: Connection, tenant: int) -> None:
    signal(connection, f"tenant.{tenant}", "tenants")
