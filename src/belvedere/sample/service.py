"""Makes the sample tenant and writes its tables, as a user of the product would: over SQL, as the tenant's writer.

It may run any number of times and be ended at any place: a table is made and filled in one transaction, and one
that stands is left alone. What is not here: the rows (`tables.py`).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg

from belvedere.audit.model import History
from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.clock import utc_now
from belvedere.kernel.errors import Conflict, Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.sample import store
from belvedere.sample.tables import TABLES, Table

TENANT: Final = "alice"
_WAIT_S: Final = 120.0

Say = Callable[[str], None]


class Services(Protocol):
    """What the sample needs of the wiring."""

    @property
    def history(self) -> History:
        """Where the loading is written down."""
        ...

    @property
    def tenants(self) -> Any:  # noqa: ANN401  (tenants.service.Tenants)
        """Where the tenant is made."""
        ...

    @property
    def stores(self) -> Any:  # noqa: ANN401  (stores.service.Stores)
        """Where its databases are found."""
        ...

    @property
    def credentials(self) -> Any:  # noqa: ANN401  (credentials.service.Credentials)
        """Where its writer's password is."""
        ...


def load(
    services: Services, *, actor: Actor = SYSTEM, say: Say = lambda _text: None,
    now: Callable[[], datetime] = utc_now,
) -> list[str]:
    """Make the tenant `alice` with its tables and return the names of the tables made now.

    Raises:
        Later: the tenant's databases are not made yet; run it again.
        Stuck: their making needs a human.
    """
    tenant = _tenant(services, say)
    failpoint("sample.load.after-tenant")
    tenant = services.tenants.wait(SYSTEM, tenant.serial, most_s=_WAIT_S)
    _must_have_stores(services, tenant)
    stores = {str(one.kind): one for one in services.stores.list(SYSTEM, tenant.serial)}
    password: Secret = services.credentials.read(tenant.serial, "DB_PASS")
    made: list[str] = []
    with services.history.action(actor, "sample.load", TENANT, tenant=tenant.serial) as ending:
        for kind in dict.fromkeys(table.kind for table in TABLES):
            info = services.stores.connection_info(SYSTEM, stores[kind].id)
            with psycopg.connect(
                host=info.host, port=info.port, dbname=info.database, user=info.writer, password=password.reveal(),
                autocommit=True, connect_timeout=10,
            ) as connection:
                made += _write(connection, [table for table in TABLES if table.kind == kind], now(), say)
        ending.note(tables=len(made))
    return made


def _tenant(services: Services, say: Say) -> Any:  # noqa: ANN401  (a Tenant)
    with suppress(NotFound):
        return services.tenants.get(SYSTEM, TENANT)
    try:
        tenant, _ = services.tenants.create(SYSTEM, TENANT)
    except Conflict:
        return services.tenants.get(SYSTEM, TENANT)
    say(f"tenant {TENANT} is made")
    return tenant


def _must_have_stores(services: Services, tenant: Any) -> None:  # noqa: ANN401  (a Tenant)
    standing = services.stores.list(SYSTEM, tenant.serial)
    ready = [one for one in standing if str(one.state) == "ready"]
    if {table.kind for table in TABLES} <= {str(one.kind) for one in ready}:
        return
    if str(tenant.state) == "needs you":
        message = f"The databases of {TENANT} cannot be made: {tenant.problem}"
        raise Stuck(message)
    message = f"The databases of {TENANT} are not made yet."
    raise Later(message, retry_in_s=2.0)


def _write(connection: psycopg.Connection[Any], tables: list[Table], now: datetime, say: Say) -> list[str]:
    made = []
    for table in tables:
        with connection.transaction():
            if store.stands(connection, table.name):
                continue
            count = store.write(connection, table, now)
            failpoint("sample.write.before-commit")
        say(f"{table.name}: {count:,} rows" if count else f"{table.name}: a view")
        made.append(str(table.name))
    return made


