"""The control database: made when missing, given to a role that is no superuser, brought up to date.

The login of the settings (or the embedded server's superuser) is used here and only here: it makes the database and the
provisioning role, and lets `stores.postgres.prepare_server` do what needs a superuser. Everything after that, tenants'
databases included, is done by the provisioning role, whose generated password stands in `keys/control.json`.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, LiteralString
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from belvedere import __version__
from belvedere.kernel.control import EMBEDDED, Control, control_file, given_url, read_control, source
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.migrate import migrate
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node.binaries import OLDEST
from belvedere.node.home import write_private
from belvedere.stores.lockdown.postgres import VERSION as LOCKDOWN
from belvedere.stores.lockdown.postgres import prepare_server

CONTROL: Final = "belvedere"
"""Name of the control database, and of the provisioning role, on the embedded server."""

_PREPARED: Final = f"{__version__} lockdown {LOCKDOWN}"
"""What is kept about a server that this program has prepared: with another one it is prepared again."""

_MAINTENANCE: Final = ("postgres", "template1")

Say = Callable[[str], None]


def prepare(
    settings: Settings, superuser: Secret | None = None, say: Say = lambda _: None, *, again: bool = False
) -> Secret:
    """Make what is missing and bring the schema up to date; running it again does nothing.

    Args:
        settings: which server and database.
        superuser: the embedded server's superuser URL; None when the settings name a server.
        say: told each thing that is made.
        again: look at the server with the login of the settings although this program has prepared it.

    Returns:
        The provisioning role's URL.

    Raises:
        Rejected: the login of the settings may not do what is needed, or the database is somebody else's.
        Later: the server does not answer.
        Stuck: the server is too old, or the schema is newer than this program.
    """
    url = initialise(settings, superuser, say, again=again)
    with _talking(url):
        for name in migrate(Database(url)):
            say(f"migration {name}")
    return url


def initialise(
    settings: Settings, superuser: Secret | None = None, say: Say = lambda _: None, *, again: bool = False
) -> Secret:
    """Make the role and the database when they are missing, without a schema, and return the role's URL."""
    kept = read_control(settings)
    if again or kept is None or kept.prepared_by != _PREPARED:
        given = superuser or given_url(settings)
        if given is None:
            message = "The embedded server's superuser is needed to make the control database."
            raise Stuck(message)
        kept = _initialise(settings, given, kept, say)
    return Secret(kept.url)


def _initialise(settings: Settings, given: Secret, kept: Control | None, say: Say) -> Control:
    name = _database_name(given)
    with _connected(_with(given, database=_maintenance(given))) as connection:
        rights = _rights(connection)
        kept = kept or _new_control(settings, given, name, superuser=rights["rolsuper"])
        owner = _login_of(kept.url)
        if rights["rolsuper"]:
            _ensure_role(connection, owner, _password_of(kept.url), say)
        failpoint("node.database.after-role")
        _ensure_database(connection, name, owner, superuser=rights["rolsuper"], say=say)
        failpoint("node.database.after-database")
        if rights["rolsuper"]:
            embedded = source(settings) == EMBEDDED
            for done in prepare_server(
                connection, provisioning_role=owner, exclusive=embedded, timescale_wanted=settings.series_timescale,
            ):
                say(done)
    kept = msgspec.structs.replace(kept, prepared_by=_PREPARED)
    write_private(control_file(settings), msgspec.json.encode(kept))
    return kept


def _new_control(settings: Settings, given: Secret, name: str, *, superuser: bool) -> Control:
    """Choose the provisioning role and write it down before it is made, so that a crash between loses no password."""
    url = given
    if superuser:
        embedded = source(settings) == EMBEDDED
        role = CONTROL if embedded else f"belvedere_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        with _connected(_with(given, database=_maintenance(given))) as connection:
            if _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
                message = f"The role {role} exists already: the database {name} belongs to another home."
                hint = ("copy that home's folder `keys` into this one, or name another database in "
                        "BELVEDERE_DATABASE_URL")
                raise Rejected(message, hint=hint, code="database-taken")
        url = _with(given, login=role, password=secrets.token_urlsafe(32))
    made = Control(source=source(settings), url=_with(url, database=name).reveal())
    control_file(settings).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(control_file(settings), msgspec.json.encode(made))
    return made


def _rights(connection: Connection) -> DictRow:
    version = connection.info.server_version
    if version < OLDEST * 10_000:
        message = f"PostgreSQL {version // 10_000} is too old: Belvedere needs {OLDEST} or newer."
        raise Stuck(message, hint=f"name a server of version {OLDEST} or newer in BELVEDERE_DATABASE_URL",
                    code="postgresql-version")
    row = connection.execute(
        "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None  # noqa: S101  (one's own role is always listed)
    if not row["rolsuper"] and not (row["rolcreatedb"] and row["rolcreaterole"]):
        message = f"The login {row['rolname']} may not create databases and roles."
        hint = f'as a superuser: ALTER ROLE "{row["rolname"]}" CREATEDB CREATEROLE'
        raise Rejected(message, hint=hint, code="database-rights")
    return row


def _ensure_role(connection: Connection, role: str, password: str, say: Say) -> None:
    name = sql.Identifier(role)
    if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        say(f"role {role}, which is no superuser")
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOREPLICATION CREATEDB CREATEROLE PASSWORD {}").format(
            name, sql.Literal(password)
        )
    )


def _ensure_database(connection: Connection, name: str, owner: str, *, superuser: bool, say: Say) -> None:
    database, role = sql.Identifier(name), sql.Identifier(owner)
    if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", name):
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(database, role)
        )
        say(f"database {name}")
    elif superuser:
        _must_be_free(connection, name, owner)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _must_be_free(connection: Connection, name: str, owner: str) -> None:
    """Refuse a database in which somebody else keeps tables."""
    row = connection.execute(
        "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if row is None or row["owner"] == owner:
        return
    with psycopg.connect(_sibling(connection, name), autocommit=True, row_factory=dict_row) as inside:
        found = inside.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p', 'v') LIMIT 1"
        ).fetchone()
    if found is not None:
        message = f"The database {name} holds tables of something else, such as {found['relname']}."
        raise Rejected(message, hint="name another database in BELVEDERE_DATABASE_URL or MASTER_DB_NAME; it is made "
                       "when missing", code="database-taken")


def _sibling(connection: Connection, name: str) -> str:
    kept = connection.info.get_parameters() | {"dbname": name, "password": connection.info.password}
    return psycopg.conninfo.make_conninfo(**{key: value for key, value in kept.items() if value})


def _exists(connection: Connection, query: LiteralString, value: str) -> bool:
    return connection.execute(query, [value]).fetchone() is not None


def _maintenance(given: Secret) -> str:
    """Return a database that is there before ours is."""
    for name in _MAINTENANCE:
        try:
            with _connected(_with(given, database=name)):
                return name
        except Rejected as error:
            if name == _MAINTENANCE[-1] or error.problem != "no-such-database":
                raise
    return _MAINTENANCE[0]


@contextmanager
def _connected(url: Secret) -> Iterator[Connection]:
    with _talking(url), psycopg.connect(
        url.reveal(), autocommit=True, row_factory=dict_row, connect_timeout=10, application_name="belvedere init"
    ) as connection:
        yield connection


def _last_sentence(error: psycopg.OperationalError) -> str:
    """Return what was said last, without libpq's indented guess ("Is the server running on that host ...?")."""
    lines = [line for line in str(error).strip().splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1].removeprefix("connection failed: ") if lines else type(error).__name__


@contextmanager
def _talking(url: Secret) -> Iterator[None]:
    """Say in one sentence why the server cannot be used."""
    where = urlsplit(url.reveal()).netloc.rpartition("@")[2] or "localhost"
    try:
        yield
    except psycopg.OperationalError as error:
        said = _last_sentence(error)
        if "does not exist" in said and "database" in said:
            message = f"PostgreSQL at {where}: {said}"
            raise Rejected(message, code="no-such-database") from error
        if "authentication failed" in said or "no password supplied" in said or "role" in said:
            message = f"PostgreSQL at {where} refuses the login."
            hint = "check the login and password in BELVEDERE_DATABASE_URL or MASTER_DB_USER and MASTER_DB_PASS"
            raise Rejected(message, hint=hint, code="database-login") from error
        message = f"PostgreSQL at {where} does not answer. {said}"
        raise Later(message, hint="check that it runs and that the address is right, then the same again",
                    code="database-away") from error
    except psycopg.errors.InsufficientPrivilege as error:
        message = f"The login may not do this on PostgreSQL at {where}. {error.diag.message_primary}"
        hint = "give a login that may create databases and roles"
        raise Rejected(message, hint=hint, code="database-rights") from error


def _with(url: Secret, *, login: str | None = None, password: str | None = None, database: str | None = None) -> Secret:
    parts = urlsplit(url.reveal())
    if parts.scheme not in {"postgresql", "postgres"}:
        message = "BELVEDERE_DATABASE_URL must be a URL such as postgresql://login:password@host:5432/belvedere."
        raise Rejected(message, code="setting", field="BELVEDERE_DATABASE_URL")
    who, _, where = parts.netloc.rpartition("@")
    if login is not None:
        who = f"{quote(login, safe='')}:{quote(password or '', safe='')}"
    path = parts.path if database is None else "/" + quote(database, safe="")
    return Secret(urlunsplit(parts._replace(netloc=f"{who}@{where}" if who else where, path=path)))


def _database_name(url: Secret) -> str:
    return unquote(urlsplit(url.reveal()).path.lstrip("/")) or CONTROL


def _login_of(url: str) -> str:
    return unquote(urlsplit(url).netloc.rpartition("@")[0].partition(":")[0]) or "postgres"


def _password_of(url: str) -> str:
    return unquote(urlsplit(url).netloc.rpartition("@")[0].partition(":")[2])
