"""Tenants' logins and databases on a PostgreSQL server: what is there, and one idempotent deed at a time.

The provisioning login makes them; it is no superuser, touches catalogues only and never a tenant's object. What must be
done as the tenant (sharing its tables with its reader) is done by the tenant's own writer. What is not here: the
order of deeds (`plan.py`), a superuser's preparation (`lockdown/`), reading tenants' tables (`reader/`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.secret import Secret
from belvedere.stores.lockdown.postgres import prepare_server, template_name
from belvedere.stores.model import LoginKind, Server
from belvedere.stores.plan import (
    Deed,
    Desired,
    DesiredDatabase,
    DesiredLogin,
    Do,
    Observed,
    ObservedDatabase,
    ObservedLogin,
    database_rights,
    schema_rights,
)
from belvedere.stores.timescale import postgres as timescale
from belvedere.stores.wire import Connection, connect, translated

__all__ = ["Provisioner", "prepare_server"]

Passwords = Mapping[LoginKind, Secret]

_END_SESSION_MS: Final = 3000
_POWERS: Final = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
_RIGHTS: Final = {"CONNECT": sql.SQL("CONNECT"), "TEMPORARY": sql.SQL("TEMPORARY"), "CREATE": sql.SQL("CREATE"),
                  "USAGE": sql.SQL("USAGE")}


class Provisioner:
    """Observes and applies on one server, over one connection of the provisioning login."""

    def __init__(self, server: Server, connection: Connection) -> None:
        """Take an open connection to the server's maintenance database."""
        self._server = server
        self._connection = connection

    @classmethod
    @contextmanager
    def on(cls, server: Server) -> Iterator["Provisioner"]:
        """Connect for the length of the block, with the server's errors translated."""
        with translated(server), connect(server) as connection:
            yield cls(server, connection)

    def template(self, *, timescaled: bool = False) -> str | None:
        """Return the closed template database, or None when no superuser has prepared this server.

        With `timescaled` the one that has TimescaleDB, where there is one and the server still loads it.
        """
        role = self._connection.info.user
        names = [template_name(role)]
        if timescaled and timescale.offer(self._connection).preloaded:
            names.append(template_name(role, series=True))
        row = self._one(
            "SELECT datname FROM pg_database WHERE datname = ANY(%s) AND datistemplate AND NOT datallowconn "
            "ORDER BY array_position(%s, datname::text) DESC LIMIT 1", [names, names],
        )
        return str(row["datname"]) if row else None

    def may_limit_temporary_files(self) -> bool:
        """Tell whether a superuser passed on the right to set `temp_file_limit`."""
        return self._may_set("temp_file_limit")

    def fitted(self, desired: Desired, temporary_bytes: int) -> Desired:
        """Return the same with a limit on temporary files and on the log, where the rights to set them were passed on.

        RAISE LOG writes what a tenant likes to the server's log, a hundred megabytes a call: nothing else bounds it.
        """
        wanted = (("temp_file_limit", f"{temporary_bytes // 1024}kB"), ("log_min_messages", "fatal"))
        limits = tuple((name, value) for name, value in wanted if self._may_set(name))
        return replace(
            desired, logins=tuple(replace(one, settings=(*one.settings, *limits)) for one in desired.logins)
        )

    def _may_set(self, parameter: str) -> bool:
        row = self._one("SELECT has_parameter_privilege(%s, 'SET') AS may", [parameter])
        return bool(row and row["may"])

    def open_databases(self) -> list[str]:
        """Return databases that every login of the server may enter."""
        found = self._rows(
            "SELECT datname FROM pg_database WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT') "
            "ORDER BY datname", [],
        )
        return [str(row["datname"]) for row in found]

    def database_oid(self, name: str) -> int | None:
        """Return a database's number, which is how the shared catalogues name it."""
        row = self._one("SELECT oid::bigint AS oid FROM pg_database WHERE datname = %s", [name])
        return int(row["oid"]) if row else None

    def observe(self, desired: Desired, passwords: Passwords) -> Observed:
        """Return what there is of what is desired. Trying passwords needs one database that is open."""
        logins = {row["rolname"]: self._login(row) for row in self._roles(desired)}
        databases: dict[str, ObservedDatabase] = {}
        for database in desired.databases:
            for row in self._databases([database.name, database.pending]):
                seen = _database(row)
                if row["datname"] == database.name and seen.mark == database.mark and seen.is_open:
                    seen = self._inside(desired, database, seen)
                databases[row["datname"]] = seen
        logins = {
            role: self._tried(desired, role, login, databases, passwords) for role, login in logins.items()
        }
        return Observed(logins=logins, databases=databases)

    def apply(self, deed: Deed, desired: Desired, passwords: Passwords) -> None:
        """Do one deed. Doing it again changes nothing."""
        failpoint("stores.apply.before")
        deeds = {
            Do.LOGIN: self._make_login, Do.PASSWORD: self._make_login, Do.LOCK_OUT: self._lock_out,
            Do.DROP_LOGIN: self._drop_login,
        }
        places = {
            Do.DATABASE: self._make_database, Do.OPEN: self._open_database, Do.SCHEMA: self._grant_schema,
            Do.SHARE: self._share, Do.DROP_DATABASE: self._drop_database,
        }
        if deed.login is not None:
            login = next(one for one in desired.logins if one.kind is deed.login)
            deeds[deed.do](desired, login, passwords)
        elif deed.store is not None:
            database = next(one for one in desired.databases if one.kind is deed.store)
            places[deed.do](desired, database, passwords)
        failpoint("stores.apply.after")

    # Logins

    def _make_login(self, _: Desired, login: DesiredLogin, passwords: Passwords) -> None:
        who = sql.Identifier(login.role)
        # The server gets a verifier and never the password itself, so that no log of it can hold one.
        verifier = self._connection.pgconn.encrypt_password(
            passwords[login.kind].reveal().encode(), login.role.encode(), b"scram-sha-256"
        ).decode()
        there = self._one("SELECT oid FROM pg_roles WHERE rolname = %s", [login.role])
        with self._connection.transaction():
            verb = sql.SQL("ALTER" if there else "CREATE")
            self._run(
                sql.SQL(
                    "{} ROLE {} WITH LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {} PASSWORD {}"
                ).format(verb, who, sql.Literal(login.connections), sql.Literal(verifier))
            )
            for row in self._rows(
                "SELECT m.roleid::regrole::text AS role FROM pg_auth_members m WHERE m.member = to_regrole(%s)",
                [who.as_string(self._connection)],
            ):
                self._run(sql.SQL("REVOKE {} FROM {}").format(sql.SQL(row["role"]), who))
            for name, value in login.settings:
                self._run(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(who, sql.Identifier(name), sql.Literal(value))
                )
            failpoint("stores.login.before-commit")

    def _lock_out(self, desired: Desired, login: DesiredLogin, _: Passwords) -> None:
        who = sql.Identifier(login.role)
        self._run(sql.SQL("ALTER ROLE {} NOLOGIN").format(who))
        for row in self._databases([name for one in desired.databases for name in (one.name, one.pending)]):
            if row["datallowconn"]:
                self._run(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(sql.Identifier(row["datname"]), who))
        failpoint("stores.remove.locked-out")
        if not self._may_end_sessions(login.role):
            self._run(sql.SQL("GRANT {} TO CURRENT_USER").format(who))
        self._rows(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE usename = %s",
            [_END_SESSION_MS, login.role],
        )

    def _may_end_sessions(self, role: str) -> bool:
        row = self._one(
            "SELECT pg_has_role('pg_signal_backend', 'USAGE') OR pg_has_role(%s, 'USAGE') AS may", [role]
        )
        return bool(row and row["may"])

    def _drop_login(self, _: Desired, login: DesiredLogin, __: Passwords) -> None:
        failpoint("stores.remove.before-drop-login")
        try:
            self._run(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login.role)))
        except psycopg.errors.DependentObjectsStillExist as error:
            message = f"The login {login.role} still owns something in a database that is not its tenant's."
            hint = f'As a superuser there: DROP OWNED BY "{login.role}"'
            raise Stuck(message, hint=hint, code="login-in-use") from error

    # Databases

    def _make_database(self, _: Desired, database: DesiredDatabase, __: Passwords) -> None:
        """Make it under its pending name, closed to all: the tenant's name stands only for a closed database."""
        template = self.template(timescaled=database.timescaled)
        source = sql.SQL("template0 ENCODING 'UTF8'") if template is None else sql.Identifier(template)
        called = sql.Identifier(database.pending)
        try:
            self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false").format(called, source))
        except psycopg.errors.DuplicateDatabase:
            return
        except psycopg.errors.ObjectInUse as error:
            message = "The template database is in use; databases are made from it one after the other."
            raise Later(message, retry_in_s=1.0, code="template-busy") from error
        failpoint("stores.database.made")

    def _open_database(self, desired: Desired, database: DesiredDatabase, _: Passwords) -> None:
        """Grant and revoke, then rename and open, in one transaction: there is no moment in which strangers enter."""
        by_name = {row["datname"]: row for row in self._databases([database.name, database.pending])}
        row = by_name.get(database.name) or by_name[database.pending]
        called = sql.Identifier(row["datname"])
        try:
            with self._connection.transaction():
                self._run(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(called))
                target = sql.SQL("DATABASE {}").format(called)
                self._set_rights(target, _rights(row["rights"]), database_rights(desired, database))
                self._run(sql.SQL("COMMENT ON DATABASE {} IS {}").format(called, sql.Literal(database.mark)))
                self._run(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(called))
                if row["datname"] != database.name:
                    self._run(
                        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(called, sql.Identifier(database.name))
                    )
                failpoint("stores.database.before-open")
        except psycopg.errors.DuplicateDatabase as error:
            raise foreign_database(database.name) from error

    def _grant_schema(self, desired: Desired, database: DesiredDatabase, _: Passwords) -> None:
        with connect(self._server, database.name) as inside, inside.transaction():
            inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            have = _schema_rights(inside)
            want = schema_rights(desired, database)
            Provisioner(self._server, inside)._set_rights(sql.SQL("SCHEMA public"), have, want)  # noqa: SLF001
            failpoint("stores.schema.before-commit")

    def _share(self, desired: Desired, database: DesiredDatabase, passwords: Passwords) -> None:
        """As the tenant's own writer: default privileges belong to whoever makes the tables."""
        roles = {login.kind: login.role for login in desired.logins}
        reader = sql.Identifier(roles[LoginKind.READER])
        if database.read_only:
            with connect(self._server, database.name) as inside:
                inside.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(reader))
            return
        with (
            connect(
                self._server, database.name, role=roles[LoginKind.WRITER], password=passwords[LoginKind.WRITER]
            ) as inside,
            inside.transaction(),
        ):
            inside.execute(sql.SQL("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {}").format(reader))
            inside.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(reader))
            failpoint("stores.share.before-commit")

    def _drop_database(self, _: Desired, database: DesiredDatabase, __: Passwords) -> None:
        for row in self._databases([database.name, database.pending]):
            if row["datname"] == database.pending or row["mark"] == database.mark:
                failpoint("stores.remove.before-drop-database")
                try:
                    self._run(
                        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(row["datname"]))
                    )
                except psycopg.errors.ObjectInUse as error:
                    message = f"Somebody is connected to {row['datname']}; it is dropped when the session ends."
                    raise Later(message, retry_in_s=10.0, code="database-in-use") from error

    def _set_rights(
        self, target: sql.Composed | sql.SQL, have: frozenset[tuple[str, str]], want: frozenset[tuple[str, str]]
    ) -> None:
        for role, right in sorted(have - want):
            who = sql.SQL("PUBLIC") if role == "PUBLIC" else sql.Identifier(role)
            self._run(sql.SQL("REVOKE {} ON {} FROM {}").format(_RIGHTS[right], target, who))
        for role, right in sorted(want - have):
            self._run(sql.SQL("GRANT {} ON {} TO {}").format(_RIGHTS[right], target, sql.Identifier(role)))

    # What is there

    def _roles(self, desired: Desired) -> list[DictRow]:
        return self._rows(
            "SELECT r.*, (SELECT setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0) "
            "AS defaults, ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid) "
            "AS groups FROM pg_roles r WHERE rolname = ANY(%s)",
            [[login.role for login in desired.logins]],
        )

    def _databases(self, names: list[str]) -> list[DictRow]:
        return self._rows(
            "SELECT datname, oid::bigint AS oid, datallowconn, shobj_description(oid, 'pg_database') AS mark, "
            "ARRAY(SELECT ARRAY[CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, "
            "a.privilege_type] FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a "
            "WHERE a.grantee <> datdba) AS rights FROM pg_database WHERE datname = ANY(%s)",
            [names],
        )

    def _login(self, row: DictRow) -> ObservedLogin:
        settings = tuple((name, value) for name, _, value in (one.partition("=") for one in row["defaults"] or []))
        return ObservedLogin(
            connections=row["rolconnlimit"], can_login=row["rolcanlogin"],
            powers=tuple(power.removeprefix("rol") for power in _POWERS if row[power]),
            memberships=tuple(row["groups"]), settings=settings,
        )

    def _inside(self, desired: Desired, database: DesiredDatabase, seen: ObservedDatabase) -> ObservedDatabase:
        roles = {login.kind: login.role for login in desired.logins}
        makes = self._connection.info.user if database.read_only else roles[LoginKind.WRITER]
        with connect(self._server, database.name) as inside:
            row = inside.execute(
                "SELECT EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE d.defaclnamespace = 0 "
                "AND d.defaclobjtype = 'r' AND pg_get_userbyid(d.defaclrole) = %(writer)s "
                "AND pg_get_userbyid(a.grantee) = %(reader)s AND a.privilege_type = 'SELECT') AS shared, "
                "(SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.rolname = %(reader)s "
                "WHERE pg_get_userbyid(c.relowner) = %(writer)s AND c.relkind IN ('r', 'v', 'm', 'p', 'f') "
                "AND c.relpersistence <> 't' AND c.relnamespace = 'public'::regnamespace "
                "AND NOT has_table_privilege(r.oid, c.oid, 'SELECT')) AS unread",
                {"writer": makes, "reader": roles[LoginKind.READER]},
            ).fetchone()
            rights = _schema_rights(inside)
        assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
        return replace(seen, schema_rights=rights, shared=row["shared"], unread=row["unread"])

    def _tried(
        self, desired: Desired, role: str, login: ObservedLogin, databases: Mapping[str, ObservedDatabase],
        passwords: Passwords,
    ) -> ObservedLogin:
        """Tell whether the sealed password still works: a tenant can change its own."""
        kind = next(one.kind for one in desired.logins if one.role == role)
        usable = next(
            (one.name for one in desired.databases
             if one.name in databases and (role, "CONNECT") in databases[one.name].rights), None)
        if usable is None or not login.can_login or kind not in passwords:
            return login
        try:
            connect(self._server, usable, role=role, password=passwords[kind]).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" not in str(error):
                return login
            return replace(login, password_works=False)
        return login

    def _one(self, query: LiteralString, values: list[Any]) -> DictRow | None:
        return self._connection.execute(query, values).fetchone()

    def _rows(self, query: LiteralString, values: list[Any]) -> list[DictRow]:
        return self._connection.execute(query, values).fetchall()

    def _run(self, statement: sql.Composed) -> None:
        self._connection.execute(statement)


def open_facts(server: Server) -> tuple[str, ...]:
    """Return, as sentences, what stays open between tenants on a server; empty is the good answer.

    Raises:
        Later: the server is away.
    """
    facts = []
    with Provisioner.on(server) as provisioner:
        if provisioner.template() is None:
            facts.append("The catalogue of tenants' databases names other databases and logins.")
        if not provisioner.may_limit_temporary_files():
            facts.append("Temporary files of tenants are not limited.")
        strange = provisioner.open_databases()
    if strange:
        facts.append(f"Every login may enter: {', '.join(strange)}.")
    return tuple(facts)


def _database(row: DictRow) -> ObservedDatabase:
    return ObservedDatabase(mark=row["mark"] or "", is_open=row["datallowconn"], rights=_rights(row["rights"]))


def _rights(pairs: list[list[str]]) -> frozenset[tuple[str, str]]:
    return frozenset((role, right) for role, right in pairs)


def _schema_rights(inside: Connection) -> frozenset[tuple[str, str]]:
    row = inside.execute(
        "SELECT ARRAY(SELECT ARRAY[CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, "
        "a.privilege_type] FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a "
        "WHERE a.grantee <> nspowner) AS rights FROM pg_namespace WHERE nspname = 'public'"
    ).fetchone()
    return _rights(row["rights"]) if row else frozenset()


def foreign_database(name: str) -> Stuck:
    """Return the error for a database that bears a tenant's name and is not the tenant's."""
    return Stuck(
        f"A database named {name} is on the server already, and it is not this tenant's.",
        hint="Rename it or drop it, then try again.", code="foreign-database",
    )
