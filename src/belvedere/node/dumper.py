"""The login by which a backup reads tenants' databases: a tenant's own rights for the length of one dump, no more.

pg_dump asks for catalogue views that are closed to tenants, because they name other tenants. So a login of ours is made
a member of the tenant's writer, is shown these views in that one database, and loses both when the dump ends.
"""

import secrets
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

import psycopg

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.secret import Secret
from belvedere.node import store
from belvedere.node.archive import database_url, own_url, run
from belvedere.stores.model import StoreKind
from belvedere.stores.series.model import DUMPED

if TYPE_CHECKING:
    from pathlib import Path

    from belvedere.app import Services
    from belvedere.stores.model import Store

_NARROW: Final = (
    "--no-privileges", "--no-subscriptions", "--no-publications", "--no-tablespaces", "--no-security-labels",
)


class Dumper:
    """One backup's login; made on entering, ended on leaving."""

    def __init__(self, services: "Services") -> None:
        """Take the services; nothing is made yet."""
        self._services = services
        self._server = services.stores.server
        self._provisioner = unquote(urlsplit(self._server.url.reveal()).netloc.partition(":")[0].partition("@")[0])
        self._role = f"{self._provisioner}_dump"
        self._password = Secret(secrets.token_urlsafe(24))

    def __enter__(self) -> Self:
        """Make the login."""
        with Database(self._server.url).session() as connection:
            store.make_dump_role(connection, self._role, self._password.reveal())
        return self

    def __exit__(self, *_: object) -> None:
        """End the login."""
        with Database(self._server.url).session() as connection:
            store.drop_dump_role(connection, self._role)

    def dump(self, one: "Store", argv: "list[str | Path]") -> None:
        """Dump one tenant's database.

        Raises:
            Later: it is not ready, or the server does not answer.
            Stuck: pg_dump failed.
        """
        if str(one.state) != "ready":
            message = f"It is {one.state}."
            raise Later(message)
        if one.kind is StoreKind.SERIES:
            # What stands there is ours, and no object of a tenant's is. Of an extension nothing comes along: chunks
            # of TimescaleDB are dumped as the plain tables that they are; `SeriesPoints.fill` puts them together.
            only = [f"--schema={name}" for name in DUMPED]
            run([*argv, *_NARROW, *only], own_url(self._server, one.database), f"Dumping {one.database}")
            return
        writer = self._services.stores.connection_info(SYSTEM, one.id).writer
        inside = urlsplit(self._server.url.reveal())
        password = Secret(unquote(inside.password or ""))
        host, port = inside.hostname or one.host, inside.port or one.port
        ours = database_url(host, port, self._provisioner, password, one.database)
        with Database(ours).session() as connection:
            try:
                store.let_dump(connection, self._role, writer)
                url = database_url(host, port, self._role, self._password, one.database)
                run([*argv, *_NARROW], url, f"Dumping {one.database}")
            except psycopg.errors.InsufficientPrivilege as error:
                message = f"Belvedere's own login may not show the catalogue of {one.database} to a backup."
                raise Stuck(message, hint="belvedere init-db as the server's superuser") from error
            finally:
                store.stop_dump(connection, self._role, writer)
