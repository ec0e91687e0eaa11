"""A server with TimescaleDB, which BELVEDERE_TEST_TIMESCALE_URL names by a superuser's URL; it has to load the library.

Nothing of a test stays on it: the provisioning login of a test is its own, and goes with all that it made.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from belvedere.kernel.secret import Secret
from belvedere.stores.lockdown.postgres import prepare_server
from belvedere.stores.model import Server

URL = os.environ.get("BELVEDERE_TEST_TIMESCALE_URL", "")
SERVERS = ["timescaledb"] if URL else []


@contextmanager
def server(*, wanted: str = "auto") -> Iterator[Server]:
    """Give the server as a superuser prepares it for a provisioning login."""
    role, word = f"bvt_{uuid4().hex[:8]}", uuid4().hex
    parts = conninfo_to_dict(URL)
    host, port = str(parts["host"]), int(str(parts.get("port") or 5432))
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(word)))
        try:
            prepare_server(connection, provisioning_role=role, exclusive=False, timescale_wanted=wanted)
            url = f"postgresql://{role}:{word}@{host}:{port}/postgres"
            yield Server("default", host, port, Secret(url))
        finally:
            _remove(connection, role)


def superuser(database: str) -> psycopg.Connection:
    """Enter one of its databases as superuser."""
    return psycopg.connect(make_conninfo(URL, dbname=database), autocommit=True)


def _remove(connection: psycopg.Connection, role: str) -> None:
    owned = "SELECT datname FROM pg_database WHERE datdba = to_regrole(%s) OR datname LIKE %s"
    tenants = (
        "SELECT DISTINCT r.rolname FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE d.datdba = to_regrole(%s) AND r.rolname LIKE 't\\_%%'")
    logins = [name for (name,) in connection.execute(tenants, [role]).fetchall()]
    for (name,) in connection.execute(owned, [role, f"{role}_template%"]).fetchall():
        called = sql.Identifier(name)
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(called))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(called))
    for name in (*logins, role):
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
