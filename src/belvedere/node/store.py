"""What backup and restore ask of the control database. Every statement of them stands here."""

from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

from psycopg import sql
from psycopg.rows import DictRow

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


def keep_came_back(connection: Connection, found: Iterable[Sequence[str | int | bool]]) -> None:
    """Keep for the length of the transaction which of tenants' files and folders came back, and as what."""
    connection.execute(
        "CREATE TEMP TABLE came_back (tenant text, folder text, name text, is_folder boolean, late boolean, was text, "
        "is_now text, changed_ns bigint) ON COMMIT DROP"
    )
    with connection.cursor() as cursor, cursor.copy("COPY came_back FROM STDIN") as rows:
        for row in found:
            rows.write_row(row)
    connection.execute("CREATE INDEX ON came_back (was)")
    connection.execute("CREATE INDEX ON came_back (tenant, folder, name)")
    connection.execute("ANALYZE came_back")


def moved_since(connection: Connection) -> list[DictRow]:
    """Return files that lie in `parsed/` or `error/`, while their rows have them where they came, or they have none.

    The rows are older: of files without one, those count that came there after the rows were dumped.
    """
    return connection.execute(
        "SELECT tenant.name AS tenant, upload.folder, upload.name, came_back.folder AS into, came_back.name AS done "
        "FROM upload JOIN tenant ON tenant.serial = upload.tenant_id JOIN came_back ON came_back.tenant = tenant.name "
        "AND came_back.was = upload.file AND NOT is_folder "
        "AND came_back.folder IN (ltrim(upload.folder || '/parsed', '/'), ltrim(upload.folder || '/error', '/')) "
        "WHERE upload.state IN ('received', 'reading', 'waiting', 'left') AND upload.moved_to IS NULL AND NOT EXISTS "
        "(SELECT FROM came_back AS here WHERE here.tenant = tenant.name AND here.folder = upload.folder "
        "AND here.name = upload.name) "
        "UNION ALL SELECT tenant.name, regexp_replace(done.folder, '/?(parsed|error)$', ''), done.name, done.folder, "
        "done.name FROM came_back AS done JOIN tenant ON tenant.name = done.tenant WHERE late AND NOT is_folder "
        "AND done.folder ~ '(^|/)(parsed|error)$' AND NOT EXISTS (SELECT FROM upload "
        "WHERE upload.tenant_id = tenant.serial AND (upload.moved_to = done.folder || '/' || done.name OR "
        "upload.file = was AND upload.state <> 'gone'))"
    ).fetchall()


def lies_again(connection: Connection, row: DictRow, changed_ns: int) -> None:
    """Keep that a file was renamed from where it was done to where it came."""
    connection.execute(
        "UPDATE came_back SET folder = %s, name = %s, changed_ns = %s WHERE tenant = %s AND folder = %s AND name = %s",
        [row["folder"], row["name"], changed_ns, row["tenant"], row["into"], row["done"]],
    )


def fit_came_back(connection: Connection) -> None:
    """Let campaigns and uploads be known by what their folders and files are in this file system."""
    connection.execute(
        "UPDATE campaign SET folder = is_now FROM came_back JOIN tenant ON tenant.name = came_back.tenant "
        "WHERE campaign.tenant_id = tenant.serial AND is_folder AND was = campaign.folder"
    )
    connection.execute(
        "UPDATE upload SET file = is_now, changed_ns = came_back.changed_ns "
        "FROM came_back JOIN tenant ON tenant.name = came_back.tenant "
        "WHERE upload.tenant_id = tenant.serial AND NOT is_folder AND was = upload.file AND "
        "((came_back.folder, came_back.name) = (upload.folder, upload.name) "
        "OR ltrim(came_back.folder || '/' || came_back.name, '/') = upload.moved_to OR (upload.state = 'stored' "
        "AND came_back.folder IN (ltrim(upload.folder || '/parsed', '/'), ltrim(upload.folder || '/error', '/'))))"
    )


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
