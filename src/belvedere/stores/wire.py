"""Connections to tenants' servers, and what their errors mean. No statement stands here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.stores.model import Server

Connection = psycopg.Connection[DictRow]
"""A connection whose rows are dicts."""

GUARD: Final = "-c search_path=pg_catalog -c lock_timeout=5s -c statement_timeout=120s"
"""How every session of the provisioning login starts: no name that a tenant chose is ever looked up by accident."""

_CONNECT_TIMEOUT_S: Final = 5
_SERVER: Final = "default"


def server_of(settings: Settings, control: Secret) -> Server:
    """Return the server that tenants' databases are made on: DEFAULT_DB_*, else the control server."""
    if settings.default_db_host:
        url = make_conninfo(
            host=settings.default_db_host, port=settings.default_db_port,
            user=settings.default_db_user or "postgres", password=settings.default_db_pass.reveal() or None,
            dbname="postgres",
        )
        return Server(_SERVER, settings.default_db_host, settings.default_db_port, Secret(url))
    parts = conninfo_to_dict(control.reveal())
    host = str(parts.get("host") or "").split(",")[0]
    port = int(str(parts.get("port") or "5432").split(",")[0])
    # A socket's folder is nothing that a tenant's flow could connect to.
    return Server(_SERVER, "127.0.0.1" if not host or host.startswith("/") else host, port, control)


def connect(
    server: Server, database: str | None = None, *, role: str | None = None, password: Secret | None = None,
    options: str = GUARD,
) -> Connection:
    """Open a connection in autocommit: the provisioning login's, or a tenant's with its password.

    Raises:
        psycopg.OperationalError: the server is away or refuses; `translated` makes it ours.
    """
    changed: dict[str, Any] = {
        "application_name": "belvedere", "connect_timeout": _CONNECT_TIMEOUT_S, "options": options,
    }
    if database is not None:
        changed["dbname"] = database
    if role is not None:
        changed |= {"user": role, "password": password.reveal() if password else None}
    return psycopg.connect(make_conninfo(server.url.reveal(), **changed), autocommit=True, row_factory=dict_row)


@contextmanager
def translated(server: Server) -> Iterator[None]:
    """Turn what the server says into what happens next.

    Raises:
        Later: it is away, busy, or a lock is held.
        Stuck: it refuses what the provisioning login must be able to do.
    """
    try:
        yield
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
        message = f"The server {server.host}:{server.port} refused: {first_line(error)}"
        hint = "Run `belvedere init-db` with a superuser's URL; `belvedere doctor` says what is missing."
        raise Stuck(message, hint=hint, code="store-refused") from error
    except psycopg.OperationalError as error:
        message = f"The server {server.host}:{server.port} of tenants' databases does not answer as it should."
        raise Later(message, retry_in_s=3.0, code="store-away") from error


def first_line(error: psycopg.Error) -> str:
    """Return the server's own message without detail, which may quote data."""
    return (error.diag.message_primary or type(error).__name__).splitlines()[0]
