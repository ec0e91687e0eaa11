"""What backup and restore ask of the control database. Every statement of them stands here."""

from typing import Final, LiteralString

from psycopg import sql

from belvedere.kernel.db import Connection


def steps(connection: Connection) -> list[int]:
    """Return the numbers of the schema's steps."""
    return [row["number"] for row in connection.execute("SELECT number FROM schema_step ORDER BY number")]


def member_role(connection: Connection) -> str:
    """Return the role of members' requests, whose name the rows of row security carry."""
    row = connection.execute("SELECT member_role FROM installation").fetchone()
    return str(row["member_role"]) if row else ""


def is_empty(connection: Connection) -> bool:
    """Tell whether the control database holds nothing yet."""
    row = connection.execute("SELECT to_regclass('public.schema_step') IS NULL AS empty").fetchone()
    return bool(row and row["empty"])


def add_member_role(connection: Connection, name: str) -> None:
    """Make the role of members' requests that a restored database names, unless it stands."""
    role = sql.Identifier(name)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOBYPASSRLS").format(role))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))


def standing(connection: Connection, names: list[str]) -> list[str]:
    """Return those of the named databases that the server has already."""
    found = connection.execute("SELECT datname FROM pg_database WHERE datname = ANY (%s)", [names])
    return [row["datname"] for row in found]


def forget_database_oids(connection: Connection) -> None:
    """Forget the numbers that the old server gave to tenants' databases."""
    connection.execute("UPDATE store SET database_oid = NULL")


def look_at_all(connection: Connection) -> None:
    """Have every tenant's place in Grafana looked at: these rows are older than what stands there."""
    connection.execute("UPDATE grafana_workspace SET whole_asked = whole_asked + 1")


def make_dump_role(connection: Connection, role: str, password: str) -> None:
    """Make the login of a backup, or take over the one that a crash left."""
    name = sql.Identifier(role)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN INHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 2 PASSWORD {}").format(
            name, sql.Literal(password)
        )
    )


def drop_dump_role(connection: Connection, role: str) -> None:
    """End the login of a backup."""
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


_SHOWN: Final[tuple[LiteralString, ...]] = (
    "SELECT ON pg_catalog.pg_database", "SELECT ON pg_catalog.pg_roles", "SELECT ON pg_catalog.pg_shdescription",
    "SELECT ON pg_catalog.pg_db_role_setting", "EXECUTE ON FUNCTION pg_catalog.shobj_description(oid, name)",
)
"""What pg_dump asks for and tenants may not see."""


def let_dump(connection: Connection, role: str, writer: str) -> None:
    """Give a backup's login a tenant's rights, and the part of this database's catalogue that pg_dump asks for."""
    name = sql.Identifier(role)
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(writer), name))
    for shown in _SHOWN:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(shown), name))


def stop_dump(connection: Connection, role: str, writer: str) -> None:
    """Take both back."""
    name = sql.Identifier(role)
    for shown in _SHOWN:
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.SQL(shown), name))
    connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(writer), name))
